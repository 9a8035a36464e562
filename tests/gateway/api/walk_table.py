"""Every route of the API: what it asks for, and what each kind of caller gets. A route that is not here fails the walk.

The city of the walk lies in the area north: device M1 with readings, alarm, case, command, source, unknown device and join window.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from gateway.api.auth import Permission

P = Permission


class Reach(Enum):
    """What being limited to areas means for a route."""

    ANY = "it is of no place: all callers alike"
    CITY = "it is of the whole city: 403 for who is limited to areas"
    ONE = "it is of one place: 403 for who is limited to others"
    LIST = "a list: what lies elsewhere is left out"


@dataclass(frozen=True)
class Line:
    """served: the status where the caller may. mark: what stands in a list for whom north is theirs, and for no other.

    path: with its parameters; "" = the route's own. The request changes nothing that a later one asks for.
    """

    permission: Permission
    reach: Reach
    served: int = 200
    path: str = ""
    body: Any = None
    mark: str = ""
    more: dict[str, Any] = field(default_factory=dict)


STALE: Final = {"revision": -1}  # nobody has seen such a revision: 409 once all else is allowed
TEXT: Final = {"headers": {"content-type": "text/plain"}}

TABLE: Final[dict[str, Line]] = {
    # people
    "POST /session": Line(P.OPEN, Reach.ANY, 422),
    "GET /session": Line(P.SELF, Reach.ANY),
    "DELETE /session": Line(P.SELF, Reach.ANY, 409),
    "PATCH /session": Line(P.SELF, Reach.ANY, 409, body={"language": "en"}),
    "POST /session/password": Line(P.SELF, Reach.ANY, 409, body={"old": "x", "new": "y"}),
    "GET /session/list": Line(P.SELF, Reach.ANY, 409),
    "DELETE /session/list/{id}": Line(P.SELF, Reach.ANY, 409, "/session/list/1"),
    "POST /session/totp": Line(P.SELF, Reach.ANY, 409),
    "POST /session/totp/confirm": Line(P.SELF, Reach.ANY, 409, body={"code": "000000"}),
    "POST /session/totp/remove": Line(P.SELF, Reach.ANY, 409, body={"password": "x"}),
    "GET /session/oidc": Line(P.OPEN, Reach.ANY, 404),
    "GET /session/oidc/callback": Line(P.OPEN, Reach.ANY, 404),
    "GET /users": Line(P.ADMINISTER, Reach.CITY),
    "POST /users": Line(P.ADMINISTER, Reach.CITY, 409, body={"name": "wang", "role": "viewer"}),
    "GET /users/{name}": Line(P.ADMINISTER, Reach.CITY, path="/users/wang"),
    "PATCH /users/{name}": Line(P.ADMINISTER, Reach.CITY, path="/users/wang", body={"language": "zh"}),
    "POST /users/{name}/password": Line(
        P.ADMINISTER, Reach.CITY, 422, "/users/wang/password", {"password": "x"}
    ),
    "POST /users/{name}/totp": Line(P.ADMINISTER, Reach.CITY, 404, "/users/nobody/totp"),
    "DELETE /users/{name}/totp": Line(P.ADMINISTER, Reach.CITY, 204, "/users/wang/totp"),
    "DELETE /users/{name}/sessions": Line(P.ADMINISTER, Reach.CITY, path="/users/wang/sessions"),
    "GET /tokens": Line(P.ADMINISTER, Reach.CITY),
    "POST /tokens": Line(P.ADMINISTER, Reach.CITY, 409, body={"name": "the-admin", "role": "viewer"}),
    "DELETE /tokens/{id}": Line(P.ADMINISTER, Reach.CITY, 404, "/tokens/999999"),
    "GET /audit": Line(P.SUPERVISE, Reach.CITY),
    "POST /audit/checkpoint": Line(P.SUPERVISE, Reach.CITY),
    "POST /audit/verify": Line(P.SUPERVISE, Reach.CITY),
    # devices
    "GET /devices": Line(P.READ, Reach.LIST, mark='"M1"'),
    "POST /devices": Line(
        P.REGISTER, Reach.ONE, 409, body={"id": "M1", "product": "generic-manhole", "area": "north"}
    ),
    "POST /devices/import": Line(P.REGISTER, Reach.CITY, 422, body="id\n"),
    "GET /devices/{id}": Line(P.READ, Reach.ONE, path="/devices/M1"),
    "PATCH /devices/{id}": Line(P.REGISTER, Reach.ONE, path="/devices/M1", body={"name": "cover"}),
    "DELETE /devices/{id}": Line(P.REGISTER, Reach.ONE, path="/devices/M2"),
    "POST /devices/{id}/secret": Line(P.REGISTER, Reach.ONE, path="/devices/M2/secret"),
    "GET /devices/{id}/latest": Line(P.READ, Reach.ONE, path="/devices/M1/latest"),
    "GET /devices/{id}/readings": Line(P.READ, Reach.ONE, path="/devices/M1/readings"),
    "GET /devices/{id}/series": Line(P.READ, Reach.ONE, path="/devices/M1/series?bucket=1h"),
    "GET /readings/{family}": Line(P.READ, Reach.LIST, path="/readings/manhole", mark='"M1"'),
    "GET /clocks": Line(P.READ, Reach.LIST, mark='"M1"'),
    "GET /rotations": Line(P.READ, Reach.LIST, mark='"M1"'),
    "GET /sources": Line(P.READ, Reach.LIST, mark='"bridge"'),
    "POST /sources": Line(
        P.REGISTER, Reach.CITY, 409, body={"name": "bridge", "filters": ["#"], "area": "north"}
    ),
    "POST /sources/{name}/secret": Line(P.REGISTER, Reach.CITY, 404, "/sources/none/secret"),
    "DELETE /sources/{name}": Line(P.REGISTER, Reach.CITY, 404, "/sources/none"),
    "GET /unknown-devices": Line(P.READ, Reach.LIST, mark='"new-1"'),
    "POST /unknown-devices/forget": Line(P.OPERATE, Reach.CITY, 404, body={"id": "nobody"}),
    "POST /unknown-devices/adopt": Line(P.REGISTER, Reach.CITY, 404, body={"id": "nobody"}),
    "GET /join-windows": Line(P.READ, Reach.LIST, mark='"north"'),
    "POST /join-windows": Line(P.OPERATE, Reach.ONE, 422, body={"area": "north", "minutes": 100_000}),
    "DELETE /join-windows/{id}": Line(P.OPERATE, Reach.CITY, 404, "/join-windows/none"),
    "GET /products": Line(P.READ, Reach.ANY),
    "POST /products/{id}/decode": Line(P.READ, Reach.ANY, path="/products/generic-manhole/decode", body="{}"),
    # telemetry
    "POST /telemetry": Line(
        P.SPEAK, Reach.LIST, body={"device": "M1", "v": {"tilt": 1}}, mark='"refused":[]'
    ),
    "POST /push/{name}": Line(P.SPEAK, Reach.ANY, 404, "/push/bridge?product=none", {}),
    "GET /quarantine": Line(P.READ, Reach.LIST, mark='"M1"'),
    "GET /quarantine/counts": Line(P.READ, Reach.CITY),
    "GET /history/parts": Line(P.READ, Reach.CITY),
    "POST /history/compact": Line(P.ADMINISTER, Reach.CITY),
    "GET /history/verify": Line(P.OPERATE, Reach.CITY),
    "GET /history/mirror": Line(P.READ, Reach.CITY, 404),
    "GET /history/mirror/verify": Line(P.OPERATE, Reach.CITY, 404),
    "POST /history/mirror/repair": Line(P.ADMINISTER, Reach.CITY, 404),
    "POST /backup": Line(P.ADMINISTER, Reach.CITY, 403, body={"to": "/nowhere"}),  # by the local socket only
    "POST /config/reload": Line(P.ADMINISTER, Reach.CITY),
    # messages
    "GET /events": Line(P.READ, Reach.ANY, 503),  # the walk's hub is closed
    "GET /events/schemas/{name}": Line(P.READ, Reach.ANY, path="/events/schemas/case"),
    "POST /acknowledge": Line(P.ADMINISTER, Reach.CITY),
    "GET /acknowledge/{word}": Line(P.OPEN, Reach.ANY, 404, "/acknowledge/nothing"),
    "POST /acknowledge/{word}": Line(P.OPEN, Reach.ANY, 404, "/acknowledge/nothing"),
    # rules, alarms, cases
    "GET /rules": Line(P.READ, Reach.ANY),
    "GET /rules/{id}/versions": Line(P.READ, Reach.ANY, path="/rules/manhole-open/versions"),
    "GET /rules/{id}/parameters": Line(P.READ, Reach.ANY, path="/rules/manhole-open/parameters"),
    "GET /alarms": Line(P.READ, Reach.LIST, mark='"M1"'),
    "GET /alarms/{id}": Line(P.READ, Reach.ONE, path="/alarms/{alarm}"),
    "POST /alarms/{id}/acknowledge": Line(P.OPERATE, Reach.ONE, 409, "/alarms/{alarm}/acknowledge", STALE),
    "POST /alarms/{id}/shelve": Line(
        P.OPERATE,
        Reach.ONE,
        422,
        "/alarms/{alarm}/shelve",
        {**STALE, "until": 1, "note": "x"},
    ),
    "POST /alarms/{id}/unshelve": Line(P.OPERATE, Reach.ONE, 409, "/alarms/{alarm}/unshelve", STALE),
    "GET /cases": Line(P.READ, Reach.LIST, mark='"M1"'),
    "GET /cases/{id}": Line(P.READ, Reach.ONE, path="/cases/{case}"),
    "POST /cases/{id}/events": Line(
        P.WORK, Reach.ONE, 409, "/cases/{case}/events", {**STALE, "event": "start"}
    ),
    "GET /cases/{id}/photos": Line(P.READ, Reach.ONE, path="/cases/{case}/photos"),
    "POST /cases/{id}/photos": Line(P.WORK, Reach.ONE, 422, "/cases/{case}/photos", "no picture"),
    "GET /cases/{id}/photos/{sha256}": Line(P.READ, Reach.ONE, 404, f"/cases/{{case}}/photos/{'0' * 64}"),
    # dispatch
    "GET /reports": Line(P.READ, Reach.ONE, path="/reports?case={case}"),
    "POST /reports": Line(
        P.REPORT, Reach.ONE, 422, body={"category": "dragons", "text": "x", "area": "north", "address": "x"}
    ),
    "GET /reports/categories": Line(P.SELF, Reach.ANY),
    "GET /reports/{id}": Line(P.READ, Reach.ANY, 404, "/reports/999999"),
    "GET /reports/{id}/contact": Line(P.OPERATE, Reach.ANY, 404, "/reports/999999/contact"),
    "GET /visits": Line(P.READ, Reach.ANY),
    "POST /visits": Line(P.WORK, Reach.ANY, 409, body={"crew": "nobody", "cases": [1]}),
    "GET /visits/proposals": Line(P.READ, Reach.ANY, path="/visits/proposals?crew=nobody"),
    "GET /visits/{id}": Line(P.READ, Reach.ANY, 404, "/visits/999999"),
    "POST /visits/{id}/events": Line(P.WORK, Reach.ANY, 404, "/visits/999999/events", {"event": "start"}),
    "GET /crews": Line(P.READ, Reach.ANY),
    "GET /crews/nearest": Line(P.OPERATE, Reach.ONE, path="/crews/nearest?case={case}"),
    "PUT /crews/{name}": Line(P.SUPERVISE, Reach.CITY, path="/crews/night", body={}),
    "DELETE /crews/{name}": Line(P.SUPERVISE, Reach.CITY, 404, "/crews/none"),
    "POST /crews/{name}/place": Line(P.WORK, Reach.ANY, 404, "/crews/none/place", {"lat": 31, "lon": 121}),
    "GET /responsibility": Line(P.READ, Reach.CITY),
    "GET /responsibility/find": Line(P.READ, Reach.CITY),
    "PUT /responsibility": Line(P.REGISTER, Reach.CITY, body={"items": []}),
    "GET /counts": Line(P.READ, Reach.LIST, mark='"manhole"'),
    "GET /evaluation": Line(
        P.READ, Reach.LIST, path="/evaluation?by=area&since=0&until=2100-01-01T00:00:00Z", mark='"north"'
    ),
    "GET /evaluation/ranking": Line(P.READ, Reach.LIST),
    "GET /evaluation/trend": Line(P.READ, Reach.LIST),
    "GET /evaluation/facilities": Line(
        P.READ, Reach.ONE, path="/evaluation/facilities?period=day&area=north"
    ),
    "GET /reports/weekly": Line(P.READ, Reach.LIST, path="/reports/weekly?format=csv"),
    "GET /reports/monthly": Line(P.READ, Reach.LIST, path="/reports/monthly?format=csv"),
    "GET /stream": Line(P.READ, Reach.ONE, 503, "/stream?device=M1"),  # the walk's gate takes no more of them
    # commands
    "POST /commands": Line(P.COMMAND, Reach.ONE, 422, body={"name": "locate", "devices": ["M1"]}),
    "GET /commands": Line(P.READ, Reach.LIST, mark='"L1"'),
    "GET /commands/{id}": Line(P.READ, Reach.ONE, path="/commands/{instruction}"),
    "GET /commands/{id}/devices": Line(P.READ, Reach.ONE, path="/commands/{instruction}/devices"),
    "GET /commands/{id}/events": Line(P.READ, Reach.ONE, path="/commands/{instruction}/events"),
    "POST /commands/{id}/approve": Line(P.APPROVE, Reach.ONE, 409, "/commands/{instruction}/approve"),
    "POST /commands/{id}/refuse": Line(
        P.COMMAND, Reach.ONE, 409, "/commands/{instruction}/refuse", {"reason": "x"}
    ),
    "POST /devices/{id}/commands": Line(P.COMMAND, Reach.ONE, 422, "/devices/L1/commands", {"name": "fly"}),
    "GET /devices/{id}/commands": Line(P.READ, Reach.ONE, path="/devices/L1/commands"),
    "GET /downlink": Line(P.READ, Reach.ANY),
    "POST /downlink/stop": Line(P.COMMAND, Reach.CITY, 422, body={"reason": ""}),
    "POST /downlink/resume": Line(P.APPROVE, Reach.CITY, 422, body={"reason": ""}),
    "GET /alarms/{id}/explanation": Line(P.READ, Reach.ONE, path="/alarms/{alarm}/explanation"),
    "GET /rules/{id}/why": Line(P.READ, Reach.ONE, path="/rules/manhole-open/why?device=M1"),
    "GET /alarms/performance": Line(P.READ, Reach.CITY),
    # rules: what is the city's, and what may be set for an area
    "GET /rules/presets": Line(P.READ, Reach.ANY),
    "GET /rules/standing": Line(P.READ, Reach.ANY),
    "GET /rules/{id}/standing": Line(P.READ, Reach.ANY, path="/rules/manhole-open/standing"),
    "GET /rules/{id}/diff": Line(P.READ, Reach.ANY, path="/rules/manhole-open/diff?before=1&after=1"),
    "GET /rules/{id}/shadow": Line(P.READ, Reach.ANY, path="/rules/manhole-open/shadow"),
    "GET /rules/{id}/parameters/{name}/versions": Line(
        P.READ, Reach.ANY, path="/rules/manhole-open/parameters/limit/versions"
    ),
    "POST /rules/{id}/versions": Line(P.OPERATE, Reach.CITY, 422, "/rules/manhole-open/versions", {}),
    "POST /rules/{id}/publish": Line(P.OPERATE, Reach.CITY, 422, "/rules/manhole-open/publish", {}),
    "POST /rules/{id}/rollback": Line(P.OPERATE, Reach.CITY, 422, "/rules/manhole-open/rollback", {}),
    "POST /rules/{id}/canary": Line(P.OPERATE, Reach.CITY, 422, "/rules/manhole-open/canary", {}),
    "POST /rules/{id}/promote": Line(P.OPERATE, Reach.CITY, 422, "/rules/manhole-open/promote", {}),
    "POST /rules/{id}/shadow": Line(P.OPERATE, Reach.CITY, 422, "/rules/manhole-open/shadow", {}),
    "POST /rules/{id}/withdraw": Line(P.OPERATE, Reach.CITY, 422, "/rules/manhole-open/withdraw", {}),
    "POST /rules/{id}/enable": Line(P.OPERATE, Reach.CITY, 422, "/rules/manhole-open/enable", {}),
    "PUT /rules/{id}/parameters/{name}": Line(
        P.OPERATE,
        Reach.ONE,
        422,
        "/rules/manhole-open/parameters/none",
        {"value": 20, "scope": "area:north", "reason": "x"},
    ),
    "POST /rules/{id}/parameters/{name}/reset": Line(
        P.OPERATE,
        Reach.ONE,
        200,
        "/rules/manhole-open/parameters/limit/reset",
        {"scope": "area:north", "reason": "x"},
    ),
    "POST /rules/{id}/parameters/{name}/rollback": Line(
        P.OPERATE,
        Reach.ONE,
        200,
        "/rules/manhole-open/parameters/limit/rollback",
        {"scope": "area:north", "version": 1, "reason": "x"},
    ),
    "POST /rules/{id}/backtest": Line(
        P.OPERATE,
        Reach.ONE,
        422,
        "/rules/manhole-open/backtest",
        {"since": 1, "until": 2, "area": "north", "scope": "?"},
    ),
    "POST /rules/{id}/suggest": Line(
        P.OPERATE,
        Reach.ONE,
        422,
        "/rules/manhole-open/suggest",
        {"since": 1, "until": 2, "area": "north", "parameter": "none"},
    ),
    "GET /backtests": Line(P.READ, Reach.ANY),
    "GET /backtests/{number}": Line(P.READ, Reach.ANY, 404, "/backtests/9"),
    "DELETE /backtests/{number}": Line(P.OPERATE, Reach.ANY, 404, "/backtests/9"),
    "GET /backtests/{number}/changes.csv": Line(P.READ, Reach.ANY, 404, "/backtests/9/changes.csv"),
    "GET /backtests/{number}/days.csv": Line(P.READ, Reach.ANY, 404, "/backtests/9/days.csv"),
    "GET /backtests/{number}/plot.svg": Line(P.READ, Reach.ANY, 404, "/backtests/9/plot.svg"),
    "GET /correlation": Line(P.READ, Reach.ANY),
    "GET /windows": Line(P.READ, Reach.LIST, mark='"north"'),
    "POST /windows": Line(P.OPERATE, Reach.ONE, 422, body={"ends": 1, "reason": "x", "area": "north"}),
    "POST /windows/{id}/end": Line(P.OPERATE, Reach.ANY, 404, "/windows/999/end"),
    # other platforms; the walk's city offers reading to all, and every POST must name its jurisdiction
    "GET /open311/v2/discovery.{format}": Line(P.OPEN, Reach.ANY, path="/open311/v2/discovery.json"),
    "GET /open311/v2/services.{format}": Line(P.OPEN, Reach.ANY, 400, "/open311/v2/services.xml"),
    "GET /open311/v2/services/{service_code}.{format}": Line(
        P.OPEN, Reach.ANY, path="/open311/v2/services/cover-danger.json?jurisdiction_id=gate"
    ),
    "GET /open311/v2/requests.{format}": Line(
        P.OPEN, Reach.ANY, path="/open311/v2/requests.xml?jurisdiction_id=gate"
    ),
    "POST /open311/v2/requests.{format}": Line(P.OPEN, Reach.ANY, 400, "/open311/v2/requests.json"),
    "GET /open311/v2/requests/{service_request_id}.{format}": Line(
        P.OPEN, Reach.ANY, 404, "/open311/v2/requests/9.json?jurisdiction_id=gate"
    ),
    "GET /open311/v2/tokens/{token}.{format}": Line(
        P.OPEN, Reach.ANY, 404, "/open311/v2/tokens/none.json?jurisdiction_id=gate"
    ),
    "POST /alarms/{id}/unsuppress": Line(P.OPERATE, Reach.ONE, 409, "/alarms/{alarm}/unsuppress", STALE),
}

LATER: Final = {"revision": "99"}  # nobody has seen it yet

PAGES: Final[
    dict[str, Line]
] = {  # of the console, whose bodies are forms; a token has no session and no account
    "GET /": Line(P.READ, Reach.LIST, mark="M1"),
    "GET /cases": Line(P.READ, Reach.LIST, mark="M1"),
    "GET /cases/{id}": Line(P.READ, Reach.ONE, path="/cases/{case}"),
    "POST /cases/{id}": Line(P.WORK, Reach.ONE, 409, "/cases/{case}", {**LATER, "event": "start"}),
    "POST /cases/{id}/photos": Line(P.WORK, Reach.ONE, 422, "/cases/{case}/photos", {"photo": ""}),
    "GET /alarms": Line(P.READ, Reach.LIST, mark="M1"),
    "GET /alarms/{id}": Line(P.READ, Reach.ONE, path="/alarms/{alarm}"),
    "POST /alarms/{id}": Line(
        P.OPERATE, Reach.ONE, 409, "/alarms/{alarm}", {**LATER, "event": "acknowledge"}
    ),
    "GET /mine": Line(P.READ, Reach.ANY),
    "POST /visits": Line(P.WORK, Reach.ANY, 409, body={"crew": "nobody", "cases": "1"}),
    "POST /visits/{id}": Line(P.WORK, Reach.ANY, 404, "/visits/999999", {"event": "start"}),
    "GET /account": Line(P.SELF, Reach.ANY, 409),
    "POST /account/password": Line(P.SELF, Reach.ANY, 409, body={"old": "x", "new": "y", "again": "y"}),
    "POST /account/totp": Line(P.SELF, Reach.ANY, 409),
    "POST /account/totp/confirm": Line(P.SELF, Reach.ANY, 409, body={"code": "000000"}),
    "POST /account/totp/remove": Line(P.SELF, Reach.ANY, 409, body={"password": "x"}),
    "POST /account/sessions/{id}": Line(P.SELF, Reach.ANY, 409, "/account/sessions/1"),
    "POST /account/language": Line(P.SELF, Reach.ANY, 409, body={"language": "en"}),
    "GET /login": Line(P.OPEN, Reach.ANY),
    "POST /login": Line(P.OPEN, Reach.ANY, 401, body={"name": "{caller}", "password": "x"}),
    "POST /logout": Line(P.SELF, Reach.ANY, 303),
    "POST /language": Line(P.OPEN, Reach.ANY, 303, body={"lang": "en"}),
    "GET /static/{name}": Line(P.OPEN, Reach.ANY, path="/static/citygate.css"),
}
