"""What changed between two versions of a rule, in words that a person reads: conditions, parameters, texts."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

Json = dict[str, Any]
LABELS: Final = {
    "when": ("raised when", "触发条件"),
    "clear": ("cleared when", "恢复条件"),
    "hold": ("must last", "持续时间"),
    "valid": ("share of valid data", "有效数据比例"),
    "severity": ("severity", "级别"),
    "alarm": ("alarm", "告警"),
    "case": ("case", "工单类型"),
    "action": ("action", "联动"),
    "source": ("source", "依据"),
    "en": ("text in English", "英文说明"),
    "zh": ("text in Chinese", "中文说明"),
    "family": ("family", "设备类别"),
    "families": ("families", "设备类别"),
}
_PARTS: Final = {
    "value": ("default of", "默认值"),
    "unit": ("unit of", "单位"),
    "min": ("least value of", "最小值"),
    "max": ("greatest value of", "最大值"),
}
_ORDER: Final = {name: place for place, name in enumerate(LABELS)}


class Difference(Struct, frozen=True):
    """key: dotted, as in the document. before, after: as text with unit; "" = it was not there, it is gone."""

    key: str
    en: str
    zh: str
    before: str
    after: str


def differences(before: Json, after: Json) -> list[Difference]:
    """Conditions first, then the rest in the order of a rule, then parameters by name; nothing where both are the same."""
    found = []
    keys = (set(before) | set(after)) - {"id", "version"}
    for key in sorted(keys, key=lambda each: (_ORDER.get(each, len(_ORDER)), each)):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if _tunable(old) and _tunable(new):
            found += _parts(key, old or {}, new or {})
        elif key in LABELS:
            found.append(Difference(key, *LABELS[key], _text(old), _text(new)))
        else:
            found.append(Difference(key, f"parameter {key}", f"参数 {key}", _declared(old), _declared(new)))
    return found


def _tunable(value: object) -> bool:
    return isinstance(value, dict) and "value" in value


def _parts(name: str, old: Json, new: Json) -> list[Difference]:
    return [
        Difference(f"{name}.{part}", f"{en} {name}", f"{name} {zh}", _shown(old, part), _shown(new, part))
        for part, (en, zh) in _PARTS.items()
        if old.get(part) != new.get(part)
    ]


def _shown(table: Json, part: str) -> str:
    value = table.get(part)
    return _text(value) if part == "unit" else f"{_text(value)} {table.get('unit', '')}".strip()


def _declared(table: Json | None) -> str:
    if not isinstance(table, dict):
        return _text(table)
    return f"{_shown(table, 'value')} ({_text(table.get('min'))} to {_text(table.get('max'))})"


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} = {_text(each)}" for key, each in value.items())
    return str(value)
