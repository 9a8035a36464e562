from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from simulators.__main__ import arguments, build, main, read_secrets, scenario
from simulators.fleet import Fleet
from simulators.flood import Flood
from tests.simulators.evening import START, city


def test_the_registry_is_written_for_the_gateway_to_import(tmp_path: Path) -> None:
    path = tmp_path / "devices.csv"
    assert main(["--devices", "60", "--seed", "3", "--registry", str(path)]) == 0
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60
    assert list(rows[0])[:9] == [
        "id",
        "family",
        "product",
        "name",
        "area",
        "lat",
        "lon",
        "parent",
        "interval",
    ]


@pytest.mark.parametrize("text", ['{"DU-0001": "a", "DU-0002": "b"}', "id,secret\nDU-0001,a\nDU-0002,b\n"])
def test_secrets_are_read_in_either_form(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secrets"
    path.write_text(text)
    assert read_secrets(path) == {"DU-0001": "a", "DU-0002": "b"}


def test_a_file_that_holds_no_secrets_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    path.write_text("device;password\n")
    with pytest.raises(ValueError, match="columns id and secret"):
        read_secrets(path)


def test_a_scenario_is_none_the_demo_or_a_file(tmp_path: Path) -> None:
    town = city(600)
    path = tmp_path / "one.toml"
    path.write_text('[[fault]]\nkind = "storm"\nfamily = "dust"\nfrom = "17:40"\nuntil = "18:00"\n')
    assert scenario("", town).all == []
    assert len(scenario("demo", town).all) > 20
    assert [fault.kind.name for fault in scenario(str(path), town).all] == ["storm"]


def test_options_become_a_fleet_or_a_flood() -> None:
    pace = f"1000:{START}:60.0"
    fleet = build(arguments(["--devices", "20", "--pace", pace, "--faults", "demo", "--mqtt5", "1"]))
    assert isinstance(fleet, Fleet)
    assert (str(fleet.pace), fleet.settings.five, len(fleet.places)) == (pace, 1.0, 20)
    flood = build(arguments(["--devices", "20", "--mode", "flood", "--rate", "500", "--burst", "4"]))
    assert isinstance(flood, Flood)
    assert (flood.load.rate, flood.load.burst) == (500, 4)


def test_a_run_that_reaches_nobody_still_reports(tmp_path: Path) -> None:
    report, ledger = tmp_path / "report.json", tmp_path / "ledger.npz"
    options = ["--devices", "6", "--seconds", "0.1", "--to", "127.0.0.1:1", "--report", str(report)]
    assert main([*options, "--ledger", str(ledger)]) == 0
    found = json.loads(report.read_text())
    assert (found["devices"], found["sent"], found["connected"]) == (6, 0, 0)
    assert found["unreachable"] > 0
    assert ledger.exists()
