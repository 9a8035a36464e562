"""Words of the command line, and nothing but words: each hands over to the module that does the work."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import (
    alarms,
    audit,
    backup,
    devices,
    dispatch,
    history,
    instructions,
    products,
    reload,
    report,
    rules,
    tokens,
    users,
    windows,
)
from gateway.cli.context import DEFAULT, log_as, read, reading, run_async
from gateway.cli.lasting import lasting
from gateway.config import load
from gateway.errors import CitygateError, ConfigError

app = typer.Typer(
    name="citygate", help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
app.add_typer(devices.app, name="devices")
app.add_typer(instructions.app, name="command")
app.add_typer(rules.app, name="rules")
app.add_typer(alarms.app, name="alarms")
app.add_typer(dispatch.responsibility, name="responsibility")
app.add_typer(dispatch.crews, name="crews")
app.add_typer(windows.app, name="windows")
app.command("folded")(windows.folded)
app.add_typer(report.app, name="report")
app.add_typer(history.app, name="history")
app.add_typer(tokens.app, name="token")
app.add_typer(users.app, name="users")
app.add_typer(audit.app, name="audit")
app.command("reload")(reload.reload)
app.command("backup")(backup.take_backup)
app.command("restore")(backup.restore_backup)
app.command("products")(products.list_products)
app.command("decode")(products.decode)

ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", help="configuration file", envvar="CITYGATE_CONFIG")
]


@app.callback()
def configured(context: typer.Context, config: ConfigFile = DEFAULT) -> None:
    """IoT sensing and device-monitoring gateway for city operations."""
    context.obj = config


@app.command("run")
def run_gateway(context: typer.Context) -> None:
    """Run the gateway until SIGINT or SIGTERM."""
    config = read(context)
    log_as(config)
    with lasting():
        from gateway.cli.serve import serve  # noqa: PLC0415 - slow to load

    raise typer.Exit(run_async(serve(config, reading(context))))


@app.command("check")
def check(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="the file; default: the one of --config")] = None,
) -> None:
    """Report every fault of a configuration at once, each with its key and line."""
    path = file or context.obj
    try:
        load(path)
    except ConfigError as error:
        for fault in error.faults:
            typer.echo(fault)
        typer.echo(f"{len(error.faults)} fault{'s' if len(error.faults) != 1 else ''}")
        raise typer.Exit(1) from None
    typer.echo(f"{path}: no faults")


@app.command("demo")
def demo(
    context: typer.Context,
    seconds: Annotated[
        float | None, typer.Option(help="real seconds to run; without it until interrupted")
    ] = None,
    seed: Annotated[int, typer.Option(help="the same seed gives the same city and the same faults")] = 7,
    speed: Annotated[
        float, typer.Option(min=0.1, max=600, help="how much faster than real the city lives")
    ] = 60.0,
    devices: Annotated[int, typer.Option(min=60, help="devices of the simulated city")] = 2_000,
    json: Annotated[Path | None, typer.Option(help="write the verdict there")] = None,
) -> None:
    """A gateway and a simulated city that pushes real MQTT into it, from 17:30 city time, in a fresh directory."""
    from gateway.cli import demo as show  # noqa: PLC0415 - slow to load

    raise typer.Exit(run_async(show.demo(read(context), show.Wish(seconds, seed, speed, devices, json))))


@app.command(
    "simulate",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def simulate(context: typer.Context) -> None:
    """Simulated devices against any address: --devices N --seed S [--faults FILE] --to HOST:PORT …"""
    from simulators.__main__ import main as simulators  # noqa: PLC0415 - slow to load

    raise typer.Exit(simulators(context.args))


@app.command("drill")
def drill(
    file: Annotated[str, typer.Argument(help="a scenario in TOML, or the name of a shipped one")],
    json: Annotated[Path | None, typer.Option(help="write the score there")] = None,
    junit: Annotated[
        Path | None, typer.Option(help="write it there as JUnit XML, a test case a rule")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="another city and other faults than the file's")] = None,
) -> None:
    """Play a scenario in virtual time, and score every rule against what really happened."""
    from gateway.cli.drill import drill as play  # noqa: PLC0415 - slow to load

    play(file, json, junit, seed)


@app.command("bench")
def bench(
    seconds: Annotated[float, typer.Option(help="real seconds of each load")] = 10.0,
    stages: Annotated[
        bool, typer.Option("--stages", help="only the stages, not the loads end to end")
    ] = False,
    json: Annotated[Path | None, typer.Option(help="write the figures there")] = None,
) -> None:
    """Measure this machine: µs a message of each stage, msg/s and latency end to end. Reports, never fails."""
    from gateway.cli.bench import bench as measure  # noqa: PLC0415 - slow to load

    run_async(measure(seconds, stages_only=stages, json=json))


def main() -> None:
    try:
        app()
    except ConfigError as error:
        sys.exit("\n".join(error.faults))
    except CitygateError as error:
        sys.exit(str(error))
