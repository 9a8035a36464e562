"""Templates and reports in the words of GeoReport v2, in English or 中文; names of fields are the specification's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, field_validator, model_validator

from gateway.api.open311_format import plain
from gateway.cases.deadline import LimitUnit
from gateway.cases.intake import Contact, NewReport
from gateway.cases.open311 import Extra, ServiceRequest, masked
from gateway.cases.template import Template
from gateway.notify.labels import Labels
from gateway.notify.moment import moment
from gateway.notify.open311_words import STATES
from gateway.notify.settings import Language

LIMITS: Final[Mapping[LimitUnit, tuple[str, str, str]]] = {  # one, several, 中文
    LimitUnit.URGENT_HOUR: ("hour, day and night", "hours, day and night", "小时（昼夜连续）"),
    LimitUnit.NATURAL_DAY: ("day", "days", "个自然日"),
    LimitUnit.WORK_HOUR: ("working hour", "working hours", "个工作小时"),
    LimitUnit.WORK_DAY: ("working day", "working days", "个工作日"),
}
ATTRIBUTES: Final = (  # code, digits, what it is
    ("grid", 15, ("Grid cell (GB/T 30428.1)", "单元网格编码")),
    ("part", 16, ("Part of the city (GB/T 30428.2)", "部件编码")),
)


class RequestForm(BaseModel):
    """A POST's arguments; what is not named here is not kept. Where: lat and long, address_string or address_id."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    service_code: str = Field(max_length=64)
    lat: float | None = Field(None, ge=-90, le=90, allow_inf_nan=False)
    long: float | None = Field(None, ge=-180, le=180, allow_inf_nan=False)
    address_string: str = Field("", max_length=256)
    address_id: str = Field("", max_length=128)
    zipcode: str = Field("", max_length=16)
    description: str = Field("", max_length=4000)
    media_url: HttpUrl | None = None
    email: str = Field("", max_length=192)
    first_name: str = Field("", max_length=63)
    last_name: str = Field("", max_length=64)
    phone: str = Field("", max_length=64)
    grid: str = Field("", alias="attribute[grid]", max_length=15)
    part: str = Field("", alias="attribute[part]", max_length=16)

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: object) -> object:
        return plain(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _somewhere(self) -> RequestForm:
        if (self.lat is None) != (self.long is None):
            raise ValueError("give both lat and long, or neither")
        if self.lat is None and not (self.address_string or self.address_id or self.part or self.grid):
            raise ValueError("say where: lat and long, address_string or address_id")
        return self

    def report(self, template: Template, language: Language, area: str) -> NewReport:
        name = f"{self.first_name} {self.last_name}".strip()
        known = name or self.phone or self.email
        return NewReport(
            category=template.id,
            text=self.description or titled(template, language),
            address=self.address_string or self.address_id,
            area=area,
            grid=self.grid,
            part=self.part,
            lat=self.lat,
            lon=self.long,
            contact=Contact(name, self.phone, self.email) if known else None,
        )

    def extra(self) -> Extra:
        return Extra(str(self.media_url or ""), self.address_id, self.zipcode)


def titled(template: Template, language: Language) -> str:
    return template.zh if language == "zh" else template.en


def service(template: Template, family: str, language: Language, kind: str) -> dict[str, Any]:
    return {
        "service_code": template.id,
        "service_name": titled(template, language),
        "description": notice(template, language),
        "metadata": True,
        "type": kind,
        "keywords": ", ".join(template.categories),
        "group": family,
    }


def definition(template: Template, language: Language) -> dict[str, Any]:
    place = _place(language)
    digits = ("digits", "位数字")[place]
    attributes = [
        {
            "variable": True,
            "code": code,
            "datatype": "string",
            "required": False,
            "datatype_description": f"{length} {digits}",
            "order": number,
            "description": words[place],
        }
        for number, (code, length, words) in enumerate(ATTRIBUTES, 1)
    ]
    return {"service_code": template.id, "attributes": attributes}


def notice(template: Template, language: Language) -> str:
    """Within what time it is to be done."""
    amount = f"{template.limit.amount:g}"
    one, several, chinese = LIMITS[template.limit.unit]
    if language == "zh":
        return f"处置时限 {amount} {chinese}"
    return f"To be done within {amount} {one if amount == '1' else several}"


def request(
    one: ServiceRequest, templates: Mapping[str, Template], language: Language, zone: ZoneInfo, labels: Labels
) -> dict[str, Any]:
    """A case outlives its template: then the service has its code for a name."""
    template = templates.get(one.template)
    return {
        "service_request_id": str(one.id),
        "status": "closed" if one.over else "open",
        "status_notes": labels.word(STATES, f"open311.{one.state}", language),
        "service_name": titled(template, language) if template else one.template,
        "service_code": one.template,
        "description": plain(masked(one.text)),
        "agency_responsible": plain(one.department) or None,
        "service_notice": notice(template, language) if template else None,
        "requested_datetime": told(one.time, zone),
        "updated_datetime": told(one.closed if one.over and one.closed else one.updated, zone),
        "expected_datetime": told(one.deadline, zone),
        "address": plain(one.address) or None,
        "address_id": one.address_id or None,
        "zipcode": one.zipcode or None,
        "lat": one.lat,
        "long": one.lon,
        "media_url": one.media_url or None,
    }


def told(time: int | None, zone: ZoneInfo) -> str | None:
    """ISO 8601 with the zone's offset, whole seconds."""
    return None if time is None else moment(time, zone).isoformat(timespec="seconds")


def _place(language: Language) -> int:
    return 1 if language == "zh" else 0
