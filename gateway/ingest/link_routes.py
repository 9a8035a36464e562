"""Where a link's message leads: a topic of our own names its device, a foreign one needs a declared product.

Only registered devices have a way; all else is refused with its reason (law 4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple, Protocol

from drivers.lorawan import topics as network
from drivers.mapped import device_id
from drivers.mqtt.topics import ROOT, UP, matches, parse
from drivers.products.product import Product
from drivers.refusal import Reason, Refused
from gateway.ingest.inbox import Lane
from gateway.ingest.link_settings import DEVICE, LinkSettings
from gateway.ingest.lorawan import NetworkServers

REMEMBERED: Final = 65_536  # topics whose way is remembered
TELEMETRY: Final = "telemetry"

Route = tuple[Lane, int]
Lanes = Callable[[str, str, str], Lane]  # of product, family, channel: the same object for the same three


class Placed(Protocol):
    """A device as the directory knows it."""

    @property
    def id(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def product(self) -> str: ...
    @property
    def index(self) -> int: ...
    @property
    def retired(self) -> bool: ...


class Directory(Protocol):
    """gateway.registry.directory, as far as a link needs it."""

    @property
    def generation(self) -> int:
        """Rises at every change; ways found before are void then."""

    def device(self, id: str, /) -> Placed | None: ...  # noqa: A002 - the field's word


class Foreign(NamedTuple):
    """Topics of a declared product. level: where the device's id stands in the topic; None: its payload says it."""

    filter: str
    level: int | None
    product: Product


class Routes:
    """known: ways already found, by topic; void once `refresh` says so."""

    def __init__(
        self,
        settings: LinkSettings,
        catalog: Mapping[str, Product],
        directory: Directory,
        lanes: Lanes,
        servers: NetworkServers | None = None,
    ) -> None:
        self.known: dict[str, Route] = {}
        self.servers = servers or NetworkServers()
        self._name = settings.name
        self._directory = directory
        self._lanes = lanes
        self._generation = -1
        self._foreign = [
            Foreign(pattern.replace(DEVICE, "+"), _level(pattern), catalog[product])
            for pattern, product in settings.products.items()
        ]
        self._other = Foreign("#", None, catalog[settings.product]) if settings.product else None

    def refresh(self) -> None:
        """Forget what a change of the directory has made void."""
        if self._directory.generation != self._generation:
            self._generation = self._directory.generation
            self.known.clear()

    def find(self, topic: str, payload: bytes) -> Route:
        """Raises Refused: UNKNOWN_TOPIC, UNKNOWN_DEVICE, FOREIGN_TOPIC, or what keeps a payload from naming its device."""
        for foreign in self._foreign:
            if matches(foreign.filter, topic):
                return self._declared(foreign, topic, payload)
        if network.foreign(topic):
            return self._networked(topic)
        if self._other is not None and not topic.startswith(f"{ROOT}/"):
            return self._declared(self._other, topic, payload)
        return self._own(topic)

    def _own(self, topic: str) -> Route:
        name = parse(topic)
        if name.channel not in UP:
            raise Refused(Reason.FOREIGN_TOPIC, f"{topic:.200} is the gateway's to publish under")
        entry = self._entry(name.device)
        if entry.family != name.family:
            raise Refused(Reason.FOREIGN_TOPIC, f"{entry.id} is of family {entry.family}, not {name.family}")
        return self._remember(topic, (self._lanes(entry.product, entry.family, name.channel), entry.index))

    def _networked(self, topic: str) -> Route:
        """An uplink of a LoRaWAN network server: its topic names the device, the registry its product.

        Looked at each time, since the last uplink's way is the way down.
        """
        names = network.parse(topic).names
        found = [entry for name in names if (entry := self._directory.device(name)) and not entry.retired]
        if not found:
            raise Refused(Reason.UNKNOWN_DEVICE, f"no device {' or '.join(names)!r:.160}", *names[:1])
        entry = found[0]
        self.servers.heard(entry.family, entry.index, topic, self._name)
        return self._lanes(entry.product, entry.family, TELEMETRY), entry.index

    def _declared(self, foreign: Foreign, topic: str, payload: bytes) -> Route:
        product = foreign.product
        if foreign.level is not None:
            entry = self._entry(topic.split("/")[foreign.level])
        else:
            assert product.telemetry is not None  # `faults` saw to it
            entry = self._entry(device_id(product.telemetry, payload))
        if entry.product != product.id:
            raise Refused(
                Reason.FOREIGN_TOPIC,
                f"{entry.id} is registered as {entry.product}, this topic carries {product.id}",
            )
        route = self._lanes(product.id, entry.family, TELEMETRY), entry.index
        return route if foreign.level is None else self._remember(topic, route)

    def _entry(self, device: str) -> Placed:
        entry = self._directory.device(device)
        if entry is None or entry.retired:
            raise Refused(Reason.UNKNOWN_DEVICE, f"no device {device!r:.80}", device)
        return entry

    def _remember(self, topic: str, route: Route) -> Route:
        if len(self.known) >= REMEMBERED:
            self.known.clear()
        self.known[topic] = route
        return route


def _level(pattern: str) -> int | None:
    levels = pattern.split("/")
    return levels.index(DEVICE) if DEVICE in levels else None


def faults(settings: LinkSettings, catalog: Mapping[str, Product]) -> Iterator[tuple[str, str]]:
    """(key, fault) of products that this link names and cannot use."""
    named = [(f"products.{pattern!r}", pattern, product) for pattern, product in settings.products.items()]
    if settings.product:
        named.append(("product", "", settings.product))
    for key, pattern, name in named:
        product = catalog.get(name)
        if product is None:
            yield key, f"no product {name!r}; there are: {', '.join(sorted(catalog))}"
        elif _level(pattern) is None and not (product.telemetry and product.telemetry.device):
            yield (
                key,
                f'{name} names no device in its payloads; write products = {{ "their/{DEVICE}/topic" = "{name}" }}',
            )
