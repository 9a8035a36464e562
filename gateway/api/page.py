"""Lists come by pages: `items`, and `after` to ask for the next page with; empty at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

LARGEST: Final = 1_000
Limit = Annotated[int, Query(ge=1, le=LARGEST)]
Mark = Annotated[int, Query(ge=0, lt=2**63)]  # number of a row of the page before

CaseNumber = Annotated[int, Query(ge=1, le=2**31 - 1)]

Item = TypeVar("Item", bound=BaseModel)


class Page(BaseModel, Generic[Item]):
    """after: pass it on to get the next page; "" at the end."""

    items: list[Item]
    after: str


def page(found: list[Item], limit: int, mark: Callable[[Item], str]) -> Page[Item]:
    """Of `limit` + 1 items that were asked for, a page of `limit`."""
    items = found[:limit]
    return Page(items=items, after=mark(items[-1]) if len(found) > limit else "")
