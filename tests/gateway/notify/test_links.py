"""A link opens one subject for one channel, until its time, while its key is the key."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.telemetry import HOUR, SECOND
from gateway.errors import ConfigError, NotFound
from gateway.notify.links import Link, Links
from gateway.notify.outbox import Delivery

NOW = 1_741_000_000 * SECOND
LINK = Link("case:7", "street-crews", NOW // SECOND + 60)


def links(folder: Path, base: str = "https://city.example/") -> Links:
    return Links(folder / "links.key", base, HOUR)


def delivery(event: str, state: str, *, attempts: int = 0) -> Delivery:
    kind = event.partition(".")[0]
    payload = {"event": event, "time": NOW, kind: {"id": 7, "state": state}}
    return Delivery(1, f"{kind}:7:1", "ear", f"{kind}:7", event, payload, attempts, NOW, NOW + attempts)


def test_what_was_signed_is_read(tmp_path: Path) -> None:
    made = links(tmp_path)
    assert made.read(made.sign(LINK), NOW) == LINK
    assert links(tmp_path).read(made.sign(LINK), NOW) == LINK, "the key outlives the process"
    assert (tmp_path / "links.key").stat().st_mode & 0o777 == 0o600


def test_it_ends_with_its_time_and_with_its_key(tmp_path: Path) -> None:
    made = links(tmp_path)
    word = made.sign(LINK)
    with pytest.raises(NotFound, match="expired"):
        made.read(word, NOW + 60 * SECOND)
    made.rotate()
    with pytest.raises(NotFound):
        made.read(word, NOW)
    assert made.read(made.sign(LINK), NOW) == LINK
    assert (tmp_path / "links.key").stat().st_mode & 0o777 == 0o600


def test_none_opens_where_no_address_is_configured(tmp_path: Path) -> None:
    word = links(tmp_path).sign(LINK)
    without = links(tmp_path, "")
    with pytest.raises(NotFound):
        without.read(word, NOW)
    assert without.url(delivery("alarm.raise", "active")) is None


def test_a_key_that_is_none_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "links.key").write_bytes(b"short")
    with pytest.raises(ConfigError, match=r"links\.key has not 32 bytes; remove it"):
        links(tmp_path)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Links, str]:
    made = links(tmp_path_factory.mktemp("links"))
    return made, made.sign(LINK)


@given(at=st.integers(0, 10_000), to=st.characters(codec="utf-8"))
def test_no_other_word_opens_anything(signed: tuple[Links, str], at: int, to: str) -> None:
    made, word = signed
    at %= len(word)
    other = word[:at] + to + word[at + 1 :]
    if other == word:
        return
    try:
        assert made.read(other, NOW) == LINK  # Base64 has spare bits at its end
        assert at == len(word) - 1
    except NotFound:
        pass


@pytest.mark.parametrize(
    ("event", "state", "has"),
    [
        ("alarm.raise", "active", True),
        ("alarm.unread", "active", True),
        ("alarm.raise", "shelved", False),
        ("alarm.clear", "cleared", False),
        ("alarm.acknowledge", "acknowledged", False),
        ("case.file", "filed", True),
        ("case.dispatch", "dispatched", True),
        ("case.overdue", "dispatched", True),
        ("case.overdue", "in_repair", False),
        ("case.close", "closed", False),
    ],
)
def test_only_what_waits_for_an_answer_has_a_link(tmp_path: Path, event: str, state: str, has: bool) -> None:
    url = links(tmp_path).url(delivery(event, state))
    assert (url is not None) == has
    assert not has or str(url).startswith("https://city.example/api/v1/acknowledge/")


def test_every_attempt_has_the_same_link(tmp_path: Path) -> None:
    made = links(tmp_path)
    first, later = (made.url(delivery("alarm.raise", "active", attempts=n)) for n in (0, 5))
    assert first == later
