from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import event, func, select, update

from drivers.telemetry import HOUR
from gateway.cases.ledger import Ledger
from gateway.cases.lifecycle import CaseEvent, CaseState
from gateway.cases.settings import DeskSettings
from gateway.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.store.schema import cases as schema
from gateway.store.schema.registry import audit
from tests.gateway.cases.city import DEVICES, City, moment, show


@pytest.fixture
def city() -> Iterator[City]:
    with City() as city:
        yield city


def test_a_cover_tilts_on_sunday_night_is_repaired_and_proved(city: City) -> None:
    city.at("Sun 02:10:05").raises("tilt", "MH-0042")
    case = city.case("cover-danger")
    assert (case.state, case.crew, case.device_name) == ("dispatched", "drainage", "name of MH-0042")
    assert show(case.deadline) == "Sun 04:10:05"
    city.at("Sun 02:40").act(case, "accept")
    city.at("Sun 02:50").act(case, "start")
    city.at("Sun 03:20").clears("tilt", "MH-0042")
    city.at("Sun 03:30").act(case, "repaired", "seated and fastened")
    assert city.at("Sun 04:29:59").case("cover-danger").state == "repaired"
    assert city.at("Sun 12:00").case("cover-danger").state == "closed"
    assert city.timeline(case) == [
        "Sun 02:10:05 file by telemetry",
        "Sun 02:10:05 alarm_joined by telemetry",
        "Sun 02:10:05 dispatch by gateway",
        "Sun 02:40 accept by token:li",
        "Sun 02:50 start by token:li",
        "Sun 03:10:05 due_soon by gateway",
        "Sun 03:20 alarm_cleared by telemetry",
        "Sun 03:30 repaired by token:li",
        "Sun 04:30 verify by telemetry",
        "Sun 04:30 close by telemetry",
    ]
    assert city.events("case") == [
        f"case.{word}"
        for word in ("file", "dispatch", "accept", "start", "due_soon", "repaired", "verify", "close")
    ]
    assert city.events("alarm") == ["alarm.raise", "alarm.clear"]


def test_every_change_of_a_case_has_its_audit_line(city: City) -> None:
    case = city.raises("tilt", "MH-0042").case("cover-danger")
    city.act(case, "void", "children played with it")
    with city.engine.connect() as conn:
        lines = conn.execute(select(audit.c.actor, audit.c.action, audit.c.object, audit.c.detail)).all()
    assert [tuple(line) for line in lines] == [
        ("telemetry", "case.file", "case:1", {"state": "filed", "note": ""}),
        ("gateway", "case.dispatch", "case:1", {"state": "dispatched", "note": ""}),
        ("token:li", "case.void", "case:1", {"state": "void", "note": "children played with it"}),
    ]


def test_a_repair_that_does_not_hold_is_reworked_and_its_clock_runs_on(city: City) -> None:
    city.at("Mon 09:00").raises("fume", "FU-1")
    case = city.case("kitchen-fume")
    assert show(case.deadline) == "Mon 15:00"  # 4 working hours, lunch between
    city.at("Mon 10:00").clears("fume", "FU-1").act(case, "repaired")
    city.at("Mon 11:00").raises("fume", "FU-1")
    case = city.case("kitchen-fume")
    assert (case.state, case.reworked, case.standing, case.alarms) == ("in_repair", 1, 1, 2)
    assert (
        show(case.deadline) == "Mon 16:00"
    )  # the hour in which the crew waited for the proof does not count


def test_a_relapse_soon_after_closing_reopens_the_case_with_its_history(city: City) -> None:
    city.at("Mon 09:00").raises("tilt", "MH-0042").clears("tilt", "MH-0042")
    city.act(city.case("cover-danger"), "repaired")
    city.at("Tue 09:00").raises("tilt", "MH-0042")
    case = city.case("cover-danger")
    assert (case.state, case.reopened, show(case.deadline)) == ("dispatched", 1, "Tue 11:00")
    assert [line.split(" ", 2)[2] for line in city.timeline(case)][-4:] == [
        "close by telemetry",
        "reopen by telemetry",
        "alarm_joined by telemetry",
        "dispatch by gateway",
    ]


