"""What badges are given for, one file each. A new criterion is a file here and its line in this list."""

from .actions import ActionsDone
from .base import Criterion
from .source_points import SourcePoints
from .venues import VenuesVisited

CRITERIA: dict[str, type[Criterion]] = {
    criterion.name: criterion for criterion in (ActionsDone, VenuesVisited, SourcePoints)
}

__all__ = ["CRITERIA", "ActionsDone", "Criterion", "SourcePoints", "VenuesVisited"]
