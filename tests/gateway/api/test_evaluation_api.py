"""Figures, rankings and report files over HTTP: of the areas that a caller is limited to, readable back as what they are."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import openpyxl

from tests.gateway.api.gate import Gate


async def today(gate: Gate) -> str:
    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=gate.services.clock.now())
    return str(now.astimezone(ZoneInfo("Asia/Shanghai")).date())


async def covers_open(gate: Gate) -> None:
    """A case in north, one in an area whose name is a formula."""
    for device, area in (("M1", "north"), ("M2", '=HYPERLINK("x")')):
        await gate.device(device, area=area)
        now = gate.services.clock.now() // 1000
        await gate.push(*({"device": device, "ts": now - 1000 + n, "v": {"tilt": 40}} for n in range(5)))


async def test_a_ranking_holds_what_the_caller_may_see(gate: Gate) -> None:
    await covers_open(gate)
    where = f"/evaluation/ranking?by=area&date={await today(gate)}"
    found = await gate.ok("viewer", "GET", where)
    assert [one["name"] for one in found["items"]] == ['=HYPERLINK("x")', "north"]
    assert [one["indicators"]["filed"] for one in found["items"]] == [1, 1]
    assert (found["items"][0]["place"], found["weights"]["handled_rate"]) == (None, 20)
    given = {"name": "north", "role": "viewer", "areas": ["north"]}
    secret = (await gate.ok("admin", "POST", "/tokens", json=given))["secret"]
    mine = (await gate.call(None, "GET", f"/api/v1{where}&lang=zh", secret=secret)).json()
    assert [one["name"] for one in mine["items"]] == ["north"]
    assert "应处置" in mine["note"]
    answer = await gate.call(None, "GET", "/api/v1/evaluation/facilities?area=south", secret=secret)
    assert answer.status_code == 403


async def test_a_trend_ends_with_the_period_asked_for(gate: Gate) -> None:
    await covers_open(gate)
    day = await today(gate)
    found = await gate.ok("viewer", "GET", f"/evaluation/trend?period=day&count=3&date={day}")
    assert [one["last"] for one in found["periods"]][-1] == day
    counts = [sum(each["filed"] for each in one["items"].values()) for one in found["periods"]]
    assert counts == [0, 0, 2]
    month = await gate.ok("viewer", "GET", "/evaluation/trend?period=month&count=2&date=2026-01-15&by=grid")
    assert [one["first"] for one in month["periods"]] == ["2025-12-01", "2026-01-01"]


async def test_facilities_have_notes_and_a_period(gate: Gate) -> None:
    found = await gate.ok("viewer", "GET", "/evaluation/facilities?period=month&date=2025-02-11")
    assert (found["first"], found["last"], found["items"]) == ("2025-02-01", "2025-02-28", {})
    assert "CJJ 89" in found["notes"]["lit_rate"]
    assert (await gate.refused("viewer", "GET", "/evaluation/facilities?date=1066-10-14"))[0] == 422


async def test_names_that_begin_like_formulas_are_texts_in_every_format(gate: Gate) -> None:
    await covers_open(gate)
    day = await today(gate)
    answer = await gate.call("viewer", "GET", f"/api/v1/reports/weekly?date={day}&lang=zh")
    assert answer.headers["content-disposition"] == 'attachment; filename="weekly.xlsx"'
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    cells = [cell for row in book["按区域"].iter_rows() for cell in row]
    assert [cell.data_type for cell in cells if cell.value == '=HYPERLINK("x")'] == ["s"]
    assert not [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]

    answer = await gate.call("viewer", "GET", f"/api/v1/reports/monthly?date={day}&format=csv")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0][0] == "Monthly ranking"
    assert any('\'=HYPERLINK("x")' in row for row in rows)

    answer = await gate.call("viewer", "GET", f"/api/v1/reports/weekly?date={day}&format=html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert "=HYPERLINK(&quot;x&quot;)" in answer.text
