"""Devices that prove who they are with a certificate: real TLS, real paho-mqtt, certificates of a throw-away authority."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import paho.mqtt.client as paho
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from paho.mqtt.enums import CallbackAPIVersion
from pydantic import ValidationError

from drivers.mqtt.packets import V5, Connect
from drivers.mqtt.reader import Reader
from drivers.mqtt.writer import encode
from gateway.errors import ConfigError
from gateway.ingest.tls_settings import TlsSettings
from tests.gateway.ingest.mqtt_city import PATIENCE, SECRET, City, city

REFUSED = 0x86  # bad user name or password
NOT_AUTHORIZED = 0x87


class Authority:
    """Issues the server's certificate and those of devices, and revokes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = trustme.CA()
        self.serve(self.ca)
        self.ca.cert_pem.write_to_path(folder / "devices.pem")
        self.revoke()

    def serve(self, ca: trustme.CA) -> None:
        """A new certificate for the server, in place of the one before."""
        issued = ca.issue_cert("127.0.0.1")
        _replace(self.folder / "server.pem", b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        _replace(self.folder / "server.key", issued.private_key_pem.bytes())

    def revoke(self, *issued: trustme.LeafCert) -> None:
        """The list names exactly these."""
        now = datetime.now(UTC)  # noqa: TID251 - what the list is dated with is not judged
        builder = x509.CertificateRevocationListBuilder(
            x509.load_pem_x509_certificate(self.ca.cert_pem.bytes()).subject, now, now + timedelta(days=1)
        )
        for one in issued:
            serial = x509.load_pem_x509_certificate(one.cert_chain_pems[0].bytes()).serial_number
            entry = x509.RevokedCertificateBuilder(serial, now).build()
            builder = builder.add_revoked_certificate(entry)
        key = cast("Any", load_pem_private_key(self.ca.private_key_pem.bytes(), None))
        crl = builder.sign(key, hashes.SHA256())
        _replace(self.folder / "devices.crl", crl.public_bytes(encoding=Encoding.PEM))

    def settings(self, **more: Any) -> dict[str, Any]:
        names = {"cert": "server.pem", "key": "server.key", "client_ca": "devices.pem", "crl": "devices.crl"}
        return {"port": 0, **{key: self.folder / name for key, name in names.items()}, **more}

    def client(self, issued: trustme.LeafCert | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        if issued is not None:
            issued.configure_cert(context)
        return context


def _replace(file: Path, data: bytes) -> None:
    """As a careful tool does: whole or not at all."""
    fresh = file.with_suffix(".new")
    fresh.write_bytes(data)
    fresh.replace(file)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


class Device:
    """A connection of our own codec over TLS; `code` is what CONNACK said."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, code: int) -> None:
        self.reader, self.writer, self.code = reader, writer, code

    async def closed(self) -> bool:
        async with asyncio.timeout(PATIENCE):
            while data := await self.reader.read(1024):
                assert data
        return True


@asynccontextmanager
async def device(it: City, context: ssl.SSLContext, **connect: Any) -> AsyncIterator[Device]:
    reader, writer = await asyncio.open_connection("127.0.0.1", it.endpoint.tls_port, ssl=context)
    try:
        writer.write(encode(Connect("c", V5, **connect), V5))
        async with asyncio.timeout(PATIENCE):
            (answer,) = Reader(1 << 16, V5).feed(await reader.read(1024))
        yield Device(reader, writer, cast("Any", answer).code)
    finally:
        writer.transport.abort()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


def publish_with_paho(port: int, context: ssl.SSLContext, topic: str) -> tuple[str, bool]:
    """What CONNACK said, and whether the publish was acknowledged."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="p", protocol=paho.MQTTv5)
    client.tls_set_context(context)
    said: list[str] = []
    client.on_connect = lambda _c, _u, _f, reason, _p: said.append(str(reason))
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        sent = client.publish(topic, b'{"v":{"pm10":5}}', qos=1)
        sent.wait_for_publish(PATIENCE)
        return said[0], sent.is_published()
    finally:
        client.disconnect()
        client.loop_stop()


async def test_a_certificate_stands_for_name_and_password(authority: Authority) -> None:
    issued = authority.ca.issue_cert("du-1.city.example", common_name="DU-1")
    async with city(tls=authority.settings()) as it:
        working = asyncio.ensure_future(it.pipeline())
        answer = await asyncio.to_thread(
            publish_with_paho, it.endpoint.tls_port, authority.client(issued), "city/dust/DU-1/telemetry"
        )
        working.cancel()
        assert answer == ("Success", True)
        assert [frame.topic for frame in it.taken] == ["city/dust/DU-1/telemetry"]


async def test_what_a_certificate_proves_is_its_own_name_only(authority: Authority) -> None:
    one = authority.client(authority.ca.issue_cert("x.example", common_name="DU-1"))
    stranger = authority.client(authority.ca.issue_cert("x.example", common_name="DU-9"))
    async with city(tls=authority.settings()) as it:
        async with device(it, one, username="DU-2", password=SECRET.encode()) as other:
            assert other.code == REFUSED
        async with device(it, one, username="DU-1") as itself:
            assert itself.code == 0
        async with device(it, stranger) as unknown:
            assert unknown.code == REFUSED
        it.device("DU-1", "dust", 0, retired=True)
        async with device(it, one) as retired:
            assert retired.code == REFUSED


@pytest.mark.parametrize(
    ("identity", "names", "common"),
    [("dns", ["du-3"], None), ("uri", [], None), ("cn", ["x.example"], "du-3")],
)
async def test_where_the_name_stands_is_configured(
    authority: Authority, identity: str, names: list[str], common: str | None
) -> None:
    issued = authority.ca.issue_cert(*names, common_name=common) if names else _with_uri(authority, "du-3")
    async with city(tls=authority.settings(identity=identity)) as it:
        it.device("du-3", "dust", 2)  # DNS names are lower case
        async with device(it, authority.client(issued)) as itself:
            assert itself.code == 0


def _with_uri(authority: Authority, name: str) -> trustme.LeafCert:
    """trustme issues no URI names: signed by hand with its key."""
    plain = authority.ca.issue_cert("x.example")
    key = cast("Any", load_pem_private_key(plain.private_key_pem.bytes(), None))
    template = x509.load_pem_x509_certificate(plain.cert_chain_pems[0].bytes())
    builder = (
        x509.CertificateBuilder(
            template.issuer, template.subject, key.public_key(), x509.random_serial_number()
        )
        .not_valid_before(template.not_valid_before_utc)
        .not_valid_after(template.not_valid_after_utc)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(name)]), critical=False)
    )
    for extension in template.extensions:
        if not isinstance(extension.value, x509.SubjectAlternativeName):
            builder = builder.add_extension(extension.value, extension.critical)
    authority_key = cast("Any", load_pem_private_key(authority.ca.private_key_pem.bytes(), None))
    signed = builder.sign(authority_key, hashes.SHA256()).public_bytes(Encoding.PEM)
    return trustme.LeafCert(plain.private_key_pem.bytes(), signed, [])


