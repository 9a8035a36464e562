"""The table of unknown devices: the newest stay, each with its last payloads, and a flood drives out only its own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.registry.joining_settings import JoiningSettings
from gateway.registry.strangers import GUESSES, Strangers

SMALL = JoiningSettings(remembered=10, samples=2, sample_bytes=64)


def names(table: Strangers) -> list[str]:
    return [one.id for one in table]


def test_the_longest_unheard_goes_first() -> None:
    table = Strangers(SMALL)
    for number in range(10):
        table.heard(f"D{number}", f"link:yard@h:{number}", number)
    table.heard("D0", "link:yard@h:1", 10)
    table.heard("NEW", "link:yard@h:1", 11)
    assert names(table) == ["NEW", "D0", *(f"D{number}" for number in range(9, 1, -1))]
    changes = table.changes()
    assert (changes.gone, len(changes.rows)) == (["D1"], 10)


def test_a_flood_of_names_from_one_address_drives_out_its_own() -> None:
    table = Strangers(SMALL)
    table.heard("GOOD", "mqtt:10.0.0.7:4711", 0, proven=False)
    table.heard("KNOWN", "link:yard@h:1", 0)
    for number in range(1000):
        table.heard(f"made-up-{number}", f"mqtt:10.6.6.6:{number}", number, proven=False)
    assert names(table) == ["made-up-999", "KNOWN", "GOOD"]


def test_a_name_that_anyone_could_say_does_not_move_one_that_was_proven() -> None:
    table = Strangers(SMALL)
    table.heard("D", "link:yard@broker:1883", 1)
    one = table.heard("D", "mqtt:10.6.6.6:1", 2, proven=False)
    assert (one.transport, one.address, one.count, one.last) == ("link", "yard@broker:1883", 2, 2)


def test_its_last_payloads_are_kept_cut() -> None:
    table = Strangers(SMALL)
    one = table.heard("D", "http:x@h", 1)
    for number in range(4):
        table.said(one, number, "t", b"%d" % number * 100)
    assert [(each.time, each.payload) for each in one.samples] == [(2, b"2" * 64), (3, b"3" * 64)]
    assert table.untried(10) == [], "a payload that was cut says nothing of its product"


def test_a_few_payloads_of_each_are_tried() -> None:
    table = Strangers(SMALL)
    one = table.heard("D", "http:x@h", 1)
    tried = 0
    for number in range(GUESSES * 2):
        table.said(one, number, "t", b"{}")
        found = table.untried(10)
        tried += len(found)
        table.learn({name: ["generic-dust"] if number == 1 else [] for name, _ in found})
    assert (tried, one.products) == (GUESSES, ["generic-dust"])


def test_what_could_not_be_written_is_written_next_time() -> None:
    table = Strangers(SMALL)
    table.heard("A", "http:x@h", 1)
    table.heard("B", "http:x@h", 1)
    table.forget("A")
    changes = table.changes()
    assert table.changes() == ([], [])
    table.again(changes)
    assert table.changes() == changes


ORIGINS = st.sampled_from(["mqtt:10.0.0.1:1", "mqtt:10.0.0.2:1", "link:yard@h:1"])


@given(
    st.lists(st.tuples(st.sampled_from([f"D{n}" for n in range(30)]), ORIGINS, st.booleans()), max_size=120)
)
def test_it_is_bounded_and_the_newest_is_always_there(said: list[tuple[str, str, bool]]) -> None:
    table = Strangers(SMALL)
    for time, (name, origin, proven) in enumerate(said):
        one = table.heard(name, origin, time, proven=proven)
        assert names(table)[0] == name
        assert len(table) <= 10
        assert one.first <= one.last == time
        crowd = [each for each in table if not each.proven]
        for host in {each.host for each in crowd}:
            assert sum(each.host == host for each in crowd) <= 1
