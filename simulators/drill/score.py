"""Truth against what was raised: which rules noticed which faults and how soon, and which alarms nothing explains.

Pure: it gets the faults, the alarms and the cases, and returns numbers and names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from drivers.families import FAMILIES
from drivers.telemetry import DAY, SECOND

if TYPE_CHECKING:
    from simulators.drill.plan import Injury
    from simulators.drill.scenario import Scenario, Threshold

YEAR: Final = 365.25 * DAY
EARLY: Final = 2 * SECOND  # an alarm may stand so long before its fault: clocks of devices are not exact


class Alarm(Struct, frozen=True):
    """As the desk has it. Times µs UTC."""

    id: str
    rule: str
    name: str
    family: str
    device: str
    raised: int
    received: int
    evidence: dict[str, Any]
    case: int | None = None


class Case(Struct, frozen=True):
    id: int
    template: str
    family: str
    device: str
    filed: int


class Miss(Struct, frozen=True):
    """A rule that was due to raise and did not. start, by: µs UTC. signal: what the device said by then."""

    rule: str
    fault: str
    device: str
    start: int
    by: int
    signal: dict[str, Any]


class Unfounded(Struct, frozen=True):
    """An alarm that no fault explains. case: the template of the case that it filed, where it did."""

    rule: str
    alarm: str
    device: str
    raised: int
    case: str
    evidence: dict[str, Any]


class RuleScore(Struct, frozen=True):
    """due, noticed: faults. alarms, explained: alarms raised. p50, p95: s from the fault to the alarm.

    alarms_a_fault, cases_a_fault: of those faults that it noticed. false_cases: filed by its false alarms, a device-year.
    """

    rule: str
    due: int
    noticed: int
    alarms: int
    explained: int
    p50: float | None
    p95: float | None
    alarms_a_fault: float | None
    cases_a_fault: float | None
    false_cases: float

    @property
    def recall(self) -> float | None:
        return self.noticed / self.due if self.due else None

    @property
    def precision(self) -> float | None:
        return self.explained / self.alarms if self.alarms else None


class Score(Struct, frozen=True):
    """faults: those that owe an alarm or a refusal. whole: all rules together."""

    faults: int
    faults_noticed: int
    refusals: int
    refusals_right: int
    alarms: int
    cases: int
    false_cases_count: int
    device_years: float
    whole: RuleScore
    rules: list[RuleScore]
    misses: list[Miss]
    falses: list[Unfounded]
    failed: list[str]  # thresholds that are not met

    @property
    def met(self) -> bool:
        return not self.failed


class Told(Struct, frozen=True):
    """What the gateway made of it. refused: reasons by number of the fault. signal: values a miss would have shown."""

    alarms: list[Alarm]
    cases: list[Case]
    refused: Mapping[int, Collection[str]]


class _Debt(Struct):
    """A rule that owes an alarm for a fault."""

    injury: Any
    rule: str
    by: int
    hits: list[Alarm]


class _Ledger(Struct):
    """What the numbers of a rule are reckoned from. reasons: by alarm. false_cases: with the alarm that filed each."""

    debts: Sequence[Any]
    alarms: Sequence[Alarm]
    reasons: Mapping[str, Any]
    false_cases: Mapping[int, Alarm]
    years: float

    def rule(self, rule: str) -> RuleScore:
        """Of one rule, or of all together where it has no name."""
        mine = [debt for debt in self.debts if not rule or debt.rule == rule]
        hit = [debt for debt in mine if debt.hits]
        raised = [alarm for alarm in self.alarms if not rule or alarm.rule == rule]
        late = sorted((debt.hits[0].received - debt.injury.fault.start) / SECOND for debt in hit)
        explained = [alarm for alarm in raised if self.reasons[alarm.id] is not None]
        roots = {self.reasons[alarm.id].root for alarm in explained}
        cases = {alarm.case for alarm in explained if alarm.case is not None}
        false = sum(not rule or alarm.rule == rule for alarm in self.false_cases.values())
        return RuleScore(
            rule=rule or "all",
            due=len(mine),
            noticed=len(hit),
            alarms=len(raised),
            explained=len(explained),
            p50=_quantile(late, 0.5),
            p95=_quantile(late, 0.95),
            alarms_a_fault=len(explained) / len(roots) if roots else None,
            cases_a_fault=len(cases) / len(roots) if roots else None,
            false_cases=false / self.years,
        )


class Judge:
    """families: devices of each. attributes: those that devices of a family have; a rule that needs another owes nothing."""

    def __init__(
        self, scenario: Scenario, injuries: Sequence[Injury], has: Mapping[str, Mapping[str, Collection[str]]]
    ) -> None:
        self._scenario, self._injuries = scenario, injuries
        self._by_device: dict[tuple[str, str], list[Injury]] = defaultdict(list)
        for one in injuries:
            self._by_device[one.fault.family, one.fault.device].append(one)
        self._has = has

    def debts(self) -> list[_Debt]:
        """What every fault owes that is nobody else's doing."""
        return [
            _Debt(one, rule, one.fault.start + within + self._grace(one.fault.family), [])
            for one in self._injuries
            if one.root == one.number
            for rule, within in one.due.rules.items()
            if within <= one.fault.end - one.fault.start and self._applies(one, rule)
        ]

    def _grace(self, family: str) -> int:
        """What the network may cost: its delay, and one report where it loses some."""
        network = self._scenario.network
        return network.delay + (FAMILIES[family].interval if network.loss else 0)

    def _applies(self, one: Injury, rule: str) -> bool:
        need = one.due.needs.get(rule)
        return need is None or one.fault.device in self._has.get(one.fault.family, {}).get(need, ())

    def reason(self, alarm: Alarm) -> Injury | None:
        """The fault that explains an alarm."""
        for one in self._by_device.get((alarm.family, alarm.device), ()):
            names = {*one.fault.kind.alarms, *one.due.also}
            if alarm.name in names and one.fault.start - EARLY <= alarm.raised <= one.over:
                return one
        return None

    def score(self, told: Told, devices: int, signal: Any) -> Score:
        """signal: what a device said of a fault by a time, for the report of a miss."""
        reasons = {alarm.id: self.reason(alarm) for alarm in told.alarms}
        debts = self.debts()
        for debt in debts:
            debt.hits = [
                alarm
                for alarm in told.alarms
                if alarm.rule == debt.rule and reasons[alarm.id] is debt.injury and alarm.received <= debt.by
            ]
        years = devices * self._scenario.lasts / YEAR
        false_cases = _false_cases(told, reasons)
        ledger = _Ledger(debts, told.alarms, reasons, false_cases, years)
        rules = [ledger.rule(rule) for rule in _rules(debts, told)]
        whole = ledger.rule("")
        owed = {debt.injury.number: False for debt in debts}
        for debt in debts:
            owed[debt.injury.number] |= bool(debt.hits)
        bad = [one for one in self._injuries if one.fault.kind.refusal is not None]
        right = [one for one in bad if one.fault.kind.refusal in told.refused.get(one.number, ())]
        misses = [_miss(debt, signal) for debt in debts if not debt.hits]
        misses += [_unrefused(one) for one in bad if one not in right]
        return Score(
            faults=len(owed),
            faults_noticed=sum(owed.values()),
            refusals=len(bad),
            refusals_right=len(right),
            alarms=len(told.alarms),
            cases=len(told.cases),
            false_cases_count=len(false_cases),
            device_years=years,
            whole=whole,
            rules=rules,
            misses=misses,
            falses=_falses(told, reasons, false_cases),
            failed=self._failed(whole, rules, len(right) / len(bad) if bad else 1.0),
        )

    def _failed(self, whole: RuleScore, rules: Sequence[RuleScore], refused: float) -> list[str]:
        expect = self._scenario.expect
        failed = _unmet("all rules", whole, expect)
        if refused < expect.recall:
            failed.append(f"refusals: {refused:.1%} of the faults on bytes, {expect.recall:.1%} is asked")
        if expect.false_cases is not None and whole.false_cases > expect.false_cases:
            failed.append(
                f"false cases: {whole.false_cases:.2f} a device-year, {expect.false_cases:g} is allowed"
            )
        found = {one.rule: one for one in rules}
        for name, threshold in expect.rule.items():
            failed += (
                _unmet(name, found[name], threshold)
                if name in found
                else [f"{name}: neither due nor raised, so nothing is shown"]
            )
        return failed


