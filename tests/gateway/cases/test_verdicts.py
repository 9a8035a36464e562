"""What cases turn out to be, which become one and which two, and who says that a repair holds where no sensor can."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import update

from drivers.telemetry import HOUR
from gateway.cases.evaluation import evaluate
from gateway.cases.lifecycle import Doubt, Verdict
from gateway.cases.night import nights_after
from gateway.cases.record import Case
from gateway.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.store.schema.registry import device
from tests.gateway.cases.city import RULES, ZONE, City, moment, show

pytestmark = pytest.mark.usefixtures("every_kind")

FALSE_ALARM = Verdict.FALSE_ALARM


@pytest.fixture
def city(every_kind: str) -> Iterator[City]:  # noqa: ARG001 - it chooses the engine
    with City() as city:
        yield city


def two_covers(city: City) -> tuple[Case, Case]:
    city.at("Mon 09:00").raises("tilt", "MH-0042").raises("tilt", "MH-0043")
    first, second = city.cases("cover-danger")
    return first, second


def test_a_crew_says_false_alarm_and_the_dispatcher_voids_it(city: City) -> None:
    case = city.at("Mon 09:00").raises("tilt", "MH-0042").case("cover-danger")
    city.act(
        case, "return", "seated and closed; the sensor hangs loose", actor="token:crew", verdict=FALSE_ALARM
    )
    assert (city.case_of(case).state, city.case_of(case).verdict) == ("filed", "false_alarm")
    city.act(case, "void", "as the crew says", actor="token:dispatcher")
    over = city.case_of(case)
    assert (over.state, over.verdict) == ("void", "false_alarm")
    with city.engine.connect() as conn:
        (total,) = evaluate(conn, moment("Mon 00:00"), moment("Tue 00:00")).values()
    assert (total.void, total.false_alarms, total.real, total.misdirected) == (1, 1, 0, 1)
    assert (total.false_alarm_rate, total.dispatched_right_rate) == (1, 0)


def test_a_verdict_that_is_open_again_is_forgotten(city: City) -> None:
    case = city.at("Mon 09:00").raises("fume", "FU-1").case("kitchen-fume")
    city.act(case, "return", "no smoke", verdict=FALSE_ALARM)
    city.act(case, "dispatch", crew="second look")
    assert city.case_of(case).verdict == ""
    city.clears("fume", "FU-1").act(case, "repaired", "filter changed", verdict=Verdict.REAL)
    assert city.case_of(case).verdict == "real"
    city.at("Mon 10:00").raises("fume", "FU-1")
    assert (city.case_of(case).state, city.case_of(case).verdict) == ("in_repair", "")


def test_a_verdict_comes_with_what_ends_the_work(city: City) -> None:
    case = city.raises("tilt", "MH-0042").case("cover-danger")
    with pytest.raises(Invalid, match="a verdict comes with close, merge, repaired, return, void"):
        city.act(case, "accept", verdict=Verdict.REAL)


def test_a_duplicate_goes_on_in_the_other_case_with_its_alarms(city: City) -> None:
    first, second = two_covers(city)
    city.act(second, "merge", "one cover, two sensors", into=first.id, verdict=Verdict.DUPLICATE)
    one, other = city.case_of(first), city.case_of(second)
    assert (one.alarms, one.standing, one.state) == (2, 2, "dispatched")
    assert (other.state, other.merged_into, other.verdict, other.standing) == (
        "void",
        first.id,
        "duplicate",
        0,
    )
    assert {alarm.case for alarm in city.alarms()} == {first.id}
    assert city.timeline(one)[-1] == "Mon 09:00 merged by token:li"
    city.clears("tilt", "MH-0043").clears("tilt", "MH-0042").act(one, "repaired")
    city.at("Mon 09:30").raises("tilt", "MH-0043")
    assert (city.case_of(first).state, len(city.cases())) == ("in_repair", 2), (
        "its cause is the survivor's now"
    )
    city.at("Mon 10:00").clears("tilt", "MH-0043").act(one, "repaired")
    assert city.at("Mon 11:00").case_of(first).state == "closed"
    city.at("Mon 12:00").raises("tilt", "MH-0043")
    assert (city.case_of(first).state, city.case_of(first).reopened) == ("dispatched", 1)


def test_merged_cases_are_a_chain_that_ends_in_an_open_one(city: City) -> None:
    first, second = two_covers(city)
    city.raises("lamp", "LP-3")
    third = city.case("lamp-out")
    city.act(first, "merge", into=second.id)
    city.act(second, "merge", into=third.id)
    assert city.case_of(third).alarms == 3
    with pytest.raises(Conflict, match="is not possible in state 'void'"):
        city.act(first, "merge", into=third.id)
    with pytest.raises(Invalid, match="cannot go on in itself"):
        city.act(third, "merge", into=first.id)
    with pytest.raises(NotFound):
        city.act(third, "merge", into=77)
    with pytest.raises(Invalid, match="number of the case"):
        city.act(third, "merge")
    city.act(third, "void", "all of it was a drill")
    city.at("Mon 10:00").raises("dust", "DU-1")
    with pytest.raises(Conflict, match="only an open case can go on"):
        city.act(city.case("site-dust"), "merge", into=first.id)


def test_a_standing_alarm_that_moves_into_a_repaired_case_fails_its_proof(city: City) -> None:
    first, second = two_covers(city)
    city.clears("tilt", "MH-0042").act(first, "repaired")
    city.act(second, "merge", into=first.id)
    assert (city.case_of(first).state, city.case_of(first).proof) == ("in_repair", None)


def test_a_case_is_split_where_two_things_were_taken_for_one(city: City) -> None:
    city.at("Mon 19:00").raises("lamp", "LP-1").raises("lamp", "LP-2")
    case = city.case("lamp-out")
    leaving = city.alarm("LP-2")
    for ids, why in (
        ((), "needs the alarms"),
        (("x",), "no alarm of case"),
        (tuple(a.id for a in city.alarms()), "at least one stays"),
    ):
        with pytest.raises(Invalid, match=why):
            city.act(case, "split", alarms=ids)
    city.act(case, "split", "another cable", alarms=(leaving.id,))
    old, new = city.cases("lamp-out")
    assert (old.state, old.alarms, old.standing) == ("dispatched", 1, 1)
    assert (new.state, new.alarms, new.standing, new.device) == ("filed", 1, 1, "LP-2")
    assert city.alarm("LP-2").case == new.id
    city.clears("lamp", "LP-1").act(old, "repaired")
    assert city.at("Wed 07:00").case_of(old).state == "closed", "the other lamp is another matter"
    assert city.case_of(new).state == "filed"


def heard_or_not(city: City) -> None:
    """A rule that says that a cover's sensor is not heard."""
    city.desk.bind(
        [
            *(
                {"id": rule, "case": case, "family": family}
                for rule, (family, case) in RULES.items()
                if rule != "battery"
            ),
            {"id": "battery", "family": "manhole", "when": "silent(26h)"},
        ]
    )


