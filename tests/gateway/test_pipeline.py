"""The flow where a part of it fails: a commit that is tried again counts and keeps everything once, and nobody waits for a
pipeline that is dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from drivers.refusal import Reason
from gateway.app import App
from gateway.app.core import Core
from gateway.config import Config
from gateway.errors import StoreError, Unavailable
from gateway.ingest.http_push import Push
from gateway.ingest.inbox import Frame
from gateway.ingest.quarantine import Quarantine
from gateway.pipeline import Parts
from gateway.store.store import Store
from tests.scenarios.city import City, city

T = TypeVar("T")


class Failing(Store):
    """As many transactions as `losses` has fail: each was committed and nobody heard of it (True), or was not."""

    def __init__(self, url: str, losses: list[bool]) -> None:
        super().__init__(url)
        self._losses = losses

    async def write(self, work: Callable[[Connection], T]) -> T:
        if not self._losses:
            return await super().write(work)
        kept = self._losses.pop()

        def lost(conn: Connection) -> None:
            work(conn)
            if not kept:
                raise StoreError("the disk is full")

        await super().write(lost)
        raise StoreError("the server went away while it committed")


class Broken(Quarantine):
    """A fault of ours in the middle of a tick."""

    @property
    def pending(self) -> bool:
        raise RuntimeError("a fault of ours")


class Dying(Core):
    """Its pipeline does not outlive the first tick."""

    def parts(self) -> Parts:
        parts = super().parts()
        parts.quarantine = Broken()
        return parts


async def samples(town: City, reason: Reason) -> list[str]:
    found = await town.remote.get("/quarantine", params={"reason": str(reason)})
    return [one["detail"] for one in found.json()["items"]]


@pytest.mark.parametrize("kept", [False, True])
async def test_a_transaction_that_is_tried_again_counts_and_keeps_everything_once(
    tmp_path: Path, kept: bool
) -> None:
    async with city(tmp_path, "02:00", pipeline={"tick_ms": 1, "sweep_ms": 10, "retry_ms": 10}) as town:
        core = town.gateway.core
        await town.device("MH-0001", "generic-manhole")
        entry = core.directory.device("MH-0001")
        assert entry is not None
        losses: list[bool] = []
        async with Failing(str(core.store.url), losses) as store, asyncio.timeout(30):
            losses.append(kept)
            core.pipeline.parts.store = store
            now, origin = core.clock.now(), Push("http:test", 1)
            core.quarantine.note(Reason.BAD_JSON, now, "MH-0001", "http:test", "", b"{", "cut off")
            lane = core.decoding.lane(entry.product, entry.family, "reply")
            reply = b'{"id": "nobody-asked", "result": "applied"}'
            core.inbox.frames.append(Frame(lane, entry.index, reply, now, origin, 1))
            core.inbox.arrived()
            await origin.done
            core.pipeline.parts.store = core.store
            assert losses == []
            while not await samples(town, Reason.NO_REPLY_EXPECTED):  # written a moment after it was counted
                await core.clock.sleep(0.01)
        assert core.quarantine.counts == {Reason.BAD_JSON: 1, Reason.NO_REPLY_EXPECTED: 1}
        assert await samples(town, Reason.BAD_JSON) == ["cut off"]
        assert await samples(town, Reason.NO_REPLY_EXPECTED) == [
            "no command 'nobody-asked' was sent to this device"
        ]


async def test_who_waits_for_a_pipeline_that_dies_is_told(tmp_path: Path) -> None:
    async with city(tmp_path, "02:00") as town:
        pipeline = town.gateway.core.pipeline
        pipeline.parts.quarantine = Broken()
        async with asyncio.timeout(5):
            for _ in range(2):
                with pytest.raises(Unavailable, match=r"has failed.*a fault of ours"):
                    await pipeline.announce([])
            assert isinstance(await town.gateway.failed(), RuntimeError)


async def test_a_gateway_whose_first_tick_fails_does_not_start(tmp_path: Path) -> None:
    config = Config.model_validate({"data": tmp_path, "notify": {"log": []}})
    async with asyncio.timeout(10):
        with pytest.raises(Unavailable, match="a fault of ours"):
            async with App(config, listening=False, core=Dying):
                pass


async def test_who_comes_after_the_stop_is_told(tmp_path: Path) -> None:
    async with city(tmp_path, "02:00") as town:
        pipeline = town.gateway.core.pipeline
        await pipeline.announce([])
    async with asyncio.timeout(5):
        with pytest.raises(Unavailable, match="the gateway stops"):
            await pipeline.announce([])