async def test_passwords_go_on_beside_certificates_unless_these_are_required(authority: Authority) -> None:
    async with (
        city(tls=authority.settings()) as it,
        device(it, authority.client(), username="DU-1", password=SECRET.encode()) as with_password,
    ):
        assert with_password.code == 0
    async with city(tls=authority.settings(require=True)) as it:
        with pytest.raises((ssl.SSLError, ConnectionError, ValueError)):
            async with device(it, authority.client(), username="DU-1", password=SECRET.encode()):
                pass
        await it.until(lambda: it.endpoint.counters.tls_failures == 1)
        assert len(it.endpoint.admission) == 0


async def test_a_strangers_authority_proves_nothing(authority: Authority) -> None:
    forged = trustme.CA().issue_cert("x.example", common_name="DU-1")
    async with city(tls=authority.settings()) as it:
        with pytest.raises((ssl.SSLError, ConnectionError, ValueError)):
            async with device(it, authority.client(forged)):
                pass
        await it.until(lambda: it.endpoint.counters.tls_failures == 1)


async def test_a_revoked_certificate_ends_its_connection_and_opens_nothing(authority: Authority) -> None:
    lost, kept = (authority.ca.issue_cert("x.example", common_name=name) for name in ("DU-1", "DU-2"))
    async with city(tls=authority.settings()) as it:
        async with (
            device(it, authority.client(lost)) as stolen,
            device(it, authority.client(kept)) as good,
        ):
            assert (stolen.code, good.code) == (0, 0)
            authority.revoke(lost)
            it.endpoint.sweep()
            assert await stolen.closed()
            assert it.presence.heard[-1] == "-DU-1 revoked"
            await it.until(lambda: it.endpoint.connections == 1)
        async with device(it, authority.client(lost)) as again:
            assert again.code == NOT_AUTHORIZED
        assert it.endpoint.counters.revoked == 1


