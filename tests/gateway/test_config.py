"""All faults of a configuration at once, each with file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import line_of, load
from gateway.errors import ConfigError

BROKEN = """\
zone = "Mars/Olympus"
colour = 1

[mqtt.endpoint]
port = 70000

[pipeline]
tick_ms = "soon"

[[product]]
id = "acme"
maker = "Acme"
model = "x"
family = "manhole"
telemetry = { points = { tilt = "a", colour = "b" } }

[[case]]
id = "lamp-out"
limit = { amount = -1, unit = "work_day" }
"""


def test_every_fault_is_reported_with_its_line_and_key(tmp_path: Path) -> None:
    file = tmp_path / "city.toml"
    file.write_text(BROKEN, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file)
    faults = caught.value.faults
    for start in (
        f"{file}:1: zone: ",
        f"{file}:2: colour: unknown key",
        f"{file}:5: mqtt.endpoint.port: ",
        f"{file}:8: pipeline.tick_ms: ",
        f"{file}: product.0: ",
        f"{file}: case lamp-out: limit.amount: ",
    ):
        assert any(fault.startswith(start) for fault in faults), (start, faults)


def test_what_is_no_toml_says_where(tmp_path: Path) -> None:
    file = tmp_path / "city.toml"
    file.write_text("zone = \n", encoding="utf-8")
    with pytest.raises(ConfigError, match="line 1"):
        load(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "absent.toml")


def test_a_channel_listens_for_words_that_some_step_says(tmp_path: Path) -> None:
    file = tmp_path / "city.toml"
    text = (
        '[desk]\nescalation = [{ at = 1, to = "ward" }]\n[[notify.log]]\nname = "a"\nescalations = ["%s"]\n'
    )
    file.write_text(text % "ward", encoding="utf-8")
    assert load(file).notify.log[0].escalations == ("ward",)
    file.write_text(text % "mayor", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"no step of desk.escalation is for mayor \(there are: ward\)"):
        load(file)


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "city.toml"
    file.write_text("[http]\nport = 8081\n", encoding="utf-8")
    monkeypatch.setenv("CITYGATE_HTTP__PORT", "9090")
    assert load(file).http.port == 9090


def test_the_line_of_a_key_in_an_array_of_tables() -> None:
    text = "[[a]]\nx = 1\n[[a]]\nx = 2\n"
    assert (line_of(text, ["a", "1", "x"]), line_of(text, ["a", "0", "x"]), line_of(text, ["b"])) == (4, 2, 0)
