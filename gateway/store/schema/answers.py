"""What the API answered to writes that carried an idempotency key."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table

from gateway.store.schema.metadata import Digest, Time, metadata

answer = Table(
    "api_answer",
    metadata,
    Column("scope", Digest, primary_key=True),  # caller, method, path and key
    Column("caller", String(200), nullable=False),
    Column("request", Digest, nullable=False),  # query, kind of body, body
    Column("expires", Time, nullable=False),
    Column("status", Integer),  # null: the effect stands, the gateway went before it answered
    Column("media", String(64), nullable=False),
    Column("content", LargeBinary),  # null: not kept
    Index("ix_api_answer_caller", "caller"),
    Index("ix_api_answer_expires", "expires"),
)
