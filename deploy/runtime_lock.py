"""The part of requirements.lock that runs in production: what pyproject.toml depends on, and what that depends on.

Run by a Python that has the whole lock installed; prints the same pins and hashes, without the development tools.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import requires
from itertools import pairwise
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PIN = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)


def closure(wanted: list[str]) -> set[str]:
    """Canonical names of the distributions that these requirements need here."""
    waiting = [(Requirement(text), frozenset[str]()) for text in wanted]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement, extras = waiting.pop()
        if requirement.marker and not any(
            requirement.marker.evaluate({"extra": extra}) for extra in extras or {""}
        ):
            continue
        name, own = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, own) not in seen:
            seen.add((name, own))
            waiting += [(Requirement(text), own) for text in requires(name) or ()]
    return {name for name, _ in seen}


def pins(lock: str) -> dict[str, str]:
    """The pins of each distribution with their hashes, by canonical name; one may have several, each with its marker."""
    starts = [match.start() for match in PIN.finditer(lock)] + [len(lock)]
    blocks = [lock[start:end] for start, end in pairwise(starts)]
    found: dict[str, str] = {}
    for block in blocks:
        name = canonicalize_name(block.partition("==")[0])
        found[name] = found.get(name, "") + block
    return found


def runtime(root: Path = ROOT) -> str:
    """Raises SystemExit where a dependency is not locked."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = pins((root / "requirements.lock").read_text(encoding="utf-8"))
    needed = closure(project["dependencies"])
    if missing := sorted(needed - locked.keys()):
        raise SystemExit(f"not in requirements.lock: {', '.join(missing)}; lock them first")
    return "".join(block for name, block in sorted(locked.items()) if name in needed)


if __name__ == "__main__":
    sys.stdout.write(runtime())
