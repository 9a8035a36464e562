"""The `citygate` command. Beside a running gateway it acts through its local socket, else it opens the stores itself."""

from __future__ import annotations

from gateway.cli.commands import app, main

__all__ = ["app", "main"]
