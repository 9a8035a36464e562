"""A [[product]] table of the configuration: read whole, or refused with every fault and its key."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from drivers.decode import Decoder
from drivers.json_map import offset, path
from drivers.products.product import DeclarationError, Product
from drivers.refusal import Reason
from drivers.telemetry import SECOND

SOUND = """
id = "acme-cover-2"
maker = "Acme"
model = "Cover 2"
family = "manhole"
source = "maker's manual 1.3, page 12"
interval = 3600
lateness = 30

[telemetry]
device = "dev.id"
time = { path = "dev.at", unit = "iso8601", utc_offset = "+08:00" }

[telemetry.points]
tilt = "data[0].x"
battery = { path = "data[1].bat", scale = 0.1, offset = -5, absent = [-1] }
cover = { path = "lid", words = { "0" = "closed", "1" = "open" } }
temperature = { path = "t", text = true, quality = "tq" }

[telemetry.event]
path = "alarm"
words = { none = "", lid = "coverOpened" }

[telemetry.quality]
words = { N = "good", D = "fault" }
"""


def declared(text: str = SOUND, **changes: Any) -> Product:
    return Product.from_table(tomllib.loads(text) | changes)


def faults(text: str) -> list[str]:
    with pytest.raises(DeclarationError) as caught:
        declared(text)
    return caught.value.faults


def test_a_declared_product_decodes_its_maker_s_own_json() -> None:
    product = declared()
    assert (product.interval, product.lateness) == (3600 * SECOND, 30 * SECOND)
    payload = (
        b'{"dev": {"id": 7, "at": "2024-06-01 08:00:00"}, "data": [{"x": 12.5}, {"bat": 900}], "lid": 1,'
        b' "t": "21.5", "tq": "D", "alarm": "lid", "rest": [1, 2]}'
    )
    decoded = Decoder(product, "telemetry").decode([payload], [3], [0])
    batch, index = decoded.batch, decoded.batch.family.index
    assert decoded.refusals == []
    assert batch.time.tolist() == [1717200000 * SECOND]
    read = {name: batch.values[index[name], 0] for name in ("tilt", "battery", "cover", "temperature")}
    assert read == {"tilt": 12.5, "battery": 85.0, "cover": 1.0, "temperature": 21.5}
    assert batch.family.alarms[int(batch.values[index["event"], 0])].name == "coverOpened"
    assert batch.quality[index["temperature"], 0] == 4


def test_a_sentinel_and_a_word_for_nothing_are_no_values() -> None:
    payload = b'{"data": [{"x": 1}, {"bat": -1}], "alarm": "none", "lid": null}'
    decoded = Decoder(declared(), "telemetry").decode([payload], [0], [0])
    assert decoded.refusals == []
    assert decoded.batch.present().sum() == 1


def test_a_quality_that_is_not_declared_takes_its_point_along() -> None:
    decoded = Decoder(declared(), "telemetry").decode([b'{"t": "21.5", "tq": "good", "lid": 0}'], [0], [0])
    assert [(one.reason, one.whole) for one in decoded.refusals] == [(Reason.UNKNOWN_QUALITY, False)]
    assert decoded.batch.present().sum() == 1


def test_every_fault_is_reported_with_its_key() -> None:
    broken = """
        id = "Acme Cover"
        maker = 7
        family = "manhole"
        interval = -1
        colour = "red"
        [telemetry]
        time = { path = "a..b", unit = "hours", utc_offset = "8" }
        sauce = 1
        [telemetry.points]
        tilt = { path = "x[", scale = 0 }
        angle = "y"
        cover = { words = { "1" = "ajar" } }
        ch4 = { path = "c", scale = "2", absent = 3, extra = true }
        h2s = { path = "h", quality = "hq" }
        [telemetry.event]
        words = { a = "coverStolen" }
    """
    found = faults(broken)
    for key in (
        "id is 'Acme Cover'",
        "maker is 7",
        "model is missing",
        "interval is -1",
        "colour is unknown",
        "telemetry.time.path no path: 'a..b'",
        "telemetry.time.unit is 'hours'",
        "telemetry.time.utc_offset no UTC offset: '8'",
        "telemetry.sauce is unknown",
        "telemetry.points.tilt.path no path: 'x['",
        "telemetry.points.tilt.scale is 0",
        "telemetry.points.angle is no point of the family",
        "telemetry.points.cover.path is missing",
        "telemetry.points.cover.words.1 means 'ajar'",
        "telemetry.points.ch4.scale is '2'",
        "telemetry.points.ch4.absent is 3",
        "telemetry.points.ch4.extra is unknown",
        "telemetry.event.path is missing",
        "telemetry.event.words.a means 'coverStolen'",
        "telemetry.quality is missing",
    ):
        assert any(line.startswith(key) for line in found), (key, found)
    assert len(found) == 20


@pytest.mark.parametrize("family", ["", "bridge"])
def test_an_unknown_family_is_named(family: str) -> None:
    assert any("family is" in line for line in faults(SOUND.replace('"manhole"', f'"{family}"')))


def test_a_mapping_without_points_is_refused() -> None:
    found = faults('id = "a"\nmaker = "b"\nmodel = "c"\nfamily = "dust"\ntelemetry = {}')
    assert any(line.startswith("telemetry.points is missing") for line in found)


def test_paths_have_steps_indices_and_quoted_keys() -> None:
    assert path('a.b[0][12]."c.d".e') == ("a", "b", 0, 12, "c.d", "e")
    for wrong in ("", ".a", "a.", "a[b]", "a[0]b", "a[1000]", '"a', ".".join("a" * 16)):
        with pytest.raises(ValueError, match="no path"):
            path(wrong)


def test_utc_offsets_are_signed_and_within_the_day() -> None:
    assert offset("-03:30").total_seconds() == -12_600
    for wrong in ("8", "+8:00", "+15:00", "+08:60"):
        with pytest.raises(ValueError, match="UTC offset"):
            offset(wrong)
