from .comparison.compare import (
    compare,
    export_kit,
    read_measurements,
    report_measurements,
    write_report,
)
from .comparison.results import Measurement
from .digits_quickstart import quickstart
from .latency import Latency, measure_latency
from .networks.catalog import build_network
from .networks.random_weights import settle_batch_norms
from .paper_table import Row, get_row, rows
from .profiling.profile import Profile, profile

__all__ = [
    "Latency",
    "Measurement",
    "Profile",
    "Row",
    "build_network",
    "compare",
    "export_kit",
    "get_row",
    "measure_latency",
    "profile",
    "quickstart",
    "read_measurements",
    "report_measurements",
    "rows",
    "settle_batch_norms",
    "write_report",
]
