"""What is known of a link's broker, and what its operator must be told: where the broker's own limits lose data.

A broker drops what its session queue cannot hold after it has acknowledged it to the device: nothing here can repair that.
"""

from __future__ import annotations

import logging
from typing import Final

from drivers.mqtt.packets import V5, Connack, Suback
from gateway.ingest.link_settings import LinkSettings

log = logging.getLogger(__name__)

SYSTEM: Final = "$SYS/"
VERSION: Final = "$SYS/broker/version"  # mosquitto's; retained
DROPPED: Final = "$SYS/broker/publish/messages/dropped"  # mosquitto's, over all its clients since it started
WATCHED: Final = (VERSION, DROPPED)
FAILURE: Final = 0x80

MOSQUITTO: Final = (
    "set in its mosquitto.conf: max_queued_messages 0 (beyond 1000 by default it drops what we miss, silently, after"
    " its acknowledgement), persistence true, autosave_interval 60 (else a crash of it loses up to 30 minutes)"
)
MOSQUITTO_311: Final = ", and max_inflight_messages 0 (before MQTT 5 it lets 20 be under way, which is slow)"
OTHERS: Final = (
    "see that its queue for one session holds an outage's messages, since most brokers drop beyond 1000, silently,"
    " after their acknowledgement: EMQX mqtt.max_mqueue_len, HiveMQ queued-messages max-queue-size,"
    " VerneMQ max_offline_messages and max_online_messages, mosquitto max_queued_messages"
)


class Broker:
    """One link's knowledge. notes: the newest of each kind, as logged. dropped: messages since the link was first up."""

    def __init__(self, settings: LinkSettings) -> None:
        self.notes: dict[str, str] = {}
        self.dropped = 0
        self._settings = settings
        self._version = ""
        self._total: int | None = None

    def welcomed(self, answer: Connack, *, version: int) -> None:
        """What CONNACK grants."""
        asked, granted = self._settings.session_expiry, answer.properties.session_expiry
        if granted is not None and granted < asked:
            self._note(
                logging.WARNING,
                "session_expiry",
                f"the broker keeps our session for {granted} s, not {asked}: a longer outage loses data;"
                " raise its longest session expiry",
            )
        if self._settings.publish and answer.properties.retain_available is False:
            self._note(
                logging.WARNING,
                "retain",
                "the broker keeps no retained messages: a platform that connects later sees only what changes then",
            )
        if version != V5 and self._settings.version == V5:
            self._note(logging.INFO, "version", "the broker has no MQTT 5; speaking 3.1.1")

    def subscribed(self, filters: tuple[str, ...], answer: Suback) -> list[str]:
        """What SUBACK grants; the filters that were refused."""
        refused = []
        for pattern, code in zip(filters, answer.codes, strict=False):
            if code >= FAILURE:
                refused.append(pattern)
                self._note(
                    logging.ERROR,
                    f"filter {pattern}",
                    f"the broker refuses the subscription to {pattern} (0x{code:02x}); allow it to"
                    f" {self._settings.username or self._settings.client}",
                )
            elif code < self._settings.qos:
                self._note(
                    logging.WARNING,
                    f"filter {pattern}",
                    f"the broker grants QoS {code} for {pattern}, not {self._settings.qos}:"
                    " messages are lost in every outage",
                )
        return refused

    def session_lost(self) -> None:
        self.notes.pop("session", None)  # said each time
        self._note(
            logging.WARNING,
            "session",
            "the broker had lost our session: what was published while we were away is gone; it must keep sessions"
            " over its restarts (mosquitto: persistence true) and for as long as outages last",
        )

    def session_new(self) -> None:
        self._note(logging.INFO, "session", "a new session at the broker: delivery begins now")

    def advise(self) -> None:
        """Once up and listened to for a while: the start-up note."""
        if "limits" in self.notes:
            return
        if self._version.startswith("mosquitto"):
            text = f"{self._version}: {MOSQUITTO}"
            if self._settings.version != V5 or "version" in self.notes:
                text += MOSQUITTO_311
        else:
            text = f"unknown broker: {OTHERS}"
        self._note(logging.INFO, "limits", text)

    def heard(self, topic: str, payload: bytes) -> None:
        """A message under $SYS."""
        text = payload[:200].decode("utf-8", "replace")
        if topic == VERSION:
            self._version = text
            self.advise()
        elif topic == DROPPED and text.isdecimal():
            self._count(int(text))

    def _count(self, total: int) -> None:
        """What it dropped before we knew it counts where it still runs; a smaller total is a restarted broker's."""
        before = self._total if self._total is not None and self._total <= total else 0
        first, self._total = self._total is None, total
        if total == before:
            return
        if not first:
            self.dropped += total - before
        self._note(
            logging.WARNING,
            "dropped",
            f"the broker has dropped {total} messages of its clients since it started, {total - before} of them"
            f" {'before this link was up' if first else 'just now'}: {MOSQUITTO}",
        )

    def _note(self, level: int, kind: str, text: str) -> None:
        """Log what is new."""
        if self.notes.get(kind) != text:
            self.notes[kind] = text
            log.log(level, "link %s: %s", self._settings.name, text)
