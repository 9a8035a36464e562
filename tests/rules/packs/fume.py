"""Kitchens that report each minute while they cook."""

from __future__ import annotations

from typing import Final

from tests.rules.packs.proof import Proof

PROOFS: Final = {
    "fume-high": Proof(
        raises="12:00-12:20/1m fume=4; 12:21-12:40/1m fume=0.5",
        story="raised 12:07:20, cleared 12:27:20",
        never="12:00-12:40/1m fume=1|2.9",
        short="12:00-12:20/1m fume=2",
        over="12:00-12:20/1m fume=2.01",
    ),
    "fume-particulate-high": Proof(
        raises="12:00-12:20/1m particulate=14; 12:21-12:40/1m particulate=1",
        story="raised 12:07:20, cleared 12:28:40",
        never="12:00-12:40/1m particulate=1|8.9",
        short="12:00-12:20/1m particulate=5",
        over="12:00-12:20/1m particulate=5.01",
    ),
    "fume-nmhc-high": Proof(
        raises="12:00-12:20/1m nmhc=22; 12:21-12:40/1m nmhc=1",
        story="raised 12:07:20, cleared 12:27:20",
        never="12:00-12:40/1m nmhc=1|18.9",
        short="12:00-12:20/1m nmhc=10",
        over="12:00-12:20/1m nmhc=10.01",
    ),
    "fume-purifier-off": Proof(
        raises="12:00 fan=on purifier=off; 12:05 purifier=off; 12:10 purifier=on",
        story="raised 12:05:00, cleared 12:10:00",
        never="12:00 fan=off purifier=off; 12:30 purifier=off",
        short="12:00 fan=on purifier=off; 12:04:59 purifier=on",
        over="12:00 fan=on purifier=off; 12:05 purifier=off",
    ),
    "fume-purifier-weak": Proof(
        raises="12:00 purifier=on purifier_current=0.06; 12:05 purifier_current=0.06; 12:10 purifier_current=2",
        story="raised 12:05:00, cleared 12:10:00",
        never="12:00 purifier=off purifier_current=0; 12:30 purifier_current=0",
        short="12:00 purifier=on purifier_current=0.3; 12:05 purifier_current=0.3",
        over="12:00 purifier=on purifier_current=0.29; 12:05 purifier_current=0.29",
    ),
    "fume-fan-failure": Proof(
        raises="12:00 fan=on fan_current=0.05; 12:05 fan_current=0.05; 12:10 fan_current=6",
        story="raised 12:05:00, cleared 12:10:00",
        never="12:00 fan=off fan_current=0; 12:30 fan_current=0",
        short="12:00 fan=on fan_current=0.3; 12:05 fan_current=0.3",
        over="12:00 fan=on fan_current=0.29; 12:05 fan_current=0.29",
    ),
    "fume-hot": Proof(
        raises="12:00 temperature=210; 12:05 temperature=210; 12:10 temperature=106; 12:15 temperature=104",
        story="raised 12:05:00, cleared 12:15:00",
        never="12:00 temperature=210; 12:04 temperature=60; 12:08 temperature=110",
        short="12:00 temperature=120; 12:05 temperature=120",
        over="12:00 temperature=120.1; 12:05 temperature=120.1",
    ),
    "fume-sensor-fault": Proof(
        raises="12:00 event=sensorFault; 12:30 event=fumeTooHigh fume=1; 13:00 event=normal; 13:01 fume=1",
        story="raised 12:00:00, cleared 13:00:00",
        never="12:00 event=deviceReset",
        short="12:00 event=fumeTooHigh",
        over="12:00 event=sensorFault",
    ),
    "fume-silent": Proof(
        raises="12:00 fume=0.1; 12:20; 12:30 fume=0.1",
        story="raised 12:15:00, cleared 12:30:00",
        never="12:00-12:30/10m fume=0.1; 12:40",
        short="12:00 fume=0.1; 12:14:59",
        over="12:00 fume=0.1; 12:15",
    ),
    "fume-site-limit": Proof(
        raises="12:00-12:20/1m fume=1.8; 12:21-12:40/1m fume=0.3",
        story="raised 12:07:20, cleared 12:27:20",
        never="12:00-12:40/1m fume=0.2|1.4",
        short="12:00-12:20/1m fume=1",
        over="12:00-12:20/1m fume=1.01",
        attributes={"fume_limit": 1.0},
    ),
    "fume-cleaning-event": Proof(
        raises="12:00 event=cleaningDue; 13:00 event=fumeTooHigh fume=1; 20:00 event=normal; 20:01 fume=1",
        story="raised 12:00:00, cleared 20:00:00",
        never="12:00 event=deviceReset",
        short="12:00 event=purifierFailure",
        over="12:00 event=cleaningDue",
    ),
    "fume-cleaning-due": Proof(
        raises="""0:00-640:00/1h purifier_current=2; 641:00-700:00/1h purifier_current=1;
                  701:00-720:00/1h purifier_current=2""",
        story="raised 689:36:00, cleared 702:24:00",
        never="0:00-640:00/1h purifier_current=2; 641:00-720:00/1h purifier_current=0",
        short="0:00-640:00/1h purifier_current=2; 641:00-720:00/1h purifier_current=1.5",
        over="0:00-640:00/1h purifier_current=2; 641:00-720:00/1h purifier_current=1.49",
    ),
    "fume-flat-line": Proof(
        raises="12:00-14:30/1m fan=on fume=0.31; 14:31-14:50/1m fan=on fume=0.32",
        story="raised 14:00:00, cleared 14:32:00",
        never="12:00-15:00/1m fan=off fume=0.31; 16:00-18:30/1m fan=on fume=0",
        short="12:00-14:15/1m fan=on fume=0.05",
        over="12:00-14:15/1m fan=on fume=0.06",
    ),
    "fume-jump": Proof(
        raises="12:00-12:10/1m fume=0.5; 12:11 fume=19; 12:12-12:30/1m fume=0.5",
        story="raised 12:11:20, cleared 12:16:20",
        never="12:00-12:10/1m fume=0.5; 12:11-12:30/1m fume=9",
        short="12:00-12:10/1m fume=0.5; 12:11-12:30/1m fume=15.5",
        over="12:00-12:10/1m fume=0.5; 12:11-12:30/1m fume=15.51",
    ),
    "fume-high-event": Proof(
        raises="10:00 event=fumeTooHigh; 10:05 event=cleaningDue fume=1; 10:10 event=normal; 10:20 fume=1",
        story="raised 10:00:00, cleared 10:10:00",
        never="10:00 event=deviceReset; 10:05 fume=1; 10:10 event=normal",
        short="10:00 event=cleaningDue",
        over="10:00 event=fumeTooHigh",
    ),
    "fume-particulate-event": Proof(
        raises="10:00 event=particulateTooHigh; 10:05 event=fumeTooHigh particulate=1; 10:10 event=normal; 10:20 particulate=1",
        story="raised 10:00:00, cleared 10:10:00",
        never="10:00 event=deviceReset; 10:05 particulate=1; 10:10 event=normal",
        short="10:00 event=fumeTooHigh",
        over="10:00 event=particulateTooHigh",
    ),
    "fume-nmhc-event": Proof(
        raises="10:00 event=nmhcTooHigh; 10:05 event=fumeTooHigh nmhc=1; 10:10 event=normal; 10:20 nmhc=1",
        story="raised 10:00:00, cleared 10:10:00",
        never="10:00 event=deviceReset; 10:05 nmhc=1; 10:10 event=normal",
        short="10:00 event=fumeTooHigh",
        over="10:00 event=nmhcTooHigh",
    ),
    "fume-purifier-off-event": Proof(
        raises="10:00 event=purifierNotRunning; 10:05 event=fumeTooHigh fume=1; 10:10 fan=on purifier=off; 10:15 purifier=on; 10:20 fume=1",
        story="raised 10:00:00, cleared 10:15:00",
        never="10:00 event=deviceReset; 10:05 fume=1; 10:10 event=normal",
        short="10:00 event=fumeTooHigh",
        over="10:00 event=purifierNotRunning",
    ),
    "fume-purifier-event": Proof(
        raises="10:00 event=purifierFailure; 10:05 event=fumeTooHigh purifier=on; 10:10 event=normal; 10:20 purifier=on",
        story="raised 10:00:00, cleared 10:10:00",
        never="10:00 event=deviceReset; 10:05 purifier=on; 10:10 event=normal",
        short="10:00 event=fumeTooHigh",
        over="10:00 event=purifierFailure",
    ),
    "fume-fan-event": Proof(
        raises="10:00 event=fanFailure; 10:05 event=fumeTooHigh fan=on; 10:10 event=normal; 10:20 fan=on",
        story="raised 10:00:00, cleared 10:10:00",
        never="10:00 event=deviceReset; 10:05 fan=on; 10:10 event=normal",
        short="10:00 event=fumeTooHigh",
        over="10:00 event=fanFailure",
    ),
    "fume-hot-event": Proof(
        raises="10:00 event=highTemperature; 10:05 event=fumeTooHigh fume=1; 10:10 temperature=80; 10:15 temperature=79.9; 10:20 fume=1",
        story="raised 10:00:00, cleared 10:15:00",
        never="10:00 event=deviceReset; 10:05 fume=1; 10:10 event=normal",
        short="10:00 event=fumeTooHigh",
        over="10:00 event=highTemperature",
    ),
}
