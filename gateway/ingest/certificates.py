"""Certificates: what we show, whom we trust, who is revoked. Files that change are read again; bad ones change nothing."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.x509.oid import NameOID

from gateway.ingest.tls_settings import TlsSettings

log = logging.getLogger(__name__)

END_OF_LIST: Final = b"-----END X509 CRL-----"

Serial = tuple[bytes, int]  # issuer's name as DER, serial number


class Proof(NamedTuple):
    """What a client's certificate says. names: whom it may stand for, "" = nobody."""

    name: str
    serial: Serial


class Certificates:
    """Raises OSError, ssl.SSLError or ValueError where the files cannot be used at the start."""

    def __init__(self, settings: TlsSettings) -> None:
        self._settings = settings
        files = (settings.cert, settings.key, settings.client_ca, settings.crl)
        self._files = [file for file in files if file is not None]
        self._seen = self._stamps()
        self._current, self._revoked = self._load()
        self.context = self._build()
        self.context.sni_callback = self._choose
        self.reloads = 0
        self.failures = 0  # to read changed files again

    def refresh(self) -> bool:
        """Read the files again if one has changed; whether they are in force now. What cannot be used is logged, once."""
        seen = self._stamps()
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            self._current, self._revoked = self._load()
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            self.failures += 1
            log.error("changed TLS files cannot be used, the old ones stay in force: %s", error)  # noqa: TRY400
            return False
        self.reloads += 1
        log.info("TLS files were read again")
        return True

    def proof(self, certificate: bytes) -> Proof:
        """Of a client's certificate (DER) that the handshake has verified."""
        found = x509.load_der_x509_certificate(certificate)
        return Proof(
            _name(found, self._settings.identity), (found.issuer.public_bytes(), found.serial_number)
        )

    def revoked(self, proof: Proof) -> bool:
        return proof.serial in self._revoked

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """Every handshake takes what is in force now."""
        connection.context = self._current

    def _stamps(self) -> list[tuple[int, int]]:
        stamps = []
        for file in self._files:
            try:
                stat = file.stat()
            except OSError:
                stamps.append((0, 0))
            else:
                stamps.append((stat.st_mtime_ns, stat.st_ino))
        return stamps

    def _load(self) -> tuple[ssl.SSLContext, frozenset[Serial]]:
        return self._build(), _revoked(self._settings.crl, self._settings.client_ca)

    def _build(self) -> ssl.SSLContext:
        settings = self._settings
        assert settings.cert is not None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.load_cert_chain(settings.cert, settings.key)
        if settings.client_ca is not None:
            context.load_verify_locations(settings.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED if settings.require else ssl.CERT_OPTIONAL
        return context


def _name(certificate: x509.Certificate, identity: str) -> str:
    """The first name of the wanted kind."""
    if identity == "cn":
        names = [str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    else:
        kind = x509.DNSName if identity == "dns" else x509.UniformResourceIdentifier
        try:
            found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        except x509.ExtensionNotFound:
            return ""
        names = found.value.get_values_for_type(kind)
    return names[0] if names else ""


def _revoked(file: Path | None, authorities: Path | None) -> frozenset[Serial]:
    """Every certificate on the lists of a file; raises OSError and ValueError."""
    if file is None or authorities is None:
        return frozenset()
    known = {
        one.subject.public_bytes(): one for one in x509.load_pem_x509_certificates(authorities.read_bytes())
    }
    revoked: set[Serial] = set()
    for part in file.read_bytes().split(END_OF_LIST)[:-1]:
        crl = x509.load_pem_x509_crl(part + END_OF_LIST)
        issuer = crl.issuer.public_bytes()
        signer = known.get(issuer)
        if signer is None or not crl.is_signature_valid(signer.public_key()):  # type: ignore[arg-type]
            raise ValueError(f"{file}: the list of {crl.issuer.rfc4514_string()} is not signed by client_ca")
        revoked.update((issuer, one.serial_number) for one in crl)
    return frozenset(revoked)
