"""Plots as SVG by own small code: alarms a day, old beside new; and what each value tried would raise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Final

from gateway.backtest.report import Report
from rules.suggest import Suggestion

WIDTH, HEIGHT = 860, 320
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 56, 44
OLD: Final = "#8a94a6"
NEW: Final = "#1f6feb"
GRID: Final = "#d7dce3"
MOST_LABELS: Final = 12
FONT: Final = 'font-family="sans-serif" font-size="11"'

Series = tuple[str, str, Sequence[float]]  # its name, colour and values


def of_report(report: Report) -> str:
    """Alarms and cases of each day, as both versions have them."""
    days = sorted({row.day for row in report.by_day})
    counts = {name: Counter[str]() for name in ("old_alarms", "new_alarms", "old_cases", "new_cases")}
    for row in report.by_day:
        for name, counter in counts.items():
            counter[row.day] += getattr(row, name)
    title = (
        f"{report.rule}: {report.old.alarms} → {report.new.alarms} alarms, "
        f"{report.old.cases} → {report.new.cases} cases"
    )
    series: list[Series] = [
        (label, colour, [counts[name][day] for day in days])
        for label, colour, name in (
            ("alarms, old 原告警", OLD, "old_alarms"),
            ("alarms, new 新告警", NEW, "new_alarms"),
            ("cases, old 原案件", "#c9ced8", "old_cases"),
            ("cases, new 新案件", "#9cc3ff", "new_cases"),
        )
    ]
    return bars(title, [day[5:] for day in days], series)


def of_suggestion(rule: str, found: Suggestion) -> str:
    """Alarms by value, and how many of those judged real and false each keeps."""
    title = f"{rule}: {found.parameter} [{found.unit or '1'}], now {found.current:g}"
    if found.value is not None:
        title += f", proposed {found.value:g}"
    series: list[Series] = [
        ("alarms 告警", OLD, [each.alarms for each in found.tried]),
        ("judged real 真实", "#2da44e", [each.real for each in found.tried]),
        ("judged false 误报", "#cf222e", [each.false_alarm for each in found.tried]),
    ]
    return bars(title, [f"{each.value:g}" for each in found.tried], series)


def bars(title: str, labels: Sequence[str], series: Sequence[Series]) -> str:
    """Groups of bars, one group a label."""
    top = _round_up(max((value for _, _, values in series for value in values), default=0))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {FONT} role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="18" font-size="13" font-weight="bold">{escape(title)}</text>',
    ]
    lines += _legend(series)
    lines += _scale(top)
    room = (WIDTH - LEFT - RIGHT) / max(len(labels), 1)
    wide = room * 0.8 / max(len(series), 1)
    every = -(-len(labels) // MOST_LABELS) or 1
    for place, label in enumerate(labels):
        begin = LEFT + room * (place + 0.1)
        for number, (name, colour, values) in enumerate(series):
            high = (HEIGHT - TOP - BOTTOM) * values[place] / top
            lines.append(
                f'<rect x="{begin + wide * number:.1f}" y="{HEIGHT - BOTTOM - high:.1f}" width="{wide:.1f}" '
                f'height="{high:.1f}" fill="{colour}"><title>{escape(label)} {escape(name)}: {values[place]:g}'
                "</title></rect>"
            )
        if place % every == 0:
            lines.append(
                f'<text x="{begin + room * 0.4:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{escape(label)}</text>'
            )
    return "\n".join([*lines, "</svg>", ""])


def _legend(series: Sequence[Series]) -> list[str]:
    lines, at = [], float(LEFT)
    for name, colour, _ in series:
        lines.append(f'<rect x="{at:.0f}" y="28" width="10" height="10" fill="{colour}"/>')
        lines.append(f'<text x="{at + 14:.0f}" y="37">{escape(name)}</text>')
        at += 150
    return lines


def _scale(top: float) -> list[str]:
    lines = []
    for step in range(5):
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * step / 4
        lines.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRID}"/>')
        lines.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{top * step / 4:g}</text>')
    return lines


def _round_up(value: float) -> float:
    """The next of 4, 8, 20, 40, 80, 200 …: each fourth of it is a round number."""
    step = 4.0
    for factor in (2, 2.5, 2) * 12:
        if step >= value:
            break
        step *= factor
    return step
