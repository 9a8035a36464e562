"""What is built holds the files that are no Python: pages, style, templates of cases, packs of rules."""

from __future__ import annotations

import pytest
from hatchling.builders.wheel import WheelBuilder

from tests.architecture.sizes import ROOT


@pytest.mark.parametrize(
    ("folder", "ends"),
    [
        ("gateway/console/templates", ".html"),
        ("gateway/console/static", ".css"),
        ("gateway/console/static", ".svg"),
        ("gateway/cases", ".toml"),
        ("rules/packs", ".toml"),
    ],
)
def test_the_wheel_holds_what_the_packages_read(folder: str, ends: str) -> None:
    wanted = {str(path.relative_to(ROOT)) for path in (ROOT / folder).glob(f"*{ends}")}
    assert wanted
    assert wanted <= built()


def built() -> set[str]:
    return {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
