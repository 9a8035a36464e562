"""Crews: who they are, where they start from, when they are on duty, and which of them is nearest to a case."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Path, Query, status
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.api.auth import CitySupervisor, Operator, Reader, Worker, within
from gateway.api.resource import resource
from gateway.api.services import With
from gateway.api.span import Moment
from gateway.cases import nearest, query, roster
from gateway.cases.roster import Crew, Shift
from gateway.errors import Conflict, NotFound

router: Final = resource("/crews", "dispatch")
Name = Annotated[str, Path(min_length=1, max_length=64)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]


class ShiftView(BaseModel):
    """days: workdays, free (weekends and holidays), daily, or some of mon,tue,wed,thu,fri,sat,sun. 08:00 to 18:00; a
    shift that ends not after it begins runs into the next day.
    """

    model_config = ConfigDict(from_attributes=True, extra="forbid")

    days: str = Field(max_length=64)
    begins: str = Field(max_length=5)
    ends: str = Field(max_length=5)


class CrewForm(BaseModel):
    """members: as the audit names them. lat, lon: where it starts from. Without shifts it is always on duty."""

    model_config = ConfigDict(extra="forbid")

    department: str = Field("", max_length=64)
    lat: Latitude | None = None
    lon: Longitude | None = None
    members: list[Annotated[str, Field(min_length=1, max_length=128)]] = Field(default=[], max_length=200)
    shifts: list[ShiftView] = Field(default=[], max_length=50)

    @model_validator(mode="after")
    def _both(self) -> CrewForm:
        if (self.lat is None) != (self.lon is None):
            raise ValueError("give both lat and lon, or neither")
        return self


class CrewView(BaseModel):
    """last_*: where and when (µs UTC) it was seen last. on_duty: at the moment that was asked for."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    department: str
    lat: float | None
    lon: float | None
    members: list[str]
    shifts: list[ShiftView]
    last_lat: float | None
    last_lon: float | None
    last_seen: int | None
    on_duty: bool


class Crews(BaseModel):
    items: list[CrewView]


class Here(BaseModel):
    model_config = ConfigDict(extra="forbid")

    lat: Latitude
    lon: Longitude


class CandidateView(BaseModel):
    """metres: null where a place is unknown. open: cases it has to do."""

    model_config = ConfigDict(from_attributes=True)

    crew: str
    department: str
    metres: float | None
    open: int
    on_duty: bool


class Candidates(BaseModel):
    """The best first; those off duty come last."""

    items: list[CandidateView]


@router.get("")
async def list_crews(
    services: With, _: Reader, department: Annotated[str, Query(max_length=64)] = "", at: Moment | None = None
) -> Crews:
    """In order of name. at: for on_duty; now where it is left out."""
    when = services.clock.now() if at is None else at
    found = await services.store.read(lambda conn: roster.crews(conn, department))
    return Crews(items=[_view(services, one, when) for one in found])


@router.get("/nearest")
async def nearest_crews(
    services: With,
    caller: Operator,
    case: Annotated[int, Query(ge=1, le=2**31 - 1)],
    department: Annotated[str, Query(max_length=64)] = "",
) -> Candidates:
    """Who could go to this case now: on duty, near, with little to do."""
    one = (await services.store.read(lambda conn: query.case(conn, case))).case
    within(caller, one.area)
    clock, now, where = services.desk.casework.clock, services.clock.now(), (one.lat, one.lon)
    found = await services.store.read(lambda conn: nearest.candidates(conn, clock, now, where, department))
    return Candidates(items=[CandidateView.model_validate(each) for each in found])


@router.put("/{name}")
async def put_crew(services: With, caller: CitySupervisor, name: Name, form: CrewForm) -> CrewView:
    """The crew as it is from now on."""
    shifts = tuple(Shift(**one.model_dump()) for one in form.shifts)
    crew = Crew(name, form.department, form.lat, form.lon, tuple(form.members), shifts)
    now = services.clock.now()
    await services.store.write(lambda conn: roster.put(conn, crew, caller.actor, now))
    return await _one(services, name)


@router.delete("/{name}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_crew(services: With, caller: CitySupervisor, name: Name) -> None:
    """Its cases stay its own until they are handed back."""
    now = services.clock.now()
    await services.store.write(lambda conn: roster.remove(conn, name, caller.actor, now))


@router.post("/{name}/place")
async def crew_place(services: With, caller: Worker, name: Name, here: Here) -> CrewView:
    """Where the crew is now; one of its members says so, or an operator."""
    known = await _one(services, name)
    if caller.role == "crew" and caller.actor not in known.members:
        raise Conflict(f"{caller.actor} is not of crew {name}", crew=name)
    now = services.clock.now()
    await services.store.write(lambda conn: roster.seen(conn, name, here.lat, here.lon, now))
    return await _one(services, name)


async def _one(services: With, name: str) -> CrewView:
    found = await services.store.read(lambda conn: [one for one in roster.crews(conn) if one.name == name])
    if not found:
        raise NotFound(f"there is no crew {name!r:.80}")
    return _view(services, found[0], services.clock.now())


def _view(services: With, crew: Crew, at: int) -> CrewView:
    shifts = [ShiftView.model_validate(one) for one in crew.shifts]
    fields = {name: getattr(crew, name) for name in crew.__struct_fields__ if name != "shifts"}
    duty = roster.on_duty(crew, services.desk.casework.clock, at)
    return CrewView(**{**fields, "members": list(crew.members)}, shifts=shifts, on_duty=duty)
