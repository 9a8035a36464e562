"""One table for the hot rows of all families: a commit pays for each table that it touches, so it touches one.

A family has a code and each of its points a slot, for ever: its value is in p<slot>, its quality a byte of the word
q<slot // 8>, since eight columns would cost eight times as much. A view for each family reads as a table of its own.
Rows stand in order of commit, so a tick's are together and the oldest come first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import duckdb
import numpy as np

from drivers.telemetry import Batch, Family, Quality
from gateway.history.tables import CATALOG, FIXED, columns, table

if TYPE_CHECKING:
    import numpy.typing as npt

    from drivers.telemetry import Int64

TABLE: Final = f"{CATALOG}.main.hot"
SLOTS: Final = f"{CATALOG}.main.slot"
WORD: Final = 8  # qualities of a word
NOTHING: Final = 2**64 - 1  # a word of points that no row carries
OWN: Final = ("device", "time", "received", "kind", "flags")  # columns of a Batch, in order


class Place(NamedTuple):
    """Where a family stands in the table: the slot of each of its points, in their order."""

    family: Family
    code: int
    slots: npt.NDArray[np.intp]


class Layout(NamedTuple):
    """Families by name; width: slots of the table."""

    places: dict[str, Place]
    width: int

    @property
    def words(self) -> int:
        return -(-self.width // WORD)

    @property
    def known(self) -> str:
        """The condition that a row is of one of these families, and not of one that this version lacks."""
        return f"family IN ({', '.join(str(place.code) for place in self.places.values())})"


def ensure(con: duckdb.DuckDBPyConnection, families: Iterable[Family]) -> Layout:
    """Make what is missing, in one transaction; a table that a family had for itself is moved over.

    Raises ValueError where two points of a family would share a column. Writes nothing where nothing is missing.
    """
    given = list(families)
    for family in given:
        columns(family)
    con.execute(
        f"CREATE TABLE IF NOT EXISTS {SLOTS} (family VARCHAR, code UTINYINT, point VARCHAR, slot UTINYINT)"
    )
    known = con.execute(f"SELECT family, code, point, slot FROM {SLOTS}").fetchall()  # noqa: S608
    layout, new = _laid_out(given, known)
    if new:
        con.begin()
        try:
            _build(con, layout, new)
            con.commit()
        except BaseException:
            con.rollback()
            raise
    return layout


def _laid_out(
    families: Sequence[Family], known: Sequence[tuple[str, int, str, int]]
) -> tuple[Layout, list[tuple[str, int, str, int]]]:
    """(the layout, its rows that are not known). A new point takes the first slot that is free in its family."""
    codes = {name: code for name, code, _, _ in known}
    taken: dict[str, dict[str, int]] = {}
    for name, _, point, slot in known:
        taken.setdefault(name, {})[point] = slot
    new, places = [], {}
    for family in families:
        code = codes.setdefault(family.name, len(codes))
        slots = taken.setdefault(family.name, {})
        free = iter(sorted(set(range(len(slots) + len(family))) - set(slots.values())))
        for name in [point.name for point in family.points if point.name not in slots]:
            slots[name] = next(free)
            new.append((family.name, code, name, slots[name]))
        mine = np.array([slots[point.name] for point in family.points], np.intp)
        places[family.name] = Place(family, code, mine)
    width = 1 + max((slot for slots in taken.values() for slot in slots.values()), default=0)
    return Layout(places, width), new


def _build(con: duckdb.DuckDBPyConnection, layout: Layout, new: Sequence[tuple[str, int, str, int]]) -> None:
    fixed = [f"{name} {kind}" for name, kind in _fixed().items()]
    con.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} ({', '.join(fixed)})")
    found = {row[0] for row in con.execute(f"DESCRIBE {TABLE}").fetchall()}
    for name, kind in _carried(layout).items():
        if name not in found:
            con.execute(f"ALTER TABLE {TABLE} ADD COLUMN {name} {kind}")
    con.executemany(f"INSERT INTO {SLOTS} VALUES (?, ?, ?, ?)", list(new))  # noqa: S608
    former = {name: _former(con, layout.places[name].family) for name in {row[0] for row in new}}
    sources = {name: query for name, query in former.items() if query}
    fill(con, layout, sources)
    for name in sources:
        con.execute(f"DROP TABLE {table(layout.places[name].family)}")
    for name in former:
        place = layout.places[name]
        con.execute(f"CREATE OR REPLACE VIEW {table(place.family)} AS {_view(place)}")


def _fixed() -> dict[str, str]:
    return {"family": "UTINYINT", **FIXED}


def _carried(layout: Layout) -> dict[str, str]:
    values = {f"p{slot}": "DOUBLE" for slot in range(layout.width)}
    return values | {f"q{word}": f"UBIGINT DEFAULT {NOTHING}" for word in range(layout.words)}


def _view(place: Place) -> str:
    points = []
    for point, slot in zip(place.family.points, place.slots.tolist(), strict=True):
        quality = f"((q{slot // WORD} >> {slot % WORD * 8}) & 255)::UTINYINT"
        points.append(f'p{slot} AS "{point.name}", {quality} AS "{point.name}_q"')
    return f"SELECT {', '.join([*FIXED, *points])} FROM {TABLE} WHERE family = {place.code}"  # noqa: S608


def _former(con: duckdb.DuckDBPyConnection, family: Family) -> str:
    """A query, for `fill`, of the table that the family had for itself; "" where it had none."""
    found = "SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND table_name = ?"
    if not con.execute(found, [CATALOG, family.name]).fetchall():
        return ""
    return f"SELECT *, rowid AS place FROM {table(family)}"  # noqa: S608


def fill(con: duckdb.DuckDBPyConnection, layout: Layout, sources: Mapping[str, str]) -> None:
    """Append rows of queries, by family: columns of its view, and `place`, in whose order a tick's rows were committed.

    A point that a query has no columns for is carried by none of its rows.
    """
    if not sources:
        return
    names = ", ".join([*_fixed(), *_carried(layout)])
    rows = " UNION ALL ".join(_raw(con, layout, name, query) for name, query in sources.items())
    con.execute(
        f"INSERT INTO {TABLE} ({names}) SELECT {names} FROM ({rows}) ORDER BY tick, family, place"  # noqa: S608
    )


def _raw(con: duckdb.DuckDBPyConnection, layout: Layout, name: str, query: str) -> str:
    """Rows of a family's view as they stand in the table."""
    place = layout.places[name]
    there = {row[0] for row in con.execute(f"DESCRIBE {query}").fetchall()}
    points = [point.name for point in place.family.points]
    at = {slot: point for slot, point in zip(place.slots.tolist(), points, strict=True) if point in there}
    values = [
        f'"{at[slot]}" AS p{slot}' if slot in at else f"NULL AS p{slot}" for slot in range(layout.width)
    ]
    words = []
    for word in range(layout.words):
        qualities = [at.get(word * WORD + byte) for byte in range(WORD)]
        bits = [
            f"""({f'"{point}_q"' if point else int(Quality.ABSENT)}::UBIGINT << {8 * byte})"""
            for byte, point in enumerate(qualities)
        ]
        words.append(f"{' | '.join(bits)} AS q{word}")
    own = ", ".join([f"{place.code} AS family", *FIXED, *values, *words, "place"])
    return f"SELECT {own} FROM ({query})"  # noqa: S608


