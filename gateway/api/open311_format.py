"""One answer, two writings: what GeoReport v2 says in JSON it says in XML by the same names, each list under its root.

Text that XML cannot hold never gets in (see `plain`), so that both say the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple
from xml.sax.saxutils import escape

import msgspec
from fastapi import Response

Format = Literal["json", "xml"]
Fields = Mapping[str, Any]

MEDIA: Final[Mapping[str, str]] = {"json": "application/json", "xml": "text/xml"}
ITEMS: Final = {  # what one of a list is called
    "services": "service",
    "service_requests": "request",
    "errors": "error",
    "attributes": "attribute",
    "values": "value",
    "endpoints": "endpoint",
    "formats": "format",
}
_UNWRITABLE: Final = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2 Char


class Body(NamedTuple):
    """root: of the XML; JSON has none."""

    root: str
    content: Fields | Sequence[Fields]


def plain(text: str) -> str:
    """As both formats can carry it: one kind of line end, nothing that XML 1.0 forbids, no space around."""
    return _UNWRITABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def write(body: Body, format: str) -> bytes:  # noqa: A002 - the specification's word, here and below
    if format != "xml":
        return msgspec.json.encode(body.content)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{_element(body.root, body.content)}\n'.encode()


def answer(body: Body, format: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:  # noqa: A002
    media = MEDIA.get(format, MEDIA["json"])
    return Response(write(body, format), status, dict(headers or {}), f"{media}; charset=utf-8")


def error(status: int, description: str) -> Body:
    return Body("errors", [{"code": status, "description": plain(description)}])


def _element(name: str, value: object) -> str:
    if value is None or value == "":
        return f"<{name}/>"
    return f"<{name}>{_inner(name, value)}</{name}>"


def _inner(name: str, value: object) -> str:
    if isinstance(value, Mapping):
        return "".join(_element(key, each) for key, each in value.items())
    if isinstance(value, list | tuple):
        return "".join(_element(ITEMS[name], each) for each in value)
    return escape(str(value).lower() if isinstance(value, bool) else str(value))