def test_a_silent_device_proves_nothing_until_it_speaks_again(city: City) -> None:
    heard_or_not(city)
    case = city.at("Mon 09:00").raises("tilt", "MH-0043").case("cover-danger")
    city.at("Mon 09:30").clears("tilt", "MH-0043").act(case, "repaired", actor="token:crew")
    assert show(city.case_of(case).proof) == "Mon 10:30"
    city.at("Mon 10:00").raises("battery", "MH-0043")
    waits = city.case_of(case)
    assert (waits.verification, waits.doubt, waits.proof) == ("person", "silent", None)
    assert city.told[-2].event == "case.person_needed"
    assert "silent" in city.told[-2].payload["note"]
    city.at("Mon 12:00").clears("battery", "MH-0043")
    again = city.case_of(case)
    assert (again.verification, again.doubt, show(again.proof)) == ("telemetry", "", "Mon 13:00")
    assert city.at("Mon 13:00").case_of(case).state == "closed"


def test_where_no_sensor_speaks_another_person_verifies(city: City) -> None:
    heard_or_not(city)
    case = city.at("Mon 09:00").raises("tilt", "MH-0043").raises("battery", "MH-0043").case("cover-danger")
    city.clears("tilt", "MH-0043").act(case, "repaired", "seated", actor="token:crew")
    assert city.at("Fri 09:00").case_of(case).state == "repaired"
    with pytest.raises(Forbidden, match="token:crew repaired it"):
        city.act(case, "verify", actor="token:crew")
    city.act(case, "verify", "seen", actor="token:inspector")
    city.act(case, "close", actor="token:inspector")
    assert (city.case_of(case).state, city.case_of(case).verification) == ("closed", "person")


