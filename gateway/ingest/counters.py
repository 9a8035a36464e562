"""What the device endpoint counts: each limit and each way to be refused has a number of its own (law 4)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Since the start; read by metrics."""

    accepted: int = 0  # connections
    turned_away: int = 0  # connections closed at once: all there may be were taken
    address_crowded: int = 0  # the same: all that one address may have were taken
    address_hasty: int = (
        0  # connections closed after a while, unread: too many of their address came to nothing
    )
    pending_evicted: int = 0  # connections without an accepted CONNECT that had to make room
    refused: int = 0  # CONNECT
    packets: int = 0
    violations: int = 0
    keepalives: int = 0  # expired
    timeouts: int = 0  # no CONNECT in time
    slow_packets: int = 0  # clients dropped over a packet that never ended
    slowed: int = 0  # times that a client was not read for a while, because it sent too much
    too_fast: int = 0  # clients disconnected because they sent far too much
    too_many_clients: int = 0  # CONNECT refused: the device or source has as many connections as it may
    too_many_logins: int = 0  # CONNECT refused: it has come too often in a minute
    late_refusals: int = 0  # wrong passwords that were answered late
    topics_too_long: int = 0  # subscriptions and wills refused for the topic's length or levels
    tls_failures: int = 0  # handshakes that came to nothing
    revoked: int = 0  # certificates refused because they are revoked
    takeovers: int = 0
    clones: int = 0
    not_reading: int = 0  # clients dropped because they left their acknowledgements unread
    wills: int = 0
    commands_sent: int = 0
    commands_acked: int = 0
    commands_expired: int = 0
    commands_too_large: int = 0
    commands_full: int = 0  # not taken: too many wait already
