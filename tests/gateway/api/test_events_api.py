from __future__ import annotations

from msgspec import json

from gateway.api import events
from gateway.api.stream import Wanted
from gateway.cases.record import Change
from tests.gateway.api.gate import Gate


async def test_changes_come_as_cloudevents_while_they_happen(gate: Gate) -> None:
    stream = events._enveloped(gate.services, Wanted(frozenset({"alarm", "case"})))
    assert await anext(stream) == b": citygate\n\n"
    gate.services.hub.publish(
        [Change("case", "7", "file", "filed", "cover-danger", "major", "manhole", "M1", "north", 1, 3)], ()
    )
    told = await anext(stream)
    assert told.startswith(b"event: cloudevent\ndata: ")
    event = json.decode(told.partition(b"data: ")[2])
    assert (event["id"], event["type"]) == ("case:7:3", "city.gate.case.filed")
    assert event["data"]["device"] == "M1"
    await stream.aclose()
    assert len(gate.services.hub) == 0


async def test_what_is_no_schema_is_not_found(gate: Gate) -> None:
    assert (await gate.ok("viewer", "GET", "/events/schemas/alarm"))["required"][-1] == "alarm"
    assert await gate.refused("viewer", "GET", "/events/schemas/cat") == (404, "not-found")
