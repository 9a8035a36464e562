"""A product: how one maker's model speaks. A declaration, in a file of its own or in the configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from drivers import json_map
from drivers.families import FAMILIES
from drivers.hj212 import declared as stations
from drivers.modbus import declared
from drivers.table import Table
from drivers.telemetry import SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.codec import Codec
    from drivers.hj212.profile import StationMap
    from drivers.json_map import JsonMap
    from drivers.modbus.register_map import RegisterMap

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_LONGEST: Final = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Product:
    """telemetry None: speaks the payloads of design 3. interval, lateness: µs; interval 0 = the family's own."""

    id: str
    maker: str
    model: str
    family: str
    source: str  # where its facts come from
    transport: str = "mqtt"
    telemetry: JsonMap | None = None
    modbus: RegisterMap | None = (
        None  # transport modbus: its registers; a poll enters as a payload of design 3
    )
    codec: Codec | None = None  # its payloads are bytes of a protocol (LoRaWAN, NB-IoT)
    hj212: StationMap | None = None  # transport hj212: its factors
    interval: int = 0
    lateness: int = 0

    @classmethod
    def from_table(cls, data: Mapping[str, Any]) -> Product:
        """A [[product]] table of the configuration (interval and lateness in seconds); raises DeclarationError."""
        faults: list[str] = []
        table = Table(data, faults)
        name = table.text("family", required=True)
        if name not in FAMILIES:
            table.fault("family", f"is {name!r}; one of {', '.join(FAMILIES)}")
        id_ = table.text("id", required=True)
        if not _ID.fullmatch(id_):
            table.fault("id", f"is {id_!r}; lower-case letters, digits and hyphens, at most 63")
        mapping = None
        if table.has("telemetry"):
            inner = table.table("telemetry")
            mapping = json_map.read(inner, FAMILIES[name]) if name in FAMILIES else None
        registers = None
        if table.has("modbus"):
            inner = table.table("modbus")
            registers = declared.read(inner, FAMILIES[name]) if name in FAMILIES else None
        factors = None
        if table.has("hj212"):
            inner = table.table("hj212")
            factors = stations.read(inner, FAMILIES[name]) if name in FAMILIES else None
        if registers and factors:
            table.fault("hj212", "and modbus are two transports; declare two products")
        product = cls(
            id=id_,
            maker=table.text("maker", required=True),
            model=table.text("model", required=True),
            family=name,
            source=table.text("source", "configuration"),
            transport="modbus" if registers else "hj212" if factors else "mqtt",
            telemetry=mapping,
            modbus=registers,
            hj212=factors,
            interval=_span(table, "interval"),
            lateness=_span(table, "lateness"),
        )
        table.close()
        if faults:
            raise DeclarationError(faults)
        return product


class DeclarationError(ValueError):
    """A product that cannot be used; `faults` has one line a fault, each with its key."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def _span(table: Table, key: str) -> int:
    seconds = table.number(key, 0)
    if not 0 <= seconds <= _LONGEST:
        table.fault(key, f"is {seconds:g}; seconds, at most 30 days")
        return 0
    return round(seconds * SECOND)
