"""The metrics: their names, their help, and the text for Prometheus made of a reading of the daemon. Pure.

`METRICS` is the only list of them: etc/docs/metrics.md, the alerts and the dashboard are checked against it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from launchd.ops.tally import Histogram

Kind = Literal["counter", "gauge", "histogram"]
Labels = tuple[str, ...]
Value = float | Histogram
# By name: each metric's values by its labels' values, in the order of the table below.
Reading = Mapping[str, Mapping[Labels, Value]]


class Described(NamedTuple):
    """A metric: a counter's name ends in `_total`. Units are in the names."""

    name: str
    kind: Kind
    labels: Labels
    help: str


METRICS = (
    Described("launchd_info", "gauge", ("version", "daemon"), "Always 1; says which daemon this is."),
    Described("launchd_ready", "gauge", (), "1 while the daemon takes work, 0 while it starts or stops."),
    Described("launchd_start_timestamp_seconds", "gauge", (), "When the daemon started."),
    Described("launchd_jobs_ended_total", "counter", ("task", "queue", "state"), "Jobs that ended, by final state."),
    Described(
        "launchd_attempts_returned_total",
        "counter",
        ("task", "queue"),
        "Attempts whose job went back into its queue: retried, snoozed, interrupted.",
    ),
    Described("launchd_job_run_seconds", "histogram", ("task", "queue"), "How long attempts ran."),
    Described("launchd_job_wait_seconds", "histogram", ("queue",), "How long due jobs waited before they ran."),
    Described("launchd_queue_waiting_jobs", "gauge", ("queue",), "Jobs that are due and wait."),
    Described("launchd_queue_running_jobs", "gauge", ("queue",), "Jobs that run: slots in use."),
    Described("launchd_queue_slots", "gauge", ("queue",), "Jobs that may run at once."),
    Described("launchd_queue_oldest_wait_seconds", "gauge", ("queue",), "How long the oldest due job has waited."),
    Described("launchd_queue_lock_waiting_jobs", "gauge", ("queue",), "Jobs that hold back for a taken lock."),
    Described("launchd_queue_paused", "gauge", ("queue",), "1 while the queue is paused."),
    Described(
        "launchd_schedule_fires_total",
        "counter",
        ("schedule", "outcome"),
        "Occurrences by what became of them: fired, missed, coalesced, overlap_skipped, paused.",
    ),
    Described("launchd_schedule_late_seconds", "histogram", ("schedule",), "How late fires made their job."),
    Described("launchd_schedule_next_timestamp_seconds", "gauge", ("schedule",), "When the schedule is due next."),
    Described("launchd_schedule_paused", "gauge", ("schedule",), "1 while the schedule is paused."),
    Described("launchd_lock_held_seconds", "gauge", ("lock",), "For how long a lock has been held."),
    Described("launchd_lock_waiting_jobs", "gauge", ("lock",), "Due jobs that need a lock which is held."),
    Described("launchd_loop_lag_seconds", "histogram", (), "How late the control loop runs its timers."),
    Described("launchd_loop_blocked_seconds", "gauge", ("loop",), "For how long a loop has been blocked; 0 if not."),
    Described("launchd_database_commits_total", "counter", ("database",), "Transactions of the writer."),
    Described("launchd_database_failing", "gauge", ("database",), "1 while the last write was refused."),
    Described("launchd_source_fetches_total", "counter", ("source", "outcome"), "Pulls of a source, by outcome."),
    Described("launchd_source_requests_total", "counter", ("source",), "HTTP requests; survives restarts."),
    Described("launchd_source_received_bytes_total", "counter", ("source",), "Bytes read; survives restarts."),
    Described("launchd_source_success_timestamp_seconds", "gauge", ("source",), "When a source last answered well."),
    Described("launchd_source_age_seconds", "gauge", ("source",), "How old what is known from a source is."),
    Described("launchd_source_failing", "gauge", ("source",), "1 while the last pull of a source failed."),
    Described("launchd_source_records", "gauge", ("source",), "Records in the last good answer of a source."),
    Described("launchd_unknown_names", "gauge", ("source", "subject"), "Words that the registry of names lacks."),
    Described("launchd_log_lines_dropped_total", "counter", (), "Lines of the log that found no room."),
)
# The metrics of prometheus-client about any process; listed because alerts and dashboards may use them.
PROCESS = (
    Described("process_resident_memory_bytes", "gauge", (), "Resident memory."),
    Described("process_virtual_memory_bytes", "gauge", (), "Virtual memory."),
    Described("process_cpu_seconds_total", "counter", (), "Processor time used."),
    Described("process_open_fds", "gauge", (), "Open file descriptors."),
    Described("process_max_fds", "gauge", (), "How many there may be."),
    Described("process_start_time_seconds", "gauge", (), "When the process started, where /proc/stat may be read."),
)


class _Read(Collector):
    """A reading in the form that prometheus-client reads."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def collect(self) -> Iterator[Metric]:
        for described in METRICS:
            yield _family(described, self._reading.get(described.name, {}))


def exposition(reading: Reading, accept: str) -> tuple[bytes, str]:
    """The text of a reading and its content type, by the scraper's Accept header.

    Raises KeyError for a metric that is not in the table, since it would be left out.
    """
    unknown = reading.keys() - {described.name for described in METRICS}
    if unknown:
        raise KeyError(*sorted(unknown))
    registry = CollectorRegistry()
    registry.register(_Read(reading))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    encoder: Callable[[CollectorRegistry], bytes] = encode
    return encoder(registry), content_type


def _family(described: Described, values: Mapping[Labels, Value]) -> Metric:
    """One metric with all of its values."""
    labels: Sequence[str] = described.labels
    if described.kind == "counter":
        return _filled(CounterMetricFamily(described.name, described.help, labels=labels), values)
    if described.kind == "gauge":
        return _filled(GaugeMetricFamily(described.name, described.help, labels=labels), values)
    family = HistogramMetricFamily(described.name, described.help, labels=labels)
    for label_values, value in values.items():
        if isinstance(value, Histogram):
            family.add_metric(label_values, value.buckets(), value.total)
    return family


def _filled(
    family: CounterMetricFamily | GaugeMetricFamily, values: Mapping[Labels, Value]
) -> CounterMetricFamily | GaugeMetricFamily:
    for label_values, value in values.items():
        if not isinstance(value, Histogram):
            family.add_metric(label_values, float(value))
    return family


def names_of(described: Iterable[Described]) -> set[str]:
    """Every name that a query may use: a histogram has three."""
    found: set[str] = set()
    for one in described:
        suffixes = ("_bucket", "_sum", "_count") if one.kind == "histogram" else ("",)
        found |= {one.name + suffix for suffix in suffixes}
    return found
