"""Transitions as the desk takes them: which came and went before anyone could hear of them, and which explain others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rules.correlate import Correlation, Labels
from rules.transition import Transition


def passing(transitions: Sequence[Transition], stale: int) -> set[str]:
    """Ids of the raises that came over `stale` µs late and do not stand at the end of the list (law 3)."""
    over: set[tuple[str, str, int]] = set()  # cleared later in the list
    found = set()
    for t in reversed(transitions):
        key = (t.rule, t.family, t.index)
        if not t.raised:
            over.add(key)
        elif t.received - t.time > stale and key in over:
            found.add(t.id)
    return found


def causes_first(transitions: Iterable[Transition], correlation: Correlation) -> list[Transition]:
    """What may explain goes before what may be explained; the order of each rule stays."""
    said = list(transitions)
    rules = {
        t.rule: Labels(t.id, t.alarm, t.rule, t.family, t.severity, t.device, "", "", t.time) for t in said
    }
    depth = correlation.depths(rules)
    return sorted(said, key=lambda t: depth[t.rule])
