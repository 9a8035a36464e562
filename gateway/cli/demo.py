"""`citygate demo`: a gateway, a simulated city that speaks to it over every transport, a crew, and a verdict at the end.

The fleet is a process of its own and shares nothing with the gateway but its address, its secrets and the city's clock.
"""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
import signal
import socket
import sys
import tempfile
from collections import defaultdict
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import msgspec
from msgspec import Struct

from drivers.families import FAMILIES
from gateway.app import App
from gateway.cli.crew import Crew
from gateway.cli.remote import ask
from gateway.cli.screen import Screen
from gateway.cli.serve import YOUNG, allow_connections
from gateway.cli.verdict import losses, score
from gateway.clock import CityClock
from gateway.config import Config
from gateway.ingest.modbus_settings import ModbusSettings
from gateway.registry.people_settings import PeopleSettings
from simulators import ledger
from simulators.outskirts import BAY, POLE_ID, Outskirts
from simulators.pace import Pace
from simulators.world.city import City

EVENING = (2026, 9, 22, 17, 30)  # the equinox: the sun sets while the demo runs, and kitchens begin to cook
ROUND = 0.5  # real seconds between two rounds of screen and crew
NETWORK = "network-server"  # the source that speaks for LoRaWAN devices
GRACE = 30.0  # real seconds that the fleet has to stop


class Wish(Struct, frozen=True):
    """What the command line asked for."""

    seconds: float | None
    seed: int
    speed: float
    devices: int
    json: Path | None


async def demo(config: Config, wish: Wish) -> int:
    """Returns the exit code: 0 where nothing was lost or doubled and every family raised a case."""
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("gateway.notify.channels.log").setLevel(logging.ERROR)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    gc.set_threshold(YOUNG, 20, 50)
    allow_connections(config.mqtt.endpoint.connections)
    start = int(datetime(*EVENING, tzinfo=ZoneInfo(config.zone)).timestamp() * 1e6)
    with tempfile.TemporaryDirectory(prefix="citygate-demo-") as folder:
        clock = CityClock(start, wish.speed)
        pace, zone = Pace.parse(str(clock)), ZoneInfo(config.zone)
        outskirts = Outskirts(config.products(), pace, zone, wish.seed)
        try:
            async with App(_at(config, Path(folder) / "data"), clock) as gateway:
                verdict = await Show(gateway, clock, wish, Path(folder), outskirts).run(start)
        finally:
            await outskirts.close()
    text = json.dumps(verdict, ensure_ascii=False, indent=2)
    if wish.json is not None:
        wish.json.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")
    found = verdict["faults"]
    sys.stderr.write(
        f"{verdict['lost']} lost, {verdict['duplicated']} duplicated of {verdict['messages']['acked']} acknowledged; "
        f"{found['detected']} of {found['injected']} faults noticed\n"
    )
    silent = [family for family in FAMILIES if not verdict["cases"].get(family)]
    return 1 if verdict["lost"] or verdict["duplicated"] or (wish.seconds is not None and silent) else 0


