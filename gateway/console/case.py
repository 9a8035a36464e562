"""A case: its facts, what remains, its timeline, and what this person may do with it now. Acts go through the API's own functions."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import ValidationError
from sqlalchemy import Connection

from gateway.api import cases as api
from gateway.api import photos
from gateway.api.auth import Permission, Reader, Worker, may
from gateway.api.cases import Act, CaseFile
from gateway.api.services import With
from gateway.cases import query, roster
from gateway.console import actions
from gateway.console.due import template_of
from gateway.console.route import PageRoute, explain, invalid
from gateway.console.sheet import Sheet, seen
from gateway.errors import CallerError, Forbidden, Invalid, NotFound
from gateway.registry.roles import Principal

router: Final = APIRouter(route_class=PageRoute, include_in_schema=False)
Id = Annotated[int, Path(ge=1, le=2**31 - 1)]
DONE: Final = "photo"
NOTHING: Final[dict[str, Any]] = {}


@router.get("/cases/{id}")
async def show(
    request: Request,
    services: With,
    caller: Reader,
    id: Id,  # noqa: A002 - the field's word, here and below
    done: Annotated[str, Query(max_length=32)] = "",
) -> Response:
    file = await api.get_case(services, caller, id)
    return await _page(Sheet(request, services, caller), caller, file, done=done)


@router.post("/cases/{id}")
async def act(request: Request, services: With, caller: Worker, id: Id) -> Response:  # noqa: A002
    """What cannot be done is said on the page, with all that was filled in."""
    form = await request.form()
    lists = {actions.LONG: [str(one) for one in form.getlist(actions.LONG)]}
    said = actions.spoken(dict(form), lists)
    try:
        try:
            meant = Act.model_validate(said)
        except ValidationError as error:
            raise invalid(error) from error
        await api.act(services, caller, id, meant)
    except (Forbidden, NotFound) as error:
        if "repaired_by" not in error.members:
            raise
        return await _again(request, services, caller, id, said, error)
    except CallerError as error:
        return await _again(request, services, caller, id, said, error)
    return seen(f"/cases/{id}", str(meant.event))


@router.post("/cases/{id}/photos")
async def add_photo(request: Request, services: With, caller: Worker, id: Id) -> Response:  # noqa: A002
    form = await request.form()
    given = form.get("photo")
    try:
        if given is None or isinstance(given, str) or not given.size:
            raise Invalid("choose a picture first")
        await photos.keep(services, caller, id, await given.read())
    except (Forbidden, NotFound):
        raise
    except CallerError as error:
        return await _again(request, services, caller, id, NOTHING, error)
    return seen(f"/cases/{id}", DONE)


async def _again(
    request: Request,
    services: With,
    caller: Principal,
    id: int,  # noqa: A002
    said: dict[str, Any],
    error: CallerError,
) -> Response:
    """As it is now; what was seen before may be old."""
    file = await api.get_case(services, caller, id)
    sheet = Sheet(request, services, caller)
    return await _page(sheet, caller, file, said=said, fault=explain(error, sheet.say), status=error.status)


async def _page(
    sheet: Sheet,
    caller: Principal,
    file: CaseFile,
    *,
    said: dict[str, Any] = NOTHING,
    fault: str = "",
    done: str = "",
    status: int = 200,
) -> Response:
    services, case = sheet.services, file.case
    template = template_of(services, case)
    dispatches = may(caller, Permission.OPERATE)

    def read(conn: Connection) -> tuple[list[dict[str, Any]], list[roster.Crew]]:
        return query.photos(conn, case.id), roster.crews(conn) if dispatches else []

    pictures, crews = await services.store.read(read)
    say = sheet.say
    texts = await services.explanations.of(file.alarms, say.language, brief=True)
    return sheet.page(
        "case.html",
        status,
        here=f"/cases/{case.id}",
        case=case,
        title=case.zh if say.language == "zh" else case.en,
        limit=template.limit,
        standard=file.standard,
        left=sheet.due(case),
        alarms=list(zip(file.alarms, texts, strict=True)),
        timeline=file.timeline[::-1],
        photos=pictures,
        forms=actions.of_case(caller, file, template, str(said.get("event", ""))),
        takes_photos=may(caller, Permission.WORK) and case.closed is None,
        crews=sorted({crew.name for crew in crews} | ({case.crew} - {""})),
        departments=sorted({crew.department for crew in crews} - {""}),
        said=said,
        fault=fault,
        done=done,
    )
