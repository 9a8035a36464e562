"""What people bring besides a case's own events: reports, photos, visits. Each is one transaction of the desk."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Connection, insert, select

from gateway.cases import intake, visits
from gateway.cases.desk import Desk
from gateway.cases.intake import CREATED, JOINED, NewReport, Report
from gateway.cases.ledger import Ledger
from gateway.cases.lifecycle import OVER, Entry, Verdict
from gateway.cases.photos import Stored
from gateway.cases.record import Case, Change
from gateway.cases.visits import ACTS, FROM, Visit, VisitEvent
from gateway.errors import Conflict, Forbidden
from gateway.registry.roles import covers
from gateway.store.schema.dispatch import photo as photo_table

PHOTOS: Final = 20  # of one case


class Remark(NamedTuple):
    """Who says it, and what of all cases of a visit."""

    actor: str
    note: str = ""
    verdict: Verdict = Verdict.NONE


class Visited(NamedTuple):
    """done: cases that went on; left: cases that could not, because they are elsewhere by now."""

    visit: Visit
    done: list[int]
    left: list[int]


def report(desk: Desk, conn: Connection, new: NewReport, actor: str, now: int) -> tuple[Report, list[Change]]:
    """Joins the case that it is of, or makes one; raises Invalid, Conflict, Forbidden, NotFound."""
    intake.check(new)
    template = intake.template_of(desk.casework.templates, new.category)
    reach = (desk.settings.report_near, desk.settings.report_within)
    family = desk.casework.family(template.id) or template.family
    same, others = intake.nearby(conn, new, template, family, reach, now)

    def work(ledger: Ledger) -> Report:
        case = _meant(ledger, new, same)
        match = JOINED if case is not None else CREATED
        case = case or desk.casework.open_reported(ledger, new, template)
        written = intake.write(conn, new, template, (case, match, others), (actor, now))
        told = {"report": written.id, "number": new.number, "origin": new.origin, "match": match}
        ledger.note_case(case, Entry.REPORTED, actor, note=new.text, detail=told)
        return written

    return desk.work(conn, now, work)


def _meant(ledger: Ledger, new: NewReport, same: Case | None) -> Case | None:
    if new.join is not None:
        case = ledger.case(new.join)
        if not covers(new.areas, case.area):
            raise Forbidden("this lies outside the areas that you are limited to", areas=list(new.areas))
        if case.state in OVER:
            raise Conflict(f"case {case.id} is {case.state}; a report joins an open one", case=case.id)
        return case
    return ledger.case(same.id) if same is not None else None


def photo(
    desk: Desk, conn: Connection, number: int, stored: Stored, actor: str, now: int
) -> tuple[None, list[Change]]:
    """A picture that is stored belongs to the case; the same one twice is one. Raises NotFound, Conflict."""

    def work(ledger: Ledger) -> None:
        case = ledger.case(number)
        if case.state in OVER:
            raise Conflict(f"case {number} is {case.state}; its pictures are complete", state=str(case.state))
        c = photo_table.c
        known = set(conn.scalars(select(c.sha256).where(c.case == number)))
        if stored.sha256 in known:
            return
        if len(known) >= PHOTOS:
            raise Conflict(f"case {number} has {PHOTOS} photos already")
        values = {"case": number, "sha256": stored.sha256, "media": stored.media, "bytes": stored.bytes}
        conn.execute(insert(photo_table).values(**values, time=now, actor=actor))
        ledger.note_case(case, Entry.PHOTO, actor, detail={"photo": stored.sha256}, tell=False)
        ledger.audit(actor, "case.photo", f"case:{number}", {"photo": stored.sha256})

    return desk.work(conn, now, work)


def plan(
    desk: Desk, conn: Connection, crew: str, cases: list[int], actor: str, now: int
) -> tuple[Visited, list[Change]]:
    """A visit of this crew for these cases of its own; raises Invalid, Conflict."""

    def work(ledger: Ledger) -> Visited:
        visit, numbers = visits.plan(conn, crew, cases, actor, now)
        ledger.load_cases(numbers)
        for number in numbers:
            case = ledger.cases[number]
            case.visit = visit.id
            ledger.note_case(case, Entry.VISIT, actor, detail={"visit": visit.id}, tell=False)
        return Visited(visit, numbers, [])

    return desk.work(conn, now, work)


def visit(
    desk: Desk, conn: Connection, number: int, event: VisitEvent, said: Remark, now: int
) -> tuple[Visited, list[Change]]:
    """Start or finish it, and with it the work on each of its cases; raises NotFound, Conflict."""

    def work(ledger: Ledger) -> Visited:
        gone = visits.step(conn, visits.get(conn, number), event, said.note, now)
        numbers = [one.id for one in visits.cases_of(conn, number)]
        ledger.load_cases(numbers)
        able = [key for key in numbers if ledger.cases[key].state in FROM[ACTS[event]]]
        verdict = said.verdict if event is VisitEvent.FINISH else Verdict.NONE
        for key in able:
            desk.casework.step(ledger, ledger.cases[key], ACTS[event], said.actor, said.note, verdict=verdict)
        return Visited(gone, able, [key for key in numbers if key not in able])

    return desk.work(conn, now, work)
