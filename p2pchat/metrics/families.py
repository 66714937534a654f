"""Figures in the terms of Prometheus: from plain numbers to metric families."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from p2pchat.counts import Histogram

__all__ = ["Metric", "Source", "counter", "counters", "gauge", "gauges", "histogram"]


Labels = TypeVar("Labels", bound=tuple[str, ...])


class Source(Protocol):
    """Whoever has figures to show."""

    async def metrics(self) -> Iterable[Metric]:
        """Return them as they are now; bounded in time and number."""


def gauge(name: str, documentation: str, value: float) -> Metric:
    """Make one value that goes up and down."""
    return GaugeMetricFamily(name, documentation, value=value)


def gauges(name: str, documentation: str, label: str, values: Mapping[str, float]) -> Metric:
    """Make such a value for each of a label's values."""
    family = GaugeMetricFamily(name, documentation, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def counter(name: str, documentation: str, value: float) -> Metric:
    """Make one value that only grows; `_total` is added to its name."""
    return CounterMetricFamily(name, documentation, value=value)


def counters(
    name: str,
    documentation: str,
    labels: Sequence[str],
    values: Mapping[Labels, float],
) -> Metric:
    """Make such a value for each combination of the labels' values."""
    family = CounterMetricFamily(name, documentation, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    return family


def histogram(name: str, documentation: str, counted: Histogram) -> Metric:
    """Make what was counted in seconds a histogram; `_seconds` ought to end its name."""
    buckets = [(_bound(bound), float(count)) for bound, count in counted.cumulative()]
    return HistogramMetricFamily(name, documentation, buckets=buckets, sum_value=counted.total)


def _bound(bound: float) -> str:
    return "+Inf" if bound == float("inf") else str(bound)
