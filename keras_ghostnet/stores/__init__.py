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

__all__ = [
    "StoreError",
    "explain",
    "explained",
    "filesystem",
    "is_remote",
    "join",
    "require_writable",
]
