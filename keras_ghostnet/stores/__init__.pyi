from .access import explained, filesystem, require_known, require_writable
from .errors import StoreError, explain
from .folders import DamagedError, fetch, local, with_urls
from .mirrors import Mirror, mirrored, writable_file
from .publishing import put_files
from .urls import is_remote, join

__all__ = [
    "DamagedError",
    "Mirror",
    "StoreError",
    "explain",
    "explained",
    "fetch",
    "filesystem",
    "is_remote",
    "join",
    "local",
    "mirrored",
    "put_files",
    "require_known",
    "require_writable",
    "with_urls",
    "writable_file",
]
