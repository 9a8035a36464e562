"""Every table of operations, under one MetaData."""

from __future__ import annotations

from gateway.store.schema import (
    answers,
    cases,
    commands,
    dispatch,
    escalation,
    joining,
    network,
    open311,
    people,
    publishing,
    registry,
    rules,
    windows,
)
from gateway.store.schema.metadata import metadata

__all__ = [
    "answers",
    "cases",
    "commands",
    "dispatch",
    "escalation",
    "joining",
    "metadata",
    "network",
    "open311",
    "people",
    "publishing",
    "registry",
    "rules",
    "windows",
]
