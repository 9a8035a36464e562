"""`citygate devices rotate | rotations`, as an operator types them."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.commands import app
from gateway.cli.remote import RefusalError


def types(config: Path, *words: str) -> str:
    result = CliRunner().invoke(app, ["--config", str(config), "devices", *words])
    if isinstance(result.exception, Exception):
        raise result.exception
    return result.stdout


def test_a_secret_is_changed_with_and_without_an_overlap(tmp_path: Path) -> None:
    config = tmp_path / "city.toml"
    config.write_text(f'data = "{tmp_path}/data"\n', encoding="utf-8")
    first = types(config, "add", "DU-1", "--product", "generic-dust").split()[-1]
    second = types(config, "rotate", "DU-1", "--overlap", "1d").split()[-1]
    assert len({first, second}) == 2
    line, total = types(config, "rotations").splitlines()
    assert line.split()[:3] == ["DU-1", "device", "unknown"]
    assert total == "1 of 1 were not seen with their new secret yet"
    types(config, "rotate", "DU-1")
    assert types(config, "rotations") == "0 of 0 were not seen with their new secret yet\n"
    with pytest.raises(RefusalError, match="30s, 5m, 1h or 1d"):
        types(config, "rotate", "DU-1", "--overlap", "soon")
