"""Rules for devices of every family: each is proved with each."""

from __future__ import annotations

from typing import Final

from tests.rules.packs.proof import Proof

PROOFS: Final = {
    "device-lost": Proof(
        raises="10:00 rssi=-70; 179:00; 180:00 rssi=-70",
        story="raised 178:00:00, cleared 180:00:00",
        never="10:00-310:00/100h rssi=-70; 400:00",
        short="10:00 rssi=-70; 177:59:59",
        over="10:00 rssi=-70; 178:00",
    ),
    "device-cloned": Proof(
        raises="10:00 event=identityCloned; 11:00 event=normal",
        story="raised 10:00:00, cleared 11:00:00",
        never="10:00 rssi=-70; 11:00 rssi=-70",
        short="10:00 event=normal",
        over="10:00 event=identityCloned",
    ),
}
