"""Tables of people: who they are, their recovery codes and sessions; and the signed checkpoints of the audit trail."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, String, Table, UniqueConstraint

from gateway.store.schema.metadata import Digest, Document, Serial, Time, metadata

person = Table(
    "person",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("areas", Document, nullable=False),  # list of area paths; [] = the whole city
    Column("language", String(8), nullable=False),
    Column(
        "password", String(256)
    ),  # argon2id with its salt and parameters; null = comes by OIDC, or not yet
    Column("subject", String(512), unique=True),  # issuer and subject of OIDC
    Column("totp", String(64)),  # shared key, base32
    Column("totp_on", Time),  # null while the key is shown but no code of it was seen
    Column("totp_step", BigInteger),  # the newest step that was used: a code opens once
    Column("disabled", Time),
    Column("created", Time, nullable=False),
    Column("creator", String(128), nullable=False),
)

recovery_code = Table(
    "recovery_code",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("person", String(64), ForeignKey("person.name"), nullable=False),
    Column("digest", Digest, nullable=False),
    Column("used", Time),
    UniqueConstraint("person", "digest"),
)

login_session = Table(
    "login_session",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("digest", Digest, nullable=False, unique=True),
    Column("person", String(64), ForeignKey("person.name"), nullable=False),
    Column("created", Time, nullable=False),
    Column("seen", Time, nullable=False),
    Column("expires", Time, nullable=False),
    Column("address", String(64), nullable=False),
    Column("agent", String(128), nullable=False),
    Index("ix_login_session_person", "person"),
)

checkpoint = Table(
    "audit_checkpoint",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("entry", BigInteger, nullable=False),  # the newest that it covers
    Column("entries", BigInteger, nullable=False),  # how many there are up to it
    Column("chain", Digest, nullable=False),  # of that entry
    Column("time", Time, nullable=False),
    Column("key", LargeBinary(32), nullable=False),  # Ed25519 public key
    Column("signature", LargeBinary(64), nullable=False),
)
