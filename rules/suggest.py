"""A threshold proposed from history and verdicts, with the reason and its limits, in English and Chinese. Pure.

Of the values that keep nearly all that crews found real, the one that keeps the least of what they found false. Too few
verdicts: no value is proposed, and that is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Final

from msgspec import Struct

LEAST: Final = 20  # verdicts, real and false together
LEAST_EACH: Final = 5
KEPT: Final = 0.95  # of the real ones that a proposal must keep
FEW_DAYS: Final = 14
STEPS: Final = 14  # values tried besides the current one
SPREAD: Final = 0.5  # of the current value, to both sides


class Tried(Struct, frozen=True):
    """One value over the history: alarms raised, and how many alarms judged real and false it raises too."""

    value: float
    alarms: int
    real: int
    false_alarm: int


class Now(Struct, frozen=True):
    """The parameter, its unit and its value now; verdicts: alarms judged real and false; days of history."""

    parameter: str
    unit: str
    value: float
    real: int
    false_alarm: int
    days: float


class Suggestion(Struct, frozen=True):
    """value: what is proposed, None where nothing can be; it may be the current one. real, false_alarm: verdicts there are."""

    parameter: str
    unit: str
    current: float
    value: float | None
    real: int
    false_alarm: int
    days: float
    tried: list[Tried]
    en: str
    zh: str
    limits_en: list[str]
    limits_zh: list[str]


def values_to_try(current: float, low: float, high: float) -> list[float]:
    """Values around the current one, in order, within its range; the current one is among them."""
    reach = abs(current) * SPREAD or (high - low) * SPREAD
    first, last = max(low, current - reach), min(high, current + reach)
    steps = [first + (last - first) * step / STEPS for step in range(STEPS + 1)]
    rounded = {min(max(float(f"{each:.3g}"), low), high) for each in steps}
    return sorted(rounded | {current})


def suggest(now: Now, tried: Sequence[Tried]) -> Suggestion:
    """tried: by value, the current one among them."""
    limits_en, limits_zh = _limits(now.days)
    standing = next(each for each in tried if each.value == now.value)
    best: Tried | None = None
    if now.real + now.false_alarm < LEAST or min(now.real, now.false_alarm) < LEAST_EACH:
        en, zh = _too_little(now)
    else:
        best = _best(tried, standing, now.real)
        en, zh = _keep(now, standing) if best is standing else _change(now, standing, best)
    return Suggestion(
        now.parameter,
        now.unit,
        now.value,
        best.value if best else None,
        now.real,
        now.false_alarm,
        now.days,
        list(tried),
        en,
        zh,
        limits_en,
        limits_zh,
    )


def _best(tried: Sequence[Tried], now: Tried, real: int) -> Tried:
    """The current value stays where no other one spares a false alarm."""
    enough = [each for each in tried if each.real >= ceil(KEPT * real)]
    best = min(
        enough, key=lambda each: (each.false_alarm, -each.real, abs(each.value - now.value)), default=now
    )
    return best if best.false_alarm < now.false_alarm or now not in enough else now


def _too_little(now: Now) -> tuple[str, str]:
    en = (
        f"Too little data: crews judged {now.real} alarms of this rule real and {now.false_alarm} false; {LEAST} "
        f"verdicts are needed, at least {LEAST_EACH} of each. No value is proposed; the table shows what each would "
        "have raised."
    )
    zh = (
        f"数据不足：该规则已核实的告警为真实{now.real}条、误报{now.false_alarm}条；至少需要{LEAST}条核实结果，"
        f"且两类各不少于{LEAST_EACH}条。不提出建议值；表中列出各取值的告警数。"
    )
    return en, zh


def _keep(now: Now, standing: Tried) -> tuple[str, str]:
    shown = f"{now.parameter} = {standing.value:g} {now.unit}".strip()
    en = (
        f"Keep {shown}: of {now.real} alarms judged real it keeps {standing.real}, of {now.false_alarm} judged false "
        f"{standing.false_alarm}; no value tried spares more false alarms and keeps {KEPT:.0%} of the real ones."
    )
    zh = (
        f"建议保持{shown}：{now.real}条真实告警保留{standing.real}条，{now.false_alarm}条误报仍有"
        f"{standing.false_alarm}条；所试各值中，没有既保留{KEPT:.0%}真实告警又减少误报的取值。"
    )
    return en, zh


def _change(now: Now, standing: Tried, best: Tried) -> tuple[str, str]:
    name, days = now.parameter, now.days
    shown, before = f"{best.value:g} {now.unit}".strip(), f"{standing.value:g} {now.unit}".strip()
    rates = (best.alarms / days, standing.alarms / days)
    en = (
        f"Set {name} to {shown} instead of {before}: of {now.real} alarms that crews judged real it keeps {best.real} "
        f"(now {standing.real}), of {now.false_alarm} judged false it keeps {best.false_alarm} "
        f"(now {standing.false_alarm}); {rates[0]:.2g} alarms a day instead of {rates[1]:.2g}, over {days:g} days."
    )
    zh = (
        f"建议将{name}由{before}改为{shown}：{now.real}条真实告警保留{best.real}条（现{standing.real}条），"
        f"{now.false_alarm}条误报保留{best.false_alarm}条（现{standing.false_alarm}条）；"
        f"{days:g}天内日均告警{rates[0]:.2g}条，现为{rates[1]:.2g}条。"
    )
    return en, zh


def _limits(days: float) -> tuple[list[str], list[str]]:
    en = [
        "Only alarms that were raised could be judged: what a more sensitive value adds nobody has looked at.",
        "Verdicts are of the past; another season, site or device may differ.",
    ]
    zh = [
        "只有已产生的告警才有核实结果：更灵敏的取值所新增的告警无人核实。",
        "核实结果只代表过去，季节、工地或设备变化后可能不同。",
    ]
    if days < FEW_DAYS:
        en.append(f"The history looked at is {days:g} days; weekly rhythms are hardly in it.")
        zh.append(f"所用历史仅{days:g}天，难以反映按周变化的规律。")
    return en, zh
