"""What people read: a word for everything that can happen, in both languages, within the bytes there are."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.telemetry import SECOND
from gateway.cases.lifecycle import AlarmEvent, CaseEvent, Entry
from gateway.cases.record import SEVERITIES
from gateway.notify.outbox import Delivery
from gateway.notify.settings import Language
from gateway.notify.text import WORDS, Writer, clip

NOW = 1_741_000_000 * SECOND
SHANGHAI = ZoneInfo("Asia/Shanghai")


def case(number: int = 7, **record: object) -> Delivery:
    known = {
        "id": number,
        "en": "Cover displaced",
        "zh": "井盖移位",
        "severity": "critical",
        "device": "MH-42",
    }
    payload = {"event": "case.dispatch", "time": NOW, "note": "带上围挡", "case": known | record}
    return Delivery(
        number, f"case:{number}:1", "ear", f"case:{number}", "case.dispatch", payload, 0, NOW, NOW
    )


def test_everything_that_can_happen_has_a_word() -> None:
    happens = {f"alarm.{event}" for event in AlarmEvent} | {f"case.{event}" for event in (*CaseEvent, *Entry)}
    assert sorted((happens | set(SEVERITIES)) - set(WORDS)) == []


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        (
            "zh",
            [
                "【紧急】案件派遣：井盖移位",
                "案件：7",
                "设备：MH-42 人民路 3 号",
                "时间：2025-03-03 19:06:40",
                "期限：2025-03-03 20:06:40",
                "说明：带上围挡",
            ],
        ),
        (
            "en",
            [
                "[Critical] Case dispatched: Cover displaced",
                "Case: 7",
                "Device: MH-42 人民路 3 号",
                "Time: 2025-03-03 19:06:40",
                "Deadline: 2025-03-03 20:06:40",
                "Note: 带上围挡",
            ],
        ),
    ],
)
def test_a_case_in_both_languages(language: Language, lines: list[str]) -> None:
    delivery = case(device_name="人民路\n3 号", deadline=NOW + 3_600 * SECOND)
    assert Writer(language, SHANGHAI, 2_048).one(delivery).splitlines() == lines


@pytest.mark.parametrize(("language", "line"), [("en", "For: director"), ("zh", "呈请：director")])
def test_who_is_asked_for_is_said_once(language: Language, line: str) -> None:
    delivery = case()
    delivery.payload.update(to="director", note="director")
    lines = Writer(language, SHANGHAI, 2_048).one(delivery).splitlines()
    assert [one for one in lines if "director" in one] == [line]


@given(st.text(max_size=200), st.integers(3, 300))
def test_a_clipped_text_fits_and_is_a_beginning(text: str, size: int) -> None:
    clipped = clip(text, size)
    assert len(clipped.encode()) <= size
    assert text.startswith(clipped.removesuffix("…")) or clipped == text


@given(st.lists(st.text(max_size=300), min_size=1, max_size=40), st.sampled_from(("en", "zh")))
def test_a_digest_fits_and_has_at_least_one_subject(names: list[str], language: Language) -> None:
    given_ = [case(number, device_name=name) for number, name in enumerate(names)]
    digest = Writer(language, SHANGHAI, 1_000).together(given_)
    assert len(digest.text.encode()) <= 1_000
    assert 1 <= digest.subjects <= len(given_)
    assert digest.text.count("\n•") == digest.subjects
