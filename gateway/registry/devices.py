"""The devices of the city: the only writer of their rows and of the directory.

A change is committed, then announced to history, and only then known to the directory (design 4).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import IO, Any, Final

from msgspec import Struct
from msgspec.structs import asdict, replace
from sqlalchemy import Connection, update

from drivers.products.product import Product
from gateway.clock import Clock
from gateway.errors import Conflict, Invalid, NotFound
from gateway.registry import announce, roll, rows, secret
from gateway.registry.announce import Announce, Announcer
from gateway.registry.device import EMPTY, Checker, Device, Fault
from gateway.registry.directory import Directory
from gateway.store import audit
from gateway.store.schema.registry import device as table
from gateway.store.store import Store
from rules.control import Control, DeviceRow
from rules.control import Devices as DevicesControl

PORTION: Final = 5_000  # directory entries put without a pause


class Created(Struct, frozen=True, gc=False):
    """A new device and its secret, which is not shown again. line: of the imported file; 0 elsewhere."""

    line: int
    id: str
    secret: str


class Imported(Struct, frozen=True):
    """lines: data lines read. With faults and not `partial`, nothing was created."""

    lines: int
    created: list[Created]
    faults: list[Fault]


class Devices:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        products: Mapping[str, Product],
        directory: Directory,
        announce: Announce,
    ) -> None:
        self._store = store
        self._clock = clock
        self._checker = Checker(products)
        self._directory = directory
        self.announcer = Announcer(store, announce, self._learn)

    async def load(self) -> None:
        """At the start: announce what a crash left unannounced, then fill the directory."""
        await self.announcer.flush()
        await self._store.read(self._fill)

    def _fill(self, conn: Connection) -> None:
        self._directory.put(rows.every_entry(conn))
        self._directory.put_former(rows.former_entries(conn))

    async def _learn(self, controls: list[Control]) -> None:
        ids = [row.id for control in controls if isinstance(control, DevicesControl) for row in control.rows]
        for start in range(0, len(ids), PORTION):
            await self._read(ids[start : start + PORTION])

    async def _read(self, ids: list[str]) -> None:
        """Only in the announcer's turn: what is read later is put later."""
        self._directory.put(await self._store.read(lambda conn: rows.entries(conn, ids)))

    async def controls(self) -> list[Control]:
        """All devices, for a history that has never heard of them."""
        return await self._store.read(lambda conn: list(self._rows(rows.every_device(conn))))

    def _rows(self, devices: Iterator[Device]) -> Iterator[Control]:
        for family, members in groupby(devices, key=lambda one: one.family):
            portion: list[DeviceRow] = []
            for one in members:
                portion.append(self._checker.row(one))
                if len(portion) == announce.ROWS:
                    yield DevicesControl(family, portion)
                    portion = []
            if portion:
                yield DevicesControl(family, portion)

    async def get(self, id: str) -> Device:  # noqa: A002 - the field's word, here and below
        return await self._store.read(lambda conn: _find(conn, id))

    async def listing(self, selection: rows.Selection, after: str, limit: int) -> list[Device]:
        return await self._store.read(lambda conn: rows.listing(conn, selection, after, limit))

    async def create(self, form: Mapping[str, object], actor: str) -> tuple[Device, str]:
        """The device and its secret. Raises Invalid with every fault, Conflict where the id is taken."""
        values, faults = self._checker.check(form)
        values = {**EMPTY, **values}
        faults += self._checker.complete(values) if not faults else []
        if faults:
            raise _invalid(faults)
        now = self._clock.now()
        word = secret.generate()

        def work(conn: Connection) -> Device:
            if rows.known(conn, [values["id"]]):
                raise Conflict(f"device {values['id']} is registered already")
            self._check_parent(conn, values)
            index = rows.next_index(conn, values["family"])
            one = Device(**values, index=index, created=now, updated=now)
            rows.add(conn, [one], [secret.digest(word)])
            announce.write(conn, [DevicesControl(one.family, [self._checker.row(one)])])
            audit.record(conn, now, actor, "created", f"device:{one.id}")
            return one

        one = await self._store.write(work)
        await self.announcer.flush()
        return one, word

    async def change(self, id: str, form: Mapping[str, object], actor: str) -> Device:  # noqa: A002
        """The device with these fields replaced. A product of another family gives it a new index there."""
        given, faults = self._checker.check(form)
        if faults:
            raise _invalid(faults)
        now = self._clock.now()
        one = await self._store.write(lambda conn: self._change(conn, id, given, actor, now))
        await self.announcer.flush()
        return one

    def _change(self, conn: Connection, id: str, given: dict[str, Any], actor: str, now: int) -> Device:  # noqa: A002
        before = _find(conn, id)
        values = {**asdict(before), **given, "id": id, "updated": now}
        if "product" in given and "family" not in given:
            values["family"] = ""
        if faults := self._checker.complete(values):
            raise _invalid(faults)
        self._check_parent(conn, values)
        moved = values["family"] != before.family
        if moved:
            values["index"] = rows.next_index(conn, values["family"])
        one = Device(**values)
        rows.replace(conn, one, moved=moved)
        announce.write(conn, self._controls_of(before, one, moved=moved))
        audit.record(conn, now, actor, "changed", f"device:{id}", given)
        return one

    def _controls_of(self, before: Device, one: Device, *, moved: bool) -> Iterator[Control]:
        if moved:
            yield DevicesControl(before.family, [self._checker.row(replace(before, retired=True))])
        yield DevicesControl(one.family, [self._checker.row(one)])

    @staticmethod
    def _check_parent(conn: Connection, values: Mapping[str, Any]) -> None:
        parent = values["parent"]
        if not parent:
            return
        if not rows.known(conn, [parent]):
            raise _invalid(
                [Fault(0, "parent", f"no device {parent}", "register the parent first, or correct its id")]
            )
        if values["id"] in rows.ancestors(conn, parent):
            problem = f"{parent} stands below {values['id']} already"
            raise _invalid(
                [Fault(0, "parent", problem, "a device cannot stand below itself; move the other one first")]
            )

    async def rotate(self, id: str, actor: str) -> str:  # noqa: A002
        """A new secret; the old one opens nothing from now on."""
        now = self._clock.now()
        word = secret.generate()

        def work(conn: Connection) -> None:
            _find(conn, id)
            conn.execute(
                update(table).where(table.c.id == id).values(digest=secret.digest(word), updated=now)
            )
            audit.record(conn, now, actor, "secret rotated", f"device:{id}")

        await self._store.write(work)
        async with self.announcer.turn:
            await self._read([id])
        return word

    async def import_csv(self, file: IO[bytes], actor: str, *, partial: bool = False) -> Imported:
        """Create the devices of a CSV file: all or none of them, or (`partial`) those whose lines are good."""
        listed = await asyncio.to_thread(roll.read, file, self._checker)
        if listed.faults and not partial:
            await self._store.read(lambda conn: _drop_strangers(conn, listed, spared=listed.refused))
            return Imported(listed.lines, [], _in_order(listed.faults))
        now = self._clock.now()
        created = await self._store.write(lambda conn: self._enrol(conn, listed, actor, now, partial=partial))
        await self.announcer.flush()
        return Imported(listed.lines, created, _in_order(listed.faults))

    def _enrol(
        self, conn: Connection, listed: roll.Roll, actor: str, now: int, *, partial: bool
    ) -> list[Created]:
        _drop_strangers(conn, listed, spared=set())
        if not listed.entrants or (listed.faults and not partial):
            return []
        words = [secret.generate() for _ in listed.entrants]
        devices = _numbered(conn, listed.entrants, now)
        rows.add(conn, devices, [secret.digest(word) for word in words])
        by_family = sorted(devices, key=lambda one: (one.family, one.index))
        announce.write(conn, self._rows(iter(by_family)))
        audit.record(
            conn, now, actor, "imported", "device:*", {"devices": len(devices), "first": devices[0].id}
        )
        return [
            Created(entrant.line, one.id, word)
            for entrant, one, word in zip(listed.entrants, devices, words, strict=True)
        ]


