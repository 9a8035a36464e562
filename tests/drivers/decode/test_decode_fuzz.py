"""Any bytes give rows or refusals, never an exception; and the strict path agrees with the exact one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.decode import Decoded, Decoder, Limits
from drivers.products import catalog
from drivers.shape import CHANNELS
from tests.drivers.decode.vectors import told

PRODUCTS = sorted(catalog())
DECODERS = {(name, channel): Decoder(catalog()[name], channel) for name in PRODUCTS for channel in CHANNELS}

words = st.sampled_from(
    [
        "ts",
        "v",
        "q",
        "hist",
        "event",
        "state",
        "pm10",
        "power",
        "switch",
        "tilt",
        "battery",
        "status",
        "payload",
    ]
) | st.text(max_size=4)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(0, 2**45)
    | st.floats()
    | st.sampled_from(["on", "good", "online", "normal", "lampFailure", "1", "2021-01-11T15:51:02Z"])
    | st.text(max_size=4)
)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)
nearly = st.fixed_dictionaries(
    {"v": st.dictionaries(words, scalars, max_size=4)},
    optional={
        "ts": scalars,
        "q": st.dictionaries(words, st.sampled_from(["good", "fault", "x"]), max_size=2) | scalars,
        "hist": scalars,
        "event": scalars,
        "state": scalars,
    },
)


def text(document: Any) -> bytes:
    return json.dumps(document).encode("utf-8", "surrogatepass")


payloads = (
    st.binary(max_size=60) | documents.map(text) | nearly.map(text) | st.lists(nearly, max_size=3).map(text)
)
cut = st.tuples(payloads, st.integers(0, 80)).map(lambda pair: pair[0][: pair[1]])


def accounted(decoded: Decoded, count: int) -> None:
    rows = np.bincount(decoded.frame, minlength=count)
    for position in range(count):
        found = [one for one in decoded.refusals if one.frame == position]
        assert rows[position] or found
        assert all(one.whole is bool(rows[position] == 0) for one in found)
    batch = decoded.batch
    assert len(batch) == len(decoded.frame) == rows.sum()
    assert (np.diff(decoded.frame) >= 0).all()
    assert (np.isnan(batch.values) == ~batch.present()).all()
    assert np.isfinite(batch.values[batch.present()]).all()
    assert batch.present().any(axis=0).all()
    for one in decoded.refusals:
        assert one.detail.encode()


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PRODUCTS), st.sampled_from(CHANNELS), st.lists(payloads | cut, max_size=5))
def test_every_payload_is_accounted_for(product: str, channel: str, some: list[bytes]) -> None:
    decoder = DECODERS[product, channel]
    accounted(decoder.decode(some, list(range(len(some))), [0] * len(some)), len(some))


class Exact(Decoder):
    """A decoder without its strict path."""

    def _read(self, payloads: Any) -> Any:
        from drivers.decode import _Work  # noqa: PLC0415 - a law may look inside

        work = _Work()
        for frame, payload in enumerate(payloads):
            self._explain(frame, payload, work)
        return work


GENERIC = [name for name in PRODUCTS if name.startswith("generic")]
EXACT = {(name, channel): Exact(catalog()[name], channel) for name in GENERIC for channel in CHANNELS}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(GENERIC), st.sampled_from(CHANNELS), st.lists(payloads, max_size=4))
def test_the_strict_path_means_what_the_exact_one_means(
    product: str, channel: str, some: list[bytes]
) -> None:
    devices, received = list(range(len(some))), [0] * len(some)
    fast = DECODERS[product, channel].decode(some, devices, received)
    slow = EXACT[product, channel].decode(some, devices, received)
    assert told(fast) == told(slow)
    assert [(one.frame, one.reason) for one in fast.refusals] == [
        (one.frame, one.reason) for one in slow.refusals
    ]


@settings(max_examples=100, deadline=None)
@given(st.lists(payloads, min_size=1, max_size=6), st.data())
def test_decoding_together_or_apart_is_the_same(some: list[bytes], data: st.DataObject) -> None:
    decoder = DECODERS["generic-dust", "telemetry"]
    at = data.draw(st.integers(0, len(some)))
    together = decoder.decode(some, [0] * len(some), [0] * len(some))
    apart = [decoder.decode(part, [0] * len(part), [0] * len(part)) for part in (some[:at], some[at:])]
    assert told(together) == [row for part in apart for row in told(part)]
    assert [one.detail for one in together.refusals] == [
        one.detail for part in apart for one in part.refusals
    ]


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=40), st.integers(0, 40), st.sampled_from([b"[", b'{"v":', b'{"', b'"\\', b"9", b"-"])
)
def test_hostile_repetition_is_refused_in_a_moment(head: bytes, depth: int, unit: bytes) -> None:
    decoder = Decoder(catalog()["generic-dust"], "telemetry", Limits(size=20_000, depth=depth))
    payload = head + unit * 3_000
    accounted(decoder.decode([payload], [0], [0]), 1)
