"""Clients that mean harm, or are broken beyond repair: each does one thing, over and over, the same for the same seed.

None of them ever sends a reading that should be stored.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Final

from drivers.mqtt import topics
from drivers.mqtt.packets import V5, V311, Connect, Publish, Subscribe, Subscription
from drivers.mqtt.writer import PINGREQ, encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from simulators.pace import Pace

READ: Final = 65_536
SHORTEST: Final = 0.02  # seconds until a client that was thrown out comes again
BEAT: Final = 0.05  # real seconds between two looks at whether it is over
LONGEST_TALK: Final = 60.0  # seconds that one connection lasts at most


@dataclass(frozen=True, slots=True)
class Target:
    """Who is attacked, and from which addresses (none: from any). victim: family and id of a good device. own: name and secret that one client was given."""

    host: str
    port: int
    victim: tuple[str, str]
    own: tuple[str, str] | None = None
    addresses: Sequence[str] = ()


class Line:
    """One connection of one client. `write` raises ConnectionError once the other side has hung up."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        target: Target,
        pace: Pace,
        dice: Random,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self.target = target
        self.pace = pace
        self.dice = dice

    async def write(self, data: bytes) -> None:
        if self._writer.transport.is_closing():
            raise ConnectionResetError
        self._writer.write(data)
        await self._writer.drain()

    async def connect(self, name: str, secret: bytes | None, version: int = V311) -> None:
        hello = Connect(
            f"h{self.dice.getrandbits(32):08x}", version, username=name, password=secret, keepalive=60
        )
        await self.write(encode(hello, version))

    async def until_closed(self) -> None:
        """Read and forget, until the other side hangs up."""
        while await self._reader.read(READ):
            pass

    async def hear(self) -> bytes:
        """What one read brings; b"" where the other side has hung up."""
        return await self._reader.read(READ)

    async def rest(self, seconds: float) -> None:
        await self.pace.sleep(seconds)


async def garbage(line: Line) -> None:
    """Bytes of any kind."""
    while True:
        await line.write(line.dice.randbytes(line.dice.randrange(1, 2_000)))
        await line.rest(0.01)


async def another_protocol(line: Line) -> None:
    """A browser that took a wrong turn."""
    await line.write(b"GET / HTTP/1.1\r\nHost: gateway\r\nUser-Agent: probe\r\n\r\n")
    await line.until_closed()


async def half_packet(line: Line) -> None:
    """A CONNECT that stops in the middle."""
    hello = encode(Connect("half", V5, username=line.target.victim[1], password=b"x" * 40), V5)
    await line.write(hello[: line.dice.randrange(1, len(hello))])
    await line.until_closed()


async def a_byte_a_second(line: Line) -> None:
    """A CONNECT that takes for ever."""
    for byte in encode(Connect("slow", V311, username=line.target.victim[1], password=b"x" * 200), V311):
        await line.write(bytes((byte,)))
        await line.rest(1.0)
    await line.until_closed()


async def huge_length(line: Line) -> None:
    """A packet that says it is 256 MiB, and as much of it as is taken."""
    await line.write(b"\x10\xff\xff\xff\x7f\x00\x04MQTT\x04\x02\x00\x3c")
    while True:
        await line.write(bytes(READ))


async def silence(line: Line) -> None:
    """Nothing at all."""
    await line.until_closed()


async def wrong_password(line: Line) -> None:
    """Guesses at a device that is registered."""
    guess = line.dice.randbytes(16).hex().encode()
    await line.connect(line.target.victim[1], guess, line.dice.choice((V311, V5)))
    await line.until_closed()


async def unknown_name(line: Line) -> None:
    """Names that nobody has, some of them long."""
    await line.connect("x" * line.dice.randrange(1, 60_000), b"guess")
    await line.until_closed()


async def reconnect_loop(line: Line) -> None:
    """Comes, and is gone before it is answered."""
    await line.connect(line.target.victim[1], None)


async def foreign_topics(line: Line) -> None:
    """With a secret of its own it publishes for others, listens to others, and sends what is no telemetry."""
    if line.target.own is None:
        await wrong_password(line)
        return
    name, secret = line.target.own
    await line.connect(name, secret.encode())
    family, victim = line.target.victim
    wanted = tuple(Subscription(pattern, 1) for pattern in ("#", "$SYS/#", f"city/{family}/{victim}/command"))
    await line.write(encode(Subscribe(1, wanted), V311, server=False))
    bad = (
        (topics.telemetry_topic(family, victim), b'{"ts":1,"v":{}}'),
        (topics.command_topic(family, victim), b'{"id":"1","name":"switch","args":{"on":0},"expires":1}'),
        ("/".join("a" * 100), b"{}"),
        (topics.telemetry_topic(family, name), b"[" * 60_000),
        (topics.telemetry_topic(family, name), line.dice.randbytes(500)),
    )
    for packet_id in range(2, 60_000):
        topic, payload = line.dice.choice(bad)
        await line.write(encode(Publish(topic, payload, 1, packet_id), V311, server=False))
        if not await line.hear():
            return
        await line.rest(0.02)


async def never_reads(line: Line) -> None:
    """Asks for answers and leaves them all unread."""
    if line.target.own is None:
        await silence(line)
        return
    name, secret = line.target.own
    await line.connect(name, secret.encode())
    while True:
        await line.write(PINGREQ * 1_000)


HABITS: Final[Mapping[str, Callable[[Line], Awaitable[None]]]] = {
    habit.__name__: habit
    for habit in (
        garbage,
        another_protocol,
        half_packet,
        a_byte_a_second,
        huge_length,
        silence,
        wrong_password,
        unknown_name,
        reconnect_loop,
        foreign_topics,
        never_reads,
    )
}


class Crowd:
    """So many clients, the habits in turn. Each comes again as soon as it is thrown out, until told to stop."""

    def __init__(self, target: Target, clients: int, seed: int, pace: Pace) -> None:
        self._target = target
        self.pace = pace
        habits = itertools.cycle(HABITS)
        self._plan = [(next(habits), Random(f"{seed} {n}")) for n in range(clients)]  # noqa: S311 - makes no secrets
        self.counts: Counter[str] = Counter()  # connections by habit
        self.refused = 0  # connections that were not even taken
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """End `run`."""
        self._stop.set()

    async def run(self, until: int | None = None) -> None:
        """Until this city time, or until told to stop."""
        async with asyncio.TaskGroup() as group:
            clients = [
                group.create_task(self._client(n, habit, dice), name=f"hostile {habit}")
                for n, (habit, dice) in enumerate(self._plan)
            ]
            while not self._stop.is_set() and (until is None or self.pace.now() < until):
                await self.pace.sleep(BEAT)
            for client in clients:
                client.cancel()

    async def _client(self, number: int, habit: str, dice: Random) -> None:
        target = self._target
        here = (target.addresses[number % len(target.addresses)], 0) if target.addresses else None
        while True:
            try:
                reader, writer = await asyncio.open_connection(target.host, target.port, local_addr=here)
            except OSError:
                self.refused += 1
                await self.pace.sleep(1.0)
                continue
            self.counts[habit] += 1
            try:
                async with asyncio.timeout(LONGEST_TALK):
                    await HABITS[habit](Line(reader, writer, self._target, self.pace, dice))
            except (OSError, TimeoutError):
                pass
            finally:
                writer.transport.abort()
            await self.pace.sleep(SHORTEST * (1 + dice.random()))

    def report(self) -> dict[str, Any]:
        return {"connections": dict(sorted(self.counts.items())), "refused": self.refused}
