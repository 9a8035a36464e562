"""A whole gateway without sockets: real stores, real ticks, and the API called in-process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import httpx
from fastapi import FastAPI

from drivers.families import FAMILIES
from drivers.telemetry import DAY, MINUTE
from gateway.api.georeport import GeoReport
from gateway.api.http import build
from gateway.api.idempotency_settings import IdempotencySettings
from gateway.api.journeys import Journeys
from gateway.api.people import People
from gateway.api.services import Services
from gateway.api.stream import Hub
from gateway.api.trouble import Trouble
from gateway.backtest.backtests import Backtests
from gateway.backtest.settings import BacktestSettings
from gateway.backup.backup import Backup, Origin
from gateway.cases import template
from gateway.cases.desk import Desk
from gateway.cases.explanations import Explanations
from gateway.cases.facts import Facts
from gateway.cases.photos import Album
from gateway.cases.record import Pulse
from gateway.cases.settings import DeskSettings
from gateway.clock import CityClock
from gateway.commands.commands import Commands
from gateway.commands.settings import CommandSettings
from gateway.decoding import Decoding
from gateway.derived import Derived
from gateway.errors import ConfigError
from gateway.evaluation.compose import Composer
from gateway.evaluation.facilities import Facilities
from gateway.evaluation.settings import EvaluationSettings
from gateway.history.care import Care
from gateway.history.duck import History
from gateway.history.mirror_settings import MirrorSettings
from gateway.history.query import Queries
from gateway.history.settings import HistorySettings
from gateway.ingest.inbox import Inbox
from gateway.ingest.logins import Logins, LoginSettings
from gateway.ingest.quarantine import Quarantine
from gateway.metrics import Metrics
from gateway.notify.cloudevents import Events
from gateway.notify.links import Links
from gateway.notify.open311_settings import Open311Settings
from gateway.notify.outbox import Outbox
from gateway.pipeline import Parts, Pipeline, PipelineSettings
from gateway.registry.devices import Devices
from gateway.registry.directory import Directory
from gateway.registry.joining import Joining
from gateway.registry.joining_settings import JoiningSettings
from gateway.registry.people_settings import PeopleSettings
from gateway.registry.roles import Role
from gateway.registry.rulebook import Rulebook
from gateway.registry.sources import Sources
from gateway.registry.tokens import Tokens
from gateway.reload import Report
from gateway.store.checkpoints import Checkpoints
from gateway.store.store import Store
from gateway.tasks import Tasks
from rules import correlate
from rules.document import read_rules
from rules.order import Order
from tests.gateway.registry.city import PRODUCTS

RULE: Final = {
    "id": "manhole-open",
    "family": "manhole",
    "when": "tilt > limit",
    "limit": {"value": 15, "unit": "deg", "min": 5, "max": 60},
    "severity": "critical",
    "alarm": "coverOpened",
    "case": "cover-danger",
    "source": "test",
    "en": "Cover open",
    "zh": "井盖打开",
}


OPEN311: Final = Open311Settings(enabled=True, jurisdiction="gate", read="open", language="en")
QUICK: Final = PeopleSettings(argon2_memory_kb=8, argon2_passes=1)  # hashes that cost a test nothing


@dataclass
class Door:
    """What stands for devices' sessions and for readiness."""

    taking: bool = True
    took: list[tuple[str, str]] = field(default_factory=list)  # commands that a session took
    faults: list[Trouble] = field(default_factory=list)  # what readiness says
    file_faults: list[str] = field(default_factory=list)  # of the configuration
    stuck: Trouble | None = None

    async def readiness(self) -> list[Trouble]:
        return self.faults

    async def reload(self) -> Report:
        if self.file_faults:
            raise ConfigError(self.file_faults)
        return Report(["log_level"], ["http.port"], [])

    def deliver(self, family: str, device: str, payload: bytes, expires: int) -> bool:
        assert payload
        assert expires
        if self.taking:
            self.took.append((family, device))
        return self.taking

    def halt(self) -> None:
        self.taking = False

    def resume(self) -> None:
        self.taking = True


@dataclass
class Gate:
    """Callers are named by role, or bring a secret of their own."""

    app: FastAPI
    services: Services
    pipeline: Pipeline
    door: Door
    words: dict[str, str] = field(default_factory=dict)  # tokens by role

    def client(self, secret: str | None) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://gate", headers=headers)

    async def call(
        self, role: str | None, method: str, path: str, *, secret: str | None = None, **more: Any
    ) -> httpx.Response:
        async with self.client(secret or (self.words[role] if role else None)) as client:
            return await client.request(method, path, **more)

    async def ok(self, role: str, method: str, path: str, **more: Any) -> Any:
        """The body of an answer that must be a success."""
        answer = await self.call(role, method, f"/api/v1{path}", **more)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    async def refused(self, role: str | None, method: str, path: str, **more: Any) -> tuple[int, str]:
        """Status and word of the problem that must come back."""
        answer = await self.call(role, method, f"/api/v1{path}", **more)
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        body = answer.json()
        assert (body["status"], bool(body["detail"])) == (answer.status_code, True)
        return answer.status_code, body["type"].removeprefix("urn:citygate:")

    async def device(self, id: str, product: str = "generic-manhole", **more: Any) -> str:  # noqa: A002 - the field's word
        """A new device; gives its secret."""
        made = await self.ok("admin", "POST", "/devices", json={"id": id, "product": product, **more})
        secret: str = made["secret"]
        return secret

    async def push(self, *items: dict[str, Any], role: str = "operator") -> dict[str, Any]:
        answer: dict[str, Any] = await self.ok(role, "POST", "/telemetry", json=list(items))
        return answer


