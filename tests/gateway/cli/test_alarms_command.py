"""`citygate alarms list` and `show`, as an operator types them, against a gateway opened for the moment."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import to_builtins
from sqlalchemy import create_engine, insert
from typer.testing import CliRunner

from drivers.telemetry import SECOND
from gateway.cases.lifecycle import AlarmState
from gateway.cases.record import Alarm
from gateway.cli import alarms
from gateway.cli.commands import app
from gateway.store.schema import cases as schema

T = 1_790_035_200 * SECOND  # 2026-09-22 00:00:00Z


def alarm(key: str, device: str, raised: int, **more: object) -> Alarm:
    facts = (1, "tiltTooLarge", "major", "manhole", int(device[-1]), device, "", "xuhui/tianping", "")
    return Alarm(key, "cover-tilted", *facts, None, None, raised, raised, **more)  # type: ignore[arg-type]


HELD = {"state": AlarmState.SUPPRESSED, "suppressed_by": "window:1", "suppression": "window"}
ALARMS = [
    alarm("a1", "MH-1", T, state=AlarmState.ACTIVE, case=7),
    alarm("a2", "MH-2", T + 60 * SECOND, **HELD),
]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alarms")
    path = folder / "config.toml"
    path.write_text(
        f'data = "{folder}/data"\nlog_level = "ERROR"\n[mqtt.endpoint]\nport = 0\n[http]\nport = 0\n'
    )
    assert run(path, "list") == ""
    engine = create_engine(f"sqlite:///{folder}/data/operations.sqlite")
    with engine.begin() as conn:
        conn.execute(insert(schema.alarm), [to_builtins(each) for each in ALARMS])
        conn.execute(
            insert(schema.alarm_event),
            {"alarm": "a2", "revision": 1, "time": T, "event": "suppress", "state": "suppressed"}
            | {"actor": "gateway", "note": "window: window:1"},
        )
    engine.dispose()
    return path


def run(config: Path, *words: str) -> str:
    result = CliRunner().invoke(app, ["--config", str(config), "alarms", *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def test_alarms_are_listed_with_the_ids_that_explain_takes(config: Path) -> None:
    newest, oldest = run(config, "list").splitlines()
    assert newest.startswith("a2  2026-09-22 00:01:00Z  major    suppressed   MH-2 ")
    assert "cover-tilted v1, no case (window: window:1)" in newest
    assert oldest.startswith("a1 ")
    assert "cover-tilted v1, case 7" in oldest


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--state", "active", "--state", "cleared"), ["a1"]),
        (("--device", "MH-2"), ["a2"]),
        (("--area", "xuhui"), ["a2", "a1"]),
        (("--area", "pudong"), []),
        (("--case", "7"), ["a1"]),
        (("--since", "2026-09-22T00:00:30Z"), ["a2"]),
        (("--limit", "1"), ["a2"]),
        (("--after", f"{T + 60 * SECOND}.a2"), ["a1"]),
        (("--family", "dust"), []),
    ],
)
def test_a_list_is_narrowed(config: Path, words: tuple[str, ...], found: list[str]) -> None:
    assert [line.split()[0] for line in run(config, "list", *words).splitlines()] == found


def test_one_alarm_is_shown_with_all_that_happened_to_it(config: Path) -> None:
    head, entry = run(config, "show", "a2").splitlines()
    assert head.startswith("a2  2026-09-22 00:01:00Z")
    assert entry == "  2026-09-22 00:00:00Z  suppress     suppressed   gateway: window: window:1"
    assert '"suppressed_by": "window:1"' in run(config, "show", "a2", "--json")


def test_a_line_ends_with_the_reason() -> None:
    told = to_builtins(ALARMS[0]) | {"text": "Tilt was 40°."}
    assert alarms.line(told).endswith("case 7  Tilt was 40°.")
