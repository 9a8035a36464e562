"""The seam between the API and the rest of the gateway: what its routes may call, and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Protocol

from fastapi import Depends, Request

from drivers.products.product import Product
from drivers.telemetry import Family
from gateway.api.georeport import GeoReport
from gateway.api.idempotency_settings import IdempotencySettings
from gateway.api.journeys import Journeys
from gateway.api.people import People
from gateway.api.provider import Provider
from gateway.api.stream import Hub
from gateway.api.trouble import Trouble
from gateway.backtest.backtests import Backtests
from gateway.backup.backup import Backup
from gateway.cases.desk import Desk
from gateway.cases.explanations import Explanations
from gateway.cases.photos import Album
from gateway.clock import Clock
from gateway.commands.commands import Commands
from gateway.evaluation.compose import Composer
from gateway.history.care import Care
from gateway.history.latest import Latest
from gateway.history.query import Queries
from gateway.ingest.inbox import Inbox, Lane
from gateway.ingest.logins import Logins
from gateway.ingest.quarantine import Quarantine
from gateway.metrics import Metrics
from gateway.notify.cloudevents import Events
from gateway.notify.labels import Labels
from gateway.notify.links import Links
from gateway.offsets import Offsets
from gateway.registry.devices import Devices
from gateway.registry.directory import Directory
from gateway.registry.joining import Joining
from gateway.registry.rulebook import Rulebook
from gateway.registry.sources import Sources
from gateway.registry.tokens import Tokens
from gateway.reload import Report
from gateway.store.checkpoints import Checkpoints
from gateway.store.store import Store


class Lanes(Protocol):
    """What decodes a product's channel: the same object for the same pair."""

    def lane(self, product: str, family: str, channel: str) -> Lane: ...


@dataclass(frozen=True)
class Services:
    """`ready` does a real write through store and history; returns why not. `stuck`: why only a new start helps."""

    store: Store
    clock: Clock
    families: Mapping[str, Family]
    products: Mapping[str, Product]
    devices: Devices
    sources: Sources
    tokens: Tokens
    logins: Logins
    people: People
    checkpoints: Checkpoints
    provider: Provider | None
    journeys: Journeys
    open311: GeoReport
    rulebook: Rulebook
    explanations: Explanations
    commands: Commands
    directory: Directory
    joining: Joining
    offsets: Offsets
    desk: Desk
    album: Album
    queries: Queries
    care: Care
    backup: Backup
    backtests: Backtests
    composer: Composer
    reload: Callable[[], Awaitable[Report]]
    latest: Latest
    inbox: Inbox
    lanes: Lanes
    quarantine: Quarantine
    hub: Hub
    metrics: Metrics
    ready: Callable[[], Awaitable[list[Trouble]]]
    stuck: Callable[[], Trouble | None]
    links: Links
    events: Events
    zone: str
    idempotency: IdempotencySettings
    labels: Labels = field(default_factory=Labels)


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


With = Annotated[Services, Depends(_services)]
