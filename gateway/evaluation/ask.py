"""What history is asked of a day: one row a device, aggregated where the readings lie. Only judged values count.

A bay's or a fan's state holds until the next report, and no longer than it is believed; the rest is not covered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import duckdb
import numpy as np

from drivers.telemetry import HOUR, LAST_JUDGED, MINUTE, Kind

if TYPE_CHECKING:
    from drivers.telemetry import Bool

Found = dict[str, Any]  # columns of numpy
_DATA: Final = f"kind < {int(Kind.STATUS)}"
_SAMPLES: Final = f"kind = {int(Kind.SAMPLE)}"


def heard(con: duckdb.DuckDBPyConnection, view: str, start: int, end: int) -> Found:
    """device: those that sent data."""
    query = f"SELECT DISTINCT device FROM {view} WHERE {_DATA} AND {_span(start, end)}"  # noqa: S608 - numbers only
    return con.execute(query).fetchnumpy()


def lit(
    con: duckdb.DuckDBPyConnection,
    view: str,
    start: int,
    end: int,
    lamps: Found,  # noqa: ARG001 - the query names it
    dark: Found,  # noqa: ARG001 - the same
    origin: int,
) -> Found:
    """device, heard, lit: dark hours of which something was heard, and those at whose last report the lamp burnt.

    lamps: device, place, first (hour), watts (from which it burns). dark: place, hour. Hours count from `origin`.
    """
    return con.execute(
        f"""
        WITH said AS (
            SELECT device, (time - {origin:d}) // {HOUR} AS hour, {_last("power")}, {_last("switch")},
                {_last("lamp_failure")}
            FROM {view} WHERE {_SAMPLES} AND {_span(start, end)} AND (time - {origin:d}) // {HOUR} IN (SELECT hour FROM dark)
            GROUP BY ALL
        )
        SELECT device, count(*) AS heard, count(*) FILTER (
            CASE WHEN power IS NULL THEN switch = 1 AND coalesce(lamp_failure, 0) = 0 ELSE power >= watts END
        ) AS lit
        FROM said JOIN lamps USING (device) JOIN dark USING (place, hour)
        WHERE hour >= first AND (power IS NOT NULL OR switch IS NOT NULL)
        GROUP BY device
        """  # noqa: S608 - names and numbers only
    ).fetchnumpy()


def parking(con: duckdb.DuckDBPyConnection, view: str, start: int, end: int, hold: int) -> Found:
    """device, covered and occupied (µs), parkings (from vacant to occupied)."""
    return con.execute(
        f"""
        WITH said AS (
            SELECT device, time, max(occupied) AS busy FROM {view}
            WHERE {_SAMPLES} AND {_span(start - hold, end)} AND occupied_q <= {LAST_JUDGED}
            GROUP BY device, time
        ), held AS (
            SELECT device, time, busy, lag(busy) OVER device_ AS former, lag(time) OVER device_ AS since,
                coalesce(lead(time) OVER device_, {end:d}) AS next
            FROM said WINDOW device_ AS (PARTITION BY device ORDER BY time)
        ), spans AS (
            SELECT *, greatest(0, least(next, time + {hold:d}, {end:d}) - greatest(time, {start:d})) AS span FROM held
        )
        SELECT device, sum(span)::BIGINT AS covered, coalesce(sum(span) FILTER (busy = 1), 0)::BIGINT AS occupied,
            count(*) FILTER (time >= {start:d} AND busy = 1 AND former = 0 AND time - since <= {hold:d}) AS parkings
        FROM spans GROUP BY device
        """  # noqa: S608 - numbers only
    ).fetchnumpy()


def purifier(con: duckdb.DuckDBPyConnection, view: str, start: int, end: int, hold: int) -> Found:
    """device, covered, fan and both (µs): time of which fan and purifier are known, the fan runs, both run."""
    return con.execute(
        f"""
        WITH said AS (
            SELECT device, time, {_judged("fan")}, {_judged("purifier")} FROM {view}
            WHERE {_SAMPLES} AND {_span(start - hold, end)} GROUP BY device, time
        ), kept AS (
            SELECT device, time, {_kept("fan")}, {_kept("purifier")},
                coalesce(lead(time) OVER device_, {end:d}) AS next
            FROM said WHERE fan IS NOT NULL OR purifier IS NOT NULL
            WINDOW device_ AS (PARTITION BY device ORDER BY time)
        ), spans AS (
            SELECT device, fan, purifier, greatest(0, least(next, fan_at + {hold:d}, purifier_at + {hold:d}, {end:d})
                - greatest(time, {start:d})) AS span
            FROM kept WHERE fan IS NOT NULL AND purifier IS NOT NULL
        )
        SELECT device, sum(span)::BIGINT AS covered, coalesce(sum(span) FILTER (fan = 1), 0)::BIGINT AS fan,
            coalesce(sum(span) FILTER (fan = 1 AND purifier = 1), 0)::BIGINT AS both
        FROM spans GROUP BY device
        """  # noqa: S608 - numbers only
    ).fetchnumpy()


def dust(
    con: duckdb.DuckDBPyConnection,
    view: str,
    start: int,
    end: int,
    limits: Found,  # noqa: ARG001 - the query names it
    valid: float,
) -> Found:
    """device, valid, over: hours with enough minutes, and those of them whose mean is above the station's limit.

    limits: device, bound. Samples count; minutes' means where there are too few samples.
    """
    return con.execute(
        f"""
        WITH hourly AS (
            SELECT device, (time - {start:d}) // {HOUR} AS hour, kind, avg(pm10) AS mean FROM {view}
            WHERE kind <= {int(Kind.MINUTE)} AND {_span(start, end)} AND pm10_q <= {LAST_JUDGED} AND pm10 IS NOT NULL
            GROUP BY ALL HAVING count(DISTINCT time // {MINUTE}) >= {60 * valid:f}
        ), best AS (SELECT device, hour, arg_min(mean, kind) AS mean FROM hourly GROUP BY ALL)
        SELECT device, count(*) AS valid, count(*) FILTER (mean > bound) AS over
        FROM best JOIN limits USING (device) GROUP BY device
        """  # noqa: S608 - numbers only
    ).fetchnumpy()


def dark_of(due: Bool, first: int, after: int) -> Found:
    """place, hour of the dark ones of first ≤ hour < after."""
    place, hour = np.nonzero(due[:, first:after])
    return {"place": place.astype(np.int64), "hour": hour.astype(np.int64) + first}


def _span(start: int, end: int) -> str:
    return f"time >= {start:d} AND time < {end:d}"


def _last(point: str) -> str:
    return f'arg_max("{point}", time) FILTER ("{point}_q" <= {LAST_JUDGED} AND "{point}" IS NOT NULL) AS "{point}"'


def _judged(point: str) -> str:
    return f'max("{point}") FILTER ("{point}_q" <= {LAST_JUDGED}) AS "{point}"'


def _kept(point: str) -> str:
    """The newest that is known, and when it was said."""
    known = f'CASE WHEN "{point}" IS NOT NULL THEN time END'
    return (
        f'last_value("{point}" IGNORE NULLS) OVER device_ AS "{point}", '
        f'last_value({known} IGNORE NULLS) OVER device_ AS "{point}_at"'
    )
