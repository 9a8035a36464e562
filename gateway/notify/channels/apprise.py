"""Whatever the Apprise library speaks, by its URLs. It does its own HTTP: in a thread, to hosts that the operator named.

An address that has taken a text is not asked again while another of the channel still refuses it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from datetime import tzinfo
from typing import Final

from apprise import Apprise, AppriseAsset, NotifyBase

from drivers.telemetry import SECOND
from gateway.clock import Clock
from gateway.errors import LinkError
from gateway.notify.channels.pace import Pace, Window
from gateway.notify.channels.paced import PacedChannel
from gateway.notify.labels import Labels
from gateway.notify.links import Links
from gateway.notify.settings import AppriseSettings
from gateway.notify.text import OURS, Writer

SIZE: Final = 4_000  # bytes of a text; what bears less is cut by the library
MINUTE: Final = 60.0
HALF: Final = 200  # texts that some have taken and others not


class AppriseChannel(PacedChannel):
    """One after the other; the library's threads never touch the loop."""

    def __init__(
        self,
        settings: AppriseSettings,
        clock: Clock,
        zone: tzinfo,
        links: Links | None = None,
        labels: Labels = OURS,
    ) -> None:
        pace = Pace((Window(settings.per_minute, MINUTE),), clock.monotonic)
        super().__init__(Writer(settings.language, zone, SIZE, links, labels), pace)
        self._seconds = settings.timeout / SECOND
        self._services = [_service(url.get_secret_value(), self._seconds) for url in settings.urls]
        self._took: OrderedDict[str, set[int]] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"notify-{settings.name}")

    async def send(self, text: str) -> None:
        """Returns once every address has taken it."""
        try:
            for number, service in enumerate(self._services):
                if number not in self._took.get(text, ()):
                    await self._tell(service, text)
                    self._took.setdefault(text, set()).add(number)
        finally:
            self.pace.count()
            while len(self._took) > HALF:
                self._took.popitem(last=False)
        self._took.pop(text, None)

    async def _tell(self, service: NotifyBase, text: str) -> None:
        where = service.url(privacy=True)  # type: ignore[no-untyped-call]
        title, _, body = text.partition("\n")
        asked = asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: service.notify(body=body or title, title=title if body else "")
        )
        try:
            async with asyncio.timeout(4 * self._seconds):
                taken = await asked
        except TimeoutError as error:
            raise LinkError(f"{where}: no answer within {4 * self._seconds:g} s") from error
        except Exception as error:
            raise LinkError(f"{where}: {type(error).__name__}") from error
        if not taken:
            raise LinkError(f"{where} did not take it")

    async def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def _service(url: str, seconds: float) -> NotifyBase:
    asset = AppriseAsset(http_redirects=False, plugin_paths=None, storage_mode="memory")
    found = Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    assert isinstance(found, NotifyBase), "the settings have asked the library"
    found.socket_connect_timeout = found.socket_read_timeout = seconds
    found.request_rate_per_sec = 0  # the pace is kept here
    return found
