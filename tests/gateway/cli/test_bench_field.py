"""The field protocols' lines of the benchmark: read from what the gateway says of itself, and never without their error."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.modbus.poll import BOUNDS
from gateway.cli.bench import modbus
from gateway.cli.bench.figure import Figure
from gateway.cli.bench.hj212 import hj212
from gateway.cli.bench.simulator import simulating
from gateway.errors import LinkError

EDGES = [*map(str, BOUNDS), "+Inf"]


def counts(**at: float) -> list[float]:
    """Cumulative, as a histogram has them."""
    running, found = 0.0, []
    for edge in EDGES:
        running += at.get(f"le_{edge}".replace(".", "_").replace("+", ""), 0)
        found.append(running)
    return found


def test_a_share_is_told_by_the_upper_edge_of_its_bucket() -> None:
    found = counts(le_0_005=990, le_0_25=9, le_Inf=1)
    assert modbus._edge(EDGES, found, 0.99) == 5.0
    assert modbus._edge(EDGES, found, 0.999) == 250.0
    assert modbus._edge(EDGES, found, 1.0) == modbus.BEYOND


def test_jitter_is_read_of_every_bus_and_of_nothing_else() -> None:
    text = (
        'citygate_modbus_jitter_seconds_bucket{bus="b0",le="0.001"} 3.0\n'
        'citygate_modbus_jitter_seconds_bucket{bus="b1",le="+Inf"} 5.0\n'
        'citygate_modbus_jitter_seconds_count{bus="b1"} 5.0\n'
        'citygate_modbus_period_seconds{bus="b1",device="C-1"} 1.0\n'
    )
    assert modbus.JITTER.findall(text) == [("0.001", "3.0"), ("+Inf", "5.0")]


def test_the_registers_of_the_load_are_one_read_of_twenty() -> None:
    assert (modbus.LENGTH, len(modbus.REGISTERS)) == (20, 10)
    assert "voltage_a = 0" in modbus.DECLARED


async def test_a_simulator_that_does_not_come_up_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match=r"no_such did not start: .*No module named"):
        async with simulating(tmp_path, "simulators.no_such"):
            pass


async def test_a_farm_says_its_port_and_goes_when_it_is_told(tmp_path: Path) -> None:
    async with simulating(tmp_path, modbus.FARM, 1) as farm:
        assert 0 < int(farm.first) < 65_536
        assert await farm.finish() == ""


@pytest.mark.drill
async def test_the_lines_are_measured_in_small() -> None:
    found: list[Figure] = [*await modbus.modbus(3.0, slaves=20), *await hj212(3.0, stations=20, period=1.0)]
    assert [one.error for one in found if one.error] == []
    assert len(found) == 7
