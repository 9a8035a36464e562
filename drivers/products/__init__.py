"""The catalogue of products, named one by one: a new product is its own file and one word here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from drivers.products import (
    bosch_tps110,
    chinatelecom_geomagnetic,
    dingtek_dc410,
    eastron_sdm630,
    fiware_streetlight,
    generic,
    hj212_dust,
    hj212_fume,
    milesight_em310_tilt,
    milesight_em320_tilt,
    milesight_em400_mud,
    modbus_cabinet,
    modbus_fume,
    modbus_io,
    modbus_lamp,
    modbus_site,
    nas_ul20xx,
    nwave_nps405,
    pni_placepod,
    renke_fsjt,
    renke_fsxcs,
    tilt_article_manhole,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from drivers.products.product import Product

MODULES: Final = (
    generic,
    bosch_tps110,
    chinatelecom_geomagnetic,
    dingtek_dc410,
    eastron_sdm630,
    fiware_streetlight,
    hj212_dust,
    hj212_fume,
    milesight_em310_tilt,
    milesight_em320_tilt,
    milesight_em400_mud,
    modbus_cabinet,
    modbus_fume,
    modbus_io,
    modbus_lamp,
    modbus_site,
    nas_ul20xx,
    nwave_nps405,
    pni_placepod,
    renke_fsjt,
    renke_fsxcs,
    tilt_article_manhole,
)


def catalog(extra: Iterable[Product] = ()) -> Mapping[str, Product]:
    """All products by id, the configuration's `extra` among them. Twins raise ValueError, with both named."""
    found: dict[str, Product] = {}
    for product in [*(one for module in MODULES for one in module.PRODUCTS), *extra]:
        twin = found.setdefault(product.id, product)
        if twin is not product:
            both = f"{twin.maker} {twin.model} and {product.maker} {product.model}"
            raise ValueError(f"two products are called {product.id}: {both}")
    return found
