"""Laws over the whole catalogue (style 4, 5): declarations are short, sourced, unique, and speak of points that exist."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from drivers import products
from drivers.families import FAMILIES
from drivers.json_map import path
from drivers.products import catalog
from drivers.products.product import Product
from drivers.shape import IMPLIED, QUALITIES

FOLDER = Path(products.__file__).parent
VECTORS = Path(__file__).parents[2] / "vectors"


def every() -> list[Product]:
    return list(catalog().values())


def test_each_family_has_its_generic_product() -> None:
    for name in FAMILIES:
        assert catalog()[f"generic-{name}"].family == name


def test_twins_are_refused_with_both_named() -> None:
    twin = replace(catalog()["generic-dust"], maker="Other", model="Twin")
    with pytest.raises(
        ValueError, match=r"two products are called generic-dust: any generic dust and Other Twin"
    ):
        catalog([twin])


def test_a_product_of_the_configuration_joins() -> None:
    extra = replace(catalog()["generic-dust"], id="our-own")
    assert catalog([extra])["our-own"] is extra


def test_every_product_file_is_listed_and_short() -> None:
    listed = {Path(module.__file__ or "").name for module in products.MODULES}
    files = {file.name for file in FOLDER.glob("*.py")} - {"__init__.py", "product.py"}
    assert files == listed
    for name in files:
        assert len((FOLDER / name).read_text("utf-8").splitlines()) < 80, name


@pytest.mark.parametrize("product", every(), ids=lambda product: product.id)
def test_a_product_names_its_source_and_its_family_and_has_vectors(product: Product) -> None:
    assert product.family in FAMILIES
    assert product.source
    assert re.fullmatch(r"[a-z0-9-]+", product.id)
    assert list((VECTORS / product.id).glob("*.json"))


@pytest.mark.parametrize("product", [one for one in every() if one.telemetry], ids=lambda product: product.id)
def test_a_mapping_speaks_of_points_labels_events_and_paths_that_exist(product: Product) -> None:
    mapping, family = product.telemetry, FAMILIES[product.family]
    assert mapping is not None
    points = {point.name: point for point in family.points if point.name not in IMPLIED}
    assert len({one.point for one in mapping.points}) == len(mapping.points) > 0
    for one in mapping.points:
        assert one.point in points
        path(one.path)
        labels = points[one.point].labels
        assert all(meaning in labels for meaning in one.words.values() if isinstance(meaning, str))
    if mapping.event:
        alarms = {alarm.name for alarm in family.alarms}
        assert set(mapping.event.words.values()) <= alarms | {""}
    if mapping.quality:
        assert set(mapping.quality.words.values()) <= set(QUALITIES)
