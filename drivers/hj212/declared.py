"""A station's factors from the configuration: every fault of them is reported at once, each by its key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from drivers.hj212.commands import MINUTE_INTERVALS, WORDED
from drivers.hj212.crc import Crc
from drivers.hj212.profile import Factor, StationMap
from drivers.shape import IMPLIED

if TYPE_CHECKING:
    from drivers.table import Table
    from drivers.telemetry import Family

CALIBRATE: Final = "calibrate"
_CODE: Final = re.compile(r"[A-Za-z0-9_.]{1,20}(?:-RS)?")


def read(table: Table, family: Family) -> StationMap:
    """[product.hj212]: factors = { point = code, … } and how its stations speak. Faults go to the table."""
    known = {point.name for point in family.points if point.name not in IMPLIED}
    inner = table.table("factors", required=True)
    if not inner.names():
        table.fault("factors", 'names no point; write at least one as pm10 = "a34002"')
    factors: list[Factor] = []
    for point in inner.names():
        if point in known:
            factors.append(_factor(point, inner.table_or_text(point, "code")))
        else:
            inner.fault(point, f"is no point of the family; it has {', '.join(sorted(known))}")
            inner.table_or_text(point, "code")
    codes = [code for factor in factors for code in factor.codes]
    unused = _codes(table, "unused")
    for twin in sorted({code for code in codes if codes.count(code) > 1} | (set(codes) & set(unused))):
        table.fault("factors", f"read {twin} twice, or call it unused; a factor is one point")
    crc = table.text("crc", Crc.HJ212)
    if crc not in list(Crc):
        table.fault("crc", f"is {crc!r}; one of {', '.join(Crc)}")
        crc = Crc.HJ212
    minutes = round(table.number("minutes", 10))
    if minutes not in MINUTE_INTERVALS:
        table.fault("minutes", f"is {minutes}; one of {', '.join(map(str, MINUTE_INTERVALS))}")
    subject = table.text("subject")
    found = StationMap(
        tuple(factors),
        Crc(crc),
        frozenset(unused),
        minutes,
        _commands(table, family, subject),
        subject,
        _doubt(table, family),
    )
    table.close()
    return found


def _factor(point: str, inner: Table) -> Factor:
    """`code` or `codes` where stations differ; the first found wins."""
    codes = _codes(inner, "codes") or ((inner.text("code"),) if inner.has("code") else ())
    if inner.has("codes") and inner.has("code"):
        inner.fault("code", "and codes say the same; write one of them")
    if not codes:
        inner.fault("code", 'is missing; write the factor code, as "a34002"')
    for code in codes:
        if not _CODE.fullmatch(code):
            inner.fault("code", f"is {code!r}; a factor code without its suffix, as a34002, LA or SB1-RS")
    scale = inner.number("scale", 1.0)
    if scale == 0:
        inner.fault("scale", "is 0; every value would be the same")
    factor = Factor(point, codes, scale or 1.0, inner.flag("state"), _plausible(inner))
    inner.close()
    return factor


def _codes(table: Table, key: str) -> tuple[str, ...]:
    raws = table.raws(key)
    if any(not isinstance(raw, str) for raw in raws):
        table.fault(key, "holds something else than texts; write factor codes")
    return tuple(raw for raw in raws if isinstance(raw, str))


def _plausible(inner: Table) -> tuple[float, float] | None:
    raws = inner.raws("plausible")
    ends = [float(raw) for raw in raws if isinstance(raw, int | float)]
    if not raws:
        return None
    if len(raws) != 2 or len(ends) != 2 or ends[0] >= ends[1]:
        inner.fault("plausible", "is no pair of low and high, as [2, 3000]")
        return None
    return ends[0], ends[1]


def _commands(table: Table, family: Family, subject: str) -> frozenset[str]:
    known = {command.name for command in family.commands} & WORDED
    names = _codes(table, "commands")
    for name in names:
        if name not in known:
            table.fault("commands", f"name {name}; HJ 212 has words for {', '.join(sorted(known))}")
    if CALIBRATE in names and not subject:
        table.fault("subject", "is missing; write the factor code that a calibration is for")
    return frozenset(names) & known


def _doubt(table: Table, family: Family) -> str:
    name = table.text("doubt")
    alarms = [alarm.name for alarm in family.alarms]
    if name and name not in alarms:
        table.fault("doubt", f"is {name!r}, no alarm of the family; it has {', '.join(alarms)}")
        return ""
    return name
