"""Every shipped rule is proved by timelines: what raises it, what must not, and where exactly its boundary lies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pytest

from rules.packs import load
from tests.rules.packs import cabinet, dust, every, fume, manhole, parking, streetlight
from tests.rules.packs.proof import Proof, story

DOCUMENTS: Final[dict[str, dict[str, Any]]] = {document["id"]: document for document in load()}
OF_FAMILY: Final[dict[str, Mapping[str, Proof]]] = {
    "streetlight": streetlight.PROOFS,
    "cabinet": cabinet.PROOFS,
    "manhole": manhole.PROOFS,
    "dust": dust.PROOFS,
    "fume": fume.PROOFS,
    "parking": parking.PROOFS,
}
ALL: Final = [
    *((family, name, proof) for family, proofs in OF_FAMILY.items() for name, proof in proofs.items()),
    *((family, name, proof) for name, proof in every.PROOFS.items() for family in OF_FAMILY),
]
proved = pytest.mark.parametrize(
    ("family", "name", "proof"), ALL, ids=[f"{name}-{of}" for of, name, _ in ALL]
)


def test_every_shipped_rule_is_proved_and_nothing_else_is() -> None:
    assert {name for _, name, _ in ALL} == set(DOCUMENTS)


@pytest.mark.parametrize("family", list(OF_FAMILY))
def test_a_rule_is_proved_with_its_own_family(family: str) -> None:
    assert {DOCUMENTS[name]["family"] for name in OF_FAMILY[family]} == {family}


@proved
def test_it_raises_and_clears_when_it_should(family: str, name: str, proof: Proof) -> None:
    assert story(DOCUMENTS[name], family, proof, proof.raises) == proof.story
    assert [line.split()[0] for line in proof.story.split(", ")] == ["raised", "cleared"]


@proved
def test_it_is_quiet_when_it_must_not_raise(family: str, name: str, proof: Proof) -> None:
    assert story(DOCUMENTS[name], family, proof, proof.never) == ""


@proved
def test_its_boundary_is_exact(family: str, name: str, proof: Proof) -> None:
    assert story(DOCUMENTS[name], family, proof, proof.short) == ""
    assert story(DOCUMENTS[name], family, proof, proof.over).startswith("raised ")
