"""What PromQL asks for: the metrics an expression names, and the labels it matches, groups by or shows."""

from __future__ import annotations

import re
from typing import Final

METRIC: Final = re.compile(r"\b((?:citygate|process)_\w+|up)\b\s*(\{[^}]*\})?")
MATCHER: Final = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
GROUPED: Final = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
SHOWN: Final = re.compile(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}")
STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
TARGET: Final = frozenset(("instance", "job"))  # of Prometheus, not of the gateway


def metrics(expression: str) -> set[str]:
    return {match[1] for match in METRIC.finditer(STRING.sub('""', expression))}


def labels(expression: str, shown: str = "") -> dict[str, set[str]]:
    """By metric: the labels that it must have, its own matchers and the expression's groups."""
    bare = STRING.sub('""', expression)
    grouped = {name.strip() for match in GROUPED.finditer(bare) for name in match[1].split(",")} - {""}
    grouped |= set(SHOWN.findall(shown))
    found: dict[str, set[str]] = {}
    for match in METRIC.finditer(bare):
        found.setdefault(match[1], set()).update({*MATCHER.findall(match[2] or ""), *grouped} - TARGET)
    return found
