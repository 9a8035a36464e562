"""Named sets of parameter values, each with its source: what a city's own standards say where the shipped rules cannot.

They go below every scope that people tune: a preset is the city's default, never anybody's decision undone.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

import msgspec
from msgspec import Struct, field

from rules.control import Parameter
from rules.parameters import PRESET

DEFAULT: Final = "default"


class Value(Struct, frozen=True, forbid_unknown_fields=True):
    """unit: that of the rule's parameter. note: where the standard measures otherwise than the rule."""

    rule: str
    parameter: str
    value: float
    unit: str
    source: str
    note: str = ""


class Preset(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    en: str
    zh: str
    value: list[Value] = field(default_factory=list)

    def parameters(self) -> list[Parameter]:
        return [Parameter(one.rule, one.parameter, PRESET, one.value) for one in self.value]


class _File(Struct):
    preset: list[Preset]


def load() -> dict[str, Preset]:
    """Every preset by its name."""
    text = files("rules.presets").joinpath("presets.toml").read_text("utf-8")
    return {one.name: one for one in msgspec.toml.decode(text, type=_File).preset}


def changes(preset: Preset, in_force: list[Parameter]) -> list[Parameter]:
    """What must be said so that this preset, and no other, is in force. in_force: of the scope of presets."""
    wanted = {(one.rule, one.name): one for one in preset.parameters()}
    gone = [
        Parameter(one.rule, one.name, PRESET, None) for one in in_force if (one.rule, one.name) not in wanted
    ]
    return [*gone, *(one for one in wanted.values() if one not in in_force)]
