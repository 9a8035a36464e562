"""More causes at once than people can read: one storm, told once; it lists them, and passes when no more come."""

from __future__ import annotations

import pytest

from gateway.cases.settings import DeskSettings
from tests.gateway.cases.street import Street

pytestmark = pytest.mark.usefixtures("every_kind")

FEW = DeskSettings(storm_causes=3)


def cut(street: Street, *numbers: int) -> Street:
    return street.together(*(("supply", f"CB-{number}", True) for number in numbers))


def test_many_causes_in_one_transaction_are_told_as_one() -> None:
    with Street(FEW) as street:
        cut(street.at("Mon 20:00"), 3, 4, 5, 6)
        storm = street.case("storm")
        assert (storm.alarms, storm.state, storm.area) == (4, "filed", "xuhui")
        members = street.cases("cabinet-outage")
        assert [(case.storm, case.state) for case in members] == [(storm.id, "dispatched")] * 4
        assert street.heard() == ["case.file storm"]
        assert len([one for one in street.told if one.event == "alarm.raise"]) == 4, "for who wants each"


def test_as_many_as_allowed_are_no_storm() -> None:
    with Street(FEW) as street:
        cut(street.at("Mon 20:00"), 3, 4, 5)
        assert street.cases("storm") == []
        assert len([one for one in street.heard() if one.startswith("case.file")]) == 3


def test_causes_of_one_minute_count_together_even_after_a_restart() -> None:
    with Street(FEW) as street:
        cut(street.at("Mon 20:00"), 3, 4)
        street.at("Mon 20:00:30").restart(FEW)
        cut(street, 5, 6)
        assert street.case("storm").alarms == 4, "those before it are taken in"
        told = {one.subject for one in street.told if one.hushed}
        assert {f"case:{case.id}" for case in street.cases("cabinet-outage")} <= told
    with Street(FEW) as street:
        cut(street.at("Mon 20:00"), 3, 4)
        cut(street.at("Mon 20:02"), 5, 6)
        assert street.cases("storm") == [], "more than a minute apart"


def test_what_comes_later_joins_the_storm_without_a_word() -> None:
    with Street(FEW) as street:
        cut(street.at("Mon 20:00"), 3, 4, 5, 6)
        street.restart(FEW)
        cut(street.at("Mon 20:05"), 7)
        assert street.case("storm").alarms == 5
        assert street.heard() == ["case.file storm"]


def test_it_passes_when_no_new_cause_has_come_and_its_cases_stay() -> None:
    with Street(FEW) as street:
        cut(street.at("Mon 20:00"), 3, 4, 5, 6)
        cut(street.at("Mon 20:05"), 7)
        street.at("Mon 20:14")
        assert street.case("storm").state == "filed"
        street.at("Mon 20:16")
        assert street.case("storm").state == "closed"
        assert {case.state for case in street.cases("cabinet-outage")} == {"dispatched"}
        assert street.heard() == ["case.file storm", "case.recover storm", "case.close storm"]
        cut(street.at("Mon 20:30"), 8)
        assert "alarm.raise supplyLoss" in street.heard(), "an ordinary day again"


def test_what_people_do_in_a_storm_is_told() -> None:
    with Street(FEW) as street:
        cut(street.at("Mon 20:00"), 3, 4, 5, 6)
        street.act(street.cases("cabinet-outage")[0], "accept")
        assert street.heard() == ["case.file storm", "case.accept cabinet-outage"]


def test_what_is_folded_makes_no_storm() -> None:
    with Street(FEW) as street:
        lamps = [("silent", lamp, True) for lamp in ("SL-A0", "SL-A1", "SL-A2", "SL-B0", "SL-B1", "SL-B2")]
        street.at("Mon 20:00").together(("supply", "CB-1", True), *lamps)
        assert street.cases("storm") == []
        assert street.case("cabinet-outage").alarms == 7


def test_none_is_made_where_the_city_wants_none() -> None:
    with Street(DeskSettings(storm_causes=0)) as street:
        cut(street.at("Mon 20:00"), *range(3, 30))
        assert street.cases("storm") == []