def test_a_relapse_long_after_closing_is_a_new_case(city: City) -> None:
    city.raises("tilt", "MH-0042").clears("tilt", "MH-0042")
    city.act(city.case("cover-danger"), "repaired")
    city.at("Mon+1 09:00").raises("tilt", "MH-0042")
    assert [case.state for case in city.cases()] == ["closed", "dispatched"]


def test_lamps_of_a_loop_are_one_case_and_it_waits_for_the_last_of_them(city: City) -> None:
    city.at("Mon 19:00").raises("lamp", "LP-1").raises("lamp", "LP-2").raises("lamp", "LP-3")
    loop, single = city.cases("lamp-out")
    assert (loop.alarms, loop.standing, single.alarms) == (2, 2, 1)
    city.act(loop, "repaired")
    city.at("Mon 20:00").clears("lamp", "LP-1")
    assert city.case_of(loop).proof is None
    city.at("Mon 21:00").clears("lamp", "LP-2")
    assert show(city.case_of(loop).proof) == "Wed 06:16:46", (
        "lit through one full night: Tuesday's, to sunrise"
    )
    assert city.at("Wed 06:17").case_of(loop).state == "closed"


def test_a_cause_that_goes_away_by_itself_is_recovered(city: City) -> None:
    city.at("Mon 09:00").raises("dust", "DU-1").at("Mon 09:30").clears("dust", "DU-1")
    assert city.at("Mon 11:29").case("site-dust").state == "dispatched"
    case = city.at("Mon 11:30").case("site-dust")
    assert (case.state, case.overdue) == ("closed", moment("Mon 11:00"))
    assert city.timeline(case)[-2:] == ["Mon 11:30 recover by telemetry", "Mon 11:30 close by telemetry"]


def test_what_a_crew_began_is_theirs_to_finish(city: City) -> None:
    city.at("Mon 09:00").raises("dust", "DU-1").act(city.case("site-dust"), "start")
    city.clears("dust", "DU-1")
    assert city.at("Tue 09:00").case("site-dust").state == "in_repair"


def test_overdue_is_said_once_for_each_dispatch(city: City) -> None:
    city.at("Mon 09:00").raises("tilt", "MH-0042").at("Mon 23:00")
    case = city.case("cover-danger")
    assert show(case.overdue) == "Mon 11:00"
    assert city.events("case").count("case.overdue") == 1
    city.act(case, "return", "not our cover")
    city.act(case, "dispatch", crew="telecom")
    city.at("Tue 23:00")
    assert city.events("case").count("case.overdue") == 2
    assert show(city.case("cover-danger").overdue) == "Tue 01:00"


def test_a_returned_case_has_no_clock_and_the_dispatcher_must_choose_anew(city: City) -> None:
    case = city.raises("tilt", "MH-0042").case("cover-danger")
    with pytest.raises(Invalid, match="needs a reason"):
        city.act(case, "return", " ")
    city.act(case, "return", "not our cover")
    returned = city.case("cover-danger")
    assert (returned.state, returned.crew, returned.deadline) == ("filed", "", None)
    assert show(returned.alert) == "Mon 00:15"  # a dispatcher should have chosen by then
    with pytest.raises(Invalid, match="needs a crew"):
        city.act(case, "dispatch")
    city.act(case, "dispatch", crew="telecom")
    assert city.case("cover-danger").crew == "telecom"


def test_after_a_false_alarm_was_voided_the_next_one_is_a_new_case(city: City) -> None:
    city.raises("tilt", "MH-0042").act(city.case("cover-danger"), "void", "false alarm")
    city.clears("tilt", "MH-0042").at("Mon 01:00").raises("tilt", "MH-0042")
    assert [case.state for case in city.cases()] == ["void", "dispatched"]


