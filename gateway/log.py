"""The log: one line a record, as text or JSON, with zone, task and extras; never a secret of the configuration.

A warning that comes again and again is written a few times a minute, then only counted; the count is written.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, TextIO
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
from pydantic import BaseModel, SecretStr

CHATTY: Final = ("httpx", "httpcore", "alembic", "uvicorn", "asyncio")  # told of from WARNING on
WINDOW: Final = 60.0  # seconds in which repetitions are counted
KINDS: Final = 1000  # of records whose repetitions are counted at once
SECRET: Final = frozenset({"password", "secret", "token"})  # keys of the configuration
STANDARD: Final = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "task"})
UNSEEN: Final = {
    code: chr(code).encode("unicode_escape").decode()
    for code in (*range(32), *range(127, 160), 0x2028, 0x2029)
}


class Lines(logging.Formatter):
    """Text: time level logger [task] message key=value; what a message holds cannot begin a line of its own."""

    def __init__(self, zone: str = "UTC", secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._zone = ZoneInfo(zone)
        self._hidden = _pattern(secrets)

    def format(self, record: logging.LogRecord) -> str:
        told = self.told(record)
        extra = "".join(f" {name}={value}" for name, value in told["extra"].items())
        task = f" [{told['task']}]" if told["task"] else ""
        line = f"{told['time']} {told['level']} {told['logger']}{task} {told['message']}{extra}".translate(
            UNSEEN
        )
        return line + "".join(f"\n    {each}" for each in told.get("error", "").splitlines())

    def told(self, record: logging.LogRecord) -> dict[str, Any]:
        """What a record says, with every secret hidden."""
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, self._zone).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": self._hide(record.getMessage()),
            "task": _task(),
            "extra": {
                name: self._hide(str(value))
                for name, value in vars(record).items()
                if name not in STANDARD and not name.startswith("_")
            },
        }
        if record.exc_info:
            told["error"] = self._hide(self.formatException(record.exc_info))
        return told

    def _hide(self, text: str) -> str:
        text = text.encode("utf-8", "backslashreplace").decode()  # half a character fits no line
        return self._hidden.sub("***", text) if self._hidden is not None else text


class Json(Lines):
    """One JSON object a line: time, level, logger, message; task, error and extras where there are any."""

    def format(self, record: logging.LogRecord) -> str:
        told = self.told(record)
        extra = told.pop("extra")
        return msgspec.json.encode(
            {**extra, **{name: value for name, value in told.items() if value}}
        ).decode()


class Sparing(logging.StreamHandler[TextIO]):
    """Writes at most `repeats` a minute of the same warning; 0 = all. Same: one logger, level and wording."""

    def __init__(self, stream: TextIO, repeats: int) -> None:
        super().__init__(stream)
        self._repeats = repeats
        self._seen: dict[tuple[str, int, str], _Kind] = {}

    def emit(self, record: logging.LogRecord) -> None:
        if not self._repeats or record.levelno < logging.WARNING:
            super().emit(record)
            return
        self._settle(record.created)
        key = (record.name, record.levelno, str(record.msg))
        kind = self._seen.setdefault(key, _Kind(record.created))
        kind.count += 1
        if kind.count <= self._repeats or len(self._seen) > KINDS:
            super().emit(record)
        else:
            kind.last = record

    def close(self) -> None:
        """Writes what was counted and not yet told."""
        self._settle(float("inf"))
        super().close()

    def _settle(self, now: float) -> None:
        """Windows that are over end with their count."""
        over = [key for key, kind in self._seen.items() if now - kind.since >= WINDOW]
        for key in over:
            kind = self._seen.pop(key)
            if kind.last is not None:
                super().emit(_counted(kind.last, kind.count - self._repeats))


class _Kind:
    """What was seen of one kind of record. last: the newest that was not written."""

    __slots__ = ("count", "last", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.count = 0
        self.last: logging.LogRecord | None = None


def _counted(record: logging.LogRecord, more: int) -> logging.LogRecord:
    told = {
        **vars(record),
        "msg": f"{record.getMessage()} (and {more} like it within a minute)",
        "args": None,
    }
    return logging.makeLogRecord({**told, "exc_info": None, "suppressed": more})


def set_up(
    level: str,
    form: str = "text",
    repeats: int = 0,
    zone: str = "UTC",
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Everything that is logged from now on; may be called again. form: text or json."""
    root = logging.getLogger()
    handler = Sparing(stream or sys.stderr, repeats)
    handler.setFormatter(Json(zone, secrets) if form == "json" else Lines(zone, secrets))
    for old in [each for each in root.handlers if isinstance(each, Sparing)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def secrets_of(settings: BaseModel) -> set[str]:
    """Every secret that a configuration holds: values of secret keys, and passwords inside addresses."""
    return {secret for secret in _secrets(settings) if secret}


def _secrets(value: object, key: str = "") -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel | Mapping | list | tuple):
        for name, each in _inside(value, key):
            yield from _secrets(each, name)
    elif key in SECRET:
        yield str(value)
    elif "://" in str(value):
        yield _password(str(value))


def _inside(value: object, key: str) -> list[tuple[str, object]]:
    if isinstance(value, BaseModel):
        return [(name, getattr(value, name)) for name in type(value).model_fields]
    if isinstance(value, Mapping):
        return [(str(name), each) for name, each in value.items()]
    assert isinstance(value, list | tuple)
    return [(key, each) for each in value]


def _password(address: str) -> str:
    try:
        return urlsplit(address).password or ""
    except ValueError:
        return ""


def _pattern(secrets: Iterable[str]) -> re.Pattern[str] | None:
    """Whole words only: a short password must not tear numbers apart."""
    words = [re.escape(secret) for secret in sorted(secrets, key=len, reverse=True) if secret]
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)") if words else None


def _task() -> str:
    """The task that logs; in a thread of its own, the thread."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    if task is not None:
        return task.get_name()
    thread = threading.current_thread()
    return "" if thread is threading.main_thread() else thread.name
