"""[rules] preset: in force in the engine's log, and gone with the next start that chooses another."""

from __future__ import annotations

from pathlib import Path

from gateway.app import App
from gateway.config import Config
from rules.parameters import PRESET


async def in_force(data: Path, preset: str) -> list[tuple[str, float | None]]:
    config = Config.model_validate({"data": data, "rules": {"preset": preset}, "log_level": "ERROR"})
    async with App(config, listening=False) as gateway:
        return [(one.rule, one.value) for one in gateway.core.derived.engine.overrides(PRESET)]


async def test_a_preset_is_in_force_from_the_start_that_chooses_it_to_the_one_that_does_not(
    tmp_path: Path,
) -> None:
    assert await in_force(tmp_path, "chongqing") == [("fume-high", 1.0)]
    assert await in_force(tmp_path, "chongqing") == [("fume-high", 1.0)]
    assert await in_force(tmp_path, "default") == []