def test_an_alarm_without_a_template_makes_no_case(city: City) -> None:
    city.raises("battery", "MH-0042")
    assert city.cases() == []
    assert city.events("alarm") == ["alarm.raise"]


def test_an_acknowledged_alarm_clears(city: City) -> None:
    alarm = city.raises("battery", "MH-0042").alarm("MH-0042")
    with city.transaction() as conn:
        (change,) = city.desk.acknowledge(conn, alarm.id, "token:li", city.now, "seen")
    assert (change.state, change.event, change.revision) == ("acknowledged", "acknowledge", 2)
    with pytest.raises(Conflict), city.transaction() as conn:
        city.desk.acknowledge(conn, alarm.id, "token:li", city.now)
    assert city.clears("battery", "MH-0042").alarm("MH-0042").state == "cleared"


def test_nobody_hears_of_a_shelved_alarm_until_its_time(city: City) -> None:
    city.at("Mon 09:00").raises("tilt", "MH-0042").act(city.case("cover-danger"), "void", "works on site")
    shelve(city, "MH-0042", "Mon 17:00")
    told = len(city.told)
    city.at("Mon 10:00").clears("tilt", "MH-0042").at("Mon 11:00").raises("tilt", "MH-0042")
    city.at("Mon 16:59")
    assert (len(city.told), len(city.cases()), city.alarm("MH-0042").state) == (told, 1, "shelved")
    city.at("Mon 17:00")
    assert city.alarm("MH-0042").state == "active"
    assert [(case.state, show(case.filed)) for case in city.cases()] == [
        ("void", "Mon 09:00"),
        ("dispatched", "Mon 17:00"),
    ]


def test_an_alarm_that_went_away_on_the_shelf_is_over_and_that_is_told(city: City) -> None:
    city.at("Mon 09:00").raises("battery", "MH-0042")
    shelve(city, "MH-0042", "Mon 17:00")
    city.at("Mon 10:00").clears("battery", "MH-0042").at("Mon 17:00")
    alarm = city.alarm("MH-0042")
    assert (alarm.state, show(alarm.cleared)) == ("cleared", "Mon 10:00")
    assert city.told[-1].payload["alarm"]["state"] == "cleared"


def test_a_relapse_on_the_shelf_fails_the_proof_when_the_shelf_ends(city: City) -> None:
    city.at("Mon 09:00").raises("tilt", "MH-0042")
    shelve(city, "MH-0042", "Mon 17:00")
    city.at("Mon 09:30").clears("tilt", "MH-0042")
    city.act(city.case("cover-danger"), "repaired")
    city.at("Mon 10:00").raises("tilt", "MH-0042")
    assert city.at("Mon 16:00").case("cover-danger").state == "repaired"
    case = city.at("Mon 17:00").case("cover-danger")
    assert (case.state, case.reworked) == ("in_repair", 1)


def test_a_person_takes_an_alarm_off_the_shelf(city: City) -> None:
    alarm = city.raises("battery", "MH-0042").alarm("MH-0042")
    shelve(city, "MH-0042", "Mon 17:00")
    with city.transaction() as conn:
        city.desk.unshelve(conn, alarm.id, "token:li", city.now)
    assert (city.alarm("MH-0042").state, city.alarm("MH-0042").shelved_until) == ("active", None)


@pytest.mark.parametrize(("until", "note"), [("Mon 00:00", "x"), ("Mon+9 00:00", "x"), ("Tue 00:00", "")])
def test_a_shelf_has_an_end_and_a_reason(city: City, until: str, note: str) -> None:
    alarm = city.raises("battery", "MH-0042").alarm("MH-0042")
    with pytest.raises(Invalid), city.transaction() as conn:
        city.desk.shelve(conn, alarm.id, "token:li", city.now, moment(until), note)


def test_what_came_and_went_long_ago_makes_no_case_and_no_message(city: City) -> None:
    city.at("Mon 12:00")
    long_ago, ended = moment("Mon 09:00"), moment("Mon 09:40")
    city.hear(
        city.transition("tilt", "MH-0042", True, long_ago, city.now),
        city.transition("tilt", "MH-0042", False, ended, city.now),
    )
    assert (city.cases(), city.told) == ([], [])
    alarm = city.alarm("MH-0042")
    assert (alarm.state, show(alarm.raised), show(alarm.cleared)) == ("cleared", "Mon 09:00", "Mon 09:40")


