"""Object stores: paths such as `s3://BUCKET/KEY`, through fsspec and its libraries."""

from keras_ghostnet.stores.access import (
    StoreError,
    explained,
    filesystem,
    is_remote,
    join,
    require_writable,
)
from keras_ghostnet.stores.errors import explain
from keras_ghostnet.stores.folders import DamagedError, fetch
from keras_ghostnet.stores.mirrors import Mirror, mirrored, writable_file

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
    "mirrored",
    "require_writable",
    "writable_file",
]
