"""The line of the benchmark that judges history anew does what it says, on a history small enough for a test."""

from __future__ import annotations

from gateway.cli.bench.backtest import backtests


async def test_a_small_history_is_judged_whole() -> None:
    (figure,) = await backtests(days=1, stations=30)
    assert figure.error == ""
    assert figure.budget is None
    assert "43,200 rows, 1 processes" in figure.note
    assert figure.value is not None