def test_the_end_of_what_nobody_heard_of_is_not_told_even_if_it_is_recent(city: City) -> None:
    city.at("Mon 12:00")
    city.hear(
        city.transition("tilt", "MH-0042", True, moment("Mon 09:00"), city.now),
        city.transition("tilt", "MH-0042", False, moment("Mon 11:55"), city.now),
    )
    assert (city.cases(), city.told) == ([], [])


def test_what_began_long_ago_and_still_stands_is_a_case(city: City) -> None:
    city.at("Mon 12:00")
    city.hear(
        city.transition("tilt", "MH-0042", True, moment("Mon 08:00"), city.now),
        city.transition("tilt", "MH-0042", False, moment("Mon 08:30"), city.now),
        city.transition("tilt", "MH-0042", True, moment("Mon 09:00"), city.now),
        city.transition("tilt", "MH-0043", True, moment("Mon 09:00"), city.now),
    )
    assert [case.device for case in city.cases()] == ["MH-0042", "MH-0043"]
    assert [alarm.case for alarm in city.alarms("MH-0042")] == [None, 1]


def test_a_late_clear_of_what_was_heard_of_is_told(city: City) -> None:
    city.at("Mon 09:00").raises("tilt", "MH-0042").at("Mon 12:00")
    city.hear(city.transition("tilt", "MH-0042", False, moment("Mon 09:30"), city.now))
    assert city.events("alarm") == ["alarm.raise", "alarm.clear"]
    assert show(city.case("cover-danger").quiet_since) == "Mon 09:30"


def test_recent_enough_is_a_setting() -> None:
    with City(DeskSettings(stale=4 * HOUR)) as city:
        city.at("Mon 12:00")
        city.hear(
            city.transition("tilt", "MH-0042", True, moment("Mon 09:00"), city.now),
            city.transition("tilt", "MH-0042", False, moment("Mon 09:40"), city.now),
        )
        assert city.events("alarm") == ["alarm.raise", "alarm.clear"]
        assert len(city.cases()) == 1


def test_a_person_who_saw_an_older_revision_is_refused(city: City) -> None:
    case = city.raises("tilt", "MH-0042").case("cover-danger")
    city.act(case, "accept", revision=case.revision)
    with pytest.raises(Conflict, match="changed by someone else"):
        city.act(case, "start", revision=case.revision)
    assert city.case("cover-danger").state == "accepted"


def test_a_row_changed_behind_the_desk_is_a_conflict_and_nothing_is_written(city: City) -> None:
    case = city.raises("tilt", "MH-0042").case("cover-danger")
    with city.engine.connect() as conn:
        ledger = Ledger(conn, city.now)
        city.desk.casework.step(ledger, ledger.case(case.id), CaseEvent.ACCEPT, "token:li")
        conn.execute(update(schema.case).values(revision=99))
        with pytest.raises(Conflict, match="meanwhile"):
            ledger.flush()
    assert city.case("cover-danger") == case


def test_what_is_not_for_people_and_what_does_not_exist(city: City) -> None:
    case = city.raises("tilt", "MH-0042").case("cover-danger")
    with pytest.raises(Invalid, match="not for people"):
        city.act(case, "recover")
    with pytest.raises(NotFound), city.transaction() as conn:
        city.desk.act(conn, 77, CaseEvent.ACCEPT, "token:li", city.now)
    with pytest.raises(NotFound), city.transaction() as conn:
        city.desk.acknowledge(conn, "0" * 32, "token:li", city.now)


