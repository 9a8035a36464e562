"""Rule documents (a TOML table or its JSON) to checked rules; every fault of a whole set is reported together.

Unknown keys are refused: a misspelt `clear` must never become a rule that clears by default.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import isfinite
from typing import Any, Final

from drivers.telemetry import SECOND, Family
from rules import action
from rules.check import RESERVED, ConditionError, check
from rules.cost import excess, excess_of_all
from rules.names import Vocabulary
from rules.tree import Condition, Node, ParameterValue, Silent, Window, walk
from rules.units import LONGEST, PLAIN, SECONDS, Unit, duration, parse_unit

SEVERITIES: Final = ("critical", "major", "minor", "warning", "info")
DEFAULT_VALID: Final = 0.5  # of the expected buckets of a window
TEXTS: Final = ("case", "source", "en", "zh")
_KEYS: Final = frozenset(
    {
        "id",
        "version",
        "family",
        "families",
        "when",
        "clear",
        "hold",
        "valid",
        "severity",
        "alarm",
        "action",
        "areas",
        "shadow",
        *TEXTS,
    }
)
_ID: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ALARM: Final = re.compile(r"[a-z][A-Za-z0-9-]*")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with one rule. line and column (from 1) lie inside the text of `key`; 0 where it has none.

    place: number of the rule in its set. remedy: what to do about it, where the message does not say it.
    """

    rule: str
    key: str
    message: str
    line: int = 0
    column: int = 0
    place: int = 0
    remedy: str = ""

    def __str__(self) -> str:
        place = f":{self.line}:{self.column}" if self.line else ""
        return f"{self.rule}.{self.key}{place}: {self.message}"


class RulesError(ValueError):
    """A set of rules that cannot be used; `faults` has every one of its faults."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Tunable:
    """A parameter: its default and range, in its unit."""

    value: float
    unit: Unit
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Meaning:
    """A rule's conditions for one family. clear None: cleared when `when` is false."""

    when: Condition
    clear: Condition | None

    def nodes(self) -> list[Node]:
        return [*walk(self.when), *(walk(self.clear) if self.clear is not None else ())]

    def windows(self) -> list[Window]:
        return [node for node in self.nodes() if isinstance(node, Window)]


@dataclass(frozen=True)
class Rule:
    """A checked rule. hold: µs, or the name of the parameter that holds it. valid: share of expected buckets.

    areas: a canary, in force there alone and there instead of the published version. shadow: judged, tells nobody.
    """

    id: str
    version: int
    severity: str
    alarm: str
    hold: int | str
    valid: float
    parameters: Mapping[str, Tunable]
    meanings: Mapping[str, Meaning]  # by family
    document: Mapping[str, Any]
    texts: Mapping[str, str] = field(default_factory=dict)  # case source en zh
    areas: tuple[str, ...] = ()
    shadow: bool = False

    @property
    def line(self) -> str:
        """All versions of one line share alarms: of a device, one of them judges. Its shadow is a line of its own."""
        return f"{self.id}/shadow" if self.shadow else self.id

    @property
    def key(self) -> str:
        """One of a set."""
        return f"{self.line}/canary" if self.areas else self.line

    def judges_like(self, other: Rule, family: str) -> bool:
        """Whether both raise and clear the same alarms of a family at the same times, whatever their texts and versions."""
        mine, theirs = self.meanings[family], other.meanings[family]
        return mine == theirs and (self.alarm, self.hold, self.valid, self.parameters) == (
            other.alarm,
            other.hold,
            other.valid,
            other.parameters,
        )


def read_rules(
    documents: Iterable[Mapping[str, Any]], families: Mapping[str, Family], known: Iterable[Rule] = ()
) -> list[Rule]:
    """The checked rules, in order; raises RulesError with every fault of the set. known: read before with these families."""
    faults: list[Fault] = []
    rules: list[Rule] = []
    seen: set[str] = set()
    before = {rule.key: rule for rule in known}
    for place, document in enumerate(documents):
        reader = _Reader(document, families, place)
        old = before.get(reader.key)
        rule = old if old is not None and old.document == document else reader.read()
        if reader.key in seen:
            reader.fault("id", "is the id of another rule too")
        seen.add(reader.key)
        faults += reader.faults
        if rule is not None:
            rules.append(rule)
    if not faults:
        faults += [
            Fault(
                rules[-1].id, "when", over, place=len(rules) - 1, remedy="withdraw rules, or shorten windows"
            )
            for over in excess_of_all(rules, families.values())
        ]
    if faults:
        raise RulesError(faults)
    return rules


