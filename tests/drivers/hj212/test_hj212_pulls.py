"""What is asked of a station that was away: every period that ended meanwhile, and none that it told of before."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.hj212.commands import Cn, missing
from drivers.hj212.moment import beginning, moment, stamp
from drivers.telemetry import DAY, HOUR, MINUTE

SHANGHAI = ZoneInfo("Asia/Shanghai")


def at(text: str) -> int:
    time = moment(f"20260922{text}00", SHANGHAI)
    assert time is not None
    return time


@pytest.mark.parametrize(
    ("cn", "since", "now", "asked"),
    [
        (Cn.MINUTE, "0812", "1020", ("20260922081200", "20260922102000")),
        (Cn.HOUR, "0812", "1020", ("20260922080000", "20260922090000")),
        (Cn.HOUR, "0800", "0900", ("20260922080000", "20260922080000")),
        (Cn.HOUR, "0801", "0859", None),
        (Cn.DAY, "0812", "1020", None),
    ],
)
def test_a_gap_is_pulled_by_whole_periods(
    cn: Cn, since: str, now: str, asked: tuple[str, str] | None
) -> None:
    request = missing(cn, at(since), at(now), SHANGHAI)
    found = None if request is None else tuple(stamp(time, SHANGHAI) for time in (request.begin, request.end))
    assert found == asked


def test_a_day_ends_at_the_city_s_midnight() -> None:
    request = missing(Cn.DAY, at("2300") - DAY, at("0030"), SHANGHAI)
    assert request is not None
    assert stamp(request.begin, SHANGHAI) == stamp(request.end, SHANGHAI) == "20260921000000"


@given(st.integers(0, 10 * DAY), st.integers(MINUTE, 5 * DAY), st.sampled_from([Cn.HOUR, Cn.DAY]))
def test_exactly_the_periods_that_ended_are_within(start: int, length: int, cn: Cn) -> None:
    since = at("0000") + start
    now, period = since + length, HOUR if cn == Cn.HOUR else DAY
    request = missing(cn, since, now, SHANGHAI)
    first = beginning(since, SHANGHAI, day=cn == Cn.DAY)
    ended = [begin for begin in range(first, now, period) if since < begin + period <= now]
    asked = [] if request is None else list(range(request.begin, request.end + 1, period))
    assert asked == ended
