"""A TOML table read with every fault reported: wrong types, missing and unknown keys, each by its full key."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Table:
    """A mapping of untyped values. What was asked for is known; `close` reports what nobody asked for."""

    def __init__(self, data: object, faults: list[str], prefix: str = "") -> None:
        self._data: dict[str, Any] = (
            dict(cast("Mapping[str, Any]", data)) if isinstance(data, Mapping) else {}
        )
        self._faults = faults
        self._prefix = prefix
        self._asked: set[str] = set()

    def fault(self, key: str, what: str) -> None:
        self._faults.append(f"{self._prefix}{key} {what}")

    def has(self, key: str) -> bool:
        return key in self._data

    def names(self) -> list[str]:
        return list(self._data)

    def text(self, key: str, default: str = "", *, required: bool = False) -> str:
        return self._take(key, str, "a text", default, required=required)

    def flag(self, key: str) -> bool:
        return self._take(key, bool, "true or false", default=False)

    def number(self, key: str, default: float) -> float:
        value = self._take(key, (int, float), "a number", default)
        if isinstance(value, bool) or not math.isfinite(value):
            self.fault(key, f"is {value!r}; a finite number")
            return default
        return float(value)

    def text_or_number(self, key: str, *, required: bool = False) -> str | float:
        value: str | float = self._take(key, (str, int, float), "a text or a number", "", required=required)
        return float(value) if isinstance(value, int) else value

    def raws(self, key: str) -> tuple[str | float | bool | None, ...]:
        values: list[Any] = self._take(key, list, "a list", [])
        for value in values:
            if not isinstance(value, str | int | float | bool):
                self.fault(key, f"holds {value!r}; texts, numbers, true or false")
        return tuple(values)

    def table(self, key: str, *, required: bool = False) -> Table:
        return Table(
            self._take(key, Mapping, "a table", {}, required=required), self._faults, f"{self._prefix}{key}."
        )

    def table_or_text(self, key: str, name: str) -> Table:
        """A table, or its one key `name` written short as a text."""
        value: object = self._take(key, (Mapping, str), "a table or a text", {})
        return Table(
            {name: value} if isinstance(value, str) else value, self._faults, f"{self._prefix}{key}."
        )

    def table_or_value(self, key: str, name: str) -> Table:
        """A table, or its one key `name` written short as a text or a number."""
        value: object = self._take(key, (Mapping, str, int, float), "a table, a text or a number", {})
        return Table(
            value if isinstance(value, Mapping) else {name: value}, self._faults, f"{self._prefix}{key}."
        )

    def close(self) -> None:
        for key in self._data.keys() - self._asked:
            self.fault(key, f"is unknown; known are {', '.join(sorted(self._asked))}")

    def _take(self, key: str, kind: Any, wanted: str, default: T, *, required: bool = False) -> T:
        self._asked.add(key)
        if key not in self._data:
            if required:
                self.fault(key, f"is missing; write {wanted}")
            return default
        value = self._data[key]
        if not isinstance(value, kind):
            self.fault(key, f"is {value!r}; write {wanted}")
            return default
        return cast("T", value)
