"""Telemetry proves a repair: every alarm of the case has stayed cleared for the template's proving time.

The proof starts with the last clear or with the repair, whichever is later; an alarm that stands stops it.
"""

from __future__ import annotations

from typing import Final

from gateway.cases.lifecycle import CaseState
from gateway.cases.record import Case
from gateway.cases.template import Template

RECOVERABLE: Final = frozenset(
    {CaseState.FILED, CaseState.DISPATCHED, CaseState.ACCEPTED, CaseState.SUSPENDED}
)


def proof_at(case: Case, template: Template) -> int | None:
    """When the case will be proved (µs UTC) if nothing changes; None while no proof runs."""
    if case.standing or case.quiet_since is None:
        return None
    if case.state is CaseState.REPAIRED and case.repaired is not None:
        return max(case.quiet_since, case.repaired) + template.proving
    if template.self_closing and case.state in RECOVERABLE:
        return case.quiet_since + template.proving
    return None
