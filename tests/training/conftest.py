"""Training within the tests' own process."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def graphs(plain_graphs):
    """Of a few steps each."""
