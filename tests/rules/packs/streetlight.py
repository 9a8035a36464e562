"""Streetlights of 100 W, on 2026-03-10 in Shanghai: the sun rises at 06:10 and sets at 18:00."""

from __future__ import annotations

from typing import Final

from tests.rules.packs.proof import Proof

PROOFS: Final = {
    "lamp-dark": Proof(
        raises="20:00 switch=on power=10; 20:10 power=10; 20:20 power=31",
        story="raised 20:10:00, cleared 20:20:00",
        never="20:00 switch=on power=50; 20:15 power=50; 21:00 switch=off power=1; 21:15 power=1",
        short="20:00 switch=on power=15; 20:15 power=15",
        over="20:00 switch=on power=14.9; 20:15 power=14.9",
    ),
    "lamp-failure-flag": Proof(
        raises="20:00 lamp_failure=yes; 20:01 lamp_failure=yes; 20:30 lamp_failure=no",
        story="raised 20:01:00, cleared 20:30:00",
        never="20:00 lamp_failure=no switch=on power=1; 21:00 lamp_failure=no",
        short="20:00 lamp_failure=yes; 20:00:59 lamp_failure=no",
        over="20:00 lamp_failure=yes; 20:01 lamp_failure=yes",
    ),
    "lamp-failure-event": Proof(
        raises="20:00 event=lampFailure; 21:00 event=normal",
        story="raised 20:00:00, cleared 21:00:00",
        never="20:00 event=deviceReset; 21:00 event=normal",
        short="20:00 event=controlGearFailure",
        over="20:00 event=lampFailure",
    ),
    "lamp-gear-failure": Proof(
        raises="20:00 gear_failure=yes; 20:01 gear_failure=yes; 20:30 gear_failure=no",
        story="raised 20:01:00, cleared 20:30:00",
        never="20:00 gear_failure=no; 21:00 gear_failure=no",
        short="20:00 gear_failure=yes; 20:00:59 gear_failure=no",
        over="20:00 gear_failure=yes; 20:01 gear_failure=yes",
    ),
    "lamp-day-burning": Proof(
        raises="10:00 power=90; 10:10 power=90; 19:00 power=90; 34:00 power=1",
        story="raised 10:10:00, cleared 34:00:00",
        never="20:00 power=90; 20:30 power=90; 34:00 power=1",
        short="10:00 power=5; 10:10 power=5",
        over="10:00 power=5.1; 10:10 power=5.1",
    ),
    "lamp-overvoltage": Proof(
        raises="10:00 voltage=250; 10:05 voltage=250; 10:10 voltage=239; 10:15 voltage=237",
        story="raised 10:05:00, cleared 10:15:00",
        never="10:00 voltage=250; 10:04 voltage=230; 10:08 voltage=250",
        short="10:00 voltage=242; 10:05 voltage=242",
        over="10:00 voltage=242.1; 10:05 voltage=242.1",
    ),
    "lamp-undervoltage": Proof(
        raises="10:00 voltage=190; 10:05 voltage=190; 10:10 voltage=201; 10:15 voltage=203",
        story="raised 10:05:00, cleared 10:15:00",
        never="10:00 voltage=190; 10:04 voltage=220; 10:08 voltage=190",
        short="10:00 voltage=198; 10:05 voltage=198",
        over="10:00 voltage=197.9; 10:05 voltage=197.9",
    ),
    "lamp-power-factor": Proof(
        raises="20:00 switch=on power=90 power_factor=0.6; 20:30 power_factor=0.6; 21:00 power_factor=0.9",
        story="raised 20:30:00, cleared 21:00:00",
        never="20:00 switch=on power=40 power_factor=0.6; 20:30 power_factor=0.6",
        short="20:00 switch=on power=90 power_factor=0.8; 20:30 power_factor=0.8",
        over="20:00 switch=on power=90 power_factor=0.79; 20:30 power_factor=0.79",
    ),
    "lamp-leakage": Proof(
        raises="10:00 leakage=60; 10:01 leakage=60; 10:02 leakage=22; 10:03 leakage=20",
        story="raised 10:01:00, cleared 10:03:00",
        never="10:00 leakage=5; 10:10 leakage=29",
        short="10:00 leakage=30; 10:01 leakage=30",
        over="10:00 leakage=30.1; 10:01 leakage=30.1",
    ),
    "lamp-pole-leaning": Proof(
        raises="10:00 tilt=24; 10:05 tilt=24; 10:10 tilt=7; 10:15 tilt=5",
        story="raised 10:05:00, cleared 10:15:00",
        never="10:00 tilt=24; 10:04 tilt=1; 10:08 tilt=24",
        short="10:00 tilt=10; 10:05 tilt=10",
        over="10:00 tilt=10.1; 10:05 tilt=10.1",
    ),
    "lamp-damaged": Proof(
        raises="10:00 event=lanternBroken; 12:00 event=normal",
        story="raised 10:00:00, cleared 12:00:00",
        never="10:00 event=deviceReset",
        short="10:00 event=orientationChanged",
        over="10:00 event=columnDamaged",
    ),
    "lamp-silent": Proof(
        raises="10:00 power=1; 10:40; 10:50 power=1",
        story="raised 10:30:00, cleared 10:50:00",
        never="10:00-11:00/20m power=1; 11:20",
        short="10:00 power=1; 10:29:59",
        over="10:00 power=1; 10:30",
    ),
    "lamp-cycling": Proof(
        raises="20:00-21:00/5m switch=on|off; 21:05-23:00/5m switch=on",
        story="raised 20:52:00, cleared 21:24:00",
        never="17:00-17:55/5m switch=off; 18:00-22:00/5m switch=on",
        short="20:00-20:40/5m switch=on|off; 20:45-22:00/5m switch=on",
        over="20:00-20:50/5m switch=on|off; 20:55-22:00/5m switch=on",
    ),
    "lamp-dimming": Proof(
        raises="25:00 switch=on dimming=50 power=98; 25:15 power=98; 25:20 power=55",
        story="raised 25:15:00, cleared 25:20:00",
        never="20:00 switch=on dimming=100 power=98; 20:15 power=98; 25:00 dimming=50 power=53; 25:15 power=53",
        short="25:00 switch=on dimming=50 power=75; 25:15 power=75",
        over="25:00 switch=on dimming=50 power=75.1; 25:15 power=75.1",
    ),
    "lamp-power-high": Proof(
        raises="20:00 switch=on power=140; 20:30 power=140; 20:35 power=121; 20:40 power=119",
        story="raised 20:30:00, cleared 20:40:00",
        never="20:00 switch=on power=140; 20:20 power=104; 20:40 power=124",
        short="20:00 switch=on power=125; 20:30 power=125",
        over="20:00 switch=on power=125.1; 20:30 power=125.1",
    ),
    "lamp-power-low": Proof(
        raises="20:00 switch=on dimming=100 power=50; 20:30 power=50; 20:35 power=79; 20:40 power=80",
        story="raised 20:30:00, cleared 20:40:00",
        never="25:00 switch=on dimming=50 power=50; 25:40 power=50; 26:00 dimming=100 power=10; 26:40 power=10",
        short="20:00 switch=on power=75; 20:30 power=75",
        over="20:00 switch=on power=74.9; 20:30 power=74.9",
    ),
    "lamp-overcurrent": Proof(
        raises="20:00 current=19; 20:05 current=19; 20:10 current=14; 20:15 current=13",
        story="raised 20:05:00, cleared 20:15:00",
        never="20:00 current=19; 20:04 current=9; 20:08 current=12",
        short="20:00 current=15; 20:05 current=15",
        over="20:00 current=15.001; 20:05 current=15.001",
    ),
    "lamp-hot": Proof(
        raises="20:00 temperature=95; 20:10 temperature=95; 20:20 temperature=81; 20:30 temperature=79",
        story="raised 20:10:00, cleared 20:30:00",
        never="20:00 temperature=95; 20:05 temperature=60; 20:10 temperature=84",
        short="20:00 temperature=85; 20:10 temperature=85",
        over="20:00 temperature=85.1; 20:10 temperature=85.1",
    ),
    "lamp-flat-line": Proof(
        raises="10:00-17:00/5m voltage=229.7; 17:05-17:40/5m voltage=229.9",
        story="raised 16:00:00, cleared 17:12:00",
        never="10:00-17:00/5m voltage=229.7|229.8",
        short="10:00-12:00/5m voltage=229.7; 12:05-16:30/5m voltage=229.8",
        over="10:00-16:30/5m voltage=229.7",
    ),
}
