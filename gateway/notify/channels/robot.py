"""A robot in a chat group. Its HTTP 200 says nothing: only a code of zero in the answer is a message that was taken."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any, Final

import httpx
from msgspec import json

from gateway import foreign
from gateway.clock import Clock
from gateway.errors import LinkError
from gateway.notify.channels.channel import UndeliverableError
from gateway.notify.channels.outgoing import Answer, Outgoing
from gateway.notify.channels.pace import Pace, Window
from gateway.notify.channels.paced import PacedChannel
from gateway.notify.channels.platform import Platform
from gateway.notify.labels import Labels
from gateway.notify.links import Links
from gateway.notify.settings import RobotSettings
from gateway.notify.text import OURS, Writer

MINUTE: Final = 60.0
ANSWER: Final = 16_384  # bytes; theirs have some hundred
HEADERS: Final = {"Content-Type": "application/json; charset=utf-8"}


class RobotChannel(PacedChannel):
    def __init__(
        self,
        platform: Platform,
        settings: RobotSettings,
        clock: Clock,
        zone: tzinfo,
        links: Links | None = None,
        labels: Labels = OURS,
    ) -> None:
        pace = Pace((Window(settings.per_minute, MINUTE), *platform.bursts), clock.monotonic)
        super().__init__(Writer(settings.language, zone, platform.size, links, labels), pace)
        self._platform = platform
        self._settings = settings
        self._clock = clock
        self._outgoing = Outgoing(settings.timeout, settings.allow)

    async def send(self, text: str) -> None:
        """Returns once the platform's own code says that it was taken; raises LinkError."""
        url, document = self._platform.compose(self._settings, text, self._clock.now())
        try:
            answer = await self._outgoing.post(url, json.encode(document), HEADERS, ANSWER)
        finally:
            self.pace.count()
        self._judge(answer)

    def _judge(self, answer: Answer) -> None:
        platform = self._platform
        if answer.status == httpx.codes.TOO_MANY_REQUESTS:
            self.pace.rest(platform.rest)
        if not httpx.codes.is_success(answer.status):
            raise LinkError(f"HTTP {answer.status}")
        said = foreign.read(answer.body, dict[str, Any], f"the platform's answer {answer.body[:80]!r}")
        found = next((said[name] for name in platform.code if name in said), None)
        code = found if isinstance(found, int) else None
        if code == 0:
            return
        why = f"code {found!s:.80}: {said.get('errmsg') or said.get('msg') or 'no reason given'}"
        if code in platform.busy:
            self.pace.rest(platform.rest)
        if code in platform.hopeless:
            raise UndeliverableError(why)
        raise LinkError(why)

    async def close(self) -> None:
        await self._outgoing.close()
