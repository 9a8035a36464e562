"""What wants somebody first stands first; no page leaves a case out, and nobody sees beyond their areas."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drivers.telemetry import MINUTE
from gateway.cases import worklist
from gateway.cases.worklist import Tally, Wanted
from gateway.errors import Invalid
from tests.gateway.cases.city import City, engine_of, moment

PATIENCE = 15 * MINUTE


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer("postgresql"))])
def city(request: pytest.FixtureRequest) -> Iterator[City]:
    """Monday 09:00: a lamp suspended, dust handed back, a kitchen dispatched, a cover due in two hours."""
    engine = None
    if request.param == "postgresql":
        engine = engine_of(request.getfixturevalue("postgresql").fresh())
    with City(engine=engine) as city:
        city.at("Mon 08:00").raises("lamp", "LP-3").at("Mon 08:01").raises("dust", "DU-1")
        city.at("Mon 08:02").raises("fume", "FU-1").at("Mon 09:00").raises("tilt", "MH-0042")
        city.act(city.case("lamp-out"), "suspend", "no parts")
        city.act(city.case("site-dust"), "return", "not ours")
        yield city
    if engine is not None:
        engine.dispose()


def listed(city: City, want: Wanted, limit: int = 100, after: str = "") -> list[str]:
    with city.engine.connect() as conn:
        return [row["device"] for row in worklist.page(conn, want, PATIENCE, limit, after).items]


def test_what_waits_and_what_is_due_first_come_first(city: City) -> None:
    with city.engine.connect() as conn:
        rows = worklist.page(conn, Wanted(), PATIENCE, 10).items
    assert [row["device"] for row in rows] == ["DU-1", "MH-0042", "FU-1", "LP-3"]
    assert rows[0]["due"] == moment("Mon 09:15")
    assert rows[1]["due"] == rows[1]["deadline"] == moment("Mon 11:00")


def test_no_page_leaves_a_case_out(city: City) -> None:
    with city.engine.connect() as conn:
        seen, after = [], ""
        while True:
            page = worklist.page(conn, Wanted(), PATIENCE, 1, after)
            seen += [row["device"] for row in page.items]
            if not (after := page.after):
                break
    assert seen == listed(city, Wanted())


@pytest.mark.parametrize(
    ("want", "devices"),
    [
        (Wanted(family="manhole"), ["MH-0042"]),
        (Wanted(state="suspended"), ["LP-3"]),
        (Wanted(area="xuhui"), ["DU-1", "MH-0042", "FU-1", "LP-3"]),
        (Wanted(area="xuhu"), []),
        (Wanted(areas=("xuhui/tianping", "elsewhere"), family="fume"), ["FU-1"]),
        (Wanted(areas=("elsewhere",)), []),
        (Wanted(crews=["drainage", "lighting"]), ["MH-0042", "LP-3"]),
        (Wanted(crews=[]), []),
    ],
)
def test_what_one_looks_for(city: City, want: Wanted, devices: list[str]) -> None:
    assert listed(city, want) == devices


def test_what_is_over_is_left_out(city: City) -> None:
    city.act(city.case("cover-danger"), "void", "children played with it")
    assert listed(city, Wanted()) == ["DU-1", "FU-1", "LP-3"]


def test_the_tally_counts_what_is_late(city: City) -> None:
    with city.engine.connect() as conn:
        before = worklist.tally(conn, (), moment("Mon 10:59"))
        after = worklist.tally(conn, (), moment("Mon 11:00"))
        assert worklist.tally(conn, ("elsewhere",), moment("Mon 11:00")) == {}
        assert worklist.areas(conn, ()) == ["xuhui", "xuhui/tianping"]
        assert worklist.areas(conn, ("elsewhere",)) == []
    assert before["manhole"] == Tally(cases=1, late=0, alarms=1)
    assert after["manhole"] == Tally(cases=1, late=1, alarms=1)
    assert sorted(after) == ["dust", "fume", "manhole", "streetlight"]


@pytest.mark.parametrize("after", ["x", "1", "1.x", "-1.1", f"{2**63}.1", "1.99999999999"])
def test_a_strange_mark_is_refused(city: City, after: str) -> None:
    with pytest.raises(Invalid, match="page mark"):
        listed(city, Wanted(), after=after)
