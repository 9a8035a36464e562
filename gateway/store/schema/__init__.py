"""Every table of operations, under one MetaData."""

from __future__ import annotations

from gateway.store.schema import cases, registry
from gateway.store.schema.metadata import metadata

__all__ = ["cases", "metadata", "registry"]
