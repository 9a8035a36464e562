"""Photos of the work on a case. A picture is served as what its bytes are, without metadata, and never as a document."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Path, Request, Response, status
from pydantic import BaseModel, ConfigDict

from gateway.api.auth import Reader, Worker, within
from gateway.api.resource import resource
from gateway.api.services import Services, With
from gateway.cases import frontdesk, query
from gateway.cases.photos import JPEG, PNG, WEBP
from gateway.registry.roles import Principal

router: Final = resource("/cases/{id}/photos", "cases")
Id = Annotated[int, Path(ge=1, le=2**31 - 1)]
Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
MEDIA: Final = (JPEG, PNG, WEBP)
BODY: Final = {"requestBody": {"required": True, "content": {media: {} for media in MEDIA}}}
STRICT: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, max-age=31536000, immutable",
}


class PhotoView(BaseModel):
    """sha256: of the stored picture, its name. time: µs UTC, when it came; what the file says of that is not kept."""

    model_config = ConfigDict(from_attributes=True)

    sha256: str
    media: str
    bytes: int
    time: int
    actor: str


class Photos(BaseModel):
    items: list[PhotoView]


@router.get("")
async def list_photos(services: With, caller: Reader, id: Id) -> Photos:  # noqa: A002 - the field's word, here and below
    """In the order they came."""
    await _seen(services, caller, id)
    return await _list(services, id)


@router.post("", status_code=status.HTTP_201_CREATED, openapi_extra=BODY)
async def add_photo(services: With, caller: Worker, id: Id, request: Request) -> Photos:  # noqa: A002
    """The body is a JPEG, PNG or WebP file of at most 8 MiB. Its metadata (place, time, camera) is taken off."""
    return await keep(services, caller, id, await request.body())


async def keep(services: Services, caller: Principal, id: int, data: bytes) -> Photos:  # noqa: A002
    """The picture belongs to the case from now on."""
    await _seen(services, caller, id)
    stored, now = await services.album.put(data), services.clock.now()
    _, changes = await services.store.write(
        lambda conn: frontdesk.photo(services.desk, conn, id, stored, caller.actor, now)
    )
    services.hub.publish(changes, ())
    return await _list(services, id)


@router.get(
    "/{sha256}",
    response_class=Response,
    responses={
        200: {"content": {media: {"schema": {"type": "string", "format": "binary"}} for media in MEDIA}}
    },
)
async def get_photo(services: With, caller: Reader, id: Id, sha256: Sha256) -> Response:  # noqa: A002
    await _seen(services, caller, id)
    media = await services.store.read(lambda conn: query.photo(conn, id, sha256))
    data = await services.album.get(sha256)
    name = f'inline; filename="case-{id}-{sha256[:12]}.{media.removeprefix("image/")}"'
    return Response(data, media_type=media, headers={**STRICT, "Content-Disposition": name})


async def _seen(services: Services, caller: Principal, id: int) -> None:  # noqa: A002
    within(caller, (await services.store.read(lambda conn: query.case(conn, id))).case.area)


async def _list(services: Services, id: int) -> Photos:  # noqa: A002
    rows = await services.store.read(lambda conn: query.photos(conn, id))
    return Photos(items=[PhotoView(**row) for row in rows])
