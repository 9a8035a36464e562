"""The families of devices, named one by one: importing a module registers nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from drivers.families import cabinet, dust, fume, manhole, parking, streetlight

if TYPE_CHECKING:
    from drivers.telemetry import Family

FAMILIES: Final[dict[str, Family]] = {
    module.FAMILY.name: module.FAMILY for module in (streetlight, cabinet, manhole, dust, fume, parking)
}
