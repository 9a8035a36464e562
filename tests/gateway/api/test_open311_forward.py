"""Two cities: what one files the other is told of by GeoReport v2, over a real socket, and says how it stands."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from gateway.api import open311 as server_side
from gateway.api.georeport import GeoReport
from gateway.api.idempotency import Idempotency
from gateway.cases import open311
from gateway.cases.desk import Desk
from gateway.cases.lifecycle import CaseEvent
from gateway.clock import CityClock
from gateway.errors import LinkError
from gateway.notify import outbox
from gateway.notify.channels.open311 import Follow, Forward, Home, Open311Channel
from gateway.notify.flow import Flow
from gateway.notify.open311_settings import ForwardSettings, Open311Settings
from gateway.notify.outbox import Outbox
from gateway.notify.settings import NotifySettings
from gateway.server import Server, listen_tcp
from gateway.tasks import Tasks
from tests.gateway.api.gate import Gate, open_gate
from tests.gateway.notify.receiver import Receiver, Reply

NAME = "district"


@dataclass
class Cities:
    """home forwards to there."""

    home: Gate
    there: Gate
    flow: Flow
    follow: Follow

    async def send(self) -> int:
        """One round of the channel; how many went wrong."""
        return (await self.flow.deliver_due(NAME)).failures

    async def timeline(self) -> list[dict[str, Any]]:
        """What the case at home says of the other city."""
        (case,) = (await self.home.ok("viewer", "GET", "/cases"))["items"]
        entries = (await self.home.ok("viewer", "GET", f"/cases/{case['id']}"))["timeline"]
        return [each for each in entries if each["event"] == "forwarded"]

    async def cases_there(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.there.ok("viewer", "GET", "/cases"))["items"]
        return found

    async def act_there(self, event: CaseEvent, note: str) -> None:
        services = self.there.services
        (case,) = await self.cases_there()
        now = services.clock.now()
        await services.store.write(
            lambda conn: services.desk.act(conn, case["id"], event, "user:li", now, note)
        )


def forwarding(url: str, token: str, **more: Any) -> ForwardSettings:
    given = {
        "name": NAME,
        "url": url,
        "token": token,
        "jurisdiction": "gate",
        "services": {"cover-danger": "cover-danger"},
        "language": "en",
        "poll": 1,
        "allow": ["127.0.0.0/8"],
        **more,
    }
    return ForwardSettings.model_validate(given)


def bound(home: Gate, settings: ForwardSettings) -> tuple[Flow, Open311Channel, Follow]:
    """The city's desk posts for this channel from now on."""
    services = home.services
    desk: Desk = services.desk
    desk._post = Outbox([settings]).post
    forward = Forward(
        settings,
        Home(services.store, desk, services.clock, lambda changes: services.hub.publish(changes, ())),
    )
    channel = Open311Channel(forward)
    flow = Flow(services.store, {NAME: channel}, NotifySettings(), services.clock, random.Random(1))
    return flow, channel, Follow(forward, services.clock)


@asynccontextmanager
async def two_cities(path: Path, kind: str, **more: Any) -> AsyncIterator[Cities]:
    async with AsyncExitStack() as stack:
        home = await stack.enter_async_context(open_gate(path / "home"))
        there = await stack.enter_async_context(open_gate(path / "there"))
        offered = Open311Settings.model_validate(
            {"enabled": True, "jurisdiction": "gate", "type": kind, "language": "zh"}
        )
        services = replace(there.services, open311=GeoReport(offered, there.services.clock, "Asia/Shanghai"))
        app = FastAPI()
        app.state.services = services
        app.include_router(server_side.router)
        app.add_middleware(Idempotency, services=services)
        server = Server(app, listen_tcp("127.0.0.1", 0))
        tasks = await stack.enter_async_context(Tasks())
        server.start("there", tasks)
        stack.push_async_callback(server.stop, CityClock())
        url = f"http://127.0.0.1:{server.port}/open311/v2"
        flow, channel, follow = bound(home, forwarding(url, there.words["reporter"], **more))
        stack.push_async_callback(follow.close)
        stack.push_async_callback(channel.close)
        yield Cities(home, there, flow, follow)


async def a_case(gate: Gate) -> None:
    await gate.device("M1", area="xuhui/tianping", name="Huaihai Road 7", lat=31.2, lon=121.4)
    await gate.push({"device": "M1", "v": {"tilt": 40}})


