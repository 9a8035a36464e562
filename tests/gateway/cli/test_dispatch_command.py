"""`citygate responsibility` and `citygate crews`, as a supervisor types them."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.commands import app
from gateway.cli.remote import RefusalError

TABLE = "area,family,cause,department,crew\n,,,市城管,\nxuhui,,cover-danger,排水处,夜班\n"


def types(config: Path, *words: str) -> str:
    result = CliRunner().invoke(app, ["--config", str(config), *words])
    if isinstance(result.exception, Exception):
        raise result.exception
    return result.stdout


def test_a_table_goes_in_and_crews_have_shifts(tmp_path: Path) -> None:
    config, file = tmp_path / "city.toml", tmp_path / "duties.csv"
    config.write_text(f'data = "{tmp_path}/data"\n', encoding="utf-8")
    file.write_text("department,colour\nx,y\n", encoding="utf-8")
    with pytest.raises(RefusalError, match=r"duties\.csv: the heading"):
        types(config, "responsibility", "import", str(file))
    file.write_text(TABLE, encoding="utf-8")
    assert types(config, "responsibility", "import", str(file)) == "2 rows say who is responsible\n"
    assert types(config, "responsibility", "list") == TABLE
    put = ("crews", "put", "夜班", "--department", "排水处", "--shift", "daily 20:00-08:00", "--member", "li")
    assert '"begins": "20:00"' in types(config, *put)
