"""Health: alive, ready with reasons, and metrics."""

from __future__ import annotations

from tests.gateway.api.gate import Gate


async def test_the_gateway_is_alive_and_says_why_it_is_not_ready(gate: Gate) -> None:
    assert (await gate.call(None, "GET", "/livez")).json() == {"ok": True, "reasons": []}
    assert (await gate.call(None, "GET", "/readyz")).status_code == 200
    gate.door.faults = ["history: disk full"]
    answer = await gate.call(None, "GET", "/readyz")
    assert (answer.status_code, answer.json()) == (503, {"ok": False, "reasons": ["history: disk full"]})


async def test_metrics_are_prometheus_text(gate: Gate) -> None:
    answer = await gate.call(None, "GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "citygate_frames_total" in answer.text
