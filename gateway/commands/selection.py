"""Whom an instruction is for: named devices, or all that stand behind a cabinet, in a road or in an area."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection, and_, func, or_, select

from drivers.families import FAMILIES
from drivers.products.product import Product
from gateway.commands.limits import CABINET, LAMP, Site, families_of
from gateway.errors import Invalid, NotFound
from gateway.registry.rows import below, portions
from gateway.store.schema.registry import device

CONTACTOR: Final = "contactor"
STOREYS: Final = 4  # cabinet, loop, lamp, and what may hang on a lamp


class Target(Struct, frozen=True, omit_defaults=True):
    """One of the four. road: the last name of an area path, or how the devices' own names begin ("和平路 42")."""

    devices: tuple[str, ...] = ()
    cabinet: str = ""
    road: str = ""
    area: str = ""
    family: str = ""

    def check(self, name: str) -> None:
        """Raises Invalid."""
        given = [word for word in ("devices", "cabinet", "road", "area") if getattr(self, word)]
        if len(given) != 1:
            raise Invalid("say whom it is for: devices, a cabinet, a road or an area, and one of them only")
        if self.family and self.family not in families_of(name):
            known = ", ".join(families_of(name)) or "none"
            raise Invalid(f"no {self.family} takes {name!r:.80}; families that do: {known}")

    def kind(self, name: str) -> str:
        """The family that is meant where no device is named; raises Invalid where it must be said."""
        families = [self.family] if self.family else families_of(name)
        if len(families) != 1:
            raise Invalid(
                f"say the family: {', '.join(families)} take {name}" if families else _unknown(name)
            )
        return families[0]


def _unknown(name: str) -> str:
    known = sorted({one.name for family in FAMILIES.values() for one in family.commands})
    return f"no command {name!r:.80}; there are: {', '.join(known)}"


def choose(
    conn: Connection, target: Target, name: str, products: Mapping[str, Product], most: int
) -> list[Site]:
    """The devices in service that are meant, by id. Raises Invalid, and NotFound where there is none."""
    target.check(name)
    if target.devices:
        found = _named(conn, tuple(dict.fromkeys(target.devices)), products)
    elif target.cabinet:
        found = beneath(conn, [target.cabinet], target.kind(name), products)
    else:
        family = target.kind(name)
        within = below(device.c.area, target.area) if target.area else _along(target.road)
        found = _sites(conn, and_(device.c.family == family, within), products, most + 1)
    if not found:
        raise NotFound(f"no device in service there can be told {name!r:.80}")
    if len(found) > most:
        raise Invalid(f"more than {most} devices; choose a smaller area")
    if len({site.family for site in found}) > 1:
        raise Invalid("the devices are of several families; send each family its own")
    return found


def _along(road: str) -> Any:
    return or_(
        device.c.area == road,
        device.c.area.endswith(f"/{road}", autoescape=True),
        device.c.name == road,
        device.c.name.startswith(f"{road} ", autoescape=True),
    )


def _named(conn: Connection, ids: Sequence[str], products: Mapping[str, Product]) -> list[Site]:
    found: list[Site] = []
    for portion in portions(ids):
        found += _sites(conn, device.c.id.in_(portion), products, len(portion))
    if strangers := sorted(set(ids) - {site.id for site in found}):
        more = f" and {len(strangers) - 1} more" if len(strangers) > 1 else ""
        raise NotFound(f"no device {strangers[0]!r:.80}{more} in service")
    return sorted(found, key=lambda site: site.id)


def beneath(
    conn: Connection, roots: Sequence[str], family: str, products: Mapping[str, Product]
) -> list[Site]:
    """The devices of a family that hang on these, directly or by what hangs between."""
    found: dict[str, Site] = {}
    level: Sequence[str] = roots
    for _ in range(STOREYS):
        following: list[str] = []
        for portion in portions(level):
            inside = device.c.parent.in_(portion)
            following += conn.scalars(select(device.c.id).where(inside))
            for site in _sites(conn, and_(inside, device.c.family == family), products, None):
                found[site.id] = site
        level = following
    return sorted(found.values(), key=lambda site: site.id)


def lamps_of(
    conn: Connection, told: Sequence[Site], name: str, products: Mapping[str, Product]
) -> list[Site]:
    """The lamps that follow a cabinet's contactor."""
    if name != CONTACTOR or told[0].family != CABINET:
        return []
    return beneath(conn, [site.id for site in told], LAMP, products)


def census(conn: Connection, areas: Sequence[str], family: str) -> dict[str, int]:
    """How many devices of a family are in service in each area."""
    in_service = and_(device.c.family == family, device.c.retired.is_(False))
    return {
        area: conn.scalar(
            select(func.count()).where(
                in_service, below(device.c.area, area) if area else device.c.area == ""
            )
        )
        or 0
        for area in areas
    }


def _sites(conn: Connection, which: Any, products: Mapping[str, Product], most: int | None) -> list[Site]:
    c = device.c
    query = select(c.id, c.family, c.idx, c.product, c.area, c.lat, c.lon, c.interval, c.attributes)
    query = query.where(which, c.retired.is_(False)).order_by(c.id).limit(most)
    return [_site(row, products) for row in conn.execute(query)]


def _site(row: Any, products: Mapping[str, Product]) -> Site:
    product = products.get(row.product)
    interval = row.interval or (product.interval if product else 0) or FAMILIES[row.family].interval
    rated = row.attributes.get("rated_power")
    return Site(row.id, row.family, row.idx, row.product, row.area, row.lat, row.lon, interval, rated)
