"""What a caller of GeoReport v2 asks for, as text, made into what the reports are looked up by."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl

from drivers.telemetry import DAY, SECOND
from gateway.errors import Invalid, NotFound

PREFIX: Final = "/open311/v2"
FORM: Final = "application/x-www-form-urlencoded"
KEY: Final = "api_key"
FIELDS: Final = 100  # of a form
SPAN: Final = 90 * DAY
LONGEST_NUMBER: Final = 10  # digits
LARGEST_NUMBER: Final = 2**31 - 1


def of_form(headers: Mapping[str, str]) -> None:
    """Raises Invalid where a body is no form."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise Invalid(f"a request is POSTed as {FORM}")


def form(body: bytes) -> dict[str, str]:
    """The first of each name; raises Invalid."""
    try:
        pairs = parse_qsl(body.decode(), max_num_fields=FIELDS, errors="strict")
    except ValueError as fault:
        raise Invalid(f"the form cannot be read: {fault}") from fault
    return dict(reversed(pairs))


def split(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def number(text: str) -> int:
    """Raises NotFound: no request of ours is called so."""
    if not (
        text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER and int(text) <= LARGEST_NUMBER
    ):
        raise NotFound("service_request_id was not found")
    return int(text)


def over(status: list[str]) -> bool | None:
    if not set(status) <= {"open", "closed"}:
        raise Invalid("status is open or closed")
    return None if len(set(status)) != 1 else status[0] == "closed"


def between(start: str, end: str, now: int) -> tuple[int, int]:
    """One date alone is that end of 90 days; both may not be further apart. Raises Invalid."""
    since, until = _date("start_date", start), _date("end_date", end)
    if since is None:
        until = now if until is None else until
        return until - SPAN, until
    if until is None:
        return since, since + SPAN
    if until < since or until - since > SPAN:
        raise Invalid("end_date is after start_date, by 90 days at most")
    return since, until


def _date(name: str, text: str) -> int | None:
    if not text:
        return None
    unquoted = text.replace(" ", "+") if "T" in text else text  # in an address a + means a space
    try:
        found = datetime.fromisoformat(unquoted)
        if found.tzinfo is None:
            raise Invalid(f"{name}: say its zone, as 2010-05-24T00:00:00Z")
        return round(found.astimezone(UTC).timestamp() * SECOND)
    except (ValueError, OverflowError) as fault:
        raise Invalid(f"{name}: not ISO 8601, as 2010-05-24T00:00:00Z") from fault
