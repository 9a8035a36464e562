"""`citygate report`, as an operator types it."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest
from typer.testing import CliRunner

from gateway.cli.commands import app
from gateway.cli.remote import RefusalError


def test_a_week_and_a_month_become_files(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'data = "{tmp_path / "data"}"\n[evaluation]\nlit_target = 0.98\n', encoding="utf-8")

    def run(*words: str) -> str:
        result = CliRunner().invoke(app, ["--config", str(file), "report", *words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.stdout

    out = tmp_path / "week.xlsx"
    said = run("weekly", "--out", str(out), "--date", "2026-05-01", "--lang", "zh")
    assert said.startswith(f"{out}: ")
    assert openpyxl.load_workbook(out)["案件总体"]["A1"].value == "周报 · 案件总体 · 2026-04-27 – 2026-05-03"
    page = tmp_path / "month.html"
    run("monthly", "--format", "html", "--out", str(page))
    assert page.read_text(encoding="utf-8").startswith('<!doctype html><html lang="en">')
    with pytest.raises(RefusalError, match="format"):
        run("weekly", "--format", "pdf", "--out", str(out))
