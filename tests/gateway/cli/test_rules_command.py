"""`citygate rules …` against a gateway of its own: values, versions, and what a person reads of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

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
