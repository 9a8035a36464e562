"""[[mqtt.link]] as an operator writes it, and every fault of it with its key."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.config import load
from gateway.errors import ConfigError
from gateway.ingest.link_settings import OWN, LinkSettings

LINK = '[[mqtt.link]]\nname = "east"\nhost = "10.0.0.5"\n'


def faults(folder: Path, text: str) -> str:
    file = folder / "citygate.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file)
    return "\n".join(caught.value.faults)


def test_a_name_and_a_host_are_enough(tmp_path: Path) -> None:
    file = tmp_path / "citygate.toml"
    file.write_text(LINK)
    (link,) = load(file).links()
    assert (link.client, link.port, link.subscriptions, link.secure) == ("citygate-east", 1883, OWN, False)


def test_topics_of_products_are_subscribed_to(tmp_path: Path) -> None:
    file = tmp_path / "citygate.toml"
    products = '{ "plant/{device}/up" = "generic-dust", "p/up" = "chinatelecom-geomagnetic" }'
    file.write_text(f'{LINK}filters = ["city/#"]\nproducts = {products}\n')
    (link,) = load(file).links()
    assert link.subscriptions == ("city/#", "plant/+/up", "p/up")


def test_products_must_exist_and_say_who_speaks(tmp_path: Path) -> None:
    said = faults(
        tmp_path,
        LINK
        + 'product = "generic-dust"\nproducts = { "a/{device}" = "acme", "b/c" = "fiware-streetlight-x" }\n',
    )
    assert "mqtt.link.0.product: generic-dust names no device in its payloads" in said
    assert "mqtt.link.0.products.'a/{device}': no product 'acme'; there are: " in said
    assert "mqtt.link.0.products.'b/c': no product 'fiware-streetlight-x'" in said


def test_links_are_no_twins(tmp_path: Path) -> None:
    assert "two links are called east" in faults(tmp_path, LINK + LINK)
    twin = LINK.replace('"east"', '"west"\nclient_id = "citygate-east"')
    assert "two links join 10.0.0.5:1883 as citygate-east" in faults(tmp_path, LINK + twin)


def test_no_fault_tells_a_password(tmp_path: Path) -> None:
    said = faults(tmp_path, '[[mqtt.link]]\npassword = "sesame"\nname = "east"\nhost = "h"\n')
    assert "a password needs a username" in said
    assert "sesame" not in said


@pytest.mark.parametrize("pattern", ["city/#", "#", "city/+/+", "$share/gateways/city/#", "city/cases/+"])
def test_a_link_never_hears_what_it_publishes(pattern: str) -> None:
    values = {"name": "broker", "host": "h", "filters": [pattern]}
    LinkSettings.model_validate(values)
    with pytest.raises(ValidationError, match="would bring back what is published under city/cases"):
        LinkSettings.model_validate(values | {"publish": ["cases"]})


def test_the_usual_filters_go_with_all_that_can_be_published() -> None:
    values = {"name": "broker", "host": "h", "publish": ["alarms", "cases", "devices"]}
    assert LinkSettings.model_validate(values).publish == ("alarms", "cases", "devices")
