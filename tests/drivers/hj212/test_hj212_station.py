"""The dialogue with one station, as a timeline of messages: uploads, requests, retries, pulls and sub-packets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.hj212.commands import (
    Cn,
    Request,
    calibrate,
    greeting,
    order,
    pull,
    read_clock,
    set_clock,
    set_minute_interval,
    set_realtime_interval,
    start_realtime,
    stop_realtime,
)
from drivers.hj212.crc import Crc
from drivers.hj212.frame import Frame, Framer
from drivers.hj212.moment import moment, number, stamp
from drivers.hj212.segment import Segment, decode
from drivers.hj212.station import TRANSITIONS, WAITING, Event, Heard, Said, State, Station, Task, Timing
from drivers.hj212.tolerance import Tolerance
from drivers.refusal import Refused
from drivers.telemetry import DAY, HOUR, MINUTE, SECOND

SHANGHAI = ZoneInfo("Asia/Shanghai")
MN = "010000A8900016F000169DC0"
NOON = moment("20240601120000", SHANGHAI) or 0


def said(wire: bytes) -> list[Segment]:
    found = Framer().feed(wire)
    assert all(isinstance(one, Frame) for one in found)
    return [decode(one.data).segment for one in found if isinstance(one, Frame)]


class Timeline:
    """A station that has spoken once, and the platform's side of it."""

    def __init__(self, flag: int = 5, timing: Timing | None = None) -> None:
        self.now = NOON
        self.station = Station(MN, SHANGHAI, timing or Timing(), Crc.HJ212)
        self.flag = flag
        self.hear("2011", ("DataTime", stamp(self.now, SHANGHAI)), ("LA-Rtd", "50"))

    def hear(self, cn: str, *items: tuple[str, str], qn: str = "", st: str = "39", **fields: Any) -> Heard:
        segment = Segment(
            cn=cn,
            mn=MN,
            qn=qn or number(self.now, SHANGHAI),
            st=st,
            pw="654321",
            flag=self.flag,
            cp=tuple((item,) for item in items),
        )
        return self.station.hear(replace(segment, **fields), self.now)

    def answer(self, asked: Segment, cn: str, *item: tuple[str, str]) -> Heard:
        return self.hear(cn, *item, qn=asked.qn, st="91", flag=4)

    def after(self, microseconds: int) -> tuple[list[Segment], list[Task]]:
        self.now += microseconds
        wire, ended = self.station.due(self.now)
        return said(wire), ended

    def sent(self) -> Segment:
        [segment], ended = self.after(0)
        assert ended == []
        return segment


def test_an_upload_is_acknowledged_with_its_own_number() -> None:
    line = Timeline()
    heard = line.hear("2051", ("DataTime", "20240601115000"))
    assert heard.said is Said.UPLOAD
    assert heard.reply == b""
    [answer] = said(line.station.acknowledge(heard.segment))
    assert (answer.cn, answer.qn, answer.st) == (Cn.DATA, heard.segment.qn, "91")
    assert (answer.mn, answer.pw, answer.flag, answer.cp) == (MN, "654321", 4, ())


@pytest.mark.parametrize(("flag", "answer"), [(1, 0), (5, 4), (9, 8), (200, 4)])
def test_the_platform_speaks_the_station_s_version(flag: int, answer: int) -> None:
    line = Timeline(flag)
    [segment] = said(line.station.acknowledge(line.hear("2011").segment))
    assert segment.flag == answer


def test_a_request_is_answered_and_done() -> None:
    line = Timeline()
    task = line.station.ask(set_realtime_interval(60))
    asked = line.sent()
    assert (asked.cn, asked.st, asked.pw, asked.flag) == ("1062", "39", "654321", 5)
    assert asked.get("RtdInterval") == "60"
    seen = [task.state]
    assert line.answer(asked, "9011", ("QnRtn", "1")).ended is None
    seen.append(task.state)
    assert line.answer(asked, "9012", ("ExeRtn", "1")).ended is task
    seen.append(task.state)
    assert seen == [State.SENT, State.READY, State.DONE]
    assert not task.open


def test_one_request_at_a_time_each_with_its_own_number() -> None:
    line = Timeline()
    tasks = [line.station.ask(start_realtime()) for _ in range(3)]
    first = line.sent()
    assert line.after(0) == ([], [])
    line.answer(first, "9011", ("QnRtn", "1"))
    line.answer(first, "9012", ("ExeRtn", "1"))
    second = line.sent()
    assert second.qn > first.qn
    assert [task.state for task in tasks] == [State.DONE, State.SENT, State.WAITING]


def test_a_silent_station_is_asked_four_times_with_one_number_then_given_up() -> None:
    line = Timeline()
    task = line.station.ask(read_clock())
    numbers = {line.sent().qn}
    for _ in range(3):
        assert line.after(9 * SECOND) == ([], [])
        [again], _ended = line.after(SECOND)
        numbers.add(again.qn)
    assert len(numbers) == 1
    assert line.after(10 * SECOND) == ([], [task])
    assert (task.state, task.error) == (State.UNANSWERED, "no 9011 after 4 requests")


