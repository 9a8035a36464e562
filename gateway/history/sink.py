"""Writes to the mirror through influxdb-client, and finds the one point that it refuses.

Every write may be repeated: the mirror keeps one value for a series, a field and a time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from gateway.errors import CitygateError, LinkError
from gateway.history.mirror_settings import MirrorSettings

MICROSECONDS: Final[Any] = "us"  # influxdb_client's WritePrecision is a class of such words
REFUSALS: Final = frozenset({400, 413, 422})
EXPIRED: Final = "beyond retention policy"  # InfluxDB wrote the rest; the mirror itself does not want these
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


class InfluxSink:
    """InfluxDB 2 or 3, VictoriaMetrics: whatever takes line protocol at /api/v2/write. Blocks."""

    def __init__(self, settings: MirrorSettings) -> None:
        self._bucket = settings.bucket
        self._client = InfluxDBClient(
            settings.url,
            settings.token.get_secret_value(),
            org=settings.org,
            timeout=round(settings.timeout_s * 1000),
            enable_gzip=True,
        )
        self._api = self._client.write_api(write_options=SYNCHRONOUS)

    def write(self, lines: Sequence[str]) -> None:
        try:
            self._api.write(self._bucket, record="\n".join(lines), write_precision=MICROSECONDS)
        except ApiException as error:
            detail = _detail(error)
            if error.status not in REFUSALS:
                raise LinkError(f"{error.status} {detail}") from error
            if EXPIRED not in detail:
                raise PointsRefused(detail) from error
        except (HTTPError, OSError) as error:
            raise LinkError(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        self._api.close()  # type: ignore[no-untyped-call]
        self._client.close()  # type: ignore[no-untyped-call]


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


def _detail(error: ApiException) -> str:
    """What the server says, else the reason."""
    body = error.body.decode("utf-8", "replace") if isinstance(error.body, bytes) else error.body
    return f"{getattr(error, 'message', None) or body or error.reason}".strip()[:500]
