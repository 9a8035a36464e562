"""What all frames of Milesight share: channel, type, value, one after the other; and what a device says of itself.

Source: Milesight-IoT/SensorDecoders, the README of each model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from drivers.lorawan.bits import Happened, Part
from drivers.lorawan.codec import Frames
from drivers.lorawan.layout import Choice, Fixed, Octets, Repeat, Skip, Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.lorawan.layout import Layout

PORT: Final = 85  # as delivered; it can be changed
BATTERY: Final[Mapping[int, Layout]] = {0x0175: (Octets("B", Part("battery")),)}
ITSELF: Final[Mapping[int, Layout]] = {
    0xFF01: (Skip(1),),
    0xFF09: (Text("hardware", 2),),
    0xFF0A: (Text("firmware", 2),),
    0xFF0B: (Skip(1),),
    0xFF0F: (Skip(1),),
    0xFF16: (Text("serial", 8),),
    0xFFFE: (Skip(1), Happened("deviceReset")),
    0xFFFF: (Skip(2),),
}


def channels(own: Mapping[int, Layout]) -> Choice:
    """One channel of a frame: the model's own, or one that all have."""
    return Choice(">H", {**BATTERY, **own, **ITSELF})


def frames(own: Mapping[int, Layout]) -> Frames:
    """The codec of a LoRaWAN model by its own channels."""
    restart = PORT, (Fixed(b"\xff\x10\xff"),)
    return Frames({PORT: (Repeat(channels(own)),)}, any_port=True, downlinks={"restart": restart})
