"""What tests of the engine share beside ``tests.scoring.world``."""

import pytest

from .committing import committing, guarded_again

pytest.register_assert_rewrite("tests.scoring.world")

__all__ = ["committing", "guarded_again"]
