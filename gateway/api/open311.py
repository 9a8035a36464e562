"""Open311 GeoReport v2: other platforms bring reports and see what became of them. Every error is the specification's list.

An api_key is a token of citygate; role reporter is enough to bring reports and to see how they stand.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from msgspec.structs import replace
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from gateway.api import open311_asked as asked
from gateway.api import open311_models as models
from gateway.api import open311_views as views
from gateway.api.auth import Credentials, Permission, by_token, declare, may, secret_of, turned_away
from gateway.api.open311_format import MEDIA, Body, Format, answer, error
from gateway.api.open311_models import both
from gateway.api.problem import MEDIA as MEDIA_OF_PROBLEM
from gateway.api.problem import RESPONSES
from gateway.api.services import Services, With
from gateway.cases import open311
from gateway.cases.open311 import Wanted
from gateway.cases.template import Template
from gateway.errors import CallerError, Forbidden, Invalid, NotFound, StoreError, TooMany, Unauthorized
from gateway.notify.settings import Language
from gateway.registry.roles import Principal

SPECIFICATION: Final = "http://wiki.open311.org/GeoReport_v2"
CHANGED: Final = "2026-01-01T00:00:00Z"  # of this interface
STATUS: Final[Mapping[type[CallerError], int]] = {Unauthorized: 403, Invalid: 400}


BEFORE: Final = (409, 413, 422)  # problems of what stands before every route: its size, its Idempotency-Key


class GeoRoute(APIRoute):
    """What goes wrong is told as the specification says, in the format that was asked for."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                _offered(request)
                return await inner(request)
            except CallerError as fault:
                return _refusal(request, STATUS.get(type(fault), fault.status), fault.detail, _later(fault))
            except RequestValidationError as fault:
                places = {str(each["loc"][-1]): each["msg"] for each in fault.errors()}
                status = 404 if "format" in places else 400
                return _refusal(
                    request, status, "; ".join(f"{name}: {said}" for name, said in places.items())
                )
            except HTTPException as fault:
                return _refusal(request, fault.status_code, fault.detail)
            except StoreError:
                return _refusal(
                    request, 503, "the gateway cannot use its stores now; try again", {"Retry-After": "1"}
                )

        return handler


router: Final = APIRouter(
    prefix=asked.PREFIX,
    tags=["open311"],
    route_class=GeoRoute,
    responses={"default": both(list[models.Fault], "What was wrong")},
)
Open = declare(Permission.OPEN)  # readers of requests and who brings them are looked at below
Written = Annotated[Format, Path()]
Id = Annotated[str, Query(max_length=128)]


def _offered(request: Request) -> None:
    services: Services = request.app.state.services
    if not services.open311.settings.enabled:
        raise NotFound("this city offers no Open311 endpoint")


def _refusal(
    request: Request, status: int, description: str, headers: Mapping[str, str] | None = None
) -> Response:
    written = str(request.path_params.get("format", "json"))
    return answer(error(status, description), written, status, headers)


def _later(fault: CallerError) -> dict[str, str]:
    return {"Retry-After": str(fault.retry_after)} if isinstance(fault, TooMany) else {}


def _jurisdiction(services: Services, given: str) -> None:
    """Who names a jurisdiction where there is only one is heard all the same."""
    ours = services.open311.settings.jurisdiction
    if not ours or given == ours:
        return
    if not given:
        raise Invalid("jurisdiction_id was not provided")
    raise NotFound("jurisdiction_id provided was not found")


def _language(services: Services, locale: str) -> Language:
    if not locale:
        return services.open311.settings.language
    return "zh" if locale.lower().startswith("zh") else "en"


def _caller(
    services: Services, request: Request, key: str, credentials: Any, *permissions: Permission
) -> Principal:
    """Who holds the api_key. Raises Forbidden, TooMany."""
    secret = key.encode(errors="replace") or secret_of(credentials)
    found = by_token(services, secret)
    if found is None:
        fault = Unauthorized("Missing or Invalid API Key.")
        raise turned_away(services, request, "", fault) if secret else fault
    if not any(may(found, one) for one in permissions):
        raise Forbidden(f"this api_key may not {permissions[0]}")
    return found


