"""The laws of a bus, in virtual time: whose answer it is, what a bad slave costs the others, and that deadlines hold."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.dialogue import Order
from drivers.modbus.command import task
from drivers.modbus.master import Limits, Master
from drivers.modbus.poll import Carried, Polled, Target
from drivers.modbus.register_map import Control, Module, Register, RegisterMap
from drivers.modbus.station import Station
from drivers.modbus.wire import Framing, RtuFraming, TcpFraming
from simulators.modbus_slaves import Fault, Line
from tests.drivers.modbus.virtual import FAMILY, MODULE, Virtual, slave, targets, truth

BAD = {3: Fault(dead=True), 7: Fault(late=0.6), 11: Fault(garbled=1.0), 14: Fault(exception=4)}
UNITS = range(1, 17)
BAUD = 9_600


def bus(faults: dict[int, Fault], limits: Limits, *, rtu: bool = True, period: float = 0.01) -> Virtual:
    framing: Framing = RtuFraming() if rtu else TcpFraming()
    master = Master(framing, targets(UNITS, period), limits, 0.0)
    line = Line(
        [slave(unit, faults.get(unit)) for unit in UNITS], Random(4), rtu=rtu, baud=BAUD if rtu else 0
    )
    return Virtual(master, line)


def check_values(run: Virtual) -> None:
    for unit, readings in run.readings().items():
        for reading in readings:
            assert reading.values.items() <= truth(unit).items(), unit
            assert reading.stale.items() <= truth(unit).items(), unit


@pytest.mark.parametrize("rtu", [True, False])
def test_sixteen_slaves_four_of_them_bad(rtu: bool) -> None:
    """At 9,600 baud the twelve healthy ones get at least 95 % of what the wire can give."""
    limits = Limits(timeout=0.5, pause=3.5 * 11 / BAUD if rtu else 0.0)
    run = bus(BAD, limits, rtu=rtu)
    if not rtu:
        run.line.slaves[11].fault = Fault(dead=True)
    run.run(120.0)
    check_values(run)
    readings = run.readings()
    exchange = run.line.wire(8) + run.line.wire(5 + 6) + 0.01 + limits.pause
    ideal = 120.0 / (12 * 2 * exchange)
    healthy = [len(readings[unit]) for unit in UNITS if unit not in BAD]
    assert min(healthy) >= 0.95 * ideal, (min(healthy), ideal)
    assert max(healthy) - min(healthy) <= 2
    assert run.longest <= limits.timeout + 1e-5
    assert set(readings) == set(UNITS) - set(BAD)


def test_one_dead_slave_costs_the_others_at_most_a_tenth() -> None:
    limits = Limits(timeout=1.0)
    well, ill = bus({}, limits), bus({5: Fault(dead=True)}, limits)
    well.run(120.0)
    ill.run(120.0)
    alone = len(well.readings()[1])
    assert len(ill.readings()[1]) >= 0.9 * alone * 16 / 15


def test_a_slave_that_comes_back_is_heard_again() -> None:
    run = bus({5: Fault(dead=True)}, Limits(timeout=0.5))
    run.run(60.0)
    assert 5 not in run.readings()
    run.line.slaves[5].fault = Fault()
    run.run(125.0)
    assert len(run.readings()[5]) > 20


def test_one_lost_frame_costs_a_slave_no_more_than_a_poll() -> None:
    run = bus({}, Limits(timeout=0.2), period=1.0)
    run.run(10.0)
    run.line.slaves[5].fault = Fault(dead=True)
    run.run(11.0)
    run.line.slaves[5].fault = Fault()
    run.run(20.0)
    assert len(run.readings()[5]) >= 18


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.integers(1, 16),
        st.builds(
            Fault,
            dead=st.booleans(),
            late=st.floats(0, 1.5),
            garbled=st.sampled_from([0.0, 0.2, 0.7]),
            exception=st.sampled_from([0, 0, 0, 2, 4, 6]),
        ),
        max_size=16,
    ),
    st.booleans(),
)
def test_no_fault_ever_puts_a_value_on_the_wrong_device(faults: dict[int, Fault], rtu: bool) -> None:
    if not rtu:
        for fault in faults.values():
            fault.garbled = 0.0  # TCP's own checksum sees to that
    run = bus(faults, Limits(timeout=0.3), rtu=rtu, period=0.3)
    run.run(15.0)
    check_values(run)
    assert run.longest <= 0.3 + 1e-5


def test_a_late_answer_of_the_same_shape_is_not_taken_for_the_next() -> None:
    """Both reads of the module have answers of one length: the late one to the first must not fill the second."""
    run = bus({1: Fault(late=0.35)}, Limits(timeout=0.3), period=0.05)
    run.run(10.0)
    run.line.slaves[1].fault = Fault()
    run.run(120.0)
    check_values(run)
    assert run.readings()[1]


def test_registers_that_fault_are_found_once_and_remembered() -> None:
    run = bus({}, Limits(timeout=0.3), period=1.0)
    run.line.slaves[2].holes = (("holding", 1, 1),)
    run.run(10.0)
    station = run.master.targets[1].stations[0]
    assert [tuple(read) for read in station.plan.lost] == [("holding", 1, 1)]
    known = run.master.counters.exceptions
    assert 0 < known < 5
    run.run(20.0)
    assert run.master.counters.exceptions == known
    expected = {name: value for name, value in truth(2).items() if name != "pm25"}
    assert run.readings()[2][-1].values == expected


def test_a_slave_without_any_of_the_registers_is_asked_ever_more_rarely() -> None:
    run = bus({2: Fault(exception=2)}, Limits(timeout=0.3), period=0.01)
    run.run(60.0)
    asked = run.line.slaves[2].asked
    run.run(120.0)
    assert run.line.slaves[2].asked - asked < 40
    assert 2 not in run.readings()


SPRAY = Register("spray", 20, table="coil")
COMMANDED = RegisterMap(
    (Module("main", (*MODULE.registers, SPRAY), (Control("spray", SPRAY, "state"),), MODULE.holes),)
)


def commanded(fault: Fault | None = None) -> Virtual:
    module = COMMANDED.modules[0]
    line = Line(
        [slave(unit, fault if unit == 1 else None, module=module) for unit in UNITS],
        Random(4),
        rtu=True,
        baud=BAUD,
    )
    line.slaves[1].extent["coil"] = 31
    return Virtual(Master(RtuFraming(), targets(UNITS, 0.01, module), Limits(0.3), 0.0), line)


def order(run: Virtual, expires: float = 60.0) -> None:
    run.master.command(
        task(
            Order("c1", "spray", {"state": 1.0, "duration": 60.0}, 0),
            COMMANDED,
            FAMILY,
            {"main": 1},
            0,
            expires,
        )
    )


def carried(run: Virtual) -> list[Carried]:
    return [event for _, event in run.said if isinstance(event, Carried)]


def test_a_command_goes_before_polls_and_is_proven_by_its_read_back() -> None:
    run = commanded()
    run.run(5.0)
    order(run)
    run.run(5.2)
    assert [(one.result, one.values) for one in carried(run)] == [("applied", {"spray": 1.0})]
    assert run.line.slaves[1].image["coil"][20] == 1


def test_a_command_that_nobody_answers_is_tried_twice_and_then_failed() -> None:
    run = commanded(Fault(dead=True))
    order(run)
    run.run(3.0)
    assert [(one.result, one.error) for one in carried(run)] == [("failed", "no answer within 0.3 s")]


def test_an_expired_command_is_not_sent() -> None:
    run = commanded()
    order(run, expires=-1.0)
    run.run(1.0)
    assert [one.error for one in carried(run)] == ["expired before it could be sent"]
    assert run.line.slaves[1].asked > 0
    assert "coil" not in run.line.slaves[1].image


def test_a_dead_module_leaves_its_newest_values_marked_and_the_rest_fresh() -> None:
    meter = Module("a", MODULE.registers[:3])
    inputs = Module("b", MODULE.registers[3:])
    target = Target("D", (Station(1, meter, FAMILY), Station(2, inputs, FAMILY)), 1.0)
    line = Line([slave(1), slave(2)], Random(4), rtu=True, baud=BAUD)
    run = Virtual(Master(RtuFraming(), [target], Limits(0.3), 0.0), line)
    run.run(5.0)
    line.slaves[1].fault = Fault(dead=True)
    run.run(10.0)
    last = [event for _, event in run.said if isinstance(event, Polled)][-1]
    assert set(last.stale) == {"pm10", "pm25", "tsp"}
    assert set(last.values) == {"noise", "temperature", "humidity"}
