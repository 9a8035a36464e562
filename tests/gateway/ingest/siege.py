"""A gateway in a process of its own, its devices in another, whoever attacks it in a third; and what was seen of it."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import msgspec

from drivers.families import FAMILIES
from gateway.cli.bench.service import Service, end, last_words, running
from gateway.cli.remote import ask
from gateway.cli.verdict import Loss, losses
from gateway.clock import CityClock
from simulators import ledger
from simulators.world.city import City

SEED = 7
ELSEWHERE = ("nice", "-n", "15")  # attackers do not run on the gateway's processors
PATIENCE = 300.0  # real seconds for a simulator to end by itself

CONFIG = """
data = "{folder}/data"
log_level = "ERROR"
[mqtt.endpoint]
host = "127.0.0.1"
port = 0
[http]
host = "127.0.0.1"
port = 0
"""


class Row(msgspec.Struct):
    device: str
    time: int
    kind: str


class Simulator:
    """A process of `python -m simulators`; `report` is there once it has ended."""

    def __init__(self, process: Process, folder: Path, name: str) -> None:
        self.process = process
        self._folder = folder
        self._name = name
        self.report: dict[str, Any] = {}

    @classmethod
    async def start(cls, folder: Path, name: str, given: dict[str, object]) -> Self:
        given = given | {"--seed": SEED, "--report": folder / f"{name}.json"}
        words = [str(word) for pair in given.items() for word in pair]
        first = ELSEWHERE if given.get("--mode") == "hostile" else ()
        with (folder / f"{name}.errors").open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *(*first, sys.executable, "-m", "simulators", *words),
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=errors,
            )
        return cls(process, folder, name)

    async def ended(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            await self.process.wait()
        return self._read()

    async def stop(self) -> dict[str, Any]:
        await end(self.process)
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert not self.process.returncode, last_words(self._folder / f"{self._name}.errors")
        found: dict[str, Any] = json.loads((self._folder / f"{self._name}.json").read_text("utf-8"))
        self.report = found
        return found


class Siege:
    def __init__(self, service: Service) -> None:
        self.service = service
        self.folder = service.folder
        self.clock = CityClock()
        self._ledgers: list[Path] = []

    async def enrol(self, devices: int) -> None:
        """The city's devices; their secrets stand in secrets.json."""
        roll = io.StringIO()
        City.build(devices, SEED, self.clock.now()).write_registry(roll)
        done = await ask(self.service.remote, "POST", "/devices/import", content=roll.getvalue().encode())
        self.keep("secrets.json", {one["id"]: one["secret"] for one in done["created"]})

    def keep(self, name: str, secrets: dict[str, str]) -> Path:
        file = self.folder / name
        file.write_text(json.dumps(secrets), "utf-8")
        return file

    async def simulate(self, name: str, **given: object) -> Simulator:
        """given: options of the simulators, with _ for -."""
        options = {f"--{key.replace('_', '-')}": value for key, value in given.items()}
        options["--to"] = f"127.0.0.1:{self.service.port}"
        if options.get("--mode") != "hostile":
            file = self.folder / f"{name}.npz"
            self._ledgers.append(file)
            options |= {"--ledger": file, "--secrets": self.folder / "secrets.json"}
        return await Simulator.start(self.folder, name, options)

    def rss(self) -> int:
        """MiB that the gateway holds now."""
        status = Path(f"/proc/{self.service.process.pid}/status").read_text("ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) // 1024

    def cpu(self) -> float:
        """Seconds of a processor that the gateway has used."""
        fields = Path(f"/proc/{self.service.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def losses(self) -> Loss:
        """All that was acknowledged to anyone, against all that history holds of what the devices measured."""
        promised: list[tuple[str, int]] = []
        for file in self._ledgers:
            ids, rows = await asyncio.to_thread(ledger.load, file)
            kept = rows[ledger.stored(rows)]
            pairs = zip(kept["device"].tolist(), kept["time"].tolist(), strict=True)
            promised += [(ids[device], time) for device, time in pairs]
        return losses(promised, [row for family in FAMILIES for row in await self._exported(family)])

    async def _exported(self, family: str) -> list[tuple[str, int, str]]:
        decode = msgspec.json.Decoder(Row).decode
        answer = await self.service.remote.get(f"/readings/{family}")
        answer.raise_for_status()
        found = [decode(line) for line in answer.content.splitlines()]
        return [(row.device, row.time, row.kind) for row in found]


@asynccontextmanager
async def siege(text: str = CONFIG) -> AsyncIterator[Siege]:
    async with running(text=text) as service:
        yield Siege(service)
