"""What a person says with an event, and what of it must be said and may be said: checked before anything changes."""

from __future__ import annotations

from typing import Any, Final, TypedDict

from msgspec import Struct

from gateway.cases.lifecycle import NEEDS_NOTE, CaseEvent, Verdict
from gateway.cases.record import TELEMETRY, Case
from gateway.errors import Conflict, Forbidden, Invalid

JUDGED: Final = frozenset(
    {CaseEvent.RETURN, CaseEvent.REPAIRED, CaseEvent.CLOSE, CaseEvent.VOID, CaseEvent.MERGE}
)  # events that may carry a verdict
UNJUDGED: Final = frozenset(
    {CaseEvent.DISPATCH, CaseEvent.REWORK, CaseEvent.REOPEN}
)  # what was said is open again


class Words(TypedDict, total=False):
    """Said's fields but the note, as arguments."""

    crew: str
    department: str
    force: bool
    extra: float
    verdict: Verdict
    into: int | None
    alarms: tuple[str, ...]


class Said(Struct, frozen=True):
    """crew, department, force: of dispatch; force: of verify too. extra: by how much to extend, in the limit's unit. into: of merge.

    alarms: of split, ids.
    """

    note: str = ""
    crew: str = ""
    department: str = ""
    force: bool = False
    extra: float = 0
    verdict: Verdict = Verdict.NONE
    into: int | None = None
    alarms: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        return self.note.strip()


def check(case: Case, event: CaseEvent, actor: str, said: Said) -> None:
    """Raises Invalid, Forbidden."""
    if event in NEEDS_NOTE and not said.reason:
        raise Invalid(f"'{event}' needs a reason", field="note")
    if said.verdict and event not in JUDGED:
        words = ", ".join(sorted(JUDGED))
        raise Invalid(f"a verdict comes with {words}, not with '{event}'", field="verdict")
    if event is CaseEvent.MERGE and said.into is None:
        raise Invalid("'merge' needs the number of the case that goes on", field="into")
    if event is CaseEvent.SPLIT and not said.alarms:
        raise Invalid("'split' needs the alarms that leave the case", field="alarms")
    if event is CaseEvent.VERIFY and actor != TELEMETRY:
        _check_verifier(case, actor, said)


def _check_verifier(case: Case, actor: str, said: Said) -> None:
    """A person verifies what telemetry cannot; or, on purpose, in its place."""
    if actor == case.repaired_by:
        raise Forbidden(f"{actor} repaired it; someone else must verify it", repaired_by=case.repaired_by)
    if said.force and not said.reason:
        raise Invalid("to verify in the place of telemetry needs a reason", field="note")
    if case.verification == TELEMETRY and not said.force:
        lacks = f"{case.standing} of its alarms stand" if case.standing else "its proof is not complete"
        raise Conflict(
            f"telemetry verifies this repair, and {lacks}; a supervisor may verify it with 'force' and a reason",
            standing=case.standing,
            proof=case.proof,
        )


def check_target(case: Case, crew: str, department: str, said: Said) -> None:
    """Who handed the case back is not chosen again, unless on purpose; raises Conflict, Invalid."""
    if not case.returned or case.returned not in {crew, department}:
        return
    if not said.force:
        raise Conflict(
            f"{case.returned} handed it back; choose another, or send it there again with 'force' and a reason",
            returned=case.returned,
        )
    if not said.reason:
        raise Invalid(f"sending it to {case.returned} again needs a reason", field="note")


def judge(case: Case, event: CaseEvent, said: Said) -> None:
    """Keep the verdict, or forget one that does not hold any more."""
    if event in UNJUDGED:
        case.verdict = Verdict.NONE
    elif said.verdict:
        case.verdict = said.verdict


def detail(case: Case, event: CaseEvent, said: Said) -> dict[str, Any] | None:
    """What the timeline keeps of it besides the note."""
    told: dict[str, Any] = {}
    if event is CaseEvent.DISPATCH:
        told = {"crew": case.crew, "department": case.department, "force": said.force}
    elif event is CaseEvent.RETURN:
        told = {"returned": case.returned}
    elif event is CaseEvent.VERIFY:
        told = {"force": said.force}
    elif event is CaseEvent.EXTEND:
        told = {"extra": said.extra}
    elif event is CaseEvent.MERGE:
        told = {"into": case.merged_into}
    elif event is CaseEvent.SPLIT:
        told = {"alarms": list(said.alarms)}
    if said.verdict:
        told["verdict"] = str(said.verdict)
    return {key: value for key, value in told.items() if value} or None
