"""The page behind the link in a message: no log-in, one subject, one answer. Chats fetch links: a GET changes nothing.

It stands alone: no script, no session, nothing from elsewhere, and its style is allowed by its hash.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from fastapi import Path, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel
from sqlalchemy import Connection

from gateway.api.auth import Admin, Permission, declare
from gateway.api.resource import resource
from gateway.api.services import Services, With
from gateway.cases.lifecycle import CaseState
from gateway.cases.record import Alarm, Case
from gateway.errors import NotFound
from gateway.notify import answering
from gateway.notify.labels import PLACE, Labels
from gateway.notify.links import Link
from gateway.notify.moment import moment
from gateway.notify.settings import Language
from gateway.notify.text import WORDS
from gateway.store import audit

router: Final = resource("/acknowledge", "acknowledge")
Word = Annotated[str, Path(max_length=400)]

STYLE: Final = (
    "body{font:18px/1.5 system-ui,sans-serif;margin:0;background:#f4f5f7;color:#1c2430}"
    "main{max-width:32rem;margin:0 auto;padding:1.5rem}h1{font-size:1.4rem}"
    "dl{background:#fff;border-radius:.5rem;padding:1rem;margin:1rem 0}dt{color:#5a6472;font-size:.9rem}"
    "dd{margin:0 0 .6rem;overflow-wrap:anywhere}p{margin:1rem 0}"
    "button{width:100%;min-height:3.2rem;font-size:1.1rem;border:0;border-radius:.5rem;background:#0b5cad;color:#fff}"
)
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",  # the address is the right to answer
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}

TEXT: Final[Mapping[str, tuple[str, str]]] = {
    "acknowledge": ("Acknowledge the alarm", "确认告警"),
    "accept": ("Take the case on", "接单"),
    "seen": ("Acknowledge the case's alarms", "确认案件告警"),
    "done": ("Thank you, it is noted.", "已确认，谢谢。"),
    "answered": (
        "Nothing is left to do here: it is answered already, or over.",
        "无需操作：已有人确认或已结束。",
    ),
    "gone": (
        "This link opens nothing: it has expired, or its key was changed.",
        "链接无效：已过期或密钥已更换。",
    ),
    "device": ("Device", "设备"),
    "area": ("Area", "区域"),
    "time": ("Time", "时间"),
    "by": ("Answers as", "确认身份"),
}
GONE: Final[dict[int | str, dict[str, Any]]] = {
    404: {"description": "The page says that the link opens nothing", "content": {"text/html": {}}}
}


class Rotated(BaseModel):
    """rotated: µs UTC; every link from before opens nothing."""

    rotated: int


@router.get("/{word}", response_class=HTMLResponse, responses=GONE, dependencies=[declare(Permission.OPEN)])
async def show(services: With, request: Request, word: Word) -> HTMLResponse:
    """What would be answered, with one button."""
    language = _language(request)
    try:
        link = services.links.read(word, services.clock.now())
        record, waits = await services.store.read(lambda conn: answering.subject(conn, link.subject))
    except NotFound:
        return _page(language, _say(language, "gone"), "", 404)
    return _page(
        language,
        _title(record, language, services.labels),
        _about(services, record, link, language) + _button(record, language, waits=waits),
    )


@router.post("/{word}", response_class=HTMLResponse, responses=GONE, dependencies=[declare(Permission.OPEN)])
async def confirm(services: With, request: Request, word: Word) -> HTMLResponse:
    """Acknowledges the alarm, or takes the case on, as the channel that was told."""
    language, now = _language(request), services.clock.now()
    try:
        link = services.links.read(word, now)
        changes = await services.store.write(
            lambda conn: answering.answer(conn, services.desk, link.subject, f"link:{link.channel}", now)
        )
        record, _ = await services.store.read(lambda conn: answering.subject(conn, link.subject))
    except NotFound:
        return _page(language, _say(language, "gone"), "", 404)
    services.hub.publish(changes, ())
    said = f"<p>{_say(language, 'done' if changes else 'answered')}</p>"
    return _page(
        language, _title(record, language, services.labels), _about(services, record, link, language) + said
    )


@router.post("", tags=["tokens"])
async def rotate_links(services: With, caller: Admin) -> Rotated:
    """A new key for links: none of those in messages so far opens anything any more."""
    now = services.clock.now()

    def work(conn: Connection) -> None:
        audit.record(conn, now, caller.actor, "rotated", "links:key")
        services.links.rotate()

    await services.store.write(work)
    return Rotated(rotated=now)


def _language(request: Request) -> Language:
    wanted = request.headers.get("accept-language", "").lower()
    return "en" if wanted.startswith("en") else "zh"


def _say(language: Language, word: str) -> str:
    return escape(TEXT[word][PLACE[language]])


def _title(record: Alarm | Case, language: Language, labels: Labels) -> str:
    name = record.name if isinstance(record, Alarm) else record.zh if language == "zh" else record.en
    known = record.severity in WORDS
    severity = labels.word(WORDS, record.severity, language) if known else record.severity
    return escape(f"{severity} · {name}")


def _about(services: Services, record: Alarm | Case, link: Link, language: Language) -> str:
    time = record.raised if isinstance(record, Alarm) else record.filed
    found = {
        "device": f"{record.device} {record.device_name}".strip(),
        "area": record.area,
        "time": moment(time, ZoneInfo(services.zone)).strftime("%Y-%m-%d %H:%M:%S"),
        "by": link.channel,
    }
    lines = [f"<dt>{_say(language, name)}<dd>{escape(value)}" for name, value in found.items() if value]
    return f"<dl>{''.join(lines)}</dl>"


def _button(record: Alarm | Case, language: Language, *, waits: bool) -> str:
    if not waits:
        return f"<p>{_say(language, 'answered')}</p>"
    deed = "acknowledge" if isinstance(record, Alarm) else "seen"
    if isinstance(record, Case) and record.state == CaseState.DISPATCHED:
        deed = "accept"
    return f'<form method="post"><button>{_say(language, deed)}</button></form>'


def _page(language: Language, title: str, body: str, status: int = 200) -> HTMLResponse:
    """title and body are HTML already."""
    page = (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style><main><h1>{title}</h1>{body}</main></html>"
    )
    return HTMLResponse(page, status, HEADERS)
