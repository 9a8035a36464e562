"""Dispatch over HTTP: responsibility, crews, visits, photos, reports, and who may see what of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.api.gate import Gate

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763f8ffff3f0005fe02fea735810d0000000049454e44ae426082"
)
REPORT = {
    "category": "cover-danger",
    "text": "a cover is missing",
    "lat": 31.2,
    "lon": 121.4,
    "area": "xuhui",
}


async def a_case(gate: Gate, **device: Any) -> dict[str, Any]:
    await gate.device("M1", area="xuhui/tianping", lat=31.2, lon=121.4, **device)
    await gate.push({"device": "M1", "v": {"tilt": 40}})
    (case,) = (await gate.ok("viewer", "GET", "/cases"))["items"]
    assert isinstance(case, dict)
    return case


async def test_the_table_of_responsibility_decides_who_gets_a_case(gate: Gate) -> None:
    rows = [
        {"department": "city"},
        {"area": "xuhui", "cause": "cover-danger", "department": "water", "crew": "night crew"},
    ]
    await gate.ok("admin", "PUT", "/responsibility", json={"items": rows})
    assert len((await gate.ok("viewer", "GET", "/responsibility"))["items"]) == 2
    found = await gate.ok("viewer", "GET", "/responsibility/find?cause=cover-danger&area=xuhui/tianping")
    assert found["duty"]["crew"] == "night crew"
    case = await a_case(gate)
    assert (case["state"], case["crew"], case["department"]) == ("dispatched", "night crew", "water")
    twins = {"items": [{"department": "x"}, {"department": "y"}]}
    assert await gate.refused("admin", "PUT", "/responsibility", json=twins) == (422, "invalid")
    assert await gate.refused("operator", "PUT", "/responsibility", json={"items": []}) == (403, "forbidden")


async def test_a_crew_its_shifts_and_where_it_is(gate: Gate) -> None:
    form = {
        "department": "water",
        "lat": 31.2,
        "lon": 121.41,
        "shifts": [{"days": "daily", "begins": "00:00", "ends": "00:00"}],
    }
    made = await gate.ok("supervisor", "PUT", "/crews/night", json=form)
    assert (made["on_duty"], made["members"]) == (True, [])
    case = await a_case(gate)
    (one,) = (await gate.ok("operator", "GET", f"/crews/nearest?case={case['id']}"))["items"]
    assert (one["crew"], round(one["metres"])) == ("night", 951)
    here = {"lat": 31.2, "lon": 121.4}
    assert (await gate.ok("operator", "POST", "/crews/night/place", json=here))["last_lat"] == 31.2
    assert await gate.refused("crew", "POST", "/crews/night/place", json=here) == (409, "conflict")
    await gate.ok("supervisor", "DELETE", "/crews/night")
    assert (await gate.ok("viewer", "GET", "/crews"))["items"] == []
    assert await gate.refused("supervisor", "PUT", "/crews/x", json={"lat": 1}) == (422, "invalid")


async def test_a_photo_is_kept_and_served_as_a_picture_and_nothing_else(gate: Gate) -> None:
    case = await a_case(gate)
    path = f"/cases/{case['id']}/photos"
    (photo,) = (await gate.ok("crew", "POST", path, content=PNG))["items"]
    assert (photo["media"], photo["actor"]) == ("image/png", "token:the-crew")
    served = await gate.call("viewer", "GET", f"/api/v1{path}/{photo['sha256']}")
    assert (served.content, served.headers["content-type"]) == (PNG, "image/png")
    assert served.headers["x-content-type-options"] == "nosniff"
    assert served.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert (await gate.ok("viewer", "GET", path))["items"] == [photo]
    assert await gate.refused("viewer", "POST", path, content=PNG) == (403, "forbidden")
    assert await gate.refused("crew", "POST", path, content=b"<svg onload='x'/>") == (422, "invalid")
    assert await gate.refused("crew", "POST", path, content=bytes(9 << 20)) == (413, "too-large")
    assert await gate.refused("viewer", "GET", f"{path}/{'0' * 64}") == (404, "not-found")
    assert await gate.refused("crew", "POST", "/cases/77/photos", content=PNG) == (404, "not-found")


async def test_who_reported_is_seen_by_operators_and_that_is_kept(gate: Gate) -> None:
    contact = {"name": "Li Ming", "phone": "13800000000"}
    made = await gate.ok("operator", "POST", "/reports", json=REPORT | {"contact": contact})
    assert made["match"] == "created"
    path = f"/reports/{made['id']}"
    assert await gate.refused("crew", "GET", f"{path}/contact") == (403, "forbidden")
    assert (await gate.ok("operator", "GET", f"{path}/contact"))["phone"] == "13800000000"
    assert "Li Ming" not in str(await gate.ok("viewer", "GET", path))
    assert "Li Ming" not in str(await gate.ok("viewer", "GET", f"/cases/{made['case']}"))
    audit = await gate.ok("supervisor", "GET", "/audit")
    assert "contact asked" in str(audit)
    assert "Li Ming" not in str(audit)
    assert [
        one["id"] for one in (await gate.ok("viewer", "GET", f"/reports?case={made['case']}"))["items"]
    ] == [made["id"]]


async def test_a_report_joins_a_sensors_case_and_names_its_kinds(gate: Gate) -> None:
    case = await a_case(gate)
    kinds = (await gate.ok("viewer", "GET", "/reports/categories"))["items"]
    (rattling,) = [one for one in kinds if one["category"] == "cover-rattling"]
    assert (rattling["limit"], "rattling cover" in rattling["also"]) == (
        {"amount": 2, "unit": "work_day"},
        True,
    )
    assert rattling["filing"]["en"] == "The cover rattles, rocks or flips up"
    assert rattling["closing"]["zh"] == "更换或修复"
    assert rattling["source"].startswith("0101-0118 井盖: rattling")
    made = await gate.ok("operator", "POST", "/reports", json=REPORT)
    assert (made["match"], made["case"]) == ("joined", case["id"])
    for wrong in ({"category": "dragons"}, {"part": "1"}, {"lat": None}, {"origin": "sensor"}):
        assert await gate.refused("operator", "POST", "/reports", json=REPORT | wrong) == (422, "invalid")


async def test_a_visit_starts_and_finishes_its_cases(gate: Gate) -> None:
    case = await a_case(gate)
    (group,) = (await gate.ok("crew", "GET", f"/visits/proposals?crew={case['crew']}"))["items"]
    assert [one["id"] for one in group["cases"]] == [case["id"]]
    planned = await gate.ok("crew", "POST", "/visits", json={"crew": case["crew"], "cases": [case["id"]]})
    number = planned["visit"]["id"]
    gone = await gate.ok("crew", "POST", f"/visits/{number}/events", json={"event": "start"})
    assert [one["state"] for one in gone["cases"]] == ["in_repair"]
    done = await gate.ok(
        "crew",
        "POST",
        f"/visits/{number}/events",
        json={"event": "finish", "note": "seated", "verdict": "real"},
    )
    assert (done["cases"][0]["state"], done["cases"][0]["verdict"], done["left"]) == ("repaired", "real", [])
    assert (await gate.ok("viewer", "GET", "/visits"))["items"][0]["state"] == "finished"
    assert await gate.refused("crew", "POST", f"/visits/{number}/events", json={"event": "finish"}) == (
        409,
        "conflict",
    )


async def test_merge_split_and_verdict_over_http(gate: Gate) -> None:
    case = await a_case(gate)
    made = await gate.ok("operator", "POST", "/reports", json=REPORT | {"lat": 31.3})
    events = f"/cases/{made['case']}/events"
    said = {"event": "merge", "into": case["id"], "verdict": "duplicate", "note": "the same cover"}
    assert await gate.refused("crew", "POST", events, json=said) == (403, "forbidden")
    gone = (await gate.ok("operator", "POST", events, json=said))["case"]
    assert (gone["state"], gone["merged_into"], gone["verdict"]) == ("void", case["id"], "duplicate")
    last = (await gate.ok("viewer", "GET", f"/cases/{case['id']}"))["timeline"][-1]
    assert (last["event"], last["detail"]) == ("merged", {"case": gone["id"]})
    (report,) = (await gate.ok("viewer", "GET", f"/reports?case={case['id']}"))["items"]
    assert report["id"] == made["id"]
    split = {"event": "split", "alarms": ["x"]}
    assert await gate.refused("operator", "POST", f"/cases/{case['id']}/events", json=split) == (
        422,
        "invalid",
    )


@pytest.mark.parametrize("by", ["department", "crew"])
async def test_the_evaluation_counts_verdicts_by(gate: Gate, by: str) -> None:
    case = await a_case(gate)
    path = f"/cases/{case['id']}/events"
    await gate.ok("crew", "POST", path, json={"event": "return", "note": "seated", "verdict": "false_alarm"})
    query = f"/evaluation?since=0&until=2100-01-01T00:00:00Z&by={by}"
    (counted,) = (await gate.ok("viewer", "GET", query))["items"].values()
    assert (counted["false_alarms"], counted["misdirected"], counted["dispatched_right_rate"]) == (1, 1, 0)
