"""How much work stands open, by family and state: small queries over partial indexes, however long the city has run."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from gateway.cases.lifecycle import AlarmState
from gateway.store.schema.cases import OPEN, alarm, case

Counts = dict[tuple[str, ...], float]


class Standing(NamedTuple):
    """alarms: by family, severity, state. cases: by family, state. overdue: by family."""

    alarms: Counts
    cases: Counts
    overdue: Counts


def standing(conn: Connection) -> Standing:
    """All that is neither cleared nor closed."""
    a, c = alarm.c, case.c
    alarms = select(a.family, a.severity, a.state, func.count()).where(a.state != AlarmState.CLEARED)
    cases = select(c.family, c.state, func.count(), func.count(c.overdue)).where(OPEN)
    tally = Standing({}, {}, {})
    for family, severity, state, n in conn.execute(alarms.group_by(a.family, a.severity, a.state)):
        tally.alarms[family, severity, state] = n
    for family, state, n, overdue in conn.execute(cases.group_by(c.family, c.state)):
        tally.cases[family, state] = n
        tally.overdue[family,] = tally.overdue.get((family,), 0) + overdue
    return tally