def test_what_the_station_refuses_or_fails_says_why() -> None:
    line = Timeline()
    refused, failed = line.station.ask(calibrate("a34041")), line.station.ask(read_clock())
    line.answer(line.sent(), "9011", ("QnRtn", "3"))
    assert (refused.state, refused.error) == (State.REFUSED, "QnRtn=3 wrong PW")
    asked = line.sent()
    line.answer(asked, "9011", ("QnRtn", "1"))
    line.answer(asked, "9012", ("ExeRtn", "5"))
    assert (failed.state, failed.error) == (State.FAILED, "ExeRtn=5 busy")


def test_a_result_without_9011_and_a_number_inside_cp_are_tolerated() -> None:
    line = Timeline()
    task = line.station.ask(read_clock())
    asked = line.sent()
    line.answer(asked, "9012", ("ExeRtn", "1"))
    assert task.state is State.DONE
    notice = line.station.ask(stop_realtime())
    asked = line.sent()
    line.station.hear(Segment(cn="9013", mn=MN, st="91", cp=((("QN", asked.qn),),)), line.now)
    assert notice.state is State.DONE
    assert line.station.counts == {Tolerance.NO_READY: 1, Tolerance.QN_IN_CP: 1}


def test_an_answer_to_nothing_is_a_stray() -> None:
    line = Timeline()
    assert line.hear("9012", ("ExeRtn", "1")).said is Said.STRAY
    task = line.station.ask(read_clock())
    line.sent()
    assert line.hear("9011", ("QnRtn", "1"), qn="20000101000000000").said is Said.STRAY
    assert task.state is State.SENT


def test_what_the_station_says_of_itself_is_the_task_s_answer() -> None:
    line = Timeline()
    task = line.station.ask(read_clock())
    asked = line.sent()
    line.answer(asked, "9011", ("QnRtn", "1"))
    assert line.hear("1011", ("SystemTime", "20240601120003"), qn=asked.qn).said is Said.ANSWER
    line.answer(asked, "9012", ("ExeRtn", "1"))
    assert task.data is not None
    assert task.data.get("SystemTime") == "20240601120003"


def test_a_pull_brings_historical_records_and_live_ones_stay_live() -> None:
    line = Timeline()
    task = line.station.ask(pull(Cn.MINUTE, NOON - 2 * HOUR, NOON - HOUR, SHANGHAI))
    asked = line.sent()
    assert (asked.get("BeginTime"), asked.get("EndTime")) == ("20240601100000", "20240601110000")
    line.answer(asked, "9011", ("QnRtn", "1"))
    for minute in (0, 10, 60):
        at = stamp(NOON - 2 * HOUR + minute * MINUTE, SHANGHAI)
        heard = line.hear("2051", ("DataTime", at), qn=number(NOON + minute, SHANGHAI))
        assert (heard.said, heard.historical) == (Said.UPLOAD, True)
    assert not line.hear("2051", ("DataTime", stamp(NOON, SHANGHAI))).historical
    assert not line.hear("2011", ("DataTime", stamp(NOON - 90 * MINUTE, SHANGHAI))).historical
    assert line.answer(asked, "9012", ("ExeRtn", "1")).ended is task
    assert task.records == 3


def test_a_pull_that_dries_up_is_given_up() -> None:
    line = Timeline()
    task = line.station.ask(pull(Cn.HOUR, NOON - DAY, NOON, SHANGHAI))
    line.answer(line.sent(), "9011", ("QnRtn", "1"))
    assert line.after(599 * SECOND) == ([], [])
    line.hear("2061", ("DataTime", stamp(NOON - HOUR, SHANGHAI)))
    assert line.after(599 * SECOND) == ([], [])
    assert line.after(SECOND) == ([], [task])
    assert task.error == "no 9012 after 9011"


def test_a_command_that_expired_is_not_sent_and_not_repeated() -> None:
    line = Timeline()
    task = line.station.ask(read_clock())
    task.expires = line.now + 5 * SECOND
    late = line.station.ask(read_clock())
    late.expires = line.now + 5 * SECOND
    line.sent()
    assert line.after(10 * SECOND) == ([], [task, late])
    assert (task.error, late.error) == ("no 9011 after 1 requests", "expired before its turn")


def test_a_station_that_asks_for_the_time_gets_a_notice_and_the_time() -> None:
    line = Timeline()
    line.station.ask(start_realtime())
    heard = line.hear("1013", ("PolId", "w01018"))
    [notice] = said(heard.reply)
    assert (heard.said, notice.cn, notice.qn) == (Said.NOTICE, "9013", heard.segment.qn)
    line.now += 3 * SECOND
    asked = line.sent()
    assert (asked.cn, asked.get("SystemTime")) == ("1012", "20240601120003")


def test_a_station_that_asks_for_the_time_again_and_again_keeps_nothing_else_waiting() -> None:
    line = Timeline()
    line.station.ask(start_realtime())
    sent = []
    for _ in range(4):
        line.hear("1013")
        sent += [one.cn for one in line.after(10 * SECOND)[0]]
    assert line.station.task is not None
    line.answer(Segment(cn="", qn=line.station.task.qn), "9012", ("ExeRtn", "1"))
    assert sent == ["1012"] * 4
    assert line.sent().cn == "2011"