class Show:
    """One run of the demo on a running gateway."""

    def __init__(
        self, gateway: App, clock: CityClock, wish: Wish, folder: Path, outskirts: Outskirts
    ) -> None:
        self._gateway = gateway
        self._outskirts = outskirts
        self._clock = clock
        self._wish = wish
        self._folder = folder
        self._stop = asyncio.Event()

    async def run(self, start: int) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, self._stop.set)
        url = f"http://127.0.0.1:{self._gateway.doors.http.port}"
        inside = httpx.ASGITransport(app=self._gateway.doors.local)
        async with (
            httpx.AsyncClient(base_url=f"{url}/api/v1", timeout=60) as remote,
            httpx.AsyncClient(transport=inside, base_url="http://local/api/v1", timeout=60) as admin,
        ):
            crew = await ask(admin, "POST", "/tokens", json={"name": "crew", "role": "crew"})
            remote.headers["authorization"] = f"Bearer {crew['secret']}"
            await self._register(admin, start)
            speaking = await self._others(admin, url)
            began = self._clock.monotonic()
            fleet = await self._fleet()
            with Screen(self._gateway.core.config.zone, f"{url} ({await _visitor(admin)})") as screen:
                await self._watch(remote, screen, fleet, began)
            self._outskirts.stop()
            await speaking
            await self._end(fleet)
            end = self._clock.now()
            report = json.loads((self._folder / "report.json").read_text(encoding="utf-8"))
            return await self._verdict(remote, report, end)

    async def _register(self, admin: httpx.AsyncClient, start: int) -> None:
        """The city's devices, through the same import that a city would use."""
        city = City.build(self._wish.devices, self._wish.seed, start)
        roll = io.StringIO()
        city.write_registry(roll)
        done = await ask(admin, "POST", "/devices/import", content=roll.getvalue().encode())
        secrets = {one["id"]: one["secret"] for one in done["created"]}
        (self._folder / "secrets.json").write_text(json.dumps(secrets), encoding="utf-8")

    async def _others(self, admin: httpx.AsyncClient, url: str) -> asyncio.Task[None]:
        """The devices of other transports, registered and speaking; the source speaks for LoRaWAN and NB-IoT."""
        doors = self._gateway.doors
        for form in self._outskirts.forms():
            await ask(admin, "POST", "/devices", json=form)
        bus = ModbusSettings.model_validate(await self._outskirts.listen())
        await doors.change_modbus([bus], self._gateway.tasks)
        form = {"name": NETWORK, "filters": ["application/#"], "area": ""}
        secret = (await ask(admin, "POST", "/sources", json=form))["secret"]

        async def speak() -> None:
            headers = {"authorization": f"Bearer {secret}", "content-type": "application/json"}
            async with httpx.AsyncClient(base_url=f"{url}/api/v1", headers=headers, timeout=60) as platform:

                async def push(messages: bytes) -> bool:
                    way = f"/push/{NETWORK}?product={BAY}"
                    return not (await ask(platform, "POST", way, content=messages))["refused"]

                await self._outskirts.run(
                    "127.0.0.1", doors.endpoint.port, (NETWORK, secret), doors.stations.port, push
                )

        return self._gateway.tasks.start("demo-outskirts", speak())

    async def _fleet(self) -> asyncio.subprocess.Process:
        port, folder = self._gateway.doors.endpoint.port, self._folder
        words = ["--devices", str(self._wish.devices), "--seed", str(self._wish.seed), "--faults", "demo"]
        words += [
            "--to",
            f"127.0.0.1:{port}",
            "--pace",
            str(self._clock),
            "--secrets",
            str(folder / "secrets.json"),
        ]
        words += ["--report", str(folder / "report.json"), "--ledger", str(folder / "ledger.npz")]
        return await asyncio.create_subprocess_exec(sys.executable, "-m", "simulators", *words)

    async def _watch(
        self, remote: httpx.AsyncClient, screen: Screen, fleet: asyncio.subprocess.Process, began: float
    ) -> None:
        crew = Crew(remote)
        while not self._stop.is_set() and fleet.returncode is None and not self._over(began):
            counts = await ask(remote, "GET", "/counts")
            newest = await ask(remote, "GET", "/cases", params={"limit": 8})
            await crew.round()
            metrics = self._gateway.core.metrics
            stored = sum(
                sample.value
                for sample in next(iter(metrics.readings.collect())).samples
                if "total" in sample.name
            )
            screen.show(
                self._clock.now(),
                counts,
                newest["items"],
                int(stored),
                self._gateway.core.quarantine.counts.total(),
                _transports(int(stored), self._outskirts.counts()),
            )
            with suppress(TimeoutError):
                async with asyncio.timeout(ROUND):
                    await self._stop.wait()

    def _over(self, began: float) -> bool:
        return self._wish.seconds is not None and self._clock.monotonic() - began >= self._wish.seconds

    async def _end(self, fleet: asyncio.subprocess.Process) -> None:
        if fleet.returncode is None:
            fleet.send_signal(signal.SIGTERM)
        async with asyncio.timeout(GRACE):
            await fleet.wait()
        while self._gateway.core.inbox.frames:
            await self._clock.sleep(0.05)
        await self._clock.sleep(0.2)

    async def _verdict(self, remote: httpx.AsyncClient, report: dict[str, Any], end: int) -> dict[str, Any]:
        """Everything is read back through the API, as a stranger would."""
        counts = await ask(remote, "GET", "/counts")
        refused = (await ask(remote, "GET", "/quarantine/counts"))["counts"]
        alarms = await _pages(remote, "/alarms")
        samples = await _pages(remote, "/quarantine")
        reasons: dict[str, set[str]] = defaultdict(set)
        for sample in samples:
            reasons[sample["device"] or sample["origin"].partition(":")[2].partition("@")[0]].add(
                sample["reason"]
            )
        ids, rows = await asyncio.to_thread(ledger.load, self._folder / "ledger.npz")
        kept = rows[ledger.stored(rows)]
        promised = [
            (ids[device], time)
            for device, time in zip(kept["device"].tolist(), kept["time"].tolist(), strict=True)
        ]
        others = self._outskirts.promised()
        transports = {"mqtt": len(promised), **{name: len(mine) for name, mine in others.items()}}
        promised += [one for mine in others.values() for one in mine]
        held = [row for family in FAMILIES for row in await _exported(remote, family)]
        transports["modbus"] = _poles(held)
        loss = losses(promised, held)
        found = score(report["truth"], alarms, reasons, end)
        return {
            "devices": counts["devices"],
            "transports": transports,
            "messages": {"sent": report["sent"], "acked": report["acked"], "stored": loss.stored},
            "refused": refused,
            "alarms": counts["alarms"],
            "cases": counts["cases"],
            "sprays": self._outskirts.sprays,
            "faults": {"injected": found.injected, "detected": found.detected, "missed": found.missed},
            "latency_ms": report["latency_ms"],
            "lost": loss.lost,
            "duplicated": loss.duplicated,
            "examples": loss.examples,
        }


