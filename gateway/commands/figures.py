"""What became of commands, for /metrics: how many came into each state since the start, and the kill switch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from drivers.families import FAMILIES
from gateway.commands.lifecycle import InstructionEvent, State
from gateway.commands.record import Change

COMMANDED: Final = tuple(name for name, family in FAMILIES.items() if family.commands)


class CommandFigures(Collector):
    """stopped: whether the kill switch is pulled."""

    def __init__(self, stopped: Callable[[], bool]) -> None:
        self._stopped = stopped
        self._commands: Counter[tuple[str, str]] = Counter()
        self._instructions: Counter[str] = Counter()

    def count(self, changes: Iterable[Change]) -> None:
        """What history has gained."""
        for one in changes:
            if one.kind == "command":
                self._commands[one.family, one.state] += 1
            else:
                self._instructions[one.event] += 1

    def collect(self) -> Iterator[Metric]:
        commands = CounterMetricFamily(
            "citygate_commands", "Commands that came into a state", labels=["family", "state"]
        )
        for family in COMMANDED:
            for state in State:
                if state is not State.NEW:
                    commands.add_metric([family, state], self._commands[family, state])
        yield commands
        instructions = CounterMetricFamily(
            "citygate_instructions", "Changes of instructions, as a whole", labels=["event"]
        )
        for event in InstructionEvent:
            instructions.add_metric([event], self._instructions[event])
        yield instructions
        yield GaugeMetricFamily(
            "citygate_downlink_stopped", "1 while the kill switch is pulled", float(self._stopped())
        )
