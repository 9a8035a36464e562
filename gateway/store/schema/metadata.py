"""The one MetaData of operations, and the column types that stand for a time, a document and a digest.

Portable SQL only: what SQLite takes here PostgreSQL takes by URL.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import BigInteger, Dialect, Integer, LargeBinary, MetaData, Text, TypeDecorator

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Time: Final = BigInteger()  # µs UTC
Serial: Final = BigInteger().with_variant(Integer(), "sqlite")  # a key that the database counts up
Digest: Final = LargeBinary(32)  # SHA-256


class Document(TypeDecorator[Any]):
    """A JSON value in a text column; NULL stays NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Any:  # noqa: ARG002
        return None if value is None else msgspec.json.decode(value)
