"""The rule types, one file each. A new type is a file here and its line in this list.

One that reads what another type gave must be known to ``scoring.compiler._bearing`` too, as bonuses are.
"""

from .base import Field, RuleStage
from .bonus import Bonus
from .combo import Combo
from .earn import Earn
from .streak import Streak

RULE_TYPES: dict[str, type[RuleStage]] = {
    rule_type.type: rule_type for rule_type in (Earn, Bonus, Combo, Streak)
}

__all__ = ["RULE_TYPES", "Bonus", "Combo", "Earn", "Field", "RuleStage", "Streak"]
