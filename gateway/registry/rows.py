"""Devices in SQL: an index is given in the transaction that writes the device, dense in its family, and never again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, astuple
from sqlalchemy import ColumnElement, Connection, Select, func, insert, or_, select, true, update

from gateway.registry.device import Device
from gateway.registry.members import Entry, Portion
from gateway.registry.roles import Areas
from gateway.store.bulk import bulk, stream
from gateway.store.schema.registry import device, device_index

PORTION: Final = 500  # names in one IN (…), below every database's limit
FETCH: Final = 10_000  # rows fetched at once where all are read

_FIELDS: Final = [device.c["idx" if name == "index" else name] for name in Device.__struct_fields__]
_ENTRY: Final = [
    device.c[name] for name in ("id", "family", "idx", "product", "area", "retired", "digest", "link")
]
_TRAIT: Final = device.c.product + "\n" + device.c.area + "\n" + device.c.link  # no text holds a line's end
_PORTION: Final = [device.c.family, device.c.id, device.c.idx, _TRAIT, device.c.retired, device.c.digest]
_FAMILY: Final = itemgetter(0)


class Selection(Struct, frozen=True):
    """Which devices to list; what is None does not matter. area: this path and all below it. text: begins id or name.

    areas: that the caller is limited to; () = the whole city.
    """

    family: str | None = None
    product: str | None = None
    area: str | None = None
    parent: str | None = None
    text: str | None = None
    retired: bool | None = None
    areas: Areas = ()

    def narrow(self, query: Select[Any]) -> Select[Any]:
        equal = {
            "family": self.family,
            "product": self.product,
            "parent": self.parent,
            "retired": self.retired,
        }
        query = query.where(*(device.c[name] == value for name, value in equal.items() if value is not None))
        if self.area:
            query = query.where(below(device.c.area, self.area))
        query = query.where(within(device.c.area, self.areas))
        if self.text:
            query = query.where(
                or_(
                    device.c.id.startswith(self.text, autoescape=True),
                    device.c.name.startswith(self.text, autoescape=True),
                )
            )
        return query


def below(column: ColumnElement[str], area: str) -> ColumnElement[bool]:
    """The area itself and all inside it."""
    return or_(column == area, column.startswith(f"{area}/", autoescape=True))


def within(column: ColumnElement[str], areas: Areas) -> ColumnElement[bool]:
    """What a caller who is limited to these areas may see; () = all."""
    return or_(*(below(column, area) for area in areas)) if areas else true()


def portions(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + PORTION] for start in range(0, len(names), PORTION))


def find(conn: Connection, id: str) -> Device | None:  # noqa: A002 - the field's word
    row = conn.execute(select(*_FIELDS).where(device.c.id == id)).one_or_none()
    return Device(*row) if row else None


def listing(conn: Connection, selection: Selection, after: str, limit: int) -> list[Device]:
    """Devices in order of id, from the first after `after`."""
    query = selection.narrow(select(*_FIELDS)).where(device.c.id > after).order_by(device.c.id).limit(limit)
    return [Device(*row) for row in conn.execute(query)]


def counts(conn: Connection, areas: Areas) -> dict[str, int]:
    """Devices in service by family, of these areas only."""
    c = device.c
    query = select(c.family, func.count()).where(c.retired.is_(False), within(c.area, areas))
    return {family: n for family, n in conn.execute(query.group_by(c.family))}  # noqa: C416 - rows are not pairs to mypy


def known(conn: Connection, ids: Collection[str]) -> set[str]:
    """Which of these ids have a device."""
    found: set[str] = set()
    for portion in portions(list(ids)):
        found.update(conn.scalars(select(device.c.id).where(device.c.id.in_(portion))))
    return found


def ancestors(conn: Connection, id: str) -> Iterator[str]:  # noqa: A002
    """Its parent, that one's parent, and so on."""
    parent: str | None = id
    while parent := conn.scalar(select(device.c.parent).where(device.c.id == parent)):
        yield parent


def entries(conn: Connection, ids: Sequence[str]) -> list[Entry]:
    rows: list[Entry] = []
    for portion in portions(ids):
        rows.extend(Entry(*row) for row in conn.execute(select(*_ENTRY).where(device.c.id.in_(portion))))
    return rows


def every_portion(conn: Connection) -> Iterator[Portion]:
    """All devices there are, streamed as columns."""
    for rows in stream(conn, select(*_PORTION)):
        for family, mine in groupby(sorted(rows, key=_FAMILY), key=_FAMILY):
            _, *columns = zip(*mine, strict=True)
            yield Portion(family, *columns)


def former_entries(conn: Connection) -> list[Entry]:
    """Indexes that devices held in families they have left: few, and only where more were given than are in use."""
    given = select(device_index.c.family, func.count()).group_by(device_index.c.family)
    used = select(device.c.family, func.count()).group_by(device.c.family)
    in_use = {family: n for family, n in conn.execute(used)}  # noqa: C416 - rows are not pairs to mypy
    left = [family for family, n in conn.execute(given) if n > in_use.get(family, 0)]
    if not left:
        return []
    moved = or_(device.c.family != device_index.c.family, device.c.idx != device_index.c.idx)
    query = select(device_index, device.c.product, device.c.area).join(device)
    query = query.where(device_index.c.family.in_(left), moved)
    return [
        Entry(row.device, row.family, row.idx, row.product, row.area, retired=True, digest=b"")
        for row in conn.execute(query)
    ]


def every_device(conn: Connection) -> Iterator[Device]:
    result = conn.execution_options(yield_per=FETCH).execute(
        select(*_FIELDS).order_by(device.c.family, device.c.idx)
    )
    return (Device(*row) for row in result)


def next_index(conn: Connection, family: str) -> int:
    """The first index that no device of this family has ever had."""
    newest = conn.scalar(select(func.max(device_index.c.idx)).where(device_index.c.family == family))
    return 0 if newest is None else newest + 1


def add(conn: Connection, devices: Sequence[Device], digests: Sequence[bytes]) -> None:
    """Write new devices; they have their indexes already."""
    bulk(
        conn,
        device,
        ("digest", *(column.name for column in _FIELDS)),
        (
            (digest, *(_stored(value) for value in astuple(one)))
            for one, digest in zip(devices, digests, strict=True)
        ),
    )
    indexes = ((one.family, one.index, one.id) for one in devices)
    bulk(conn, device_index, ("family", "idx", "device"), indexes)


def _stored(value: Any) -> Any:
    return msgspec.json.encode(value).decode() if isinstance(value, dict) else value


def replace(conn: Connection, changed: Device, *, moved: bool) -> None:
    """Write all fields of a known device; `moved` = its index is a new one."""
    conn.execute(update(device).where(device.c.id == changed.id).values(_columns(changed)))
    if moved:
        conn.execute(insert(device_index).values(family=changed.family, idx=changed.index, device=changed.id))


def _columns(one: Device) -> dict[str, Any]:
    columns = asdict(one)
    columns["idx"] = columns.pop("index")
    return columns
