"""Schemathesis over the whole OpenAPI as every role: whatever is asked, no fault of ours, and an answer as declared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import requests
from anyio import fail_after
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.openapi import from_dict
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.registry.roles import Role
from tests.gateway.api.gate import Gate, open_gate
from tests.gateway.api.test_walk_of_routes import city

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ENDLESS: Final = {"/api/v1/stream", "/api/v1/events"}  # what never ends has no body to hold against a schema
CALLERS: Final = (None, *Role)  # the same question by each, who may do least first
ENDS: Final = (None, Role.ADMIN)
HEADERS: Final = {"authorization", "cookie", "content-length", "host"}  # the caller's, not the question's
PATIENCE: Final = 5  # seconds for an answer
FEW: Final = 1
MANY: Final = 30

Known = dict[str, list[Any]]


@dataclass
class Town:
    """A gateway with something of everything; what its things are called, by the first word of a path."""

    portal: BlockingPortal
    gate: Gate
    known: Known

    def ask(self, case: Case[Any], callers: Sequence[Role | None]) -> list[str]:
        """Each of them asks it; what was wrong with the answers."""
        wrong: list[str] = []
        for role in callers:
            asked = requests.Request(**case.as_transport_kwargs(base_url="http://gate")).prepare()
            try:
                answer = self.portal.call(self._call, role, asked)
            except TimeoutError:
                wrong.append(f"{role} {asked.method} {asked.url} {asked.body!r} no answer")
                break
            try:
                case.validate_response(answer, checks=CHECKS)
            except FailureGroup as group:
                what = f"{role or 'nobody'}: {asked.method} {asked.url} {str(asked.body)[:400]}"
                wrong += [f"{what}\n  {answer.status_code} {one}\n" for one in group.exceptions]
        return wrong

    async def _call(self, role: str | None, asked: requests.PreparedRequest) -> httpx.Response:
        headers = [
            (_bytes(key), _bytes(value)) for key, value in asked.headers.items() if key.lower() not in HEADERS
        ]
        async with self.gate.client(self.gate.words[role] if role else None) as client:
            content = _bytes(asked.body) if isinstance(asked.body, str | bytes) else b""
            with fail_after(PATIENCE):
                return await client.request(
                    str(asked.method), str(asked.url), headers=headers, content=content
                )

    def questions(
        self, operation: APIOperation[Any, Any, Any, Any], examples: int
    ) -> Iterator[Callable[[], None]]:
        """Half of what is asked for is there; some of it is what the OpenAPI forbids."""
        names = self.known.get(operation.path.split("/")[3] if operation.path.count("/") > 2 else "", [])

        def asks(mode: GenerationMode, most: int, callers: Sequence[Role | None]) -> Callable[[], None]:
            @settings(
                max_examples=most,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(operation.as_strategy(generation_mode=mode), st.sampled_from([None, *names]))
            def run(case: Case[Any], name: Any) -> None:
                for parameter in case.path_parameters if name is not None else ():
                    case.path_parameters[parameter] = name
                    break
                wrong = self.ask(case, callers)
                assert not wrong, "\n".join(wrong)

            return run

        yield asks(GenerationMode.POSITIVE, examples, CALLERS)
        yield asks(GenerationMode.NEGATIVE, max(1, examples // 2), CALLERS if examples > FEW else ENDS)


def _bytes(text: str | bytes) -> bytes:
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """The gateway's loop runs in a thread of its own: Hypothesis asks from outside of it."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(open_gate(tmp_path)) as gate:
        ids = portal.call(city, gate)
        known: Known = {
            "devices": ["M1", "L1"],
            "alarms": [ids["alarm"]],
            "cases": [ids["case"]],
            "commands": [ids["instruction"]],
            "rules": ["manhole-open"],
            "users": ["wang"],
            "sources": ["bridge"],
            "readings": ["manhole"],
            "products": ["generic-manhole"],
            "windows": [1],
            "join-windows": [1],
        }
        yield Town(portal, gate, known)


def examine(town: Town, examples: int) -> None:
    faults: list[str] = []
    for each in from_dict(town.gate.app.openapi()).get_all_operations():
        assert isinstance(each, Ok), each
        operation = each.ok()
        if operation.path in ENDLESS:
            continue
        for question in town.questions(operation, examples):
            try:
                question()
            except Unsatisfiable:
                assert not operation.path_parameters  # nothing is asked that could be wrong
            except (AssertionError, TimeoutError) as wrong:
                faults.append(f"{operation.label}: {type(wrong)} {wrong}")
    assert not faults, f"{len(faults)} operations\n" + "\n".join(faults)


def test_every_operation_answers_every_role_as_declared(town: Town) -> None:
    examine(town, FEW)


@pytest.mark.drill
def test_every_operation_answers_whatever_is_asked(town: Town) -> None:
    examine(town, MANY)
