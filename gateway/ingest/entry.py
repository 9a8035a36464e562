"""CONNECT of one who is there: whether they may come in, by what they prove and by how much they are here already."""

from __future__ import annotations

from drivers.mqtt.codes import ReasonCode
from drivers.mqtt.packets import Connect
from gateway.ingest.certificates import Proof
from gateway.ingest.handshake import Agreement, agree
from gateway.ingest.hub import Hub
from gateway.ingest.session import Session


def judge(hub: Hub, packet: Connect, proof: Proof | None) -> Agreement | ReasonCode:
    """What is agreed, or why this client is refused. proof: of its certificate, where it brought one."""
    if proof is not None and hub.certificates is not None and hub.certificates.revoked(proof):
        hub.counters.revoked += 1
        return ReasonCode.NOT_AUTHORIZED
    if packet.will is not None and hub.topic_fault(packet.will.topic):
        hub.counters.topics_too_long += 1
        return ReasonCode.TOPIC_NAME_INVALID
    return agree(packet, hub.settings, hub.directory, proof.name if proof else None)


def too_much(hub: Hub, agreed: Agreement, rival: Session | None) -> ReasonCode | None:
    """Why someone who is who they say may not come in now. rival: the session that they would take over."""
    principal = agreed.principal
    if rival is not None and rival.link is not None:
        if not hub.sessions.takes_over(rival):
            hub.counters.clones += 1
            hub.listener.cloned(principal)
            return ReasonCode.CONNECTION_RATE_EXCEEDED
    elif hub.crowded(principal):
        hub.counters.too_many_clients += 1
        return ReasonCode.QUOTA_EXCEEDED
    if hub.hurried(principal):
        hub.counters.too_many_logins += 1
        return ReasonCode.CONNECTION_RATE_EXCEEDED
    return None
