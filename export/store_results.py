"""Artifacts that are written to a store: made in a local folder, published, named by their URLs."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable
from typing import Any

from keras_ghostnet import files, stores
from keras_ghostnet.export.artifacts import ArtifactError, ArtifactResult


def publishes(function: Callable[..., list[ArtifactResult]]) -> Callable[..., list[ArtifactResult]]:
    """Lets a function whose second argument is a folder for artifacts take one of a store, too.

    What succeeded is published, also if other formats failed.
    """

    @functools.wraps(function)
    def wrapped(model: Any, directory: Any, *args: Any, **options: Any) -> list[ArtifactResult]:
        if not stores.is_remote(directory):
            return function(model, directory, *args, **options)
        with stores.mirrored(directory) as folder:
            try:
                return named(function(model, folder, *args, **options), folder, directory)
            except ArtifactError as error:
                error.results = named(error.results, folder, directory)
                raise

    return wrapped


def named(results: list[ArtifactResult], folder: pathlib.Path, url: str) -> list[ArtifactResult]:
    """The results with the URLs of a store's folder for the paths of its local copy."""
    found = []
    for result in results:
        if result.path is not None:
            place = stores.join(url, *pathlib.Path(result.path).relative_to(folder).parts)
            size = files.size(result.path) if os.path.exists(result.path) else None
            result = dataclasses.replace(result, path=place, bytes=size)
        if result.error is not None:
            result = dataclasses.replace(result, error=result.error.replace(str(folder), url))
        found.append(result)
    return found
