"""What operators are asked to bear, by the measures of ANSI/ISA-18.2-2016 clause 16 (IEC 62682) and EEMUA 191.

What they were told by itself counts, and does whatever becomes of it: what something else spoke for, was shelved or came too
late to be told is no load, nor is `info`. Every query is bounded.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct, convert
from sqlalchemy import ColumnElement, Connection, Select, TextClause, func, or_, select

from drivers.telemetry import DAY, HOUR, MINUTE
from gateway.cases.record import SEVERITIES, plain
from gateway.errors import Invalid
from gateway.store.schema.cases import UNCLEARED, alarm

SLOT: Final = 10 * MINUTE  # both standards count what an operator gets in ten minutes
ACCEPTABLE, MANAGEABLE = 1.0, 2.0  # alarms a slot on average: "very likely acceptable", "maximum manageable"
FLOOD_BEGINS: Final = 10  # more than so many in a slot are a flood …
FLOOD_ENDS: Final = 5  # … until there are fewer than so many
CHATTER: Final = (3, MINUTE)  # raised so often within so long
FLEETING: Final = MINUTE  # ours, configurable nowhere: over before anyone can act
STALE: Final = 24 * HOUR
LONGEST: Final = 92 * DAY
MOST: Final = 100_000  # alarms of one report
TOP: Final = 10
NEWEST: Final = 1_000  # alarms that the running figures look at
# The annunciated priorities of the standards' four (about 80, 15, 5 and below 1 %), worst first; `info` is no alarm to act on.
RECOMMENDED: Final[Mapping[str, float]] = {"critical": 0.01, "major": 0.05, "minor": 0.15, "warning": 0.8}


class By(StrEnum):
    ALL = "all"
    AREA = "area"
    FAMILY = "family"


class Load(StrEnum):
    """What the average rate means for one operator."""

    ACCEPTABLE = "acceptable"
    MANAGEABLE = "manageable"
    OVERLOAD = "overload"


class Told(Struct, frozen=True):
    """An alarm that operators were told of; times µs UTC, told: when they were."""

    rule: str
    device: str
    severity: str
    family: str
    area: str
    raised: int
    told: int | None
    cleared: int | None


class Flood(Struct, frozen=True):
    """peak: most alarms of any ten minutes of it."""

    begin: int
    end: int
    alarms: int
    peak: int


class Often(Struct, frozen=True):
    """times: raises in the period. share: of all its alarms. rule or device is "" where it is counted over all of them."""

    rule: str
    device: str
    times: int
    share: float


class Figures(Struct, frozen=True):
    """average, peak: alarms in ten minutes, for each operator. over: share of ten-minute slots with more than ten.

    flooded: share of time. top_share: of the ten most frequent rules. priorities: shares by severity, without info.
    """

    alarms: int
    average: float
    peak: int
    load: Load
    over: float
    flooded: float
    floods: list[Flood]
    rules: list[Often]
    devices: list[Often]
    top_share: float
    chattering: list[Often]
    fleeting: int
    fleeting_rules: list[Often]
    priorities: dict[str, float]


class Standing(Struct, frozen=True):
    """As it is now. stale: standing for more than a day; oldest: the ten of them that stand longest."""

    standing: int
    stale: int
    oldest: list[Told]


class Recent(Struct, frozen=True):
    """alarms: of the last ten minutes. flood: whether one goes on. stale: how many have stood for more than a day."""

    alarms: int = 0
    flood: bool = False
    stale: int = 0


def performance(
    conn: Connection,
    since: int,
    until: int,
    *,
    by: By = By.ALL,
    depth: int = 1,
    area: str = "",
    operators: int = 1,
) -> dict[str, Figures]:
    """Of those told at since ≤ time < until, by area path (`depth` levels) or family; with By.ALL there is one, "".

    operators: how many share the load. Raises Invalid.
    """
    if not 0 < until - since <= LONGEST:
        raise Invalid(f"give a period of at most {LONGEST // DAY} days", field="until")
    found = _told(conn, since, until, area)
    groups: defaultdict[str, list[Told]] = defaultdict(list)
    key = _key(by, depth)
    for each in found:
        groups[key(each)].append(each)
    if by is By.ALL and not groups:
        groups[""] = []
    return {name: figures(groups[name], since, until, operators) for name in sorted(groups)}


def _key(by: By, depth: int) -> Callable[[Told], str]:
    keys: Mapping[By, Callable[[Told], str]] = {
        By.ALL: lambda _: "",
        By.AREA: lambda each: "/".join(each.area.split("/")[:depth]),
        By.FAMILY: lambda each: each.family,
    }
    return keys[by]


def figures(alarms: Iterable[Told], since: int, until: int, operators: int = 1) -> Figures:
    """The same of alarms that are at hand, all of them told."""
    told = sorted(alarms, key=_heard)
    times = [_heard(each) for each in told]
    slots = Counter((time - since) // SLOT for time in times)
    span, bound = until - since, FLOOD_BEGINS * operators
    average = len(told) * SLOT / span / operators
    floods = find_floods(times, until, operators)
    rules = _often((each.rule, "") for each in told)
    chattering = _chattering(told)
    restless = {(each.rule, each.device) for each in chattering}
    brief = [each for each in told if _fleeting(each) and (each.rule, each.device) not in restless]
    return Figures(
        alarms=len(told),
        average=round(average, 3),
        peak=max(map(_in_slot(times), range(len(times))), default=0),
        load=_load(average),
        over=round(sum(n > bound for n in slots.values()) / max(-(-span // SLOT), 1), 4),
        flooded=round(sum(flood.end - flood.begin for flood in floods) / span, 4),
        floods=sorted(floods, key=lambda flood: -flood.alarms)[:TOP],
        rules=rules,
        devices=_often(("", each.device) for each in told),
        top_share=round(sum(each.share for each in rules), 4),
        chattering=chattering,
        fleeting=len(brief),
        fleeting_rules=_often((each.rule, "") for each in brief),
        priorities=_priorities(told),
    )


def _heard(each: Told) -> int:
    return each.raised if each.told is None else each.told


def _load(average: float) -> Load:
    if average <= ACCEPTABLE:
        return Load.ACCEPTABLE
    return Load.MANAGEABLE if average <= MANAGEABLE else Load.OVERLOAD


def _in_slot(times: Sequence[int]) -> Callable[[int], int]:
    """How many came in the ten minutes that end with this one."""
    return lambda place: place + 1 - bisect_right(times, times[place] - SLOT)


def find_floods(times: Sequence[int], until: int, operators: int = 1) -> list[Flood]:
    """times: sorted. A flood begins with the first alarm of the ten minutes that hold more than ten, and ends where the
    last ten minutes hold fewer than five (each times `operators`).
    """
    count, begins, ends = _in_slot(times), FLOOD_BEGINS * operators, FLOOD_ENDS * operators
    floods: list[Flood] = []
    first, peak, after = -1, 0, 0
    for place, time in enumerate(times):
        seen = count(place)
        if first < 0:
            if seen <= begins:
                continue
            first, peak = max(place + 1 - seen, after), 0
        peak = max(peak, seen)
        quiet = times[place + 1 - ends] + SLOT if seen >= ends else time  # if nothing more came
        last = place + 1 == len(times)
        if last or times[place + 1] > quiet:
            floods.append(Flood(times[first], min(quiet, until), place + 1 - first, peak))
            first, after = -1, place + 1
    return floods


def _often(keys: Iterable[tuple[str, str]]) -> list[Often]:
    counted = Counter(keys)
    total = counted.total()
    return [
        Often(rule, device, times, round(times / total, 4))
        for (rule, device), times in sorted(counted.items(), key=lambda each: (-each[1], each[0]))[:TOP]
    ]


def _chattering(told: Sequence[Told]) -> list[Often]:
    """By event time: receipt may lump together what did not."""
    least, within = CHATTER
    raises: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for each in told:
        raises[each.rule, each.device].append(each.raised)
    found = []
    for (rule, device), times in raises.items():
        times.sort()
        if any(last - first < within for first, last in zip(times, times[least - 1 :], strict=False)):
            found.append(Often(rule, device, len(times), round(len(times) / len(told), 4)))
    return sorted(found, key=lambda each: (-each.times, each.rule, each.device))[:TOP]


def _fleeting(each: Told) -> bool:
    return each.cleared is not None and each.cleared - each.raised < FLEETING


def _priorities(told: Sequence[Told]) -> dict[str, float]:
    counted = Counter(each.severity for each in told if each.severity in RECOMMENDED)
    total = max(counted.total(), 1)
    return {name: round(counted[name] / total, 4) for name in reversed(SEVERITIES) if name in RECOMMENDED}


def standing(conn: Connection, now: int, area: str = "") -> Standing:
    """What operators have before them now."""
    query = _columns().where(*_standing(), *_in(area)).limit(MOST)
    found = sorted(convert(plain(conn.execute(query)), list[Told]), key=lambda each: each.raised)
    stale = [each for each in found if now - each.raised > STALE]
    return Standing(len(found), len(stale), stale[:TOP])


def recent(conn: Connection, now: int) -> Recent:
    """For the running figures: of the last hour the newest thousand are looked at."""
    c = alarm.c
    query = select(c.told).where(*_when(now - HOUR, now + 1))
    times = sorted(conn.scalars(query.order_by(c.told.desc()).limit(NEWEST)))
    floods = find_floods(times, now)
    old = select(func.count()).select_from(alarm).where(*_standing(), c.raised < now - STALE)
    return Recent(
        alarms=sum(time > now - SLOT for time in times),
        flood=bool(floods) and floods[-1].end >= now,
        stale=conn.execute(old).scalar_one(),
    )


def _standing() -> list[ColumnElement[bool] | TextClause]:
    """What stands and is held back by nothing, by the partial index of uncleared alarms."""
    return [UNCLEARED, alarm.c.standing, alarm.c.state != "shelved", _free(), _to_act_on()]


def _to_act_on() -> ColumnElement[bool]:
    return alarm.c.severity.in_(sorted(RECOMMENDED))


def _free() -> ColumnElement[bool]:
    """Held back by nothing, as nearly all are: said so that no planner takes the index of those few for it."""
    return func.coalesce(alarm.c.suppressed_by, "") == ""


def _told(conn: Connection, since: int, until: int, area: str) -> list[Told]:
    query = _columns().where(*_when(since, until), *_in(area)).order_by(alarm.c.told)
    rows = plain(conn.execute(query.limit(MOST + 1)))
    if len(rows) > MOST:
        raise Invalid(f"more than {MOST:,} alarms: give a shorter period or an area", field="since")
    return convert(rows, list[Told])


def _columns() -> Select[Any]:
    return select(*(alarm.c[name] for name in Told.__struct_fields__))


def _when(since: int, until: int) -> list[ColumnElement[bool]]:
    return [alarm.c.told >= since, alarm.c.told < until, _to_act_on()]


def _in(area: str) -> list[ColumnElement[bool]]:
    if not area:
        return []
    c, path = alarm.c, area.rstrip("/")
    return [or_(c.area == path, c.area.startswith(path + "/", autoescape=True))]
