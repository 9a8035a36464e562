"""What the gateway counts about itself. Counters move once a tick, never once a message."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LINK_COUNTS = {
    "received": "Messages that came over a broker link",
    "acked": "Messages acknowledged to a link's broker after commit",
    "repeated": "Messages that a link's broker sent again",
    "retained": "Stored copies of old messages that came over a broker link, not used",
    "unsettled": "Messages of a broker link that wait for their commit",
    "reconnects": "Times a broker link came back",
    "failures": "Attempts to connect a broker link that failed",
    "sessions_lost": "Times a link's broker had lost the session, and what was published meanwhile",
    "dropped": "Messages that a link's broker says it dropped, for any of its clients, since the link was up",
    "downlinks_sent": "Commands published over a broker link",
    "downlinks_acked": "Commands that a link's broker acknowledged",
    "downlinks_unheard": "Commands that a link's broker acknowledged and nobody had subscribed to",
    "downlinks_refused": "Commands that a link's broker refused",
}
TICK_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.2, 0.5, 1.0, 5.0)


class Metrics:
    """All metrics of one gateway, in a registry of their own so that tests do not share them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"citygate_{name}", text, labels, registry=self.registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"citygate_{name}", text, labels, registry=self.registry)

        def histogram(name: str, text: str) -> Histogram:
            return Histogram(f"citygate_{name}", text, buckets=TICK_BUCKETS, registry=self.registry)

        self.frames = counter("frames_total", "Payloads taken from transports")
        self.readings = counter("readings_total", "Readings committed to history", "family")
        self.duplicates = counter("duplicates_total", "Readings that history held already", "family")
        self.late = counter(
            "late_total", "Readings behind their device's watermark: stored, not judged", "family"
        )
        self.clock = counter(
            "clock_total", "Readings stored under their receive time: wrong device clock", "family"
        )
        self.refused = counter("refused_total", "Payloads, readings or points refused", "reason")
        self.transitions = counter("transitions_total", "Conditions raised or cleared", "family", "edge")
        self.acked = counter("acked_total", "Frames settled to their devices after commit")
        self.commit_failures = counter(
            "commit_failures_total", "History commits that failed and were tried again"
        )
        self.watermark_restarts = counter("watermark_restarts_total", "Device clocks that stepped back")
        self.tick = histogram("tick_seconds", "One tick: decode to acks")
        self.commit = histogram("history_commit_seconds", "The durable commit of one tick")
        self.evaluate = histogram("evaluate_seconds", "Rules over one tick")
        self.record = histogram("record_seconds", "The SQL transaction of one tick")
        self.pending = gauge("pending_frames", "Frames that wait for a tick")
        self.paused = gauge(
            "paused", "1 while sockets are not read because the bound of pending frames is reached"
        )
        self.connections = gauge("mqtt_connections", "Open MQTT connections")
        self.sessions = gauge("mqtt_sessions", "MQTT sessions, those of absent clients among them")
        self.last_tick = gauge("last_tick", "Number of the newest committed tick")
        self._link_up = gauge("link_up", "1 while a broker link is connected and subscribed", "link")
        self._link_counts = {name: gauge(f"link_{name}", text, "link") for name, text in LINK_COUNTS.items()}

    def link(self, name: str, *, up: bool, counts: Mapping[str, int]) -> None:
        """What a broker link counts, by the names of LINK_COUNTS."""
        self._link_up.labels(name).set(up)
        for count, value in counts.items():
            self._link_counts[count].labels(name).set(value)
