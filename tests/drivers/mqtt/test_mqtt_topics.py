from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.mqtt import topics
from drivers.mqtt.topics import Topic
from drivers.refusal import Reason, Refused
from tests.drivers.mqtt import strategies as mqtt

part = st.text(st.characters(codec="utf-8", exclude_characters="\0/+#"), min_size=1, max_size=8)


@given(part, part, st.sampled_from(sorted(topics.CHANNELS)))
def test_a_built_topic_parses(family: str, device: str, channel: str) -> None:
    assert topics.parse(topics.build(family, device, channel)) == Topic(family, device, channel)


def test_each_channel_has_its_topic() -> None:
    assert topics.telemetry_topic("dust", "DU-1") == "city/dust/DU-1/telemetry"
    assert topics.event_topic("dust", "DU-1") == "city/dust/DU-1/event"
    assert topics.status_topic("dust", "DU-1") == "city/dust/DU-1/status"
    assert topics.reply_topic("dust", "DU-1") == "city/dust/DU-1/reply"
    assert topics.command_topic("dust", "DU-1") == "city/dust/DU-1/command"


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "city",
        "city/dust/DU-1",
        "town/dust/DU-1/telemetry",
        "city/dust/DU-1/telemetry/x",
        "city//DU-1/telemetry",
        "city/dust//telemetry",
        "city/dust/DU-1/tele",
        "/city/dust/DU-1/telemetry",
        "$SYS/broker",
    ],
)
def test_other_topics_are_refused(topic: str) -> None:
    with pytest.raises(Refused) as refused:
        topics.parse(topic)
    assert refused.value.reason is Reason.UNKNOWN_TOPIC


@pytest.mark.parametrize(
    ("family", "device", "channel"),
    [
        ("dust", "a/b", "event"),
        ("", "a", "event"),
        ("dust", "", "event"),
        ("dust", "+", "event"),
        ("dust", "a\0", "event"),
        ("dust", "a", "x"),
    ],
)
def test_a_part_that_cannot_stand_in_a_topic(family: str, device: str, channel: str) -> None:
    with pytest.raises(ValueError, match="is not city"):
        topics.build(family, device, channel)


# 5.0 §4.7.1 and §4.7.2, the examples of the standard.
@pytest.mark.parametrize(
    ("pattern", "topic", "matched"),
    [
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/#", "sport", True),
        ("#", "a/b", True),
        ("sport/tennis/+", "sport/tennis/player1", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/x", False),
        ("+/monitor/Clients", "$SYS/monitor/Clients", False),
        ("$SYS/#", "$SYS/x", True),
        ("$SYS/monitor/+", "$SYS/monitor/Clients", True),
        ("ACCOUNTS", "Accounts", False),
        ("a/b/#", "a", False),
    ],
)
def test_a_filter_of_the_standard_matches(pattern: str, topic: str, matched: bool) -> None:
    assert topics.matches(pattern, topic) is matched


@given(mqtt.name)
def test_a_topic_matches_itself_and_its_own_wildcards(topic: str) -> None:
    assert topics.name_fault(topic) == ""
    levels = topic.split("/")
    assert topics.matches(topic, topic)
    assert topics.matches("#", topic)
    assert topics.matches("/".join("+" for _ in levels), topic)
    assert not topics.matches("/".join("+" for _ in [*levels, ""]), topic)


@pytest.mark.parametrize(
    "pattern", ["", "a\0", "a+", "a/+b", "#/a", "a#", "a/b#", "$share", "$share/g", "$share//a", "$share/+/a", "$share/g/"]
)  # fmt: skip
def test_a_filter_that_is_none(pattern: str) -> None:
    assert topics.filter_fault(pattern)


@pytest.mark.parametrize("pattern", ["a", "+", "#", "/", "a/+/b", "+/a/#", "$share/g/a/+", "$share/g//"])
def test_a_filter_that_is_one(pattern: str) -> None:
    assert topics.filter_fault(pattern) == ""


@pytest.mark.parametrize("topic", ["", "+", "a/#", "a\0"])
def test_a_name_that_is_none(topic: str) -> None:
    assert topics.name_fault(topic)
