"""Thresholds by scope: preset < city < area (the longest path that holds the device) < product < device; the most specific wins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rules.control import Parameter
from rules.devices import Devices

if TYPE_CHECKING:
    from drivers.telemetry import Float64

CITY = ""
PRESET = "preset"  # the city's rule set, below whatever people tuned
DEFAULT = "default"  # the scope shown where nobody tuned the rule's own value


class Tuned(NamedTuple):
    """A value in force for one device, and the scope it came from: default, preset, "" (city), area:…, product:…, device:…"""

    value: float
    scope: str


class Overrides:
    """Every override in force, by (rule, parameter) and scope. They outlive the rule they name."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], dict[str, float]] = {}

    def put(self, parameter: Parameter) -> None:
        key = (parameter.rule, parameter.name)
        scopes = self._of.setdefault(key, {})
        if parameter.value is None:
            scopes.pop(parameter.scope, None)
            if not scopes:
                del self._of[key]
        else:
            scopes[parameter.scope] = float(parameter.value)

    def resolve(self, rule: str, name: str, default: float, devices: Devices) -> float | Float64:
        """The value for every device (float64 by index), or one number where all devices share it."""
        scopes = self._of.get((rule, name), {})
        base = scopes.get(CITY, scopes.get(PRESET, default))
        if not any(scope not in (CITY, PRESET) for scope in scopes):
            return base
        column = np.full(devices.capacity, base)
        by_area = _lookup(devices.areas.all, _areas(scopes))
        by_product = np.array([scopes.get(f"product:{product}", np.nan) for product in devices.products.all])
        for lookup, codes in ((by_area, devices.area), (by_product, devices.product)):
            if len(lookup):
                value = lookup[codes]
                np.copyto(column, value, where=~np.isnan(value))
        for scope, number in scopes.items():
            if scope.startswith("device:") and (index := devices.find(scope[7:])) is not None:
                column[index] = number
        return column

    def tuned(self, rule: str, name: str, default: float, devices: Devices, index: int) -> Tuned:
        """The value for one device and where it came from; the same as `resolve` gives."""
        scopes = self._of.get((rule, name), {})
        area = devices.areas.all[devices.area[index]]
        candidates = [
            f"device:{devices.ids[index]}",
            f"product:{devices.products.all[devices.product[index]]}",
            *(f"area:{path}" for path in _paths(area)),
            CITY,
            PRESET,
        ]
        for scope in candidates:
            if scope in scopes:
                return Tuned(scopes[scope], scope)
        return Tuned(default, DEFAULT)

    def of_scope(self, scope: str) -> list[Parameter]:
        """What is in force in one scope, of all rules."""
        return [Parameter(*key, scope, scopes[scope]) for key, scopes in self._of.items() if scope in scopes]

    def snapshot(self) -> list[list[Any]]:
        return [[*key, scope, value] for key, scopes in self._of.items() for scope, value in scopes.items()]

    def restore(self, state: Iterable[Iterable[Any]]) -> None:
        self._of = {}
        for rule, name, scope, value in state:
            self.put(Parameter(rule, name, scope, value))


def _areas(scopes: dict[str, float]) -> dict[str, float]:
    return {scope[5:]: value for scope, value in scopes.items() if scope.startswith("area:")}


def _paths(area: str) -> list[str]:
    """xuhui/tianping -> xuhui/tianping, xuhui."""
    parts = area.split("/")
    return ["/".join(parts[:length]) for length in range(len(parts), 0, -1)]


def _lookup(areas: list[str], values: dict[str, float]) -> Float64:
    """float64 by area number: the value of its longest path that has one, NaN where none has."""
    found = [next((values[path] for path in _paths(area) if path in values), np.nan) for area in areas]
    return np.array(found)
