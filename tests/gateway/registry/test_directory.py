"""The directory: who may speak, and for which device."""

from __future__ import annotations

import pytest

from drivers.refusal import Reason, Refused
from gateway.registry.directory import Directory, Entry, Principal, Voice
from gateway.registry.secret import digest


def entry(
    name: str, index: int = 0, family: str = "streetlight", area: str = "", *, retired: bool = False
) -> Entry:
    return Entry(name, family, index, f"generic-{family}", area, retired, digest(f"secret of {name}"))


@pytest.fixture
def directory() -> Directory:
    directory = Directory()
    directory.put(
        [
            entry("A", 0, area="xuhui/tianping"),
            entry("B", 1, area="xuhui_2"),
            entry("M", 0, "manhole", area="xuhui"),
            entry("R", 2, retired=True),
        ]
    )
    directory.put_voices(
        [
            Voice("all", ("city/#",), None, "", digest("1")),
            Voice("xuhui", ("city/+/+/telemetry",), None, "xuhui", digest("2")),
            Voice("some", ("city/#",), frozenset({"B"}), None, digest("3")),
            Voice("A", ("city/#",), None, "", digest("4")),
        ]
    )
    return directory


def refusal(directory: Directory, principal: Principal, topic: str) -> Reason:
    with pytest.raises(Refused) as caught:
        directory.resolve(principal, topic)
    return caught.value.reason


def test_a_name_and_its_secret_open_the_door(directory: Directory) -> None:
    assert directory.authenticate("A", b"secret of A") == Principal("device", "A")
    assert directory.authenticate("all", b"1") == Principal("source", "all")
    assert directory.authenticate("A", b"secret of B") is None
    assert directory.authenticate("nobody", b"secret of A") is None
    assert directory.authenticate("R", b"secret of R") is None
    assert directory.authenticate("A", b"") is None


def test_a_source_may_bear_a_devices_name_and_is_told_apart_by_its_secret(directory: Directory) -> None:
    assert directory.authenticate("A", b"4") == Principal("source", "A")


def test_a_secret_without_a_name_finds_its_source(directory: Directory) -> None:
    assert directory.voice(b"2") == Principal("source", "xuhui")
    assert directory.voice(b"secret of A") is None


def test_a_device_publishes_under_its_own_topics_only(directory: Directory) -> None:
    lamp = Principal("device", "A")
    for channel in ("telemetry", "event", "status", "reply"):
        assert directory.resolve(lamp, f"city/streetlight/A/{channel}") == (
            "generic-streetlight",
            "streetlight",
            0,
            channel,
        )
    assert refusal(directory, lamp, "city/streetlight/B/telemetry") is Reason.FOREIGN_TOPIC
    assert refusal(directory, lamp, "city/manhole/A/telemetry") is Reason.FOREIGN_TOPIC
    assert refusal(directory, lamp, "city/streetlight/A/command") is Reason.FOREIGN_TOPIC
    assert refusal(directory, lamp, "city/streetlight/A/other") is Reason.UNKNOWN_TOPIC
    assert refusal(directory, lamp, "elsewhere") is Reason.UNKNOWN_TOPIC


def test_a_source_speaks_for_its_devices_under_its_filters(directory: Directory) -> None:
    everyone, xuhui, some = (Principal("source", name) for name in ("all", "xuhui", "some"))
    assert directory.resolve(everyone, "city/manhole/M/event") == ("generic-manhole", "manhole", 0, "event")
    assert directory.resolve(xuhui, "city/streetlight/A/telemetry")[2] == 0
    assert directory.resolve(xuhui, "city/manhole/M/telemetry")[2] == 0
    assert refusal(directory, xuhui, "city/streetlight/A/event") is Reason.FOREIGN_TOPIC
    assert refusal(directory, xuhui, "city/streetlight/B/telemetry") is Reason.FOREIGN_TOPIC
    assert directory.resolve(some, "city/streetlight/B/event")[2] == 1
    assert refusal(directory, some, "city/streetlight/A/event") is Reason.FOREIGN_TOPIC
    assert refusal(directory, everyone, "city/streetlight/nobody/telemetry") is Reason.UNKNOWN_DEVICE
    assert refusal(directory, everyone, "city/streetlight/R/telemetry") is Reason.UNKNOWN_DEVICE
    assert (
        refusal(directory, Principal("source", "gone"), "city/streetlight/A/telemetry")
        is Reason.FOREIGN_TOPIC
    )


def test_an_index_finds_its_device(directory: Directory) -> None:
    found = directory.by_index("streetlight", 1)
    assert found is not None
    assert found.id == "B"
    assert directory.by_index("streetlight", 3) is None
    assert directory.by_index("streetlight", -1) is None
    assert directory.by_index("dust", 0) is None
    assert directory.ids("streetlight") == ["A", "B", "R"]
    assert directory.counts() == {"streetlight": 2, "manhole": 1}


def test_the_generation_rises_at_every_change(directory: Directory) -> None:
    seen = [directory.generation]
    directory.put([entry("C", 3)])
    seen.append(directory.generation)
    directory.put_voices([])
    seen.append(directory.generation)
    assert seen == sorted(set(seen))


def test_whoever_lost_their_credentials_is_named() -> None:
    directory, void = Directory(), list[str]()
    directory.watch(void.append)

    def entry(secret: str, *, retired: bool = False) -> Entry:
        return Entry("DU-0001", "dust", 0, "generic-dust", "", retired, digest(secret))

    directory.put([entry("first")])
    directory.put([entry("first")])
    assert void == []
    directory.put([entry("second")])
    directory.put([entry("second", retired=True)])
    assert void == ["DU-0001", "DU-0001"]
    directory.put_voices([Voice("lns", ("city/#",), None, "", digest("a"))])
    directory.put_voices([Voice("lns", ("city/#",), None, "", digest("b"))])
    directory.put_voices([])
    assert void[2:] == ["lns", "lns"]
