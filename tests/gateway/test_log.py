"""One line a record, in either form; no secret in any; a warning that repeats is counted, not written."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import log
from gateway.config import Config, load
from gateway.errors import ConfigError
from gateway.tasks import Tasks
from tests.gateway.logs import kept

HERE = logging.getLogger("gateway.test_log")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    with kept():
        yield


def written(form: str = "json", **options: Any) -> io.StringIO:
    stream = io.StringIO()
    log.set_up("INFO", form, zone="Asia/Shanghai", stream=stream, **options)
    return stream


def records(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_a_record_says_when_who_and_in_which_task() -> None:
    stream = written()

    async def work() -> None:
        HERE.info("link %s: up", "north", extra={"port": 1883})

    async with Tasks() as tasks:
        await tasks.start("mqtt-link-north", work())
    (record,) = records(stream)
    assert record["time"].endswith("+08:00")
    del record["time"]
    assert record == {
        "level": "INFO",
        "logger": "gateway.test_log",
        "message": "link north: up",
        "task": "mqtt-link-north",
        "port": "1883",
    }


def test_text_has_the_same_in_one_line() -> None:
    stream = written("text")
    HERE.warning("disk: %d MiB", 7, extra={"folder": "data"})
    time, _, rest = stream.getvalue().partition(" ")
    assert time.endswith("+08:00")
    assert rest == "WARNING gateway.test_log disk: 7 MiB folder=data\n"


def test_an_error_keeps_its_trace_within_the_record() -> None:
    stream = written()
    try:
        dict[str, int]()["no such lamp"]
    except LookupError:
        HERE.exception("a request failed")
    (record,) = records(stream)
    assert "KeyError: 'no such lamp'" in record["error"]


@settings(max_examples=100)
@given(message=st.text(st.characters(exclude_categories=[])), form=st.sampled_from(["text", "json"]))
def test_what_a_device_says_cannot_begin_a_line(message: str, form: str) -> None:
    stream = written(form)
    HERE.warning("payload %s", message)
    assert stream.getvalue().count("\n") == 1
    assert form == "json" or len(stream.getvalue().splitlines()) == 1


def test_own_keys_cannot_be_forged_by_extras() -> None:
    stream = written()
    HERE.warning("true", extra={"level": "DEBUG", "logger": "other"})
    (record,) = records(stream)
    assert (record["level"], record["logger"]) == ("WARNING", "gateway.test_log")


def test_a_repeated_warning_is_counted() -> None:
    stream = written(repeats=3)
    for n in range(50):
        HERE.warning("link %s: down", n)
    HERE.warning("another")
    HERE.info("told as ever")
    assert len(records(stream)) == 5
    later = logging.LogRecord("gateway.x", logging.WARNING, "", 0, "a minute later", None, None)
    later.created += log.WINDOW + 1
    logging.getLogger().handle(later)
    counted = records(stream)[5]
    assert counted["message"] == "link 49: down (and 47 like it within a minute)"
    assert counted["suppressed"] == "47"
    HERE.warning("link %s: down", "again")
    assert records(stream)[-1]["message"] == "link again: down"


def test_what_was_counted_is_told_at_the_end() -> None:
    stream = written(repeats=1)
    for _ in range(9):
        HERE.error("no answer")
    log.set_up("INFO", stream=io.StringIO())  # the handler before is closed
    assert [record["message"] for record in records(stream)] == [
        "no answer",
        "no answer (and 8 like it within a minute)",
    ]


def test_messages_are_never_counted_away() -> None:
    stream = written(repeats=1)
    for n in range(20):
        HERE.info("case.dispatch %d", n)
    assert len(records(stream)) == 20


def test_kinds_beyond_the_bound_are_written() -> None:
    stream = written(repeats=1)
    for n in range(log.KINDS + 10):
        HERE.warning(f"kind {n}")
    assert len(records(stream)) == log.KINDS + 10


def test_secrets_of_the_configuration_are_found_and_hidden() -> None:
    config = Config.model_validate(
        {
            "operations": {"url": "postgresql://city:dbpass77@db/city"},
            "mqtt": {"link": [{"name": "a", "host": "h", "username": "u", "password": "linkpass77"}]},
            "mirror": {"url": "http://influx:8086", "token": "influxtoken77"},
            "hj212": {"password": "246810", "stations": {"M1": {"device": "D", "password": "135791"}}},
            "notify": {"webhook": [{"name": "w", "url": "http://u:hookpass77@h/", "secret": "x" * 16}]},
        }
    )
    secrets = log.secrets_of(config)
    assert secrets >= {"dbpass77", "linkpass77", "influxtoken77", "246810", "135791", "hookpass77", "x" * 16}
    for form in ("json", "text"):
        stream = written(form, secrets=secrets)
        for secret in secrets:
            HERE.error("cannot join with %s", f"postgresql://u:{secret}@db", extra={"why": f"bad {secret}!"})
        HERE.error("tick 12468100 of 2468101 is no secret")
        text = stream.getvalue()
        assert not [secret for secret in secrets if f"{secret}@" in text or f"{secret}!" in text]
        assert "tick 12468100 of 2468101" in text


def test_a_fault_of_a_secret_does_not_show_it(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        'log_level = "LOUD"\n[[notify.webhook]]\nname = "w"\nurl = "http://h/"\nsecret = "short77"\n'
        '[mirror]\ntoken = 7788\n[hj212]\nstations = { M = { device = "D", password = 775533 } }\n',
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as caught:
        load(file)
    text = str(caught.value)
    assert "LOUD" in text
    assert [
        word for word in ("notify.webhook.0.secret", "mirror.token", "password") if word not in text
    ] == []
    assert [secret for secret in ("short77", "7788", "775533") if secret in text] == []