def _unmet(name: str, score: RuleScore, asked: Threshold) -> list[str]:
    found = []
    if score.recall is not None and score.recall < asked.recall:
        found.append(f"{name}: recall {score.recall:.3f}, {asked.recall:g} is asked")
    if score.precision is not None and score.precision < asked.precision:
        found.append(f"{name}: precision {score.precision:.3f}, {asked.precision:g} is asked")
    if asked.latency is not None and score.p95 is not None and score.p95 * SECOND > asked.latency:
        found.append(f"{name}: p95 {score.p95:.0f} s, {asked.latency / SECOND:.0f} s is asked")
    return found


def _rules(debts: Iterable[_Debt], told: Told) -> list[str]:
    return sorted({debt.rule for debt in debts} | {alarm.rule for alarm in told.alarms})


def _false_cases(told: Told, reasons: Mapping[str, Injury | None]) -> dict[int, Alarm]:
    """Cases none of whose alarms is explained, each with its first alarm."""
    members: dict[int, list[Alarm]] = defaultdict(list)
    for alarm in sorted(told.alarms, key=lambda one: one.received):
        if alarm.case is not None:
            members[alarm.case].append(alarm)
    return {
        case: alarms[0]
        for case, alarms in members.items()
        if all(reasons[alarm.id] is None for alarm in alarms)
    }


def _falses(
    told: Told, reasons: Mapping[str, Injury | None], false_cases: Mapping[int, Alarm]
) -> list[Unfounded]:
    templates = {case.id: case.template for case in told.cases}
    return [
        Unfounded(
            alarm.rule,
            alarm.name,
            alarm.device,
            alarm.raised,
            templates.get(alarm.case, "") if alarm.case is not None and alarm.case in false_cases else "",
            alarm.evidence,
        )
        for alarm in told.alarms
        if reasons[alarm.id] is None
    ]


def _miss(debt: _Debt, signal: Any) -> Miss:
    fault = debt.injury.fault
    return Miss(debt.rule, fault.kind.name, fault.device, fault.start, debt.by, signal(debt.injury, debt.by))


def _unrefused(one: Injury) -> Miss:
    fault = one.fault
    return Miss(f"refused as {fault.kind.refusal}", fault.kind.name, fault.device, fault.start, fault.end, {})


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest that this share of them does not exceed."""
    if not ordered:
        return None
    return ordered[max(0, min(len(ordered) - 1, -int(-share * len(ordered) // 1) - 1))]


def plain(score: Score) -> dict[str, Any]:
    """For JSON, with what is computed."""
    document: dict[str, Any] = msgspec.to_builtins(score)
    for table, one in zip([document["whole"], *document["rules"]], [score.whole, *score.rules], strict=True):
        table |= {"recall": one.recall, "precision": one.precision}
    return document | {"met": score.met}