def _reader(services: Services, request: Request, key: str, credentials: Any) -> tuple[str, ...]:
    """The areas that the caller sees; () = all."""
    if services.open311.settings.read == "open":
        return ()
    return tuple(_caller(services, request, key, credentials, Permission.READ, Permission.REPORT).areas)


def _template(services: Services, code: str) -> Template:
    if not code:
        raise Invalid("service_code was not provided")
    found = open311.offered(services.desk).get(code)
    if found is None:
        raise NotFound("service_code provided was not found")
    return found


@router.get(
    "/discovery.{format}",
    dependencies=[Open],
    response_class=Response,
    responses={200: both(models.DiscoveryView, "Endpoints")},
)
async def open311_discovery(request: Request, services: With, format: Written) -> Response:  # noqa: A002 - the specification's word, here and below
    """What is offered here, in which formats."""
    settings = services.open311.settings
    endpoint = {
        "specification": SPECIFICATION,
        "url": str(request.url).rpartition("/")[0],
        "changeset": CHANGED,
        "type": "production",
        "formats": [MEDIA["xml"], MEDIA["json"]],
    }
    body = {
        "changeset": CHANGED,
        "contact": settings.contact,
        "key_service": settings.key_service,
        "endpoints": [endpoint],
    }
    return answer(Body("discovery", body), format)


@router.get(
    "/services.{format}",
    dependencies=[Open],
    response_class=Response,
    responses={200: both(list[models.ServiceView], "Services")},
)
async def open311_services(
    services: With,
    format: Written,  # noqa: A002
    jurisdiction_id: Id = "",
    locale: Id = "",
) -> Response:
    """What can be reported."""
    _jurisdiction(services, jurisdiction_id)
    casework, language = services.desk.casework, _language(services, locale)
    kind = services.open311.settings.type
    items = [
        views.service(one, casework.family(name), language, kind)
        for name, one in open311.offered(services.desk).items()
    ]
    return answer(Body("services", items), format)


@router.get(
    "/services/{service_code}.{format}",
    dependencies=[Open],
    response_class=Response,
    responses={200: both(models.DefinitionView, "Attributes")},
)
async def open311_definition(
    services: With,
    service_code: str,
    format: Written,  # noqa: A002
    jurisdiction_id: Id = "",
    locale: Id = "",
) -> Response:
    """What else may be said of one service."""
    _jurisdiction(services, jurisdiction_id)
    found = views.definition(_template(services, service_code), _language(services, locale))
    return answer(Body("service_definition", found), format)


@router.post(
    "/requests.{format}",
    dependencies=[Open],
    response_class=Response,
    responses={
        200: both(list[models.TakenView], "Taken"),
        **{status: {**RESPONSES["default"], "content": {MEDIA_OF_PROBLEM: {}}} for status in BEFORE},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {asked.FORM: {"schema": views.RequestForm.model_json_schema()}},
        }
    },
)
async def open311_report(
    request: Request,
    services: With,
    credentials: Credentials,
    format: Written,  # noqa: A002
) -> Response:
    """A report: its number, or the token to ask for it by."""
    given = await _form(request)
    _jurisdiction(services, given.get("jurisdiction_id", ""))
    caller = _caller(services, request, given.get(asked.KEY, ""), credentials, Permission.REPORT)
    services.open311.count(caller.actor)
    language = _language(services, given.get("locale", ""))
    template = _template(services, given.get("service_code", ""))
    form = _checked(given)
    extra = form.extra()
    new = replace(form.report(template, language, _area(caller)), areas=caller.areas)
    now, desk = services.clock.now(), services.desk
    if services.open311.settings.type == "batch":
        taken = await services.store.write(lambda conn: open311.queue(conn, new, extra, caller.actor, now))
    else:
        taken, changes = await services.store.write(
            lambda conn: open311.receive(desk, conn, new, extra, caller.actor, now)
        )
        services.hub.publish(changes, ())
    told = {"token": taken.token} if taken.token else {"service_request_id": str(taken.number)}
    row = {**told, "service_notice": views.notice(template, language), "account_id": None}
    return answer(Body("service_requests", [row]), format)


