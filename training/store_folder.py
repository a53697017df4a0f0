"""The folder of a run in a store: a local one, published at every checkpoint."""

import contextlib
import functools
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

from keras_ghostnet import stores
from keras_ghostnet.training.run_folder import BAD, RunFolder


class StoreFolder(RunFolder):
    """Writes the files of a run, and publishes them to a store.

    Every worker takes what is there into a local folder of its own; the chief publishes.

    Args:
        url: The folder in the store.
        enabled, log: As `RunFolder`.

    Raises:
        StoreError: If the store cannot be read, or the chief cannot write to it.
    """

    def __init__(self, url: str, enabled: bool = True, log: Callable[[str], None] = print):
        if enabled:
            stores.require_writable(url, "--run-dir")
        self.mirror = stores.Mirror(url, log)
        super().__init__(self.mirror.folder, enabled, lambda text: log(self.mirror.shown(text)))
        self.name = self.mirror.url

    def explain(self, error: Exception) -> None:
        self.mirror.explain(error)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from training in the folder: the last that begins takes it over.

        At the end, all that was not published yet is.

        Raises:
            StoreError: If the store refuses it; says where the local files are kept.
        """
        try:
            if self.enabled:
                self.mirror.publisher.claim()
            try:
                yield
            except BaseException as error:
                self._publish_last(error)
                raise
            self._publish_last()
        finally:
            self.mirror.close()

    def _publish_last(self, error=None):
        """Publishes what is left, after an error that ends the run or without one."""
        if not self.enabled:
            return self._put_bad_examples()
        try:
            self.mirror.publish()
        except stores.StoreError as refusal:  # which is what is to be told
            if error is not None and not isinstance(error, stores.StoreError):
                self.log(str(error))
            raise refusal from error

    def publish(self) -> None:
        """Publishes what has changed; a store that does not answer is asked at the next checkpoint.

        Raises:
            StoreError: If the store refuses it, or another process trains in the folder.
        """
        if not self.enabled:
            return
        if self.writer:
            self.writer.flush()
        try:
            self.mirror.publisher.publish()
        except stores.StoreError as error:
            if not error.is_temporary:
                raise
            self.log(f"{error} Training goes on; the next checkpoint is published with this one.")

    def _put_bad_examples(self):
        """What another worker than the chief could not use, under a name of its own."""
        path = self.path / BAD
        if path.exists():
            name = f"{path.stem}-{socket.gethostname()}-{os.getpid()}{path.suffix}"
            url = stores.join(self.mirror.url, name)
            system, key = stores.filesystem(url)
            try:
                with stores.explained(url, "written"):
                    system.put_file(str(path), key)
            except stores.StoreError as error:
                self.log(str(error))


def explained(method: Callable[..., Any]) -> Callable[..., Any]:
    """Lets errors of a method call the object's `folder` as the user does."""

    @functools.wraps(method)
    def wrapped(self, *args, **kwargs):
        try:
            return method(self, *args, **kwargs)
        except Exception as error:
            if hasattr(self, "folder"):
                self.folder.explain(error)
            raise

    return wrapped


def open_run_folder(
    run_dir: str | os.PathLike[str], enabled: bool, log: Callable[[str], None]
) -> RunFolder:
    """The folder of a run, here or in a store; arguments and errors as of its class."""
    if stores.is_remote(run_dir):
        return StoreFolder(str(run_dir), enabled, log)
    return RunFolder(run_dir, enabled, log)
