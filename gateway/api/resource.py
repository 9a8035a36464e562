"""A resource's routes are built once, when its file is read, with their whole path; every application takes them as they are.

FastAPI's include_router builds each route again, first to look at its path and then at the first request of each application.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from gateway.api.problem import RESPONSES

API: Final = "/api/v1"


def resource(path: str, tag: str) -> APIRouter:
    """Routes under /api/v1 and `path`, which "" leaves out; their errors are problem documents."""
    return APIRouter(prefix=API + path, tags=[tag], responses=RESPONSES)
