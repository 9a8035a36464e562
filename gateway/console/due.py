"""How a case stands to its limit, as a word and a colour and what remains; never as a colour alone."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from gateway.api.cases import CaseView
from gateway.api.services import Services
from gateway.cases.casework import ORPHAN
from gateway.cases.deadline import LimitUnit
from gateway.cases.lifecycle import OVER, RUNNING, CaseState
from gateway.cases.record import PERSON
from gateway.cases.template import Template
from gateway.console.speech import Speech


class Kind(StrEnum):
    OVERDUE = "overdue"
    SOON = "soon"
    RUNNING = "running"
    WAITING = "waiting"  # for a dispatcher
    STILL = "still"  # suspended
    PROOF = "proof"
    PERSON = "person"
    CLOSE = "close"
    OVER = "over"


LAST_SHARE: Final = 0.8  # of the limit, where a city wants no warnings: due soon from then on


class Due(NamedTuple):
    """words: what remains, or since when. at: the moment it is about, µs UTC."""

    kind: Kind
    words: str
    at: int | None = None


def template_of(services: Services, case: CaseView) -> Template:
    return services.desk.casework.templates.get(case.template, ORPHAN)


def unit_of(services: Services, case: CaseView) -> LimitUnit:
    """Of its limit."""
    return case.unit or template_of(services, case).limit.unit


def due(services: Services, case: CaseView, say: Speech) -> Due:
    """Of an open or closed case, now."""
    state = CaseState(case.state)
    if state in OVER:
        return Due(Kind.OVER, say.word("say.closed", time=say.time(case.closed or case.updated)), case.closed)
    if state in RUNNING and case.deadline is not None:
        return _running(services, case, case.deadline, say)
    if state is CaseState.SUSPENDED:
        unit = unit_of(services, case)
        return Due(Kind.STILL, say.word("say.still", span=say.span(max(case.time_left or 0, 0), unit)))
    if state is CaseState.FILED:
        return _waiting(services, case, say)
    if state is CaseState.VERIFIED:
        return Due(Kind.CLOSE, say.word("say.close"))
    return _proving(case, say)


def _running(services: Services, case: CaseView, deadline: int, say: Speech) -> Due:
    clock, unit = services.desk.casework.clock, unit_of(services, case)
    if say.now >= deadline:
        over = clock.run(unit, deadline, say.now)
        return Due(Kind.OVERDUE, say.word("say.overdue", span=say.span(over, unit)), deadline)
    left = clock.run(unit, say.now, deadline)
    soon = case.allowed - left >= max(services.desk.settings.warnings, default=LAST_SHARE) * case.allowed
    kind = Kind.SOON if soon else Kind.RUNNING
    return Due(kind, say.word(f"say.{kind}", span=say.span(left, unit)), deadline)


def _waiting(services: Services, case: CaseView, say: Speech) -> Due:
    since, within = case.waiting or case.filed, services.desk.settings.dispatch_within
    if not within:
        return Due(Kind.WAITING, say.word("say.unsent", time=say.time(since)))
    left = since + within - say.now
    if left < 0:
        words = say.word("say.late_waiting", span=say.span(-left, LimitUnit.URGENT_HOUR))
        return Due(Kind.OVERDUE, words, since + within)
    return Due(Kind.WAITING, say.word("say.waiting", span=say.span(left)), since + within)


def _proving(case: CaseView, say: Speech) -> Due:
    if case.verification == PERSON:
        return Due(Kind.PERSON, say.word("say.person"))
    if case.proof is None:
        return Due(Kind.PROOF, say.word("say.standing"))
    return Due(Kind.PROOF, say.word("say.proof", time=say.time(case.proof)), case.proof)
