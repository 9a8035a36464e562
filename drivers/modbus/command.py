"""A command of a family as writes of registers, with the read that proves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from drivers.modbus.plan import Read
from drivers.modbus.values import Image, field_for, put
from drivers.modbus.wire import Request, write_coil, write_registers
from drivers.refusal import Reason, Refused
from drivers.telemetry import Point

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.dialogue import Order
    from drivers.modbus.register_map import Control, Module, RegisterMap
    from drivers.telemetry import Family

TRIES: Final = 2  # a write that nobody answered is sent once more


@dataclass(slots=True)
class Task:
    """place: of the device among the targets of its bus. expires: seconds of the bus's clock. back: reads `point` back."""

    id: str
    place: int
    unit: int
    request: Request
    expires: float
    point: str
    value: float
    tolerance: float
    back: Read | None = None
    written: bool = False
    tries: int = 0

    def agrees(self, read: float) -> bool:
        return abs(read - self.value) <= self.tolerance


def task(  # noqa: PLR0917 - what an order is about, from the general to the particular
    order: Order, declared: RegisterMap, family: Family, units: Mapping[str, int], place: int, expires: float
) -> Task:
    """The task of an order; raises Refused where the product cannot do it or this device lacks the module."""
    found = declared.control(order.name)
    if found is None:
        raise Refused(Reason.UNKNOWN_POINT, f"this product has no register for the command {order.name}")
    module, control = found
    if module.name not in units:
        raise Refused(
            Reason.UNKNOWN_POINT, f"this device has no module {module.name}, which {order.name} needs"
        )
    register = control.register
    value = order.args.get(control.argument, control.constant)
    image: Image = {}
    try:
        put(image, field_for(register, _quantity(control, family)), value)
    except ValueError as error:
        raise Refused(Reason.OUT_OF_RANGE, str(error)) from None
    cells = [cell for _, cell in sorted(image[register.table].items())]
    unit = units[module.name]
    if register.table == "coil":
        request = write_coil(unit, register.address, on=bool(cells[0]))
    else:
        request = write_registers(unit, register.address, cells)
    tolerance = abs(register.scale) / 2 if not register.words else 0.0
    back = _back(module, control)
    return Task(order.id, place, unit, request, expires, register.point, value, tolerance, back)


def _quantity(control: Control, family: Family) -> Point:
    """What the register holds: the argument, or a bare number where the command has none."""
    for command in family.commands:
        for argument in command.args:
            if (command.name, argument.name) == (control.command, control.argument):
                return argument
    return Point(control.command, "", control.constant, control.constant)


def _back(module: Module, control: Control) -> Read | None:
    """The read of the very register that was written, where the module declares that it can be read."""
    written = control.register
    for one in module.registers:
        if (one.point, one.table, one.address) == (written.point, written.table, written.address):
            return Read(one.table, one.address, one.count)
    return None
