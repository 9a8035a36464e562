"""Health: alive, ready with reasons, and metrics."""

from __future__ import annotations

from gateway.api.trouble import Trouble
from tests.gateway.api.gate import Gate

WELL = {"ok": True, "reasons": [], "warnings": []}
DISK = Trouble(part="disk", what="12 MiB are free", remedy="free space", since=1_700_000_000_000_000)
LINK = Trouble(part="link east", what="refused", remedy="look at the broker", since=1, blocking=False)


async def test_the_gateway_says_which_part_keeps_it_from_its_work_since_when_and_what_to_do(
    gate: Gate,
) -> None:
    answer = await gate.call(None, "GET", "/readyz")
    assert (answer.status_code, answer.json()) == (200, WELL)
    gate.door.faults = [DISK, LINK]
    answer = await gate.call(None, "GET", "/readyz")
    expected = {"ok": False, "reasons": [DISK.model_dump()], "warnings": [LINK.model_dump()]}
    assert (answer.status_code, answer.json()) == (503, expected)


async def test_another_side_that_is_away_is_a_warning(gate: Gate) -> None:
    gate.door.faults = [LINK]
    answer = await gate.call(None, "GET", "/readyz")
    assert (answer.status_code, answer.json()) == (200, WELL | {"warnings": [LINK.model_dump()]})


async def test_the_gateway_is_alive_as_long_as_ticks_proceed(gate: Gate) -> None:
    answer = await gate.call(None, "GET", "/livez")
    assert (answer.status_code, answer.json()) == (200, WELL)
    gate.door.stuck = Trouble(part="pipeline", what="no tick", remedy="restart", since=1)
    answer = await gate.call(None, "GET", "/livez")
    assert (answer.status_code, answer.json()["reasons"][0]["part"]) == (503, "pipeline")


async def test_metrics_are_prometheus_text(gate: Gate) -> None:
    answer = await gate.call(None, "GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "citygate_frames_total" in answer.text


async def test_requests_are_counted_by_template_and_never_by_path(gate: Gate) -> None:
    for path in ("/api/v1/devices/A", "/api/v1/devices/B", "/api/v1/nowhere", "/api/v1/devices/A"):
        await gate.call(None, "GET", path)
    await gate.call(None, "BREW", "/api/v1/devices/A")
    text = (await gate.call(None, "GET", "/metrics")).text
    counted = [line for line in text.splitlines() if line.startswith("citygate_api_requests_total{")]
    assert (
        'citygate_api_requests_total{method="GET",route="/api/v1/devices/{id}",status="401"} 3.0' in counted
    )
    assert 'citygate_api_requests_total{method="GET",route="none",status="404"} 1.0' in counted
    assert [line for line in counted if 'method="other"' in line]
    assert 'citygate_api_seconds_count{route="/api/v1/devices/{id}"}' in text
