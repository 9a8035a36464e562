"""Every table of operations, under one MetaData."""

from __future__ import annotations

from gateway.store.schema import cases, commands, joining, publishing, registry
from gateway.store.schema.metadata import metadata

__all__ = ["cases", "commands", "joining", "metadata", "publishing", "registry"]
