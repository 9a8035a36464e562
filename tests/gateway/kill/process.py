"""A gateway that shoots itself at a named point: python -m tests.gateway.kill.process FOLDER [POINT COUNT].

The points stand in wrappers around its parts, so the product itself knows nothing of them. FOLDER/outside.json, where it
is there, tells of a broker and a mirror: {"broker": PORT, "mirror": PORT, "token": TEXT}.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import uvloop

from gateway.app import App
from gateway.app.core import Core
from gateway.clock import CityClock
from gateway.config import Config
from gateway.pipeline import Parts

POINTS = (
    "take",  # frames are out of the inbox, nothing else has happened
    "decode-before",
    "decode-after",
    "commit-before",
    "commit-after",  # durable, not judged
    "judge-before",
    "judge-after",  # judged, nothing recorded
    "sweep-before",
    "sweep-after",
    "record-before",
    "apply-before",  # within the SQL transaction
    "apply-after",
    "record-after",  # the SQL transaction is done, no ack has left
    "publish",  # acks are written to the sockets
    "save-before",
    "save-after",  # the snapshot is in place
    "checkpoint-before",
    "checkpoint-after",
    "migrate-before",  # the next five: while it starts
    "migrate-after",
    "rebuild-before",
    "rebuild-after",
    "announce-after",  # gateway up, links: in the log, nothing else has spoken
)
OUTSIDE = (
    "deliver-before",
    "deliver-after",  # the mirror has the points, no cursor says so
    "cursor-before",
    "cursor-after",
    "compact-before",
    "relist-before",  # parts are written, no list names them
    "relist-after",
    "compact-after",
)
SPEED = 60.0
DEVICES = 100  # of each family
BEHIND = 3  # of so many devices, one is behind the broker
PATIENCE = 20.0  # real seconds


class Trap:
    """Another object, with some of its methods replaced."""

    def __init__(self, inner: Any, **methods: Any) -> None:
        self._inner = inner
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Gun:
    def __init__(self, point: str, count: int) -> None:
        self.point = point
        self.left = count

    def at(self, point: str) -> None:
        if point == self.point:
            self.left -= 1
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **named: Any) -> Any:
            self.at(f"{name}-before")
            out = work(*args, **named)
            self.at(f"{name}-after")
            return out

        return called

    def around_async(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        async def called(*args: Any, **named: Any) -> Any:
            self.at(f"{name}-before")
            out = await work(*args, **named)
            self.at(f"{name}-after")
            return out

        return called

    def before(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **named: Any) -> Any:
            out = work(*args, **named)
            self.at(name)
            return out

        return called


class Target(Core):
    """A core whose parts are watched by a gun."""

    def __init__(self, gun: Gun, config: Config, clock: CityClock, closing: AsyncExitStack) -> None:
        super().__init__(config, clock, closing)
        self._gun = gun
        self.swept = 0  # city time of the newest sweep: what time alone says is said until then

    async def open_stores(self) -> None:
        self._gun.at("migrate-before")
        await super().open_stores()
        self._gun.at("migrate-after")

    async def rebuild(self) -> None:
        self._gun.at("rebuild-before")
        await super().rebuild()
        self._gun.at("rebuild-after")

    def parts(self) -> Parts:
        gun, parts = self._gun, super().parts()
        take, record = parts.inbox.take, parts.store.write
        history, derived, desk = parts.history, parts.derived, parts.desk

        def swept(now: int) -> Any:
            self.swept = now
            return derived.sweep(now)

        def taken(limit: int) -> Any:
            frames = take(limit)
            if frames:
                gun.at("take")
            return frames

        parts.inbox.take = taken  # type: ignore[method-assign]
        parts.decoding = Trap(parts.decoding, decode=gun.around("decode", parts.decoding.decode))  # type: ignore[assignment]
        parts.store = Trap(parts.store, write=gun.around_async("record", record))  # type: ignore[assignment]
        parts.desk = Trap(desk, apply=gun.around("apply", desk.apply))  # type: ignore[assignment]
        parts.history = Trap(  # type: ignore[assignment]
            history,
            commit=gun.around_async("commit", history.commit),
            checkpoint=gun.around_async("checkpoint", history.checkpoint),
        )
        parts.derived = Trap(  # type: ignore[assignment]
            derived,
            judge=gun.around("judge", derived.judge),
            sweep=gun.around("sweep", swept),
            save=gun.around("save", derived.save),
        )
        parts.publish = gun.before("publish", parts.publish)
        return parts

    def build(self) -> None:
        super().build()
        gun, care, announce = self._gun, self.care, self.pipeline.announce
        self.pipeline.announce = gun.around_async("announce", announce)  # type: ignore[method-assign]
        compactor, mirror = care.compactor, care.mirror
        compactor.step = gun.around_async("compact", compactor.step)  # type: ignore[method-assign]
        self.history.relist = gun.around_async("relist", self.history.relist)  # type: ignore[method-assign]
        if mirror is not None:
            sink: Any = mirror._sink
            mirror._sink = Trap(sink, write=gun.around("deliver", sink.write))
            mirror._save = gun.around_async("cursor", mirror._save)  # type: ignore[method-assign]


def outside(folder: Path) -> dict[str, Any]:
    told = folder / "outside.json"
    return dict(json.loads(told.read_text(encoding="utf-8"))) if told.exists() else {}


def configuration(folder: Path) -> Config:
    there = outside(folder)
    config: dict[str, Any] = {
        "data": folder / "data",
        "mqtt": {"endpoint": {"host": "127.0.0.1", "port": 0}},
        "http": {"port": 0},
        "pipeline": {"snapshot_s": 1},
        "history": {"checkpoint_kb": 64},
        "notify": {"log": []},
    }
    if there:
        link = {"name": "broker", "host": "127.0.0.1", "port": there["broker"], "reconnect_cap": 1.0}
        config["mqtt"]["link"] = [link]
        url = f"http://127.0.0.1:{there['mirror']}"
        config["mirror"] = {"url": url, "token": there["token"], "interval_ms": 50, "longest_backoff_s": 0.5}
        config["history"]["part_rows"] = 400
        config["clocks"] = {
            "ahead_s": 3600
        }  # the next life's city time goes on where the last one's log ends
    return Config.model_validate(config)


def roll(*, behind: bool) -> str:
    links = ["broker" if behind and n % BEHIND == 0 else "" for n in range(DEVICES)]
    lines = ["id,product,link"]
    for prefix, product in (("DU", "generic-dust"), ("MH", "generic-manhole")):
        lines += [f"{prefix}-{n:04},{product},{link}" for n, link in enumerate(links)]
    return "\n".join(lines) + "\n"


async def until(clock: CityClock, true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():
            await clock.sleep(0.02)


async def run(folder: Path, gun: Gun) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    clock = CityClock(speed=SPEED)
    async with App(configuration(folder), clock, core=partial(Target, gun)) as gateway:
        if not (folder / "secrets.json").exists():
            transport = httpx.ASGITransport(app=gateway.doors.local)
            form = roll(behind=bool(outside(folder)))
            async with httpx.AsyncClient(transport=transport, base_url="http://local/api/v1") as admin:
                answer = await admin.post("/devices/import", content=io.BytesIO(form.encode()).read())
            secrets = {one["id"]: one["secret"] for one in answer.json()["created"]}
            (folder / "secrets.json").write_text(json.dumps(secrets), encoding="utf-8")
        await until(clock, lambda: all(link.up for link in gateway.doors.links))
        port = gateway.doors.endpoint.port
        sys.stdout.write(json.dumps({"port": port, "clock": str(clock), "pid": os.getpid()}) + "\n")
        sys.stdout.flush()
        await stop.wait()
        mirror = gateway.core.care.mirror
        if mirror is not None:
            await until(clock, lambda: mirror.passed() >= gateway.core.history.last_tick())
    assert isinstance(gateway.core, Target)
    sys.stdout.write(json.dumps({"swept": gateway.core.swept}) + "\n")


def main() -> None:
    folder = Path(sys.argv[1])
    point, count = sys.argv[2:4] if len(sys.argv) > 2 else ("", "0")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(folder, Gun(point, int(count))))


if __name__ == "__main__":
    main()
