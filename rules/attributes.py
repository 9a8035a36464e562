"""What a rule may ask of a device's registration: the one table of attribute names and their units.

A device that lacks an attribute makes conditions over it unknown: they neither raise nor clear.
"""

from __future__ import annotations

from typing import Final

ATTRIBUTES: Final[dict[str, str]] = {
    "rated_power": "W",  # of the lamp, or of all lamps of the segment
    "rated_current": "A",  # of the fan, purifier or circuit
    "rated_voltage": "V",
    "depth": "m",  # of the shaft, bottom to cover
    "max_stay": "min",  # of the parking bay
    "lamps": "",  # how many lamps the device feeds
}
