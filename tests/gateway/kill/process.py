"""A gateway that shoots itself at a named point of the tick: python -m tests.gateway.kill.process FOLDER [POINT COUNT].

The points stand in wrappers around the pipeline's parts, so the product itself knows nothing of them.
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
    "commit-before",
    "commit-after",  # durable, not judged
    "judge-before",
    "judge-after",  # judged, nothing recorded
    "record-before",
    "record-after",  # the SQL transaction is done, no ack has left
    "publish",  # acks are written to the sockets
    "save-before",
    "save-after",  # the snapshot is in place
    "checkpoint-before",
    "checkpoint-after",
)
SPEED = 60.0
DEVICES = 100  # of each family


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

    def parts(self) -> Parts:
        gun, parts = self._gun, super().parts()
        take, record = parts.inbox.take, parts.store.write
        history, derived = parts.history, parts.derived

        def taken(limit: int) -> Any:
            frames = take(limit)
            if frames:
                gun.at("take")
            return frames

        parts.inbox.take = taken  # type: ignore[method-assign]
        parts.store = Trap(parts.store, write=gun.around_async("record", record))  # type: ignore[assignment]
        parts.history = Trap(  # type: ignore[assignment]
            history,
            commit=gun.around_async("commit", history.commit),
            checkpoint=gun.around_async("checkpoint", history.checkpoint),
        )
        parts.derived = Trap(  # type: ignore[assignment]
            derived, judge=gun.around("judge", derived.judge), save=gun.around("save", derived.save)
        )
        parts.publish = gun.before("publish", parts.publish)
        return parts


def configuration(folder: Path) -> Config:
    return Config.model_validate(
        {
            "data": folder / "data",
            "mqtt": {"endpoint": {"host": "127.0.0.1", "port": 0}},
            "http": {"port": 0},
            "pipeline": {"snapshot_s": 1},
            "history": {"checkpoint_kb": 64},
            "notify": {"log": []},
        }
    )


def roll() -> str:
    lines = ["id,product"]
    lines += [f"DU-{n:04},generic-dust" for n in range(DEVICES)]
    lines += [f"MH-{n:04},generic-manhole" for n in range(DEVICES)]
    return "\n".join(lines) + "\n"


async def run(folder: Path, gun: Gun) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    clock = CityClock(speed=SPEED)
    async with App(configuration(folder), clock, core=partial(Target, gun)) as gateway:
        if not (folder / "secrets.json").exists():
            transport = httpx.ASGITransport(app=gateway.doors.local)
            async with httpx.AsyncClient(transport=transport, base_url="http://local/api/v1") as admin:
                answer = await admin.post("/devices/import", content=io.BytesIO(roll().encode()).read())
            secrets = {one["id"]: one["secret"] for one in answer.json()["created"]}
            (folder / "secrets.json").write_text(json.dumps(secrets), encoding="utf-8")
        sys.stdout.write(
            json.dumps({"port": gateway.doors.endpoint.port, "clock": str(clock), "pid": os.getpid()}) + "\n"
        )
        sys.stdout.flush()
        await stop.wait()
    sys.stdout.write(json.dumps({"stopped": clock.now()}) + "\n")


def main() -> None:
    folder = Path(sys.argv[1])
    point, count = sys.argv[2:4] if len(sys.argv) > 2 else ("", "0")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(folder, Gun(point, int(count))))


if __name__ == "__main__":
    main()
