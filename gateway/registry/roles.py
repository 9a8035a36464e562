"""Who acts: a role, and the areas it is limited to. A caller outside its areas sees nothing and changes nothing there."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

Areas = tuple[str, ...]  # area paths, each with all below it; () = the whole city


class Role(StrEnum):
    """From viewer on, each may what those before it may; what that is stands in gateway.api.auth."""

    REPORTER = "reporter"  # brings reports and does nothing else: a citizens' portal, a hot line, a bridge
    VIEWER = "viewer"
    CREW = "crew"
    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"


PEOPLE: Final = tuple(role for role in Role if role is not Role.REPORTER)  # who log in; a reporter is a token
RANK: Final = {role: rank for rank, role in enumerate(Role)}


class Principal(Struct, frozen=True):
    """Who asks. actor: as the audit names it. language: en, zh or "" (not chosen). csrf: of a cookie's session, else ""."""

    actor: str
    name: str
    role: Role
    areas: Areas = ()
    language: str = ""
    csrf: str = ""
    session: int = 0  # a person's; 0 = came by a token

    def covers(self, area: str) -> bool:
        return covers(self.areas, area)


def covers(areas: Areas, area: str) -> bool:
    """Whether what lies in this area is within these."""
    return not areas or any(inside(area, one) for one in areas)


def inside(area: str, outer: str) -> bool:
    return area == outer or area.startswith(outer + "/")


def common(one: Areas, other: Areas) -> Areas | None:
    """What lies within both; None where nothing does."""
    if not one or not other:
        return one or other
    both = [a for a in one if covers(other, a)] + [b for b in other if covers(one, b)]
    return tuple(sorted(set(both))) or None


def least(one: Role, other: Role) -> Role:
    return min(one, other, key=RANK.__getitem__)


def simplified(areas: Sequence[str]) -> Areas:
    """Each once, and none that another holds already."""
    given = sorted(set(areas))
    return tuple(a for a in given if not any(a != b and inside(a, b) for b in given))
