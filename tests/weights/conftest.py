"""Fixtures for the tests of damaged and malicious files."""

import time

import pytest

SECONDS = 10  # of processor time, which other programs do not lengthen; a bomb takes minutes


@pytest.fixture
def in_time():
    """Fails a test that took long."""
    start = time.process_time()
    yield
    assert time.process_time() - start < SECONDS


@pytest.fixture
def path(tmp_path):
    """Where the checkpoint is to be written; the name says nothing about its format."""
    return tmp_path / "checkpoint"


@pytest.fixture
def sentinel(tmp_path):
    """A file that malicious pickles would create; it must not be there at the end."""
    yield tmp_path / "sentinel"
    assert not (tmp_path / "sentinel").exists()
