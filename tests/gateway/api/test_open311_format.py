"""What is written is read again, by both formats alike; answers of others are foreign text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.api.open311_format import Body, plain, write
from gateway.errors import LinkError
from gateway.notify.channels.georeport import read
from tests.gateway.api.gate import Gate, open_gate
from tests.gateway.api.georeport_client import texts

# The answers of the specification's examples.
POSTED_XML = b"""<?xml version="1.0" encoding="utf-8"?>
<service_requests>
  <request>
    <service_request_id>293944</service_request_id>
    <service_notice>
      The City will inspect
    </service_notice>
    <account_id/>
  </request>
</service_requests>"""
POSTED_JSON = b'[{"service_request_id":293944,"service_notice":"The City will inspect","account_id":null}]'
TOKEN_XML = b"""<?xml version="1.0" encoding="utf-8"?>
<service_requests><request><service_request_id>638344</service_request_id><token>12345</token></request></service_requests>"""
TOKEN_JSON = b'[{"service_request_id":638344,"token":12345}]'
REQUESTS_XML = b"""<?xml version="1.0" encoding="utf-8"?>
<service_requests>
  <request>
    <service_request_id>638344</service_request_id>
    <status>closed</status>
    <status_notes>Duplicate request.</status_notes>
    <service_name>Sidewalk and Curb Issues</service_name>
    <service_code>006</service_code>
    <description></description>
    <agency_responsible></agency_responsible>
    <service_notice></service_notice>
    <requested_datetime>2010-04-14T06:37:38-08:00</requested_datetime>
    <lat>37.762221815</lat>
    <long>-122.4651145</long>
  </request>
  <request>
    <service_request_id>638349</service_request_id>
    <status>open</status>
  </request>
</service_requests>"""
REQUESTS_JSON = b"""[{"service_request_id":638344,"status":"closed","status_notes":"Duplicate request.",
"lat":37.762221815,"long":-122.4651145,"media_url":null},{"service_request_id":638349,"status":"open"}]"""
ERRORS_XML = b"""<?xml version="1.0" encoding="utf-8"?>
<errors><error><code>403</code><description>Invalid api_key received -- can't proceed with create_request.</description></error>
<error><code>404</code><description>Whatever</description></error></errors>"""


@pytest.mark.parametrize(
    ("written", "answer", "due"),
    [
        ("xml", POSTED_XML, {"service_request_id": "293944", "service_notice": "The City will inspect"}),
        ("json", POSTED_JSON, {"service_request_id": "293944", "service_notice": "The City will inspect"}),
        ("xml", TOKEN_XML, {"service_request_id": "638344", "token": "12345"}),
        ("json", TOKEN_JSON, {"service_request_id": "638344", "token": "12345"}),
        ("xml", REQUESTS_XML, {"service_request_id": "638344", "status": "closed"}),
        ("json", REQUESTS_JSON, {"service_request_id": "638344", "status": "closed"}),
        ("xml", ERRORS_XML, {"code": "403"}),
    ],
)
def test_the_specifications_answers_are_read(written: str, answer: bytes, due: dict[str, str]) -> None:
    found = read(answer, written)
    assert {name: found[name] for name in due} == due


def test_errors_are_written_as_the_specification_writes_them() -> None:
    faults = [{"code": 403, "description": "Invalid api_key received -- can't proceed with create_request."}]
    text = write(Body("errors", [*faults, {"code": 404, "description": "Whatever"}]), "xml")
    assert text.replace(b"\n", b"") == ERRORS_XML.replace(b"\n", b"")


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><r><request><status>&b;</status></request></r>',
        b'<!DOCTYPE r SYSTEM "http://192.0.2.1/x.dtd"><r/>',
        b'<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]><r><q><status>&e;</status></q></r>',
        b"<r><request><status>&undefined;</status></request></r>",
        b"<a><b><c><d><e/></d></c></b></a>",
        b"<r><request>",
        b'<?xml version="1.0" encoding="nonsense"?><r/>',
        b"",
    ],
    ids=range(8),
)
def test_xml_that_is_more_than_records_is_refused(body: bytes) -> None:
    with pytest.raises(LinkError):
        read(body, "xml")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000, b"[1]", b'"x"', b"[]", b"\xff"])
def test_json_that_is_no_record_is_refused(body: bytes) -> None:
    with pytest.raises(LinkError):
        read(body, "json")


@given(st.text(max_size=200))
def test_text_is_the_same_in_both_formats(text: str) -> None:
    kept = plain(text)
    body = Body("service_requests", [{"description": kept}])
    root = ET.fromstring(write(body, "xml"))
    assert (root[0][0].text or "").strip() == kept == read(write(body, "json"), "json")["description"]
    assert read(write(body, "xml"), "xml").get("description", "") == kept


@pytest.fixture
def city(tmp_path: Path) -> Iterator[tuple[BlockingPortal, Gate]]:
    """Its loop runs in a thread of its own: Hypothesis asks from outside of it."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(open_gate(tmp_path)) as gate:
        yield portal, gate


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="@+0123456789"), max_size=60).map(plain)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=WORDS.filter(bool),
    address=WORDS,
    lat=st.floats(-90, 90),
    long=st.floats(-180, 180),
    zipcode=st.sampled_from(["", "200000", "94103"]),
    media=st.sampled_from(["", "https://example.com/a.jpg?x=1&y=%3C"]),
)
def test_a_report_comes_back_with_the_same_fields_in_both_formats(
    city: tuple[BlockingPortal, Gate], **said: Any
) -> None:
    portal, gate = city
    form = {
        "jurisdiction_id": "gate",
        "api_key": gate.words["operator"],
        "service_code": "lamp-out",
        "description": said["text"],
        "address_string": said["address"],
        "lat": repr(said["lat"]),
        "long": repr(said["long"]),
        "zipcode": said["zipcode"],
        "media_url": said["media"],
    }

    async def there_and_back() -> tuple[Any, Any]:
        made = await gate.call(
            None,
            "POST",
            "/open311/v2/requests.json",
            content=urlencode(form),
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
        assert made.status_code == 200, made.text
        path = f"/open311/v2/requests/{made.json()[0]['service_request_id']}"
        where = {"jurisdiction_id": "gate"}
        told = [await gate.call(None, "GET", f"{path}.{kind}", params=where) for kind in ("json", "xml")]
        return told[0].json()[0], texts(ET.fromstring(told[1].text))[0]

    in_json, in_xml = portal.call(there_and_back)
    assert in_json["description"] == said["text"]
    assert (in_json["lat"], in_json["long"]) == (said["lat"], said["long"])
    given_as = {"address": "address", "zipcode": "zipcode", "media_url": "media"}
    assert {name: in_json[name] or "" for name in given_as} == {
        name: said[key] for name, key in given_as.items()
    }
    assert in_xml.keys() == in_json.keys()
    for name, value in in_json.items():
        same = in_xml[name] if isinstance(value, str) or value is None else float(in_xml[name])
        assert same == value, name
