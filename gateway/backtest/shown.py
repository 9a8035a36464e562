"""What the author of a change was shown of it, in short, to be kept with the change: jobs are forgotten, versions are not."""

from __future__ import annotations

from typing import Any

from gateway.backtest.backtests import Job
from gateway.errors import Invalid


def shown(job: Job, rule: str) -> dict[str, Any]:
    """Of a backtest that is done. Raises Invalid where it is of another rule, or of no change."""
    report = job.report
    if job.wish.rule != rule or report is None:
        raise Invalid(
            f"backtest {job.id} is {'a search for a value' if report is None else 'one'} of {job.wish.rule}; "
            f"give one of a change of {rule}",
            field="backtest",
        )
    counted = ("alarms", "cases", "hours", "precision")
    return {
        "number": job.id,
        "time": job.created,
        "actor": job.actor,
        "since": report.since,
        "until": report.until,
        "area": report.area,
        "old": {name: getattr(report.old, name) for name in counted},
        "new": {name: getattr(report.new, name) for name in counted},
        **{
            name: getattr(report, name)
            for name in ("added", "removed", "shifted", "lost_real", "spared_false")
        },
    }
