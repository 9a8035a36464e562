"""Silence behind a broker link: its timers stand still while the link is down, live and in replay alike."""

from __future__ import annotations

from hypothesis import given, settings

from drivers.telemetry import MINUTE
from rules.control import Control, DeviceRow, Devices, GatewayUp, LinkDown, LinkUp, Rules
from rules.control import decode as decode_control
from rules.control import encode as encode_control
from rules.engine import Engine
from rules.transition import Transition
from tests.rules.live import Live
from tests.rules.streams import (
    EXAMPLES,
    FAMILIES,
    PROBE,
    START,
    Restart,
    Row,
    Step,
    Sweep,
    batch_of,
    rule,
    streams,
)
from tests.rules.test_oracle import shown


class Town:
    """Two devices behind one link, one elsewhere; each is silent after five minutes."""

    def __init__(self) -> None:
        self.engine = Engine(FAMILIES)
        self.now = START
        self.said: list[tuple[int, int, bool]] = []  # minute, device, raised
        rows = [DeviceRow(index, f"p-{index}", "p", link=link) for index, link in enumerate(("a", "a", "b"))]
        self.control(Devices("probe", rows), Rules([rule("quiet", "silent(5m)")]))
        self.at(0)

    def at(self, minute: float) -> None:
        """The clock goes on, with a sweep each minute."""
        end = START + int(minute * MINUTE)
        while self.now < end:
            self.now = min(self.now + MINUTE, end)
            self._note(self.engine.sweep(self.now))
        self._note(self.engine.sweep(self.now))

    def hear(self, *devices: int) -> None:
        rows = [Row(PROBE, device, self.now, self.now, {"tilt": (1.0, 0)}) for device in devices]
        self._note(self.engine.hear(batch_of(rows)))

    def control(self, *controls: Control) -> None:
        for control in controls:
            self.engine.control(control)

    def down(self, link: str) -> None:
        self.control(LinkDown(link, self.now))

    def up(self, link: str) -> None:
        self.control(LinkUp(link, self.now))

    def _note(self, said: list[Transition]) -> None:
        self.said += [((each.time - START) // MINUTE, each.index, each.raised) for each in said]


def test_nobody_behind_a_link_falls_silent_while_it_is_down() -> None:
    town = Town()
    town.at(2)
    town.hear(0)
    town.at(3)
    town.down("a")
    town.at(60)
    assert town.said == [(5, 2, True)]
    town.up("a")
    town.at(62)
    assert town.said[1:] == [(62, 1, True)]  # 3 minutes before the outage, 2 after it
    town.at(64)
    assert town.said[2:] == [(64, 0, True)]


def test_who_was_silent_before_the_outage_is_heard_through_it() -> None:
    town = Town()
    town.at(6)
    town.down("a")
    town.at(10)
    town.hear(1)  # by another way
    town.up("a")
    assert town.said == [(5, 0, True), (5, 1, True), (5, 2, True), (10, 1, False)]


def test_what_comes_with_the_link_but_before_its_control_row_is_no_end_of_a_silence() -> None:
    town = Town()
    town.at(1)
    town.down("a")
    town.at(30)
    town.hear(0)
    town.up("a")
    town.at(34)
    assert [each for each in town.said if each[1] != 2] == [(34, 1, True)]
    town.at(35)
    assert town.said[-1] == (35, 0, True)


def test_a_restart_of_the_gateway_within_the_outage_counts_once() -> None:
    town = Town()
    town.at(2)
    town.down("a")
    town.at(4)
    restarted = Engine(FAMILIES)
    restarted.restore(town.engine.snapshot())
    town.engine = restarted
    down = town.now
    town.now += 10 * MINUTE
    town.control(GatewayUp(down, town.now), LinkDown("a", town.now))
    town.at(15)
    assert town.said == [(15, 2, True)]
    town.at(20)
    town.up("a")
    town.at(22)
    assert town.said[1:] == []
    town.at(23)
    assert town.said[1:] == [(23, 0, True), (23, 1, True)]


def test_who_moves_to_another_link_during_the_outage_starts_anew() -> None:
    town = Town()
    town.at(1)
    town.down("a")
    town.at(20)
    town.control(Devices("probe", [DeviceRow(0, "p-0", "p", link="b")]))
    town.at(20)
    town.at(24)
    assert [each for each in town.said if each[1] != 2] == []
    town.at(25)
    assert town.said[-1] == (25, 0, True)


def test_the_engine_knows_the_links_of_the_log() -> None:
    engine = Engine(FAMILIES)
    for control in (LinkDown("a", 5), LinkDown("a", 9), LinkUp("b", 6)):
        assert decode_control(encode_control(control)) == control
        engine.control(control)
    assert engine.links == {"a": 5, "b": None}


@settings(max_examples=EXAMPLES // 5)
@given(streams)
def test_outages_hide_nothing_from_a_replay_without_sweeps(log: list[Step]) -> None:
    kinds = (Row, Sweep, Restart, GatewayUp, LinkDown, LinkUp)
    steady = [step for place, step in enumerate(log) if place < 5 or isinstance(step, kinds)]
    assert shown(Live(3, sweeps=False).run(steady)) == shown(Live(100).run(steady))
