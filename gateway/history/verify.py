"""Whether the parts on the disk are the ones that the list names: bytes, checksum and rows."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import duckdb

from gateway.history import manifest
from gateway.history.duck import History
from gateway.history.manifest import Part
from gateway.history.source import Shelf, quoted


class Verdict(NamedTuple):
    """fault: "" where the part is whole."""

    part: Part
    fault: str


def verify(history: History, part: Part) -> Verdict | None:
    """Read one part's file from end to end; None where it is listed no longer. Blocks."""
    with history.cursor() as con:
        fault = _fault(con, history.shelf, part)
        if fault and part not in manifest.listed(con, "family = ? AND day = ?", [part.family, part.day]):
            return None
    return Verdict(part, fault)


def _fault(con: duckdb.DuckDBPyConnection, shelf: Shelf, part: Part) -> str:
    path = shelf.path(part)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if size != part.bytes:
        return f"{size} bytes instead of {part.bytes}"
    if digest != part.sha256:
        return "checksum does not match"
    rows = con.execute(f"SELECT num_rows FROM parquet_file_metadata({quoted(path)})").fetchall()[0][0]  # noqa: S608
    return "" if rows == part.rows else f"{rows} rows instead of {part.rows}"
