"""Optional packages: whether they are installed, and how to install them."""

import importlib.util


def missing(*modules: str) -> list[str]:
    """The top-level modules among `modules` that are not installed; nothing is imported."""
    return [name for name in modules if importlib.util.find_spec(name) is None]


def require(
    *modules: str, purpose: str, extra: str | None = None, advice: str | None = None
) -> None:
    """Tells before long work that packages are missing, and how to install them.

    Args:
        *modules: Top-level modules, as Python imports them.
        purpose: What needs them, the subject of the message in the singular: `"Training"`.
        extra: The package's extra that brings them, e.g. `"train"` or `"train,tflite"`.
        advice: How to install them, for packages that no extra brings.

    Raises:
        ImportError: If one of them is missing; all that are missing are named.
    """
    lacking = missing(*modules)
    if lacking:
        verb = "is" if len(lacking) == 1 else "are"
        advice = advice or f'Install with: pip install "keras_ghostnet[{extra}]"'
        raise ImportError(
            f"{purpose} needs {' and '.join(lacking)}, which {verb} not installed. {advice}"
        )
