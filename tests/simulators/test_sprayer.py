"""The site's dust rises by itself, and falls while a master has its relay on."""

from __future__ import annotations

from random import Random

from drivers.families import FAMILIES
from drivers.modbus.plan import Read
from drivers.modbus.values import Reader
from drivers.modbus.wire import read_request, write_coil
from drivers.products import catalog
from drivers.telemetry import MINUTE
from simulators.sprayer import PRODUCT, Site

SPRAY = Read("coil", 0, 1)
STATION = Read("holding", 500, 14)


class Yard:
    def __init__(self) -> None:
        self.now = 0
        self.product = catalog()[PRODUCT]
        self.site = Site(9, self.product, lambda: self.now, Random(7))
        self.station, self.relay = self.site.slaves

    def pm10(self, minutes: int) -> float:
        """What the transmitter says after so many minutes."""
        self.now += minutes * MINUTE
        answer = self.station.respond(read_request(9, STATION).pdu)
        assert self.product.modbus is not None
        module = next(one for one in self.product.modbus.modules if one.name == "station")
        return Reader(module, FAMILIES["dust"]).values(STATION, answer[2:], [])["pm10"]


def test_dust_rises_until_the_spray_is_on_and_falls_until_it_is_off() -> None:
    yard = Yard()
    assert yard.site.units == {"station": 9, "sprayer": 10}
    assert yard.pm10(0) < 100
    assert yard.pm10(20) > 200
    yard.relay.respond(write_coil(10, 0, on=True).pdu)
    assert yard.site.spraying
    assert yard.pm10(20) < 100
    yard.relay.respond(write_coil(10, 0, on=False).pdu)
    assert yard.pm10(20) > 200
    assert (yard.site.runs, yard.site.polls) == (1, 4)
    assert yard.relay.respond(read_request(10, SPRAY).pdu)[-1] == 0
