"""Cabinets of segments that are rated 100 W, on 2026-03-10 in Shanghai."""

from __future__ import annotations

from typing import Final

from tests.rules.packs.proof import Proof

PROOFS: Final = {
    "cabinet-door": Proof(
        raises="10:00 door=open; 10:01 door=open; 10:30 door=closed",
        story="raised 10:01:00, cleared 10:30:00",
        never="10:00 door=closed; 11:00 door=closed",
        short="10:00 door=open; 10:00:59 door=closed",
        over="10:00 door=open; 10:01 door=open",
    ),
    "cabinet-leakage": Proof(
        raises="10:00 leakage=600; 10:03 leakage=600; 10:04 leakage=220; 10:05 leakage=200",
        story="raised 10:03:00, cleared 10:05:00",
        never="10:00 leakage=600; 10:02 leakage=50; 10:04 leakage=600",
        short="10:00 leakage=300; 10:03 leakage=300",
        over="10:00 leakage=301; 10:03 leakage=301",
    ),
    "cabinet-phase-loss": Proof(
        raises="10:00-10:01/1m voltage_a=230 voltage_b=4 voltage_c=230; 10:09 voltage_b=229",
        story="raised 10:01:00, cleared 10:09:00",
        never="10:00-10:05/1m voltage_a=0 voltage_b=0 voltage_c=0",
        short="10:00-10:01/1m voltage_a=230 voltage_b=60 voltage_c=230",
        over="10:00-10:01/1m voltage_a=230 voltage_b=59.9 voltage_c=230",
    ),
    "cabinet-supply-loss": Proof(
        raises="10:00-10:01/1m voltage_a=0 voltage_b=2 voltage_c=0; 10:09 voltage_a=230",
        story="raised 10:01:00, cleared 10:09:00",
        never="10:00-10:05/1m voltage_a=0 voltage_b=0 voltage_c=230",
        short="10:00-10:01/1m voltage_a=0 voltage_b=60 voltage_c=0",
        over="10:00-10:01/1m voltage_a=0 voltage_b=59.9 voltage_c=0",
    ),
    "cabinet-overvoltage": Proof(
        raises="""10:00-10:05/1m voltage_a=230 voltage_b=250 voltage_c=230; 10:06 voltage_b=239;
                  10:07 voltage_b=237""",
        story="raised 10:05:00, cleared 10:07:00",
        never="10:00-10:20/1m voltage_a=230 voltage_b=250|230 voltage_c=230",
        short="10:00-10:05/1m voltage_a=230 voltage_b=242 voltage_c=230",
        over="10:00-10:05/1m voltage_a=230 voltage_b=242.1 voltage_c=230",
    ),
    "cabinet-undervoltage": Proof(
        raises="""10:00-10:05/1m voltage_a=230 voltage_b=180 voltage_c=230; 10:06 voltage_b=201;
                  10:07 voltage_b=203""",
        story="raised 10:05:00, cleared 10:07:00",
        never="10:00-10:20/1m voltage_a=230 voltage_b=4 voltage_c=230",
        short="10:00-10:05/1m voltage_a=230 voltage_b=198 voltage_c=230",
        over="10:00-10:05/1m voltage_a=230 voltage_b=197.9 voltage_c=230",
    ),
    "cabinet-contactor-welded": Proof(
        raises="10:00-10:02/1m contactor=off current_a=2 current_b=9 current_c=2; 10:09 current_b=0.5 current_a=0",
        story="raised 10:02:00, cleared 10:09:00",
        never="20:00-20:09/1m contactor=on current_a=2 current_b=9 current_c=2",
        short="10:00-10:02/1m contactor=off current_a=1 current_b=1 current_c=1",
        over="10:00-10:02/1m contactor=off current_a=1 current_b=1 current_c=1.01",
    ),
    "cabinet-not-closing": Proof(
        raises="20:00-20:01/1m contactor=on contactor_feedback=open; 20:09 contactor_feedback=closed",
        story="raised 20:01:00, cleared 20:09:00",
        never="20:00-20:09/1m contactor=off contactor_feedback=open",
        short="20:00 contactor=on contactor_feedback=open; 20:00:59 contactor_feedback=closed",
        over="20:00 contactor=on contactor_feedback=open; 20:01 contactor_feedback=open",
    ),
    "cabinet-not-opening": Proof(
        raises="10:00-10:01/1m contactor=off contactor_feedback=closed; 10:09 contactor_feedback=open",
        story="raised 10:01:00, cleared 10:09:00",
        never="20:00-20:09/1m contactor=on contactor_feedback=closed",
        short="10:00 contactor=off contactor_feedback=closed; 10:00:59 contactor_feedback=open",
        over="10:00 contactor=off contactor_feedback=closed; 10:01 contactor_feedback=closed",
    ),
    "cabinet-cable-cut": Proof(
        raises="20:00-20:10/1m contactor=on contactor_feedback=closed power=10; 20:11 power=32; 20:12 power=33",
        story="raised 20:10:00, cleared 20:12:00",
        never="20:00-20:30/1m contactor=off contactor_feedback=open power=10",
        short="20:00-20:10/1m contactor=on contactor_feedback=closed power=25",
        over="20:00-20:10/1m contactor=on contactor_feedback=closed power=24.9",
    ),
    "cabinet-power-factor": Proof(
        raises="""20:00-20:30/1m contactor=on contactor_feedback=closed power_factor=0.6;
                  20:31 power_factor=0.9""",
        story="raised 20:30:00, cleared 20:31:00",
        never="10:00-11:00/1m contactor=off contactor_feedback=open power_factor=0.5",
        short="20:00-20:30/1m contactor=on contactor_feedback=closed power_factor=0.85",
        over="20:00-20:30/1m contactor=on contactor_feedback=closed power_factor=0.84",
    ),
    "cabinet-hot": Proof(
        raises="10:00-10:10/1m temperature=90; 10:11 temperature=66; 10:12 temperature=64",
        story="raised 10:10:00, cleared 10:12:00",
        never="10:00-10:30/1m temperature=90|60",
        short="10:00-10:10/1m temperature=70",
        over="10:00-10:10/1m temperature=70.1",
    ),
    "cabinet-silent": Proof(
        raises="10:00 power=50; 10:20; 10:30 power=50",
        story="raised 10:15:00, cleared 10:30:00",
        never="10:00-10:30/10m power=50; 10:40",
        short="10:00 power=50; 10:14:59",
        over="10:00 power=50; 10:15",
    ),
    "cabinet-overcurrent": Proof(
        raises="""20:00-20:05/1m current_a=9 current_b=19 current_c=9; 20:06 current_b=11;
                  20:07 current_b=10""",
        story="raised 20:05:00, cleared 20:07:00",
        never="20:00-20:30/1m current_a=9 current_b=19|9 current_c=9",
        short="20:00-20:05/1m current_a=9 current_b=12 current_c=9",
        over="20:00-20:05/1m current_a=9 current_b=12.01 current_c=9",
    ),
    "cabinet-breaker": Proof(
        raises="20:00 event=circuitBreakerTripped; 21:00 event=normal",
        story="raised 20:00:00, cleared 21:00:00",
        never="20:00 event=deviceReset",
        short="20:00 event=localOverride",
        over="20:00 event=circuitBreakerTripped",
    ),
    "cabinet-override": Proof(
        raises="20:00 event=localOverride; 21:00 event=normal",
        story="raised 20:00:00, cleared 21:00:00",
        never="20:00 event=deviceReset",
        short="20:00 event=circuitBreakerTripped",
        over="20:00 event=localOverride",
    ),
    "cabinet-flat-line": Proof(
        raises="10:00-11:30/1m voltage_a=229.7; 11:31-11:40/1m voltage_a=229.9",
        story="raised 11:00:00, cleared 11:32:00",
        never="10:00-12:00/1m voltage_a=229.7|229.8",
        short="10:00-10:20/1m voltage_a=229.7; 10:21-11:10/1m voltage_a=229.8",
        over="10:00-11:10/1m voltage_a=229.7",
    ),
    "cabinet-meter-back": Proof(
        raises="10:00-11:00/1m energy=5000; 11:01-12:10/1m energy=3",
        story="raised 11:04:00, cleared 12:04:00",
        never="10:00-10:40/1m energy=5000; 10:41-11:40/1m energy=5001",
        short="10:00-11:30/1m energy=5000",
        over="10:00-10:50/1m energy=5000; 10:51-11:30/1m energy=4999.99",
    ),
}
