"""What tests of the engine share beside ``tests.scoring.world``."""

from .committing import committing, guarded_again

__all__ = ["committing", "guarded_again"]
