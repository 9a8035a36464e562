"""Law 7 as functions of values: what a product may be told, with which arguments, and what one person may do alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from msgspec import Struct

from drivers.families import FAMILIES
from drivers.lorawan.codec import Frames
from drivers.products.product import Product
from drivers.telemetry import Bool, Command, Point
from gateway.commands.settings import CommandSettings
from gateway.errors import Invalid
from rules.sun import sun_times

LAMP: Final = "streetlight"
CABINET: Final = "cabinet"


class Site(Struct, frozen=True, gc=False):
    """A device that is to be told something, or a lamp that would go dark with it. interval: µs."""

    id: str
    family: str
    index: int
    product: str
    area: str
    lat: float | None
    lon: float | None
    interval: int = 0
    rated: float | None = None


class Asked(Struct, frozen=True):
    """What the limits judge. lamps: that follow what is told to others (a cabinet's). lately: devices that the

    same person commanded alone within the last minutes. areas: how many devices of the family each area has.
    """

    name: str
    args: Mapping[str, float]
    told: Sequence[Site]
    lamps: Sequence[Site]
    lately: Mapping[str, str]  # area by device
    areas: Mapping[str, int]
    now: int
    until: int


def allowed(product: Product, settings: CommandSettings) -> frozenset[str]:
    """The commands that a product may be given: its own, unless [commands] allow says which."""
    own = product_commands(product)
    listed = settings.allow.get(product.id)
    return own if listed is None else own & frozenset(listed)


def product_commands(product: Product) -> frozenset[str]:
    """Of the family, those that a product can be told; all of them where it speaks citygate's own payloads."""
    own = frozenset(command.name for command in FAMILIES[product.family].commands)
    if isinstance(product.codec, Frames):
        return own & frozenset(product.codec.downlinks)
    if product.codec is not None:
        return frozenset()
    if product.hj212 is not None:
        return own & product.hj212.commands
    if product.modbus is not None:
        return own & {one.command for module in product.modbus.modules for one in module.controls}
    return frozenset() if product.telemetry is not None else own


def fits(product: Product, name: str, args: Mapping[str, float]) -> None:
    """Raises Invalid where the product's own range is narrower than the family's."""
    if isinstance(product.codec, Frames):
        try:
            product.codec.downlink(name, args)
        except ValueError as error:
            raise Invalid(f"{product.id}: {error}") from error


def families_of(name: str) -> list[str]:
    """Which families know a command."""
    return [family.name for family in FAMILIES.values() if any(name == one.name for one in family.commands)]


def typed(family: str, name: str, args: Mapping[str, float | str]) -> dict[str, float]:
    """The arguments as numbers, labels as their positions; raises Invalid where the family says otherwise."""
    commands = {command.name: command for command in FAMILIES[family].commands}
    command = commands.get(name)
    if command is None:
        raise Invalid(f"a {family} knows no command {name!r:.80}; it knows: {', '.join(commands) or 'none'}")
    if set(args) != {point.name for point in command.args}:
        raise Invalid(f"command {name} takes {_signature(command)}")
    return {point.name: _argument(point, args[point.name]) for point in command.args}


def _signature(command: Command) -> str:
    return ", ".join(point.name for point in command.args) or "no arguments"


def _argument(point: Point, value: float | str) -> float:
    if isinstance(value, str):
        if value not in point.labels:
            raise Invalid(f"{point.name} is one of {', '.join(point.labels) or 'a range of numbers'}")
        return float(point.labels.index(value))
    if not point.low <= value <= point.high or (point.labels and value != int(value)):
        raise Invalid(
            f"{point.name} = {value:g} is outside {point.low:g} to {point.high:g} {point.unit}".rstrip()
        )
    return float(value)


def darkens(name: str, args: Mapping[str, float], settings: CommandSettings) -> bool:
    """Whether lamps that are told this go out, or nearly so."""
    if name in {"switch", "contactor"}:
        return args["state"] == 0
    return name == "dim" and args["level"] < settings.dark_below


def second_person(asked: Asked, settings: CommandSettings) -> Iterator[str]:
    """Why one person alone may not do this; nothing where they may."""
    touched = {site.id: site.area for site in (*asked.told, *asked.lamps)}
    devices = {**asked.lately, **touched}
    if len(devices) >= settings.second_person_from:
        yield f"{len(devices)} devices, {settings.second_person_from - 1} at most by one person"
    yield from _shares(devices, touched, asked.areas, settings)
    if not darkens(asked.name, asked.args, settings):
        return
    lamps = [site for site in (*asked.told, *asked.lamps) if site.family == LAMP]
    dark = int(np.count_nonzero(at_night(lamps, asked.now, asked.until))) if len(lamps) > 1 else 0
    if dark:
        yield f"{dark} lamps would go out at night"


def _shares(
    devices: Mapping[str, str],
    touched: Mapping[str, str],
    areas: Mapping[str, int],
    settings: CommandSettings,
) -> Iterator[str]:
    of = Counter(area_of(area, settings) for area in devices.values())
    for area in sorted({area_of(area, settings) for area in touched.values()}):
        n, there = of[area], areas.get(area, 0)
        if n > settings.area_spared and n > settings.area_share * there:
            yield f"{n} of the {there} devices of {area or 'no area'}, {settings.area_share:.0%} at most by one person"


def area_of(path: str, settings: CommandSettings) -> str:
    """The area that counts: the first names of a device's path."""
    return "/".join(path.split("/")[: settings.area_levels])


def at_night(lamps: Collection[Site], now: int, until: int) -> Bool:
    """Of each lamp, whether the sun is down where it stands at any time from `now` to `until`; without a place it is."""
    placed = [site for site in lamps if site.lat is not None and site.lon is not None]
    dark = np.ones(len(lamps), bool)
    if placed:
        lat, lon = (np.array([getattr(site, axis) for site in placed]) for axis in ("lat", "lon"))
        _, rise, fall, _ = sun_times(np.full(len(placed), now, np.int64), lat, lon)
        where = [site.lat is not None and site.lon is not None for site in lamps]
        dark[np.array(where)] = ~((rise <= now) & (until < fall))
    return dark


def stages(devices: int, settings: CommandSettings) -> list[int]:
    """How many devices each stage has: 1, 10, 100, the rest."""
    sizes: list[int] = []
    for size in settings.stages:
        left = devices - sum(sizes)
        if left > 0:
            sizes.append(min(size, left))
    left = devices - sum(sizes)
    return [*sizes, left] if left > 0 else sizes
