"""Whom a case goes to: who is responsible by the city's table, whose crew is near and on duty, or whom a person names."""

from __future__ import annotations

from collections import Counter

from gateway.cases import responsibility, roster, said
from gateway.cases.deadline import WorkClock
from gateway.cases.ledger import Ledger
from gateway.cases.nearest import nearest
from gateway.cases.record import Case
from gateway.cases.said import Said
from gateway.cases.template import Template
from gateway.errors import Invalid


class Dispatching:
    def __init__(self, clock: WorkClock) -> None:
        self._clock = clock

    def assign(self, ledger: Ledger, case: Case, template: Template) -> None:
        """By the city's table, else by the template; without a crew a dispatcher chooses."""
        place = responsibility.Place(case.area, case.grid, case.family, case.template)
        if place not in ledger.memo:
            ledger.memo[place] = responsibility.find(ledger.conn, place)
        duty = ledger.memo[place]
        if duty is None:
            case.crew, case.department = template.crew, self._department(ledger, template.crew)
        else:
            case.crew = duty.crew or self._nearest(ledger, case, duty.department)
            case.department = duty.department
        _given(ledger)[case.crew] += 1

    def target(self, ledger: Ledger, case: Case, spoken: Said) -> None:
        """The crew that was named, the nearest free one of the department, or the one it has; raises Invalid, Conflict."""
        crew, department = case.crew, case.department
        if spoken.crew:
            crew, department = spoken.crew, spoken.department or self._department(ledger, spoken.crew)
        elif spoken.department:
            crew, department = self._nearest(ledger, case, spoken.department), spoken.department
            if not crew:
                raise Invalid(f"no crew of {department} is on duty; name one", field="crew")
        if not crew:
            raise Invalid("'dispatch' needs a crew", field="crew")
        said.check_target(case, crew, department, spoken)
        if crew != case.crew:
            _given(ledger)[crew] += 1
        case.crew, case.department = crew, department

    def _department(self, ledger: Ledger, crew: str) -> str:
        if crew and ("crew", crew) not in ledger.memo:
            ledger.memo["crew", crew] = roster.department_of(ledger.conn, crew)
        return str(ledger.memo["crew", crew]) if crew else ""

    def _nearest(self, ledger: Ledger, case: Case, department: str) -> str:
        where = case.lat, case.lon
        return nearest(ledger.conn, self._clock, ledger.now, where, department, _given(ledger))


def _given(ledger: Ledger) -> Counter[str]:
    """Cases that each crew has got in this transaction: the tables do not know of them yet."""
    given: Counter[str] = ledger.memo.setdefault("given", Counter())
    return given
