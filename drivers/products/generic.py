"""One generic product a family: any device that sends the payloads of design 3."""

from __future__ import annotations

from drivers.families import FAMILIES
from drivers.products.product import Product

PRODUCTS = tuple(
    Product(
        id=f"generic-{name}",
        maker="any",
        model=f"generic {name}",
        family=name,
        source="design 3: topics and payloads of citygate",
    )
    for name in FAMILIES
)
