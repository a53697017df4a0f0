"""The small network and its run, as the exports' tests have them."""

from tests.export.conftest import images, run_dir, small

__all__ = ["images", "run_dir", "small"]
