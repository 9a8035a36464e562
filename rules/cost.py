"""What a rule costs before it is in force: memory of each device, work of each sample, buckets that close; and the bounds.

What two rules of a family share (a window over the same source and length, a trace, an hour ring) is counted once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from drivers.telemetry import HOUR, SECOND, Family
from rules.buckets import kept_kind, whole_of
from rules.past import A_DAY
from rules.tree import Aged, Changed, Elsewhere, Node, Peers, Rises, Silent, Usual, Window, text
from rules.windows import buckets_of, ring_key, width_of

if TYPE_CHECKING:
    from rules.document import Meaning, Rule

MOST_BYTES: Final = 4_096  # a device, of one rule
MOST_OPERATIONS: Final = 2_000  # a sample, of one rule
MOST_OF_ALL: Final = 32_768  # bytes a device, of all rules of a family

TRACK: Final = 9  # bytes of where a rule stands on a device
HOLD: Final = 16  # more, where it holds
_RING: Final = 19  # bytes, and 4 a bucket
_KEPT: Final = {"min": (16, 8), "max": (16, 8), "ends": (48, 16)}  # bytes, and a bucket
_WATCHED: Final = 80
_ENTER, _CLOSE, _TRACE, _PAST, _OTHERS = 14, 18, 7, 12, 8  # array operations


@dataclass(frozen=True, slots=True)
class Cost:
    """bytes: a device. operations: passes over a column a sample. buckets: kept a device; closings: of them, an hour."""

    bytes: int
    operations: int
    buckets: int
    closings: int


def cost(rules: Iterable[Rule], family: Family) -> Cost:
    """Of these rules of one family, all together."""
    mine = [rule for rule in rules if family.name in rule.meanings]
    nodes = [node for rule in mine for node in rule.meanings[family.name].nodes()]
    kept = {_key(node): node for node in nodes if _key(node)}
    windows = [node for node in kept.values() if isinstance(node, Window)]
    return Cost(
        bytes=sum(map(_track, mine)) + sum(map(_bytes, kept.values())),
        operations=round(sum(map(_entering, kept.values())) + sum(_judging(rule, family) for rule in mine)),
        buckets=sum(buckets_of(window.length) for window in windows),
        closings=sum(round(HOUR / width_of(window.length)) for window in windows),
    )


def excess(rule: Rule, families: Iterable[Family]) -> Iterator[str]:
    """Where one rule is over a bound."""
    for family in families:
        found = cost([rule], family)
        if found.bytes > MOST_BYTES:
            yield f"costs {found.bytes:,} bytes a device of {family.name}, at most {MOST_BYTES:,}"
        if found.operations > MOST_OPERATIONS:
            yield f"costs {found.operations:,} operations a sample of {family.name}, at most {MOST_OPERATIONS:,}"


def excess_of_all(rules: Iterable[Rule], families: Iterable[Family]) -> Iterator[str]:
    """Where the rules of a family are over their bound together."""
    every = list(rules)
    for family in families:
        found = cost(every, family)
        if found.bytes > MOST_OF_ALL:
            yield f"the rules of {family.name} cost {found.bytes:,} bytes a device, at most {MOST_OF_ALL:,}"


def _key(node: Node) -> str:
    """What the node keeps, shared by all who need the same; empty where it keeps nothing."""
    match node:
        case Window():
            return ring_key(node)
        case Changed() | Rises() | Usual():
            return text(node)
        case Aged(point=point):
            return f"age of {point.name}"
        case Elsewhere(rows=rows):
            return f"others' {rows}"
        case Peers(family=family, point=point):
            return f"others' {family}.{point.name}"
        case _:
            return ""


def _track(rule: Rule) -> int:
    return TRACK + (HOLD if rule.hold else 0)


def _bytes(node: Node) -> int:
    match node:
        case Window(length=length):
            fixed, each = _kept(node)
            return _RING + fixed + (4 + each) * buckets_of(length)
        case Usual(days=days):
            return 16 + 4 * A_DAY * days
        case Elsewhere(rows=rows):
            return _WATCHED * len(rows)
        case Peers():
            return _WATCHED
        case Changed():
            return 16
        case _:
            return 8


def _kept(window: Window) -> tuple[int, int]:
    """Bytes besides the counts, and of them a bucket."""
    kind = kept_kind(window)
    if kind == "total":
        whole = np.dtype(whole_of(window.source)).itemsize
        return 2 * whole, whole
    return _KEPT.get(kind, (0, 0))


def _entering(node: Node) -> int:
    match node:
        case Window():
            return _ENTER
        case Changed() | Rises():
            return _TRACE
        case Usual(days=days):
            return _PAST + days
        case Elsewhere() | Peers():
            return _OTHERS
        case _:
            return 2


def _judging(rule: Rule, family: Family) -> float:
    """Both conditions at a sample, or at each closing that a sample may bring about."""
    meaning = rule.meanings[family.name]
    if isinstance(meaning.when, Silent):
        return 1
    return len(meaning.nodes()) * 2 + sum(_closings(meaning, family)) * (_CLOSE + len(meaning.nodes()))


def _closings(meaning: Meaning, family: Family) -> Iterator[float]:
    """Closings a sample of each width: as many as fit between two samples, until the window is empty."""
    lengths = {width_of(window.length): window.length for window in meaning.windows()}
    for width, length in lengths.items():
        yield min(max(family.interval, SECOND) / width, buckets_of(length) + 1)
