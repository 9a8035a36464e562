"""Milesight EM400-MUD and EM400-TLD: distance to the water and tilt of the cover, over LoRaWAN and over NB-IoT."""

from __future__ import annotations

from drivers.lorawan.bits import Fact, Flag, Part
from drivers.lorawan.layout import Octets
from drivers.lorawan.milesight import channels, frames
from drivers.nbiot.milesight import NbFrames
from drivers.products.product import Product
from drivers.telemetry import HOUR

_TEMPERATURE = Octets("<h", Part("temperature", per=10))
_DISTANCE = Octets("<H", Part("distance", per=1000))
_CHANNELS = {
    0x0367: (_TEMPERATURE,),
    0x8367: (_TEMPERATURE, Octets("B", Fact("temperature_alarm"))),
    0x0482: (_DISTANCE,),
    0x8482: (_DISTANCE, Octets("B", Flag("flooded"))),
    0x0500: (Octets("B", Part("moved")),),
    0x0688: (
        Octets("<i", Fact("lat", per=1e6)),
        Octets("<i", Fact("lon", per=1e6)),
        Octets("B", Fact("motion", 0, 4), Fact("geofence", 4, 4)),
    ),
}
_SOURCE = "Milesight-IoT/SensorDecoders em-series/em400-mud, README and decoder; alarm set to 'closer than'"

PRODUCTS = (
    Product(
        id="milesight-em400-mud",
        maker="Milesight",
        model="EM400-MUD / EM400-TLD",
        family="manhole",
        transport="lorawan",
        source=_SOURCE,
        interval=6 * HOUR,
        codec=frames(_CHANNELS),
    ),
    Product(
        id="milesight-em400-mud-nb",
        maker="Milesight",
        model="EM400-MUD / EM400-TLD (NB-IoT)",
        family="manhole",
        transport="http",
        source=_SOURCE,
        interval=6 * HOUR,
        codec=NbFrames(channels(_CHANNELS)),
    ),
)
