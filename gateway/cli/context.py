"""What every command shares: the configuration it was given, and a loop to run on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import typer
import uvloop

from gateway import log
from gateway.cli.remote import client
from gateway.config import Config, load, load_table
from gateway.errors import ConfigError

DEFAULT = Path("config.toml")


def read(context: typer.Context) -> Config:
    """The configuration; without a file the defaults hold."""
    path: Path = context.obj
    return Config() if path == DEFAULT and not path.exists() else load(path)


def reading(context: typer.Context) -> Callable[[], Config]:
    """How a running gateway reads its configuration again."""
    return lambda: read(context)


def read_data(context: typer.Context) -> Path:
    """The data folder of a configuration that may have faults elsewhere: to tell the running gateway of them."""
    path: Path = context.obj
    try:
        return read(context).data
    except ConfigError:
        table, _ = load_table(path)
        return Config.model_validate({"data": table["data"]} if "data" in table else {}).data


def log_as(config: Config) -> None:
    """Log as the configuration says."""
    log.set_up(config.log_level, config.log_format, config.log_repeats, config.zone, log.secrets_of(config))


def run_async(work: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def act(context: typer.Context, work: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
    """Let `work` speak to the gateway of the configured data directory."""
    config = read(context)

    async def connected() -> Any:
        async with client(config) as remote:
            return await work(remote)

    return run_async(connected())


def show(value: Any) -> None:
    """JSON for people and programs."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
