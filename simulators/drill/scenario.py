"""A drill's scenario: the fleet, its network, what goes wrong, and what is expected. Every fault of a file is told at once."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from drivers.families import FAMILIES
from drivers.telemetry import DAY, HOUR, MINUTE
from gateway.cases.span import Span
from simulators.drill import kinds, truth
from simulators.faults import clock
from simulators.world.city import MIX

SHIPPED: Final = resources.files("simulators") / "scenarios"


class Wrong(NamedTuple):
    """place: the key, as its path in the file: ("fault", "0", "kind")."""

    place: tuple[str, ...]
    problem: str


class ScenarioError(ValueError):
    """What is wrong with a scenario, all of it."""

    def __init__(self, wrong: list[Wrong], text: str = "") -> None:
        super().__init__("; ".join(f"{'.'.join(each.place)}: {each.problem}" for each in wrong))
        self.wrong = wrong
        self.text = text


def _family(name: str) -> str:
    if name not in FAMILIES:
        raise ValueError(f"no family {name!r}; there are {', '.join(FAMILIES)}")
    return name


def _zoned(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a start names its offset, as 2026-09-22T16:00:00+08:00")
    return moment


def _rule(name: str) -> str:
    known = {rule for each in truth.DUE.values() for rule in each.rules}
    if name not in known:
        raise ValueError(f"no fault is due to raise a rule {name!r}")
    return name


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"{value:g} is no share between 0 and 1")
    return value


Family = Annotated[str, AfterValidator(_family)]
Share = Annotated[float, AfterValidator(_share)]
RuleName = Annotated[str, AfterValidator(_rule)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Planned(_Table):
    """`[[fault]]`: one fault with when and where. begin: "20:15", or "+1 20:15" on the next day (city time)."""

    kind: str
    family: Family | None = None
    device: str | None = None
    choose: int = Field(default=1, ge=1)
    begin: str = Field(alias="from")
    lasts: Span = Field(gt=0)


class Chance(_Table):
    """`[[random]]`: so many faults of a family anywhere and at any time that shows them. kinds: empty = each that is drilled.

    lasts: from, to; what a kind needs to be noticed is the least.
    """

    family: Family
    kinds: tuple[str, ...] = ()
    count: int = Field(ge=1, le=100_000)
    lasts: tuple[Span, Span] = (30 * MINUTE, HOUR)


class Network(_Table):
    """`[network]`: what happens on the way. delay: up to so much, for this share of the messages; the others take a second."""

    loss: Share = 0.0
    duplicates: Share = 0.0
    delayed: Share = 0.0
    delay: Span = Field(default=0, ge=0)


class Threshold(_Table):
    """What one rule is held to; the whole where `rule` names none."""

    recall: Share = 0.98
    precision: Share = 0.95
    latency: Span | None = None  # p95, µs


class Expect(Threshold):
    """`[expect]`."""

    false_cases: float | None = Field(default=None, ge=0)  # a device-year
    rule: dict[RuleName, Threshold] = {}


class Scenario(_Table):
    about: str = ""
    start: Annotated[datetime, AfterValidator(_zoned)]
    lasts: Span = Field(ge=10 * MINUTE)
    settle: Span = Field(default=2 * HOUR, ge=0)  # before the first random fault
    devices: int = Field(ge=len(MIX), le=100_000)
    seed: int = 7
    step: Span = Field(default=MINUTE, gt=0, le=HOUR)  # city time of one tick
    mix: dict[Family, Annotated[float, Field(gt=0)]] = {}
    attributes: dict[Family, dict[str, float]] = {}
    network: Network = Network()
    fault: tuple[Planned, ...] = ()
    random: tuple[Chance, ...] = ()
    expect: Expect = Expect()

    @property
    def begin(self) -> int:
        """µs UTC."""
        return int(self.start.timestamp()) * 1_000_000

    @property
    def end(self) -> int:
        return self.begin + self.lasts

    def shares(self) -> dict[str, float]:
        """The mix of families: every one of them, since they stand on each other."""
        return {family: self.mix.get(family, 0.001) if self.mix else share for family, share in MIX.items()}


def find(name: str) -> str:
    """The text of a file, or of the shipped scenario of that name; raises ScenarioError."""
    shipped = SHIPPED / f"{name}.toml"
    path = Path(name)
    try:
        if not path.exists() and shipped.is_file():
            return shipped.read_text(encoding="utf-8")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(names())
        raise ScenarioError([Wrong((), f"{name} cannot be read ({error}); shipped are {known}")]) from error


def names() -> list[str]:
    """The shipped scenarios."""
    files = [each.name for each in SHIPPED.iterdir() if each.name.endswith(".toml")]
    return sorted(name.removesuffix(".toml") for name in files if name != "evening.toml")


def read(text: str) -> Scenario:
    """Raises ScenarioError with every fault of the text."""
    try:
        table: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError([Wrong((), f"not TOML: {error}")], text) from error
    wrong: list[Wrong] = []
    try:
        scenario = Scenario.model_validate(table)
    except ValidationError as error:
        wrong = [Wrong(tuple(map(str, one["loc"])), _said(one)) for one in error.errors(include_url=False)]
        raise ScenarioError(wrong, text) from error
    wrong = [*_of_faults(scenario), *_of_chances(scenario)]
    if wrong:
        raise ScenarioError(wrong, text)
    return scenario


def _said(detail: Any) -> str:
    if detail["type"] == "extra_forbidden":
        return "unknown key"
    message = str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] == "missing":
        return message
    return f"{message} (given {detail['input']!r:.60})"


def _of_faults(scenario: Scenario) -> Iterator[Wrong]:
    for place, one in enumerate(scenario.fault):
        here = ("fault", str(place))
        if (one.family is None) == (one.device is None):
            yield Wrong((*here, "family"), "name a family, or one device")
        elif one.family is not None and (problem := _unknown(one.family, one.kind)):
            yield Wrong((*here, "kind"), problem)
        try:
            begin = moment(scenario.begin, one.begin)
        except ValueError as error:
            yield Wrong((*here, "from"), str(error))
            continue
        if begin + one.lasts > scenario.end:
            yield Wrong((*here, "lasts"), "the fault ends after the drill")


def _of_chances(scenario: Scenario) -> Iterator[Wrong]:
    for place, one in enumerate(scenario.random):
        for name in one.kinds:
            if problem := _unknown(one.family, name):
                yield Wrong(("random", str(place), "kinds"), problem)
        if one.lasts[0] > one.lasts[1]:
            yield Wrong(("random", str(place), "lasts"), "the shorter one comes first")


def _unknown(family: str, name: str) -> str:
    if kinds.find(family, name) is not None:
        return ""
    known = sorted({kind for owner, kind in kinds.KINDS if owner in {family, "*"}})
    return f"a {family} has no fault {name!r}; it has {', '.join(known)}"


def moment(start: int, text: str) -> int:
    """City µs of "20:15" or "+2 20:15", counted from the scenario's first day; raises ValueError."""
    day, _, time = text.rpartition(" ")
    if day and not (day.startswith("+") and day[1:].isdigit()):
        raise ValueError(f"{text!r} is no moment; write HH:MM, or +1 HH:MM for the next day")
    return clock(start, time) + int(day or 0) * DAY
