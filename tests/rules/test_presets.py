"""Presets: only parameters that shipped rules have, in their units and ranges, each with its source in words."""

from __future__ import annotations

import pytest

from drivers.families import FAMILIES
from rules import packs
from rules.document import read_rules
from rules.presets import Preset, load

RULES = {rule.id: rule for rule in read_rules(packs.load(), FAMILIES)}


@pytest.mark.parametrize("preset", load().values(), ids=lambda preset: preset.name)
def test_every_value_fits_a_shipped_rule_and_names_its_source(preset: Preset) -> None:
    assert preset.en
    assert preset.zh
    for one in preset.value:
        tunable = RULES[one.rule].parameters[one.parameter]
        assert tunable.unit.text == one.unit
        assert tunable.low <= one.value <= tunable.high
        assert one.source
    keys = [(one.rule, one.parameter) for one in preset.value]
    assert len(set(keys)) == len(keys)
