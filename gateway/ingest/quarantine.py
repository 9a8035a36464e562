"""Where refused things stay to be looked at (law 4): all are counted, a sample of each reason is kept.

Counting never fails and never waits; samples are bounded in memory, in rate and in the table.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select

from drivers.refusal import Reason
from drivers.telemetry import SECOND
from gateway.store.schema.cases import quarantine

SAMPLES_A_SECOND: Final = 10  # a reason
BUFFERED: Final = 1_000
KEPT: Final = 10_000  # newest rows of the table
PAYLOAD: Final = 4_096  # bytes kept of a payload
TEXT: Final = {"device": 64, "origin": 192, "topic": 512}  # characters kept, the columns' own width
DETAIL: Final = 1_000


Stranger = Callable[[str, str, str, bytes, int], object]  # device, origin, topic, payload, time


class Quarantine:
    """`counts` has every refusal since the start; `note` may be called while another thread flushes."""

    def __init__(self, kept: int = KEPT) -> None:
        self.counts: Counter[Reason] = Counter()
        self.sparing = False  # the disk is nearly full: refusals are counted, samples are not kept
        self._kept = kept
        self._buffer: deque[dict[str, object]] = deque()
        self._sent: list[dict[str, object]] = []  # the last flush; its transaction may have failed
        self._mark: int | None = None  # the row by which the table tells whether it has them
        self._newest, self._flushed = 0, -SECOND  # µs of the last sample, and of the last that was flushed
        self._second: dict[Reason, tuple[int, int]] = {}  # of its last sample, and how many in it
        self._stranger: Stranger | None = None

    def watch(self, stranger: Stranger) -> None:
        """`stranger` is told of each payload that was refused because its device is nobody's."""
        self._stranger = stranger

    def note(
        self, reason: Reason, time: int, device: str, origin: str, topic: str, payload: bytes, detail: str
    ) -> None:
        """Count one refusal at `time` (µs UTC), and keep it as a sample if there is room."""
        self.counts[reason] += 1
        if reason is Reason.UNKNOWN_DEVICE and self._stranger is not None:
            self._stranger(device, origin, topic, payload, time)
        if self.sparing:
            return
        second = time // SECOND
        last, taken = self._second.get(reason, (second, 0))
        if last != second:
            taken = 0
        if taken >= SAMPLES_A_SECOND or len(self._buffer) >= BUFFERED:
            return
        self._second[reason] = (second, taken + 1)
        self._newest = time
        texts = {"device": device, "origin": origin, "topic": topic}
        self._buffer.append(
            {name: _storable(text, TEXT[name]) for name, text in texts.items()}
            | {"time": time, "reason": str(reason), "payload": payload[:PAYLOAD]}
            | {"detail": _storable(detail, DETAIL)}
        )

    @property
    def waiting(self) -> int:
        """Samples to flush."""
        return len(self._buffer)

    @property
    def pending(self) -> bool:
        """Whether there are samples that should not wait longer: a flood of refusals must not cost a write a tick."""
        return bool(self._buffer) and self._newest - self._flushed >= SECOND

    def flush(self, conn: Connection) -> None:
        """Write the samples, with those of the last flush that the table has not; the oldest rows beyond the bound go.

        Part of the writer's transactions only: no two at once.
        """
        if self._mark is not None and _has(conn, self._mark):
            self._sent = []
        rows, self._mark = self._sent, None
        while self._buffer and len(rows) < BUFFERED:
            rows.append(self._buffer.popleft())
        if not rows:
            return
        self._flushed = self._newest
        conn.execute(insert(quarantine), rows)
        self._mark = newest = conn.scalars(select(func.max(quarantine.c.id))).one()
        conn.execute(delete(quarantine).where(quarantine.c.id <= newest - self._kept))

    def clear(self, conn: Connection) -> None:
        """All samples go: their space is needed."""
        self._sent, self._mark = [], None
        conn.execute(delete(quarantine))


def _has(conn: Connection, row: int) -> bool:
    return conn.scalar(select(quarantine.c.id).where(quarantine.c.id == row)) is not None


def _storable(text: str, length: int) -> str:
    """No lone surrogates and no NUL: neither store takes them."""
    return text[:length].encode("utf-8", "replace").decode().replace("\0", "�")
