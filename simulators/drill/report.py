"""A score for people, with every miss and every false alarm by name, and as JUnit XML for machines."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

from simulators.world.daytime import ZONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulators.drill.score import RuleScore, Score

CITY = timezone(timedelta(microseconds=ZONE))
HEAD = f"{'rule':<26}{'due':>6}{'recall':>8}{'alarms':>8}{'prec.':>7}{'p50':>8}{'p95':>8}{'al/f':>6}{'ca/f':>6}{'false ca/dev-y':>15}"


def text(name: str, seed: int, score: Score, messages: int, speed: float) -> str:
    return "\n".join(_lines(name, seed, score, messages, speed))


def _lines(name: str, seed: int, score: Score, messages: int, speed: float) -> Iterator[str]:
    yield f"drill {name}, seed {seed}: {messages:,} messages, {speed:,.0f}x real time"
    yield f"{score.faults_noticed} of {score.faults} faults noticed, {score.refusals_right} of {score.refusals} bad messages"
    yield f"{score.alarms} alarms, {score.cases} cases, {score.false_cases_count} of them false, in {score.device_years:.2f} device-years"
    yield ""
    yield HEAD
    for one in (*score.rules, score.whole):
        yield _line(one)
    for miss in score.misses:
        yield f"MISSED {miss.rule}: {miss.fault} on {miss.device} from {_when(miss.start)}, due by {_when(miss.by)}: {_signal(miss.signal)}"
    for false in score.falses:
        case = f", case {false.case}" if false.case else ""
        yield f"FALSE {false.rule}: {false.alarm} on {false.device} at {_when(false.raised)}{case}: {_signal(false.evidence)}"
    yield ""
    yield "all thresholds are met" if score.met else "NOT MET " + "; ".join(score.failed)


def _line(one: RuleScore) -> str:
    return (
        f"{one.rule:<26}{one.due:>6}{_part(one.recall):>8}{one.alarms:>8}{_part(one.precision):>7}"
        f"{_seconds(one.p50):>8}{_seconds(one.p95):>8}{_number(one.alarms_a_fault):>6}{_number(one.cases_a_fault):>6}"
        f"{one.false_cases:>15.2f}"
    )


def _part(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} s"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _when(time: int) -> str:
    return datetime.fromtimestamp(time / 1e6, CITY).isoformat(sep=" ", timespec="seconds")


def _signal(found: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in found.items()) or "nothing"


def junit(name: str, score: Score) -> str:
    """A test case a rule: failed where it missed a fault or raised without one; thresholds are cases too."""
    troubles: dict[str, list[str]] = {one.rule: [] for one in score.rules}
    for miss in score.misses:
        line = f"missed {miss.fault} on {miss.device} from {_when(miss.start)}: {_signal(miss.signal)}"
        troubles.setdefault(miss.rule, []).append(line)
    for false in score.falses:
        line = f"false {false.alarm} on {false.device} at {_when(false.raised)}: {_signal(false.evidence)}"
        troubles.setdefault(false.rule, []).append(line)
    troubles["thresholds"] = list(score.failed)
    bad = sum(bool(lines) for lines in troubles.values())
    cases = "".join(_testcase(name, rule, lines) for rule, lines in troubles.items())
    head = f'<testsuite name={quoteattr(f"drill {name}")} tests="{len(troubles)}" failures="{bad}">'
    return f'<?xml version="1.0" encoding="utf-8"?>\n{head}{cases}</testsuite>\n'


def _testcase(name: str, rule: str, lines: list[str]) -> str:
    head = f"<testcase classname={quoteattr(f'drill.{name}')} name={quoteattr(rule)}"
    if not lines:
        return f"{head}/>"
    return f"{head}><failure message={quoteattr(lines[0])}>{escape(chr(10).join(lines))}</failure></testcase>"
