"""A data folder out of a backup: built aside, checked, then put in place. Nothing that is there is ever replaced.

The gateway that starts on it replays the ticks between snapshot and history, as after a kill.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

import duckdb
from msgspec import Struct
from sqlalchemy import Connection

from drivers.families import FAMILIES
from drivers.products.product import Product
from gateway.backup import bundle, inventory, operations, readings
from gateway.backup.forward import Forwarded, bring
from gateway.backup.inventory import File, Inventory
from gateway.clock import Clock
from gateway.errors import Conflict, Invalid, StoreError
from gateway.history import snapshot, tables
from gateway.history.duck import History
from gateway.history.settings import HistorySettings
from gateway.history.verify import verify
from gateway.store.store import Store

BUILDING: Final = "restoring"  # the folder inside the target where it is built
RAW: Final = "backup"  # and in it what becomes part of databases


class Restored(Struct, frozen=True):
    """What was put in place. checked: what was looked at once more, with its count; () where nothing was asked."""

    contents: Inventory
    forwarded: Forwarded
    checked: tuple[tuple[str, int], ...]


class Wish(Struct, frozen=True):
    """target: the data folder to be. url: an empty database that gets operations; "" = a file in the folder."""

    source: Path
    target: Path
    url: str = ""
    check: bool = False


async def restore(
    wish: Wish, products: Mapping[str, Product], settings: HistorySettings, clock: Clock
) -> Restored:
    """Raises Invalid, Conflict where source or target cannot be used, StoreError with every fault found."""
    _refuse(wish)
    building = wish.target / BUILDING
    try:
        contents = await asyncio.to_thread(_unpack, wish.source, building)
        await asyncio.to_thread(_rebuild, contents, building)
        forwarded, faults = await _operations(contents, building, wish, products, clock.now())
        checked: tuple[tuple[str, int], ...] = ()
        if wish.check:
            checked, found = await asyncio.to_thread(_check, contents, building, settings, clock)
            faults += found
        if faults:
            raise StoreError("\n".join([f"{wish.source}: not restored:", *faults]))
        await asyncio.to_thread(_put_in_place, building, wish.target)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return Restored(contents, forwarded, checked)


def _refuse(wish: Wish) -> None:
    if not wish.source.exists():
        raise Invalid(f"{wish.source}: there is no such backup")
    if wish.source.is_dir() and not (wish.source / inventory.NAME).is_file():
        raise Invalid(f"{wish.source}: has no {inventory.NAME}: not a backup, or one that was not finished")
    shutil.rmtree(wish.target / BUILDING, ignore_errors=True)  # what a killed restore left
    if wish.target.exists() and (not wish.target.is_dir() or any(wish.target.iterdir())):
        raise Conflict(f"{wish.target}: is not an empty folder; restore into a new one")
    wish.target.mkdir(mode=0o700, parents=True, exist_ok=True)


def _unpack(source: Path, building: Path) -> Inventory:
    """Every file to its place, and every checksum as it should be."""
    found = {file.name: file for file in bundle.unpacked(source, partial(_place, building))}
    listed = building / RAW / inventory.NAME
    if not listed.exists():
        raise StoreError(f"{source}: has no {inventory.NAME}: the backup was not finished")
    contents = inventory.decode(listed.read_bytes())
    faults = [fault for file in contents.files if (fault := _fault(file, found.get(file.name)))]
    if faults:
        raise StoreError("\n".join([f"{source}: damaged:", *faults]))
    return contents


def _place(building: Path, name: str) -> Path:
    """Raises StoreError for a name that leads elsewhere."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise StoreError(f"{name!r}: not the name of a file in a backup")
    for folder, into in (
        (inventory.PARTS, "history"),
        (inventory.SNAPSHOTS, "snapshots"),
        (inventory.PHOTOS, "photos"),
        (inventory.DATA, ""),
    ):
        if path.is_relative_to(folder):
            return building / into / path.relative_to(folder)
    return building / RAW / path


def _fault(wanted: File, found: File | None) -> str:
    if found is None:
        return f"{wanted.name}: missing"
    if found.bytes != wanted.bytes:
        return f"{wanted.name}: {found.bytes} bytes instead of {wanted.bytes}"
    return "" if found.sha256 == wanted.sha256 else f"{wanted.name}: checksum does not match"


