"""python -m simulators.modbus_farm UNITS: Modbus TCP slaves in a process of their own, for loads.

Prints its port, serves until its standard input closes. Every pair of holding registers reads 7.0 as a float32.
"""

from __future__ import annotations

import asyncio
import sys
from random import Random
from typing import Final

import uvloop

from simulators.__main__ import raise_descriptors
from simulators.modbus_slaves import Line, Slave, Slaves

REGISTERS: Final = 600
SEVEN: Final = (0x40E0, 0x0000)


async def serve(units: int) -> None:
    image = {"holding": {address: SEVEN[address % 2] for address in range(REGISTERS)}}
    farm = Slaves(Line([Slave(unit, image) for unit in range(1, units + 1)], Random(1), rtu=False))  # noqa: S311
    await farm.listen()
    sys.stdout.write(f"{farm.port}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await farm.close()


if __name__ == "__main__":
    raise_descriptors()
    uvloop.run(serve(int(sys.argv[1])))