@router.get(
    "/tokens/{token}.{format}",
    dependencies=[Open],
    response_class=Response,
    responses={200: both(list[models.TokenView], "The number")},
)
async def open311_token(
    request: Request,
    services: With,
    credentials: Credentials,
    token: str,
    format: Written,  # noqa: A002
    jurisdiction_id: Id = "",
    api_key: Id = "",
) -> Response:
    """The number of a request; nothing but its token while it waits."""
    _jurisdiction(services, jurisdiction_id)
    _reader(services, request, api_key, credentials)
    number = await services.store.read(lambda conn: open311.redeem(conn, token))
    told = {} if number is None else {"service_request_id": str(number)}
    return answer(Body("service_requests", [{**told, "token": token}]), format)


@router.get(
    "/requests.{format}",
    dependencies=[Open],
    response_class=Response,
    responses={200: both(list[models.RequestView], "Requests")},
)
async def open311_requests(
    request: Request,
    services: With,
    credentials: Credentials,
    format: Written,  # noqa: A002
    jurisdiction_id: Id = "",
    api_key: Id = "",
    locale: Id = "",
    service_request_id: Annotated[str, Query(max_length=8192)] = "",
    service_code: Annotated[str, Query(max_length=8192)] = "",
    start_date: Id = "",
    end_date: Id = "",
    status: Id = "",
) -> Response:
    """At most 1000 of at most 90 days, the newest first; of the last 90 days where no date is given."""
    _jurisdiction(services, jurisdiction_id)
    areas = _reader(services, request, api_key, credentials)
    ids = [asked.number(each) for each in asked.split(service_request_id)]
    since, until = asked.between(start_date, end_date, services.clock.now())
    over = asked.over(asked.split(status))
    want = Wanted(ids, asked.split(service_code), since, until, over, areas)
    return await _listed(services, want, format, _language(services, locale))


@router.get(
    "/requests/{service_request_id}.{format}",
    dependencies=[Open],
    response_class=Response,
    responses={200: both(list[models.RequestView], "The request")},
)
async def open311_request(
    request: Request,
    services: With,
    credentials: Credentials,
    service_request_id: str,
    format: Written,  # noqa: A002
    jurisdiction_id: Id = "",
    api_key: Id = "",
    locale: Id = "",
) -> Response:
    """One request, and how it stands."""
    _jurisdiction(services, jurisdiction_id)
    areas = _reader(services, request, api_key, credentials)
    want = Wanted([asked.number(service_request_id)], areas=areas)
    return await _listed(services, want, format, _language(services, locale), needed=True)


async def _listed(
    services: Services,
    want: Wanted,
    format: str,  # noqa: A002
    language: Language,
    *,
    needed: bool = False,
) -> Response:
    found = await services.store.read(lambda conn: open311.requests(conn, want))
    if needed and not found:
        raise NotFound("service_request_id was not found")
    templates, zone = services.desk.casework.templates, services.open311.zone
    rows = [views.request(one, templates, language, zone, services.labels) for one in found]
    return answer(Body("service_requests", rows), format)


async def _form(request: Request) -> dict[str, str]:
    """The first of each name; raises Invalid."""
    asked.of_form(request.headers)
    return asked.form(await request.body())


def _checked(given: Mapping[str, str]) -> views.RequestForm:
    try:
        return views.RequestForm.model_validate({name: value for name, value in given.items() if value})
    except ValidationError as fault:
        faults = [
            f"{'.'.join(map(str, each['loc'])) or 'location'}: {each['msg']}" for each in fault.errors()
        ]
        raise Invalid("; ".join(faults)) from fault


def _area(caller: Principal) -> str:
    """A key that is limited to one area reports of that area."""
    if len(caller.areas) > 1:
        raise Forbidden("this api_key is limited to several areas; use one of the whole city or of one area")
    return caller.areas[0] if caller.areas else ""
