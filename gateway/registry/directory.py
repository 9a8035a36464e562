"""Who may speak, and for which device: in memory, O(1), for a million devices.

It learns of a device only after history has recorded its index (design 4). The registry is its only writer.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from sys import intern
from typing import Final

from msgspec import Struct

from drivers.lorawan import topics as network
from drivers.mqtt.topics import UP, matches, parse
from drivers.refusal import Reason, Refused
from gateway.registry import secret as secrets

DEVICE: Final = "device"
SOURCE: Final = "source"


class Principal(Struct, frozen=True, gc=False):
    """Who proved to be whom. kind: device | source."""

    kind: str
    name: str


class Entry(Struct, gc=False):
    """What ingest needs to know of a device; an index that it held in another family has a retired entry of its own."""

    id: str
    family: str
    index: int
    product: str
    area: str
    retired: bool
    digest: bytes
    link: str = ""  # of which broker, where one stands between


class Voice(Struct, frozen=True):
    """A source: the topic filters it may publish under and the devices it may speak for.

    devices: ids, or None where `area` says it; area "" is every device.
    """

    name: str
    filters: tuple[str, ...]
    devices: frozenset[str] | None
    area: str | None
    digest: bytes

    def covers(self, entry: Entry) -> bool:
        if self.devices is not None:
            return entry.id in self.devices
        return not self.area or entry.area == self.area or entry.area.startswith(self.area + "/")


class Directory:
    """`generation` rises at every change; who keeps routes drops them then."""

    def __init__(self) -> None:
        self.generation = 0
        self._devices: dict[str, Entry] = {}
        self._indexes: dict[str, list[Entry | None]] = {}
        self._voices: dict[str, Voice] = {}
        self._secrets: dict[bytes, Voice] = {}
        self._void: Callable[[str], object] = str  # nobody is told until someone watches

    def watch(self, void: Callable[[str], object]) -> None:
        """`void` is told whose credentials no longer hold: open connections under that name must end."""
        self._void = void

    def __len__(self) -> int:
        return len(self._devices)

    def authenticate(self, username: str, secret: bytes) -> Principal | None:
        """Whose name and secret these are; None where they are nobody's or the device is retired."""
        entry = self._devices.get(username)
        if entry is not None and not entry.retired and secrets.matches(secret, entry.digest):
            return Principal(DEVICE, username)
        voice = self._voices.get(username)
        if secrets.matches(secret, voice.digest if voice else secrets.NOBODY):
            return Principal(SOURCE, username)
        return None

    def voice(self, secret: bytes) -> Principal | None:
        """The source that has this secret, where it comes without a name (HTTP)."""
        voice = self._secrets.get(secrets.digest(secret))
        return Principal(SOURCE, voice.name) if voice else None

    def resolve(self, principal: Principal, topic: str) -> tuple[str, str, int, str]:
        """Product id, family, device index and channel of what `principal` publishes under `topic`.

        Raises Refused: UNKNOWN_TOPIC, UNKNOWN_DEVICE or FOREIGN_TOPIC.
        """
        if principal.kind == DEVICE:
            name = parse(topic)
            if name.device != principal.name:
                raise Refused(Reason.FOREIGN_TOPIC, f"{principal.name} may not publish under {topic}")
        else:
            voice = self._voices.get(principal.name)
            if voice is None or not any(matches(pattern, topic) for pattern in voice.filters):
                raise Refused(Reason.FOREIGN_TOPIC, f"source {principal.name} may not publish under {topic}")
            if network.foreign(topic):
                entry = self.named(principal, network.parse(topic).names)
                return entry.product, entry.family, entry.index, UP[0]
            name = parse(topic)
        if name.channel not in UP:
            raise Refused(Reason.FOREIGN_TOPIC, f"{topic} is the gateway's to publish under")
        entry = self.spoken_for(principal, name.device)
        if entry.family != name.family:
            raise Refused(Reason.FOREIGN_TOPIC, f"{entry.id} is of family {entry.family}, not {name.family}")
        return entry.product, entry.family, entry.index, name.channel

    def spoken_for(self, principal: Principal, device: str) -> Entry:
        """The device, if `principal` may speak for it; raises Refused: UNKNOWN_DEVICE or FOREIGN_TOPIC."""
        entry = self._devices.get(device)
        if entry is None or entry.retired:
            raise Refused(Reason.UNKNOWN_DEVICE, f"no device {device!r:.80}")
        if principal.kind == DEVICE:
            allowed = device == principal.name
        else:
            voice = self._voices.get(principal.name)
            allowed = voice is not None and voice.covers(entry)
        if not allowed:
            raise Refused(Reason.FOREIGN_TOPIC, f"{principal.name} may not speak for {device}")
        return entry

    def called(self, names: Sequence[str]) -> Entry:
        """The device that a network server or platform calls by one of these names, the surest first; raises Refused.

        A device's id is its EUI (either case), IMEI or serial number, or the name it has there.
        """
        for name in names:
            entry = self._devices.get(name)
            if entry is not None and not entry.retired:
                return entry
        raise Refused(Reason.UNKNOWN_DEVICE, f"no device {' or '.join(names)!r:.160}")

    def named(self, principal: Principal, names: Sequence[str]) -> Entry:
        """The same, if `principal` may speak for it; raises Refused: UNKNOWN_DEVICE or FOREIGN_TOPIC."""
        return self.spoken_for(principal, self.called(names).id)

    def signed(self, name: str, body: bytes, signature: bytes) -> Principal | None:
        """The source whose HMAC-SHA256 of a body this is; the key is the SHA-256 of its secret, which is all we keep."""
        voice = self._voices.get(name)
        right = hmac.digest(voice.digest if voice else secrets.NOBODY, body, "sha256")
        return Principal(SOURCE, name) if hmac.compare_digest(right, signature) and voice else None

    def device(self, id: str) -> Entry | None:  # noqa: A002 - the field's word
        return self._devices.get(id)

    def by_index(self, family: str, index: int) -> Entry | None:
        entries = self._indexes.get(family, [])
        return entries[index] if 0 <= index < len(entries) else None

    def ids(self, family: str) -> list[str | None]:
        """Device ids of a family by index."""
        return [entry.id if entry else None for entry in self._indexes.get(family, [])]

    def counts(self) -> Mapping[str, int]:
        """Devices in service, by family."""
        counts = dict.fromkeys(self._indexes, 0)
        for entry in self._devices.values():
            counts[entry.family] += not entry.retired
        return counts

    def put(self, entries: Iterable[Entry]) -> None:
        """New or changed devices. A device that left a family keeps a retired entry under its index there."""
        for entry in entries:
            entry.family, entry.product, entry.area, entry.link = (
                intern(entry.family),
                intern(entry.product),
                intern(entry.area),
                intern(entry.link),
            )
            known = self._devices.get(entry.id)
            if known is not None and (known.family, known.index) != (entry.family, entry.index):
                known.retired, known.digest = True, b""
            self._devices[entry.id] = entry
            self._place(entry)
            if known is not None and (entry.retired or known.digest != entry.digest):
                self._void(entry.id)
        self.generation += 1

    def put_former(self, entries: Iterable[Entry]) -> None:
        """Indexes that devices held in families they have left."""
        for entry in entries:
            self._place(entry)

    def _place(self, entry: Entry) -> None:
        entries = self._indexes.setdefault(entry.family, [])
        entries.extend([None] * (entry.index + 1 - len(entries)))
        entries[entry.index] = entry

    def put_voices(self, voices: Iterable[Voice]) -> None:
        """All sources there are; replaces those known."""
        before, self._voices = self._voices, {voice.name: voice for voice in voices}
        self._secrets = {voice.digest: voice for voice in self._voices.values()}
        self.generation += 1
        for voice in before.values():
            now = self._voices.get(voice.name)
            if now is None or now.digest != voice.digest:
                self._void(voice.name)
