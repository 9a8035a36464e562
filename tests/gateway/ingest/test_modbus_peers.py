"""Real peers: our bus polls pymodbus' own server, and pymodbus' own client reads our simulated slaves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from drivers.families import FAMILIES
from drivers.modbus.values import images
from simulators.modbus_slaves import Slaves
from tests.gateway.ingest.modbus_city import Device, Register, bus, line, registers, running, slaves

METER = {"voltage_a": 231.5, "voltage_b": 230.25, "current_a": 4.25, "power": 2750.0, "energy": 12_345.5}
FRAMERS = {"tcp": FramerType.SOCKET, "rtu-tcp": FramerType.RTU}


def meter_of_pymodbus(unit: int) -> SimDevice:
    image = images(registers("eastron-sdm630"), FAMILIES["cabinet"], METER)["meter"]["input"]
    cells = [image.get(address, 0) for address in range(80)]
    return SimDevice(id=unit, simdata=[SimData(0, values=cells, datatype=DataType.REGISTERS)])


@asynccontextmanager
async def pymodbus_server(framer: FramerType) -> AsyncIterator[int]:
    server = ModbusTcpServer([meter_of_pymodbus(7)], framer=framer, address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    assert server.transport is not None
    try:
        yield server.transport.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("kind", FRAMERS)
async def test_our_bus_polls_the_server_of_pymodbus(kind: str) -> None:
    register = Register(Device("CB-1", "cabinet", "eastron-sdm630", 0))
    async with pymodbus_server(FRAMERS[kind]) as port:
        members = [{"device": "CB-1", "unit": 7, "period": "50ms"}]
        async with running(register, bus(kind, port=port, slaves=members)) as city:
            for document in await city.until(3):
                assert document["v"].items() >= METER.items()
            assert city.buses.buses[0].master.counters.timeouts == 0


@pytest.mark.parametrize("kind", FRAMERS)
async def test_the_client_of_pymodbus_reads_our_slaves(kind: str) -> None:
    peer = Slaves(line(*slaves("eastron-sdm630", {"meter": 7}, METER), rtu=kind != "tcp"))
    peer.line.slaves[7].image["coil"] = {0: 0}
    await peer.listen()
    client = AsyncModbusTcpClient("127.0.0.1", port=peer.port, framer=FRAMERS[kind], retries=0, timeout=2)
    assert await client.connect()
    try:
        read = await client.read_input_registers(0, count=2, device_id=7)
        assert client.convert_from_registers(read.registers, client.DATATYPE.FLOAT32) == 231.5
        beyond = await client.read_input_registers(500, count=2, device_id=7)
        assert beyond.isError()
        assert beyond.exception_code == 2
        await client.write_coil(0, True, device_id=7)
        assert (await client.read_coils(0, count=1, device_id=7)).bits[0]
    finally:
        client.close()
        await peer.close()
