"""Dashboards and alert rules ask only for what a really running gateway says, and show all that it says."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.architecture.sizes import ROOT
from tests.deploy.gateway_metrics import scrape
from tests.deploy.promql import labels, metrics

GRAFANA = ROOT / "deploy/grafana"
PROMETHEUS = ROOT / "deploy/prometheus"
BOARDS = sorted(GRAFANA.glob("*.json"))
UNSHOWN = {  # of the client library; what they say is said by others
    "process_virtual_memory_bytes",
    "process_start_time_seconds",
}
PARTS = ("_bucket", "_sum", "_count")  # of a histogram: one of them shown is the whole


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    return asyncio.run(scrape(tmp_path_factory.mktemp("gateway")))


def panels(board: Path) -> Iterator[dict[str, Any]]:
    for panel in json.loads(board.read_text(encoding="utf-8"))["panels"]:
        if panel["type"] != "row":
            yield panel


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((PROMETHEUS / "citygate.rules.yml").read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def asked() -> list[tuple[str, str, str]]:
    """Where, expression, and what is shown of its labels."""
    boards = [
        (f"{board.name}: {panel['title']}", target["expr"], target["legendFormat"])
        for board in BOARDS
        for panel in panels(board)
        for target in panel["targets"]
    ]
    alerts = [(rule["alert"], rule["expr"], rule["annotations"]["summary"]) for rule in rules()]
    return boards + alerts


def test_what_panels_and_alerts_ask_for_is_there(samples: dict[str, set[str]]) -> None:
    faults = [
        f"{where}: {metric} has no {', '.join(sorted(wanted - samples.get(metric, set()))) or 'samples'}"
        for where, expression, shown in asked()
        for metric, wanted in labels(expression, shown).items()
        if metric != "up" and (metric not in samples or wanted - samples[metric])
    ]
    assert faults == []


def test_all_that_the_gateway_counts_is_shown(samples: dict[str, set[str]]) -> None:
    shown = set().union(*(metrics(expression) for _, expression, _ in asked()))
    whole = {name.removesuffix(part) for name in shown for part in PARTS if name.endswith(part)}
    unseen = {
        name for name in samples if not any(name == stem + part for stem in whole for part in PARTS)
    } - shown
    assert unseen == UNSHOWN


def test_there_are_three_boards_and_no_two_of_a_name() -> None:
    boards = [json.loads(board.read_text(encoding="utf-8")) for board in BOARDS]
    assert len({board["uid"] for board in boards}) == len({board["title"] for board in boards}) == 3


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_every_panel_says_what_it_is_in_both_languages(board: Path) -> None:
    for panel in panels(board):
        assert re.fullmatch(r"[\x20-\x7e]+", panel["title"]), panel["title"]
        assert re.search(r"[a-z]", panel["description"]), panel["title"]
        assert re.search(r"[\u4e00-\u9fff]", panel["description"]), panel["title"]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_panels_use_the_variables_and_do_not_overlap(board: Path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels(board):
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
        assert all("$instance" in target["expr"] for target in panel["targets"]), panel["title"]
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert re.search(r"[\u4e00-\u9fff]", rule["annotations"]["description"]), rule["alert"]
    assert len({rule["alert"] for rule in rules()}) == len(rules())


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
@pytest.mark.parametrize(
    "words",
    [
        ("check", "rules", "citygate.rules.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "citygate.rules.test.yml"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_prometheus_itself_agrees(words: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *words], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
