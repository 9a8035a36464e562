"""A page on its way out: what every page knows, its template, and headers that let nothing run and nothing come from elsewhere."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.api.auth import Permission, by_cookie, may
from gateway.api.cases import CaseView
from gateway.api.services import Services
from gateway.console.due import due
from gateway.console.speech import Speech, choose
from gateway.registry.roles import Principal

POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with none at all a form would not say where it comes from
    "Cross-Origin-Opener-Policy": "same-origin",
}
STYLE: Final = "citygate.css"
HOME: Final = "/"


class Sheet:
    """What one request's page is made of."""

    def __init__(self, request: Request, services: Services, caller: Principal | None) -> None:
        self.request = request
        self.services = services
        self.caller = caller
        zone = services.desk.casework.clock.zone
        language = choose(request, caller.language if caller else "")
        self.say = Speech(language, zone, services.clock.now(), services.families, services.labels)

    def page(self, template: str, status: int = 200, *, here: str = "", **context: Any) -> HTMLResponse:
        """here: where a GET shows this page; "" = what was asked for."""
        known = {
            "say": self.say,
            "w": self.say.word,
            "me": self.caller,  # in a macro `caller` is Jinja's own
            "can": self.can,
            "due": self.due,
            "style": f"/static/{STYLE}?v={version(STYLE)}",
            "here": here or local(str(self.request.url)),
            "done": "",
            "fault": "",
        }
        text = _environment().get_template(template).render(known | context)
        return HTMLResponse(text, status, HEADERS)

    def can(self, permission: str) -> bool:
        return self.caller is not None and may(self.caller, Permission(permission))

    def due(self, case: CaseView) -> Any:
        return due(self.services, case, self.say)

    def query(self, **changed: str) -> str:
        """The page's own query with some of it changed; for links to other pages of a list."""
        given = {**self.request.query_params, **changed}
        return "?" + urlencode({key: value for key, value in given.items() if value and key != "done"})


def anyone(request: Request, services: Services) -> Sheet:
    """For pages that are open to all."""
    return Sheet(request, services, by_cookie(services, request))


def seen(where: str, done: str = "") -> RedirectResponse:
    """After a write: the browser gets the page anew, so that going back or loading again repeats nothing."""
    query = f"?{urlencode({'done': done})}" if done else ""
    return RedirectResponse(f"{where}{query}", 303, HEADERS)


def local(url: str) -> str:
    """Path and query of an address, if it is a plain one of this origin; else the first page."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HOME
    where = parts.path + (f"?{parts.query}" if parts.query else "")
    plain = where.startswith("/") and not where.startswith(("//", "/\\"))
    return where if plain and where.isascii() and where.isprintable() else HOME


@cache
def file(name: str) -> bytes:
    """Of the folder static, which is part of the package."""
    return resources.files("gateway.console").joinpath("static", name).read_bytes()


@cache
def version(name: str) -> str:
    """Changes with the file, so that browsers may keep it for ever."""
    return hashlib.sha256(file(name)).hexdigest()[:12]


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("gateway.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
