"""Sizes as a gate (style 14): a file has at most 400 lines; ruff holds functions to 40 statements and complexity 8."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIMIT = 400
PACKAGES = ("gateway", "drivers", "rules", "simulators", "tests")


def too_long(root: Path = ROOT, limit: int = LIMIT) -> list[str]:
    """One line for each Python file over the limit."""
    faults = []
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            lines = len(file.read_text(encoding="utf-8").splitlines())
            if lines > limit:
                faults.append(
                    f"{file.relative_to(root)}: {lines} lines, at most {limit}: split it by nouns or stages"
                )
    return faults


def main() -> int:
    faults = too_long()
    for fault in faults:
        sys.stdout.write(fault + "\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