async def test_changed_files_are_in_force_without_a_restart(authority: Authority) -> None:
    other = trustme.CA()
    issued = other.issue_cert("x.example", common_name="DU-1")
    context = ssl.create_default_context()
    other.configure_trust(context)
    issued.configure_cert(context)
    async with city(tls=authority.settings(crl=None)) as it:
        with pytest.raises((ssl.SSLError, ConnectionError, ValueError)):
            async with device(it, context):
                pass
        async with device(it, authority.client(), username="DU-2", password=SECRET.encode()) as before:
            authority.serve(other)
            other.cert_pem.write_to_path(authority.folder / "devices.pem")
            it.endpoint.sweep()
            async with device(it, context) as after:
                assert after.code == 0
            assert not before.reader.at_eof(), "who was there stays"
        certificates = it.endpoint.certificates
        assert certificates is not None
        assert (certificates.reloads, certificates.failures) == (1, 0)


async def test_files_that_cannot_be_used_change_nothing(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    async with city(tls=authority.settings()) as it:
        _replace(authority.folder / "server.key", b"half a fi")
        it.endpoint.sweep()
        it.endpoint.sweep()
        async with device(it, authority.client(), username="DU-1", password=SECRET.encode()) as itself:
            assert itself.code == 0
        certificates = it.endpoint.certificates
        assert certificates is not None
        assert certificates.failures == 1
        assert caplog.text.count("stay in force") == 1


async def test_a_list_of_another_authority_revokes_nothing_and_says_so(authority: Authority) -> None:
    own = authority.ca
    authority.ca = trustme.CA()
    authority.revoke()
    authority.ca = own
    with pytest.raises(ConfigError, match="not signed by client_ca"):
        async with city(tls=authority.settings()):
            pass


async def test_a_handshake_that_never_comes_ends_in_time(authority: Authority) -> None:
    async with city(tls=authority.settings(), connect_timeout=0.2) as it:
        reader, writer = await asyncio.open_connection("127.0.0.1", it.endpoint.tls_port)
        await it.until(lambda: it.endpoint.admission.pending == 1)
        assert await reader.read() == b""
        await it.until(lambda: len(it.endpoint.admission) == 0)
        assert it.endpoint.counters.tls_failures == 1
        writer.close()


async def test_old_protocol_versions_are_not_spoken(authority: Authority) -> None:
    context = authority.client()
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    async with city(tls=authority.settings()) as it:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", it.endpoint.tls_port, ssl=context)
        await it.until(lambda: it.endpoint.counters.tls_failures == 1)


async def test_without_the_plain_port_only_tls_is_spoken(authority: Authority) -> None:
    async with city(tls=authority.settings(only=True)) as it:
        assert (it.endpoint.port, it.endpoint.tls_port > 0) == (0, True)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"client_ca": Path("x")}, "needs cert"),
        ({"require": True}, "need client_ca"),
        ({"crl": Path("x"), "cert": Path("c"), "key": Path("k")}, "need client_ca"),
        ({"only": True}, "needs cert"),
    ],
)
def test_what_goes_together(given: dict[str, Any], match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        TlsSettings(**given)
