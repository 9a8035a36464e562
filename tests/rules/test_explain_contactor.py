"""A contactor is closed or tripped (合、分), never "open" for "on": 开 would read as the opposite of what was told."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

import pytest

from drivers.families import FAMILIES
from rules.explain import Explainer
from tests.rules.packs.cabinet import PROOFS
from tests.rules.test_explain import day_of, rule_of

CHINESE: Final = Explainer(FAMILIES, "zh", ZoneInfo("Asia/Shanghai"))


@pytest.mark.parametrize(
    ("name", "told", "seen"),
    [
        ("cabinet-not-closing", "接触器指令为“合”", "接触器反馈为“断开”"),
        ("cabinet-not-opening", "接触器指令为“分”", "接触器反馈为“闭合”"),
        ("cabinet-contactor-welded", "接触器指令为“分”", "电流"),
    ],
)
def test_what_a_contactor_was_told_reads_as_switchgear_is_spoken_of(name: str, told: str, seen: str) -> None:
    raised = day_of("cabinet", name, PROOFS[name])[0]
    text = CHINESE.sentence(rule_of(name), "cabinet", raised.evidence)
    assert told in text
    assert seen in text
