"""`citygate rules …` against a gateway of its own: values, versions, and what a person reads of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import tuning
from gateway.cli.commands import app

RULE = "dust-pm10-high"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(
        f'data = "{tmp_path}/data"\nlog_level = "ERROR"\n[mqtt.endpoint]\nport = 0\n[http]\nport = 0\n'
        '[rules]\npreset = "jiangsu"\n',
        "utf-8",
    )
    return path


def rules(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["--config", str(config), "rules", *words])


def test_a_rule_is_tuned_and_explained_by_its_differences(config: Path, tmp_path: Path) -> None:
    pack = (
        Path("rules/packs/dust.toml")
        .read_text("utf-8")
        .replace("mean(pm10, 15m) > limit", "mean(pm10, 30m) > limit")
    )
    (tmp_path / "mine.toml").write_text(pack, "utf-8")
    file = ("--file", str(tmp_path / "mine.toml"), "--draft")
    assert rules(config, "publish", RULE, "-r", "smoother", *file).output == f"{RULE} v2 drafted\n"
    assert rules(config, "diff", RULE, "1", "2").output == (
        "raised when (when)\n  - mean(pm10, 15m) > limit\n  + mean(pm10, 30m) > limit\n"
    )
    wish = ("limit=0.12 mg/m3", "--area", "xuhui", "-r", "school")
    assert '"value": 120' in rules(config, "set", RULE, *wish).output
    shown = rules(config, "standing", RULE).output.splitlines()
    assert shown == [
        f"{RULE}: v1 published",
        "  limit = 80 in preset: DB32/4437-2022, PM10 80 ug/m3",
        "  limit = 120 in area:xuhui: school",
    ]


def test_a_refusal_says_why(config: Path) -> None:
    refused = rules(config, "set", RULE, "limit=5", "-r", "a try")
    assert refused.exit_code != 0
    assert "limit = 5 is outside 20 to 2000 ug/m3" in str(refused.exception)
    assert rules(config, "set", RULE, "limit", "-r", "a try").exit_code == 2


MINE = """[[rule]]
id       = "mine"
family   = "dust"
when     = "pm10 > 400 ug/m3"
severity = "major"
alarm    = "pm10TooHigh"
case     = "site-dsut"
source   = "a try"
en       = "PM10"
zh       = "PM10"
"""


def test_a_case_that_is_no_template_is_shown_with_its_place(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MINE, "utf-8")
    checked = rules(config, "check", str(file))
    error, shown, caret, remedy, total = checked.output.splitlines()
    assert error == f"{file}:7:12: error: mine.case: 'site-dsut' is no case template"
    assert shown == '    7 | case     = "site-dsut"'
    assert caret.index("^") == shown.index('"')
    assert "known are: " in remedy
    assert "site-dust" in remedy
    assert (total, checked.exit_code) == ("1 rules, 1 faults", 1)
    file.write_text(MINE.replace("dsut", "dust"), "utf-8")
    assert rules(config, "check", str(file)).output == "1 rules, 0 faults\n"


def test_a_rule_that_is_in_no_force_is_tried_from_its_file_or_as_a_draft(
    config: Path, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MINE.replace("dsut", "dust"), "utf-8")
    since = ("--from", "2026-10-01", "--to", "2026-10-02")
    tried = rules(config, "backtest", "mine", *since, "--file", str(file))
    assert tried.output.startswith("mine: 0 readings judged\n"), tried.exception
    assert tried.output.splitlines()[-1].startswith("backtest 1: --backtest 1 of `rules set`")
    assert rules(config, "publish", "mine", "-r", "a try", "--file", str(file), "--draft").exit_code == 0
    assert "mine: 0 readings judged" in rules(config, "backtest", "mine", *since, "--version", "1").output
    both = rules(config, "backtest", "mine", *since, "--version", "1", "--file", str(file))
    assert both.exit_code == 2


def test_a_version_tells_what_its_author_was_shown() -> None:
    kept = {"number": 4, "old": {"alarms": 9, "cases": 3}, "new": {"alarms": 2, "cases": 1}}
    assert tuning.shown({"backtest": kept}) == " (backtest 4: alarms 9 to 2, cases 3 to 1)"
    assert tuning.shown({"backtest": None}) == ""
