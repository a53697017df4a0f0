"""Reports on a training run: plain data in, one self-contained HTML page or a table out."""

from keras_ghostnet.benchmark.report.content import Artifact, Report, Sample
from keras_ghostnet.benchmark.report.page import render, table

__all__ = ["Artifact", "Report", "Sample", "render", "table"]
