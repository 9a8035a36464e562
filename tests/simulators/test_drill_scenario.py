"""A drill's scenario is read whole or refused with every fault of it, each at its key."""

from __future__ import annotations

import pytest

from drivers.telemetry import HOUR, MINUTE
from simulators.drill import scenario
from simulators.drill.drill import Drill
from simulators.drill.scenario import ScenarioError, moment, names, read
from tests.simulators.evening import at

PLAIN = """
start = 2026-06-10T17:30:00+08:00
lasts = "6h"
devices = 60
"""


def wrong(text: str) -> dict[str, str]:
    with pytest.raises(ScenarioError) as caught:
        read(PLAIN + text)
    return {".".join(each.place): each.problem for each in caught.value.wrong}


@pytest.mark.parametrize("name", names())
def test_a_shipped_scenario_is_sound_and_its_faults_find_their_places(name: str) -> None:
    shipped = read(scenario.find(name))
    assert shipped.about
    if name in {"smoke", "storm", "bad-network"}:  # the others are the same, and larger
        made = Drill.build(shipped, shipped.seed)
        asked = sum(one.count for one in shipped.random) + len(shipped.fault)
        assert sum(one.root == one.number for one in made.injuries) == asked


def test_those_that_are_shipped() -> None:
    expected = "bad-network dust-season month night parking-rush smoke storm weekend-kitchens"
    assert names() == expected.split()


def test_every_fault_of_a_scenario_is_told_at_its_key() -> None:
    found = wrong("""
        seed = "seven"
        colour = 1
        [mix]
        rail = 0.5
        [expect]
        recall = 1.5
        [expect.rule.lamp-darc]
        recall = 1
        [[random]]
        family = "dust"
        count = 0
        """)
    assert found["colour"] == "unknown key"
    assert "valid integer" in found["seed"]
    assert "no family 'rail'" in found["mix.rail.[key]"]
    assert "1.5 is no share" in found["expect.recall"]
    assert "lamp-darc" in found["expect.rule.lamp-darc.[key]"]
    assert "random.0.count" in found


def test_faults_that_no_table_can_see_are_told_together_too() -> None:
    found = wrong("""
        [[fault]]
        kind = "strom"
        family = "dust"
        from = "18:00"
        lasts = "1h"
        [[fault]]
        kind = "storm"
        from = "25:00"
        lasts = "1h"
        [[fault]]
        kind = "storm"
        family = "dust"
        from = "22:00"
        lasts = "9h"
        [[random]]
        family = "fume"
        kinds = ["cover_moved"]
        count = 1
        lasts = ["2h", "1h"]
        """)
    assert "no fault 'strom'; it has" in found["fault.0.kind"]
    assert found["fault.1.family"] == "name a family, or one device"
    assert "no time of day" in found["fault.1.from"]
    assert found["fault.2.lasts"] == "the fault ends after the drill"
    assert "a fume has no fault 'cover_moved'" in found["random.0.kinds"]
    assert found["random.0.lasts"] == "the shorter one comes first"


def test_a_file_that_is_not_toml_or_not_there_is_a_faulty_scenario() -> None:
    with pytest.raises(ScenarioError, match="not TOML"):
        read("start = ")
    with pytest.raises(ScenarioError, match="shipped are bad-network"):
        scenario.find("no-such-drill")
    with pytest.raises(ScenarioError, match="offset"):
        read(PLAIN.replace("+08:00", ""))


def test_what_finds_no_place_is_told() -> None:
    crowded = read(PLAIN + '[[random]]\nfamily = "cabinet"\nkinds = ["door_open"]\ncount = 40')
    with pytest.raises(ScenarioError, match=r"random\.0\.count: \d+ of 40 faults find no place"):
        Drill.build(crowded, 7)
    twice = '[[fault]]\nkind = "storm"\ndevice = "DU-0001"\nfrom = "18:00"\nlasts = "1h"\n' * 2
    with pytest.raises(ScenarioError, match=r"fault\.1: DU-0001 has another fault"):
        Drill.build(read(PLAIN + twice), 7)


def test_a_moment_is_of_the_first_day_or_of_one_after_it() -> None:
    start = at("17:30")
    assert moment(start, "18:00") == start + 30 * MINUTE
    assert moment(start, "+1 18:00") == start + 30 * MINUTE + 24 * HOUR
    with pytest.raises(ValueError, match="no moment"):
        moment(start, "tomorrow 18:00")


def test_the_same_seed_fails_the_same_and_another_seed_is_another_city() -> None:
    text = read(PLAIN + '[[random]]\nfamily = "dust"\ncount = 3\n')
    faults = [
        [(one.fault.device, one.fault.kind.name, one.fault.start) for one in Drill.build(text, seed).injuries]
        for seed in (3, 3, 4)
    ]
    assert faults[0] == faults[1]
    assert faults[0] != faults[2]