def _transports(stored: int, others: dict[str, int]) -> dict[str, int]:
    """Readings by transport: those of the others as acknowledged to them, the rest came by MQTT."""
    return {"mqtt": max(stored - sum(others.values()), 0), **others}


def _poles(rows: list[tuple[str, int, str]]) -> int:
    """Readings of polled devices: nobody promised them, so history alone can say."""
    return sum(device.startswith(POLE_ID) for device, _, _ in rows)


async def _pages(remote: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    after = ""
    while True:
        params = {"limit": 1000, **({"after": after} if after else {})}
        page = await ask(remote, "GET", path, params=params)
        items += page["items"]
        after = page["after"]
        if not after:
            return items


class Row(Struct):
    device: str
    time: int
    kind: str


async def _exported(remote: httpx.AsyncClient, family: str) -> list[tuple[str, int, str]]:
    decode = msgspec.json.Decoder(Row).decode
    answer = await remote.get(f"/readings/{family}")
    answer.raise_for_status()
    return [(row.device, row.time, row.kind) for row in map(decode, answer.content.splitlines())]


async def _visitor(admin: httpx.AsyncClient) -> str:
    """Somebody who may open the pages of the demo, and how they log in."""
    person = {"name": "demo", "password": "lamps and covers", "role": "supervisor"}
    await ask(admin, "POST", "/users", json=person)
    return f"log in: {person['name']}, {person['password']}"


def _at(config: Config, data: Path) -> Config:
    """The demo's own directory and people, and ports that are free."""
    endpoint = config.mqtt.endpoint
    endpoint = endpoint.model_copy(update={"host": "127.0.0.1", "port": _free(endpoint.port)})
    http = config.http.model_copy(update={"host": "127.0.0.1", "port": _free(config.http.port)})
    mqtt = config.mqtt.model_copy(update={"endpoint": endpoint})
    hj212 = config.hj212.model_copy(
        update={"enabled": True, "host": "127.0.0.1", "port": _free(config.hj212.port)}
    )
    own = {"data": data, "people": PeopleSettings(), "mqtt": mqtt, "http": http, "hj212": hj212, "modbus": ()}
    return config.model_copy(update=own)


def _free(port: int) -> int:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return 0
    return port
