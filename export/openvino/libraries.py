"""OpenVINO and NNCF, which report nothing to their makers here.

Both send usage data to Google Analytics as soon as they are imported, unless the user has declined
that before. Without the package that sends them, which they need not have, they do not.
"""

import contextlib
import importlib
import sys

from keras_ghostnet import extras

TELEMETRY = "openvino_telemetry"


def load(name):
    """The module `openvino` or `nncf`.

    Raises:
        ImportError: If it is missing.
    """
    extras.require(name, purpose="An OpenVINO file", extra="openvino")
    with _without_telemetry():
        return importlib.import_module(name)


@contextlib.contextmanager
def _without_telemetry():
    if TELEMETRY in sys.modules:  # whoever imported it wants it
        yield
        return
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # so that an import fails
    try:
        yield
    finally:
        del sys.modules[TELEMETRY]