async def _unasked(sparing: bool) -> None:
    raise AssertionError(sparing)


def _check(documents: list[dict[str, Any]]) -> None:
    read_rules(documents, FAMILIES)


async def _ticks(pipeline: Pipeline, inbox: Inbox) -> None:
    while True:
        await inbox.wait()
        await pipeline.tick()


@asynccontextmanager
async def open_gate(path: Path, url: str = "") -> AsyncIterator[Gate]:
    """`url`: of operations, where they are not a file in the folder."""
    clock = CityClock()
    async with Store(url or f"sqlite:///{path}/operations.sqlite") as store:
        await store.migrate()
        history = History(path / "history", FAMILIES, HistorySettings(), clock)
        queries = Queries(history)
        care = Care(
            history, path, HistorySettings(), MirrorSettings(), clock, spare=_unasked, refuse=lambda _: None
        )
        gate: Gate | None = None
        try:
            async with Tasks() as tasks:
                gate = await _assemble(path, store, history, queries, care=care, tasks=tasks)
                yield gate
        finally:
            if gate is not None:
                await gate.services.people.passwords.close()
            care.close()
            queries.close()
            history.close()


async def _assemble(
    path: Path, store: Store, history: History, queries: Queries, *, care: Care, tasks: Tasks
) -> Gate:
    clock, door = CityClock(), Door()
    directory, inbox, hub, quarantine, facts = Directory(clock), Inbox(1000), Hub(), Quarantine(), Facts()
    desk = Desk(
        template.shipped(),
        DeskSettings(),
        describe=facts,
        listen=lambda _, _index: Pulse(clock.now(), MINUTE),
        post=Outbox(()).post,
        correlation=correlate.shipped(),
    )
    derived = Derived(FAMILIES, Order(FAMILIES, MINUTE, 7 * DAY), "Asia/Shanghai")
    decoding, metrics = Decoding(PRODUCTS), Metrics()
    parts = Parts(
        inbox=inbox,
        decoding=decoding,
        derived=derived,
        history=history,
        store=store,
        desk=desk,
        facts=facts,
        quarantine=quarantine,
        directory=directory,
        clock=clock,
        metrics=metrics,
        snapshots=path / "snapshots",
        publish=hub.publish,
        reply=lambda _conn, _replies, _now: (),
    )
    pipeline = Pipeline(parts, PipelineSettings())
    tasks.start("ticks", _ticks(pipeline, inbox))
    devices = Devices(store, clock, PRODUCTS, directory, pipeline.announce)
    joining = Joining(JoiningSettings(), store, clock, PRODUCTS, devices, directory)
    quarantine.watch(joining.refused)
    commands = Commands(store, clock, directory, PRODUCTS, derived.latest, CommandSettings(), hub.publish)
    commands.bind(door)
    people = People(QUICK, store, clock)
    rulebook = Rulebook(store, clock, devices.announcer, _check)
    zone = ZoneInfo("Asia/Shanghai")
    facilities = Facilities(store, queries, rulebook, FAMILIES, clock, zone, EvaluationSettings())
    services = Services(
        store=store,
        clock=clock,
        families=FAMILIES,
        products=PRODUCTS,
        devices=devices,
        sources=Sources(store, clock, directory),
        tokens=Tokens(store, clock),
        logins=Logins(LoginSettings(), clock),
        people=people,
        checkpoints=Checkpoints(store, clock, path),
        provider=None,
        journeys=Journeys(clock),
        open311=GeoReport(OPEN311, clock, "Asia/Shanghai"),
        rulebook=rulebook,
        explanations=Explanations(FAMILIES, "Asia/Shanghai", lambda: derived.engine, rulebook),
        commands=commands,
        directory=directory,
        joining=joining,
        offsets=derived.offsets,
        desk=desk,
        album=Album(path / "photos"),
        queries=queries,
        care=care,
        backup=Backup(Origin(store, history, care.compactor, devices.announcer.turn, clock, path)),
        backtests=Backtests(
            history, store, desk, clock, "Asia/Shanghai", BacktestSettings(), path / "backtest"
        ),
        composer=Composer(store, facilities),
        reload=door.reload,
        latest=derived.latest,
        inbox=inbox,
        lanes=decoding,
        quarantine=quarantine,
        hub=hub,
        metrics=metrics,
        ready=door.readiness,
        stuck=lambda: door.stuck,
        links=Links(path / "links.key", "https://city.example", DAY),
        events=Events("https://city.example", "https://city.example"),
        zone="Asia/Shanghai",
        idempotency=IdempotencySettings(),
    )
    gate = Gate(build(services), services, pipeline, door)
    await services.rulebook.load([RULE])
    await services.tokens.load()
    await services.people.load()
    for role in Role:
        gate.words[role] = (await services.tokens.create(f"the-{role}", role, "test"))[1]
    return gate
