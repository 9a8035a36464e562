"""Times and lengths as people of the city say them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from starlette.requests import Request

from drivers.families import FAMILIES
from drivers.telemetry import DAY, HOUR, MINUTE, SECOND
from gateway.cases.deadline import LimitUnit
from gateway.console.sheet import local
from gateway.console.speech import Speech, choose
from rules.explain_words import Language

ZONE = ZoneInfo("Asia/Shanghai")
NOON = int(datetime(2026, 9, 22, 12, tzinfo=ZONE).timestamp()) * SECOND


def speech(language: Language) -> Speech:
    return Speech(language, ZONE, NOON, FAMILIES)


@pytest.mark.parametrize(
    ("length", "unit", "en", "zh"),
    [
        (0, LimitUnit.URGENT_HOUR, "less than a minute", "不到1分钟"),
        (59 * SECOND, LimitUnit.WORK_HOUR, "less than a minute", "不到1分钟"),
        (2 * HOUR, LimitUnit.URGENT_HOUR, "2 h", "2小时"),
        (2 * HOUR + 5 * MINUTE, LimitUnit.URGENT_HOUR, "2 h 5 min", "2小时5分钟"),
        (3 * DAY + 5 * MINUTE, LimitUnit.NATURAL_DAY, "3 d", "3天"),
        (3 * DAY + HOUR + 5 * MINUTE, LimitUnit.NATURAL_DAY, "3 d 1 h", "3天1小时"),
        (16 * HOUR, LimitUnit.WORK_DAY, "2 working d", "2个工作日"),
        (19 * HOUR + MINUTE, LimitUnit.WORK_DAY, "2 working d 3 h", "2个工作日3小时"),
        (3 * HOUR, LimitUnit.WORK_HOUR, "3 h of working time", "3小时（工作时间）"),
    ],
)
def test_a_length_in_its_two_largest_parts(length: int, unit: LimitUnit, en: str, zh: str) -> None:
    assert (speech("en").span(length, unit), speech("zh").span(length, unit)) == (en, zh)


def test_times_are_those_of_the_citys_wall() -> None:
    say = speech("en")
    assert say.time(NOON) == "09-22 12:00"
    assert say.time(NOON - 300 * DAY) == "2025-11-26 12:00"
    assert say.machine(NOON) == "2026-09-22T12:00:00+08:00"


def test_people_tokens_and_what_is_neither() -> None:
    say = speech("zh")
    assert [say.who(actor) for actor in ("user:王", "token:app", "telemetry", "odd")] == [
        "王",
        "app（令牌）",
        "遥测",
        "odd",
    ]


def test_what_a_family_calls_things() -> None:
    assert speech("en").alarm("manhole", "coverOpened") == "Cover is open or missing"
    assert speech("zh").alarm("manhole", "coverOpened") == "井盖打开"
    assert speech("zh").alarm("manhole", "city-own") == speech("zh").alarm("none", "city-own") == "city-own"
    assert (speech("en").family("manhole"), speech("zh").family("none")) == ("Manhole cover", "none")


@pytest.mark.parametrize(
    ("cookie", "wish", "asked", "language"),
    [
        ("", "", "", "en"),
        ("", "", "fr-FR, zh-CN;q=0.8, en;q=0.5", "zh"),
        ("", "en", "zh-CN", "en"),
        ("zh", "en", "en", "zh"),
        ("xx", "", "zh", "zh"),
    ],
)
def test_the_language_is_the_browsers_choice_then_the_users_then_what_is_asked_for(
    cookie: str, wish: str, asked: str, language: str
) -> None:
    headers = [(b"accept-language", asked.encode()), (b"cookie", f"citygate-language={cookie}".encode())]
    assert choose(Request({"type": "http", "headers": headers}), wish) == language


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/cases/7?x=1", "/cases/7?x=1"),
        ("http://gate/cases/7", "/cases/7"),
        ("https://evil.example", "/"),
        ("//evil.example/cases", "/cases"),
        ("///evil.example", "/evil.example"),
        ("////evil.example", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\r\nSet-Cookie: x=1", "/aSet-Cookie: x=1"),
        ("http://[", "/"),
        ("", "/"),
    ],
)
def test_whatever_is_given_one_stays_on_this_origin(given: str, kept: str) -> None:
    assert local(given) == kept
