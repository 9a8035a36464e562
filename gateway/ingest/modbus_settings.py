"""[[modbus]]: one bus each, how it is reached and who answers on it. Faults between keys are named with the key to change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from drivers.modbus.register_map import RegisterMap

NAME: Final = r"^[a-z0-9][a-z0-9-]{0,31}$"
_LENGTH: Final = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*(ms|s|m|h)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def _seconds(value: Any) -> Any:
    """Seconds of "5s", "200ms" or "1m"; a number is seconds already."""
    if not isinstance(value, str):
        return value
    found = _LENGTH.fullmatch(value.strip())
    if found is None:
        raise ValueError('a length of time is a number and a unit, as "5s", "200ms" or "1m"')
    return float(found[1]) * _SECONDS[found[2]]


def _packet(value: Any) -> Any:
    """Bytes of a text, or of "hex:0d 0a"."""
    if not isinstance(value, str):
        return value
    if not value.startswith("hex:"):
        return value.encode()
    try:
        return bytes.fromhex(value[4:])
    except ValueError:
        raise ValueError(f"{value!r:.80} is no hex; write it as hex:01 02 ff") from None


Seconds = Annotated[float, BeforeValidator(_seconds)]
Packet = Annotated[bytes, BeforeValidator(_packet)]
Unit = Annotated[int, Field(ge=1, le=255)]


class SlaveSettings(BaseModel):
    """One device of a bus."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: str = Field(min_length=1, description="id of the device in the registry, which says its product")
    unit: Unit | None = Field(None, description="its unit id, where it is one module")
    units: dict[str, Unit] = Field(
        default_factory=dict,
        description="unit id of each of its product's modules; those left out are not asked",
    )
    period: Seconds = Field(60.0, ge=0.01, le=86_400, description="how often it is asked, in city time")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.unit is None) is not bool(self.units):
            raise ValueError("give unit, or units by module, not both")
        return self

    def units_of(self, declared: RegisterMap) -> dict[str, int]:
        """Unit id by module; raises ValueError where these are not the product's modules."""
        names = [module.name for module in declared.modules]
        if self.unit is not None:
            if len(names) > 1:
                raise ValueError(f"its product has the modules {', '.join(names)}; give units = {{ … }}")
            return {names[0]: self.unit}
        if strange := sorted(set(self.units) - set(names)):
            raise ValueError(f"its product has no module {', '.join(strange)}, but {', '.join(names)}")
        return self.units


class ModbusSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=NAME, description="in logs and metrics")
    kind: Literal["tcp", "rtu", "rtu-tcp", "dtu"] = Field(
        description="Modbus TCP; serial RTU; RTU over TCP to a converter; a DTU that dials in"
    )
    host: str = Field("127.0.0.1", min_length=1, description="of the other side; kind dtu: where we listen")
    port: int = Field(502, ge=0, le=65_535, description="of the other side; kind dtu: where we listen")
    serial: str = Field("", description="serial device, as /dev/ttyUSB0; kind rtu")
    baud: int = Field(9_600, ge=300, le=921_600, description="kind rtu")
    parity: Literal["N", "E", "O"] = Field("N", description="kind rtu")
    stop_bits: Literal[1, 2] = Field(1, description="kind rtu")
    timeout: Seconds = Field(1.0, ge=0.02, le=60, description="within which an answer must have come whole")
    pause: Seconds = Field(0.0, ge=0, le=10, description="between an answer and the next request")
    reconnect_cap: Seconds = Field(
        60.0, ge=1, le=3_600, description="between two attempts at most; each pause is random, to that bound"
    )
    silence: Seconds = Field(
        30.0, ge=1, le=3_600, description="a line on which nobody answers for so long is opened anew"
    )
    registration: Packet = Field(b"", max_length=256, description="what a DTU sends first; text or hex:…")
    heartbeats: tuple[Packet, ...] = Field((), description="what a DTU sends of its own now and then")
    slaves: tuple[SlaveSettings, ...] = Field((), max_length=1_000, description="who answers on this bus")

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if (self.kind == "rtu") is not bool(self.serial):
            raise ValueError("serial belongs to kind rtu, and kind rtu needs it")
        if self.kind != "dtu" and (self.registration or self.heartbeats):
            raise ValueError("registration and heartbeats belong to kind dtu")
        units = [
            unit for slave in self.slaves for unit in (slave.unit, *slave.units.values()) if unit is not None
        ]
        if twins := sorted({unit for unit in units if units.count(unit) > 1}):
            raise ValueError(f"unit {twins[0]} answers for two; every module of a bus has its own")
        return self

    @property
    def address(self) -> str:
        where = self.serial or f"{self.host}:{self.port}"
        return f"modbus:{self.name}@{where}"

    @property
    def silent_interval(self) -> float:
        """3.5 characters of 11 bits between two frames; fixed above 19,200 baud (Modbus over serial line 1.02, 2.5.1.1)."""
        return 0.0 if self.kind != "rtu" else max(3.5 * 11 / self.baud, 0.00175)


def faults(buses: Sequence[ModbusSettings]) -> list[str]:
    """What is wrong between buses, one line a fault."""
    found: list[str] = []
    names = [bus.name for bus in buses]
    found += [
        f"modbus: two buses are called {name}" for name in sorted({n for n in names if names.count(n) > 1})
    ]
    devices = [slave.device for bus in buses for slave in bus.slaves]
    found += [
        f"modbus: {device} is polled twice; a device is on one bus, once"
        for device in sorted({d for d in devices if devices.count(d) > 1})
    ]
    doors: dict[tuple[str, int], list[ModbusSettings]] = {}
    for bus in buses:
        if bus.kind == "dtu" and bus.port:
            doors.setdefault((bus.host, bus.port), []).append(bus)
    for callers in doors.values():
        found += [
            f"modbus: {one.name} and {other.name} cannot be told apart: one registration begins with the other"
            for place, one in enumerate(callers)
            for other in callers[place + 1 :]
            if one.registration.startswith(other.registration)
            or other.registration.startswith(one.registration)
        ]
    return found
