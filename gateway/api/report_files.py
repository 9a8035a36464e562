"""The weekly report and the monthly ranking as files: CSV, XLSX, or a page to print."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, NamedTuple

from fastapi import Query, Response

from gateway.api.auth import Reader
from gateway.api.resource import resource
from gateway.api.services import With
from gateway.evaluation import render
from gateway.evaluation.report import Report
from gateway.registry.roles import Principal

router: Final = resource("/reports", "evaluation")

Day = Annotated[
    date | None, Query(description="any day of the period; default: the last period that is over")
]
Depth = Annotated[int, Query(ge=1, le=16)]


class Format(StrEnum):
    CSV = "csv"
    XLSX = "xlsx"
    HTML = "html"


class Way(NamedTuple):
    write: Callable[[Report], bytes]
    media: str


WAYS: Final = {
    Format.CSV: Way(render.as_csv, render.CSV),
    Format.XLSX: Way(render.as_xlsx, render.XLSX),
    Format.HTML: Way(render.as_html, render.HTML),
}
FILES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {
            way.media: {"schema": {"type": "string", "contentMediaType": way.media}} for way in WAYS.values()
        },
        "description": "The report",
    }
}


@router.get("/weekly", response_class=Response, responses=FILES)
async def weekly(
    services: With,
    caller: Reader,
    format: Format = Format.XLSX,  # noqa: A002 - the parameter's word
    date: Day = None,
    depth: Depth = 1,
    lang: Literal["en", "zh"] | None = None,
) -> Response:
    """Cases and facilities of a week from Monday, beside the week before; of the areas that you are limited to."""
    report = await services.composer.weekly(date, caller.areas, depth, _language(caller, lang))
    return await _file(report, "weekly", format)


@router.get("/monthly", response_class=Response, responses=FILES)
async def monthly(
    services: With,
    caller: Reader,
    format: Format = Format.XLSX,  # noqa: A002 - the parameter's word
    date: Day = None,
    depth: Depth = 1,
    lang: Literal["en", "zh"] | None = None,
) -> Response:
    """Areas, departments, crews and grid cells ranked by their score in a month, beside the month before."""
    report = await services.composer.monthly(date, caller.areas, depth, _language(caller, lang))
    return await _file(report, "monthly", format)


def _language(caller: Principal, wanted: str | None) -> str:
    return wanted or caller.language or "en"


async def _file(report: Report, name: str, wanted: Format) -> Response:
    way = WAYS[wanted]
    content = await asyncio.to_thread(way.write, report)
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    if wanted is Format.HTML:
        headers["Content-Security-Policy"] = render.POLICY
    else:
        headers["Content-Disposition"] = f'attachment; filename="{name}.{wanted}"'
    return Response(content, media_type=way.media, headers=headers)
