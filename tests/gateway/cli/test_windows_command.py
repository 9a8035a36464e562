"""`citygate windows` and `citygate folded`, as an operator types them."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from gateway.cli.commands import app


def test_add_list_folded_end(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'data = "{tmp_path / "data"}"\n', encoding="utf-8")

    def run(*words: str) -> str:
        result = CliRunner().invoke(app, ["--config", str(file), *words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.stdout

    said = run("windows", "add", "cable works", "--for", "4h", "--area", "xuhui", "--family", "streetlight")
    assert said.startswith("window 1 is active until ")
    assert said.endswith(": area xuhui, family streetlight\n")
    assert "cable works" in run("windows", "list")
    assert "window 1 ended" in run("windows", "end", "1")
    assert run("folded", "window:1") == ""
