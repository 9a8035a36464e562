"""From requested to effective: each state says what is known of the lamp, and nothing is taken on trust."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.telemetry import MINUTE
from gateway.commands.confirm import effect, read_back
from gateway.commands.lifecycle import InstructionState, State
from gateway.errors import Conflict, Invalid, NotFound
from tests.gateway.commands.town import ANN, open_town


async def test_a_lamp_is_dimmed_and_its_power_follows(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        await town.lamp("L1")
        one = await town.wish("dim", {"level": 40}, devices=("L1",))
        assert await town.states(one) == [State.SENT]
        town.commands.delivered((await town.of(one))[0].id)
        await town.passes(1)
        assert await town.states(one) == [State.DELIVERED]
        assert await town.reply("L1", dimming=40)
        assert await town.states(one) == [State.APPLIED]
        assert (await town.again(one)).state is InstructionState.RUNNING, "nobody has seen it burn lower yet"
        town.says("L1", power=96)
        await town.passes(1)
        assert await town.states(one) == [State.APPLIED], "96 W is no lamp of 100 W at 40 %"
        town.says("L1", power=43)
        await town.passes(1)
        assert await town.states(one) == [State.EFFECTIVE]
        assert (await town.again(one)).state is InstructionState.DONE
        told = [
            (line.event, line.actor) for line in await town.commands.history(one.id, 0, 100) if line.command
        ]
        assert told == [
            ("request", ANN),
            ("approve", "gateway"),
            ("send", "gateway"),
            ("deliver", "transport"),
            ("apply", "device:L1"),
            ("effect", "telemetry"),
        ]
        assert [change.event for change in town.changes if change.kind == "command"] == [
            event for event, _ in told
        ]
        assert {change.area for change in town.changes if change.device} == {"xuhui/tianping"}


async def test_a_lamp_that_never_answers_is_believed_when_it_reads_back(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        await town.lamp("L1")
        one = await town.wish("switch", {"state": "on"}, devices=("L1",))
        town.says("L1", switch=1, power=98)
        await town.passes(1)
        assert await town.states(one) == [State.EFFECTIVE]


async def test_what_was_read_before_it_was_sent_confirms_nothing(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        await town.lamp("L1")
        town.says("L1", switch=1, power=98)
        await town.passes(10)
        one = await town.wish("switch", {"state": "on"}, devices=("L1",))
        await town.passes(1)
        assert await town.states(one) == [State.SENT]


async def test_a_lamp_that_says_yes_and_stays_dark_has_failed(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        await town.lamp("L1")
        one = await town.wish("switch", {"state": "on"}, devices=("L1",))
        await town.reply("L1", switch=1)
        town.says("L1", switch=1, power=0.6)
        await town.passes(5 * 60)
        assert await town.states(one) == [State.APPLIED], "its next report may still come"
        await town.passes(61)
        (told,) = await town.of(one)
        assert (told.state, told.error) == (State.FAILED, "applied, but no effect was seen")
        assert (await town.again(one)).state is InstructionState.STOPPED


async def test_a_reply_that_reads_back_otherwise_is_a_failure(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        await town.lamp("L1")
        one = await town.wish("dim", {"level": 40}, devices=("L1",))
        await town.reply("L1", dimming=80)
        assert await town.states(one) == [State.FAILED]


async def test_a_device_answers_for_itself_only_and_only_what_it_was_sent(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        await town.lamp("L1", "L2")
        town.lamps.away = {"L2"}
        one = await town.wish("switch", {"state": "on"}, devices=("L1",))
        other = await town.wish("switch", {"state": "on"}, devices=("L2",))
        (sent,), (waiting,) = await town.of(one), await town.of(other)
        assert not await town.reply("L2", id=sent.id)
        assert not await town.reply("L2", id=waiting.id)
        assert not await town.reply("L1", id="made-up")
        assert await town.reply("L1", "accepted")
        assert await town.states(one) == [State.DELIVERED]


async def test_a_restart_needs_no_effect_of_its_own(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        await town.lamp("L1")
        one = await town.wish("reportInterval", {"interval": 60}, devices=("L1",))
        await town.reply("L1")
        await town.passes(1)
        assert await town.states(one) == [State.APPLIED]
        assert (await town.again(one)).state is InstructionState.DONE


async def test_what_no_transport_takes_in_time_never_leaves(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        await town.lamp("L1")
        town.lamps.away = {"L1"}
        one = await town.wish("switch", {"state": "off"}, devices=("L1",), lifetime=MINUTE)
        await town.passes(61)
        town.lamps.away = set()
        await town.passes(1)
        assert (town.lamps.sent, await town.states(one)) == ([], [State.EXPIRED])


async def test_one_a_minute_reaches_a_lamp_and_the_newest_counts(tmp_path: Path, operations_url: str) -> None:
    async with open_town(tmp_path, url=operations_url) as town:
        await town.lamp("L1")
        first = await town.wish("switch", {"state": "off"}, devices=("L1",))
        second = await town.wish("switch", {"state": "on"}, devices=("L1",))
        await town.passes(59)
        assert await town.states(second) == [State.APPROVED]
        await town.passes(1)
        assert (await town.states(first), await town.states(second)) == ([State.FAILED], [State.SENT])
        assert (await town.of(first))[0].error == "a newer command has left"


async def test_another_process_goes_on_where_this_one_ended(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        await town.lamp("L1")
        one = await town.wish("switch", {"state": "on"}, devices=("L1",))
        other = town.restart()
        other.says("L1", switch=1, power=98)  # committed while nobody watched
        town.city.clock.time += 1_000_000
        await other.commands.load()
        await other.passes(1)
        assert await other.states(one) == [State.EFFECTIVE]
        assert len(town.lamps.sent) == 1, "nothing is sent twice"


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("explode", {}),
        ("dim", {}),
        ("dim", {"level": 101}),
        ("dim", {"level": float("nan")}),
        ("dim", {"level": "bright"}),
        ("switch", {"state": 0.5}),
        ("switch", {"state": "on", "more": 1}),
    ],
)
async def test_a_command_is_typed(tmp_path: Path, name: str, args: dict[str, float | str]) -> None:
    async with open_town(tmp_path) as town:
        await town.lamp("L1")
        with pytest.raises(Invalid):
            await town.wish(name, args, devices=("L1",))


async def test_a_product_is_told_only_what_it_can_be_told(tmp_path: Path) -> None:
    async with open_town(tmp_path, allow={"generic-streetlight": ["dim"]}) as town:
        await town.lamp("L1")
        await town.lamp("L2", product="modbus-lamp")
        await town.lamp("L3", product="fiware-streetlight")
        await town.wish("dim", {"level": 50}, devices=("L1",))
        await town.lamp("L4", product="dingtek-dc410", area="")
        with pytest.raises(Invalid, match="not within 3600 to 604800"):
            await town.wish("reportInterval", {"interval": 600}, devices=("L4",))
        for lamp, name, args in (
            ("L1", "switch", {"state": 1}),
            ("L2", "restart", {}),
            ("L3", "dim", {"level": 5}),
        ):
            with pytest.raises(Invalid, match="may be told"):
                await town.wish(name, args, devices=(lamp,))


async def test_a_command_has_bounds(tmp_path: Path) -> None:
    async with open_town(tmp_path, open_commands=3, second_person_from=1000) as town:
        await town.lamp("L1")
        town.lamps.away = {"L1"}
        for lifetime in (1, 8 * 24 * 60 * MINUTE):
            with pytest.raises(Invalid):
                await town.wish("switch", {"state": 1}, devices=("L1",), lifetime=lifetime)
        with pytest.raises(NotFound):
            await town.wish("switch", {"state": 1}, devices=("L1", "L9"))
        for _ in range(3):
            await town.wish("switch", {"state": 1}, devices=("L1",))
        with pytest.raises(Conflict, match="open commands"):
            await town.wish("switch", {"state": 1}, devices=("L1",))


async def test_the_same_key_is_the_same_instruction(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        await town.lamp("L1", "L2")
        one = await town.wish("switch", {"state": "on"}, devices=("L1",), key="evening")
        again = await town.wish("switch", {"state": "on"}, devices=("L1",), key="evening")
        assert (again.id, len(town.lamps.sent)) == (one.id, 1)
        other = await town.wish("switch", {"state": "on"}, "token:bob", devices=("L1",), key="evening")
        assert other.id != one.id, "a key is its owner's"
        for args, lamp in (({"state": "off"}, "L1"), ({"state": "on"}, "L2")):
            with pytest.raises(Conflict, match="key"):
                await town.wish("switch", args, devices=(lamp,), key="evening")


@pytest.mark.parametrize(
    ("name", "args", "said", "rated", "verdict"),
    [
        ("switch", {"state": 1}, {"power": 98.0}, 100.0, True),
        ("switch", {"state": 1}, {"power": 4.0}, 100.0, False),
        ("switch", {"state": 1}, {"power": 9.0}, None, True),
        ("switch", {"state": 0}, {"power": 0.6}, 100.0, True),
        ("switch", {"state": 0}, {"power": 60.0}, 100.0, False),
        ("switch", {"state": 1}, {"voltage": 230.0}, 100.0, None),
        ("dim", {"level": 50}, {"power": 53.0}, 100.0, True),
        ("dim", {"level": 50}, {"power": 99.0}, 100.0, False),
        ("dim", {"level": 10}, {"power": 1.0}, 100.0, False),
        ("dim", {"level": 0}, {"power": 1.0}, 100.0, True),
        ("contactor", {"state": 1}, {"contactor_feedback": 0.0}, None, False),
        ("spray", {"state": 1}, {"spray": 1.0}, None, None),
    ],
)
def test_what_shows_an_effect(
    name: str, args: dict[str, float], said: dict[str, float], rated: float | None, verdict: bool | None
) -> None:
    assert effect(name, args, said, rated) is verdict


@pytest.mark.parametrize(
    ("name", "args", "said", "verdict"),
    [
        ("dim", {"level": 50}, {"dimming": 51.0}, True),
        ("dim", {"level": 50}, {"dimming": 60.0}, False),
        ("dim", {"level": 50}, {"switch": 1.0}, None),
        ("spray", {"state": 1, "duration": 60}, {"spray": 1.0}, True),
        ("contactor", {"state": 0}, {"contactor": 1.0}, False),
        ("restart", {}, {"switch": 1.0}, None),
    ],
)
def test_what_reads_back(
    name: str, args: dict[str, float], said: dict[str, float], verdict: bool | None
) -> None:
    assert read_back(name, args, said) is verdict
