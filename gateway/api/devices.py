"""Devices: who they are, and their secrets."""

from __future__ import annotations

import asyncio
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any, Final

import msgspec
from fastapi import Path, Request, Response, status
from pydantic import BaseModel, ConfigDict

from gateway.api.auth import CityRegistrar, Reader, Registrar, within
from gateway.api.clocks import ClockView
from gateway.api.clocks import view as clock_view
from gateway.api.page import Limit, Page, page
from gateway.api.problem import MEDIA, PROBLEM
from gateway.api.resource import resource
from gateway.api.rotations import NewSecret, Overlap, renewed
from gateway.api.services import With
from gateway.errors import Invalid
from gateway.registry.rows import Selection

router: Final = resource("/devices", "devices")
IN_MEMORY: Final = 4 * 1024 * 1024  # of an import; the rest waits on disk
Id = Annotated[str, Path(max_length=64)]


class DeviceView(BaseModel):
    """One installed unit. Times µs UTC; lat, lon WGS-84 degrees; interval in µs, 0 = the product's own."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    family: str
    index: int
    product: str
    name: str
    link: str
    lat: float | None
    lon: float | None
    grid: str
    area: str
    owner: str
    parent: str
    interval: int
    attributes: dict[str, float]
    retired: bool
    created: int
    updated: int


class DeviceDetail(DeviceView):
    """clock: how far off its clock is; null where it has sent no stamp that counts."""

    clock: ClockView | None


class DeviceChange(BaseModel):
    """Only what is given changes. interval: seconds, or 30s, 5m, 1h. grid: 15 digits. area: xuhui/tianping."""

    model_config = ConfigDict(extra="forbid")

    product: str | None = None
    family: str | None = None
    name: str | None = None
    link: str | None = None
    lat: float | None = None
    lon: float | None = None
    grid: str | None = None
    area: str | None = None
    owner: str | None = None
    parent: str | None = None
    interval: float | str | None = None
    attributes: dict[str, float] | None = None
    retired: bool | None = None


class DeviceNew(DeviceChange):
    id: str
    product: str


class DeviceCreated(BaseModel):
    """secret: shown this once; the device's password."""

    device: DeviceView
    secret: str


class CreatedLine(BaseModel):
    line: int
    id: str
    secret: str


class FaultLine(BaseModel):
    """line: as an editor counts."""

    line: int
    column: str
    problem: str
    remedy: str


class ImportView(BaseModel):
    """lines: data lines read. Secrets are shown this once."""

    lines: int
    created: list[CreatedLine]
    faults: list[FaultLine]


@router.get("")
async def list_devices(
    services: With,
    caller: Reader,
    family: str | None = None,
    product: str | None = None,
    area: str | None = None,
    parent: str | None = None,
    text: str | None = None,
    *,
    retired: bool | None = None,
    after: str = "",
    limit: Limit = 100,
) -> Page[DeviceView]:
    """Devices in order of id. area: this path and all below it. text: how id or name begins."""
    selection = Selection(family, product, area, parent, text, retired, caller.areas)
    found = await services.devices.listing(selection, after, limit + 1)
    return page([DeviceView.model_validate(one) for one in found], limit, lambda one: one.id)


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_device(services: With, caller: Registrar, new: DeviceNew) -> DeviceCreated:
    within(caller, new.area or "")
    device, secret = await services.devices.create(given(new), caller.actor)
    return DeviceCreated(device=DeviceView.model_validate(device), secret=secret)


@router.post(
    "/import",
    responses={200: {"model": ImportView}, 422: {"model": ImportView, "content": {MEDIA: PROBLEM}}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def import_devices(
    request: Request, services: With, caller: CityRegistrar, *, partial: bool = False
) -> Response:
    """Create the devices of a CSV (header: id, product, name, area, lat, lon, parent, interval, attr.<name> …).

    All or none; with `partial` those whose lines are good. Every faulty line is reported: 422 if none was created.
    """
    with SpooledTemporaryFile(IN_MEMORY) as file:
        async for chunk in request.stream():
            file.write(chunk)
        done = await services.devices.import_csv(file, caller.actor, partial=partial)
    body = await asyncio.to_thread(msgspec.json.encode, done)
    return Response(body, 422 if done.faults and not done.created else 200, media_type="application/json")


@router.get("/{id}")
async def get_device(services: With, caller: Reader, id: Id) -> DeviceDetail:  # noqa: A002 - the field's word, here and below
    one = await services.devices.get(id)
    within(caller, one.area)
    clock = services.offsets.get(one.family, one.index)
    view = DeviceView.model_validate(one)
    return DeviceDetail(**view.model_dump(), clock=clock_view(services, clock) if clock else None)


@router.patch("/{id}")
async def change_device(services: With, caller: Registrar, id: Id, change: DeviceChange) -> DeviceView:  # noqa: A002
    """A product of another family gives the device a new index, and so a new history, there."""
    within(caller, (await services.devices.get(id)).area)
    if change.area is not None:
        within(caller, change.area)
    return DeviceView.model_validate(await services.devices.change(id, given(change), caller.actor))


@router.delete("/{id}")
async def retire_device(services: With, caller: Registrar, id: Id) -> DeviceView:  # noqa: A002
    """Take it out of service: it is locked out, its rules stop, its history stays. PATCH retired=false undoes it."""
    within(caller, (await services.devices.get(id)).area)
    return DeviceView.model_validate(await services.devices.change(id, {"retired": True}, caller.actor))


@router.post("/{id}/secret")
async def rotate_secret(services: With, caller: Registrar, id: Id, overlap: Overlap = None) -> NewSecret:  # noqa: A002
    """A new secret. With an overlap the former one opens for so long too; without, nothing from now on."""
    within(caller, (await services.devices.get(id)).area)
    return renewed(services, id, await services.devices.rotate(id, caller.actor, overlap or 0))


def given(change: DeviceChange) -> dict[str, Any]:
    form = change.model_dump(exclude_unset=True)
    nullable = {"lat", "lon", "interval"}
    for name, value in form.items():
        if value is None and name not in nullable:
            raise Invalid(f"{name} cannot be null; leave it out or give a value")
    return form
