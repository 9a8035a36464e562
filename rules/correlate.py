"""Which alarm explains which: folding along the topology, and inhibition. Pure: labels and event times, nothing else.

Declared as data: `[[fold]]` (the explained alarm becomes part of the other's case) and `[[inhibit]]` (nobody hears of it),
in rules/packs/correlation.toml and the configuration. Only event times are compared, so the order of arrival plays no part.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Struct

from rules.units import duration

Label = Literal["device", "parent", "area"]

DEEPEST: Final = 4  # explanations of explanations that are put in order
DEFAULT_BEFORE: Final = "30m"
DEFAULT_LINGER: Final = "30m"


class Labels(Struct, frozen=True):
    """An alarm as correlation sees it. above: the devices that its own stands below, nearest first.

    raised, cleared: event time, µs UTC; cleared None while the condition holds.
    """

    id: str
    alarm: str
    rule: str
    family: str
    severity: str
    device: str
    parent: str
    area: str
    raised: int
    cleared: int | None = None
    above: tuple[str, ...] = ()


class Matcher(Struct, frozen=True, forbid_unknown_fields=True):
    """Alarms by their labels; an empty list takes any."""

    alarm: tuple[str, ...] = ()
    rule: tuple[str, ...] = ()
    family: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()

    def matches(self, one: Labels) -> bool:
        return (
            (not self.alarm or one.alarm in self.alarm)
            and (not self.rule or one.rule in self.rule)
            and (not self.family or one.family in self.family)
            and (not self.severity or one.severity in self.severity)
        )


class Link(Struct, frozen=True):
    """One table. below: the target's device stands below the source's. equal: labels that both must share.

    before: how long ahead of the source a target may have been raised. linger: how long after the source has cleared
    what it explained is still given to come back (µs).
    """

    id: str
    kind: Literal["fold", "inhibit"]
    source: Matcher
    target: Matcher
    below: bool
    equal: tuple[Label, ...]
    before: int
    linger: int
    en: str = ""
    zh: str = ""

    def joins(self, source: Labels, target: Labels) -> bool:
        """Whether the two stand as this table wants them, whenever they were raised."""
        return (
            source.id != target.id
            and (not self.below or source.device in target.above)
            and all(getattr(source, label) == getattr(target, label) != "" for label in self.equal)
            and self.source.matches(source)
            and self.target.matches(target)
        )

    def explains(self, source: Labels, target: Labels) -> bool:
        """Whether the source is why the target was raised."""
        return (
            self.joins(source, target)
            and target.raised >= source.raised - self.before
            and (source.cleared is None or target.raised <= source.cleared + self.linger)
        )


class Explanation(NamedTuple):
    link: Link
    source: Labels


class Correlation:
    """All tables in force."""

    def __init__(self, links: Iterable[Link] = ()) -> None:
        self.links = tuple(links)
        self.by_id: Mapping[str, Link] = {link.id: link for link in self.links}

    @property
    def labels(self) -> frozenset[Label]:
        """By which labels, besides the topology, alarms are brought together."""
        return frozenset(label for link in self.links for label in link.equal)

    def sources(self, one: Labels) -> list[Link]:
        """The tables in which this alarm explains others."""
        return [link for link in self.links if link.source.matches(one)]

    def is_target(self, one: Labels) -> bool:
        return any(link.target.matches(one) for link in self.links)

    def linger(self, source: Labels) -> int | None:
        """How long what this alarm explains is given once it has cleared (µs); None where it explains nothing."""
        return max((link.linger for link in self.sources(source)), default=None)

    def depths(self, kinds: Mapping[str, Labels]) -> dict[str, int]:
        """How many of these kinds of alarm stand behind each: what may explain comes before what it may explain."""
        may = {
            (a, b)
            for a, source in kinds.items()
            for b, target in kinds.items()
            if a != b
            and any(link.source.matches(source) and link.target.matches(target) for link in self.links)
        }
        ways = [(a, b) for a, b in sorted(may) if (b, a) not in may]
        depth = dict.fromkeys(kinds, 0)
        for _ in range(DEEPEST):
            for a, b in ways:
                depth[b] = min(DEEPEST, max(depth[b], depth[a] + 1))
        return depth

    def explain(self, target: Labels, near: Iterable[Labels]) -> Explanation | None:
        """What explains the target: folds before inhibitions, the nearest above first, then the earliest."""
        found = [
            Explanation(link, source)
            for source in near
            for link in self.links
            if link.explains(source, target)
        ]
        return min(found, key=lambda one: _rank(one, target), default=None)


def _rank(one: Explanation, target: Labels) -> tuple[bool, int, int, str, str]:
    distance = target.above.index(one.source.device) + 1 if one.source.device in target.above else 0
    return one.link.kind == "inhibit", distance, one.source.raised, one.source.id, one.link.id


class CorrelationError(ValueError):
    """Tables that cannot be used; `faults` has every fault of them."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class _Table(Struct, frozen=True, forbid_unknown_fields=True):
    """A table as it is written."""

    id: str
    source: Matcher
    target: Matcher
    below: bool = False
    equal: tuple[Label, ...] = ()
    before: str = DEFAULT_BEFORE
    linger: str = DEFAULT_LINGER
    off: bool = False
    en: str = ""
    zh: str = ""


def read(
    folds: Sequence[Mapping[str, Any]] = (),
    inhibits: Sequence[Mapping[str, Any]] = (),
    known: Correlation | None = None,
) -> Correlation:
    """`known` with these tables added; one with a known id replaces it, and `off = true` takes it away.

    Raises CorrelationError with every fault of every table.
    """
    links = dict(known.by_id) if known else {}
    faults: list[str] = []
    for kind, tables in (("fold", folds), ("inhibit", inhibits)):
        for number, table in enumerate(tables, 1):
            try:
                link, off = _link("fold" if kind == "fold" else "inhibit", table)
            except ValueError as error:  # msgspec's are ValueErrors too
                faults.append(f"{kind} {table.get('id', f'number {number}')}: {error}")
                continue
            if off:
                links.pop(link.id, None)
            else:
                links[link.id] = link
    if faults:
        raise CorrelationError(faults)
    return Correlation(links.values())


def shipped() -> Correlation:
    """rules/packs/correlation.toml."""
    document = tomllib.loads(files("rules.packs").joinpath("correlation.toml").read_text("utf-8"))
    return read(document["fold"], document["inhibit"])


def _link(kind: Literal["fold", "inhibit"], document: Mapping[str, Any]) -> tuple[Link, bool]:
    table = msgspec.convert(document, _Table)
    if not table.below and not table.equal and not table.off:
        raise ValueError(
            "say how the two stand to each other: below = true, or equal = [device, parent, area]"
        )
    if table.id == "window" or not table.id:
        raise ValueError("id: a name of its own, and not 'window'")
    link = Link(
        id=table.id,
        kind=kind,
        source=table.source,
        target=table.target,
        below=table.below,
        equal=table.equal,
        before=duration(table.before),
        linger=duration(table.linger),
        en=table.en,
        zh=table.zh,
    )
    return link, table.off
