"""A page's route: whatever goes wrong is a page too, in the reader's language; who is not logged in is asked to.

A strict cookie does not travel with another site's link: such a visit is asked for once more, from a page of ours.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from pydantic import ValidationError

from gateway.api.services import Services
from gateway.cases.lifecycle import CaseState
from gateway.console.sheet import HEADERS, anyone, local
from gateway.console.speech import Speech
from gateway.console.words import WORDS
from gateway.errors import CallerError, Invalid, StoreError, Unauthorized, Unavailable

log = logging.getLogger(__name__)

SAFE: Final = frozenset(("GET", "HEAD"))


class PageRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await inner(request)
            except CallerError as error:
                return refused(request, error)
            except RequestValidationError as error:
                return refused(request, Invalid(faults(error.errors())))
            except StoreError as error:
                log.error("a page failed: %s", error)  # noqa: TRY400 - its cause was logged where it was found
                return refused(request, Unavailable("the gateway cannot use its stores now; try again"))
            finally:
                await request.close()  # files that came with a form

        return handle


def refused(request: Request, error: CallerError) -> Response:
    services: Services = request.app.state.services
    if isinstance(error, Unauthorized):
        here = local(str(request.url)) if request.method in SAFE else "/"
        if request.headers.get("sec-fetch-site") == "cross-site" and request.method in SAFE:
            return anyone(request, services).page(
                "onward.html", here=here
            )  # now it is our own page that asks
        query = "" if here == "/" else f"?{urlencode({'next': here})}"
        return RedirectResponse(f"/login{query}", 303, HEADERS)
    sheet = anyone(request, services)
    return sheet.page("fault.html", error.status, here="/", fault=explain(error, sheet.say))


def explain(error: CallerError, say: Speech) -> str:
    """What went wrong, in the reader's language as far as its kind is known."""
    members = error.members
    told = next((word for word in _kinds(error, members) if f"fault.{word}" in WORDS), "other")
    state = str(members.get("state", ""))
    return say.word(
        f"fault.{told}",
        detail=error.detail,
        state=say.word(f"state.{state}") if state in frozenset(CaseState) else state,
        n=members.get("retry_after", ""),
        who=say.who(str(members.get("returned") or members.get("repaired_by") or "")),
    )


def _kinds(error: CallerError, members: Mapping[str, object]) -> list[str]:
    """From the special to the general."""
    special = {"revision": "stale", "allowed": "state", "returned": "returned", "repaired_by": "repaired_by"}
    found = [word for member, word in special.items() if member in members]
    return [*found, str(members.get("field", "")), error.word]


def faults(errors: Any) -> str:
    return "; ".join(f"{fault['loc'][-1] if fault['loc'] else 'form'}: {fault['msg']}" for fault in errors)


def invalid(error: ValidationError) -> Invalid:
    """A form that says what its fields cannot hold."""
    first = error.errors()[0]
    return Invalid(faults(error.errors()), field=str(first["loc"][0]) if first["loc"] else "")