def insert(con: duckdb.DuckDBPyConnection, layout: Layout, tick: int, batches: Sequence[Batch]) -> None:
    """Append the rows of a tick in their order. Points that none of them carries are left to the columns' defaults."""
    sizes = [len(batch) for batch in batches]
    places = [layout.places[batch.family.name] for batch in batches]
    carried = [np.flatnonzero(batch.present().any(axis=1)) for batch in batches]
    used = np.unique(
        np.concatenate([place.slots[points] for place, points in zip(places, carried, strict=True)])
    )
    values = np.full((len(used), sum(sizes)), np.nan)
    quality = np.full((sum(sizes), layout.words * WORD), Quality.ABSENT, np.uint8)
    end = 0
    for batch, place, points in zip(batches, places, carried, strict=True):
        start, end = end, end + len(batch)
        slots = place.slots[points]
        values[np.searchsorted(used, slots), start:end] = batch.values[points]
        quality[start:end, slots] = batch.quality[points].T
    words = quality.view("<u8")
    rows: dict[str, Any] = {
        "family": np.repeat(np.array([place.code for place in places], np.uint8), sizes),
        **{name: np.concatenate([getattr(batch, name) for batch in batches]) for name in OWN},
        **{f"p{slot}": column for slot, column in zip(used.tolist(), values, strict=True)},
        **{f"q{word}": words[:, word].copy() for word in np.unique(used // WORD).tolist()},
    }
    names = ", ".join(rows)
    # DuckDB finds the dict `rows` by its name
    con.execute(f"INSERT INTO {TABLE} (tick, {names}) SELECT {tick:d}, {names} FROM rows")  # noqa: S608


def committed(
    con: duckdb.DuckDBPyConnection, layout: Layout, after: int, until: int
) -> dict[str, tuple[Int64, Batch]]:
    """By family: (tick of each row, rows) of after < tick ≤ until, in order of commit."""
    values = [f"coalesce(p{slot}, 'nan'::DOUBLE) AS p{slot}" for slot in range(layout.width)]
    words = [f"q{word}" for word in range(layout.words)]
    found = con.execute(
        f"SELECT {', '.join([*_fixed(), *values, *words])} FROM {TABLE} "  # noqa: S608
        f"WHERE tick > {after:d} AND tick <= {until:d}"
    ).fetchnumpy()
    quality = np.stack([found[word] for word in words], axis=1).view(np.uint8)
    return {name: _of(place, found, quality) for name, place in layout.places.items()}


def _of(place: Place, found: dict[str, Any], quality: npt.NDArray[np.uint8]) -> tuple[Int64, Batch]:
    rows = np.flatnonzero(found["family"] == place.code)
    batch = Batch.empty(place.family, len(rows))
    for name in OWN:
        setattr(batch, name, found[name][rows])
    for point, slot in enumerate(place.slots.tolist()):
        batch.values[point] = found[f"p{slot}"][rows]
        batch.quality[point] = quality[rows, slot]
    return found["tick"][rows], batch


def delete(con: duckdb.DuckDBPyConnection, layout: Layout, until: int, before: int) -> None:
    """Rows of tick ≤ until and time < before are hot no longer."""
    con.execute(f"DELETE FROM {TABLE} WHERE tick <= {until:d} AND time < {before:d} AND {layout.known}")  # noqa: S608


def newest(con: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """(newest tick, newest receive time); zeros where the table is empty."""
    query = f"SELECT coalesce(max(tick), 0), coalesce(max(received), 0) FROM {TABLE}"  # noqa: S608
    tick, received = con.execute(query).fetchall()[0]
    return tick, received
