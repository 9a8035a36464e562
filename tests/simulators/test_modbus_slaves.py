"""Simulated slaves answer as the standard says, take the time of their line, and fail as they are told."""

from __future__ import annotations

from random import Random

import pytest

from drivers.modbus.plan import Read
from drivers.modbus.wire import (
    Answer,
    Request,
    RtuFraming,
    TcpFraming,
    read_request,
    write_coil,
    write_registers,
)
from simulators.modbus_slaves import Fault, Line, Slave

IMAGE = {"holding": {0: 17, 1: 34, 9: 51}, "coil": {0: 1, 1: 0, 9: 1}}


def line(fault: Fault | None = None, *, rtu: bool = True, baud: int = 0) -> Line:
    image = {table: dict(cells) for table, cells in IMAGE.items()}
    return Line(
        [Slave(5, image, fault or Fault(), holes=(("holding", 4, 4),))], Random(1), rtu=rtu, baud=baud
    )


def ask(on: Line, request: Request) -> list[Answer | None]:
    framing = RtuFraming() if on.rtu else TcpFraming()
    frame = framing.frame(request)
    return [framing.take(sent, request, ())[0] for _, sent in on.hear(frame)]


@pytest.mark.parametrize("rtu", [True, False])
def test_reads_and_writes_are_answered(rtu: bool) -> None:
    on = line(rtu=rtu)
    assert ask(on, read_request(5, Read("holding", 0, 2))) == [Answer(b"\0\x11\0\x22")]
    assert ask(on, read_request(5, Read("coil", 0, 10))) == [Answer(b"\x01\x02")]
    for request in (write_coil(5, 1, on=True), write_registers(5, 2, [1, 2]), write_registers(5, 8, [7])):
        (answer,) = ask(on, request)
        assert answer is not None
        assert answer.exception == 0
    assert on.slaves[5].image["coil"][1] == 1
    assert [on.slaves[5].image["holding"][at] for at in (2, 3, 8)] == [1, 2, 7]


@pytest.mark.parametrize(
    ("read", "code"),
    [
        (Read("holding", 3, 3), 2),
        (Read("holding", 9, 2), 2),
        (Read("input", 0, 1), 2),
    ],
)
def test_what_a_slave_does_not_have_is_an_exception(read: Read, code: int) -> None:
    assert ask(line(), read_request(5, read)) == [Answer(b"", code)]


def test_a_request_beyond_what_a_frame_holds_is_an_exception() -> None:
    assert line().slaves[5].respond(b"\x03\x00\x00\x00\x7e") == b"\x83\x03"
    assert line().slaves[5].respond(b"\x2b\x0e\x01\x00") == b"\xab\x01"


def test_a_foreign_unit_a_dead_one_and_a_broken_request_are_not_answered() -> None:
    assert ask(line(), read_request(6, Read("holding", 0, 1))) == []
    assert ask(line(Fault(dead=True)), read_request(5, Read("holding", 0, 1))) == []
    assert line().hear(b"\x05\x03\x00\x00\x00\x01\x00\x00") == []


def test_bytes_take_the_time_of_the_line() -> None:
    on = line(Fault(late=0.5), baud=9_600)
    on.slaves[5].turnaround = 0.02
    ((delay, _),) = on.hear(RtuFraming().frame(read_request(5, Read("holding", 0, 2))))
    assert delay == pytest.approx(0.52 + (8 + 9) * 10 / 9_600)


def test_a_garbled_frame_fits_nothing() -> None:
    assert ask(line(Fault(garbled=1.0)), read_request(5, Read("holding", 0, 2))) == [None]


def test_an_excepting_slave_says_nothing_else() -> None:
    assert ask(line(Fault(exception=6)), write_coil(5, 0, on=True)) == [Answer(b"", 6)]
