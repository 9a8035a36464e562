"""`citygate drill`, as a user types it: the shipped smoke is met, what is not met fails, what is wrong is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from drivers.telemetry import DAY
from gateway.cli.bench import month
from gateway.cli.commands import app
from simulators.drill.drill import Drill
from simulators.drill.scenario import find, read

BRIEF = """\
start   = 2026-09-22T19:00:00+08:00
lasts   = "70m"
settle  = "5m"
devices = 80
seed    = 3
step    = "5m"
[[fault]]
kind   = "feeder_cut"
device = "CB-0001"
from   = "19:12"
lasts  = "45m"
"""


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["drill", *words])


def scored(file: Path, text: str, *words: str) -> tuple[int, str, dict[str, Any]]:
    file.write_text(text, encoding="utf-8")
    said = file.with_suffix(".json")
    result = run(str(file), "--json", str(said), *words)
    return result.exit_code, result.output, json.loads(said.read_text(encoding="utf-8"))


def test_the_shipped_smoke_meets_its_thresholds_and_names_what_it_missed(tmp_path: Path) -> None:
    result = run("smoke", "--json", str(tmp_path / "score.json"), "--junit", str(tmp_path / "junit.xml"))
    assert result.exit_code == 0, result.output
    score = json.loads((tmp_path / "score.json").read_text(encoding="utf-8"))
    assert score["whole"]["recall"] >= 0.98
    assert score["whole"]["precision"] >= 0.95
    assert score["faults"] == 108
    assert {rule["rule"] for rule in score["rules"]} >= {"lamp-dark", "cover-tilted", "fume-high"}
    assert result.output.count("MISSED") == len(score["misses"])
    assert result.output.count("FALSE") == len(score["falses"])
    suite = ET.parse(tmp_path / "junit.xml").getroot()
    assert len(suite) == len(score["rules"]) + 1


def test_a_cut_feeder_is_one_fault_with_its_lamps_and_what_is_not_met_fails(tmp_path: Path) -> None:
    strict = BRIEF + '[expect.rule.cabinet-supply-loss]\nlatency = "1s"\n'
    code, output, score = scored(tmp_path / "strict.toml", strict)
    rules = {rule["rule"]: rule for rule in score["rules"]}
    assert rules["cabinet-supply-loss"]["noticed"] == 1
    assert rules["lamp-silent"]["alarms"] > 10
    assert score["falses"] == []
    assert code == 1
    assert "NOT MET cabinet-supply-loss: p95" in output
    assert score["met"] is False
    _, _, again = scored(tmp_path / "strict.toml", strict)
    assert {**again, "seconds": 0, "speed": 0} == {**score, "seconds": 0, "speed": 0}


def test_every_fault_of_a_bad_scenario_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(BRIEF.replace('"feeder_cut"', '"feeder_cat"\ndevise = 1') + "\n[expect]\nrecall = 2\n")
    result = run(str(file))
    assert result.exit_code == 2
    assert f"{file}:9: fault.0.devise: unknown key" in result.output
    assert f"{file}:15: expect.recall: 2 is no share between 0 and 1" in result.output
    assert "2 faults" in result.output
    file.write_text(BRIEF.replace("CB-0001", "CB-9999"))
    result = run(str(file))
    assert result.exit_code == 2
    assert f"{file}:7: fault.0: the city has no device 'CB-9999'" in result.output


def test_a_drill_that_is_not_there_is_told_with_those_that_are() -> None:
    result = run("nightmare")
    assert result.exit_code == 2
    assert "shipped are bad-network, dust-season" in result.output


def test_the_bench_plays_the_first_days_of_the_month_with_its_share_of_the_faults() -> None:
    whole = read(find(month.NAME))
    days = month.shortened(whole, month.DAYS)
    assert days.end - days.begin == month.DAYS * DAY
    assert days.devices == whole.devices == 1_000
    share = sum(one.count for one in days.random) / sum(one.count for one in whole.random)
    assert share == pytest.approx(month.DAYS / 30, rel=0.05)
    assert Drill.build(days, days.seed).injuries
