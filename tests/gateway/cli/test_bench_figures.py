from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from gateway.cli.bench import figure, loads, report, service
from gateway.cli.bench.figure import Figure
from gateway.cli.bench.flood import Plan
from gateway.errors import LinkError


def test_a_figure_is_the_median_with_its_ends() -> None:
    one = figure.of("decode", "µs", [3.0, 1.0, 2.0, 9.0, 2.5], 2.0)
    assert (one.value, one.low, one.high, one.samples) == (2.5, 1.0, 9.0, 5)
    assert one.distance == pytest.approx(0.25)
    assert one.verdict == "25% over"


def test_a_budget_that_is_a_least_is_missed_from_below() -> None:
    short = Figure("flat out", "msg/s", 80_000, budget=100_000, least=True)
    more = Figure("flat out", "msg/s", 130_000, budget=100_000, least=True)
    assert (short.verdict, more.verdict) == ("20% over", "30% inside")


def test_no_budget_has_no_distance() -> None:
    one = figure.of("checkpoint", "µs", [1.0])
    assert one.distance is None
    assert not one.verdict


def test_nothing_measured_is_said() -> None:
    assert figure.of("decode", "µs", []).error == "nothing was measured"
    assert figure.total("in all", [figure.of("decode", "µs", [])]).error


def test_the_whole_is_the_sum_of_medians() -> None:
    parts = [figure.of("a", "µs", [1.0, 2.0, 3.0]), figure.of("b", "µs", [0.5, 0.5, 1.5])]
    whole = figure.total("in all", parts, 4.0)
    assert (whole.value, whole.low, whole.high, whole.samples) == (2.5, 1.5, 4.5, 3)


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_a_quantile_is_a_sample(share: float, value: float) -> None:
    assert figure.quantile(range(100, 0, -1), share) == value


def test_a_quantile_of_one_sample_is_that_sample() -> None:
    assert figure.quantile([7.0], 0.99) == 7.0


def test_the_table_has_a_line_for_each_figure_and_says_what_failed() -> None:
    found = [
        figure.of("decode + columns", "µs", [1.25, 1.5, 1.0], 0.7),
        Figure("flat out", "msg/s", 52_300.0, budget=100_000, least=True, note="gateway 98% of a core"),
        Figure("at 20,000 msg/s", "", error="LinkError: 12 of 10000 connections after 80 s"),
    ]
    out = io.StringIO()
    report.show(Console(file=out, width=160), "stages", found)
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert "decode + columns 1.25 µs 1.00 to 1.50 ≤ 0.7 79% over" in lines
    assert "flat out 52,300 msg/s ≥ 100,000 48% over gateway 98% of a core" in lines
    assert "at 20,000 msg/s failed LinkError: 12 of 10000 connections after 80 s" in lines


def test_the_json_has_every_figure_with_its_distance() -> None:
    groups = {
        "stages": [figure.of("decode", "µs", [1.4], 0.7)],
        "loads": [Figure("flat out", "", error="no")],
    }
    document = json.loads(report.encode(report.machine(), 10.0, groups))
    assert document["seconds"] == 10.0
    assert document["machine"]["cores"] > 0
    assert document["stages"][0]["distance"] == pytest.approx(1.0)
    assert document["loads"][0]["error"] == "no"


async def test_a_load_that_fails_is_a_line_that_says_so() -> None:
    async def refused(load: loads.Load, seconds: float) -> loads.Seen:
        del load, seconds
        raise LinkError("0 of 100 connections after 30 s")

    load = loads.Load("flat out, 100 connections", Plan(100), lambda _: [])
    (one,) = await loads.measure(load, 1.0, refused)
    assert (one.name, one.error) == (load.name, "LinkError: 0 of 100 connections after 30 s")


async def test_every_load_turns_what_was_seen_into_figures() -> None:
    seen = loads.Seen(
        rate=20_000.0,
        busy=0.8,
        latency={"p50": 12.0, "p99": 31.0, "max": 40.0},
        report={"acked": 200_000},
        alarms=[0.011, 0.013, 0.040],
        gaps=[0.020, 0.031],
    )

    async def quiet(load: loads.Load, seconds: float) -> loads.Seen:
        del load, seconds
        return seen

    found = [one for load in loads.LOADS for one in await loads.measure(load, 1.0, quiet)]
    assert all(one.value is not None and not one.error for one in found)
    assert len({one.name for one in found}) == len(found)
    by_name = {one.name: one for one in found}
    assert by_name["alarm p99 at 20,000 msg/s"].value == pytest.approx(40.0)
    assert by_name["longest gap between acks at 50,000 msg/s"].value == pytest.approx(31.0)


def test_metrics_without_labels_are_read() -> None:
    text = '# HELP a b\na_total 12.0\nb{family="dust"} 3.0\nc 4.5\n'
    assert service.parse(text) == {"a_total": 12.0, "c": 4.5}


def test_the_gateway_of_a_benchmark_hears_no_variable_of_ours() -> None:
    assert service.plain({"PATH": "/bin", "CITYGATE_DATA": "/srv"}) == {"PATH": "/bin"}
