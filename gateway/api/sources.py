"""Sources: who speaks for many devices, under which topics and for which of them."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Path, status
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.auth import CityRegistrar, Reader
from gateway.api.resource import resource
from gateway.api.rotations import NewSecret, Overlap, renewed
from gateway.api.services import Services, With
from gateway.registry.roles import Principal
from gateway.registry.sources import Source

router: Final = resource("/sources", "sources")
Name = Annotated[str, Path(max_length=64)]


class SourceNew(BaseModel):
    """filters: MQTT topic filters. devices: ids it may speak for; or area: all under this path, "" = every device."""

    model_config = ConfigDict(extra="forbid")

    name: str
    filters: list[str] = Field(max_length=100)
    devices: list[str] | None = Field(None, max_length=100_000)
    area: str | None = None


class SourceView(SourceNew):
    """created: µs UTC."""

    model_config = ConfigDict(from_attributes=True)

    created: int


class SourceCreated(BaseModel):
    """secret: shown this once; the source's password."""

    source: SourceView
    secret: str


class SourceList(BaseModel):
    items: list[SourceView]


@router.get("")
async def list_sources(services: With, caller: Reader) -> SourceList:
    """Who is limited to areas sees those that speak for nothing else."""
    found = [one for one in await services.sources.listing() if _inside(services, caller, one)]
    return SourceList(items=[SourceView.model_validate(one) for one in found])


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_source(services: With, caller: CityRegistrar, new: SourceNew) -> SourceCreated:
    source, secret = await services.sources.create(Source(**new.model_dump()), caller.actor)
    return SourceCreated(source=SourceView.model_validate(source), secret=secret)


@router.post("/{name}/secret")
async def rotate_secret(
    services: With, caller: CityRegistrar, name: Name, overlap: Overlap = None
) -> NewSecret:
    """A new secret. With an overlap the former one opens for so long too; without, nothing from now on."""
    return renewed(services, name, await services.sources.rotate(name, caller.actor, overlap or 0))


@router.delete("/{name}", status_code=status.HTTP_204_NO_CONTENT)
async def remove_source(services: With, caller: CityRegistrar, name: Name) -> None:
    """It may not connect any more."""
    await services.sources.remove(name, caller.actor)


def _inside(services: Services, caller: Principal, one: Source) -> bool:
    if one.devices is None:
        return caller.covers(one.area or "")
    entries = [services.directory.device(id) for id in one.devices]  # noqa: A001 - the field's word
    return all(caller.covers(entry.area if entry else "") for entry in entries)
