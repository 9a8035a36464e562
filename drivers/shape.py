"""The strict shape of a family's own payloads (design 3), generated as typed structs: what fits needs no second look.

No field accepts free-form data and unknown keys are refused, so nothing nests here and a hostile payload is rejected
at its first odd byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from drivers.telemetry import Quality

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from drivers.telemetry import Family

IMPLIED: Final = ("event", "online")
QUALITIES: Final[dict[str, int]] = {q.name.lower(): int(q) for q in Quality if q is not Quality.ABSENT}
LAST_MILLISECOND: Final = 253_402_300_799_999  # the end of year 9999
UNTIMED: Final = -1  # Reading.ts where the device sent no time

Channel = Literal["telemetry", "event", "status"]
CHANNELS: Final[tuple[str, ...]] = ("telemetry", "event", "status")

_NAN: Final = float("nan")


class Shape:
    """The typed structs of one family and channel; names: of its points, where not all are expected.

    `values(**points)` is one row's declared points, NaN where absent. `reading(v=, ts=, q=, hist=, event=)` is one
    reading; of status it is `reading(state=, ts=)`.
    """

    def __init__(self, family: Family, channel: str, names: Collection[str] | None = None) -> None:
        if channel not in CHANNELS:
            raise ValueError(f"no such channel: {channel!r}; there are {', '.join(CHANNELS)}")
        self.family = family
        self.channel = channel
        declared = [point.name for point in family.points if point.name not in IMPLIED]
        self.names = tuple(name for name in declared if names is None or name in names)
        self.values: Any = msgspec.defstruct(
            "Values", [(name, float, _NAN) for name in self.names], gc=False, forbid_unknown_fields=True
        )
        self.reading: Any = msgspec.defstruct(
            "Reading", self._fields(), gc=False, kw_only=True, forbid_unknown_fields=True
        )

    def _fields(self) -> list[Any]:
        time = Annotated[int, msgspec.Meta(ge=0, le=LAST_MILLISECOND)]
        if self.channel == "status":
            return [("state", Literal["offline", "online"]), ("ts", time, UNTIMED)]
        names: Any = Literal[self.names]
        words: Any = Literal[tuple(QUALITIES)]
        fields: list[Any] = [
            ("ts", time, UNTIMED),
            ("q", dict[names, words] | None, None),
            ("hist", bool, False),
        ]
        if self.channel == "event":
            events: Any = Literal[tuple(alarm.name for alarm in self.family.alarms)]
            return [
                ("event", events),
                ("v", self.values, msgspec.field(default_factory=self.values)),
                *fields,
            ]
        return [("v", self.values), *fields, ("event", None, None)]

    def decoder(self) -> Callable[[bytes], Any]:
        """One payload to one reading, or msgspec's error."""
        return msgspec.json.Decoder(self.reading).decode

    def list_decoder(self, limit: int) -> Callable[[bytes], list[Any]]:
        """One payload to a list of at most `limit` readings, or msgspec's error."""
        some = Annotated[list[self.reading], msgspec.Meta(min_length=1, max_length=limit)]  # type: ignore[name-defined]
        decode: Callable[[bytes], list[Any]] = msgspec.json.Decoder(some).decode
        return decode
