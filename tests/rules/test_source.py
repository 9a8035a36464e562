"""Where a fault stands in its file, and how `citygate rules check` and `citygate rules cost` say it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.commands import app
from rules.source import Place, Source

FILE = '''# a city's own rules
[[rule]]
id       = "lamp-odd"
family   = "streetlight"
when     = "power > 3 V"
severity = "major"
alarm    = "lampPowerTooHigh"
limit    = { value = 9, unit = "W", min = 1, max = 5 }

[[rule]]
id       = "lamp-two"
family   = "streetlight"
when     = """
switch == "on"
  and powr > 2 W
"""
clear    = "switch == \\"of\\""
severity = "major"
colour   = "red"
'''


def test_a_fault_is_found_in_the_file() -> None:
    source = Source(FILE)
    assert source.find(0, "when") == Place(5, 12)
    assert source.find(0, "when", 1, 7) == Place(5, 19)
    assert source.find(0, "limit.value") == Place(8, 12)
    assert source.find(1, "when", 2, 7) == Place(15, 7)
    assert source.find(1, "clear", 1, 11) == Place(17, 23)  # after an escaped quote, which is two characters
    assert source.find(1, "alarm") == Place(10, 1)  # missing: the rule itself
    assert source.find(7, "when") == Place(1, 1)


def test_a_key_of_another_table_is_not_the_rules() -> None:
    source = Source('[[rule]]\nid = "x"\n[[case]]\nwhen = "y"\n')
    assert source.find(0, "when") == Place(1, 1)


def test_the_caret_stands_under_the_place_whatever_is_before_it() -> None:
    source = Source('[[rule]]\nzh\t= "路灯" # x\n')
    assert source.shown(Place(2, 8)).split("\n")[1] == "      |   \t     ^"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(f'data = "{tmp_path}/data"\n')
    (tmp_path / "rules.toml").write_text(FILE, encoding="utf-8")
    return tmp_path


def test_check_reports_as_a_compiler_does(folder: Path) -> None:
    file = folder / "rules.toml"
    done = CliRunner().invoke(app, ["--config", str(folder / "config.toml"), "rules", "check", str(file)])
    assert done.exit_code == 1
    lines = done.output.split("\n")
    assert lines[0] == (
        f"{file}:8:12: error: lamp-odd.limit.value: expected a value between min and max, found 9"
    )
    start = lines.index(f"{file}:5:19: error: lamp-odd.when: expected W on the right of >, found V")
    assert lines[start + 1 : start + 4] == [
        '    5 | when     = "power > 3 V"',
        "      |                   ^",
        "      = write the number with its unit, as in 3 W",
    ]
    assert f"{file}:15:7: error: lamp-two.when: expected a point of streetlight" in done.output
    assert "did you mean power" in done.output
    assert f"{file}:17:23: error: lamp-two.clear: expected one of 'off', 'on', found 'of'" in done.output
    assert f"{file}:19:12: error: lamp-two.colour: is no key of a rule" in done.output
    assert f"{file}:10:1: error: lamp-two.alarm: is missing" in done.output
    assert "2 rules, 6 faults" in done.output


def test_cost_states_every_rule_and_the_bounds(folder: Path) -> None:
    file = folder / "mine.toml"
    file.write_text(
        '[[rule]]\nid = "w"\nfamily = "dust"\nwhen = "mean(pm10, 15m) > 1 ug/m3"\n'
        'severity = "info"\nalarm = "pm10TooHigh"\n'
    )
    done = CliRunner().invoke(app, ["rules", "cost", str(file)])
    assert done.exit_code == 0
    row = next(line for line in done.output.split("\n") if line.startswith("w "))
    assert row.split()[1] == "224"
    assert "at most 4,096 bytes a device" in done.output
    shipped = CliRunner().invoke(app, ["rules", "cost"])
    assert "= streetlight, what is shared counted once" in shipped.output
    broken = CliRunner().invoke(app, ["rules", "cost", str(folder / "rules.toml")])
    assert broken.exit_code == 1
