"""The configuration file read again while the gateway runs: one with any fault changes nothing."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

from gateway.api.auth import Admin
from gateway.api.resource import resource
from gateway.api.services import With
from gateway.errors import ConfigError, Invalid

router: Final = resource("/config", "config")


class ReloadView(BaseModel):
    """Keys: applied, and those that need a restart. failed: one line for each part that kept its old settings, and why."""

    model_config = ConfigDict(from_attributes=True)

    applied: list[str]
    restart: list[str]
    failed: list[str]


@router.post("/reload")
async def reload(services: With, _: Admin) -> ReloadView:
    """Read the file again and apply what can be; 422 with every fault of it, and nothing has changed."""
    try:
        return ReloadView.model_validate(await services.reload())
    except ConfigError as error:
        faults = [
            {"at": fault.partition(": ")[0], "problem": fault.partition(": ")[2]} for fault in error.faults
        ]
        raise Invalid("the file has faults; the configuration stays as it was", errors=faults) from error
