"""Which facilities were not in good order: an alarm of a fault stood at the end of a day, as an inspection would have found.

What people judged to be a false alarm was none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, and_, exists, select

from drivers.telemetry import DAY
from gateway.cases.lifecycle import Verdict
from gateway.store.schema.cases import UNCLEARED, alarm, case

LONGEST: Final = 366 * DAY  # a fault that was cleared had not stood for longer


def standing(conn: Connection, family: str, names: Sequence[str], moments: Sequence[int]) -> list[set[int]]:
    """Indexes in history of the devices with such an alarm at each moment (µs UTC, in order)."""
    if not moments:
        return []
    c = alarm.c
    false = exists().where(case.c.id == c.case, case.c.verdict == Verdict.FALSE_ALARM)
    query = select(c.idx, c.raised, c.cleared).where(
        c.family == family, c.name.in_(names), c.raised < moments[-1], ~false
    )
    over = and_(c.raised >= moments[0] - LONGEST, c.cleared >= moments[0])
    found: list[set[int]] = [set() for _ in moments]
    rows = [
        row for part in (UNCLEARED, over) for row in conn.execute(query.where(part))
    ]  # each by an index of its own
    for index, raised, cleared in rows:
        for place, moment in enumerate(moments):
            if raised < moment and (cleared is None or cleared >= moment):
                found[place].add(index)
    return found
