"""CSV of devices: every faulty line is reported with its number, column and remedy; nothing is guessed.

Header: id, product and any of the other fields; `attr.<name>` columns are attributes.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Iterator, Mapping
from io import TextIOWrapper
from typing import IO, Any, Final

from msgspec import Struct, field

from gateway.registry.device import ATTRIBUTE, EMPTY, FIELDS, Checker, Device, Fault

LINES: Final = 250_000
PREFIX: Final = "attr."
COLUMNS: Final = tuple(name for name in FIELDS if name != "attributes")
REQUIRED: Final = ("id", "product")
ENCODINGS: Final = ("utf-8-sig", "gb18030")  # spreadsheets in China save the second


class Entrant(Struct, frozen=True, gc=False):
    """One good line: a device without an index yet."""

    line: int
    device: Device


class Roll(Struct):
    """What a file says. lines: data lines read. refused: ids that stand on faulty lines."""

    lines: int = 0
    refused: set[str] = field(default_factory=set)
    entrants: list[Entrant] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def drop(self, wrong: Callable[[Entrant], Fault | None]) -> None:
        """Turn entrants that prove wrong into faults."""
        kept: list[Entrant] = []
        for entrant in self.entrants:
            fault = wrong(entrant)
            if fault is None:
                kept.append(entrant)
            else:
                self.faults.append(fault)
        self.entrants = kept


def read(file: IO[bytes], checker: Checker) -> Roll:
    """Read and check all lines on their own and against each other."""
    roll = Roll()
    encoding = _encoding(file)
    if encoding is None:
        roll.faults.append(Fault(1, "", "the file is neither UTF-8 nor GB 18030", "save it as CSV UTF-8"))
        return roll
    file.seek(0)
    text = TextIOWrapper(file, encoding=encoding, newline="")
    try:
        _read(text, checker, roll)
    finally:
        text.detach()
    _drop_twins(roll)
    _drop_circles(roll)
    return roll


def _encoding(file: IO[bytes]) -> str | None:
    for encoding in ENCODINGS:
        file.seek(0)
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            while chunk := file.read(1 << 20):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return encoding
    return None


def _read(text: TextIOWrapper, checker: Checker, roll: Roll) -> None:
    reader = csv.reader(text, strict=True)
    records = _records(reader, roll)
    header = [name.strip() for name in next(records, (1, []))[1]]
    roll.faults.extend(_header_faults(header))
    if roll.faults:
        return
    for line, cells in records:
        roll.lines += 1
        if roll.lines > LINES:
            roll.faults.append(Fault(line, "", f"more than {LINES} lines", "import the rest in another call"))
            return
        if len(cells) != len(header):
            problem = f"{len(cells)} cells where the header has {len(header)}"
            roll.faults.append(
                Fault(line, "", problem, "quote cells that contain a comma; add or remove cells")
            )
            continue
        _enter(line, dict(zip(header, cells, strict=True)), checker, roll)


def _records(reader: Any, roll: Roll) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line that it begins on; blank lines are passed over."""
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            roll.faults.append(
                Fault(line, "", str(error), "check the quotes of this line; lines after it were not read")
            )
            return
        if cells:
            yield line, cells


def _header_faults(header: list[str]) -> Iterator[Fault]:
    for name in REQUIRED:
        if name not in header:
            yield Fault(
                1,
                name,
                f"the header has no column {name}",
                f"begin with a header line such as id,product,name,area,lat,lon,{PREFIX}rated_power",
            )
    for position, name in enumerate(header):
        attribute = name.removeprefix(PREFIX) if name.startswith(PREFIX) else None
        if name in header[:position]:
            yield Fault(1, name, f"column {name!r:.80} stands twice", "remove one of them")
        elif name not in COLUMNS and not (attribute and ATTRIBUTE.fullmatch(attribute)):
            yield Fault(1, name, f"no column {name!r:.80}", f"use {', '.join(COLUMNS)} or {PREFIX}<name>")


def _enter(line: int, cells: Mapping[str, str], checker: Checker, roll: Roll) -> None:
    form: dict[str, object] = {}
    attributes: dict[str, str] = {}
    for name, cell in cells.items():
        text = cell.strip()
        if name.startswith(PREFIX):
            if text:
                attributes[name.removeprefix(PREFIX)] = text
        elif text or name in REQUIRED:
            form[name] = text
    if attributes:
        form["attributes"] = attributes
    values, faults = checker.check(form, line)
    if not faults:
        values = {**EMPTY, **values}
        faults = checker.complete(values, line)
    if faults:
        roll.faults.extend(faults)
        roll.refused.add(cells["id"].strip())
    else:
        roll.entrants.append(Entrant(line, Device(**values, index=-1, created=0, updated=0)))


def _drop_twins(roll: Roll) -> None:
    first: dict[str, int] = {}

    def twin(entrant: Entrant) -> Fault | None:
        id = entrant.device.id  # noqa: A001 - the field's word
        line = first.setdefault(id, entrant.line)
        if line == entrant.line:
            return None
        return Fault(entrant.line, "id", f"{id} is on line {line} already", "remove one of the two lines")

    roll.drop(twin)


def _drop_circles(roll: Roll) -> None:
    parents = {entrant.device.id: entrant.device.parent for entrant in roll.entrants}
    sound: set[str] = set()
    for start in parents:
        path: dict[str, None] = {}
        step = start
        while step in parents and step not in path and step not in sound:
            path[step] = None
            step = parents[step]
        if step not in path:
            sound.update(path)

    def circular(entrant: Entrant) -> Fault | None:
        if entrant.device.id in sound:
            return None
        problem = "its parents lead back to itself or into a circle"
        return Fault(entrant.line, "parent", problem, "name the device above it; the topmost has none")

    roll.drop(circular)


def drop_known(roll: Roll, known: set[str]) -> None:
    """Lines whose id has a device already."""
    roll.drop(lambda entrant: registered(entrant) if entrant.device.id in known else None)


def registered(entrant: Entrant) -> Fault:
    """Its id has a device already."""
    problem = f"{entrant.device.id} is registered already"
    return Fault(entrant.line, "id", problem, "remove the line, or change the device itself")


def drop_orphans(roll: Roll, known: set[str]) -> None:
    """Lines whose parent is neither registered nor a good line of this file; and then the lines below them."""
    children: dict[str, list[str]] = {}
    there = known.union(entrant.device.id for entrant in roll.entrants)
    lost: list[str] = []
    for entrant in roll.entrants:
        id, parent = entrant.device.id, entrant.device.parent  # noqa: A001
        children.setdefault(parent, []).append(id)
        if parent and parent not in there:
            lost.append(id)
    orphans: set[str] = set()
    while lost:
        id = lost.pop()  # noqa: A001
        orphans.add(id)
        lost.extend(children.get(id, ()))

    def orphan(entrant: Entrant) -> Fault | None:
        if entrant.device.id not in orphans:
            return None
        problem = f"no device {entrant.device.parent}, or its own line is refused"
        return Fault(entrant.line, "parent", problem, "add a line for the parent, or correct its id")

    roll.drop(orphan)