def _numbered(conn: Connection, entrants: Sequence[roll.Entrant], now: int) -> Sequence[Device]:
    following: dict[str, int] = {}
    devices: list[Device] = []
    for entrant in entrants:
        family = entrant.device.family
        index = following[family] if family in following else rows.next_index(conn, family)
        following[family] = index + 1
        devices.append(replace(entrant.device, index=index, created=now, updated=now))
    return devices


def _drop_strangers(conn: Connection, listed: roll.Roll, spared: set[str]) -> None:
    """Drops what does not fit with the devices there are. spared: ids that count as there."""
    ids = {entrant.device.id for entrant in listed.entrants}
    roll.drop_known(listed, rows.known(conn, ids))
    parents = {entrant.device.parent for entrant in listed.entrants} - {""}
    roll.drop_orphans(listed, rows.known(conn, parents) | spared)


def _in_order(faults: list[Fault]) -> list[Fault]:
    return sorted(faults, key=lambda fault: (fault.line, fault.column))


def _find(conn: Connection, id: str) -> Device:  # noqa: A002
    one = rows.find(conn, id)
    if one is None:
        raise NotFound(f"no device {id!r:.80}")
    return one


def _invalid(faults: Sequence[Fault]) -> Invalid:
    return Invalid(
        "; ".join(f"{fault.column}: {fault.problem}" for fault in faults),
        errors=[{"at": fault.column, "problem": fault.problem, "remedy": fault.remedy} for fault in faults],
    )
