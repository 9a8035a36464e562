"""What a rule may ask of a device's registration: the one table of attributes, their units and whose they are.

A device that lacks an attribute makes conditions over it unknown: they neither raise nor clear.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Attribute(NamedTuple):
    """families: those whose devices carry it; none named: every family's."""

    unit: str
    families: tuple[str, ...] = ()


ATTRIBUTES: Final[dict[str, Attribute]] = {
    "rated_power": Attribute("W"),  # of the lamp, or of all lamps of the segment
    "rated_current": Attribute("A"),  # of the fan, purifier or circuit
    "rated_voltage": Attribute("V"),
    "depth": Attribute("m", ("manhole",)),  # of the shaft, bottom to cover
    "max_stay": Attribute("min", ("parking",)),  # of the parking bay
    "lamps": Attribute("", ("streetlight", "cabinet")),  # how many lamps the device feeds
    "clock_offset": Attribute(
        "s"
    ),  # above 0 its clock is behind; learned (rules.control.Clock), never registered
    # limits by class of site, where the permit or the functional area sets its own
    "pm10_limit": Attribute("ug/m3", ("dust",)),
    "tsp_limit": Attribute("ug/m3", ("dust",)),
    "noise_limit_day": Attribute("dB", ("dust",)),
    "noise_limit_night": Attribute("dB", ("dust",)),
    "sprayer": Attribute("", ("dust",)),  # 1 = the site has one, and its rules may start it
    "fume_limit": Attribute("mg/m3", ("fume",)),  # GB 18483 leaves stricter limits to cities
}


LEARNED: Final = frozenset({"clock_offset"})  # what the log says of a device besides its registration


def attributes_of(family: str) -> dict[str, str]:
    """Name to unit."""
    return {
        name: each.unit for name, each in ATTRIBUTES.items() if not each.families or family in each.families
    }
