"""A backup while the gateway runs. It writes files of this host, so only this host's own command may ask for one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Final

import msgspec
from fastapi import Depends
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict

from gateway.api.auth import Admin, local
from gateway.api.resource import resource
from gateway.api.services import With
from gateway.backup.backup import Progress, Taken
from gateway.errors import StoreError, Unavailable

router: Final = resource("/backup", "backup")


class BackupWish(BaseModel):
    """to: absolute path of a new folder, or of a new file that ends in .tar."""

    model_config = ConfigDict(extra="forbid")

    to: Path


class BackupLine(BaseModel):
    """One line of the answer: how far it is; the last one has `tick`, or `error`.

    tick: every reading acknowledged up to it is in the backup. damaged: parts of history that could not be taken.
    """

    stage: str | None = None
    files: int | None = None
    bytes: int | None = None
    tick: int | None = None
    operations: int | None = None
    snapshot: int | None = None
    damaged: list[str] | None = None
    error: str | None = None


@router.post(
    "",
    response_class=StreamingResponse,
    responses={
        200: {
            "model": BackupLine,
            "content": {"application/x-ndjson": {}},
            "description": "One BackupLine a line, while it is made",
        }
    },
)
async def take(
    services: With, _: Admin, _here: Annotated[None, Depends(local)], wish: BackupWish
) -> StreamingResponse:
    """Copy snapshots, operations and history, beside the ticks. Nothing is left behind where it fails."""
    taking = services.backup.take(wish.to)
    try:
        first = await anext(taking)  # a target that cannot be used is a refusal, not a line
    except StoreError as error:
        raise Unavailable(str(error)) from error
    return StreamingResponse(_lines(first, taking), media_type="application/x-ndjson")


async def _lines(first: Progress | Taken, taking: AsyncGenerator[Progress | Taken]) -> AsyncIterator[bytes]:
    async with aclosing(taking):
        yield _line(first)
        try:
            async for each in taking:
                yield _line(each)
        except StoreError as error:
            yield msgspec.json.encode({"error": str(error)}) + b"\n"


def _line(each: Progress | Taken) -> bytes:
    return msgspec.json.encode(each) + b"\n"
