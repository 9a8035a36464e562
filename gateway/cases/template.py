"""What kind of work an alarm becomes: title, code, limit, crew, proof. Templates are data; a city edits them.

The shipped ones stand beside this file, each with its source.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from importlib import resources
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.cases.deadline import LimitUnit
from gateway.cases.span import Span
from gateway.errors import ConfigError


class Grouping(StrEnum):
    """What makes two alarms one cause. Where the device has no parent or area, it is its own cause."""

    DEVICE = "device"
    PARENT = "parent"
    AREA = "area"


class Limit(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    amount: float = Field(gt=0, le=1000)
    unit: LimitUnit


class Text(BaseModel):
    """The same in both languages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    en: str = Field(min_length=1, max_length=512)
    zh: str = Field(min_length=1, max_length=512)


class Template(BaseModel):
    """One `[[case]]` table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9-]*$")
    en: str = Field(min_length=1, max_length=128)
    zh: str = Field(min_length=1, max_length=128)
    code: str = Field(default="", pattern=r"^(\d{4})?$")  # class and sub-class of GB/T 30428.2
    limit: Limit
    filing: Text | None = None  # the condition under which such a case is filed
    closing: Text | None = None  # and closed
    family: str = Field(
        default="", max_length=32
    )  # of what people report it of, where no rule makes such cases
    crew: str = Field(default="", max_length=64)  # "" = a dispatcher chooses
    group: Grouping = Grouping.DEVICE
    proving: Span = Field(gt=0)  # the alarm must stay cleared for so long after the repair
    nights: int = Field(default=0, ge=0, le=7)  # and through so many full nights, from sunset to sunrise
    photo: bool = False  # repaired needs a picture of the work
    categories: tuple[str, ...] = ()  # what people who report such a thing call it, besides the id
    reopen_within: Span = Field(ge=0)  # a relapse within this time of closing is the same case
    self_closing: bool = False  # the cause may go away by itself; the same proof then closes the case
    source: str = ""

    def cause(self, device: str, parent: str, area: str) -> str:
        """The key that all alarms of one cause share."""
        subject = {Grouping.DEVICE: "", Grouping.PARENT: parent, Grouping.AREA: area}[self.group]
        kind = self.group if subject else Grouping.DEVICE
        return f"{self.id}/{kind}:{subject or device}"


Templates = Mapping[str, Template]


def parse(documents: Iterable[Mapping[str, Any]], known: Templates | None = None) -> dict[str, Template]:
    """`known` with these tables added; a table with a known id overrides the keys it names.

    Raises ConfigError with every fault of every table.
    """
    templates = dict(known or {})
    faults: list[str] = []
    for position, document in enumerate(documents, 1):
        name = str(document.get("id", f"number {position}"))
        before = templates.get(name)
        try:
            template = Template.model_validate({**(before.model_dump() if before else {}), **document})
        except ValidationError as error:
            faults += [_fault(name, detail) for detail in error.errors()]
        else:
            templates[template.id] = template
    if faults:
        raise ConfigError(faults)
    return templates


def _fault(name: str, detail: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in detail["loc"]) or "table"
    return f"case {name}: {key}: {detail['msg']}"


def shipped() -> dict[str, Template]:
    text = resources.files("gateway.cases").joinpath("templates.toml").read_text(encoding="utf-8")
    return parse(tomllib.loads(text)["case"])


def faults(templates: Templates, rules: Iterable[Mapping[str, Any]]) -> list[str]:
    """One line for each rule that names a case template that does not exist."""
    known = ", ".join(sorted(templates)) or "none"
    return [
        f"rule {rule.get('id', '?')}: case '{rule['case']}' is no template (known: {known})"
        for rule in rules
        if rule.get("case") and rule["case"] not in templates
    ]
