"""The page behind a message's link: what a chat's preview fetches changes nothing; one touch answers, once."""

from __future__ import annotations

import re
from typing import Any

import pytest

from drivers.telemetry import SECOND
from gateway.notify.links import Link
from tests.gateway.api.gate import Gate

TILTED = {"device": "M1", "v": {"tilt": 40}}


async def alarm(gate: Gate) -> dict[str, Any]:
    await gate.device("M1", area="north", name="<b>Cover</b>")
    now = gate.services.clock.now() // 1000
    await gate.push(*({**TILTED, "ts": now - 1000 + n} for n in range(5)))
    found: dict[str, Any] = (await gate.ok("viewer", "GET", "/alarms"))["items"][0]
    return found


def word(gate: Gate, subject: str, seconds: int = 60) -> str:
    until = gate.services.clock.now() // SECOND + seconds
    return f"/api/v1/acknowledge/{gate.services.links.sign(Link(subject, 'street-crews', until))}"


async def test_looking_changes_nothing_and_one_touch_acknowledges(gate: Gate) -> None:
    one = await alarm(gate)
    path = word(gate, f"alarm:{one['id']}")
    for _ in range(3):
        page = await gate.call(None, "GET", path, headers={"Accept-Language": "en-GB"})
        assert (page.status_code, "Acknowledge the alarm" in page.text) == (200, True)
    assert "&lt;b&gt;Cover" in page.text
    assert "<b>" not in page.text
    assert (await gate.ok("viewer", "GET", f"/alarms/{one['id']}"))["alarm"]["state"] == "active"

    done = await gate.call(None, "POST", path, headers={"Accept-Language": "en"})
    assert "it is noted" in done.text
    file = await gate.ok("viewer", "GET", f"/alarms/{one['id']}")
    assert file["alarm"]["state"] == "acknowledged"
    assert file["timeline"][-1]["actor"] == "link:street-crews"

    again = await gate.call(None, "POST", path, headers={"Accept-Language": "zh-CN"})
    assert (again.status_code, "无需操作" in again.text) == (200, True)
    assert len((await gate.ok("viewer", "GET", f"/alarms/{one['id']}"))["timeline"]) == len(file["timeline"])


async def test_a_case_is_taken_on_once_it_is_dispatched(gate: Gate) -> None:
    one = await alarm(gate)
    path = word(gate, f"case:{one['case']}")
    assert "接单" in (await gate.call(None, "GET", path)).text
    await gate.call(None, "POST", path)
    case = await gate.ok("viewer", "GET", f"/cases/{one['case']}")
    assert (case["case"]["state"], case["timeline"][-1]["actor"]) == ("accepted", "link:street-crews")
    assert "无需操作" in (await gate.call(None, "GET", path)).text


async def test_of_a_case_that_nobody_has_yet_the_alarms_are_acknowledged(gate: Gate) -> None:
    one = await alarm(gate)
    path = word(gate, f"case:{one['case']}")
    back = {"event": "return", "note": "not ours"}
    await gate.ok("operator", "POST", f"/cases/{one['case']}/events", json=back)
    assert "确认案件告警" in (await gate.call(None, "GET", path)).text
    await gate.call(None, "POST", path)
    assert (await gate.ok("viewer", "GET", f"/alarms/{one['id']}"))["alarm"]["state"] == "acknowledged"
    assert (await gate.ok("viewer", "GET", f"/cases/{one['case']}"))["case"]["state"] == "filed"
    assert "无需操作" in (await gate.call(None, "GET", path)).text


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_link_that_is_over_opens_nothing(gate: Gate, method: str) -> None:
    one = await alarm(gate)
    expired = word(gate, f"alarm:{one['id']}", -1)
    rotated, unknown = word(gate, f"alarm:{one['id']}"), word(gate, "case:99")
    await gate.ok("admin", "POST", "/acknowledge")
    for path in (expired, rotated, unknown, "/api/v1/acknowledge/x.y"):
        page = await gate.call(None, method, path)
        assert (page.status_code, "链接无效" in page.text) == (404, True)
    assert (await gate.ok("viewer", "GET", f"/alarms/{one['id']}"))["alarm"]["state"] == "active"
    trail = await gate.ok("supervisor", "GET", "/audit")
    assert any(entry["object"] == "links:key" for entry in trail["items"])


async def test_the_page_may_run_and_fetch_nothing(gate: Gate) -> None:
    one = await alarm(gate)
    page = await gate.call(None, "GET", word(gate, f"alarm:{one['id']}"))
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert not re.search(r"<script|src=|href=|https?:|style=", page.text)
