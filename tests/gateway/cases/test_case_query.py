from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from gateway.cases import query
from gateway.cases.query import Filter
from gateway.errors import Invalid, NotFound
from tests.gateway.cases.city import City, moment

pytestmark = pytest.mark.usefixtures("every_kind")


@pytest.fixture
def city(every_kind: str) -> Iterator[City]:  # noqa: ARG001 - it chooses the engine
    with City() as city:
        city.at("Mon 01:00").raises("tilt", "MH-0042").at("Mon 02:00").raises("lamp", "LP-1")
        city.at("Mon 03:00").raises("lamp", "LP-2").clears("lamp", "LP-2").at("Mon 04:00").raises(
            "dust", "DU-1"
        )
        yield city


@pytest.mark.parametrize(
    ("want", "devices"),
    [
        (Filter(), ["DU-1", "LP-2", "LP-1", "MH-0042"]),
        (Filter(family="streetlight"), ["LP-2", "LP-1"]),
        (Filter(states=["cleared"]), ["LP-2"]),
        (Filter(device="MH-0042"), ["MH-0042"]),
        (Filter(area="xuhui"), ["DU-1", "LP-2", "LP-1", "MH-0042"]),
        (Filter(area="xuhui/tianping/"), ["DU-1", "LP-2", "LP-1", "MH-0042"]),
        (Filter(area="xuhu"), []),
        (Filter(area="%"), []),
        (Filter(since=moment("Mon 03:00")), ["DU-1", "LP-2"]),
        (Filter(case=2), ["LP-2", "LP-1"]),
    ],
)
def test_alarms_by_what_one_looks_for(city: City, want: Filter, devices: list[str]) -> None:
    with city.engine.connect() as conn:
        assert [row["device"] for row in query.alarms(conn, want).items] == devices


def test_pages_have_every_row_once(city: City) -> None:
    with city.engine.connect() as conn:
        for read, n in ((query.alarms, 4), (query.cases, 3)):
            seen, after = [], ""
            while True:
                page = read(conn, None, 1, after)
                seen += [row["id"] for row in page.items]
                after = page.after
                if not after:
                    break
            assert len(seen) == len(set(seen)) == n


def test_pages_are_json(city: City) -> None:
    with city.engine.connect() as conn:
        assert b'"MH-0042"' in msgspec.json.encode(query.alarms(conn))
        assert b'"lamp-out"' in msgspec.json.encode(query.cases(conn))
        assert b'"alarm_joined"' in msgspec.json.encode(query.case(conn, 1))


def test_a_dossier_has_timeline_and_alarms(city: City) -> None:
    with city.engine.connect() as conn:
        dossier = query.case(conn, 2)
        assert [alarm.device for alarm in dossier.alarms] == ["LP-1", "LP-2"]
        assert [entry.event for entry in dossier.timeline] == [
            "file",
            "alarm_joined",
            "dispatch",
            "alarm_joined",
            "alarm_cleared",
        ]
        history = query.alarm(conn, dossier.alarms[1].id).timeline
        assert [(entry.event, entry.state) for entry in history] == [
            ("raise", "active"),
            ("clear", "cleared"),
        ]


def test_counts_by_family_and_state(city: City) -> None:
    with city.engine.connect() as conn:
        assert query.counts(conn) == {
            "alarms": {
                "dust": {"active": 1},
                "manhole": {"active": 1},
                "streetlight": {"active": 1, "cleared": 1},
            },
            "cases": {
                "dust": {"dispatched": 1},
                "manhole": {"dispatched": 1},
                "streetlight": {"dispatched": 1},
            },
        }


def test_what_cannot_be_listed(city: City) -> None:
    with city.engine.connect() as conn:
        for limit in (0, 1001):
            with pytest.raises(Invalid, match="a page has"):
                query.cases(conn, limit=limit)
        with pytest.raises(Invalid, match="no page mark"):
            query.cases(conn, after="yesterday")
        with pytest.raises(NotFound):
            query.case(conn, 99)
        with pytest.raises(NotFound):
            query.alarm(conn, "none")
