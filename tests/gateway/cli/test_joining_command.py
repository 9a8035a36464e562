"""`citygate devices unknown | join | adopt | clocks`, as an operator types them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.commands import app
from gateway.cli.joining import lag
from gateway.cli.remote import RefusalError
from gateway.registry import stranger_rows
from gateway.registry.strangers import Sample, Stranger
from gateway.store.store import Store

NOW = 1_790_000_000_000_000


def stranger(folder: Path) -> None:
    """As a gateway that ran here left it."""
    one = Stranger("DU-0077", "mqtt", "10.0.0.7:4711", NOW, NOW, 3, "xuhui", ["generic-dust"])
    one.samples = [Sample(NOW, "city/dust/DU-0077/telemetry", b'{"v": {"pm10": 42}}')]

    async def write() -> None:
        async with Store(f"sqlite:///{folder}/operations.sqlite") as store:
            await store.migrate()
            await store.write(lambda conn: stranger_rows.write(conn, [stranger_rows.row(one)], []))

    asyncio.run(write())


class Operator:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._config = folder / "config.toml"
        self._config.write_text(f'data = "{folder}"\n[[notify.log]]\nname = "log"\n', encoding="utf-8")

    def types(self, *words: str) -> str:
        result = CliRunner().invoke(app, ["--config", str(self._config), "devices", *words])
        if isinstance(result.exception, Exception):
            raise result.exception
        return result.stdout


def test_an_unknown_device_is_listed_and_adopted(tmp_path: Path) -> None:
    stranger(tmp_path)
    operator = Operator(tmp_path)
    (line,) = operator.types("unknown").splitlines()
    for word in ("DU-0077", "mqtt", "10.0.0.7:4711", "3×", "joining xuhui", "generic-dust"):
        assert word in line
    (one,) = json.loads(operator.types("unknown", "--json"))
    assert one["samples"][0]["payload"] == '{"v": {"pm10": 42}}'
    made = operator.types("adopt", "DU-0077", "--place", "121.47,31.23", "--name", "工地 7")
    assert made.startswith("DU-0077 (generic-dust) secret, shown this once: ")
    shown = json.loads(operator.types("show", "DU-0077"))
    assert (shown["lon"], shown["lat"], shown["area"], shown["name"]) == (121.47, 31.23, "xuhui", "工地 7")
    assert shown["clock"] is None
    with pytest.raises(RefusalError, match="nothing is known"):
        operator.types("forget", "DU-0077")


def test_a_window_is_opened_listed_and_closed(tmp_path: Path) -> None:
    operator = Operator(tmp_path)
    said = operator.types("join", "open", "--area", "xuhui/tianping", "--minutes", "5", "--secret")
    window = said.split()[2]
    assert "their password is" in said
    assert "xuhui/tianping" in operator.types("join", "list")
    operator.types("join", "close", window)
    assert operator.types("join", "list") == ""
    assert operator.types("clocks") == ""


def test_a_place_that_is_none_is_said_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["--config", str(tmp_path / "none.toml"), "devices", "adopt", "X", "--place", "here"]
    )
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("offset", "text"),
    [(3_600_000_000, "3600.0 s behind"), (-1_500_000, "1.5 s ahead"), (864_000_000_000, "10.0 d behind")],
)
def test_an_offset_is_said_in_words(offset: int, text: str) -> None:
    assert lag(offset) == text