def test_a_person_verifies_in_the_place_of_telemetry_on_purpose_only(city: City) -> None:
    case = city.raises("tilt", "MH-0042").case("cover-danger")
    city.act(case, "repaired", "seated")
    with pytest.raises(Forbidden, match="someone else must verify"):
        city.act(case, "verify", "seen on site")
    with pytest.raises(Conflict, match="1 of its alarms stand; a supervisor may"):
        city.act(case, "verify", "seen on site", actor="token:wu")
    with pytest.raises(Invalid, match="needs a reason"):
        city.act(case, "verify", " ", actor="token:wu", force=True)
    city.act(case, "verify", "its sensor is broken, seen on site", actor="token:wu", force=True)
    city.act(case, "close", actor="token:wu")
    assert city.case("cover-danger").state == "closed"
    city.act(case, "reopen")
    assert city.case("cover-danger").state == "filed"


def test_a_proof_that_runs_is_not_cut_short(city: City) -> None:
    case = city.raises("tilt", "MH-0042").clears("tilt", "MH-0042").case("cover-danger")
    city.act(case, "repaired", "seated")
    with pytest.raises(Conflict, match="its proof is not complete"):
        city.act(case, "verify", actor="token:wu")


def test_a_device_that_says_nothing_proves_nothing(city: City) -> None:
    case = city.at("Mon 09:00").raises("tilt", "MH-0042").case("cover-danger")
    city.at("Mon 09:50").clears("tilt", "MH-0042")
    city.spoke[DEVICES.index("MH-0042")] = moment("Mon 09:50")
    city.at("Mon 10:00").act(case, "repaired", "seated")
    assert city.at("Mon 15:00").case_of(case).state == "repaired"  # the proof would take an hour
    city.spoke[DEVICES.index("MH-0042")] = moment("Mon 15:00")
    assert city.at("Mon 15:01").case_of(case).state == "closed"


def test_a_case_is_not_reopened_beside_another_of_its_cause(city: City) -> None:
    first = city.raises("tilt", "MH-0042").clears("tilt", "MH-0042").case("cover-danger")
    city.act(first, "repaired")
    city.at("Mon+1 00:00").raises("tilt", "MH-0042")
    with pytest.raises(Conflict, match="case 2 is open for the same cause"):
        city.act(first, "reopen")


def test_a_person_who_reopens_gets_a_new_proof(city: City) -> None:
    case = city.at("Mon 09:00").raises("dust", "DU-1").clears("dust", "DU-1").case("site-dust")
    closed = city.at("Mon 12:00").case("site-dust")
    assert closed.state is CaseState.CLOSED
    city.act(case, "reopen")
    assert show(city.case("site-dust").proof) == "Mon 14:00"


def test_a_clear_that_finds_nothing_is_remembered(city: City) -> None:
    early = city.transition("tilt", "MH-0042", False, city.now, city.now)
    city.hear(early)
    city.raises("tilt", "MH-0042")
    assert city.hear(early) == []
    assert city.alarm("MH-0042").state == "active"


def test_a_rule_that_raises_again_without_a_clear_is_the_same_alarm(city: City) -> None:
    city.raises("tilt", "MH-0042").at("Mon 01:00").raises("tilt", "MH-0042")
    (alarm,) = city.alarms("MH-0042")
    assert (alarm.state, show(alarm.raised), city.case("cover-danger").alarms) == ("active", "Mon 00:00", 1)


def test_ten_thousand_transitions_take_few_statements(city: City) -> None:
    statements = 0

    def count(*_: object) -> None:
        nonlocal statements
        statements += 1

    event.listen(city.engine, "before_cursor_execute", count)
    many = [
        city.transition("tilt", "MH-0042", up, city.now + step, city.now + step)
        for step in range(2_000)
        for up in (True, False)
    ]
    city.hear(*many)
    event.remove(city.engine, "before_cursor_execute", count)
    assert statements < 50
    with city.engine.connect() as conn:
        assert conn.scalar(select(func.count()).select_from(schema.alarm)) == 2_000


def shelve(city: City, device: str, until: str) -> None:
    with city.transaction() as conn:
        city.desk.shelve(conn, city.alarm(device).id, "token:li", city.now, moment(until), "works on site")
