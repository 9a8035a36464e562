"""Stages under another load than the city's: one talkative device, a message a read, ten rules of one family."""

from __future__ import annotations

from typing import Any, Final

from drivers.families import FAMILIES
from gateway.cli.bench.bare import US, WARM, Size, bare
from gateway.cli.bench.carrier import Carriers
from gateway.cli.bench.figure import Figure, of
from gateway.cli.bench.stages import judge
from gateway.cli.bench.stopwatch import Stopwatch, collected_as_in_service
from gateway.cli.bench.town import Town, cut
from gateway.ingest.inbox import Inbox
from rules import packs
from rules.control import Control, Devices, Rules
from rules.engine import Engine
from rules.order import Order

RULES: Final = 10
FAMILY: Final = "streetlight"


async def receiving(size: Size) -> list[Figure]:
    """One device that fills whole reads, and one that never does."""
    town, watch = size.town(), Stopwatch(size.devices)
    device = town.ids[0]
    frames = town.frames(device, size.devices)
    kinds = {"large": cut(b"".join(frames)), "small": frames}
    async with bare(town) as gateway:
        carriers = Carriers(gateway.app, Inbox(1 << 30), 1)
        line = carriers.connect(device, gateway.secrets[device])
        with collected_as_in_service():
            for _ in range(WARM + size.ticks):
                for kind, chunks in kinds.items():
                    with watch.lap(kind):
                        for chunk in chunks:
                            line.data_received(chunk)
                    carriers.inbox.take(size.devices)
    watch.forget(WARM)
    return [
        of("receive + parse, one device, 64 KiB a read", US, watch.cpu["large"], 1.0),
        of("receive + parse, one message a read", US, watch.cpu["small"], note="no budget is set"),
    ]


def ten_rules(size: Size) -> Figure:
    """Lamps alone, under ten rules, no silence among them."""
    town = Town(size.devices * 5 // 3, size.town().start)
    watch = Stopwatch(len(town.city.cohorts[FAMILY]))
    documents: list[dict[str, Any]] = [
        rule for rule in packs.load() if rule.get("family") == FAMILY and "silent" not in rule["when"]
    ]
    engine, order = Engine(FAMILIES), Order(FAMILIES)
    controls: list[Control] = [Devices(FAMILY, town.rows(FAMILY)), Rules(documents[:RULES])]
    for control in controls:
        engine.control(control)
        order.control(control)
    with collected_as_in_service():
        for tick in range(WARM + size.ticks):
            batch = order.stamp(town.batch(FAMILY, tick)).batch
            with watch.lap("rules"):
                judge(engine, order, [batch])
    watch.forget(WARM)
    return of("rules: ten of one family", US, watch.cpu["rules"], 0.8)