def test_an_alarm_that_comes_back_speaks_for_itself_again(city: City) -> None:
    case = city.at("Mon 09:00").raises("dust", "DU-1").case("site-dust")
    rules = [{"id": "dust", "family": "dust", "case": "site-dust"}]
    city.at("Mon 09:30").clears("dust", "DU-1").desk.bind([])
    assert city.at("Mon 12:00").case_of(case).doubt == "rule_gone"
    city.desk.bind(rules)
    city.raises("dust", "DU-1").at("Mon 13:00").clears("dust", "DU-1")
    assert city.at("Mon 15:00").case_of(case).state == "closed"


@pytest.mark.parametrize(("why", "doubt"), [("rule", Doubt.RULE_GONE), ("device", Doubt.RETIRED)])
def test_a_rule_or_a_device_that_is_gone_proves_nothing(city: City, why: str, doubt: Doubt) -> None:
    case = city.at("Mon 09:00").raises("tilt", "MH-0042").case("cover-danger")
    city.at("Mon 09:30").clears("tilt", "MH-0042").act(case, "repaired")
    if why == "rule":
        city.desk.bind([])
    else:
        with city.transaction() as conn:
            conn.execute(device.insert().values(**a_device("MH-0042")))
            conn.execute(update(device).values(retired=True))
    waits = city.at("Mon 11:00").case_of(case)
    assert (waits.state, waits.verification, waits.doubt) == ("repaired", "person", doubt)


def a_device(name: str) -> dict[str, object]:
    words = dict.fromkeys(("product", "name", "link", "grid", "area", "owner", "parent"), "")
    numbers = {"idx": 0, "interval": 0, "created": 0, "updated": 0}
    return {
        "id": name,
        "family": "manhole",
        **words,
        **numbers,
        "attributes": {},
        "retired": False,
        "digest": bytes(32),
    }


@pytest.mark.parametrize(
    ("start", "nights", "end"),
    [
        ("Mon 12:00", 1, "Tue 06:17"),
        ("Mon 17:50", 1, "Tue 06:17"),
        ("Mon 21:00", 1, "Wed 06:16"),
        ("Mon 12:00", 2, "Wed 06:16"),
    ],
)
def test_a_full_night_goes_from_sunset_to_sunrise(start: str, nights: int, end: str) -> None:
    at = nights_after(moment(start), nights, 31.2, 121.4, ZONE)
    assert show(at)[:9] == end


def test_a_night_without_a_place_goes_by_the_clock_and_near_a_pole_by_days() -> None:
    assert show(nights_after(moment("Mon 17:00"), 1, None, None, ZONE)) == "Tue 06:00"
    assert show(nights_after(moment("Mon 19:00"), 1, None, None, ZONE)) == "Wed 06:00"
    summer = moment("Mon 12:00") + 100 * 24 * HOUR  # mid June
    assert nights_after(summer, 1, 78.2, 15.6, ZONE) - summer > 60 * 24 * HOUR, (
        "the sun does not set before August"
    )
