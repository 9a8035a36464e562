"""A mirror that takes line protocol, through influxdb-client.

Imported where there is one only: its client is a tenth of what a start has to load.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from gateway.errors import LinkError
from gateway.history.mirror_settings import MirrorSettings
from gateway.history.sink import PointsRefused

MICROSECONDS: Final[Any] = "us"  # influxdb_client's WritePrecision is a class of such words
REFUSALS: Final = frozenset({400, 413, 422})
EXPIRED: Final = "beyond retention policy"  # InfluxDB wrote the rest; the mirror itself does not want these


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


def _detail(error: ApiException) -> str:
    """What the server says, else the reason."""
    body = error.body.decode("utf-8", "replace") if isinstance(error.body, bytes) else error.body
    return f"{getattr(error, 'message', None) or body or error.reason}".strip()[:500]