def test_a_clock_that_is_off_is_set_and_not_again_at_once() -> None:
    line = Timeline()
    wrong = number(NOON - 40 * SECOND, SHANGHAI)
    for _ in range(5):
        line.hear("2011", qn=wrong)
    assert line.sent().cn == "1012"
    assert line.station.close()[0].request.cn == "1012"
    assert line.station.close() == []


def test_a_heartbeat_is_answered() -> None:
    line = Timeline(9)
    assert [one.cn for one in said(line.hear("9015").reply)] == ["9014"]
    assert line.hear("9015", flag=8).reply == b""


def test_parts_are_counted_and_get_their_time() -> None:
    line = Timeline(7)
    time = ("DataTime", "20240601115000")
    first = line.hear("2051", time, ("LA-Avg", "50"), pnum=2, pno=1)
    assert first.said is Said.UPLOAD
    second = line.hear("2051", ("a34002-Avg", "80"), pnum=2, pno=2)
    assert second.segment.get("DataTime") == "20240601115000"
    packets = line.station.packets
    assert (packets.whole, packets.torn, packets.again) == (1, 0, 0)
    line.hear("2051", time, pnum=3, pno=1)
    line.hear("2051", time, pnum=3, pno=1)
    line.now += 11 * MINUTE
    line.hear("2051", ("DataTime", "20240601120000"), pnum=2, pno=1)
    assert (packets.whole, packets.torn, packets.again) == (1, 1, 1)
    orphan = line.hear("2061", ("LA-Avg", "50"), pnum=2, pno=2)
    assert orphan.segment.get("DataTime") is None


def test_the_first_connection_follows_the_standard() -> None:
    asked = greeting(NOON, SHANGHAI, seconds=10, retries=3, interval=60, minutes=10)
    assert [one.cn for one in asked] == ["1012", "1000", "1062", "1064", "2011", "2021"]
    assert asked[1].cp == ((("OverTime", "10"),), (("ReCount", "3"),))


def test_requests_stay_within_the_standard() -> None:
    for wrong in (29, 3601):
        with pytest.raises(ValueError, match="30 to 3600 s"):
            set_realtime_interval(wrong)
    with pytest.raises(ValueError, match="minute interval"):
        set_minute_interval(7)
    for cn, begin, end in (("2011", 0, 1), ("2051", 1, 0)):
        with pytest.raises(ValueError, match="no history"):
            pull(cn, begin, end, SHANGHAI)
    assert order("reportInterval", {"interval": 60.0}, "") == set_realtime_interval(60)
    assert order("calibrate", {}, "a34041") == Request("3011", ((("PolId", "a34041"),),))
    assert order("restart", {}, "") is None
    assert set_clock(NOON, SHANGHAI).cp == ((("SystemTime", "20240601120000"),),)


def test_the_queue_has_a_bound() -> None:
    line = Timeline()
    for _ in range(WAITING):
        line.station.ask(read_clock())
    with pytest.raises(Refused, match="too_many"):
        line.station.ask(read_clock())


def test_the_table_of_states_is_whole() -> None:
    assert set(TRANSITIONS) == set(State)
    reached = {state for ways in TRANSITIONS.values() for state in ways.values()}
    assert reached == set(State) - {State.WAITING}
    assert {event for ways in TRANSITIONS.values() for event in ways} == set(Event)
    assert not Task(read_clock(), State.DONE).take(Event.FAIL)


fields = st.text(st.sampled_from("01259MNabc油"), max_size=64)
messages = st.builds(
    Segment,
    cn=st.sampled_from(["2011", "2051", "1011", "1013", "9011", "9012", "9013", "9014", "9015", "", "x"]),
    mn=fields,
    qn=fields | st.sampled_from(["20240601120000000", "20240601120000001"]),
    st=fields,
    pw=fields,
    flag=st.none() | st.integers(0, 255),
    pnum=st.none() | st.integers(0, 9999),
    pno=st.none() | st.integers(0, 9999),
    cp=st.none()
    | st.lists(
        st.tuples(st.tuples(st.sampled_from(["DataTime", "QnRtn", "ExeRtn", "QN", "LA-Rtd"]), fields)),
        max_size=3,
    ).map(tuple),
)


@settings(max_examples=200)
@given(st.lists(messages, max_size=12))
def test_nothing_a_station_says_confuses_the_dialogue(heard: list[Segment]) -> None:
    line = Timeline()
    tasks = [line.station.ask(request) for request in (read_clock(), pull(Cn.MINUTE, 0, NOON, SHANGHAI))]
    for segment in heard:
        said(line.station.hear(segment, line.now).reply)
        said(line.station.acknowledge(segment))
        line.after(7 * SECOND)
    for _ in range(20):
        line.after(HOUR)
    assert not any(task.open for task in tasks)
    assert line.station.task is None
