"""The folders of machines in the cache that they share."""

import os
import time

import pytest

from keras_ghostnet.stores import folders


@pytest.mark.parametrize("days", [29, 31])
def test_machines_that_do_not_return(tmp_path, monkeypatch, days):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    own = folders.temporary()
    other = own.parent.with_name("pod-7")
    file = other / ".partial-0-1-run" / "checkpoints" / "state"
    file.parent.mkdir(parents=True)
    file.touch()
    before = time.time() - days * 86400
    os.utime(file, (before, before))
    for path in (other, own.parent, *other.rglob("*/")):
        os.utime(path, (before - 86400,) * 2)
    folders.temporary()
    assert own.exists()
    assert other.exists() is file.exists() is (days < folders.KEPT_DAYS)
