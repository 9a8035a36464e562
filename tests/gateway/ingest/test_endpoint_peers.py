"""Real clients of others: paho-mqtt, gmqtt and mosquitto's, in both versions of the protocol."""

from __future__ import annotations

import asyncio
import shutil
import threading
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import gmqtt
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties
from paho.mqtt.reasoncodes import ReasonCode as PahoCode

from drivers.mqtt.codes import ReasonCode
from drivers.mqtt.packets import V5, V311
from drivers.refusal import Reason
from gateway.tasks import Tasks
from tests.gateway.ingest.mqtt_city import SECRET, City, city

VERSIONS = pytest.mark.parametrize("version", [V311, V5])
TELEMETRY = "city/dust/DU-1/telemetry"
COMMAND = "city/dust/DU-1/command"
FOREIGN = "city/dust/DU-2/telemetry"


@asynccontextmanager
async def working(**settings: Any) -> AsyncIterator[City]:
    """A city whose pipeline settles all that comes."""
    async with city(**settings) as it, Tasks() as tasks:
        tasks.start("pipeline", it.pipeline())
        yield it


class Paho:
    """A blocking client, used from a thread."""

    def __init__(self, version: int, port: int, name: str = "DU-1", **more: Any) -> None:
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            "paho",
            protocol=paho.MQTTv5 if version == V5 else paho.MQTTv311,
            **more,
        )
        self.port = port
        self.client.username_pw_set(name, SECRET)
        self.connected: list[PahoCode] = []
        self.acked: dict[int, PahoCode] = {}
        self.granted: list[PahoCode] = []
        self.messages: list[tuple[str, bytes, int]] = []
        self._turn = threading.Condition()
        self.client.on_connect = self._on_connect
        self.client.on_publish = self._on_publish
        self.client.on_subscribe = self._on_subscribe
        self.client.on_message = self._on_message

    def _on_connect(self, _c: Any, _u: Any, _f: Any, code: PahoCode, _p: Any) -> None:
        with self._turn:
            self.connected.append(code)
            self._turn.notify()

    def _on_publish(self, _c: Any, _u: Any, mid: int, code: PahoCode, _p: Any) -> None:
        with self._turn:
            self.acked[mid] = code
            self._turn.notify()

    def _on_subscribe(self, _c: Any, _u: Any, _m: int, codes: list[PahoCode], _p: Any) -> None:
        with self._turn:
            self.granted += codes
            self._turn.notify()

    def _on_message(self, _c: Any, _u: Any, message: paho.MQTTMessage) -> None:
        with self._turn:
            self.messages.append((message.topic, bytes(message.payload), message.qos))
            self._turn.notify()

    def start(self, **more: Any) -> None:
        self.client.connect("127.0.0.1", self.port, keepalive=30, **more)
        self.client.loop_start()
        self.wait(lambda: self.connected)

    def wait(self, true: Any) -> None:
        with self._turn:
            assert self._turn.wait_for(true, timeout=5), "paho waits in vain"

    def publish(self, topic: str, qos: int) -> int:
        mid = self.client.publish(topic, b'{"v":{}}', qos).mid
        self.wait(lambda: mid in self.acked)
        return int(self.acked[mid].value)

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@VERSIONS
async def test_paho_publishes_at_every_quality(version: int) -> None:
    async with working() as it:
        client = Paho(version, it.endpoint.port)

        def work() -> None:
            client.start()
            for qos in (0, 1, 2):
                assert client.publish(TELEMETRY, qos) == 0
            assert client.publish(FOREIGN, 1) == (ReasonCode.NOT_AUTHORIZED if version == V5 else 0)
            # after a refusing PUBREC paho sends PUBREL all the same
            released = ReasonCode.PACKET_IDENTIFIER_NOT_FOUND if version == V5 else 0
            assert client.publish(FOREIGN, 2) == released
            client.stop()

        await asyncio.to_thread(work)
        assert client.connected[0].value == 0
        assert [frame.verdict for frame in it.taken] == [None] * 3 + [Reason.FOREIGN_TOPIC] * 2
        await it.until(lambda: it.endpoint.connections == 0)
        assert it.presence.heard == ["+DU-1", "-DU-1 disconnected"]


