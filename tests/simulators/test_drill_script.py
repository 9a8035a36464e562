"""What the devices of a drill say: by the clock and at once, as their faults let them, and as the network brings it."""

from __future__ import annotations

import msgspec

from drivers.telemetry import HOUR, MINUTE, SECOND
from simulators.drill import kinds, truth
from simulators.drill.kinds import SHIFT
from simulators.drill.plan import Injury
from simulators.drill.scenario import Network
from simulators.drill.script import Said, Script
from simulators.faults import Fault
from simulators.world.city import City
from tests.simulators.evening import START, city

CITY = city(60)
LAST = START + 2 * HOUR


def injury(family: str, name: str, index: int = 0, minute: int = 30) -> Injury:
    kind = kinds.find(family, name)
    assert kind is not None
    start = START + minute * MINUTE
    fault = Fault(kind, family, index, CITY.cohorts[family].ids[index], start, start + 40 * MINUTE)
    return Injury(index, fault, truth.due(family, name), index)


def said(
    *injuries: Injury, town: City = CITY, step: int = HOUR, network: Network | None = None
) -> list[Said]:
    script = Script(town, injuries, network or Network(), 7)
    return [one for start in range(START, LAST, step) for one in script.chunk(start, min(start + step, LAST))]


def of(family: str, index: int, told: list[Said]) -> list[Said]:
    return [one for one in told if (one.family, one.device) == (family, index)]


def stamp(one: Said) -> int:
    return int(msgspec.json.decode(one.payload)["ts"]) * 1_000


def test_every_device_reports_at_its_interval_and_in_order() -> None:
    told = said()
    assert [one.received for one in told] == sorted(one.received for one in told)
    for family in ("dust", "cabinet"):
        stamps = [stamp(one) for one in of(family, 0, told)]
        assert 119 <= len(stamps) <= 123
        assert stamps == sorted(set(stamps))
    assert all(0 < one.received - stamp(one) <= SECOND + 1_000 for one in told)


def test_how_the_script_is_cut_changes_nothing_that_is_said() -> None:
    door = injury("cabinet", "door_open")
    whole, parts = ({(one.topic, one.payload) for one in said(door, step=step)} for step in (2 * HOUR, HOUR))
    late = {
        one for one in whole ^ parts if msgspec.json.decode(one[1])["ts"] * 1_000 < START + HOUR - 2 * MINUTE
    }
    assert not late
    assert len(whole ^ parts) <= 60  # a change is seen in the minute where the script was cut, or the next


def test_a_device_says_at_once_what_it_notices_and_when_it_is_over() -> None:
    door = injury("cabinet", "door_open")
    events = [one for one in of("cabinet", 0, said(door)) if one.channel == "event"]
    told = [(stamp(one), msgspec.json.decode(one.payload)["event"]) for one in events]
    assert told == [(door.fault.start, "cabinetDoorOpen"), (door.fault.end, "normal")]
    assert [msgspec.json.decode(one.payload)["v"]["door"] for one in events] == [1, 0]


def test_one_that_is_cut_off_is_silent_and_its_link_says_so() -> None:
    cut = injury("fume", "disconnect")
    mine = of("fume", 0, said(cut))
    assert not [
        one for one in mine if one.channel != "status" and cut.fault.start <= stamp(one) < cut.fault.end
    ]
    assert [msgspec.json.decode(one.payload)["state"] for one in mine if one.channel == "status"] == [
        "offline",
        "online",
    ]


def test_a_frozen_device_goes_on_saying_the_same() -> None:
    stuck = injury("dust", "flatline")
    mine = [one for one in of("dust", 0, said(stuck)) if stuck.fault.start <= stamp(one) < stuck.fault.end]
    assert len(mine) >= 39
    assert len({msgspec.json.encode(msgspec.json.decode(one.payload)["v"]) for one in mine}) == 1


def test_bad_bytes_come_beside_the_good_ones_and_name_their_fault() -> None:
    bad = injury("dust", "bad_json")
    mine = of("dust", 0, said(bad))
    spoilt = [one for one in mine if one.injury == bad.number]
    assert 40 <= len(spoilt) <= 41  # one more at once when it begins
    assert all(not one.payload.endswith(b"}}") for one in spoilt)
    assert len(mine) - len(spoilt) >= 119


def test_a_wrong_clock_stamps_ahead_of_what_is_measured() -> None:
    ahead = injury("dust", "clock_wrong")
    mine = of("dust", 0, said(ahead))
    wrong = [one for one in mine if stamp(one) - one.received > MINUTE]
    assert len(wrong) == 40
    assert all(abs(stamp(one) - SHIFT["clock_wrong"] - one.received) < 2 * SECOND for one in wrong)


def test_a_network_loses_doubles_and_delays() -> None:
    plain = len(said())
    lost = len(said(network=Network(loss=0.5)))
    assert 0.4 * plain < lost < 0.6 * plain
    doubled = said(network=Network(duplicates=0.5))
    assert 1.4 * plain < len(doubled) < 1.6 * plain
    assert len({(one.topic, one.payload) for one in doubled}) <= plain
    slow = said(network=Network(delayed=1.0, delay=5 * MINUTE))
    lags = [one.received - stamp(one) for one in slow]
    assert max(lags) > 4 * MINUTE
    assert [one.received for one in slow] == sorted(one.received for one in slow)
