"""Who may speak, and for which device: in memory, O(1), for a million devices.

It learns of a device only after history has recorded its index (design 4). The registry is its only writer.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from drivers.lorawan import topics as network
from drivers.mqtt.topics import UP, matches, parse
from drivers.refusal import Reason, Refused
from gateway.clock import CityClock, Clock
from gateway.registry import secret as secrets
from gateway.registry.members import Entry, Members, Portion, portions
from gateway.registry.rotation import Rotations, Use

__all__ = ["DEVICE", "SOURCE", "Directory", "Entry", "Principal", "Voice"]

DEVICE: Final = "device"
SOURCE: Final = "source"
SPAN: Final = 64  # families that a place can tell apart
NEWCOMER: Final = "newcomer"  # let in by a join window: what it says is quarantined


class Principal(Struct, frozen=True, gc=False):
    """Who proved to be whom. kind: device | source | newcomer."""

    kind: str
    name: str


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

    def __init__(self, clock: Clock | None = None) -> None:
        self.generation = 0
        self.rotations = Rotations(clock or CityClock())
        self._families: dict[str, Members] = {}
        self._places: dict[str, int] = {}  # of devices, by id: index * SPAN + position of the family
        self._positions: list[Members] = []
        self._voices: dict[str, Voice] = {}
        self._secrets: dict[bytes, Voice] = {}
        self._void: Callable[[str], object] = str  # nobody is told until someone watches
        self._admit: Callable[[str, bytes], Principal | None] = _nobody

    def watch(self, void: Callable[[str], object]) -> None:
        """`void` is told whose credentials no longer hold: open connections under that name must end."""
        self._void = void

    def welcome(self, admit: Callable[[str, bytes], Principal | None]) -> None:
        """`admit` is asked for whom nobody is registered; whom it names is a newcomer."""
        self._admit = admit

    def __len__(self) -> int:
        return len(self._places)

    def authenticate(self, username: str, secret: bytes) -> Principal | None:
        """Whose name and secret these are; None where they are nobody's or the device is retired."""
        entry = self.device(username)
        if entry is not None and not entry.retired and self._opens(username, secret, entry.digest):
            return Principal(DEVICE, username)
        voice = self._voices.get(username)
        if self._opens(username, secret, voice.digest if voice else secrets.NOBODY):
            return Principal(SOURCE, username)
        return None if self.knows(username) else self._admit(username, secret)

    def _opens(self, name: str, secret: bytes, digest: bytes) -> bool:
        """Whether this is the secret, or the former one of who has not changed it yet."""
        if secrets.matches(secret, digest):
            self.rotations.renewed(name)
            return True
        return self.rotations.opens(name, secrets.digest(secret))

    def vouched(self, name: str) -> Principal | None:
        """Whose name it is, where something else than a secret has proved it."""
        entry = self.device(name)
        if entry is not None:
            return None if entry.retired else Principal(DEVICE, name)
        return Principal(SOURCE, name) if name in self._voices else None

    def expire(self) -> None:
        """Former secrets whose time is over: who was not seen with the new one has to come again."""
        for one in self.rotations.expired():
            if one.use is not Use.NEW:
                self._void(one.name)

    def voice(self, secret: bytes) -> Principal | None:
        """The source that has this secret, where it comes without a name (HTTP)."""
        digest = secrets.digest(secret)
        voice = self._secrets.get(digest)
        if voice is not None:
            self.rotations.renewed(voice.name)
        name = voice.name if voice else self.rotations.source(digest)
        return Principal(SOURCE, name) if name else None

    def resolve(self, principal: Principal, topic: str) -> tuple[str, str, int, str]:
        """Product id, family, device index and channel of what `principal` publishes under `topic`.

        Raises Refused: UNKNOWN_TOPIC, UNKNOWN_DEVICE or FOREIGN_TOPIC.
        """
        if principal.kind == NEWCOMER:
            detail = f"{principal.name} is not registered yet; adopt it"
            raise Refused(Reason.UNKNOWN_DEVICE, detail, principal.name)
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
        entry = self.device(device)
        if entry is None or entry.retired:
            raise Refused(Reason.UNKNOWN_DEVICE, f"no device {device!r:.80}", device)
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
            entry = self.device(name)
            if entry is not None and not entry.retired:
                return entry
        raise Refused(Reason.UNKNOWN_DEVICE, f"no device {' or '.join(names)!r:.160}", *names[:1])

    def named(self, principal: Principal, names: Sequence[str]) -> Entry:
        """The same, if `principal` may speak for it; raises Refused: UNKNOWN_DEVICE or FOREIGN_TOPIC."""
        return self.spoken_for(principal, self.called(names).id)

    def signed(self, name: str, body: bytes, signature: bytes) -> Principal | None:
        """The source whose HMAC-SHA256 of a body this is; the key is the SHA-256 of its secret, which is all we keep."""
        voice = self._voices.get(name)
        keys = [voice.digest if voice else secrets.NOBODY]
        keys += [one.digest for one in self.rotations if one.name == name]
        right = [key for key in keys if hmac.compare_digest(hmac.digest(key, body, "sha256"), signature)]
        if voice is None or not right:
            return None
        if right[0] == voice.digest:
            self.rotations.renewed(name)
        elif not self.rotations.opens(name, right[0]):
            return None
        return Principal(SOURCE, name)

    def knows(self, name: str) -> bool:
        """A device, retired ones too, or a source has this name."""
        return self.device(name) is not None or name in self._voices

    def device(self, id: str) -> Entry | None:  # noqa: A002 - the field's word
        place = self._places.get(id)
        return None if place is None else self._positions[place % SPAN].entry(place // SPAN)

    def by_index(self, family: str, index: int) -> Entry | None:
        members = self._families.get(family)
        return members.entry(index) if members else None

    def ids(self, family: str) -> list[str | None]:
        """Device ids of a family by index."""
        members = self._families.get(family)
        return list(members.ids) if members else []

    def counts(self) -> Mapping[str, int]:
        """Devices in service, by family."""
        return {name: members.alive for name, members in self._families.items()}

    def load(self, all_of_them: Iterable[Portion]) -> None:
        """All devices there are, where none is known yet."""
        for portion in all_of_them:
            self._load(portion)
        self.generation += 1

    def put(self, entries: Iterable[Entry]) -> None:
        """New or changed devices. A device that left a family keeps a retired entry under its index there."""
        for portion in portions(entries):
            known = [entry for name in portion.ids if (entry := self.device(name))]
            self._load(portion)
            for before in known:
                after = self.device(before.id)
                if after is None or (after.family, after.index) != (before.family, before.index):
                    self._families[before.family].leave(before.index)
                if after is None or after.retired or not self._still(before.id, before.digest, after.digest):
                    self._void(before.id)
        self.generation += 1

    def put_former(self, entries: Iterable[Entry]) -> None:
        """Indexes that devices held in families they have left."""
        for portion in portions(entries):
            self._members(portion.family).load(portion)

    def _load(self, portion: Portion) -> None:
        members = self._members(portion.family)
        members.load(portion)
        position = self._positions.index(members)
        places = [index * SPAN + position for index in portion.indexes]
        self._places.update(zip(portion.ids, places, strict=True))

    def _members(self, family: str) -> Members:
        if family not in self._families:
            self._families[family] = Members(family)
            self._positions.append(self._families[family])
        return self._families[family]

    def put_voices(self, voices: Iterable[Voice]) -> None:
        """All sources there are; replaces those known."""
        before, self._voices = self._voices, {voice.name: voice for voice in voices}
        self._secrets = {voice.digest: voice for voice in self._voices.values()}
        self.generation += 1
        for voice in before.values():
            now = self._voices.get(voice.name)
            if now is None or not self._still(voice.name, voice.digest, now.digest):
                self._void(voice.name)

    def _still(self, name: str, before: bytes, now: bytes) -> bool:
        """Whether who came in with a secret before may stay."""
        return before == now or self.rotations.holds(name, before)


def _nobody(_name: str, _secret: bytes) -> None:
    """No window stands open where nobody opens any."""
