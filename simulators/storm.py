"""A whole city that comes back at once: everyone connects, delivers what waits, and is done when it is acknowledged."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from simulators.flood import Flood, Hose, Load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulators.link import Link
    from simulators.pace import Pace
    from simulators.world.city import City

TOGETHER: Final = 2_000  # connections that are being made at one time
LOOK: Final = 0.05  # real seconds between two looks at whether it is over


class Storm(Flood):
    """backlog: readings that wait in each device. stay: so many devices stay connected, the others leave when done.

    `run` ends when all are done.
    """

    def __init__(
        self,
        city: City,
        host: str,
        port: int,
        *,
        secrets: Mapping[str, str],
        pace: Pace,
        ramp: float,
        backlog: int = 3,
        stay: int = 1 << 30,
        addresses: Sequence[str] = (),
    ) -> None:
        load = Load(burst=backlog, window=backlog, ramp=ramp, together=TOGETHER)
        super().__init__(city, host, port, secrets=secrets, pace=pace, load=load, addresses=addresses)
        self._stay = stay
        self._waiting = set(range(len(self.links)))
        self.times: list[float] = []  # real seconds from the start, of each device that is done

    def opened(self, link: Link) -> None:
        super().opened(link)
        assert isinstance(link, Hose)
        if link.identity.number in self._waiting:
            link.send(self.load.burst, self.pace.now() // 1_000, self.pace.nanoseconds())

    def settled(self, link: Hose, at: int) -> None:
        number = link.identity.number
        if link.waiting or number not in self._waiting:
            return
        self._waiting.remove(number)
        self.times.append((at - self._started) / 1e9)
        if number >= self._stay:
            self._dialer.hold(number)
            link.leave()

    async def run(self, until: int | None = None) -> None:
        self._started = self.pace.nanoseconds()
        self._dialer.want(range(len(self.links)))
        async with asyncio.TaskGroup() as group:
            dialing = group.create_task(self._dialer.run(), name="dialer")
            while self._waiting and not self._over(until):
                await self.pace.sleep(LOOK)
            self._seconds = (self.pace.nanoseconds() - self._started) / 1e9
            dialing.cancel()
        await self._leave()

    def report(self) -> dict[str, Any]:
        times = sorted(self.times)
        shares = {f"p{share}": times[len(times) * share // 100 - 1] for share in (50, 90, 99, 100) if times}
        return super().report() | {"drained": len(times), "left": len(self._waiting), "drained_s": shares}
