"""`[[fold]]` and `[[inhibit]]` of the file: they change the shipped tables, and their faults are told with the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.telemetry import HOUR
from gateway.config import load
from gateway.errors import ConfigError


def test_the_file_replaces_a_shipped_table_and_takes_one_away(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        """
[[fold]]
id = "cabinet-without-power"
source = { alarm = ["supplyLoss"] }
target = { family = ["streetlight"] }
below = true
linger = "2h"
[[inhibit]]
id = "dark-lamp"
source = {}
target = {}
off = true
""",
        encoding="utf-8",
    )
    links = load(file).correlation().by_id
    assert links["cabinet-without-power"].linger == 2 * HOUR
    assert "dark-lamp" not in links
    assert "silent-device" in links


def test_faults_of_tables_are_told_with_all_others(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        """
[desk]
storm_causes = -1
[[fold]]
id = "own"
source = {}
target = {}
[[inhibit]]
id = "other"
source = { colour = ["red"] }
target = {}
below = true
""",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as refused:
        load(file)
    told = "\n".join(refused.value.faults)
    assert "storm_causes" in told
    assert "fold own: say how the two stand to each other" in told
    assert "inhibit other: " in told
    assert "colour" in told
