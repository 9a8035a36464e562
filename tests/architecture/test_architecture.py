"""The laws that no single module can hold: sizes, the shipped configuration, and the README's word."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from gateway.cli.commands import app
from gateway.config import Config, load
from tests.architecture.sizes import ROOT, too_long

READMES = ("README.md", "README.zh-CN.md")


def test_no_file_is_longer_than_the_gate() -> None:
    assert too_long() == []


def test_the_shipped_configuration_loads_and_names_every_option() -> None:
    file = ROOT / "config.toml"
    load(file)
    text = file.read_text(encoding="utf-8")
    missing = [
        name
        for name in _options(Config)
        if not re.search(rf"^#?\s*({name}\s*=|\[\[[\w.]*{name}\]\])", text, re.MULTILINE)
    ]
    assert missing == [], "every option stands in config.toml, set or commented out"


def _options(model: type[BaseModel]) -> list[str]:
    names: list[str] = []
    for name, field in model.model_fields.items():
        annotation: Any = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            names += _options(annotation)
        else:
            names.append(name)
    return names


@pytest.mark.parametrize("readme", READMES)
def test_commands_and_paths_of_the_readme_exist(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    words = set(re.findall(r"^\./run ([a-z]+)", text, re.MULTILINE))
    known = {
        "test",
        "check",
        *(command.name for command in app.registered_commands),
        *(g.name for g in app.registered_groups),
    }
    assert words <= known, f"the README names commands that do not exist: {words - known}"
    for path in re.findall(r"`((?:gateway|drivers|rules|simulators|tests)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), f"{readme} names {path}"


def test_help_of_every_command_is_readable() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0


def test_locks_name_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    assert "--hash=sha256:" in lock


def test_project_and_lock_agree_on_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["requires-python"] == ">=3.11"


def test_packages_import_without_side_effects_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    load(ROOT / "config.toml")
    assert list(tmp_path.iterdir()) == []
