"""What people bring: reports that are of a sensor's case or come before it, visits for several faults, photos."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from gateway.cases import frontdesk, intake, visits
from gateway.cases.frontdesk import Remark, Visited
from gateway.cases.intake import Contact, NewReport, Report
from gateway.cases.lifecycle import Verdict
from gateway.cases.photos import JPEG, Stored
from gateway.cases.template import parse, shipped
from gateway.cases.visits import VisitEvent
from gateway.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.store.schema.dispatch import report_contact
from tests.gateway.cases.city import City, show

pytestmark = pytest.mark.usefixtures("every_kind")


@pytest.fixture
def city(every_kind: str) -> Iterator[City]:  # noqa: ARG001 - it chooses the engine
    with City() as city:
        yield city


def report(city: City, category: str = "cover-danger", **more: Any) -> Report:
    new = NewReport(category, more.pop("text", "井盖没了"), **{"lat": 31.2, "lon": 121.4, **more})
    with city.transaction() as conn:
        return frontdesk.report(city.desk, conn, new, "token:12319", city.now)[0]


def plan(city: City, crew: str, *cases: int) -> Visited:
    with city.transaction() as conn:
        return frontdesk.plan(city.desk, conn, crew, list(cases), "token:li", city.now)[0]


def go(city: City, visit: int, event: str, note: str = "", verdict: Verdict = Verdict.NONE) -> Visited:
    with city.transaction() as conn:
        said = Remark("token:li", note, verdict)
        return frontdesk.visit(city.desk, conn, visit, VisitEvent(event), said, city.now)[0]


def test_a_report_near_a_sensors_case_joins_it_and_its_timeline_tells_both(city: City) -> None:
    case = city.at("Mon 09:00").raises("tilt", "MH-0042").case("cover-danger")
    said = report(city.at("Mon 09:20"), lat=31.2002, number="12319-77")
    assert (said.case, said.match, said.nearby) == (case.id, "joined", [])
    assert city.timeline(case)[-1] == "Mon 09:20 reported by token:12319"
    assert [line.split(" ", 2)[2] for line in city.timeline(case)][1] == "alarm_joined by telemetry"


def test_a_report_far_away_is_a_case_of_its_own(city: City) -> None:
    case = city.at("Mon 09:00").raises("tilt", "MH-0042").case("cover-danger")
    said = report(city.at("Mon 10:00"), lat=31.201)
    assert (said.match, said.case != case.id) == ("created", True)


def test_an_open_case_that_nobody_has_touched_for_days_is_still_the_same_fault(city: City) -> None:
    case = city.at("Mon 09:00").raises("tilt", "MH-0042").case("cover-danger")
    city.act(case, "start")
    city.act(case, "suspend", "the street is closed")
    said = report(city.at("Wed 10:00"), "cover-water")
    assert (said.match, said.nearby) == ("created", []), "of another kind, only what is on people's minds"
    said = report(city.at("Wed 10:05"))
    assert (said.case, said.match) == (case.id, "joined")


def test_who_is_limited_to_areas_touches_no_case_elsewhere(city: City) -> None:
    city.desk.bind([{"id": "tilt", "family": "manhole", "case": "cover-danger"}])
    theirs = report(city.at("Mon 09:00"), area="north")
    mine = report(city, area="south", areas=("south",))
    assert (mine.match, mine.case != theirs.case, mine.nearby) == ("created", True, [])
    before = city.timeline(city.cases()[0])
    with pytest.raises(Forbidden):
        report(city, area="south", areas=("south",), join=theirs.case)
    again = report(city, area="south", areas=("south",))
    assert (again.case, again.match) == (mine.case, "joined")
    assert city.timeline(city.cases()[0]) == before
    assert report(city, "cover-settled", areas=("south",), area="south").nearby == [mine.case]


def test_an_alarm_becomes_no_case_of_another_area(city: City) -> None:
    theirs = report(city.at("Mon 09:00"), area="elsewhere")
    city.at("Mon 09:10").raises("tilt", "MH-0042")
    (case,) = [one for one in city.cases() if one.id != theirs.case]
    assert (case.alarms, case.device) == (1, "MH-0042")


def test_a_report_of_another_kind_nearby_names_what_it_may_be_of(city: City) -> None:
    case = city.at("Mon 09:00").raises("tilt", "MH-0042").case("cover-danger")
    city.desk.bind(
        [
            {"id": "tilt", "family": "manhole", "case": "cover-danger"},
            {"id": "x", "family": "manhole", "case": "cover-water"},
        ]
    )
    said = report(city, "cover-water")
    assert (said.match, said.nearby) == ("created", [case.id])
    city.act(city.case("cover-water"), "merge", "the same hole", into=case.id)
    with city.engine.connect() as conn:
        assert [one.id for one in intake.of_case(conn, case.id)] == [said.id]


def test_what_people_report_waits_for_a_dispatcher_with_a_crew_proposed(city: City) -> None:
    said = report(
        city.at("Mon 09:00"),
        part="3205820102048188",
        grid="320582110152102",
        address="和平路 42",
        origin="inspector",
    )
    case = city.case("cover-danger")
    assert (case.id, case.state, case.crew, case.origin) == (said.case, "filed", "drainage", "inspector")
    assert (case.part, case.grid, case.code, case.device_name) == (
        "3205820102048188",
        "320582110152102",
        "0102",
        "和平路 42",
    )
    assert city.timeline(city.at("Mon 09:20").case("cover-danger"))[-1] == "Mon 09:15 undispatched by gateway"
    city.act(case, "dispatch")
    city.act(case, "repaired", "a new cover", actor="token:crew")
    waits = city.case_of(case)
    assert (waits.verification, waits.doubt, waits.proof) == ("person", "no_alarm", None)
    city.act(case, "verify", actor="token:inspector")
    city.act(case, "close", actor="token:inspector")
    assert city.case_of(case).state == "closed"


def test_a_sensor_that_comes_later_makes_no_second_case(city: City) -> None:
    said = report(city.at("Mon 09:00"))
    city.at("Mon 09:10").raises("tilt", "MH-0042")
    case = city.case("cover-danger")
    assert (case.id, case.alarms, case.device, case.severity) == (said.case, 1, "MH-0042", "major")
    assert case.state == "dispatched", "what a sensor confirms waits for no dispatcher"
    city.at("Mon 10:00").clears("tilt", "MH-0042").act(case, "repaired")
    assert city.at("Mon 11:00").case("cover-danger").state == "closed", "now telemetry can prove it"
    city.at("Mon 12:00").raises("tilt", "MH-0042")
    assert city.case("cover-danger").reopened == 1


def test_a_report_says_what_and_where_and_comes_once(city: City) -> None:
    for wrong in ({"text": " "}, {"lat": None}, {"lat": None, "lon": None}, {"grid": "1"}, {"part": "x"}):
        with pytest.raises(Invalid):
            report(city, **wrong)
    with pytest.raises(Invalid, match="no kind of case"):
        report(city, "dragons")
    report(city, number="12319-77")
    with pytest.raises(Conflict, match="12319-77 is here already"):
        report(city, number="12319-77")
    assert len(city.cases()) == 1
    with pytest.raises(NotFound):
        report(city, join=77)
    city.act(city.case("cover-danger"), "void", "a drill")
    with pytest.raises(Conflict, match="joins an open one"):
        report(city, join=1)


def test_a_cover_that_rattles_is_reported_as_such_and_named_with_what_is_near(city: City) -> None:
    case = city.at("Mon 09:00").raises("tilt", "MH-0042").case("cover-danger")
    said = report(city, "rattling cover")
    assert (said.template, said.match, said.nearby) == ("cover-rattling", "created", [case.id])
    made = city.case("cover-rattling")
    assert (made.family, made.state) == ("manhole", "filed")
    assert report(city, "cover-damaged").nearby == [case.id, made.id]


def test_a_category_has_other_names(city: City) -> None:
    extra = {"id": "lamp-out", "categories": ["dark street"]}
    city.desk.change(parse([extra], shipped()), city.desk.settings, city.desk.folding.correlation)
    assert {report(city, name).template for name in ("dark street", "路灯不亮")} == {"lamp-out"}


def test_who_reported_is_kept_apart(city: City) -> None:
    said = report(city, contact=Contact("Li Ming", "13800000000"))
    anonymous = report(city, lat=31.3)
    with city.engine.connect() as conn:
        assert intake.contact(conn, said.id) == Contact("Li Ming", "13800000000")
        with pytest.raises(NotFound, match="nobody left a name"):
            intake.contact(conn, anonymous.id)
        assert len(conn.execute(select(report_contact)).all()) == 1
    assert "Li Ming" not in repr(said) + repr(city.told) + repr(city.case_of(city.cases()[0]))


def test_faults_at_one_pole_are_one_visit(city: City) -> None:
    city.at("Mon 09:00").raises("tilt", "MH-0042").raises("tilt", "MH-0043").raises("lamp", "LP-3")
    covers = [case.id for case in city.cases("cover-danger")]
    with city.engine.connect() as conn:
        (group,) = visits.proposals(conn, "drainage")
        assert [case.id for case in group.cases] == covers
        assert visits.proposals(conn, "nobody") == []
    visit = plan(city, "drainage", *covers).visit
    with city.engine.connect() as conn:
        assert visits.proposals(conn, "drainage") == []
    assert go(city.at("Mon 10:00"), visit.id, "start").done == covers
    assert [case.state for case in city.cases("cover-danger")] == ["in_repair", "in_repair"]
    city.clears("tilt", "MH-0042").clears("tilt", "MH-0043")
    done = go(city.at("Mon 10:30"), visit.id, "finish", "both seated", Verdict.REAL)
    assert (done.done, done.left, show(done.visit.finished)) == (covers, [], "Mon 10:30")
    assert [case.verdict for case in city.cases("cover-danger")] == ["real", "real"]
    assert [case.state for case in city.at("Mon 12:00").cases("cover-danger")] == ["closed", "closed"]
    with pytest.raises(Conflict, match="finished"):
        go(city, visit.id, "start")


def test_what_is_elsewhere_by_now_is_left(city: City) -> None:
    city.at("Mon 09:00").raises("tilt", "MH-0042").raises("tilt", "MH-0043")
    one, other = city.cases("cover-danger")
    visit = plan(city, "drainage", one.id, other.id).visit
    city.act(other, "void", "a drill")
    assert go(city, visit.id, "start")[1:] == ([one.id], [other.id])


def test_a_visit_takes_only_what_its_crew_has_to_do(city: City) -> None:
    city.at("Mon 09:00").raises("tilt", "MH-0042").raises("lamp", "LP-3")
    cover, lamp = city.case("cover-danger"), city.case("lamp-out")
    with pytest.raises(Conflict, match="not at work with drainage"):
        plan(city, "drainage", cover.id, lamp.id)
    plan(city, "drainage", cover.id)
    with pytest.raises(Conflict, match="part of a visit"):
        plan(city, "drainage", cover.id)
    with pytest.raises(NotFound):
        go(city, 9, "start")
    city.act(city.case_of(cover), "return", "not ours")
    assert city.case_of(cover).visit is None


def test_a_kind_of_work_may_need_its_picture(city: City) -> None:
    extra = {"id": "cover-danger", "photo": True}
    city.desk.change(parse([extra], shipped()), city.desk.settings, city.desk.folding.correlation)
    city.desk.bind([{"id": "tilt", "case": "cover-danger"}])
    case = city.at("Mon 09:00").raises("tilt", "MH-0042").case("cover-danger")
    with pytest.raises(Invalid, match="needs a photo"):
        city.act(case, "repaired")
    for _ in range(2):
        with city.transaction() as conn:
            frontdesk.photo(city.desk, conn, case.id, Stored("a" * 64, JPEG, 9), "token:crew", city.now)
    city.act(case, "repaired")
    told = [line for line in city.timeline(case) if "photo" in line]
    assert told == ["Mon 09:00 photo by token:crew"], "the same picture twice is one"
    city.act(case, "verify", "seen on site", actor="token:wu", force=True)
    city.act(case, "close", actor="token:wu")
    with pytest.raises(Conflict, match="complete"), city.transaction() as conn:
        frontdesk.photo(city.desk, conn, case.id, Stored("b" * 64, JPEG, 9), "token:crew", city.now)