def _rebuild(contents: Inventory, building: Path) -> None:
    raw = building / RAW
    unknown = {*contents.rows, *(part.family for part in contents.parts)} - FAMILIES.keys()
    if unknown:
        raise StoreError(f"families that this version does not know: {', '.join(sorted(unknown))}")
    controls = sorted((raw / inventory.CONTROLS).glob("*.parquet"))
    slices: dict[str, dict[str, Path]] = {}
    for path in sorted((raw / inventory.HOT).glob("*/*.parquet")):
        slices.setdefault(path.stem, {})[path.parent.name] = path
    ordered = [slices[number] for number in sorted(slices)]
    try:
        readings.rebuild(building / "history", FAMILIES, contents.parts, controls, ordered)
    except duckdb.Error as error:
        raise StoreError(f"history cannot be rebuilt: {error}") from error


async def _operations(
    contents: Inventory, building: Path, wish: Wish, products: Mapping[str, Product], now: int
) -> tuple[Forwarded, list[str]]:
    """(what history brought, faults). Where a database of its own is meant for them, its file is left behind."""
    file = building / inventory.OPERATIONS
    (building / RAW / inventory.OPERATIONS).replace(file)
    log = await asyncio.to_thread(_log, building / "history", contents.ticks.operations)
    async with Store(f"sqlite:///{file.absolute()}") as store:
        faults = [f"operations: {fault}" for fault in await store.read(operations.faults)]
        counted = await store.read(operations.counts)
        faults += [
            f"operations: {counted.get(name, 0)} rows of {name} instead of {rows}"
            for name, rows in contents.tables.items()
            if counted.get(name, 0) != rows
        ]
        await store.migrate()
        forwarded = await store.write(lambda conn: bring(conn, log, products, max(now, contents.time)))
    if wish.url and not faults:
        await _hand_over(file, wish.url)
        file.unlink()
    return forwarded, faults


async def _hand_over(file: Path, url: str) -> None:
    def fill(conn: Connection) -> None:
        if not operations.is_empty(conn):
            raise Conflict("[operations] url: that database has tables already; restore into an empty one")

    def move(conn: Connection) -> None:
        with operations.file(file) as source:
            operations.transfer(source, conn)

    async with Store(url) as store:
        await store.write(fill)
        await store.migrate()
        await store.write(move)


def _log(folder: Path, after: int) -> list[str]:
    with duckdb.connect(":memory:") as con:
        con.execute(f"ATTACH '{folder / 'history.duckdb'}' AS {tables.CATALOG} (READ_ONLY)")
        said = tables.committed_controls(con, after, 2**62)
        con.execute(f"DETACH {tables.CATALOG}")
    return [text for texts in said.values() for text in texts]


def _check(
    contents: Inventory, building: Path, settings: HistorySettings, clock: Clock
) -> tuple[tuple[tuple[str, int], ...], list[str]]:
    """(what was looked at, faults): the rebuilt stores say what the inventory says, part by part and hour by hour."""
    faults: list[str] = []
    with History(building / "history", FAMILIES, settings, clock) as history:
        if history.last_tick() != contents.ticks.history:
            faults.append(f"history ends at tick {history.last_tick()} instead of {contents.ticks.history}")
        for part in contents.parts:
            verdict = verify(history, part)
            if verdict is None or verdict.fault:
                faults.append(f"{part.name}: {verdict.fault if verdict else 'not listed'}")
        with history.cursor() as con:
            counted = readings.counted(con, FAMILIES, history.shelf)
    faults += _differences(contents.rows, counted)
    saved = snapshot.load(building / "snapshots")
    if contents.ticks.snapshot and (saved is None or saved.tick != contents.ticks.snapshot):
        faults.append(f"snapshots: none that is whole names tick {contents.ticks.snapshot}")
    hours = sum(len(each) for each in counted.values())
    rows = sum(sum(each.values()) for each in counted.values())
    looked = {"files": len(contents.files), "parts": len(contents.parts), "hours": hours, "readings": rows}
    return tuple(looked.items()), faults


def _differences(wanted: Mapping[str, readings.Hours], found: Mapping[str, readings.Hours]) -> list[str]:
    return [
        f"{family}, hour {hour}: {found.get(family, {}).get(hour, 0)} rows instead of {wanted.get(family, {}).get(hour, 0)}"
        for family in sorted({*wanted, *found})
        for hour in sorted({*wanted.get(family, {}), *found.get(family, {})})
        if found.get(family, {}).get(hour, 0) != wanted.get(family, {}).get(hour, 0)
    ]


def _put_in_place(building: Path, target: Path) -> None:
    """Operations come last: without them no gateway takes the folder for a city's."""
    shutil.rmtree(building / RAW)
    names: Sequence[str] = sorted(path.name for path in building.iterdir())
    for name in sorted(names, key=lambda name: name == inventory.OPERATIONS):
        (building / name).replace(target / name)
    bundle.synced(target)
