"""Stores by their URLs: which paths are in one, its file system, what its errors mean.

Credentials, endpoints and regions are those of the stores' own libraries (AWS_ACCESS_KEY_ID,
AWS_ENDPOINT_URL, GOOGLE_APPLICATION_CREDENTIALS, FSSPEC_S3 ...); there are no options of ours.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from typing import Any

from keras_ghostnet import extras
from keras_ghostnet.stores.errors import MISSING, NO_BUCKET, StoreError, codes, explain
from keras_ghostnet.stores.urls import URL, join

# What brings the file system of a scheme, where it is no part of fsspec.
PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "hdfs": "pyarrow"}
BUCKETS = ("s3", "s3a", "gs", "gcs")  # whose first part has to be there
BARE = {"400", "403"}  # answers to HEAD, which have no body
ATTEMPTS = 5  # of a request, with growing pauses: half a minute at most
CONNECT_SECONDS, READ_SECONDS = 10, 30  # without an answer, without a byte
CONNECTIONS = 256  # at once, as training reads many small objects; the libraries' own limit is 10
PROBE = b"Written by keras_ghostnet to see whether it can write here.\n"


def filesystem(url: str) -> tuple[Any, str]:
    """The file system of a store, which asks again where that helps, and a path in it.

    Nothing is asked yet. It caches no listings.

    Args:
        url: A URL of the store.

    Returns:
        fsspec's file system (a shared instance) and the path of `url` as its methods take it.

    Raises:
        ImportError: If its library is not installed.
        ValueError: If the URL names no store that fsspec knows, or no bucket.
    """
    scheme = require_known(url)
    if scheme in PACKAGES:
        extras.require(PACKAGES[scheme], purpose=f"{scheme}://", extra="stores")
    import fsspec

    try:
        system, key = fsspec.core.url_to_fs(url, **_options(scheme, fsspec.config.conf))
    except ImportError as error:  # of a scheme that no extra of ours brings
        raise ImportError(f"{scheme}:// needs another package: {error}.") from error
    except ValueError:
        raise
    except Exception as error:  # hdfs connects at once
        raise explain(error, url) from error
    if hasattr(system, "retries"):
        system.retries = 3  # of connections; each asks ATTEMPTS times
    return system, key


def require_known(url: str) -> str:
    """Checks a URL, without asking its store or needing the store's own library.

    Returns:
        Its scheme, in lower case.

    Raises:
        ImportError: If fsspec is not installed.
        ValueError: As `filesystem`.
    """
    match = URL.match(url)
    scheme, place = (match[1].lower(), match[2]) if match else ("", "")
    if not place.strip("/") or (scheme in BUCKETS and place.startswith("/")):
        raise ValueError(
            f"{url!r} names no place in a store. Expected for example s3://BUCKET/KEY."
        )
    extras.require("fsspec", purpose=f"{scheme}://", extra="stores")
    import fsspec

    if scheme not in fsspec.available_protocols():
        raise ValueError(
            f"{url}: {scheme}:// is no store that fsspec knows. Known for example: s3, gs, hdfs, "
            "abfs."
        )
    return scheme


def _options(scheme, configured):
    """The settings of a library that differ from its own; the user's in FSSPEC_* hold."""
    options: dict[str, Any] = {"use_listings_cache": False}
    if scheme in ("s3", "s3a"):
        settings: dict[str, Any] = {
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "max_pool_connections": CONNECTIONS,
        }
        if not os.environ.keys() & {"AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"}:
            settings["retries"] = {"mode": "standard", "total_max_attempts": ATTEMPTS}
        options["config_kwargs"] = settings
    return {**options, **configured.get(scheme, {})}


@contextlib.contextmanager
def explained(url: str, doing: str = "read") -> Iterator[None]:
    """Turns what a store's library raises in the body into what `explain` says.

    Raises:
        FileNotFoundError: If the object is not there, though its bucket is.
        StoreError: If the store refuses or does not answer.
    """
    try:
        yield
    except (StoreError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except Exception as error:
        raise explain(_detailed(error, url), url, doing) from error


class NoSuchBucket(Exception):
    """What the stores' libraries do not tell from an object that is not there."""


def _detailed(error, url):
    """An error that says more, where an answer had no body, or may come of a missing bucket."""
    found = codes(error)
    scheme = url.partition("://")[0].lower()
    if scheme not in BUCKETS or found & NO_BUCKET:
        return error
    system, key = filesystem(url)
    try:
        if found & MISSING:
            system.info(key.strip("/").partition("/")[0])
        elif found & BARE:
            system.cat_file(key, start=0, end=1)
    except Exception as more:
        if found & MISSING:
            return NoSuchBucket() if codes(more) & MISSING else error
        return error if codes(more) & MISSING else more
    return error


def require_writable(url: str, option: str = "--out") -> None:
    """Tries a place before long work: writes a small object below it and removes it.

    Args:
        url: The folder.
        option: What names another on the command line.

    Raises:
        StoreError: If it cannot be written to or removed from, or is full.
        ImportError: As `filesystem`.
        ValueError: As `filesystem`.
    """
    probe = join(url, f".probe-{uuid.uuid4().hex}")
    system, key = filesystem(probe)
    try:
        with explained(url, "written to"):
            system.pipe_file(key, PROBE)
        with explained(url, "removed from"):
            system.rm_file(key)
    except StoreError as error:
        raise StoreError(f"{error} {option} names another place.") from error
