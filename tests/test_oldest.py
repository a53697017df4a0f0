"""The constraints with which continuous integration installs the oldest dependencies."""

import pytest

from tests import oldest


def test_constraints_are_the_lower_bounds_of_pyproject():
    assert oldest.CONSTRAINTS.read_text() == oldest.constraints(), oldest.HEADER


def test_requirement_without_a_lower_bound_is_refused(monkeypatch):
    monkeypatch.setattr(oldest, "requirements", lambda: ["numpy"])
    with pytest.raises(ValueError, match=r"expected `name>=version`, found 'numpy'"):
        oldest.constraints()
