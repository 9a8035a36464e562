"""A case as it is filed: what it copies of the alarm or the report that it is filed for."""

from __future__ import annotations

from typing import Final

from gateway.cases import grid as codes
from gateway.cases import intake
from gateway.cases.facts import grid_of
from gateway.cases.intake import NewReport
from gateway.cases.ledger import Ledger
from gateway.cases.nearest import distance
from gateway.cases.record import Alarm, Case
from gateway.cases.template import Template
from gateway.errors import Invalid
from gateway.registry.roles import inside

REPORTED: Final = "minor"  # how severe is what people see, until an alarm says more


def of_alarm(ledger: Ledger, alarm: Alarm, template: Template) -> Case:
    return Case(
        id=ledger.next_case(),
        cause=template.cause(alarm.device, alarm.parent, alarm.area),
        template=template.id,
        en=template.en,
        zh=template.zh,
        code=template.code,
        severity=alarm.severity,
        family=alarm.family,
        device=alarm.device,
        device_name=alarm.device_name,
        area=alarm.area,
        parent=alarm.parent,
        lat=alarm.lat,
        lon=alarm.lon,
        grid=grid_of(ledger.conn, alarm.device),
        crew="",
        filed=ledger.now,
        updated=ledger.now,
    )


def of_report(ledger: Ledger, new: NewReport, template: Template, family: str) -> Case:
    """family: whose rules would make such a case."""
    number = ledger.next_case()
    return Case(
        id=number,
        cause=f"{template.id}/report:{number}",
        template=template.id,
        en=template.en,
        zh=template.zh,
        code=codes.kind(new.part) or template.code,
        severity=REPORTED,
        family=family or template.family,
        device="",
        device_name=new.address[:128],
        area=new.area,
        parent="",
        lat=new.lat,
        lon=new.lon,
        grid=new.grid,
        part=new.part,
        origin=new.origin,
        crew="",
        filed=ledger.now,
        updated=ledger.now,
    )


def seen_before(ledger: Ledger, alarm: Alarm, template: Template, metres: float) -> Case | None:
    """What somebody has reported there before the sensor: from now on it is the case of the alarm's cause.

    Who may see the case may not thereby see the alarm: a case of another area stays what it is.
    """
    if "unsensed" not in ledger.memo:
        ledger.memo["unsensed"] = [case.id for case in intake.unsensed(ledger.conn)]
        ledger.load_cases(ledger.memo["unsensed"])
    for case in (ledger.cases[key] for key in ledger.memo["unsensed"]):
        away = distance((case.lat, case.lon), (alarm.lat, alarm.lon))
        if case.alarms or case.template != template.id or away is None or away > metres:
            continue
        if case.area and not inside(alarm.area, case.area):
            continue
        case.cause = template.cause(alarm.device, alarm.parent, alarm.area)
        case.family, case.device, case.device_name = alarm.family, alarm.device, alarm.device_name
        case.parent, case.area = alarm.parent, alarm.area or case.area
        ledger.add_case(case)
        return case
    return None


def check_shown(ledger: Ledger, case: Case, template: Template) -> None:
    """Raises Invalid where a picture of the work is wanted and there is none."""
    if template.photo and not intake.pictures(ledger.conn, case.id, case.dispatched or case.filed):
        raise Invalid(
            "'repaired' needs a photo of the work: send it to the case's photos first", field="photo"
        )
