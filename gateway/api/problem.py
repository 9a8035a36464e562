"""Errors as problem documents (RFC 9457): what was wrong and where, never a stack trace."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from gateway.errors import CallerError, StoreError, TooLarge, TooMany, Unauthorized, Unavailable

log = logging.getLogger(__name__)

MEDIA: Final = "application/problem+json"


class Fault(BaseModel):
    """at: the place, such as "body.lat" or "query.limit"."""

    model_config = ConfigDict(extra="allow")

    at: str
    problem: str


class Problem(BaseModel):
    """RFC 9457. `type` is urn:citygate:<word>; other members depend on it."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    errors: list[Fault] = Field(default_factory=list)


PROBLEM: Final = {"schema": {"$ref": "#/components/schemas/Problem"}}  # beside another type of answer
RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    "default": {"model": Problem, "description": "A problem document", "content": {MEDIA: {}}}
}


def problem(
    status: int, word: str, detail: str, members: Mapping[str, object], headers: Mapping[str, str]
) -> Response:
    body = {
        "type": f"urn:citygate:{word}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **members,
    }
    return Response(msgspec.json.encode(body, enc_hook=str), status, dict(headers), MEDIA)


def of_caller(error: CallerError) -> Response:
    headers: dict[str, str] = {}
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, Unavailable):
        headers["Retry-After"] = "1"
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(error.retry_after)
    return problem(error.status, error.word, error.detail, error.members, headers)


def install(app: FastAPI) -> None:
    """Every error that a route can raise becomes a problem document."""

    @app.exception_handler(CallerError)
    async def _caller(_: Request, error: CallerError) -> Response:
        return of_caller(error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        faults = [
            {"at": ".".join(str(part) for part in fault["loc"]), "problem": fault["msg"]}
            for fault in error.errors()
        ]
        detail = "; ".join(f"{fault['at']}: {fault['problem']}" for fault in faults)
        return problem(422, "invalid", detail, {"errors": faults}, {})

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> Response:
        phrase = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        word = TooLarge.word if error.status_code == TooLarge.status else phrase
        return problem(error.status_code, word, error.detail, {}, error.headers or {})

    @app.exception_handler(StoreError)
    async def _store(_: Request, error: StoreError) -> Response:
        log.error("a request failed: %s", error)
        return of_caller(Unavailable("the gateway cannot use its stores now; try again"))

    @app.exception_handler(Exception)
    async def _ours(_: Request, error: Exception) -> Response:
        log.error("a request failed by a fault of ours", exc_info=error)
        return problem(500, "fault", "a fault of the gateway; its log has the details", {}, {})
