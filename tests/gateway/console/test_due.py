"""How a case stands to its limit: a word, a colour, and what remains in the limit's own kind of time."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from drivers.families import FAMILIES
from drivers.telemetry import HOUR, SECOND
from gateway.api.cases import CaseView
from gateway.console.due import Kind, due
from gateway.console.speech import Speech
from tests.gateway.api.gate import Gate
from tests.gateway.console.visitor import open_cover

ZONE = ZoneInfo("Asia/Shanghai")


def at(day: int, hour: int, minute: int = 0) -> int:
    """Of September 2026, whose 21st is a Monday."""
    return int(datetime(2026, 9, day, hour, minute, tzinfo=ZONE).timestamp()) * SECOND


RUNNING = {"state": "dispatched", "deadline": at(21, 12), "allowed": 2 * HOUR, "clock_from": at(21, 10)}
LAMP = {**RUNNING, "template": "lamp-out", "unit": "work_day", "allowed": 16 * HOUR, "deadline": at(23, 10)}


SAID: list[tuple[int, dict[str, Any], Kind, str]] = [
    (at(21, 10), RUNNING, Kind.RUNNING, "2 h left"),
    (at(21, 11, 35), RUNNING, Kind.RUNNING, "25 min left"),
    (at(21, 11, 36), RUNNING, Kind.SOON, "24 min left"),
    (at(21, 12), RUNNING, Kind.OVERDUE, "overdue by less than a minute"),
    (at(22, 13), RUNNING, Kind.OVERDUE, "overdue by 1 d 1 h"),
    (at(21, 20), LAMP, Kind.RUNNING, "1 working d 2 h left"),
    (at(22, 15), LAMP, Kind.RUNNING, "5 h of working time left"),
    (at(23, 8), LAMP, Kind.SOON, "2 h of working time left"),
    (at(23, 20), LAMP, Kind.OVERDUE, "overdue by 6 h of working time"),
    (at(21, 9, 5), {"state": "filed", "waiting": at(21, 9)}, Kind.WAITING, "choose a crew within 10 min"),
    (
        at(21, 9, 20),
        {"state": "filed", "waiting": at(21, 9)},
        Kind.OVERDUE,
        "should have been dispatched 5 min ago",
    ),
    (at(21, 9), {"state": "suspended", "time_left": HOUR}, Kind.STILL, "the clock stands still, 1 h left"),
    (at(21, 9), {"state": "repaired"}, Kind.PROOF, "the alarm still stands"),
    (
        at(21, 9),
        {"state": "repaired", "proof": at(21, 10)},
        Kind.PROOF,
        "proved at 09-21 10:00 if nothing comes back",
    ),
    (at(21, 9), {"state": "repaired", "verification": "person"}, Kind.PERSON, "a person must verify it"),
    (at(21, 9), {"state": "verified"}, Kind.CLOSE, "verified, not closed yet"),
    (at(21, 9), {"state": "closed", "closed": at(21, 8)}, Kind.OVER, "closed 09-21 08:00"),
    (at(21, 9), {**LAMP, "template": "gone by now", "unit": None}, Kind.RUNNING, "2 working d 1 h left"),
]


async def test_what_is_said_of_a_case(gate: Gate) -> None:
    number = await open_cover(gate)
    case = CaseView(**(await gate.ok("viewer", "GET", f"/cases/{number}"))["case"])
    for now, fields, kind, words in SAID:
        found = due(gate.services, case.model_copy(update=fields), Speech("en", ZONE, now, FAMILIES))
        assert (found.kind, found.words) == (kind, words)
