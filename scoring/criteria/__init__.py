"""What badges are given for, one file each. A new criterion is a file here and its line in this list."""

from .actions import ActionsDone
from .base import Criterion, Judged
from .combination import Combination
from .quantity import QuantityReached
from .score import ScoreReached
from .source_points import SourcePoints
from .streak import PeriodsInARow
from .venues import VenuesVisited

CRITERIA: dict[str, type[Criterion]] = {
    criterion.name: criterion
    for criterion in (
        ActionsDone,
        QuantityReached,
        VenuesVisited,
        PeriodsInARow,
        Combination,
        SourcePoints,
        ScoreReached,
    )
}

__all__ = [
    "CRITERIA",
    "ActionsDone",
    "Combination",
    "Criterion",
    "Judged",
    "PeriodsInARow",
    "QuantityReached",
    "ScoreReached",
    "SourcePoints",
    "VenuesVisited",
]
