"""[rules]: which city's rule set the shipped rules follow."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from rules import presets


class RuleSettings(BaseModel):
    """[rules]"""

    model_config = ConfigDict(extra="forbid", frozen=True)

    preset: str = Field(presets.DEFAULT, description="a set of values by a city's standards")

    @field_validator("preset")
    @classmethod
    def _known(cls, name: str) -> str:
        known = presets.load()
        if name not in known:
            raise ValueError(f"no preset {name!r}; there is: {', '.join(known)}")
        return name
