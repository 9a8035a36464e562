from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from gateway.notify.outbox import Delivery
from gateway.notify.settings import Language
from gateway.notify.text import Writer

REASON = {"en": "Cover was open (rule version 1).", "zh": "井盖状态为“打开”（规则第1版）。"}


@pytest.mark.parametrize(
    ("language", "line"), [("en", f"Why: {REASON['en']}"), ("zh", f"原因：{REASON['zh']}")]
)
def test_a_new_alarm_says_why(language: Language, line: str) -> None:
    alarm = {"name": "coverOpened", "severity": "major", "device": "MH-42"}
    payload = {"event": "alarm.raise", "time": 0, "alarm": alarm, "explanation": REASON}
    delivery = Delivery(1, "alarm:1:1", "ear", "alarm:1", "alarm.raise", payload, 0, 0, 0)
    assert line in Writer(language, ZoneInfo("Asia/Shanghai"), 2_048).one(delivery).splitlines()
