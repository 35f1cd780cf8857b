"""What tests of the site share beside ``tests.people``."""

from tests.scoring.committing import committing, guarded_again

__all__ = ["committing", "guarded_again"]
