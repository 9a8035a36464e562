"""The shipped rules: data with sources, one file a family and one for all."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any, Final

PACKS: Final = ("streetlight", "cabinet", "manhole", "dust", "fume", "parking", "every")


def load() -> list[dict[str, Any]]:
    """Every shipped rule as its document, in the order of the packs."""
    here = files("rules.packs")
    return [
        rule
        for name in PACKS
        for rule in tomllib.loads(here.joinpath(f"{name}.toml").read_text("utf-8"))["rule"]
    ]
