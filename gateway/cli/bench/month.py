"""The drill `month` in virtual time: how much faster than real a thousand devices pass through the pipeline."""

from __future__ import annotations

from typing import Final

from drivers.telemetry import DAY
from gateway.cli.bench.figure import Figure, of
from gateway.cli.drill import play
from simulators.drill import scenario
from simulators.drill.scenario import Scenario

NAME: Final = "month"
DAYS: Final = 2
BUDGET: Final = 500.0  # times real time


async def month(days: float = DAYS, devices: int | None = None) -> list[Figure]:
    """The first days of the shipped scenario, with as many of its faults as such a time would have."""
    asked = shortened(scenario.read(scenario.find(NAME)), days, devices)
    played = await play(asked, asked.seed)
    name = f"{days:g} days of the drill {NAME}, {asked.devices:,} devices"
    note = f"{played.messages:,} messages in {played.seconds:.0f} s, score apart"
    return [of(name, "x", [played.speed], BUDGET, least=True, note=note)]


def shortened(whole: Scenario, days: float, devices: int | None = None) -> Scenario:
    """Its first days; fewer devices have fewer faults too."""
    lasts, size = int(days * DAY), devices or whole.devices
    share = lasts / whole.lasts * size / whole.devices
    random = [one.model_copy(update={"count": max(1, round(one.count * share))}) for one in whole.random]
    return whole.model_copy(update={"lasts": lasts, "devices": size, "random": tuple(random)})
