"""By what standard a kind of case is filed, done and closed, as its template says now."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from gateway.cases.deadline import LimitUnit


class TextView(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    en: str
    zh: str


class LimitView(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    amount: float
    unit: LimitUnit


class StandardView(BaseModel):
    """filing, closing: the conditions; null where the city has written none. source: the clause they are from."""

    model_config = ConfigDict(from_attributes=True)

    limit: LimitView
    filing: TextView | None
    closing: TextView | None
    source: str
