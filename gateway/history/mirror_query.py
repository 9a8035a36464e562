"""How a mirror is asked what it holds: every value of a family and a span, one series for a field of a device and kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, Protocol, TypeVar

import httpx
import msgspec
import numpy as np

from drivers.telemetry import SECOND, Family, Float64, Int64
from gateway import foreign
from gateway.errors import LinkError
from gateway.history.mirror_settings import Dialect, MirrorSettings

MILLISECOND: Final = 1000  # µs; VictoriaMetrics keeps no finer time
PATIENCE: Final = 6  # an answer may take so many times longer than a write


class Series(NamedTuple):
    """One field of one device and kind: time µs UTC."""

    device: str
    kind: str
    field: str
    time: Int64
    value: Float64


class Reader(Protocol):
    """Asks a mirror what it holds."""

    def series(self, family: Family, t0: int, t1: int) -> Iterator[Series]:
        """All values of t0 ≤ time < t1 (µs UTC); raises LinkError."""

    def close(self) -> None: ...


def reader(settings: MirrorSettings) -> Reader:
    """Who asks this mirror."""
    return VictoriaMetrics(settings) if settings.dialect is Dialect.VICTORIA_METRICS else InfluxQL(settings)


Answer = TypeVar("Answer")


class _Http:
    def __init__(self, settings: MirrorSettings) -> None:
        self._bucket = settings.bucket
        token = settings.token.get_secret_value()
        headers = {"Authorization": f"Token {token}"} if token else {}
        self._client = httpx.Client(
            base_url=settings.url, headers=headers, timeout=settings.timeout_s * PATIENCE
        )

    def close(self) -> None:
        self._client.close()

    def _lines(self, path: str, params: Mapping[str, str], shape: type[Answer]) -> Iterator[Answer]:
        """JSON documents, one a line."""
        try:
            with self._client.stream("GET", path, params=dict(params)) as answer:
                if not answer.is_success:
                    answer.read()
                    raise LinkError(f"{answer.status_code} {answer.text:.300}")
                for line in answer.iter_lines():
                    if line:
                        yield foreign.read(line, shape, "the mirror's answer")
        except httpx.HTTPError as error:
            raise LinkError(f"the mirror cannot be asked: {error}") from error


class _Exported(msgspec.Struct):
    metric: dict[str, str]
    values: list[float]
    timestamps: list[int]


class VictoriaMetrics(_Http):
    """/api/v1/export: one line a series, milliseconds."""

    def series(self, family: Family, t0: int, t1: int) -> Iterator[Series]:
        prefix = f"{family.name}_"
        params = {
            "match[]": f'{{__name__=~"{prefix}.+"}}',
            "start": f"{t0 / SECOND:.3f}",
            "end": f"{(t1 - 1) / SECOND:.3f}",
        }
        for each in self._lines("/api/v1/export", params, _Exported):
            metric = each.metric
            time = np.array(each.timestamps, np.int64) * MILLISECOND
            yield Series(
                metric.get("device", ""),
                metric.get("kind", ""),
                metric["__name__"].removeprefix(prefix),
                time,
                np.array(each.values),
            )


class _Table(msgspec.Struct):
    columns: list[str]
    values: list[list[float | int | None]]
    tags: dict[str, str] = {}


class _Result(msgspec.Struct):
    series: list[_Table] = []
    error: str = ""


class _Results(msgspec.Struct):
    results: list[_Result] = []
    error: str = ""


class InfluxQL(_Http):
    """/query, as InfluxDB 1, 2 and 3 have it: a table for each device and kind, a column for each field."""

    def series(self, family: Family, t0: int, t1: int) -> Iterator[Series]:
        query = f'SELECT * FROM "{family.name}" WHERE time >= {t0:d}u AND time < {t1:d}u GROUP BY "device", "kind"'  # noqa: S608
        params = {"db": self._bucket, "q": query, "epoch": "u", "chunked": "true"}
        for answer in self._lines("/query", params, _Results):
            for result in answer.results:
                if answer.error or result.error:
                    raise LinkError(f"the mirror cannot be asked: {answer.error or result.error}")
                for table in result.series:
                    yield from _columns(table)


def _columns(table: _Table) -> Iterator[Series]:
    at = table.columns.index("time")
    time = np.array([row[at] for row in table.values], np.int64)
    for column, field in enumerate(table.columns):
        if column == at:
            continue
        value = np.array([np.nan if row[column] is None else row[column] for row in table.values], np.float64)
        there = ~np.isnan(value)
        if there.any():
            yield Series(
                table.tags.get("device", ""), table.tags.get("kind", ""), field, time[there], value[there]
            )
