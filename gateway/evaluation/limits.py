"""The limit of a rule that is in force for each station now: device before product before area before city before preset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from drivers.telemetry import Family
from gateway.evaluation.units import Units
from gateway.registry.rulebook import Rulebook
from rules.control import DeviceRow, Parameter
from rules.devices import Devices
from rules.document import RulesError, read_rules
from rules.parameters import Overrides
from rules.units import parse_unit

if TYPE_CHECKING:
    from drivers.telemetry import Float64

LIMIT: Final = "limit"


async def limits(rulebook: Rulebook, rule: str, family: Family, point: str, units: Units) -> Float64 | None:
    """By unit, in the point's unit; None where the rule is not in force, is not of this family, or has no such parameter."""
    documents = [one.document for one in await rulebook.in_force() if one.rule == rule]
    try:
        read = read_rules(documents, {family.name: family})
    except RulesError:
        return None
    if not read or LIMIT not in read[0].parameters:
        return None
    tunable = read[0].parameters[LIMIT]
    overrides = Overrides()
    for one in await rulebook.overrides(rule):
        if one.name == LIMIT:
            overrides.put(Parameter(rule, LIMIT, one.scope, one.value))
    devices = Devices(family)
    named = zip(units.index.tolist(), units.id, units.product, units.area, strict=True)
    devices.put([DeviceRow(index, id_, product, area) for index, id_, product, area in named])
    found = overrides.resolve(rule, LIMIT, tunable.value, devices)
    values = np.full(len(units), found) if isinstance(found, (int, float)) else found[units.index]
    scale = tunable.unit.factor / parse_unit(family.points[family.index[point]].unit).factor
    return values * scale
