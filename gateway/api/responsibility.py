"""Who is responsible for what kind of case where: one table, replaced as a whole; the most specific row wins."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.auth import CityReader, CityRegistrar
from gateway.api.resource import resource
from gateway.api.services import With
from gateway.cases import responsibility
from gateway.cases.responsibility import Duty, Place

router: Final = resource("/responsibility", "dispatch")
MOST: Final = 5_000  # rows


class DutyView(BaseModel):
    """Empty area, family or cause: any. area: a path, or the first 6, 9, 12 or 15 digits of a grid code. cause: a case
    template. Without a crew the nearest free one of the department that is on duty is sent.
    """

    model_config = ConfigDict(from_attributes=True, extra="forbid")

    area: str = Field("", max_length=256)
    family: str = Field("", max_length=32)
    cause: str = Field("", max_length=64)
    department: str = Field(min_length=1, max_length=64)
    crew: str = Field("", max_length=64)


class Duties(BaseModel):
    items: Annotated[list[DutyView], Field(max_length=MOST)]


class Found(BaseModel):
    """duty: null where the table says nothing, and the case template's crew is sent."""

    duty: DutyView | None


@router.get("")
async def get_responsibility(services: With, _: CityReader) -> Duties:
    """The whole table."""
    found = await services.store.read(responsibility.listing)
    return Duties(items=[DutyView.model_validate(one) for one in found])


@router.get("/find")
async def find_responsible(
    services: With,
    _: CityReader,
    cause: Annotated[str, Query(max_length=64)] = "",
    family: Annotated[str, Query(max_length=32)] = "",
    area: Annotated[str, Query(max_length=256)] = "",
    grid: Annotated[str, Query(max_length=15)] = "",
) -> Found:
    """Which row counts for such a case."""
    place = Place(area, grid, family, cause)
    duty = await services.store.read(lambda conn: responsibility.find(conn, place))
    return Found(duty=DutyView.model_validate(duty) if duty else None)


@router.put("")
async def replace_responsibility(services: With, caller: CityRegistrar, table: Duties) -> Duties:
    """These rows are the table from now on; with a fault nothing is changed."""
    duties, now = [Duty(**row.model_dump()) for row in table.items], services.clock.now()
    await services.store.write(lambda conn: responsibility.replace(conn, duties, caller.actor, now))
    return table
