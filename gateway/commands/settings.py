"""The commands' part of the configuration: every limit of law 7 is here, and none is anywhere else."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from drivers.families import FAMILIES
from drivers.telemetry import DAY, HOUR, MINUTE, SECOND
from gateway.cases.span import Span

KNOWN: Final = frozenset(command.name for family in FAMILIES.values() for command in family.commands)


class CommandSettings(BaseModel):
    """`[commands]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True  # false: the kill switch is pulled, and only this file can release it
    lifetime: Span = Field(default=5 * MINUTE, ge=SECOND)  # of a command, where its sender says nothing
    longest_lifetime: Span = Field(default=7 * DAY, ge=SECOND)
    staged: Span = Field(default=2 * HOUR, ge=SECOND)  # within which all stages must be done
    rate: Span = Field(default=MINUTE, ge=0)  # between two commands to one device
    second_person_from: int = Field(default=51, ge=1)  # devices
    area_share: float = Field(default=0.05, ge=0, le=1)  # of an area's devices; beyond: a second person
    area_levels: int = Field(default=2, ge=1)  # how many names of a path make an area
    area_spared: int = Field(default=1, ge=0)  # so many devices of an area are no share of it
    dark_below: float = Field(default=10, ge=0, le=100)  # %, a lamp below it counts as off
    adding_up: Span = Field(default=10 * MINUTE, ge=0)  # one person's commands of this time count together
    approval: Span = Field(default=15 * MINUTE, ge=SECOND)  # within which the second person must agree
    stages: tuple[int, ...] = (1, 10, 100)  # devices of each; the last stage is the rest
    failures: float = Field(default=0.05, gt=0, le=1)  # share of a stage at which the rest is stopped
    effect: Span = Field(default=MINUTE, ge=SECOND)  # after the device's next report is due
    open_commands: int = Field(default=100, ge=1)  # of one device
    largest_order: int = Field(default=10_000, ge=1)  # devices of one instruction
    allow: dict[str, tuple[str, ...]] = Field(default_factory=dict)  # by product, in place of its own list
    linkage: tuple[str, ...] = ("spray",)  # what rules may command

    @field_validator("stages")
    @classmethod
    def _grow(cls, stages: tuple[int, ...]) -> tuple[int, ...]:
        if any(size < 1 for size in stages):
            raise ValueError("a stage has at least one device")
        return stages

    @field_validator("linkage")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if strangers := set(names) - KNOWN:
            raise ValueError(
                f"no family knows {', '.join(sorted(strangers))}; one of {', '.join(sorted(KNOWN))}"
            )
        return names

    @field_validator("allow")
    @classmethod
    def _known_of_products(cls, allow: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for names in allow.values():
            cls._known(names)
        return allow
