"""Changes as CloudEvents 1.0: the attributes that the specification asks for, ids that stay, a type for everything."""

from __future__ import annotations

import re
from typing import Any

import jsonschema_rs
import pytest
from msgspec import json, to_builtins

from drivers.telemetry import SECOND
from gateway.cases.lifecycle import AlarmEvent, CaseEvent, Entry
from gateway.cases.record import Alarm, Case, change, message
from gateway.clock import CityClock
from gateway.errors import LinkError
from gateway.notify.channels.webhook import WebhookChannel
from gateway.notify.cloudevents import Events, kind_of, schema_of
from gateway.notify.outbox import Delivery
from gateway.notify.settings import WebhookSettings
from tests.gateway.notify.receiver import LOOPBACK, SECRET, Receiver

NOW = 1_741_000_000 * SECOND
ALARM = Alarm(
    "a1", "tilt", 1, "coverOpened", "critical", "manhole", 0, "M1", "", "north", "", None, None, NOW, NOW
)
CASE = Case(
    7,
    "c",
    "cover-danger",
    "Cover",
    "井盖",
    "",
    "critical",
    "manhole",
    "M1",
    "",
    "n",
    "",
    None,
    None,
    "",
    NOW,
    NOW,
)
CITY = Events("https://city.example/", "https://city.example")


def delivery(record: Alarm | Case, event: str) -> Delivery:
    one = message(record, event, NOW + 1, "gateway", "")
    return Delivery(1, one.key, "hook", one.subject, one.event, to_builtins(one.payload), 0, NOW, NOW)


def test_a_message_has_every_attribute() -> None:
    event = CITY.of_delivery(delivery(CASE, "file"))
    assert event.pop("data")["case"]["id"] == 7
    assert event == {
        "specversion": "1.0",
        "id": "case:7:0",
        "source": "https://city.example",
        "type": "city.gate.case.filed",
        "subject": "case:7",
        "time": "2025-03-03T11:06:40.000001Z",
        "datacontenttype": "application/json",
        "dataschema": "https://city.example/api/v1/events/schemas/case",
    }


def test_every_event_has_a_type_of_its_own() -> None:
    happens = {f"alarm.{each}" for each in AlarmEvent} | {f"case.{each}" for each in (*CaseEvent, *Entry)}
    types = {event: kind_of(event) for event in happens}
    assert len(set(types.values())) == len(types)
    assert all(re.fullmatch(r"city\.gate\.(alarm|case)\.[a-z_]+", name) for name in types.values())


@pytest.mark.parametrize(("record", "event"), [(ALARM, "raise"), (CASE, "dispatch")])
def test_the_data_is_what_its_schema_says(record: Alarm | Case, event: str) -> None:
    told = CITY.of_delivery(delivery(record, event))
    schema = schema_of(str(told["dataschema"]).rpartition("/")[2])
    assert schema is not None
    jsonschema_rs.validate(schema, json.decode(json.encode(told["data"])))
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(
            schema, {"event": "case.file", "time": 1, "actor": "", "note": "", "alarm": {}, "case": {}}
        )


def test_the_stream_tells_of_the_same_change_from_a_source_of_its_own() -> None:
    told, streamed = CITY.of_delivery(delivery(CASE, "file")), CITY.of_change(change(CASE, "file", NOW + 1))
    same = ("id", "type", "subject", "time")
    assert [told[name] for name in same] == [streamed[name] for name in same]
    assert streamed["source"] == "https://city.example/changes"
    schema = schema_of("change")
    assert schema is not None
    jsonschema_rs.validate(schema, json.decode(json.encode(streamed["data"])))
    assert Events("urn:citygate").of_change(change(CASE, "file", NOW))["source"] == "urn:citygate:changes"


async def test_a_webhook_gets_it_signed_and_the_id_stays_over_retries() -> None:
    answers = iter(["500 Broken", "200 OK"])
    settings: dict[str, Any] = {"name": "hook", "secret": SECRET, "allow": LOOPBACK, "format": "cloudevents"}
    async with Receiver(lambda _: next(answers)) as receiver:
        hook = WebhookSettings.model_validate({**settings, "url": receiver.url})
        channel = WebhookChannel(hook, CityClock(start=NOW), CITY)
        with pytest.raises(LinkError, match="HTTP 500"):
            await channel.deliver(delivery(ALARM, "raise"))
        await channel.deliver(delivery(ALARM, "raise"))
        await channel.close()
    first, second = receiver.requests
    assert (first.genuine, second.genuine) == (True, True)
    assert first.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert first.message == second.message
    assert first.message["type"] == "city.gate.alarm.raised"
