"""Which paths are in a store."""

import re

URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)
NOT_STORES = ("hf", "file", "local")


def is_remote(path: object) -> bool:
    """Whether a path is in a store: a URL, but neither a local file's nor the hub's."""
    match = URL.match(path) if isinstance(path, str) else None
    return match is not None and match[1].lower() not in NOT_STORES


def join(url: str, *names: str) -> str:
    """The URL of what lies below another."""
    return "/".join((url.rstrip("/"), *names))
