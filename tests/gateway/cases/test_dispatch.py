"""Who gets a case: responsibility by area, family and cause, rosters, the nearest free crew, and what was handed back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cases import grid, nearest, responsibility, roster
from gateway.cases.deadline import WorkClock
from gateway.cases.responsibility import Duty, Place
from gateway.cases.roster import Crew, Shift
from gateway.cases.settings import DeskSettings
from gateway.errors import Conflict, Invalid, NotFound
from tests.gateway.cases.city import City, moment, show

pytestmark = pytest.mark.usefixtures("every_kind")

CELL = "320582110152102"
ROWS = (
    Duty("", "", "", "city"),
    Duty("", "manhole", "", "water"),
    Duty("", "", "cover-danger", "covers"),
    Duty("xuhui", "", "", "xuhui"),
    Duty("xuhui/tianping", "manhole", "", "tianping water"),
    Duty("xuhui", "", "cover-danger", "xuhui covers", "night crew"),
    Duty("320582", "", "cover-danger", "zhangjiagang"),
    Duty("320582110152", "", "cover-danger", "the community"),
)


@pytest.fixture
def city(every_kind: str) -> Iterator[City]:  # noqa: ARG001 - it chooses the engine
    with City() as city:
        yield city


def table(city: City, *rows: Duty) -> None:
    with city.transaction() as conn:
        responsibility.replace(conn, rows, "token:wu", city.now)


def crews(city: City, *some: Crew) -> None:
    with city.transaction() as conn:
        for one in some:
            roster.put(conn, one, "token:wu", city.now)


def found(city: City, area: str = "", family: str = "", cause: str = "", code: str = "") -> str:
    with city.engine.connect() as conn:
        duty = responsibility.find(conn, Place(area, code, family, cause))
    return duty.department if duty else "-"


def test_the_most_specific_row_wins(city: City) -> None:
    table(city, *ROWS)
    assert found(city, "putuo", "dust", "site-dust") == "city"
    assert found(city, "putuo", "manhole", "cover-water") == "water"
    assert found(city, "xuhui/tianping/3", "manhole", "cover-water") == "tianping water"
    assert found(city, "xuhui/tianping/3", "manhole", "cover-danger") == "xuhui covers"
    assert found(city, "putuo", "manhole", "cover-danger") == "covers"
    assert found(city, "xuhui", "dust", "site-dust") == "xuhui"
    assert found(city, "xuhuix", "dust", "site-dust") == "city", "not a part of a name"


def test_a_grid_code_lies_in_its_community_street_and_district(city: City) -> None:
    table(city, *ROWS)
    assert found(city, "", "manhole", "cover-danger", CELL) == "the community"
    assert found(city, "", "manhole", "cover-danger", "320582999152102") == "zhangjiagang"
    assert grid.above(CELL) == ["320582", "320582110", "320582110152", CELL]


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(ROWS))
def test_the_order_of_the_table_plays_no_part(order: list[Duty]) -> None:
    with City() as city:
        table(city, *order)
        assert found(city, "xuhui/tianping", "manhole", "cover-danger") == "xuhui covers"
        assert found(city, "xuhui/tianping", "manhole", "cover-gas") == "tianping water"


def test_a_table_with_faults_changes_nothing_and_names_them_all(city: City) -> None:
    table(city, Duty("", "", "", "city"))
    with pytest.raises(Invalid) as caught:
        table(city, Duty("", "", "", ""), Duty("32058", "", "", "x"), Duty("", "", "", "twin"))
    errors = caught.value.members["errors"]
    assert isinstance(errors, list)
    assert [fault["at"] for fault in errors] == ["row 1.department", "row 2.area", "row 3"]
    assert found(city) == "city"


def test_a_table_comes_from_csv() -> None:
    text = "\ufeffarea,family,cause,department,crew\nxuhui,*,cover-danger,排水处,夜班\n,,,市城管,\n"
    assert responsibility.read_csv(text) == [
        Duty("xuhui", "", "cover-danger", "排水处", "夜班"),
        Duty("", "", "", "市城管", ""),
    ]
    with pytest.raises(Invalid, match="'colour'"):
        responsibility.read_csv("department,colour\nx,y\n")


def test_a_case_goes_to_who_is_responsible(city: City) -> None:
    crews(city, Crew("night crew", "covers"))
    table(city, Duty("xuhui", "", "cover-danger", "covers", "night crew"))
    case = city.raises("tilt", "MH-0042").case("cover-danger")
    assert (case.state, case.department, case.crew) == ("dispatched", "covers", "night crew")


def test_of_a_department_the_nearest_crew_on_duty_goes(city: City) -> None:
    table(city, Duty("", "", "", "covers"))
    crews(
        city,
        Crew("near", "covers", 31.2, 121.41, shifts=(Shift("workdays", "08:00", "18:00"),)),
        Crew("far", "covers", 31.2, 121.5),
        Crew("next door", "gardens", 31.2, 121.4),
    )
    city.at("Mon 09:00").raises("tilt", "MH-0042")
    assert city.case("cover-danger").crew == "near"
    city.at("Mon 20:00").raises("lamp", "LP-1")
    assert city.case("lamp-out").crew == "far", "by night only the far one works"


def test_with_nobody_on_duty_a_dispatcher_chooses(city: City) -> None:
    table(city, Duty("", "", "", "covers"))
    crews(city, Crew("day", "covers", shifts=(Shift("workdays", "08:00", "18:00"),)))
    case = city.at("Sat 09:00").raises("tilt", "MH-0042").case("cover-danger")
    assert (case.state, case.department, case.crew) == ("filed", "covers", "")
    with pytest.raises(Invalid, match="no crew of covers is on duty"):
        city.act(case, "dispatch", department="covers")
    city.act(case, "dispatch", crew="day")
    assert city.case_of(case).department == "covers"


def test_a_crew_with_much_to_do_is_further_away(city: City) -> None:
    crews(city, Crew("busy", "covers", 31.2, 121.4), Crew("free", "covers", 31.2, 121.42))
    city.at("Mon 09:00").raises("tilt", "MH-0042").raises("tilt", "MH-0043")
    for case in city.cases("cover-danger"):
        city.act(case, "return", "for the roster")
        city.act(city.case_of(case), "dispatch", crew="busy")
    with city.engine.connect() as conn:
        order = nearest.candidates(conn, WorkClock(), city.now, (31.2, 121.4), "covers")
    assert [(one.crew, one.open) for one in order] == [("free", 0), ("busy", 2)]
    assert order[0].metres == pytest.approx(1903, abs=5)


def test_cases_of_one_transaction_are_shared_out(city: City) -> None:
    table(city, Duty("", "", "", "works"))
    crews(city, *(Crew(name, "works", 31.2, 121.4) for name in "abc"))
    at_once = (("tilt", "MH-0042"), ("tilt", "MH-0043"), ("lamp", "LP-3"), ("dust", "DU-1"), ("fume", "FU-1"))
    city.hear(*(city.transition(rule, device, True, city.now, city.now) for rule, device in at_once))
    assert sorted(case.crew for case in city.cases()) == ["a", "a", "b", "b", "c"]


def test_a_crew_is_where_it_was_seen_lately(city: City) -> None:
    crews(city, Crew("a", "covers", 31.2, 121.4), Crew("b", "covers", 31.2, 121.5))
    with city.transaction() as conn:
        roster.seen(conn, "b", 31.2, 121.4001, city.now)
        roster.seen(conn, "a", 31.3, 121.4, city.now)
        assert nearest.nearest(conn, WorkClock(), city.now, (31.2, 121.4), "covers", {}) == "b"
        later = moment("Mon 03:00")
        assert nearest.nearest(conn, WorkClock(), later, (31.2, 121.4), "covers", {}) == "a"
        with pytest.raises(NotFound):
            roster.seen(conn, "c", 0, 0, city.now)


@pytest.mark.parametrize(
    ("shift", "duty", "off"),
    [
        (Shift("workdays", "08:00", "18:00"), "Mon 08:00", "Mon 18:00"),
        (Shift("workdays", "08:00", "18:00"), "Fri 17:59", "Sat 12:00"),
        (Shift("free", "08:00", "18:00"), "Sun 12:00", "Mon 12:00"),
        (Shift("daily", "22:00", "06:00"), "Tue 05:59", "Tue 06:00"),
        (Shift("sat", "22:00", "06:00"), "Sun 05:00", "Sat 05:00"),
        (Shift("mon,wed", "00:00", "00:00"), "Wed 23:59", "Tue 12:00"),
    ],
)
def test_a_shift_goes_by_the_wall_clock_and_the_calendar(shift: Shift, duty: str, off: str) -> None:
    crew, clock = Crew("x", shifts=(shift,)), DeskSettings().clock()
    assert roster.on_duty(crew, clock, moment(duty))
    assert not roster.on_duty(crew, clock, moment(off))
    assert roster.on_duty(Crew("always"), clock, moment(off))


@pytest.mark.parametrize("shift", [Shift("sundays", "08:00", "18:00"), Shift("mon", "8:00", "24:00")])
def test_a_shift_that_nobody_can_read_is_refused(city: City, shift: Shift) -> None:
    with pytest.raises(Invalid):
        crews(city, Crew("x", shifts=(shift,)))


def test_a_crew_is_put_anew_and_taken_away(city: City) -> None:
    crews(
        city, Crew("x", "covers", members=("user:li", "user:wu"), shifts=(Shift("daily", "08:00", "18:00"),))
    )
    crews(city, Crew("x", "gardens", members=("user:wu",)))
    with city.transaction() as conn:
        assert roster.crews(conn) == [Crew("x", "gardens", members=("user:wu",))]
        roster.remove(conn, "x", "token:wu", city.now)
        assert roster.crews(conn) == []
        with pytest.raises(NotFound):
            roster.remove(conn, "x", "token:wu", city.now)


def test_who_handed_it_back_is_not_chosen_again_but_on_purpose(city: City) -> None:
    crews(city, Crew("pumps", "water"), Crew("pipes", "water"), Crew("wires", "telecom"))
    case = city.at("Mon 09:00").raises("tilt", "MH-0042").case("cover-danger")
    city.act(case, "return", "not ours", actor="token:crew")
    city.act(city.case_of(case), "dispatch", crew="pumps")
    city.act(case, "return", "a telephone cover", actor="token:crew")
    returned = city.case_of(case)
    assert (returned.returned, returned.returns, returned.crew, returned.department) == (
        "water",
        2,
        "",
        "",
    )
    for target in ({"crew": "pumps"}, {"crew": "pipes"}, {"department": "water"}):
        with pytest.raises(Conflict, match="water handed it back"):
            city.act(case, "dispatch", **target)
    with pytest.raises(Invalid, match="needs a reason"):
        city.act(case, "dispatch", crew="pipes", force=True)
    city.act(case, "dispatch", crew="wires")
    assert city.case_of(case).department == "telecom"
    city.act(case, "return", "no, it is a drain")
    city.act(case, "dispatch", "the map says so", crew="wires", force=True)
    assert show(city.case_of(case).deadline) == "Mon 11:00"


@pytest.mark.parametrize("code", ["3205821101521", "32058211015210x", "990582110152102", "３20582110152102"])
def test_a_grid_code_has_fifteen_digits_of_a_district(code: str) -> None:
    with pytest.raises(Invalid, match="no grid code"):
        grid.cell(code)
    assert (grid.cell(""), grid.cell(CELL)) == ("", CELL)


def test_a_part_code_names_its_class() -> None:
    assert grid.part("3205820102048188") == "3205820102048188"
    assert grid.kind("3205820102048188") == "0102"
    for wrong in ("3205820602048188", "320582010204818", "0005820102048188"):
        with pytest.raises(Invalid, match="no part code"):
            grid.part(wrong)


def test_distance_is_over_the_ground() -> None:
    shanghai, beijing = (31.2304, 121.4737), (39.9042, 116.4074)
    assert nearest.distance(shanghai, beijing) == pytest.approx(1_067_300, rel=1e-3)
    for here, there in permutations([shanghai, beijing], 2):
        assert nearest.distance(here, there) == nearest.distance(there, here)
    assert nearest.distance((None, 1), (1, 1)) is None
