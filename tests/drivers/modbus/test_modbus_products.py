"""Every Modbus product: recorded exchanges mean what stands beside them, and what is encoded is read back through its plan."""

from __future__ import annotations

import json
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.families import FAMILIES
from drivers.modbus import exchange
from drivers.modbus.plan import plan
from drivers.modbus.register_map import Register, RegisterMap
from drivers.modbus.values import Reader, answer, images
from drivers.modbus.words import BIT_TABLES, TABLES
from drivers.products import catalog
from drivers.products.product import DeclarationError, Product
from drivers.refusal import Reason, Refused

ROOT = Path(__file__).parents[3]
PRODUCTS = {one.id: one for one in catalog().values() if one.modbus is not None}
VECTORS = [
    (product, file.stem, json.loads(file.read_text("utf-8")))
    for product in PRODUCTS
    for file in sorted((ROOT / "tests/vectors" / product).glob("*.json"))
]


def map_of(product: str) -> RegisterMap:
    found = PRODUCTS[product].modbus
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("product", "vector"), [one[::2] for one in VECTORS], ids=[f"{a}/{b}" for a, b, _ in VECTORS]
)
def test_a_recorded_exchange_means_what_stands_beside_it(product: str, vector: dict[str, Any]) -> None:
    family = FAMILIES[PRODUCTS[product].family]
    data = bytes.fromhex(vector["exchange"])
    if "reason" in vector:
        with pytest.raises(Refused) as caught:
            exchange.decode(map_of(product), family, data)
        assert caught.value.reason is Reason(vector["reason"])
        return
    found = exchange.decode(map_of(product), family, data)
    assert found.values == pytest.approx(vector["values"])
    assert found.faults == vector.get("faults", [])


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_declaration_speaks_of_points_tables_and_commands_that_exist(product: str) -> None:
    family = FAMILIES[PRODUCTS[product].family]
    assert PRODUCTS[product].transport == "modbus"
    points = [one.point for module in map_of(product).modules for one in module.registers]
    assert len(points) == len(set(points)) > 0
    assert set(points) <= set(family.index)
    commands = {command.name: command for command in family.commands}
    for module in map_of(product).modules:
        assert plan(module).reads
        assert {one.table for one in module.registers} <= set(TABLES)
        for control in module.controls:
            names = [argument.name for argument in commands[control.command].args]
            assert control.argument in names or (not names and not control.argument)
            assert control.register.table in {"coil", "holding"}


def raw_values(register: Register) -> st.SearchStrategy[float]:
    """Values that the register holds exactly."""
    if register.table in BIT_TABLES or register.kind == "bits":
        return st.sampled_from([0.0, 1.0])
    if register.kind == "f32":
        return st.floats(0, 1, width=32)
    top = 0x7FFE if register.kind in {"u16", "i16"} else 10_000_000
    return st.integers(1, top).map(lambda raw: raw * register.scale + register.offset)


@st.composite
def said(draw: st.DrawFn) -> tuple[str, dict[str, float]]:
    product = draw(st.sampled_from(sorted(PRODUCTS)))
    registers = [one for module in map_of(product).modules for one in module.registers]
    return product, {one.point: draw(raw_values(one)) for one in registers}


@settings(max_examples=200)
@given(said())
def test_what_is_encoded_is_read_back_by_the_plan(one: tuple[str, dict[str, float]]) -> None:
    product, values = one
    family = FAMILIES[PRODUCTS[product].family]
    found: dict[str, float] = {}
    faults: list[str] = []
    encoded = images(map_of(product), family, values)
    for module in map_of(product).modules:
        reader = Reader(module, family)
        for read in plan(module).reads:
            found |= reader.values(read, answer(encoded[module.name], read), faults)
    assert faults == []
    assert found == pytest.approx(values)


@settings(max_examples=200)
@given(st.sampled_from(sorted(PRODUCTS)), st.binary(max_size=300))
def test_an_exchange_of_any_bytes_is_decoded_or_refused(product: str, data: bytes) -> None:
    with suppress(Refused):
        exchange.decode(map_of(product), FAMILIES[PRODUCTS[product].family], data)


def shipped_example() -> dict[str, Any]:
    """The register map that config.toml shows, its comment signs taken away."""
    text = (ROOT / "config.toml").read_text("utf-8")
    begin = text.index("# [[product]]                        # your own register map")
    block = text[begin : text.index("\n\n", begin)]
    table = tomllib.loads("\n".join(line.removeprefix("# ") for line in block.splitlines()))
    product: dict[str, Any] = table["product"][0]
    return product


def test_the_map_shown_in_the_configuration_is_a_product() -> None:
    product = Product.from_table(shipped_example())
    assert product.transport == "modbus"
    assert product.modbus is not None
    (module,) = product.modbus.modules
    assert [(one.table, one.start, one.length) for one in plan(module).reads] == [
        ("coil", 0, 1),
        ("input", 0, 15),
    ]
    registers = {one.point: one for one in module.registers}
    assert (registers["voltage_b"].table, registers["voltage_b"].address) == ("input", 1)
    assert registers["energy"].order == "CDAB"
    assert product.modbus.control("contactor") is not None


def test_every_fault_of_a_map_is_reported_with_its_key() -> None:
    table = shipped_example()
    table["modbus"] = {
        "table": "tape",
        "registers_a_read": 200,
        "holes": {"input": [4, 2]},
        "points": {
            "voltage_a": {"address": "20001"},
            "voltage_x": 3,
            "energy": {"address": 70_000, "kind": "u99", "order": "ABDC", "scale": 0},
            "door": {"address": 1, "table": "discrete", "words": {"a": "open", "1": "ajar"}, "colour": 1},
            "leakage": {"kind": "bits", "address": 2, "bit": 15, "size": 2},
        },
        "commands": {"dim": {"point": "door"}, "contactor": {"point": "door"}},
        "sauce": 1,
    }
    with pytest.raises(DeclarationError) as caught:
        Product.from_table(table)
    for key in (
        "modbus.points.voltage_a.address no register reference",
        "modbus.points.voltage_x is no point of the family",
        "modbus.points.energy.address is 70000",
        "modbus.points.energy.kind is 'u99'",
        "modbus.points.energy.order is 'ABDC'",
        "modbus.points.energy.scale is 0",
        "modbus.points.energy.table is 'tape'",
        "modbus.points.door.words.a is no whole number",
        "modbus.points.door.words.1 means 'ajar'",
        "modbus.points.door.colour is unknown",
        "modbus.points.leakage.bit and size leave",
        "modbus.registers_a_read is 200",
        "modbus.holes.input is no list",
        "modbus.commands.dim is no command of the family",
        "modbus.commands.contactor is behind a discrete register",
        "modbus.sauce is unknown",
    ):
        assert any(fault.startswith(key) for fault in caught.value.faults), (key, caught.value.faults)


def test_modules_are_declared_by_name_and_share_no_point() -> None:
    table = shipped_example()
    table["modbus"] = {
        "modules": {"meter": {"points": {"power": 0}}, "relay": {"table": "coil", "points": {"contactor": 0}}}
    }
    product = Product.from_table(table)
    assert product.modbus is not None
    assert [module.name for module in product.modbus.modules] == ["meter", "relay"]
    table["modbus"]["modules"]["relay"]["points"]["power"] = 1
    with pytest.raises(DeclarationError, match="name power in two modules"):
        Product.from_table(table)
