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
        raises="10:00 event=identityCloned; 10:30 event=deviceReset; 10:40 event=normal; 11:00 event=identityRestored",
        story="raised 10:00:00, cleared 11:00:00",
        never="10:00 rssi=-70; 11:00 rssi=-70; 11:10 event=identityRestored",
        short="10:00 event=normal",
        over="10:00 event=identityCloned",
    ),
    "device-clock-wrong": Proof(
        raises="10:00 clock_offset=4800 rssi=-70; 10:11 rssi=-70; 10:30 clock_offset=0.4 rssi=-70",
        story="raised 10:10:00, cleared 10:30:00",
        never="10:00 rssi=-70; 11:00 rssi=-70; 11:01 clock_offset=-900 rssi=-70; 11:02 clock_offset=1 rssi=-70; 12:00",
        short="10:00 clock_offset=-60 rssi=-70; 10:30 rssi=-70",
        over="10:00 clock_offset=-60.1 rssi=-70; 10:30 rssi=-70",
    ),
    "device-unreachable-event": Proof(
        raises="10:00 event=communicationFailure; 10:05 event=deviceReset rssi=-70; 10:10 event=normal; 10:20 rssi=-70",
        story="raised 10:00:00, cleared 10:10:00",
        never="10:00 event=deviceReset; 10:05 rssi=-70; 10:10 event=normal",
        short="10:00 event=deviceReset",
        over="10:00 event=communicationFailure",
    ),
    "device-lost-event": Proof(
        raises="10:00 event=deviceLost; 10:05 event=deviceReset rssi=-70; 10:10 event=normal; 10:20 rssi=-70",
        story="raised 10:00:00, cleared 10:10:00",
        never="10:00 event=deviceReset; 10:05 rssi=-70; 10:10 event=normal",
        short="10:00 event=deviceReset",
        over="10:00 event=deviceLost",
    ),
    "device-flat-line-event": Proof(
        raises="10:00 event=flatLine; 10:05 event=deviceReset rssi=-70; 10:10 event=normal; 10:20 rssi=-70",
        story="raised 10:00:00, cleared 10:10:00",
        never="10:00 event=deviceReset; 10:05 rssi=-70; 10:10 event=normal",
        short="10:00 event=deviceReset",
        over="10:00 event=flatLine",
    ),
    "device-jump-event": Proof(
        raises="10:00 event=implausibleJump; 10:05 event=deviceReset rssi=-70; 10:10 event=normal; 10:20 rssi=-70",
        story="raised 10:00:00, cleared 10:10:00",
        never="10:00 event=deviceReset; 10:05 rssi=-70; 10:10 event=normal",
        short="10:00 event=deviceReset",
        over="10:00 event=implausibleJump",
    ),
    "device-clock-event": Proof(
        raises="10:00 event=clockWrong; 10:05 event=deviceReset rssi=-70; 10:10 event=normal; 10:20 rssi=-70",
        story="raised 10:00:00, cleared 10:10:00",
        never="10:00 event=deviceReset; 10:05 rssi=-70; 10:10 event=normal",
        short="10:00 event=deviceReset",
        over="10:00 event=clockWrong",
    ),
}