async def test_paho_publishes_many_in_a_row() -> None:
    async with working() as it:
        client = Paho(V311, it.endpoint.port)

        def work() -> None:
            client.client.max_inflight_messages_set(500)
            client.start()
            sent = [
                client.client.publish(TELEMETRY, b"%d" % number, 1 + number % 2).mid for number in range(1000)
            ]
            client.wait(lambda: len(client.acked) == len(sent))
            client.stop()

        await asyncio.to_thread(work)
        assert [frame.payload for frame in it.taken] == [b"%d" % number for number in range(1000)]


@VERSIONS
async def test_paho_hears_its_commands_and_no_others(version: int) -> None:
    async with working() as it:
        client = Paho(version, it.endpoint.port)

        def listen() -> None:
            client.start()
            client.client.subscribe([(COMMAND, 2), ("city/dust/DU-2/command", 1)])
            client.wait(lambda: client.granted)

        await asyncio.to_thread(listen)
        refused = ReasonCode.NOT_AUTHORIZED if version == V5 else ReasonCode.UNSPECIFIED_ERROR
        assert [code.value for code in client.granted] == [1, refused]
        assert it.endpoint.deliver("DU-1", COMMAND, b"{}", expires=1 << 62)
        await it.until(lambda: it.endpoint.counters.commands_acked)
        await asyncio.to_thread(client.stop)
        assert client.messages == [(COMMAND, b"{}", 1)]


@VERSIONS
async def test_paho_is_refused_with_a_wrong_secret(version: int) -> None:
    async with working() as it:
        client = Paho(version, it.endpoint.port)
        client.client.username_pw_set("DU-1", "guess")

        def work() -> None:
            client.start()
            client.stop()

        await asyncio.to_thread(work)
        assert client.connected[0].is_failure
        assert it.presence.heard == []


async def test_paho_comes_back_to_its_session() -> None:
    async with working() as it:
        expiry = PahoProperties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        expiry.SessionExpiryInterval = 600
        first, second = (Paho(V5, it.endpoint.port) for _ in range(2))

        def leave() -> None:
            first.start(clean_start=False, properties=expiry)
            first.client.subscribe(COMMAND, 1)
            first.wait(lambda: first.granted)
            first.stop()

        await asyncio.to_thread(leave)
        await it.until(lambda: it.endpoint.connections == 0)
        assert it.endpoint.deliver("DU-1", COMMAND, b"kept", expires=1 << 62)

        def come_back() -> None:
            second.start(clean_start=False, properties=expiry)
            second.wait(lambda: second.messages)
            second.stop()

        await asyncio.to_thread(come_back)
        assert second.messages == [(COMMAND, b"kept", 1)]


@VERSIONS
async def test_gmqtt_publishes_and_hears(version: int) -> None:
    async with working() as it:
        client = gmqtt.Client("gmqtt", clean_session=True)
        client.set_auth_credentials("DU-1", SECRET)
        heard: list[tuple[str, bytes]] = []
        granted: list[int] = []

        async def on_message(_c: Any, topic: str, payload: bytes, _q: int, _p: Any) -> int:
            heard.append((topic, payload))
            return 0

        client.on_message = on_message
        client.on_subscribe = lambda _c, _m, qos, _p: granted.extend(qos)
        await client.connect("127.0.0.1", it.endpoint.port, keepalive=30, version=version)
        for qos in (0, 1, 2):
            client.publish(TELEMETRY, b'{"v":{}}', qos=qos)
        client.subscribe(COMMAND, qos=1)
        await it.until(lambda: granted)
        assert it.endpoint.deliver("DU-1", COMMAND, b"{}", expires=1 << 62)
        await it.until(lambda: heard and len(it.taken) == 3 and it.endpoint.counters.commands_acked)
        await client.disconnect()
        assert heard == [(COMMAND, b"{}")]
        assert it.taken[0].token == 0


