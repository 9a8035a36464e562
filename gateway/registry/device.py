"""What a device may look like: one checker a field, shared by the API and the CSV import.

A checker takes text or a JSON value, returns what is stored, and raises Wrong with the problem and its remedy.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from msgspec import Struct

from drivers.products.product import Product
from drivers.telemetry import DAY, HOUR, MINUTE, SECOND
from rules.control import NOWHERE, DeviceRow

ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SEGMENT: Final = re.compile(r"[^/+#\x00-\x1f\x7f]{1,64}")
GRID: Final = re.compile(r"\d{15}")
ATTRIBUTE: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
INTERVAL: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)?")
UNITS: Final = {None: SECOND, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
SLOWEST: Final = 31 * DAY
ATTRIBUTES: Final = 32
DEPTH: Final = 8


class Device(Struct, frozen=True, gc=False):
    """One installed unit (design 4). Times µs UTC; lat, lon WGS-84 degrees; interval µs, 0 = the product's own."""

    id: str
    family: str
    index: int
    product: str
    name: str
    link: str
    lat: float | None
    lon: float | None
    grid: str
    area: str
    owner: str
    parent: str
    interval: int
    attributes: dict[str, float]
    retired: bool
    created: int
    updated: int


class Fault(Struct, frozen=True):
    """What is wrong with one field, and what to do about it. line: of the file that was imported; 0 elsewhere."""

    line: int
    column: str
    problem: str
    remedy: str


class Wrong(ValueError):  # noqa: N818 - a verdict on one field
    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


def _text(limit: int) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not isinstance(value, str) or len(value) > limit or not value.isprintable():
            raise Wrong(
                f"{value!r:.80} is not a text of at most {limit} characters",
                "shorten it; no control characters",
            )
        return value.strip()

    return check


def identity(value: object) -> str:
    """Safe in an MQTT topic, a URL and a file name."""
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise Wrong(
            f"{value!r:.80} cannot be an id",
            "use 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or digit",
        )
    return value


def _number(value: object) -> float:
    try:
        number = (
            float(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else math.nan
        )
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise Wrong(
            f"{value!r:.80} is not a number", "write digits with a point for decimals, such as 31.2304"
        )
    return number


def _degrees(limit: float) -> Callable[[object], float | None]:
    def check(value: object) -> float | None:
        if value is None or value == "":
            return None
        number = _number(value)
        if abs(number) > limit:
            raise Wrong(
                f"{number} is outside -{limit:g} to {limit:g}",
                "give WGS-84 degrees; are lat and lon swapped?",
            )
        return number

    return check


def grid(value: object) -> str:
    """单元网格: 6 administrative + 3 street + 3 community + 3 cell digits (GB/T 30428.1)."""
    if value == "":
        return ""
    if not isinstance(value, str) or not GRID.fullmatch(value):
        raise Wrong(
            f"{value!r:.80} is not a grid code", "give its 15 digits as text; spreadsheets round long numbers"
        )
    return value


def area(value: object) -> str:
    """A path, most general first: "xuhui/tianping/3"."""
    if value == "":
        return ""
    parts = value.split("/") if isinstance(value, str) else []
    if not 0 < len(parts) <= DEPTH or not all(SEGMENT.fullmatch(part) for part in parts):
        raise Wrong(
            f"{value!r:.80} is not an area path",
            f"write 1 to {DEPTH} names with / between them and neither + nor # in them, such as xuhui/tianping",
        )
    return "/".join(parts)


def interval(value: object) -> int:
    """µs; text such as "300", "300s", "5m"; a number means seconds."""
    if value in ("", None, 0):
        return 0
    match = INTERVAL.fullmatch(str(value)) if isinstance(value, (str, int, float)) else None
    micros = round(float(match[1]) * UNITS[match[2]]) if match else 0
    if not SECOND <= micros <= SLOWEST:
        raise Wrong(f"{value!r:.80} is not an interval of 1 s to 31 d", "write seconds, or 30s, 5m, 1h, 1d")
    return micros


def flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise Wrong(f"{value!r:.80} is neither true nor false", "write true or false")


def attributes(value: object) -> dict[str, float]:
    if not isinstance(value, Mapping) or len(value) > ATTRIBUTES:
        raise Wrong(
            "attributes are not a table of numbers", f"give at most {ATTRIBUTES} names with a number each"
        )
    for name in value:
        if not ATTRIBUTE.fullmatch(name):
            raise Wrong(
                f"{name!r:.80} cannot name an attribute", "use a-z 0-9 _ and begin with a letter: rated_power"
            )
    return {name: _number(number) for name, number in value.items()}


FIELDS: Final[Mapping[str, Callable[[object], Any]]] = {
    "id": identity,
    "family": _text(32),
    "product": _text(64),
    "name": _text(128),
    "link": _text(64),
    "lat": _degrees(90),
    "lon": _degrees(180),
    "grid": grid,
    "area": area,
    "owner": _text(128),
    "parent": lambda value: "" if value == "" else identity(value),
    "interval": interval,
    "attributes": attributes,
    "retired": flag,
}
EMPTY: Final[Mapping[str, Any]] = {
    "name": "",
    "link": "",
    "lat": None,
    "lon": None,
    "grid": "",
    "area": "",
    "owner": "",
    "parent": "",
    "interval": 0,
    "attributes": {},
    "retired": False,
}


@dataclass(frozen=True)
class Checker:
    """Checks whole devices against the catalogue of products."""

    products: Mapping[str, Product]

    def check(self, form: Mapping[str, object], line: int = 0) -> tuple[dict[str, Any], list[Fault]]:
        """The stored form of the fields given, and every fault among them. `form` has no other names than FIELDS."""
        values: dict[str, Any] = {}
        faults: list[Fault] = []
        for name, raw in form.items():
            try:
                values[name] = FIELDS[name](raw)
            except Wrong as wrong:
                faults.append(Fault(line, name, wrong.problem, wrong.remedy))
        return values, faults

    def complete(self, values: dict[str, Any], line: int = 0) -> list[Fault]:
        """Faults between the fields of one whole device; fills in family and link from its product."""
        return [Fault(line, column, problem, remedy) for column, problem, remedy in self._between(values)]

    def _between(self, values: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
        product = self.products.get(values.get("product", ""))
        if product is None:
            known = ", ".join(sorted(self.products))
            yield "product", f"no product {values.get('product', '')!r}", f"give one of: {known}"
        else:
            values["family"] = values.get("family") or product.family
            values["link"] = values.get("link") or product.transport
            if values["family"] != product.family:
                yield (
                    "family",
                    f"product {product.id} is of family {product.family}, not {values['family']}",
                    "leave the family empty or name another product",
                )
        if (values.get("lat") is None) != (values.get("lon") is None):
            yield "lat", "lat and lon stand together", "give both or neither"
        if values.get("parent") and values["parent"] == values.get("id"):
            yield "parent", "a device cannot be its own parent", "name the device above it, or leave it empty"

    def row(self, device: Device) -> DeviceRow:
        """What rules need to know of it."""
        product = self.products.get(device.product)
        return DeviceRow(
            index=device.index,
            id=device.id,
            product=device.product,
            area=device.area,
            lat=NOWHERE if device.lat is None else device.lat,
            lon=NOWHERE if device.lon is None else device.lon,
            interval=device.interval or (product.interval if product else 0),
            lateness=product.lateness if product else 0,
            parent=device.parent,
            link=device.link,
            attributes=device.attributes,
            retired=device.retired,
        )
