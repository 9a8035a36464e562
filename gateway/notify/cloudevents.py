"""Changes of alarms and cases as CloudEvents 1.0 (github.com/cloudevents/spec, structured mode in JSON).

An event's id is its change's key: whoever gets it twice, by whichever way, knows that it is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

from msgspec import json

from gateway.cases.record import Alarm, Case, Change
from gateway.notify.moment import moment
from gateway.notify.outbox import Delivery

PREFIX: Final = "city.gate."
MEDIA: Final = "application/cloudevents+json; charset=utf-8"
SCHEMAS: Final = "/api/v1/events/schemas/"
DONE: Final[Mapping[str, str]] = {  # what has happened; a word that is not here says so already
    "raise": "raised",
    "clear": "cleared",
    "acknowledge": "acknowledged",
    "shelve": "shelved",
    "unshelve": "unshelved",
    "suppress": "suppressed",
    "unsuppress": "unsuppressed",
    "file": "filed",
    "dispatch": "dispatched",
    "accept": "accepted",
    "start": "started",
    "return": "returned",
    "suspend": "suspended",
    "resume": "resumed",
    "extend": "extended",
    "recover": "recovered",
    "verify": "verified",
    "rework": "reworked",
    "close": "closed",
    "reopen": "reopened",
    "void": "voided",
    "merge": "merged_into",
    "fold": "folded_into",
    "split": "split",
}


class Events:
    """source: a URI that names this gateway. base: where its API is reached, for schemas; "" = they are named only."""

    def __init__(self, source: str, base: str = "") -> None:
        self.change(source, base)

    def change(self, source: str, base: str) -> None:
        """From now on."""
        self._source, self._base = source.rstrip("/"), base.rstrip("/")

    def of_delivery(self, delivery: Delivery) -> dict[str, Any]:
        """A message of the outbox. data: what every webhook gets; it holds the whole record."""
        time = int(delivery.payload.get("time", delivery.created))
        kind = delivery.event.partition(".")[0]
        return self._envelope(
            delivery.key, delivery.event, delivery.subject, time, delivery.payload, self._source, kind
        )

    def of_change(self, change: Change) -> dict[str, Any]:
        """A change as the stream tells it: from another source, for its data is the short one."""
        subject = f"{change.kind}:{change.id}"
        key, event = f"{subject}:{change.revision}", f"{change.kind}.{change.event}"
        source = f"{self._source}/changes" if "//" in self._source else f"{self._source}:changes"
        return self._envelope(key, event, subject, change.time, change, source, "change")

    def _envelope(
        self, key: str, event: str, subject: str, time: int, data: object, source: str, schema: str
    ) -> dict[str, Any]:
        return {
            "specversion": "1.0",
            "id": key,
            "source": source,
            "type": kind_of(event),
            "subject": subject,
            "time": moment(time, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "dataschema": f"{self._base}{SCHEMAS}{schema}" if self._base else f"urn:citygate:schema:{schema}",
            "data": data,
        }


def kind_of(event: str) -> str:
    """The type of "case.file": "city.gate.case.filed"."""
    kind, _, what = event.partition(".")
    return f"{PREFIX}{kind}.{DONE.get(what, what)}"


def schema_of(name: str) -> dict[str, Any] | None:
    """JSON Schema of an event's data; None where there is none of that name."""
    if name == "change":
        return json.schema(Change)
    record = {"alarm": Alarm, "case": Case}.get(name)
    if record is None:
        return None
    text = {"type": "string"}
    document = json.schema(record)
    document.pop("$ref")
    return {
        "type": "object",
        "required": ["event", "time", "actor", "note", name],
        "properties": {
            "event": text,
            "time": {"type": "integer", "description": "µs UTC"},
            "actor": text,
            "note": text,
            "to": text | {"description": "whose attention a step of the escalation asks for"},
            "explanation": {"type": "object", "additionalProperties": text},
            name: {"$ref": f"#/$defs/{record.__name__}"},
        },
        **document,
    }
