"""The client's side: a window of messages, each sent until its 9014 came, and other platforms' requests."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from drivers.hj212.crc import Crc
from drivers.hj212.frame import Frame, Framer, encode_frame
from drivers.hj212.reporter import Reporter
from drivers.hj212.segment import Segment, decode, encode
from drivers.telemetry import SECOND

SHANGHAI = ZoneInfo("Asia/Shanghai")
AT = 1_717_200_000 * SECOND


def said(wire: bytes) -> list[Segment]:
    return [decode(one.data).segment for one in Framer().feed(wire) if isinstance(one, Frame)]


def acknowledged(segment: Segment) -> bytes:
    return encode_frame(encode(Segment(cn="9014", mn=segment.mn, qn=segment.qn, st="91", flag=4)))


def loaded(count: int, window: int) -> Reporter:
    reporter = Reporter(SHANGHAI, window=window)
    for token in range(count):
        reporter.offer(token, Segment(cn="2011", mn="M", st="39", pw="123456", flag=4))
    return reporter


def test_a_window_moves_with_the_acknowledgements() -> None:
    reporter = loaded(3, 2)
    first, second = said(reporter.due(AT))
    assert (first.flag, first.qn != second.qn) == (5, True)
    assert reporter.due(AT) == b""
    assert reporter.feed(acknowledged(second)) == (b"", [1])
    [third] = said(reporter.due(AT))
    assert reporter.feed(acknowledged(third) + acknowledged(first)) == (b"", [2, 0])
    assert len(reporter) == 0
    assert reporter.feed(acknowledged(first)) == (b"", [])


def test_what_is_not_acknowledged_is_sent_again_as_it_was_then_the_link_is_dead() -> None:
    reporter = loaded(1, 2)
    wire = reporter.due(AT)
    for turn in range(1, 4):
        assert not reporter.dead(AT + turn * 10 * SECOND)
        assert reporter.due(AT + turn * 10 * SECOND) == wire
    assert reporter.due(AT + 40 * SECOND) == b""
    assert reporter.dead(AT + 40 * SECOND)


def test_after_a_lost_link_all_comes_again_in_order() -> None:
    reporter = loaded(4, 2)
    before = said(reporter.due(AT))
    reporter.lost()
    assert len(reporter) == 4
    again = said(reporter.due(AT))
    assert [reporter.feed(acknowledged(one))[1] for one in again] == [[0], [1]]
    assert {one.qn for one in again}.isdisjoint({one.qn for one in before})
    reporter.clear()
    assert len(reporter) == 0


@pytest.mark.parametrize(
    ("cn", "answers"),
    [("1000", ["9011", "9012"]), ("2011", ["9011", "9012"]), ("2012", ["9013"]), ("1072", ["9011"])],
)
def test_requests_of_the_platform_are_answered(cn: str, answers: list[str]) -> None:
    asked = Segment(cn=cn, mn="M", qn="20240601080000000", st="39", pw="1", flag=5)
    wire, done = loaded(0, 1).feed(encode_frame(encode(asked)))
    assert [one.cn for one in said(wire)] == answers
    assert {one.qn for one in said(wire)} == {asked.qn}
    assert done == []
    if cn == "1072":
        assert said(wire)[0].get("QnRtn") == "2", "no other platform sets our password"


def test_noise_and_the_other_sum() -> None:
    reporter = Reporter(SHANGHAI, crc=Crc.MODBUS)
    reporter.offer(7, Segment(cn="2011", mn="M", flag=4))
    [found] = Framer().feed(reporter.due(AT))
    assert isinstance(found, Frame)
    assert found.crc is Crc.MODBUS
    assert reporter.feed(b"noise##0016" + b"a" * 16 + b"0000\r\n") == (b"", [])
    assert reporter.feed(encode_frame(b"a" * 20)) == (b"", [])
