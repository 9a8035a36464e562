"""What one person may not do alone, how it then goes out, and how all of it is stopped."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import select

from drivers.dialogue import encode_command
from drivers.telemetry import HOUR, MINUTE
from gateway.commands import switch
from gateway.commands.lifecycle import InstructionState, State
from gateway.commands.limits import stages
from gateway.commands.settings import CommandSettings
from gateway.commands.switch import BY_FILE, Stopped
from gateway.errors import Conflict, Forbidden, Invalid
from gateway.store.schema.registry import audit
from tests.gateway.commands.town import ANN, BOB, NIGHT, NOON, Town, open_town

OFF, ON = {"state": "off"}, {"state": "on"}


async def test_more_than_fifty_lamps_need_a_second_person(tmp_path: Path) -> None:
    async with open_town(tmp_path, area_share=1) as town:
        lamps = await town.street(52)
        fifty = await town.wish("switch", ON, devices=tuple(lamps[:50]))
        assert (fifty.state, fifty.second) == (InstructionState.RUNNING, "")
        more = await town.wish("switch", ON, BOB, devices=tuple(lamps[:51]))
        assert (more.state, more.second) == (
            InstructionState.REQUESTED,
            "51 devices, 50 at most by one person",
        )
        assert not set(await town.states(more)) - {State.REQUESTED}


async def test_fifty_now_and_one_more_soon_are_fifty_one(tmp_path: Path) -> None:
    async with open_town(tmp_path, area_share=1) as town:
        lamps = await town.street(51)
        await town.wish("switch", ON, devices=tuple(lamps[:50]))
        await town.passes(9 * 60)
        assert (await town.wish("switch", ON, devices=(lamps[50],))).state is InstructionState.REQUESTED
        assert (await town.wish("switch", ON, BOB, devices=(lamps[50],))).state is InstructionState.RUNNING
        await town.passes(61)
        assert (await town.wish("switch", ON, devices=(lamps[50],))).state is InstructionState.RUNNING


async def test_more_than_a_twentieth_of_an_area_needs_a_second_person(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        lamps = await town.street(60)
        far = await town.street(300, "xuhui/caohejing")
        assert (await town.wish("dim", {"level": 60}, devices=tuple(lamps[:3]))).second == ""
        four = await town.wish("dim", {"level": 60}, BOB, devices=tuple(lamps[:4]))
        assert four.second == "4 of the 60 devices of xuhui/tianping, 5% at most by one person"
        assert (await town.wish("dim", {"level": 60}, BOB, devices=tuple(far[:15]))).second == ""


async def test_the_only_lamp_of_an_area_is_no_share_of_it(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        await town.lamp("L1", "L2", area="minhang/qibao")
        assert (await town.wish("switch", OFF, devices=("L1",))).second == ""
        assert (await town.wish("switch", OFF, devices=("L2",))).second != "", "both together are"


@pytest.mark.parametrize(
    ("start", "name", "args", "lifetime", "needed"),
    [
        (NOON, "switch", OFF, 0, False),
        (NIGHT, "switch", OFF, 0, True),
        (NIGHT, "switch", ON, 0, False),
        (NIGHT, "dim", {"level": 9}, 0, True),
        (NIGHT, "dim", {"level": 10}, 0, False),
        (NOON, "switch", OFF, 7 * HOUR, True),  # it may still leave after sunset
    ],
)
async def test_lamps_go_out_at_night_only_by_two(
    tmp_path: Path, start: int, name: str, args: dict[str, float | str], lifetime: int, *, needed: bool
) -> None:
    async with open_town(tmp_path, start, area_share=1) as town:
        await town.lamp("L1", "L2")
        one = await town.wish(name, args, devices=("L1", "L2"), lifetime=lifetime)
        assert (one.second == "2 lamps would go out at night") is needed
        assert (await town.wish(name, args, devices=("L1",))).second == "", "a single lamp is a repair"


async def test_a_lamp_without_a_place_stands_in_the_dark(tmp_path: Path) -> None:
    async with open_town(tmp_path, NOON, area_share=1) as town:
        await town.lamp("L1", "L2", lat=None, lon=None)
        assert (await town.wish("switch", OFF, devices=("L1", "L2"))).second != ""


async def test_a_cabinet_is_as_many_lamps_as_hang_on_it(tmp_path: Path) -> None:
    async with open_town(tmp_path, NIGHT) as town:
        await town.city.devices.create(
            {"id": "C1", "product": "generic-cabinet", "area": "xuhui/tianping"}, ANN
        )
        await town.street(60, parent="C1")
        cut = await town.wish("contactor", OFF, devices=("C1",))
        assert cut.second.split("; ") == [
            "60 devices, 50 at most by one person",
            "60 of the 60 devices of xuhui/tianping, 5% at most by one person",
            "60 lamps would go out at night",
        ]
        dim = await town.wish("dim", {"level": 50}, BOB, cabinet="C1")
        assert (dim.devices, dim.stages) == (60, [1, 10, 49])


async def test_lamps_are_chosen_by_road_and_area(tmp_path: Path) -> None:
    async with open_town(tmp_path, second_person_from=1000, area_share=1) as town:
        await town.street(3, "xuhui/tianping/hengshan")
        await town.lamp("N1", name="和平路 42", area="jingan/daning")
        await town.lamp("N2", name="和平路东 1", area="jingan/daning")
        await town.lamp("M1", product="generic-manhole", area="xuhui/tianping", attributes={})
        counts = [
            (await town.wish("dim", {"level": 70}, **{kind: where})).devices
            for kind, where in (
                ("road", "hengshan"),
                ("road", "和平路"),
                ("area", "xuhui"),
                ("area", "jingan/daning"),
            )
        ]
        assert counts == [3, 1, 3, 2]
        with pytest.raises(Invalid, match="say the family"):
            await town.wish("restart", {}, area="xuhui")
        assert (await town.wish("restart", {}, area="xuhui", family="manhole")).devices == 1
        with pytest.raises(Invalid, match="one of them only"):
            await town.wish("dim", {"level": 70}, area="xuhui", road="hengshan")


async def big(town: Town, n: int = 200) -> tuple[list[str], str]:
    """An instruction for n lamps that waits for Bob."""
    lamps = await town.street(n)
    return lamps, (await town.wish("switch", ON, area="xuhui/tianping")).id


async def test_nobody_agrees_with_themselves_nor_too_late_nor_twice(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        _, asked = await big(town)
        with pytest.raises(Forbidden, match="second person"):
            await town.commands.approve(asked, ANN)
        one = await town.commands.approve(asked, BOB)
        assert (one.approver, one.state, one.stages) == (BOB, InstructionState.RUNNING, [1, 10, 100, 89])
        with pytest.raises(Conflict, match="not possible"):
            await town.commands.approve(asked, BOB)
        late = await town.wish("switch", ON, area="xuhui/tianping")
        await town.passes(15 * 60)
        assert (await town.again(late)).state is InstructionState.EXPIRED
        with pytest.raises(Conflict):
            await town.commands.approve(late.id, BOB)
        assert set(await town.states(late)) == {State.EXPIRED}


async def test_what_waits_can_be_taken_back(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        _, asked = await big(town)
        with pytest.raises(Invalid, match="why"):
            await town.commands.refuse(asked, ANN, " ")
        assert (await town.commands.refuse(asked, BOB, "wrong street")).state is InstructionState.REFUSED
        with pytest.raises(Conflict):
            await town.commands.approve(asked, BOB)
        assert town.lamps.sent == []


async def test_stages_follow_only_when_the_former_is_confirmed(tmp_path: Path, operations_url: str) -> None:
    async with open_town(tmp_path, url=operations_url) as town:
        _, asked = await big(town)
        await town.commands.approve(asked, BOB)
        for size, total in ((1, 1), (10, 11), (100, 111), (89, 200)):
            out = town.lamps.told()[-size:]
            assert len(town.lamps.sent) == total
            await town.passes(30)
            assert len(town.lamps.sent) == total, "nobody has confirmed yet"
            await town.obey(out)
            await town.passes(0)
        assert (await town.commands.find(asked)).state is InstructionState.DONE
        assert set(await town.states(await town.commands.find(asked))) == {State.EFFECTIVE}


async def test_five_in_a_hundred_stop_the_rest(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        _, asked = await big(town)
        await town.commands.approve(asked, BOB)
        await town.obey(town.lamps.told())
        await town.passes(0)
        await town.obey(town.lamps.told()[1:])
        await town.passes(0)
        hundred = town.lamps.told()[11:]
        for lamp in hundred[:4]:
            await town.reply(lamp, "failed")
        await town.passes(1)
        assert (await town.commands.find(asked)).state is InstructionState.RUNNING
        await town.reply(hundred[4], "failed")
        await town.passes(1)
        one = await town.commands.find(asked)
        assert (one.state, one.error) == (InstructionState.STOPPED, "5 of 100 in stage 3 did not confirm")
        await town.obey(hundred[5:])
        await town.passes(60)
        assert len(town.lamps.sent) == 111
        counts = await town.commands.counts(asked)
        assert counts == {State.EFFECTIVE: 106, State.FAILED: 94}


async def test_lamps_that_were_heard_of_late_go_first(tmp_path: Path) -> None:
    async with open_town(tmp_path, area_share=1) as town:
        await town.lamp("L1", "L2", "L3")
        town.says("L3", power=90)
        await town.passes(60)
        one = await town.wish("dim", {"level": 70}, devices=("L1", "L2", "L3"))
        assert [each.device for each in await town.of(one)] == ["L3", "L1", "L2"]


async def test_the_kill_switch_stops_all_and_outlives_a_restart(tmp_path: Path, operations_url: str) -> None:
    async with open_town(tmp_path, url=operations_url) as town:
        _, asked = await big(town)
        await town.commands.approve(asked, BOB)
        waiting = await town.wish("switch", ON, BOB, area="xuhui/tianping")
        with pytest.raises(Invalid, match="why"):
            await town.commands.stop(ANN, "")
        await town.commands.stop(ANN, "smoke in the cabinet")
        assert town.lamps.halted
        assert [(await town.again(one)).state for one in (waiting, await town.commands.find(asked))] == [
            InstructionState.STOPPED
        ] * 2
        with pytest.raises(Conflict, match="smoke"):
            await town.wish("switch", ON, devices=("tianping-0001",))
        await town.passes(60)
        other = town.restart()
        town.lamps.halted = False
        await other.commands.load()
        assert town.lamps.halted, "before any transport opens"
        with pytest.raises(Conflict, match="smoke"):
            await other.wish("switch", ON, devices=("tianping-0001",))
        await other.commands.resume(BOB, "fuse changed")
        await other.passes(600)
        assert len(town.lamps.sent) == 1, "what was stopped never comes back"
        await other.wish("switch", ON, devices=("tianping-0001",))
        assert len(town.lamps.sent) == 2
        rows = await town.city.store.read(
            lambda conn: list(conn.execute(select(audit).where(audit.c.object == "downlink:*")))
        )
        assert [(row.action, row.actor, row.detail["reason"]) for row in rows] == [
            ("downlink stopped", ANN, "smoke in the cabinet"),
            ("downlink resumed", BOB, "fuse changed"),
        ]


async def test_the_configuration_can_pull_the_switch_and_nobody_else_release_it(tmp_path: Path) -> None:
    async with open_town(tmp_path, enabled=False) as town:
        await town.lamp("L1")
        assert town.commands.stopped is not None
        assert town.commands.stopped.actor == BY_FILE
        with pytest.raises(Conflict):
            await town.wish("switch", ON, devices=("L1",))
        with pytest.raises(Conflict, match="enabled = true"):
            await town.commands.resume(ANN, "please")
        assert town.lamps.halted


async def test_the_file_pulls_and_releases_the_switch_of_a_running_gateway(tmp_path: Path) -> None:
    async with open_town(tmp_path, rate=0) as town:
        await town.lamp("L1", "L2")
        town.lamps.away = {"L1"}
        waiting = await town.wish("switch", ON, devices=("L1",))
        await town.commands.change(CommandSettings(enabled=False))
        assert town.lamps.halted
        assert await town.states(waiting) == [State.FAILED], "what had not left never will"
        with pytest.raises(Conflict):
            await town.wish("switch", ON, devices=("L2",))
        await town.commands.change(CommandSettings())
        assert await town.states(await town.wish("switch", ON, BOB, devices=("L2",))) == [State.SENT]


async def test_the_file_does_not_release_what_a_person_has_stopped(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        await town.commands.stop(ANN, "smoke in the cabinet")
        for enabled in (False, True):
            await town.commands.change(CommandSettings(enabled=enabled))
            assert town.commands.stopped is not None
            assert town.commands.stopped.actor == ANN
    async with open_town(tmp_path / "other", enabled=False) as town:
        await town.city.store.write(lambda conn: switch.pull(conn, Stopped(1, ANN, "smoke")))
        await town.commands.change(CommandSettings())
        assert town.commands.stopped == Stopped(1, ANN, "smoke"), "it stood on record beside the file"


async def test_new_limits_hold_at_once(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        lamps = tuple(await town.street(3))
        await town.commands.change(CommandSettings(second_person_from=2, area_share=1.0))
        assert (await town.wish("switch", ON, devices=lamps)).state == InstructionState.REQUESTED


async def test_what_became_of_commands_is_counted_by_family_and_state(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        await town.lamp("L1", "L2")
        town.lamps.away = {"L2"}
        await town.wish("switch", ON, devices=("L1",))
        await town.wish("switch", ON, BOB, devices=("L2",))
        registry = CollectorRegistry()
        registry.register(town.commands.figures)

        def value(name: str, **labels: str) -> float | None:
            return registry.get_sample_value(f"citygate_{name}", labels)

        assert value("commands_total", family="streetlight", state="requested") == 2
        assert value("commands_total", family="streetlight", state="sent") == 1
        assert value("commands_total", family="dust", state="sent") == 0
        assert value("instructions_total", event="request") == 2
        assert value("downlink_stopped") == 0
        await town.commands.stop(ANN, "smoke")
        assert value("downlink_stopped") == 1
        assert value("commands_total", family="streetlight", state="failed") == 1


async def test_a_kill_between_sending_and_its_record_sends_the_same_id_again(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        await town.lamp("L1")
        town.lamps.away = {"L1"}
        one = await town.wish("switch", ON, devices=("L1",))
        (told,) = await town.of(one)
        payload = encode_command(told.id, told.name, told.args, told.expires)
        town.lamps.away = set()
        town.lamps.deliver("streetlight", "L1", payload, told.expires)  # and killed before the record
        other = town.restart()
        await other.commands.load()
        await other.passes(1)
        assert [order.id for _, order, _ in town.lamps.sent] == [told.id] * 2


@pytest.mark.parametrize(
    ("devices", "sizes"),
    [(1, [1]), (2, [1, 1]), (11, [1, 10]), (12, [1, 10, 1]), (500, [1, 10, 100, 389])],
)
def test_stages_grow(devices: int, sizes: list[int]) -> None:
    assert stages(devices, CommandSettings()) == sizes


async def test_an_order_lives_as_long_as_its_stages_need(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        _, asked = await big(town)
        one = await town.commands.approve(asked, BOB)
        now = town.city.clock.now()
        assert one.expires == now + 2 * HOUR
        first, second = (await town.of(one))[:2]
        assert (first.expires, second.expires) == (now + 5 * MINUTE, now + 2 * HOUR)
