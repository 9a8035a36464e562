"""The `citygate` command. Beside a running gateway it acts through its local socket, else it opens the stores itself."""

from __future__ import annotations

from gateway.cli.lasting import lasting


def main() -> None:
    with lasting():
        from gateway.cli import commands  # noqa: PLC0415 - only here is it known that what it loads will last

    commands.main()
