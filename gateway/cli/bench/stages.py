"""A tick taken apart: every stage of the flow on the same readings, one after the other, in this process.

Readings of a minute are 60 s of city time apart and take as long as they take; the parts are those of a real gateway.
"""

from __future__ import annotations

from drivers.telemetry import Batch
from gateway.cli.bench.bare import US, WARM, Bare, Size, bare
from gateway.cli.bench.carrier import Carriers
from gateway.cli.bench.figure import Figure, of, total
from gateway.cli.bench.stopwatch import Stopwatch, collected_as_in_service
from gateway.cli.bench.town import Town
from gateway.ingest.inbox import Inbox
from gateway.pipeline import _settle
from rules.engine import Engine
from rules.order import Order


async def stages(size: Size) -> list[Figure]:
    """µs a message of each stage and in all, of the main thread."""
    town, watch = size.town(), Stopwatch(size.devices)
    async with bare(town) as gateway:
        carriers = Carriers(gateway.app, Inbox(1 << 30), town.carriers)
        with collected_as_in_service():
            for tick in range(WARM + size.ticks):
                await _tick(gateway, carriers, town, tick, watch)
    watch.forget(WARM)
    return figures(watch)


async def _tick(gateway: Bare, carriers: Carriers, town: Town, tick: int, watch: Stopwatch) -> None:
    """What Pipeline.tick does, stage by stage."""
    app, derived = gateway.app, gateway.app.core.derived
    reads = town.reads(tick)
    gateway.clock.reach(town.time(tick))
    with watch.lap("receive"):
        carriers.feed(reads)
    frames = carriers.inbox.take(len(town))
    with watch.lap("decode"):
        decoded = app.core.decoding.decode(frames)
    with watch.lap("stamp"):
        stamped = [derived.order.stamp(readings.batch) for readings in decoded.readings]
    with watch.lap("history"):
        kept = await app.core.history.commit(
            app.core.history.last_tick() + 1,
            [each.batch for each in stamped],
            [],
            [s.suspects for s in stamped],
        )
    batches = [each.batch for each in kept]
    with watch.lap("latest"):
        for batch in batches:
            derived.latest.update(batch)
    with watch.lap("rules"):
        judge(derived.engine, derived.order, batches)
    with watch.lap("settle"):
        _settle(frames, decoded.refusals)
    with watch.lap("checkpoint"):
        await app.core.history.checkpoint()


def judge(engine: Engine, order: Order, batches: list[Batch]) -> None:
    """A committed tick, as Derived.judge has it but for the latest values."""
    for batch in batches:
        engine.hear(batch)
        engine.evaluate(order.admit(batch))


def figures(watch: Stopwatch) -> list[Figure]:
    """The stages of design 7; what it does not name is the rest."""
    cpu, wall = watch.cpu, watch.wall
    main = [
        of("receive + parse, to frames in the inbox", US, cpu["receive"], 1.0),
        of("decode + columns", US, cpu["decode"], 0.7),
        of("history, main thread", US, cpu["history"], 1.0),
        of("rules: hear, admit, evaluate; all packs", US, cpu["rules"], 0.8),
    ]
    parts = [
        of("· stamp", US, cpu["stamp"]),
        of("· latest values", US, cpu["latest"]),
        of("· settle: acknowledgements", US, cpu["settle"]),
    ]
    rest = total("the rest", parts, 0.5)
    return [
        *main,
        rest,
        *parts,
        total("in all, stage by stage", [*main, rest], 4.0),
        of("history until durable, as time passed", US, wall["history"], note="in its own thread"),
        of(
            "checkpoint after every tick, as time passed",
            US,
            wall["checkpoint"],
            note="in service twice a second at most",
        ),
    ]
