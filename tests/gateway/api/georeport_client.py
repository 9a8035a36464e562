"""A caller of GeoReport v2 who reads both formats with the standard library, as anyone's program would."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import httpx

from tests.gateway.api.gate import Gate

BASE = "/open311/v2"
POTHOLE = {
    "service_code": "cover-danger",
    "lat": "37.76524078",
    "long": "-122.4212043",
    "address_string": "1234 5th street",
    "email": "smit333@example.com",
    "device_id": "tt222111",
    "account_id": "123456",
    "first_name": "john",
    "last_name": "smith",
    "phone": "111111111",
    "description": "A large sinkhole is destroying the street",
    "media_url": "http://farm3.example.com/2002/2212426634_5ed477a060.jpg",
}  # the specification's example of a POST, with a service of ours


def texts(element: ET.Element) -> Any:
    """An element as JSON would have it, every leaf as text; what is empty is None."""
    if not len(element):
        return element.text
    items = [texts(each) for each in element]
    alike = {each.tag for each in element}
    listed = {"services", "service_requests", "errors", "attributes", "endpoints", "formats"}
    return (
        items
        if element.tag in listed
        else dict(zip((each.tag for each in element), items, strict=True))
        if alike
        else None
    )


async def ask(
    gate: Gate,
    method: str,
    path: str,
    role: str | None = None,
    form: dict[str, str] | None = None,
    /,
    **query: str,
) -> httpx.Response:
    """role: whose api_key goes along."""
    given = {"jurisdiction_id": "gate", **query}
    key = {"api_key": gate.words[role]} if role else {}
    if form is not None:
        return await gate.call(None, method, f"{BASE}/{path}", data={**given, **form, **key})
    return await gate.call(None, method, f"{BASE}/{path}", params={**given, **key})


async def xml(gate: Gate, path: str, **query: str) -> tuple[str, Any]:
    """Root and content of an XML answer."""
    found = await ask(gate, "GET", f"{path}.xml", **query)
    assert found.headers["content-type"] == "text/xml; charset=utf-8"
    assert found.text.startswith('<?xml version="1.0" encoding="utf-8"?>')
    root = ET.fromstring(found.text)
    return root.tag, texts(root)


async def json(gate: Gate, path: str, **query: str) -> Any:
    found = await ask(gate, "GET", f"{path}.json", **query)
    assert found.headers["content-type"] == "application/json; charset=utf-8"
    return found.json()


async def report(
    gate: Gate, role: str | None = "operator", written: str = "json", **form: str
) -> httpx.Response:
    return await ask(gate, "POST", f"requests.{written}", role, form)


async def number(gate: Gate, **form: str) -> str:
    """Of a report that must be taken."""
    found = await report(gate, **{**POTHOLE, **form})
    assert found.status_code == 200, found.text
    told: str = found.json()[0]["service_request_id"]
    return told
