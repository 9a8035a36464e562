"""The devices of the city: the only writer of their rows and of the directory.

A change is committed, then announced to history, and only then known to the directory (design 4).
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import IO, Any, Final

from msgspec import Struct
from msgspec.structs import asdict, replace
from sqlalchemy import Connection, select, update

from drivers.products.product import Product
from gateway.clock import Clock
from gateway.errors import Conflict, Invalid, NotFound, StoreError, Unavailable
from gateway.registry import announce, roll, rotation, rows, secret
from gateway.registry.announce import Announce, Announcer
from gateway.registry.device import EMPTY, Checker, Device, Fault
from gateway.registry.directory import DEVICE, Directory
from gateway.registry.roles import Areas
from gateway.registry.rotation import Rotation
from gateway.store import audit
from gateway.store.schema.registry import device as table
from gateway.store.store import Store
from rules.control import Control, DeviceRow
from rules.control import Devices as DevicesControl

PORTION: Final = 5_000  # directory entries put without a pause
SLICE: Final = 5_000  # devices of an import in one transaction


def _never() -> None:
    """History can always be written."""


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
        stalled: Callable[[], str | None] = _never,
    ) -> None:
        """stalled: why history cannot be written at the moment."""
        self._store = store
        self._clock = clock
        self._checker = Checker(products)
        self._directory = directory
        self.announcer = Announcer(store, announce, self._learn, stalled)

    async def load(self) -> None:
        """At the start: fill the directory. No door is open before what a crash left unannounced is flushed."""
        await self._store.read(self._fill)

    def _fill(self, conn: Connection) -> None:
        self._directory.load(rows.every_portion(conn))
        self._directory.put_former(rows.former_entries(conn))
        self._directory.rotations.put(rotation.under_way(conn, self._clock.now()))

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

    async def counts(self, areas: Areas) -> dict[str, int]:
        """Devices in service by family, of these areas only."""
        return await self._store.read(lambda conn: rows.counts(conn, areas))

    async def listing(self, selection: rows.Selection, after: str, limit: int) -> list[Device]:
        return await self._store.read(lambda conn: rows.listing(conn, selection, after, limit))

    async def create(self, form: Mapping[str, object], actor: str) -> tuple[Device, str]:
        """The device and its secret. Raises Invalid with every fault, Conflict where the id is taken."""
        values, faults = self._checker.check(form)
        values = {**EMPTY, **values}
        faults += self._checker.complete(values) if not faults else []
        if faults:
            raise _invalid(faults)
        self.announcer.check()
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
        with suppress(Unavailable):  # history hears of it before it is heard; its secret is shown this once
            await self.announcer.flush()
        return one, word

    async def change(self, id: str, form: Mapping[str, object], actor: str) -> Device:  # noqa: A002
        """The device with these fields replaced. A product of another family gives it a new index there."""
        given, faults = self._checker.check(form)
        if faults:
            raise _invalid(faults)
        self.announcer.check()
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

    async def rotate(self, id: str, actor: str, overlap: int = 0) -> str:  # noqa: A002
        """A new secret; the former one opens for `overlap` µs more, or nothing from now on."""
        now, rotations = self._clock.now(), self._directory.rotations
        word = secret.generate()

        def work(conn: Connection) -> Rotation | None:
            _find(conn, id)
            here = table.c.id == id
            former = rotations.kept(id, conn.execute(select(table.c.digest).where(here)).scalar_one())
            changed = rotation.columns(word, former if overlap else None, now + overlap)
            conn.execute(update(table).where(here).values(**changed, updated=now))
            audit.record(conn, now, actor, "secret rotated", f"device:{id}", {"overlap": overlap})
            return Rotation(DEVICE, id, former, now + overlap) if overlap else None

        rotations.replace(id, await self._store.write(work))
        async with self.announcer.turn:
            await self._read([id])
        return word

    async def import_csv(self, file: IO[bytes], actor: str, *, partial: bool = False) -> Imported:
        """Create the devices of a CSV file: all or none of them, or (`partial`) those whose lines are good."""
        self.announcer.check()
        listed = await asyncio.to_thread(roll.read, file, self._checker)
        spared = listed.refused if listed.faults and not partial else set[str]()
        await self._store.read(lambda conn: _drop_strangers(conn, listed, spared))
        created: list[Created] = []
        if partial or not listed.faults:
            await self._enrol_all(listed, created, actor)
            with suppress(
                Unavailable, StoreError
            ):  # it is pending then; the secrets would be lost with an error
                await self.announcer.flush()
        return Imported(listed.lines, created, _in_order(listed.faults))

    async def _enrol_all(self, listed: roll.Roll, created: list[Created], actor: str) -> None:
        """In slices, each whole, so that nobody else waits for the writer long; `created` holds what is done."""
        now, entrants = self._clock.now(), listed.entrants
        for start in range(0, len(entrants), SLICE):
            some = entrants[start : start + SLICE]
            try:
                enrol = functools.partial(self._enrol, listed=listed, some=some, actor=actor, now=now)
                created += await self._store.write(enrol)
            except StoreError as error:
                if not created:
                    raise
                remedy = "import this line and those after it again"
                listed.faults.append(Fault(some[0].line, "", f"not written: {error}", remedy))
                return

    def _enrol(
        self, conn: Connection, listed: roll.Roll, some: Sequence[roll.Entrant], actor: str, now: int
    ) -> list[Created]:
        """Those of whom somebody else has registered one meanwhile become faults."""
        twins = rows.known(conn, [entrant.device.id for entrant in some])
        listed.faults += [roll.registered(one) for one in some if one.device.id in twins]
        some = [one for one in some if one.device.id not in twins]
        if not some:
            return []
        words = [secret.generate() for _ in some]
        devices = _numbered(conn, some, now)
        rows.add(conn, devices, [secret.digest(word) for word in words])
        by_family = sorted(devices, key=lambda one: (one.family, one.index))
        announce.write(conn, self._rows(iter(by_family)))
        audit.record(
            conn, now, actor, "imported", "device:*", {"devices": len(devices), "first": devices[0].id}
        )
        return [
            Created(entrant.line, one.id, word)
            for entrant, one, word in zip(some, devices, words, strict=True)
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
