"""Who is responsible for a cause at a place: one table, the most specific row wins.

A row that names the cause goes before one that names the family, and that before one that names neither; among equals
the deepest area wins. City, district, street, community, cell: by area path, or by the digits of a grid code.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct, convert, to_builtins
from sqlalchemy import Connection, delete, insert, select

from gateway.cases import grid as codes
from gateway.cases.record import plain
from gateway.errors import Invalid
from gateway.store import audit
from gateway.store.schema.dispatch import responsibility as table

COLUMNS: Final = ("area", "family", "cause", "department", "crew")
LONGEST: Final = {"area": 256, "family": 32, "cause": 64, "department": 64, "crew": 64}
ANY: Final = ("", "*")


class Duty(Struct, frozen=True):
    """Who is responsible. Empty area, family or cause: any. Empty crew: the nearest free crew of the department that is on duty."""

    area: str
    family: str
    cause: str
    department: str
    crew: str = ""


class Place(Struct, frozen=True):
    area: str
    grid: str
    family: str
    cause: str


def find(conn: Connection, place: Place) -> Duty | None:
    """Who is responsible; None where the table says nothing."""
    c = table.c
    rows = conn.execute(
        select(*(c[name] for name in COLUMNS)).where(
            c.area.in_(["", *_above(place.area), *codes.above(place.grid)]),
            c.family.in_(["", place.family]),
            c.cause.in_(["", place.cause]),
        )
    )
    return max(convert(plain(rows), list[Duty]), key=_rank, default=None)


def listing(conn: Connection) -> list[Duty]:
    """The whole table in order."""
    c = table.c
    query = select(*(c[name] for name in COLUMNS)).order_by(c.area, c.family, c.cause)
    return convert(plain(conn.execute(query)), list[Duty])


def replace(conn: Connection, duties: Sequence[Duty], actor: str, now: int) -> None:
    """These rows are the table from now on; raises Invalid with every fault."""
    faults = [fault for line, duty in enumerate(duties, 1) for fault in _faults(line, duty)]
    seen: dict[tuple[str, str, str], int] = {}
    for line, duty in enumerate(duties, 1):
        first = seen.setdefault((duty.area, duty.family, duty.cause), line)
        if first != line:
            faults.append({"at": f"row {line}", "problem": f"says for the same as row {first} again"})
    if faults:
        raise Invalid(f"{len(faults)} faults; nothing was changed", errors=faults)
    before = len(listing(conn))
    conn.execute(delete(table))
    if duties:
        conn.execute(insert(table), [to_builtins(duty) for duty in duties])
    audit.record(conn, now, actor, "replaced", "responsibility", {"rows": len(duties), "before": before})


def read_csv(text: str) -> list[Duty]:
    """Rows of a CSV with a heading; "*" and nothing mean any. Raises Invalid."""
    reader = csv.DictReader(text.lstrip("\ufeff").splitlines())
    names = [name.strip() for name in reader.fieldnames or ()]
    if missing := {"department"} - set(names) or set(names) - set(COLUMNS):
        known = ",".join(COLUMNS)
        raise Invalid(f"the heading must be of {known} and name a department; see {min(missing)!r}")
    reader.fieldnames = names
    return [_duty(row) for row in reader]


def _duty(row: dict[str, Any]) -> Duty:
    given = {name: str(row.get(name) or "").strip() for name in COLUMNS}
    return Duty(**{name: "" if value == "*" else value for name, value in given.items()})


def _faults(line: int, duty: Duty) -> Iterable[dict[str, str]]:
    for name, longest in LONGEST.items():
        if len(getattr(duty, name)) > longest:
            yield {"at": f"row {line}.{name}", "problem": f"longer than {longest} characters"}
    if not duty.department:
        yield {"at": f"row {line}.department", "problem": "names nobody"}
    if duty.area.isdigit() and len(duty.area) not in codes.LEVELS:
        levels = ", ".join(map(str, codes.LEVELS))
        yield {"at": f"row {line}.area", "problem": f"a grid code has {levels} digits, by its level"}


def _above(path: str) -> list[str]:
    parts = path.split("/") if path else []
    return ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def _rank(duty: Duty) -> tuple[bool, bool, int, str]:
    if duty.area.isdigit() and len(duty.area) in codes.LEVELS:
        depth = codes.LEVELS.index(len(duty.area)) + 1
    else:
        depth = len(duty.area.split("/")) if duty.area else 0
    return duty.cause != "", duty.family != "", depth, duty.area
