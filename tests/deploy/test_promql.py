from __future__ import annotations

from tests.deploy.promql import labels, metrics

QUANTILE = (
    'histogram_quantile(0.99, sum by (le, stage) (rate(citygate_stage_seconds_bucket{instance=~"$i"}[5m])))'
)
RATIO = 'sum(rate(citygate_a_total{reason!="up"}[5m])) > 0.05 * sum by (family) (citygate_b{x="citygate_c"})'


def test_names_are_found_and_strings_are_none() -> None:
    assert metrics(QUANTILE) == {"citygate_stage_seconds_bucket"}
    assert metrics(RATIO) == {"citygate_a_total", "citygate_b"}
    assert metrics('up{job="citygate"} == 0') == {"up"}


def test_labels_are_matched_grouped_by_and_shown() -> None:
    assert labels(QUANTILE) == {"citygate_stage_seconds_bucket": {"le", "stage"}}
    assert labels(RATIO) == {"citygate_a_total": {"reason", "family"}, "citygate_b": {"x", "family"}}
    assert labels("citygate_link_up", "{{ $labels.link }} of {{instance}}") == {"citygate_link_up": {"link"}}
