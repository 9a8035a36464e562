"""python -m simulators: a simulated city of devices, pushed over MQTT to one address."""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from drivers.telemetry import SECOND
from simulators.faults import Faults, demo, read
from simulators.fleet import Fleet, Settings
from simulators.flood import Flood, Load
from simulators.hostile import Crowd, Target
from simulators.pace import Pace
from simulators.storm import Storm
from simulators.world.city import City

if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTORS = 65_536


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulators", description=__doc__)
    parser.add_argument("--devices", type=int, default=2_000, help="how many devices the city has")
    parser.add_argument("--seed", type=int, default=7, help="the same seed gives the same city")
    parser.add_argument("--to", default="127.0.0.1:1883", metavar="HOST:PORT", help="where to connect")
    parser.add_argument("--secrets", type=Path, help="secrets by device: JSON object, or CSV with id,secret")
    parser.add_argument(
        "--registry", type=Path, help="write the city's devices there, as CSV, and do nothing else"
    )
    parser.add_argument(
        "--faults", default="", metavar="FILE|demo", help="a scenario in TOML, or the demo's mix"
    )
    parser.add_argument("--pace", type=Pace.parse, help="another process's clock: monotonic_ns:city_us:speed")
    parser.add_argument("--seconds", type=float, help="real seconds to run; without it until interrupted")
    parser.add_argument("--ramp", type=float, default=1_000, help="connections a second")
    parser.add_argument("--mqtt5", type=float, default=0.5, help="share of devices that speak MQTT 5")
    parser.add_argument(
        "--mode",
        choices=("world", "flood", "storm", "hostile"),
        default="world",
        help="behave, load, all come back at once, or attack",
    )
    parser.add_argument(
        "--addresses",
        type=int,
        default=0,
        help="come from so many addresses of the loopback, 127.0.0.2 and up",
    )
    parser.add_argument("--backlog", type=int, default=3, help="storm: readings that wait in each device")
    parser.add_argument(
        "--stay", type=int, default=1 << 30, help="storm: so many stay connected, the others leave when done"
    )
    parser.add_argument(
        "--clients", type=int, default=200, help="hostile: how many; --secrets are those given away to them"
    )
    parser.add_argument(
        "--rate", type=float, default=0, help="flood: messages a second; 0 = as fast as acknowledged"
    )
    parser.add_argument("--burst", type=int, default=1, help="flood: messages of one device in one write")
    parser.add_argument("--window", type=int, default=64, help="flood: unacknowledged messages a device")
    parser.add_argument("--report", type=Path, help="write the report there, as JSON")
    parser.add_argument("--ledger", type=Path, help="write the ledger there, as .npz")
    return parser.parse_args(argv)


def read_secrets(path: Path) -> dict[str, str]:
    """Secrets by device id. ValueError where the file is neither form."""
    text = path.read_text("utf-8")
    if text.lstrip().startswith("{"):
        return {str(device): str(secret) for device, secret in json.loads(text).items()}
    rows = csv.DictReader(text.splitlines())
    if not {"id", "secret"} <= set(rows.fieldnames or ()):
        raise ValueError(f"{path}: a CSV of secrets has the columns id and secret")
    return {row["id"]: row["secret"] for row in rows}


def scenario(name: str, city: City) -> Faults:
    if not name:
        return Faults(city)
    return demo(city) if name == "demo" else read(Path(name).read_text("utf-8"), city)


def build(options: argparse.Namespace) -> Fleet | Flood | Crowd:
    pace = options.pace or Pace.real()
    city = City.build(options.devices, options.seed, pace.start)
    host, _, port = options.to.rpartition(":")
    secrets = read_secrets(options.secrets) if options.secrets else {}
    addresses = [f"127.0.0.{2 + number}" for number in range(options.addresses)]
    if options.mode == "hostile":
        family, cohort = next(iter(city.cohorts.items()))
        own = next(iter(secrets.items()), None)
        target = Target(host, int(port), (family, cohort.ids[0]), own, addresses)
        return Crowd(target, options.clients, options.seed, pace)
    if options.mode == "flood":
        load = Load(options.rate, options.burst, options.window, ramp=options.ramp, five=options.mqtt5)
        return Flood(city, host, int(port), secrets=secrets, pace=pace, load=load, addresses=addresses)
    if options.mode == "storm":
        return Storm(
            city,
            host,
            int(port),
            secrets=secrets,
            pace=pace,
            ramp=options.ramp,
            backlog=options.backlog,
            stay=options.stay,
            addresses=addresses,
        )
    settings = Settings(ramp=options.ramp, five=options.mqtt5)
    faults = scenario(options.faults, city)
    return Fleet(city, host, int(port), secrets=secrets, pace=pace, faults=faults, settings=settings)


def raise_descriptors() -> None:
    """One connection a device needs as many file descriptors."""
    import resource  # noqa: PLC0415 - not on every system

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


async def run(fleet: Fleet | Flood | Crowd, pace: Pace, seconds: float | None) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, fleet.stop)
    until = None if seconds is None else pace.now() + int(seconds * pace.speed * SECOND)
    await fleet.run(until)
    return fleet.report()


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(argv)
    if options.registry:
        city = City.build(options.devices, options.seed, (options.pace or Pace.real()).start)
        with options.registry.open("w", encoding="utf-8", newline="") as file:
            city.write_registry(file)
        return 0
    raise_descriptors()
    fleet = build(options)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = runner.run(run(fleet, fleet.pace, options.seconds))
    text = json.dumps(report, indent=2)
    if options.ledger and not isinstance(fleet, Crowd):
        fleet.ledger.save(options.ledger)
    if options.report:
        options.report.write_text(text + "\n", "utf-8")
    else:
        sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
