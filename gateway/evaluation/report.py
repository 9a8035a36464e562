"""The weekly report and the monthly ranking as tables: what is in a document, before it is one of any format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from drivers.telemetry import HOUR
from gateway.cases.evaluation import By as CaseBy
from gateway.cases.evaluation import Indicators
from gateway.evaluation.measures import Figure, Measure
from gateway.evaluation.ranking import Standing
from gateway.evaluation.words import (
    CASES_NOTE,
    COLUMNS,
    INDICATORS,
    MEASURES,
    NOTES,
    SCORE_NOTE,
    TITLES,
    WORDS,
    Text,
    pick,
)

ROWS: Final = 1_000  # of one table
PERCENT: Final = 100
RATIOS: Final = frozenset({Measure.LIT, Measure.INTEGRITY, Measure.OCCUPANCY, Measure.PURIFIER})
Cell = str | int | float | None


class Kind(StrEnum):
    """How a column reads. share: 0 to 1, shown in percent. change: with its sign; of shares in percentage points."""

    TEXT = "text"
    COUNT = "count"
    NUMBER = "number"
    SHARE = "share"
    CHANGE = "change"


class Column(NamedTuple):
    title: str
    kind: Kind


Row = list[Cell | tuple[Cell, Kind]]  # (value, kind) where its kind is not the column's


class Table(NamedTuple):
    """A row has a cell for each column."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    note: str = ""


class Report(NamedTuple):
    """period: as people read it. language: en or zh."""

    title: str
    period: str
    language: str
    tables: Sequence[Table]


def kind_of(indicator: str) -> Kind:
    if indicator.endswith("_rate"):
        return Kind.SHARE
    return Kind.NUMBER if indicator == "mean_handling" else Kind.COUNT


def cell(indicators: Indicators, name: str) -> Cell:
    value: float | None = getattr(indicators, name)
    return value / HOUR if name == "mean_handling" and value is not None else value


def totals(standings: Sequence[Standing], language: str) -> Table:
    """Of the one that stands for all: each indicator beside the period before."""
    one = standings[0] if standings else None
    now, then = (one.indicators, one.earlier) if one else (Indicators(), Indicators())
    rows: list[Row] = []
    for name, text in INDICATORS.items():
        kind, new, old = kind_of(name), cell(now, name), cell(then, name)
        rows.append(
            [pick(text, language), (new, kind), (old, kind), (_difference(new, old, kind), Kind.CHANGE)]
        )
    columns = [
        Column(_column(name, language), Kind.TEXT) for name in ("indicator", "value", "earlier", "change")
    ]
    return Table(pick(TITLES["cases"], language), columns, rows, pick(CASES_NOTE, language))


def ranked(by: CaseBy, standings: Sequence[Standing], weights: Mapping[str, float], language: str) -> Table:
    heads = [("place", Kind.COUNT), ("before", Kind.COUNT), ("name", Kind.TEXT)]
    heads += [("score", Kind.NUMBER), ("change", Kind.CHANGE)]
    columns = [Column(_column(name, language), kind) for name, kind in heads]
    columns += [Column(pick(text, language), kind_of(name)) for name, text in INDICATORS.items()]
    rows: list[Row] = [
        [
            *(one.place, one.before, one.name or pick(WORDS["none"], language), one.score, one.change),
            *(cell(one.indicators, name) for name in INDICATORS),
        ]
        for one in standings[:ROWS]
    ]
    return Table(pick(TITLES[by], language), columns, rows, weighed(weights, language))


def weighed(weights: Mapping[str, float], language: str) -> str:
    """The score's note."""
    texts = {name: INDICATORS.get(name, (name, name)) for name in weights}
    return pick(SCORE_NOTE, language) + ", ".join(
        f"{pick(texts[name], language)} {weight:g}" for name, weight in weights.items()
    )


def facilities(
    title: str,
    now: Mapping[str, Mapping[Measure, Figure]],
    then: Mapping[str, Mapping[Measure, Figure]],
    language: str,
) -> Table:
    """One row a name and measure, with coverage, target and the period before."""
    names = (
        "name",
        "indicator",
        "value",
        "earlier",
        "change",
        "target",
        "met",
        "coverage",
        "heard",
        "devices",
    )
    kinds = {"coverage": Kind.SHARE, "target": Kind.SHARE, "heard": Kind.COUNT, "devices": Kind.COUNT}
    rows: list[Row] = []
    for name, measures in now.items():
        for measure, figure in measures.items():
            if not figure.devices:
                continue
            earlier = then.get(name, {}).get(measure)
            rows.append(_facility(name, measure, figure, earlier, language))
    columns = [Column(_column(name, language), kinds.get(name, Kind.TEXT)) for name in names]
    return Table(title, columns, rows[: ROWS * len(Measure)])


def _facility(name: str, measure: Measure, figure: Figure, earlier: Figure | None, language: str) -> Row:
    kind = Kind.SHARE if measure in RATIOS else Kind.NUMBER
    old = earlier.value if earlier else None
    met = "" if figure.met is None else pick(WORDS["yes" if figure.met else "no"], language)
    return [
        name,
        pick(MEASURES[measure], language),
        (figure.value, kind),
        (old, kind),
        (_difference(figure.value, old, kind), Kind.CHANGE),
        *(figure.target, met, figure.coverage, figure.heard, figure.devices),
    ]


def notes(language: str) -> Table:
    """How each figure of facilities is counted."""
    columns = [Column(_column(name, language), Kind.TEXT) for name in ("indicator", "note")]
    rows: list[Row] = [
        [pick(MEASURES[measure], language), pick(NOTES[measure], language)] for measure in Measure
    ]
    return Table(_column("note", language), columns, rows)


def _difference(new: Cell, old: Cell, kind: Kind) -> float | None:
    if not isinstance(new, (int, float)) or not isinstance(old, (int, float)):
        return None
    return (new - old) * (PERCENT if kind is Kind.SHARE else 1)


def _column(name: str, language: str) -> str:
    text: Text = COLUMNS[name]
    return pick(text, language)