@pytest.mark.parametrize("written", ["json", "xml"])
async def test_a_case_goes_over_and_what_becomes_of_it_comes_back(tmp_path: Path, written: str) -> None:
    async with two_cities(tmp_path, "realtime", format=written) as cities:
        await a_case(cities.home)
        assert await cities.send() == 0
        (there,) = await cities.cases_there()
        assert (there["template"], there["lat"], there["lon"]) == ("cover-danger", 31.2, 121.4)
        (told,) = (await cities.there.ok("viewer", "GET", f"/reports?case={there['id']}"))["items"]
        assert told["text"].split("\n")[:2] == ["Manhole cover missing or displaced", "M1 Huaihai Road 7"]
        assert told["address"] == "xuhui/tianping Huaihai Road 7"
        await cities.follow.look()
        await cities.act_there(CaseEvent.VOID, "seen, says Li")
        await cities.follow.look()
        await cities.follow.look()
        notes = [each["note"] for each in await cities.timeline()]
        assert notes == ["sent to district: 1", "district: 1 open 已立案", "district: 1 closed 已作废"]
        (case,) = (await cities.home.ok("viewer", "GET", "/cases"))["items"]
        assert case["state"] == "dispatched", "what others say is a note, no proof"


async def test_a_token_is_asked_for_until_it_is_a_number(tmp_path: Path) -> None:
    async with two_cities(tmp_path, "batch") as cities:
        await a_case(cities.home)
        assert await cities.send() == 0
        await cities.follow.look()
        assert await cities.cases_there() == []
        services = cities.there.services
        now = services.clock.now()
        await services.store.write(lambda conn: open311.take(services.desk, conn, now))
        await cities.follow.look()
        await cities.follow.look()
        entries = await cities.timeline()
        assert [each["note"] for each in entries[1:]] == ["district: 1", "district: 1 open 已立案"]
        assert entries[0]["detail"]["token"]


@pytest.mark.parametrize("written", ["json", "xml"])
async def test_what_was_taken_is_not_sent_again(tmp_path: Path, written: str) -> None:
    async with two_cities(tmp_path, "realtime", format=written) as cities:
        await a_case(cities.home)
        await cities.send()
        store, clock = cities.home.services.store, cities.home.services.clock

        def again(conn: Any) -> None:
            conn.exec_driver_sql("UPDATE outbox SET state = 'pending', next_at = 0")

        await store.write(again)  # as if the gateway had died before it wrote the verdict
        assert (await store.read(lambda conn: outbox.due(conn, NAME, clock.now(), 9))) != []
        assert await cities.send() == 0
        assert len(await cities.timeline()) == 1
        (there,) = await cities.cases_there()
        assert len((await cities.there.ok("viewer", "GET", f"/reports?case={there['id']}"))["items"]) == 1

        def lost(conn: Any) -> None:
            conn.exec_driver_sql("DELETE FROM open311_forward")
            again(conn)

        await store.write(lost)  # as if it had died before it wrote the answer: the other side knows it
        assert await cities.send() == 0
        (there,) = await cities.cases_there()
        reports = (await cities.there.ok("viewer", "GET", f"/reports?case={there['id']}"))["items"]
        assert len(reports) == 1


@pytest.mark.parametrize(
    "more", [{"areas": ["pudong"]}, {"services": {"lamp-out": "007"}}], ids=["area", "kind"]
)
async def test_only_chosen_cases_of_chosen_areas_go(gate: Gate, more: dict[str, Any]) -> None:
    flow, channel, follow = bound(gate, forwarding("http://127.0.0.1/x", "secret", **more))
    await a_case(gate)
    assert len((await gate.ok("viewer", "GET", "/cases"))["items"]) == 1
    assert (await flow.deliver_due(NAME)).attempts == 0
    await channel.close()
    await follow.close()


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Reply("503 Service Unavailable"), "pending"),
        (Reply("429 Too Many Requests"), "pending"),
        (Reply("302 Found\r\nLocation: http://127.0.0.1/"), "pending"),
        (Reply("200 OK", b"<html>"), "pending"),
        (Reply("200 OK", b"[" * 60_000), "pending"),
        (Reply("200 OK", b'[{"service_notice":"\xff"}]'), "pending"),
        (Reply("403 Forbidden", b'[{"code":403,"description":"Missing or Invalid API Key."}]'), "dead"),
        (Reply("400 Bad Request", b""), "dead"),
        (Reply("200 OK", b'[{"service_notice":"x"}]'), "dead"),
    ],
    ids=range(9),
)
async def test_what_is_not_taken_waits_or_is_given_up(gate: Gate, answer: Reply, state: str) -> None:
    async with Receiver(lambda _: answer) as receiver:
        flow, channel, follow = bound(gate, forwarding(receiver.url, "a-key"))
        await a_case(gate)
        assert (await flow.deliver_due(NAME)).failures == 1
        await channel.close()
        await follow.close()
    assert "api_key=a-key" in receiver.requests[0].body.decode()
    assert (await gate.services.store.read(outbox.counts))[NAME] == {state: 1}


async def test_a_private_address_is_asked_only_where_it_is_allowed(gate: Gate) -> None:
    async with Receiver() as receiver:
        flow, channel, follow = bound(gate, forwarding(receiver.url, "a-key", allow=[]))
        await a_case(gate)
        assert (await flow.deliver_due(NAME)).failures == 1
        await channel.close()
        with pytest.raises(LinkError, match="not public"):
            await follow.client.look("1")
        await follow.close()
    assert receiver.requests == []
