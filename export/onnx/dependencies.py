"""The libraries this format needs, told from those that are missing."""

import importlib.util

INSTALL = 'Install it with: pip install "keras_ghostnet[onnx]"'


def require(*names):
    """Raises an `ImportError` that says how to install what is missing of `names`."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(f"ONNX files need {', '.join(missing)}, which is missing. {INSTALL}")
