"""Telemetry by HTTP: answered after it is durable, item by item; then read back in every way there is."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api import telemetry
from tests.gateway.api.gate import Gate

SECOND = 1_000_000


def now_ms(gate: Gate) -> int:
    return gate.services.clock.now() // 1000


def item(gate: Gate, device: str = "M1", age: float = 10, **values: float) -> dict[str, Any]:
    """A reading `age` seconds old."""
    return {"device": device, "ts": now_ms(gate) - round(age * 1000), "v": values or {"tilt": 2.0}}


async def export(gate: Gate) -> list[dict[str, Any]]:
    answer = await gate.call("viewer", "GET", "/api/v1/readings/manhole")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_a_device_pushes_with_its_own_secret(gate: Gate) -> None:
    secret = await gate.device("M1")
    answer = await gate.call(None, "POST", "/api/v1/telemetry", secret=secret, json=item(gate))
    assert (answer.status_code, answer.json()) == (200, {"received": 1, "refused": []})
    assert [(row["device"], row["kind"], row["values"]) for row in await export(gate)] == [
        ("M1", "sample", {"tilt": 2.0})
    ]


async def test_a_list_of_nothing_is_answered_at_once(gate: Gate) -> None:
    assert await gate.push() == {"received": 0, "refused": []}


async def test_a_device_speaks_for_itself_only(gate: Gate) -> None:
    secret = await gate.device("M1")
    await gate.device("M2")
    answer = await gate.call(
        None, "POST", "/api/v1/telemetry", secret=secret, json=[item(gate), item(gate, "M2")]
    )
    assert [
        (one["item"], one["device"], one["stored"], one["reason"]) for one in answer.json()["refused"]
    ] == [(1, "M2", "none", "foreign_topic")]
    assert [row["device"] for row in await export(gate)] == ["M1"]
    answer = await gate.call(None, "POST", "/api/v1/telemetry", secret=secret, json=item(gate, "M2"))
    assert answer.status_code == 401


async def test_a_source_speaks_for_its_devices(gate: Gate) -> None:
    await gate.device("M1", area="xuhui")
    await gate.device("M2", area="huangpu")
    new = {"name": "lns", "filters": ["city/manhole/+/telemetry"], "area": "xuhui"}
    secret = (await gate.ok("admin", "POST", "/sources", json=new))["secret"]
    items = [item(gate), item(gate, "M2"), {**item(gate), "event": "coverOpened"}, item(gate, "M3")]
    answer = await gate.call(None, "POST", "/api/v1/telemetry", secret=secret, json=items)
    assert [(one["item"], one["reason"]) for one in answer.json()["refused"]] == [
        (1, "foreign_topic"),
        (2, "foreign_topic"),
        (3, "unknown_device"),
    ]


async def test_every_item_is_answered_counted_and_sampled(gate: Gate) -> None:
    await gate.device("M1")
    answer = await gate.push(
        item(gate, age=30),
        item(gate, "nobody"),
        {"v": {"tilt": 1}},
        {"device": "M1", "v": {"tilt": "steep"}},
        {"device": "M1", "ts": now_ms(gate) - 20_000, "v": {"tilt": 500}},
        {"device": "M1"},
        7,  # type: ignore[arg-type]
        item(gate, age=5),
    )
    assert answer["received"] == 8
    refused = {one["item"]: one["reason"] for one in answer["refused"]}
    assert {1: "unknown_device", 2: "wrong_type", 6: "wrong_type"}.items() <= refused.items()
    assert set(refused) == {1, 2, 3, 4, 5, 6}
    assert all(one["detail"] for one in answer["refused"])
    assert len(await export(gate)) == 2
    counts = await gate.ok("viewer", "GET", "/quarantine/counts")
    assert counts["total"] >= 6
    page = await gate.ok("viewer", "GET", "/quarantine?limit=4")
    rest = await gate.ok("viewer", "GET", f"/quarantine?after={page['after']}")
    assert len(page["items"]) == 4
    assert {one["reason"] for one in page["items"] + rest["items"]} == set(counts["counts"])
    only = await gate.ok("viewer", "GET", "/quarantine?reason=unknown_device")
    assert [(one["origin"], json.loads(one["payload"])["device"]) for one in only["items"]] == [
        ("http:the-operator@127.0.0.1", "nobody")
    ]


async def test_lines_stand_each_on_its_own(gate: Gate) -> None:
    await gate.device("M1")
    lines = [
        json.dumps(item(gate, age=9)),
        "{broken",
        "",
        json.dumps(item(gate, age=8)),
        '{"device": "M1", "v": {"tilt": NaN}}',
    ]
    answer = await gate.ok(
        "operator",
        "POST",
        "/telemetry",
        content="\n".join(lines),
        headers={"content-type": "application/x-ndjson"},
    )
    assert answer["received"] == 4
    assert [(one["item"], one["reason"]) for one in answer["refused"]] == [(1, "bad_json"), (3, "not_finite")]


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"{", "bad_json"), (b"[" * 100 + b"]" * 100, "too_deep"), (b"", "empty"), (b"\xff", "bad_json")],
)
async def test_a_body_that_is_none_is_refused_and_counted(gate: Gate, body: bytes, reason: str) -> None:
    answer = await gate.ok("operator", "POST", "/telemetry", content=body)
    assert [one["reason"] for one in answer["refused"]] == [reason]


async def test_text_that_is_none_is_answered_escaped(gate: Gate) -> None:
    for body in (
        b'{"device": "\\ud800"}',
        b'{"device": "M1", "v": {"\\udfff": 1}}',
        b'{"device": "%s"}' % (b"x" * 9999),
    ):
        answer = await gate.ok("operator", "POST", "/telemetry", content=body)
        assert len(answer["refused"]) == 1


async def test_what_came_twice_is_no_fault_and_stored_once(gate: Gate) -> None:
    await gate.device("M1")
    twice = item(gate)
    for _ in range(2):
        assert (await gate.push(twice))["refused"] == []
    assert len(await export(gate)) == 1
    answer = await gate.push({**twice, "v": {"tilt": 3.0}})
    assert [one["reason"] for one in answer["refused"]] == ["conflict"]


async def test_a_full_gateway_says_so(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    await gate.device("M1")
    gate.services.inbox.paused = True
    assert await gate.refused("operator", "POST", "/telemetry", json=item(gate)) == (503, "unavailable")
    gate.services.inbox.paused = False
    monkeypatch.setattr(telemetry, "ITEMS", 2)
    assert await gate.refused("operator", "POST", "/telemetry", json=[item(gate)] * 3) == (413, "too-large")


async def test_nobody_waits_for_ever(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    await gate.device("M1")
    monkeypatch.setattr(telemetry, "PATIENCE", 0.01)
    monkeypatch.setattr(gate.services.inbox, "arrived", lambda: None)
    assert await gate.refused("operator", "POST", "/telemetry", json=item(gate)) == (503, "unavailable")


async def test_the_newest_value_is_read(gate: Gate) -> None:
    await gate.device("M1")
    await gate.push(item(gate, age=5, tilt=7.0), item(gate, age=50, tilt=1.0))
    latest = await gate.ok("viewer", "GET", "/devices/M1/latest")
    assert (latest["family"], latest["values"]["tilt"]["value"], latest["values"]["tilt"]["unit"]) == (
        "manhole",
        7.0,
        "deg",
    )
    assert await gate.refused("viewer", "GET", "/devices/M2/latest") == (404, "not-found")


async def test_a_day_of_every_minute_is_one_page(gate: Gate) -> None:
    await gate.device("M1")
    for hour in range(24):
        ages = range(60 * (24 - hour), 60 * (23 - hour), -1)
        await gate.push(*(item(gate, age=60 * age, tilt=age % 90) for age in ages))
    page = await gate.ok("viewer", "GET", "/devices/M1/readings?limit=2000")
    assert (len(page["items"]), page["after"]) == (
        1_438,
        "",
    )  # the span ends a minute from now, for clocks ahead of ours


async def test_a_span_is_read_by_pages_without_loss(gate: Gate) -> None:
    await gate.device("M0")
    await gate.device("M1")
    await gate.push(*(item(gate, age=60 - n, tilt=float(n)) for n in range(7)))
    seen: list[float] = []
    after = ""
    for _ in range(4):
        page = await gate.ok("viewer", "GET", f"/devices/M1/readings?limit=2&points=tilt&after={after}")
        seen += [row["values"]["tilt"] for row in page["items"]]
        after = page["after"]
    assert (seen, after) == ([float(n) for n in range(7)], "")
    assert await gate.refused("viewer", "GET", "/devices/M1/readings?after=x") == (422, "invalid")
    assert await gate.refused("viewer", "GET", "/devices/M1/readings?points=colour") == (422, "invalid")
    assert await gate.refused("viewer", "GET", "/devices/M1/readings?from=2026-05-01T08:00") == (
        422,
        "invalid",
    )
    assert (await gate.ok("viewer", "GET", "/devices/M1/readings?to=2020-05-01T08:00:00%2B08:00"))[
        "items"
    ] == []


async def test_a_span_is_read_in_buckets(gate: Gate) -> None:
    await gate.device("M1")
    base = (now_ms(gate) // 60_000 - 2) * 60_000
    await gate.push(*({"device": "M1", "ts": base + n * 1000, "v": {"tilt": float(n)}} for n in range(3)))
    series = await gate.ok("viewer", "GET", "/devices/M1/series?bucket=1m&points=tilt")
    assert series["buckets"] == [
        {
            "start": base * 1000,
            "points": {"tilt": {"min": 0.0, "mean": 1.0, "max": 2.0, "last": 2.0, "count": 3}},
        }
    ]
    for query in ("bucket=1s&from=0", "bucket=0s", "bucket=soon"):
        assert await gate.refused("viewer", "GET", f"/devices/M1/series?{query}") == (422, "invalid")


async def test_an_export_has_every_reading_once(gate: Gate) -> None:
    for number in range(3):
        await gate.device(f"M{number}")
    await asyncio.gather(
        *(gate.push(*(item(gate, f"M{n}", age=n + k / 10) for k in range(20))) for n in range(3))
    )
    rows = await export(gate)
    assert len({(row["device"], row["time"]) for row in rows}) == 60
    assert all(row["tick"] > 0 and row["received"] >= row["time"] and row["flags"] == [] for row in rows[:0])
    assert await gate.refused("viewer", "GET", "/readings/trams") == (404, "not-found")


def values() -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    return st.recursive(
        leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=7), inner), max_leaves=8
    )


@given(st.binary(max_size=100) | values().map(lambda value: json.dumps(value).encode()), st.booleans())
def test_any_body_gives_items_that_are_read_or_refused(body: bytes, lines: bool) -> None:
    for said in telemetry._items(body, lines=lines):
        assert said.refused is not None or isinstance(said.body, dict)
        json.dumps(said.body).encode()
