"""A register map from the configuration: every fault of it is reported at once, each by its key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from drivers.modbus.register_map import MOST_REGISTERS, Control, Module, Register, RegisterMap
from drivers.modbus.words import BIT_TABLES, KINDS, LAST_ADDRESS, ORDERS, TABLES, reference
from drivers.shape import IMPLIED
from drivers.telemetry import Point

if TYPE_CHECKING:
    from drivers.table import Table
    from drivers.telemetry import Family

WRITABLE: Final = frozenset(("coil", "holding"))


def read(table: Table, family: Family) -> RegisterMap:
    """[product.modbus]: one module, or modules = { name = { points = … }, … }. Faults go to the table."""
    if table.has("modules"):
        inner = table.table("modules")
        modules = [_module(name, inner.table(name), family) for name in inner.names()]
    else:
        modules = [_module("main", table, family)]
    table.close()
    points = [one.point for module in modules for one in module.registers]
    for point in sorted({one for one in points if points.count(one) > 1}):
        table.fault("points", f"name {point} in two modules; a point has one source")
    return RegisterMap(tuple(modules))


def _module(name: str, table: Table, family: Family) -> Module:
    known = {point.name: point for point in family.points if point.name not in IMPLIED}
    points = table.table("points", required=True)
    if not points.names():
        table.fault("points", "names no point; write at least one as point = address")
    registers = [
        _register(key, points.table_or_value(key, "address"), point, table)
        for key in points.names()
        if (point := _known(points, key, known))
    ]
    commands = table.table("commands")
    controls = [
        one
        for key in commands.names()
        if (one := _control(commands, key, family, registers, table)) is not None
    ]
    most = round(table.number("registers_a_read", MOST_REGISTERS))
    if not 1 <= most <= MOST_REGISTERS:
        table.fault("registers_a_read", f"is {most}; 1 to {MOST_REGISTERS}")
    module = Module(name, tuple(registers), tuple(controls), _holes(table), max(most, 1))
    for key in ("table", "kind", "order"):
        table.text(key)
    if name != "main":
        table.close()
    return module


def _known(points: Table, key: str, known: dict[str, Point]) -> Point | None:
    if key not in known:
        points.fault(key, f"is no point of the family; it has {', '.join(known)}")
    return known.get(key)


def _register(name: str, inner: Table, point: Point, defaults: Table) -> Register:
    table, address = _place(inner, defaults)
    kind = _one_of(inner, "kind", defaults.text("kind", "u16"), KINDS)
    order = _one_of(inner, "order", defaults.text("order", "ABCD"), ORDERS)
    scale = inner.number("scale", 1.0)
    if scale == 0:
        inner.fault("scale", "is 0; every value would be the same")
    absent = tuple(float(raw) for raw in inner.raws("absent") if isinstance(raw, int | float))
    found = Register(
        name,
        address,
        kind,
        table,
        order,
        scale or 1.0,
        inner.number("offset", 0.0),
        absent,
        _words(inner, point),
        round(inner.number("bit", 0)),
        round(inner.number("size", 1)),
    )
    if not (found.bit >= 0 and found.size >= 1 and found.bit + found.size <= 16):
        inner.fault("bit", "and size leave the 16 bits of a register")
    if table not in BIT_TABLES and address + found.count - 1 > LAST_ADDRESS:
        inner.fault("address", f"is {address}; the last register is {LAST_ADDRESS}")
    inner.close()
    return found


def _place(inner: Table, defaults: Table) -> tuple[str, int]:
    """0-based with a table, or a reference as the manual writes it ("40001"), which says both."""
    written = inner.text_or_number("address", required=True)
    table = _one_of(inner, "table", defaults.text("table", "holding"), TABLES)
    if isinstance(written, str):
        try:
            return reference(written)
        except ValueError as error:
            inner.fault("address", str(error))
            return table, 0
    if not (0 <= written <= LAST_ADDRESS and written.is_integer()):
        inner.fault("address", f'is {written:g}; 0 to {LAST_ADDRESS}, or a reference as "40001"')
        return table, 0
    return table, int(written)


def _one_of(inner: Table, key: str, default: str, allowed: tuple[str, ...]) -> str:
    found = inner.text(key, default)
    if found not in allowed:
        inner.fault(key, f"is {found!r}; one of {', '.join(allowed)}")
        return allowed[-1]
    return found


def _words(inner: Table, point: Point) -> dict[str, str | float]:
    words = inner.table("words")
    found: dict[str, str | float] = {}
    for raw in words.names():
        meaning = words.text_or_number(raw)
        if not raw.lstrip("-").isdecimal():
            words.fault(raw, "is no whole number; words of a register are named by its raw value")
            continue
        if isinstance(meaning, str) and meaning not in point.labels:
            words.fault(
                raw, f"means {meaning!r}, which is no label of {point.name}: {', '.join(point.labels)}"
            )
            continue
        found[raw] = meaning
    return found


def _holes(table: Table) -> tuple[tuple[str, int, int], ...]:
    """{ holding = [first, last, first, last] }"""
    inner = table.table("holes")
    found: list[tuple[str, int, int]] = []
    for name in inner.names():
        ends = [int(raw) for raw in inner.raws(name) if isinstance(raw, int | float)]
        if (
            name not in TABLES
            or len(ends) % 2
            or any(a > b for a, b in zip(ends[::2], ends[1::2], strict=False))
        ):
            inner.fault(name, f"is no list of first and last addresses of {', '.join(TABLES)}")
            continue
        found += [(name, first, last) for first, last in zip(ends[::2], ends[1::2], strict=True)]
    return tuple(found)


def _control(
    commands: Table, name: str, family: Family, registers: list[Register], defaults: Table
) -> Control | None:
    inner = commands.table(name)
    known = {command.name: command for command in family.commands}
    if name not in known:
        commands.fault(name, f"is no command of the family; it has {', '.join(known)}")
        return None
    arguments = known[name].args
    point = inner.text("point")
    own = next((one for one in registers if one.point == point), None)
    if point and own is None:
        inner.fault("point", f"is {point!r}, which has no register here")
    constant = inner.number("constant", 0.0)
    if own is None:
        own = _register(
            name, inner, arguments[0] if arguments else Point(name, "", constant, constant), defaults
        )
    else:
        inner.close()
    if own.table not in WRITABLE:
        commands.fault(name, f"is behind a {own.table} register, which cannot be written")
    return Control(name, own, arguments[0].name if arguments else "", constant)