async def run(*words: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(*words, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
    async with asyncio.timeout(10):
        out, err = await process.communicate()
    return process.returncode or 0, (out + err).decode()


def mosquitto(program: str, port: int, *more: str) -> tuple[str, ...]:
    return (program, "-h", "127.0.0.1", "-p", str(port), "-u", "DU-1", "-P", SECRET, *more)


@pytest.mark.peer("mosquitto")
@pytest.mark.parametrize("name", ["mqttv311", "mqttv5"])
async def test_mosquitto_publishes(name: str) -> None:
    async with working() as it:
        port = it.endpoint.port
        for qos in "012":
            words = ("-V", name, "-t", TELEMETRY, "-m", '{"v":{"pm10":1}}', "-q", qos, "-r")
            assert await run(*mosquitto("mosquitto_pub", port, *words)) == (0, "")
        assert [frame.verdict for frame in it.taken] == [None] * 3
        await run(*mosquitto("mosquitto_pub", port, "-V", name, "-t", FOREIGN, "-m", "x", "-q", "1"))
        assert it.taken[3].verdict is Reason.FOREIGN_TOPIC


@pytest.mark.peer("mosquitto")
async def test_mosquitto_of_another_version_or_with_a_wrong_secret_is_refused() -> None:
    async with working() as it:
        port = it.endpoint.port
        publish = ("-t", TELEMETRY, "-m", "x", "-q", "1")
        code, text = await run(*mosquitto("mosquitto_pub", port, "-V", "mqttv31", "-i", "c", *publish))
        assert code
        assert "protocol version" in text
        code, text = await run(*mosquitto("mosquitto_pub", port, *publish, "-P", "guess"))
        assert code
        assert "bad user name or password" in text
        assert it.taken == []


@pytest.mark.peer("mosquitto")
@pytest.mark.parametrize("name", ["mqttv311", "mqttv5"])
async def test_mosquitto_hears_a_command(name: str) -> None:
    async with working() as it:
        expiry = ("-x", "60") if name == "mqttv5" else ()
        words = ("-V", name, "-i", "sub", "-c", *expiry, "-t", COMMAND, "-q", "1", "-C", "2", "-W", "5")
        hearing = asyncio.ensure_future(run(*mosquitto("mosquitto_sub", it.endpoint.port, *words)))
        await it.until(lambda: it.endpoint.deliver("DU-1", COMMAND, b"one", expires=1 << 62))
        assert it.endpoint.deliver("DU-1", COMMAND, b"two", expires=1 << 62)
        assert await hearing == (0, "one\ntwo\n")


@pytest.mark.peer("mosquitto")
async def test_mosquitto_leaves_its_will() -> None:
    async with working() as it:
        will = ("--will-topic", "city/dust/DU-1/status", "--will-payload", "gone", "--will-qos", "1")
        words = mosquitto("mosquitto_sub", it.endpoint.port, "-i", "sub", "-t", COMMAND, *will)
        process = await asyncio.create_subprocess_exec(*words, stdout=DEVNULL)
        await it.until(lambda: it.presence.heard)
        process.kill()
        await process.wait()
        await it.until(lambda: it.taken)
        assert (it.taken[0].payload, it.taken[0].verdict) == (b"gone", None)


@pytest.mark.peer("mosquitto")
@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
async def test_mosquitto_publishes_over_tls(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    request = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    )
    names = ("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    code, text = await run(*request.split(), *names, "-keyout", str(key), "-out", str(cert))
    assert code == 0, text
    async with working(tls={"port": 0, "cert": cert, "key": key}) as it:
        words = ("--cafile", str(cert), "-t", TELEMETRY, "-m", "x" * 60_000, "-q", "1")
        assert await run(*mosquitto("mosquitto_pub", it.endpoint.tls_port, *words)) == (0, "")
        assert [len(frame.payload) for frame in it.taken] == [60_000]
