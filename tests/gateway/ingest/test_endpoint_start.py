"""Starting, and what keeps the endpoint from it; a store that is away."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from pydantic import ValidationError

from drivers.mqtt.codes import ReasonCode
from drivers.mqtt.packets import Connect, Properties
from drivers.mqtt.writer import encode
from gateway.config import load
from gateway.errors import ConfigError, StoreError
from gateway.ingest.session import Key, SessionState
from gateway.ingest.tls_settings import TlsSettings
from tests.gateway.ingest.mqtt_city import SECRET, Memory, city


class Away(Memory):
    """Cannot be written while it is away."""

    away = True

    async def save(self, states: Mapping[Key, SessionState | None]) -> None:
        if self.away:
            raise StoreError("the disk is full")
        await super().save(states)


class Unreadable(Memory):
    async def load(self) -> Sequence[SessionState]:
        raise StoreError("no such table")


async def test_a_port_in_use_is_a_fault_of_the_configuration() -> None:
    async with city() as it:
        with pytest.raises(ConfigError, match=r"mqtt\.endpoint"):
            async with city(port=it.endpoint.port):
                pass


async def test_a_certificate_that_is_missing_is_one_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        async with city(tls={"port": 0, "cert": tmp_path / "cert.pem", "key": tmp_path / "key.pem"}):
            pass


def test_a_certificate_needs_its_key() -> None:
    with pytest.raises(ValidationError, match="go together"):
        TlsSettings(cert=Path("cert.pem"))


async def test_without_its_sessions_it_does_not_start() -> None:
    with pytest.raises(StoreError):
        async with city(Unreadable()):
            pass


async def test_a_store_that_is_away_costs_no_session(caplog: pytest.LogCaptureFixture) -> None:
    store = Away()
    async with city(store) as it:
        await it.connect(clean_start=False, properties=Properties(session_expiry=60))
        with caplog.at_level(logging.WARNING):
            await it.until(lambda: "the disk is full" in caplog.text)
        assert it.endpoint.sessions == 1
        store.away = False
    assert list(store.states) == [("DU-1", "c")]


async def test_a_store_that_stays_away_does_not_keep_the_gateway(caplog: pytest.LogCaptureFixture) -> None:
    async with city(Away()) as it:
        await it.connect(clean_start=False, properties=Properties(session_expiry=60))
    assert "not saved" in caplog.text


async def test_a_client_that_dribbles_its_connect_is_closed_in_time() -> None:
    async with city(connect_timeout=10) as it:
        client = await it.open()
        data = encode(Connect("c", 5, username="DU-1", password=SECRET.encode()), 5)
        for place in range(6):
            client.raw(data[place : place + 1])
            it.clock.ahead += 3
            await it.clock.sleep(0.01)
            it.endpoint.sweep()
        assert await client.closed()
        assert it.endpoint.counters.timeouts == 1


def test_anonymous_is_for_the_loopback_only(tmp_path: Path) -> None:
    file = tmp_path / "city.toml"
    file.write_text("[mqtt.endpoint]\nanonymous = true\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"city\.toml:1: mqtt\.endpoint: .*set host = \"127\.0\.0\.1\""):
        load(file)
    file.write_text('[mqtt.endpoint]\nanonymous = true\nhost = "127.0.0.1"\n', encoding="utf-8")
    assert load(file).mqtt.endpoint.anonymous


async def test_an_anonymous_client_needs_a_name_that_is_registered_and_no_password() -> None:
    async with city(anonymous=True) as it:
        await it.connect("DU-1", password=None)
        by_client_id, connack = await it.ask(username=None, client_id="DU-2", password=None)
        assert (connack.code, it.presence.heard) == (0, ["+DU-1", "+DU-2"])
        await by_client_id.drop()
        for username, password in (("nobody", None), ("DU-1", b"guess")):
            _, connack = await it.ask("DU-1", username=username, password=password)
            assert connack.code == ReasonCode.BAD_USER_NAME_OR_PASSWORD


async def test_without_being_asked_it_lets_nobody_in_without_a_password() -> None:
    async with city() as it:
        _, connack = await it.ask("DU-1", password=None)
        assert connack.code == ReasonCode.BAD_USER_NAME_OR_PASSWORD
        _, connack = await it.ask(username=None, client_id="DU-1", password=None)
        assert connack.code == ReasonCode.NOT_AUTHORIZED
