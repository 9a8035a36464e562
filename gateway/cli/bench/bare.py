"""A gateway in this process that opens no socket, on a directory that is gone afterwards."""

from __future__ import annotations

import io
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.app import App
from gateway.cli.bench.carrier import StepClock
from gateway.cli.bench.town import STEP, Town
from gateway.config import Config, MqttSettings
from gateway.ingest.endpoint_settings import EndpointSettings
from gateway.ingest.limit_settings import LimitSettings

EVENING: Final = 1_790_078_400_000_000  # µs UTC: 2026-09-22 20:00 in Shanghai; lamps burn, kitchens cook
FREELY: Final = LimitSettings(
    device_messages=1e9, device_bytes=1e12, connection_messages=1e9, connection_bytes=1e12
)
WARM: Final = 2  # ticks before the first that counts
US: Final = "µs"


class Size(Struct, frozen=True):
    """devices: messages a tick. ticks: repetitions."""

    devices: int = 10_000
    ticks: int = 9

    def town(self) -> Town:
        return Town(self.devices, EVENING + STEP)


class Bare(Struct, frozen=True):
    """The gateway, its clock, and the secrets of its devices."""

    app: App
    clock: StepClock
    secrets: dict[str, str]


@asynccontextmanager
async def bare(town: Town) -> AsyncIterator[Bare]:
    clock = StepClock(EVENING)
    with tempfile.TemporaryDirectory(prefix="citygate-bench-") as folder:
        config = Config(
            data=Path(folder) / "data", mqtt=MqttSettings(endpoint=EndpointSettings(limits=FREELY))
        )
        async with App(config, clock, listening=False) as app:
            done = await app.core.devices.import_csv(io.BytesIO(town.registry()), "bench")
            yield Bare(app, clock, {one.id: one.secret for one in done.created})
