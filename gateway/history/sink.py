"""Writes to the mirror, and finds the one point that it refuses.

Every write may be repeated: the mirror keeps one value for a series, a field and a time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from gateway.errors import CitygateError, LinkError

DEVICE: Final = re.compile(r"\w+,device=((?:\\.|[^,\\])+)")
MOST: Final = 64  # points of one batch that are sorted out; more is no fault of points


class PointsRefused(CitygateError):  # noqa: N818 - a verdict, named as the design names it
    """At least one point of this write is not acceptable."""


class Sink(Protocol):
    """Takes lines; returns once the mirror has acknowledged them."""

    def write(self, lines: Sequence[str]) -> None:
        """Raises PointsRefused, or LinkError where trying again may help."""

    def close(self) -> None: ...


class Refused(NamedTuple):
    line: str
    detail: str

    @property
    def device(self) -> str:
        """Its id, out of the line."""
        found = DEVICE.match(self.line)
        return re.sub(r"\\(.)", r"\1", found[1]) if found else ""


def deliver(sink: Sink, lines: Sequence[str]) -> list[Refused]:
    """Write all lines but those that are refused. One of n costs log2(n) + 1 writes more than none.

    Raises LinkError where the mirror is away, or refuses so much that its points cannot be at fault.
    """
    refused: list[Refused] = []
    rest = list(lines)
    while rest:
        try:
            sink.write(rest)
        except PointsRefused as error:
            if len(refused) == MOST:
                raise LinkError(f"the mirror refuses whole batches: {error}") from error
            bad, detail, rest = _search(sink, rest, str(error))
            refused.append(Refused(bad, detail))
        else:
            break
    return refused


def _search(sink: Sink, lines: list[str], detail: str) -> tuple[str, str, list[str]]:
    """(a refused line, why, the lines that nobody has tried without it) of lines that were refused together."""
    low, high = 0, len(lines)
    untried: list[str] = []
    while high - low > 1:
        middle = (low + high) // 2
        try:
            sink.write(lines[low:middle])
        except PointsRefused as error:
            detail = str(error)
            untried = lines[middle:high] + untried
            high = middle
        else:
            low = middle
    return lines[low], detail, untried
