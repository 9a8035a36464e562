"""Whatever people, lamps, time and kills do, in any order: the limits of law 7 are never passed."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, Row, func, select

from drivers.telemetry import MINUTE, SECOND
from gateway.commands.lifecycle import INSTRUCTION_TRANSITIONS, TRANSITIONS, InstructionState, State
from gateway.errors import CallerError
from gateway.store.schema.commands import command, command_event, instruction
from tests.gateway.commands.town import NIGHT, Town, open_town

T = TypeVar("T")
PEOPLE: Final = ("token:ann", "token:bob", "rule:dust")
STREETS: Final = {"xuhui/tianping": 30, "xuhui/caohejing": 24}
ALONE: Final = 5  # devices of one person at most, so that a small town has large instructions
LIMITS: Final[dict[str, Any]] = {
    "second_person_from": ALONE + 1,
    "area_share": 0.2,
    "stages": [1, 3, 9],
    "failures": 0.3,
    "linkage": ["dim"],
    "approval": 5 * MINUTE,
    "staged": 30 * MINUTE,
}
LAMPS: Final = tuple(
    f"{area.rpartition('/')[2]}-{n:04}" for area, count in STREETS.items() for n in range(count)
)
MEMORY: Final = Path("/dev/shm")
PER_RUN: Final = 100


def folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)


class Machine(RuleBasedStateMachine):
    ground: Path  # a town that was built once; each run has a copy
    steps = 0  # of all runs

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.open = AsyncExitStack()
        self.folder = folder()
        self.asked: list[str] = []
        self.pulled = False
        self.looked = (0, 0)  # lines of history, and commands sent, when the limits were looked at last

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def tried(self, work: Coroutine[Any, Any, T]) -> T | None:
        """None where the limits refuse it."""
        try:
            return self.run(work)
        except CallerError:
            return None

    @initialize()
    def begin(self) -> None:
        place = Path(self.folder.name) / "town"
        shutil.copytree(self.ground, place)
        self.town: Town = self.run(self.open.enter_async_context(open_town(place, NIGHT, **LIMITS)))
        self.lamps = LAMPS

    def teardown(self) -> None:
        self.run(self.open.aclose())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        self.folder.cleanup()

    @rule(
        who=st.sampled_from(PEOPLE),
        start=st.integers(0, 53),
        n=st.sampled_from([1, 1, 2, 3, 6, 12, 30]),
        order=st.sampled_from([("switch", {"state": 0}), ("switch", {"state": 1}), ("dim", {"level": 50.0})]),
        lifetime=st.sampled_from([30 * SECOND, 2 * MINUTE, 10 * MINUTE]),
    )
    def wish(self, who: str, start: int, n: int, order: tuple[str, dict[str, float]], lifetime: int) -> None:
        lamps = tuple(self.lamps[start : start + n])
        one = self.tried(self.town.wish(order[0], order[1], who, devices=lamps, lifetime=lifetime))
        if one is not None:
            assert not self.pulled
            self.asked.append(one.id)

    @precondition(lambda self: self.asked)
    @rule(who=st.sampled_from(PEOPLE[:2]), which=st.integers(0, 1000))
    def agree(self, who: str, which: int) -> None:
        self.tried(self.town.commands.approve(self.asked[-1 - which % min(len(self.asked), 4)], who))

    @precondition(lambda self: self.asked)
    @rule(which=st.integers(0, 1000))
    def take_back(self, which: int) -> None:
        self.tried(self.town.commands.refuse(self.asked[which % len(self.asked)], "token:bob", "no"))

    @rule(seconds=st.sampled_from([0, 1, 20, 59, 61, 200, 700]))
    def passes(self, seconds: int) -> None:
        self.run(self.town.passes(seconds))

    @rule(share=st.sampled_from([0.0, 0.5, 0.9, 1.0]), data=st.data())
    def lamps_answer(self, share: float, data: st.DataObject) -> None:
        """So many of the last ones do as they are told; the others say that they could not."""
        last = list(dict.fromkeys(reversed(self.town.lamps.told())))[:12]
        obedient = last[: round(share * len(last))]
        self.run(self.town.obey(obedient))
        if len(obedient) < len(last) and data.draw(st.booleans()):
            self.run(self.town.reply(last[len(obedient)], "failed"))

    @rule(lamps=st.sets(st.integers(0, 53), max_size=6))
    def radio(self, lamps: set[int]) -> None:
        self.town.lamps.away = {self.lamps[lamp] for lamp in lamps}

    @rule()
    def pull(self) -> None:
        self.run(self.town.commands.stop("token:bob", "smoke"))
        self.pulled = True
        assert self.town.lamps.halted

    @precondition(lambda self: self.pulled)
    @rule()
    def release(self) -> None:
        self.run(self.town.commands.resume("token:ann", "no more smoke"))
        self.pulled = False

    @rule()
    def killed(self) -> None:
        """Another process goes on with what stands in operations."""
        self.town.lamps.halted = False
        self.town = self.town.restart(**LIMITS)
        self.run(self.town.commands.load())
        assert self.town.lamps.halted is self.pulled

    @invariant()
    def limits_hold(self) -> None:
        type(self).steps += 1
        if not self.asked:
            return
        sent = [(order.id, lamp, at) for lamp, order, at in self.town.lamps.sent]
        found = self.run(self.town.city.store.read(lambda conn: self._news(conn, len(sent))))
        if found is None:
            return
        rows, listed, lines = found
        orders = {one.id: one for one in listed}
        known = {row.id: row for row in rows}
        self._each_once_a_minute_in_its_time(sent, known)
        for order in orders.values():
            self._two_people_and_stages(order, [row for row in rows if row.instruction == order.id])
        self._alone(orders, rows)
        self._states(lines, known, orders)

    def _news(
        self, conn: Connection, sent: int
    ) -> tuple[list[Row[Any]], list[Row[Any]], list[Row[Any]]] | None:
        """Commands, instructions and their history, where any of it is new: no state changes without a line."""
        looked = conn.scalar(select(func.max(command_event.c.id))) or 0, sent
        if looked == self.looked:
            return None
        self.looked = looked
        rows, listed, lines = (
            list(conn.execute(select(one))) for one in (command, instruction, command_event)
        )
        return rows, listed, lines

    @staticmethod
    def _each_once_a_minute_in_its_time(sent: list[tuple[str, str, int]], known: dict[str, Any]) -> None:
        last: dict[str, int] = {}
        assert len({id_ for id_, _, _ in sent}) == len(sent), "nothing is sent twice"
        for id_, lamp, at in sent:
            assert at - last.get(lamp, 0) >= MINUTE, "one a lamp a minute"
            last[lamp] = at
            assert known[id_].device == lamp
            assert at < known[id_].expires, "an expired command never leaves"
            assert known[id_].sent == at

    @staticmethod
    def _two_people_and_stages(order: Any, rows: list[Any]) -> None:
        left = [row for row in rows if row.sent is not None]
        if order.second and left:
            assert order.approver not in {"", order.actor}, "a second person agreed"
        for row in left:
            former = [one for one in rows if one.stage < row.stage]
            assert all(one.sent is not None or one.state in {"failed", "expired"} for one in former)
            for stage in {one.stage for one in former}:
                there = [one for one in former if one.stage == stage]
                lost = [
                    one for one in there if one.state in {"failed", "expired"} and one.changed <= row.sent
                ]
                assert len(lost) < LIMITS["failures"] * len(there), "failures stop the rest"
                assert all(one.state in {"effective", "failed", "expired"} for one in there), (
                    "a stage is confirmed first"
                )

    @staticmethod
    def _alone(orders: dict[str, Any], rows: list[Any]) -> None:
        """No person alone reaches more lamps within ten minutes than one may."""
        for who in PEOPLE[:2]:
            mine = sorted((o.created, o.id) for o in orders.values() if o.actor == who and not o.second)
            for created, _ in mine:
                lately = {id_ for at, id_ in mine if created - 10 * MINUTE < at <= created}
                lamps = {row.device for row in rows if row.instruction in lately}
                assert len(lamps) <= ALONE

    @staticmethod
    def _states(lines: list[Any], known: dict[str, Any], orders: dict[str, Any]) -> None:
        """History leads, by the tables, to the state that stands."""
        state: dict[str, Any] = {}
        for line in lines:
            if line.command:
                before = state.get(line.command, State.NEW)
                state[line.command] = TRANSITIONS[before][line.event]
            else:
                start = state.get(line.instruction, InstructionState.NEW)
                state[line.instruction] = INSTRUCTION_TRANSITIONS[start][line.event]
            assert state[line.command or line.instruction] == line.state
            assert line.actor
        assert all(state[id_] == row.state for id_, row in {**known, **orders}.items())


async def build(ground: Path) -> None:
    async with open_town(ground, NIGHT, **LIMITS) as town:
        for area, count in STREETS.items():
            await town.street(count, area)


def machine(examples: int, steps: int, number: int | None = None) -> int:
    """How many steps were taken. number: of the random sequences, where they are not to be those of the last call."""
    Machine.steps = 0
    with folder() as name:
        Machine.ground = Path(name)
        asyncio.run(build(Machine.ground))
        run_state_machine_as_test(
            Machine if number is None else seed(number)(Machine),
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    return Machine.steps


def test_no_sequence_passes_the_limits() -> None:
    assert machine(6, 25)


@pytest.mark.drill
def test_fifty_thousand_steps_pass_no_limit() -> None:
    taken, turn = 0, 0
    while taken < 50_000:
        taken += machine(50, PER_RUN, turn)
        turn += 1
    print(f"\n{taken:,} steps")
