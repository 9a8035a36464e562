"""Areas are paths; what lies within two sets of them is never more than either allows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.registry.roles import Role, common, covers, least, simplified

PATH = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
AREAS = st.lists(PATH, max_size=4).map(tuple)


@given(AREAS, AREAS, PATH)
def test_what_is_common_is_what_both_cover(one: tuple[str, ...], other: tuple[str, ...], place: str) -> None:
    both = common(one, other)
    assert (both is not None and covers(both, place)) == (covers(one, place) and covers(other, place))


@given(AREAS, PATH)
def test_what_is_left_out_was_covered_already(areas: tuple[str, ...], place: str) -> None:
    assert covers(simplified(areas), place) == covers(areas, place)


def test_a_name_that_begins_alike_is_another_area() -> None:
    assert covers(("north",), "north/1")
    assert not covers(("north",), "northern")
    assert not covers(("north",), "")
    assert covers((), "")


def test_roles_are_in_order() -> None:
    assert list(Role) == ["reporter", "viewer", "crew", "operator", "supervisor", "admin"]
    assert least(Role.ADMIN, Role.CREW) is Role.CREW
    assert least(Role.VIEWER, Role.SUPERVISOR) is Role.VIEWER
