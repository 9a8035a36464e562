"""GeoReport v2 as the specification's examples have it, in JSON and XML, and what it never tells."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from drivers.telemetry import DAY, SECOND
from gateway.api.georeport import GeoReport
from gateway.api.http import build
from gateway.api.idempotency import HEADER, REPLAYED
from gateway.api.oidc_settings import OidcSettings
from gateway.cases import intake, open311
from gateway.cases.lifecycle import CaseEvent
from gateway.notify.open311_settings import Open311Settings
from gateway.registry.roles import Role
from tests.gateway.api.gate import Gate
from tests.gateway.api.georeport_client import POTHOLE, ask, json, number, report, xml
from tests.gateway.api.people import user


def changed(gate: Gate, **settings: Any) -> Gate:
    """The same city under other settings of [open311]."""
    given = {"enabled": True, "jurisdiction": "gate", "read": "open", "language": "en", **settings}
    offered = GeoReport(Open311Settings.model_validate(given), gate.services.clock, "Asia/Shanghai")
    services = replace(gate.services, open311=offered)
    return replace(gate, services=services, app=build(services))


async def test_services_are_the_kinds_of_cases_in_the_language_of_the_locale(gate: Gate) -> None:
    services = await json(gate, "services")
    (danger,) = [each for each in services if each["service_code"] == "cover-danger"]
    assert danger == {
        "service_code": "cover-danger",
        "service_name": "Manhole cover missing or displaced",
        "description": "To be done within 2 hours, day and night",
        "metadata": True,
        "type": "realtime",
        "keywords": "",
        "group": "manhole",
    }
    assert "storm" not in {each["service_code"] for each in services}
    root, chinese = await xml(gate, "services", locale="zh_CN")
    (danger,) = [each for each in chinese if each["service_code"] == "cover-danger"]
    assert (root, danger["service_name"], danger["metadata"]) == ("services", "井盖缺失、移位", "true")
    assert danger["description"] == "处置时限 2 小时（昼夜连续）"


async def test_a_service_says_what_else_may_be_said(gate: Gate) -> None:
    found = await json(gate, "services/cover-danger")
    assert found["service_code"] == "cover-danger"
    assert found["attributes"][0] == {
        "variable": True,
        "code": "grid",
        "datatype": "string",
        "required": False,
        "datatype_description": "15 digits",
        "order": 1,
        "description": "Grid cell (GB/T 30428.1)",
    }
    root, same = await xml(gate, "services/cover-danger")
    assert (root, same["attributes"][1]["code"]) == ("service_definition", "part")


async def test_discovery_names_both_formats(gate: Gate) -> None:
    root, found = await xml(gate, "discovery")
    (endpoint,) = found["endpoints"]
    assert root == "discovery"
    assert endpoint["specification"] == "http://wiki.open311.org/GeoReport_v2"
    assert (endpoint["url"], endpoint["type"]) == ("http://gate/open311/v2", "production")
    assert endpoint["formats"] == ["text/xml", "application/json"]
    assert (await json(gate, "discovery"))["endpoints"] == [endpoint]


async def test_a_report_is_a_case_at_once_and_is_told_with_its_fields(gate: Gate) -> None:
    made = await report(gate, written="xml", **POTHOLE)
    assert made.status_code == 200
    assert made.text == (
        '<?xml version="1.0" encoding="utf-8"?>\n<service_requests><request><service_request_id>1'
        "</service_request_id><service_notice>To be done within 2 hours, day and night</service_notice>"
        "<account_id/></request></service_requests>\n"
    )
    (one,) = await json(gate, "requests/1")
    for name in ("service_code", "description", "media_url"):
        assert one[name] == POTHOLE[name]
    assert (one["lat"], one["long"], one["address"]) == (37.76524078, -122.4212043, "1234 5th street")
    assert (one["status"], one["status_notes"]) == ("open", "Received")
    assert datetime.fromisoformat(one["requested_datetime"]).utcoffset() is not None
    (case,) = (await gate.ok("viewer", "GET", "/cases"))["items"]
    assert (case["origin"], case["template"]) == ("citizen", "cover-danger")
    root, listed = await xml(gate, "requests", service_request_id="1,7")
    assert (root, [each["service_request_id"] for each in listed]) == ("service_requests", ["1"])


async def test_what_identifies_people_never_leaves(gate: Gate) -> None:
    words = "call 13800138000 or me.too@example.com, id 11010119900101123X; hydrant 0137-22398"
    key = await number(gate, description=words)
    told = (await ask(gate, "GET", f"requests/{key}.json")).text + (
        await ask(gate, "GET", "requests.xml")
    ).text
    for secret in ("smit333", "john", "smith", "111111111", "13800138000", "me.too", "1101011", "tt222111"):
        assert secret not in told
    assert "hydrant 0137-22398" in told
    contact = await gate.services.store.read(lambda conn: intake.contact(conn, int(key)))
    assert (contact.name, contact.email) == ("john smith", "smit333@example.com")


async def test_a_request_is_closed_when_its_case_is(gate: Gate) -> None:
    key = await number(gate)
    (case,) = (await gate.ok("viewer", "GET", "/cases"))["items"]
    services = gate.services
    now = services.clock.now()
    await services.store.write(
        lambda conn: services.desk.act(conn, case["id"], CaseEvent.VOID, "user:li", now, "not ours, says Li")
    )
    (one,) = await json(gate, f"requests/{key}")
    assert (one["status"], one["status_notes"]) == ("closed", "Not pursued")
    assert len(await json(gate, "requests", status="closed")) == 1
    assert await json(gate, "requests", status="open") == []
    assert len(await json(gate, "requests", status="open,closed")) == 1


async def test_a_report_nearby_joins_the_case_and_keeps_its_own_number(gate: Gate) -> None:
    first, second = await number(gate), await number(gate, description="the same hole")
    assert first != second
    assert len((await gate.ok("viewer", "GET", "/cases"))["items"]) == 1


async def test_requests_are_of_ninety_days_at_most(gate: Gate) -> None:
    key = await number(gate)
    now = gate.services.clock.now()

    def day(n: int) -> str:
        return datetime.fromtimestamp((now + n * DAY) / SECOND).astimezone().isoformat()

    assert [each["service_request_id"] for each in await json(gate, "requests")] == [key]
    assert await json(gate, "requests", end_date=day(-1)) == []
    assert len(await json(gate, "requests", start_date=day(-89))) == 1
    assert await json(gate, "requests", start_date=day(-91)) == []
    assert len(await json(gate, "requests", start_date=day(-1), end_date=day(1))) == 1
    assert await json(gate, "requests", service_code="lamp-out,cover-gas") == []
    far = await ask(gate, "GET", "requests.json", start_date=day(-91), end_date=day(0))
    assert (far.status_code, far.json()[0]["code"]) == (400, 400)
    for wrong in ("yesterday", "2010-05-24T00:00:00", "0001-01-01T00:00:00+14:00"):
        assert (await ask(gate, "GET", "requests.json", start_date=wrong)).status_code == 400
    assert (await ask(gate, "GET", "requests.json", status="solved")).status_code == 400


async def test_errors_are_the_specifications_list_in_both_formats(gate: Gate) -> None:
    refused = await report(gate, role=None, written="xml", **POTHOLE)
    assert refused.status_code == 403
    assert refused.text == (
        '<?xml version="1.0" encoding="utf-8"?>\n<errors><error><code>403</code>'
        "<description>Missing or Invalid API Key.</description></error></errors>\n"
    )
    cases: list[tuple[int, dict[str, str]]] = [
        (400, {"jurisdiction_id": ""}),
        (404, {"jurisdiction_id": "elsewhere"}),
        (400, {"service_code": ""}),
        (404, {"service_code": "dragons"}),
        (400, {"lat": "91"}),
        (400, {"lat": "nan"}),
        (400, {"lat": ""}),
        (400, {"media_url": "javascript:alert(1)"}),
        (400, {"attribute[part]": "x"}),
        (400, {"description": "x" * 4001}),
    ]
    for status, form in cases:
        answer = await report(gate, **{**POTHOLE, **form})
        assert (answer.status_code, [each["code"] for each in answer.json()]) == (status, [status]), form
    assert (await ask(gate, "GET", "requests/7.xml")).status_code == 404
    assert (await ask(gate, "GET", "requests/one.json")).status_code == 404
    assert (await ask(gate, "GET", "services.yaml")).json()[0]["code"] == 404
    assert (await report(gate, role="viewer", **POTHOLE)).status_code == 403
    assert await json(gate, "requests") == []


async def test_nothing_but_a_form_is_read(gate: Gate) -> None:
    """No XML of a caller is ever parsed, so no entity of it is resolved."""
    bomb = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><request><description>&e;</description></request>'
    for media in ("text/xml", "application/xml", "application/json", "multipart/form-data; boundary=x"):
        answer = await gate.call(
            "operator",
            "POST",
            "/open311/v2/requests.xml",
            content=bomb,
            headers={"content-type": media},
        )
        assert (answer.status_code, "passwd" in answer.text) == (400, False)
    form = {"content-type": "application/x-www-form-urlencoded"}
    for body in (b"description=%ff", b"\xff=1", b"&".join(b"a=1" for _ in range(101))):
        answer = await gate.call("operator", "POST", "/open311/v2/requests.json", content=body, headers=form)
        assert answer.status_code == 400


async def test_what_people_write_never_becomes_markup(gate: Gate) -> None:
    words = "</description></request><request><status>closed & <![CDATA[x]]> &e; <!DOCTYPE x>"
    key = await number(gate, description=words)
    _, (one,) = await xml(gate, f"requests/{key}")
    assert (one["description"], one["status"]) == (words, "open")


async def test_readers_need_a_key_where_the_city_says_so(gate: Gate) -> None:
    city = changed(gate, read="key")
    key = await number(city, lat="31.2", long="121.4")
    assert (await ask(city, "GET", "requests.json")).status_code == 403
    assert (await ask(city, "GET", f"requests/{key}.xml")).status_code == 403
    assert (await ask(city, "GET", "services.json")).status_code == 200
    assert len((await ask(city, "GET", "requests.json", "viewer")).json()) == 1
    bearer = await city.call("viewer", "GET", f"/open311/v2/requests/{key}.json?jurisdiction_id=gate")
    assert bearer.status_code == 200


async def test_a_key_of_one_area_reports_of_it_and_sees_no_other(gate: Gate) -> None:
    city = changed(gate, read="key")
    for name, areas in (("north", ["north"]), ("south", ["south"]), ("both", ["north", "south"])):
        token = {"name": f"app-{name}", "role": "operator", "areas": areas}
        city.words[name] = (await gate.ok("admin", "POST", "/tokens", json=token))["secret"]
    assert (await report(city, role="north", **POTHOLE)).status_code == 200
    assert (await report(city, role="both", **POTHOLE)).status_code == 403
    assert len((await ask(city, "GET", "requests.json", "north")).json()) == 1
    assert (await ask(city, "GET", "requests.json", "south")).json() == []
    assert (await ask(city, "GET", "requests/1.json", "south")).status_code == 404
    await report(city, role="south", **POTHOLE)
    assert [one["area"] for one in (await gate.ok("viewer", "GET", "/cases"))["items"]] == ["south", "north"]


async def test_a_key_brings_so_many_in_a_minute(gate: Gate) -> None:
    city = changed(gate, per_minute=2)
    assert [(await report(city, **POTHOLE)).status_code for _ in range(3)] == [200, 200, 429]
    refused = await report(city, written="xml", **POTHOLE)
    assert int(refused.headers["retry-after"]) >= 1
    assert (await report(city, role="admin", **POTHOLE)).status_code == 200


async def test_a_city_that_offers_nothing_says_so(gate: Gate) -> None:
    city = changed(gate, enabled=False)
    for path in ("discovery.json", "services.json", "requests.json", "tokens/x.json"):
        assert (await ask(city, "GET", path)).status_code == 404
    assert (await report(city, **POTHOLE)).status_code == 404


async def test_a_token_becomes_a_number_when_the_report_is_made(gate: Gate) -> None:
    city = changed(gate, type="batch")
    assert {each["type"] for each in await json(city, "services")} == {"batch"}
    (made,) = (await report(city, **POTHOLE)).json()
    assert "service_request_id" not in made
    token = made["token"]
    assert await json(city, f"tokens/{token}") == [{"token": token}]
    assert await json(city, "requests") == []
    services = city.services
    now = services.clock.now()
    changes = await services.store.write(lambda conn: open311.take(services.desk, conn, now))
    assert [each.event for each in changes] == ["file", "reported"]
    _, told = await xml(city, f"tokens/{token}")
    assert told == [{"service_request_id": "1", "token": token}]
    (one,) = await json(city, "requests/1")
    assert (one["description"], one["media_url"]) == (POTHOLE["description"], POTHOLE["media_url"])
    assert await services.store.write(lambda conn: open311.take(services.desk, conn, now)) == []
    assert (await ask(city, "GET", "tokens/none.json")).status_code == 404


async def test_one_that_cannot_become_a_report_says_why_and_stops_no_other(gate: Gate) -> None:
    services = gate.services
    now = services.clock.now()
    gone = intake.NewReport(category="no-such-service", text="x", address="y")
    new = intake.NewReport(category="cover-danger", text="x", address="y")

    def both(conn: Any) -> list[str | None]:
        return [open311.queue(conn, one, open311.Extra(), "token:app", now).token for one in (gone, new)]

    first, second = await services.store.write(both)
    await services.store.write(lambda conn: open311.take(services.desk, conn, now))
    refused = await ask(gate, "GET", f"tokens/{first}.json")
    assert (refused.status_code, "no-such-service" in refused.text) == (400, True)
    assert (await json(gate, f"tokens/{second}"))[0]["service_request_id"] == "1"


@pytest.mark.parametrize("text", ["short", "1380013800", "0137-2239845", "21 Renmin Road, 200 m east"])
def test_other_numbers_stay(text: str) -> None:
    assert open311.masked(text) == text


@pytest.mark.parametrize("written", ["json", "xml"])
async def test_a_form_that_comes_twice_with_one_idempotency_key_is_one_request(
    gate: Gate, written: str
) -> None:
    async def send(role: str, **more: str) -> httpx.Response:
        form = {"jurisdiction_id": "gate", **POTHOLE, **more, "api_key": gate.words[role]}
        path = f"/open311/v2/requests.{written}"
        return await gate.call(None, "POST", path, data=form, headers={HEADER: "k1"})

    first, again = await send("operator"), await send("operator")
    assert (first.status_code, REPLAYED in first.headers) == (200, False)
    assert (again.content, again.headers[REPLAYED]) == (first.content, "true")
    assert (await send("operator", description="another")).status_code == 422
    assert REPLAYED not in (await send("admin")).headers, "a key is its bearer's"
    assert len(await json(gate, "requests")) == 2
    assert (await send("viewer")).status_code == 403
    wrong = {"jurisdiction_id": "gate", **POTHOLE, "api_key": "x"}
    for _ in range(2):
        refused = await gate.call(
            None, "POST", f"/open311/v2/requests.{written}", data=wrong, headers={HEADER: "k2"}
        )
        assert (refused.status_code, REPLAYED in refused.headers) == (403, False)


async def test_a_portals_key_reports_and_does_nothing_else(gate: Gate) -> None:
    city = changed(gate, read="key")
    (made,) = (await report(city, role="reporter", **POTHOLE)).json()
    (seen,) = (await ask(city, "GET", f"requests/{made['service_request_id']}.json", "reporter")).json()
    assert seen["status"] == "open"
    assert "cover-danger" in str(await gate.ok("reporter", "GET", "/reports/categories"))
    here = {"category": "cover-danger", "text": "again", "lat": 37.76524078, "lon": -122.4212043}
    other = await gate.ok("operator", "POST", "/reports", json={**here, "category": "cover-water"})
    assert other["match"] == "created"
    told = await gate.ok("reporter", "POST", "/reports", json=here)
    assert (told["match"], told["nearby"]) == ("joined", [])
    joining = {**here, "join": told["case"]}
    assert await gate.refused("reporter", "POST", "/reports", json=joining) == (403, "forbidden")
    for path in ("/cases", f"/cases/{told['case']}", f"/reports?case={told['case']}", "/alarms", "/devices"):
        assert await gate.refused("reporter", "GET", path) == (403, "forbidden")
    dispatch = {"event": "dispatch", "crew": "drainage"}
    path = f"/cases/{told['case']}/events"
    assert await gate.refused("reporter", "POST", path, json=dispatch) == (403, "forbidden")


async def test_a_reporters_token_is_worth_what_its_owner_may(gate: Gate) -> None:
    for owner, role, status in (("li", "viewer", 403), ("wu", "operator", 200)):
        await user(gate, owner, role)
        token = {"name": f"portal-{owner}", "role": "reporter", "owner": owner}
        gate.words[owner] = (await gate.ok("admin", "POST", "/tokens", json=token))["secret"]
        assert (await report(gate, role=owner, **POTHOLE)).status_code == status


async def test_a_reporter_is_a_token_and_no_person(gate: Gate) -> None:
    new = {"name": "portal", "role": "reporter", "password": "correct horse battery"}
    assert await gate.refused("admin", "POST", "/users", json=new) == (422, "invalid")
    await user(gate, "li", "viewer")
    assert await gate.refused("admin", "PATCH", "/users/li", json={"role": "reporter"}) == (422, "invalid")
    with pytest.raises(ValidationError, match="a reporter is a token"):
        OidcSettings(issuer="https://login.example.org", roles={"a": Role.REPORTER})


async def test_what_waits_reaches_no_case_of_another_area_either(gate: Gate) -> None:
    city = changed(gate, type="batch")
    for name in ("north", "south"):
        token = {"name": f"app-{name}", "role": "reporter", "areas": [name]}
        city.words[name] = (await gate.ok("admin", "POST", "/tokens", json=token))["secret"]
        await report(city, role=name, **POTHOLE)
    services = city.services
    now = services.clock.now()
    await services.store.write(lambda conn: open311.take(services.desk, conn, now))
    cases = (await gate.ok("viewer", "GET", "/cases"))["items"]
    assert sorted(one["area"] for one in cases) == ["north", "south"]


async def test_a_form_that_is_too_large_is_refused_with_a_key_as_without(gate: Gate) -> None:
    form = {"api_key": gate.words["reporter"], "description": "x" * (9 << 20)}
    for headers in ({}, {HEADER: "k1"}):
        answer = await gate.call(None, "POST", "/open311/v2/requests.json", data=form, headers=headers)
        assert answer.status_code == 413