class _Reader:
    """Reads one document and notes everything that is wrong with it."""

    def __init__(self, document: Mapping[str, Any], families: Mapping[str, Family], place: int) -> None:
        self.document = document
        self.families = families
        self.place = place
        self.faults: list[Fault] = []
        name = document.get("id")
        self.name = name if isinstance(name, str) and name else f"rule[{place}]"
        line = f"{self.name}/shadow" if document.get("shadow") else self.name
        self.key = f"{line}/canary" if document.get("areas") else line

    def fault(self, key: str, message: str, line: int = 0, column: int = 0, remedy: str = "") -> None:
        self.faults.append(Fault(self.name, key, message, line, column, self.place, remedy))

    def read(self) -> Rule | None:
        if not _ID.fullmatch(self._text("id", required=True)) and not self.faults:
            self.fault("id", "expected lower-case words joined by hyphens")
        severity = self._text("severity", required=True)
        if severity and severity not in SEVERITIES:
            self.fault("severity", f"expected one of {', '.join(SEVERITIES)}, found {severity!r}")
        alarm = self._text("alarm", required=True)
        if alarm and not _ALARM.fullmatch(alarm):
            self.fault("alarm", f"expected a name such as lampFailure, found {alarm!r}")
        parameters = self._parameters()
        meanings = self._meanings(parameters)
        for key, message in action.faults(self.document, [self.families[name] for name in meanings]):
            self.fault(key, message)
        rule = Rule(
            id=self.name,
            version=self._version(),
            severity=severity,
            alarm=alarm,
            hold=self._hold(parameters),
            valid=self._valid(),
            parameters=parameters,
            meanings=meanings,
            document=self.document,
            texts={key: self._text(key) for key in TEXTS if key in self.document},
            areas=self._areas(),
            shadow=self._shadow(),
        )
        if meanings and not self.faults:
            self._agree(rule)
        return None if self.faults else rule

    def _text(self, key: str, required: bool = False) -> str:
        value = self.document.get(key, "")
        if not isinstance(value, str):
            self.fault(key, f"expected text, found {value!r}")
            return ""
        if required and not value.strip():
            self.fault(key, "is missing", remedy=f'add {key} = "…" to the rule')
        return value

    def _version(self) -> int:
        version = self.document.get("version", 1)
        if isinstance(version, bool) or not isinstance(version, int) or version < 1:
            self.fault("version", f"expected a whole number from 1, found {version!r}")
            return 1
        return version

    def _areas(self) -> tuple[str, ...]:
        areas = self.document.get("areas", [])
        if not isinstance(areas, list | tuple) or not all(isinstance(area, str) and area for area in areas):
            self.fault("areas", f"expected a list of area paths, found {areas!r}")
            return ()
        return tuple(areas)

    def _shadow(self) -> bool:
        shadow = self.document.get("shadow", False)
        if not isinstance(shadow, bool):
            self.fault("shadow", f"expected true or false, found {shadow!r}")
        return bool(shadow)

    def _valid(self) -> float:
        valid = _number(self.document.get("valid", DEFAULT_VALID))
        if valid is None or not 0 <= valid <= 1:
            self.fault("valid", f"expected a share between 0 and 1, found {self.document['valid']!r}")
            return DEFAULT_VALID
        return valid

    def _families(self) -> list[Family]:
        named = self.document.get("families")
        if named is None:
            named = [self._text("family", required=True)]
        elif "family" in self.document:
            self.fault("families", "expected family or families, found both")
        if not isinstance(named, list) or not named:
            self.fault("families", "expected a list of families, or ['*']")
            return []
        if named == ["*"]:
            return list(self.families.values())
        unknown = [name for name in named if name and name not in self.families]
        for name in unknown:
            self.fault("family", f"expected one of {', '.join(self.families)}, found {name!r}")
        return [self.families[name] for name in named if name in self.families]

    def _parameters(self) -> dict[str, Tunable]:
        found = {}
        for key, value in self.document.items():
            if key in _KEYS:
                continue
            if not isinstance(value, Mapping):
                near = get_close_matches(key, sorted(_KEYS), 1)
                remedy = f"did you mean {near[0]}?" if near else "take it away, or write it as a parameter"
                self.fault(
                    key,
                    "is no key of a rule; a parameter is a table { value, unit, min, max }",
                    remedy=remedy,
                )
            elif not _NAME.fullmatch(key) or key in RESERVED:
                self.fault(key, "cannot name a parameter: it means something else")
            elif (tunable := self._tunable(key, value)) is not None:
                found[key] = tunable
        return found

    def _tunable(self, key: str, table: Mapping[str, Any]) -> Tunable | None:
        for stray in sorted(set(table) - {"value", "unit", "min", "max"}):
            self.fault(f"{key}.{stray}", "expected value, unit, min or max")
        numbers = {}
        for part in ("value", "min", "max"):
            number = _number(table.get(part))
            if number is None:
                self.fault(f"{key}.{part}", f"expected a number, found {table.get(part)!r}")
            else:
                numbers[part] = number
        try:
            units = frozenset(point.unit for family in self.families.values() for point in family.points)
            unit = parse_unit(str(table.get("unit", "")), units)
        except ValueError as error:
            self.fault(f"{key}.unit", str(error))
            unit = PLAIN
        if len(numbers) < 3:
            return None
        if numbers["min"] > numbers["max"]:
            self.fault(f"{key}.min", f"expected at most max, {numbers['max']:g}, found {numbers['min']:g}")
        elif not numbers["min"] <= numbers["value"] <= numbers["max"]:
            self.fault(f"{key}.value", f"expected a value between min and max, found {numbers['value']:g}")
        return Tunable(numbers["value"], unit, numbers["min"], numbers["max"])

    def _hold(self, parameters: Mapping[str, Tunable]) -> int | str:
        hold = self._text("hold")
        if not hold:
            return 0
        if hold in parameters:
            if not parameters[hold].unit.matches(SECONDS):
                self.fault(
                    "hold", f"expected a parameter in s, min, h or d, {hold} is in {parameters[hold].unit}"
                )
            return hold
        try:
            return duration(hold)
        except ValueError as error:
            self.fault("hold", f"{error}, and no parameter of that name")
            return 0

    def _meanings(self, parameters: Mapping[str, Tunable]) -> dict[str, Meaning]:
        units = {name: tunable.unit for name, tunable in parameters.items()}
        found = {}
        told: set[tuple[object, ...]] = set()
        self._text("when", required=True)
        for family in self._families():
            for name in parameters:
                if name in family.index:
                    self.fault(name, f"cannot name a parameter: it is a point of {family.name}")
            vocabulary = Vocabulary(family, units, self.families)
            when = self._condition("when", vocabulary, told)
            clear = self._condition("clear", vocabulary, told) if "clear" in self.document else None
            if when is not None:
                found[family.name] = Meaning(when, clear)
        return found

    def _condition(self, key: str, vocabulary: Vocabulary, told: set[tuple[object, ...]]) -> Condition | None:
        """Faults that several families share are told once."""
        text = self.document.get(key, "")
        if not isinstance(text, str) or not text.strip():
            return None
        try:
            return check(text, vocabulary)
        except ConditionError as errors:
            for error in errors.errors:
                place = (key, error.line, error.column)
                if place not in told:
                    told.add(place)
                    self.fault(key, error.message, error.line, error.column, error.remedy)
            return None

    def _agree(self, rule: Rule) -> None:
        """What only the rule as a whole can get wrong."""
        nodes = [node for meaning in rule.meanings.values() for node in meaning.nodes()]
        named = {node.name for node in nodes if isinstance(node, ParameterValue)} | {rule.hold}
        silent = [node for node in nodes if isinstance(node, Silent)]
        named |= {node.parameter for node in silent}
        for name in rule.parameters:
            if name not in named:
                self.fault(
                    name,
                    "is a parameter that neither when, clear nor hold names",
                    remedy="use it, or take it away",
                )
        for over in excess(rule, (self.families[name] for name in rule.meanings)):
            self.fault("when", over, remedy="shorten its windows or look back fewer days, or split the rule")
        if "clear" in self.document and any(meaning.clear is None for meaning in rule.meanings.values()):
            self.fault("clear", "expected a condition")
        if silent and any(key in self.document for key in ("clear", "hold", "valid")):
            self.fault("when", "silent(…) is cleared by the next reading: expected no clear, hold or valid")
        for name in {str(rule.hold), *(node.parameter for node in silent)} & set(rule.parameters):
            tunable = rule.parameters[name]
            least = 0.0 if name == rule.hold else 1.0
            if (
                tunable.low * tunable.unit.factor < least
                or tunable.high * tunable.unit.factor > LONGEST / SECOND
            ):
                self.fault(name, f"expected a range from {least:g} s to 366 d")


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return None
    return number if isfinite(number) else None
