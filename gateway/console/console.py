"""The pages that people work with, on top of the API and its services: server-rendered, without any script."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI

from gateway.console import account, alarm, case, login, mine, overview, static

PAGES: Final = (login, overview, case, alarm, mine, account, static)


def install(app: FastAPI) -> None:
    """Onto the application of the API, whose services and session cookies it uses."""
    for page in PAGES:
        app.router.routes += page.router.routes  # as they are: include_router would build them again
