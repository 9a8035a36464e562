"""Simulated Modbus TCP slaves in a process of their own: prints its port, serves until its standard input closes."""

from __future__ import annotations

import asyncio
import sys
from random import Random

import uvloop

from simulators.modbus_slaves import Line, Slave, Slaves

REGISTERS = 20


async def serve(units: int) -> None:
    image = {"holding": dict.fromkeys(range(600), 7)}
    farm = Slaves(Line([Slave(unit, image) for unit in range(1, units + 1)], Random(1), rtu=False))
    await farm.listen()
    sys.stdout.write(f"{farm.port}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await farm.close()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
