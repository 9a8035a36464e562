"""A small city that misbehaves for some hours through the real pipeline: late rows, a clock that steps back, hot changes."""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from drivers.telemetry import MINUTE
from gateway.store.schema.cases import alarm, alarm_event
from rules import packs
from tests.scenarios.city import City, moment

START = "06:00"
STEPS = 75
STEP = 2 * MINUTE
DUST = ("DU-1", "DU-2", "DU-3")
QUIET = ("DU-4", "DU-5", "DU-6")  # the background of DU-2 and DU-3
LAMPS = ("SL-1", "SL-2")
COVERS = ("MH-1", "MH-2")


def document(rule: str) -> dict[str, Any]:
    return next(each for each in packs.load() if each["id"] == rule)


class Recorded:
    """Drives the city; `live` is then what operations hold of each rule."""

    def __init__(self, city: City) -> None:
        self.city = city
        self._rng = np.random.default_rng(11)
        self.start = moment(START)

    async def build(self) -> None:
        for number, device in enumerate((*DUST, *QUIET)):
            area = "xuhui/tianping" if number else "pudong/lujiazui"
            await self.city.device(device, "generic-dust", area=area, lat=31.2, lon=121.4)
        await self.city.device("SC-1", "generic-cabinet", area="xuhui/tianping", lat=31.2, lon=121.4)
        for device in LAMPS:
            await self.city.device(
                device, "generic-streetlight", area="xuhui/tianping", parent="SC-1", lat=31.2, lon=121.4
            )
        for device in COVERS:
            await self.city.device(device, "generic-manhole", area="xuhui/kangjian", lat=31.2, lon=121.4)

    async def live_through(self) -> None:
        for step in range(STEPS):
            at = self.start + (step + 1) * STEP
            await self.city.run_to(at)
            answer = await self.city.remote.post("/telemetry", json=self._readings(step, at))
            assert answer.is_success, answer.text
            await self._change(step)
        await self.city.run_to(self.start + (STEPS + 20) * STEP)

    def _readings(self, step: int, at: int) -> list[dict[str, Any]]:
        rng, now = self._rng, at // 1000
        found: list[dict[str, Any]] = []
        for device in DUST:
            if device == "DU-3" and 20 <= step < 36:
                continue  # silent
            for back in (1, 0):
                ts = now - back * 60_000 - int(rng.integers(0, 20_000))
                if device == "DU-2" and step >= 40:
                    ts -= 25 * 60_000  # its clock stepped back
                pm10 = float(rng.integers(60, 280)) if step % 25 < 14 else 40.0
                wind = 14.0 if 10 <= step < 25 else 2.0
                found.append(
                    {"device": device, "ts": ts, "v": {"pm10": pm10, "noise": 85.0, "wind_speed": wind}}
                )
        found += [{"device": device, "ts": now, "v": {"pm10": 35.0}} for device in QUIET]
        if step % 7 == 3:  # late
            found.append({"device": "DU-1", "ts": now - 9 * 60_000, "v": {"pm10": 900.0}})
        cut = 30 <= step < 45
        found.append(
            {"device": "SC-1", "ts": now, "v": {"voltage_a": 0.0 if cut else 228.0, "door": step % 9 // 7}}
        )
        found += [
            {
                "device": lamp,
                "ts": now,
                "v": {"switch": 1.0, "power": 0.0 if cut else 118.0, "voltage": 225.0},
            }
            for lamp in LAMPS
        ]
        tilt = float(rng.choice([2.0, 41.0]))
        found += [
            {"device": cover, "ts": now, "v": {"tilt": tilt, "cover": float(tilt > 20), "battery": 20.0}}
            for cover in COVERS
        ]
        return found

    async def _change(self, step: int) -> None:
        book, high = self.city.gateway.core.rulebook, document("dust-pm10-high")
        if step == 15:
            shorter = {**high, "when": "mean(pm10, 10m) > limit", "clear": "mean(pm10, 10m) < 0.8 * limit"}
            await book.write(shorter, "test", "tried")
        elif step == 30:
            await book.write(high, "test", "back")
        elif step == 45:
            await book.override("dust-pm10-high", "limit", "area:xuhui", 110.0, "test", "a park")
        elif step == 55:
            await book.override("dust-wind", "limit", "", 8.0, "test", "gusts")

    async def live(self) -> dict[str, set[tuple[str, int, bool]]]:
        """By rule, (transition, event time, raised) of all that operations know."""
        a, e = alarm.c, alarm_event.c
        query = select(a.rule, e.transition, e.time, e.event).join(alarm, a.id == e.alarm)

        def read(conn: Connection) -> dict[str, set[tuple[str, int, bool]]]:
            found: dict[str, set[tuple[str, int, bool]]] = {}
            for row in conn.execute(query.where(e.transition.is_not(None))):
                found.setdefault(row.rule, set()).add((row.transition, row.time, row.event == "raise"))
            return found

        return await self.city.gateway.core.store.read(read)


async def moved_to_parts(city: City) -> int:
    """Days that are over become Parquet, as they do in service; how many parts there are."""
    pipeline, care = city.gateway.core.pipeline, city.gateway.core.care
    await pipeline._save(at_once=True)
    assert pipeline._saving is not None
    await pipeline._saving
    return await care.compactor.run()
