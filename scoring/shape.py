"""The score's shape: how points fade and become sub-scores (docs/scoring.md, “From points to the score”), as SQL.

Fading is double precision; the score is rounded half up from the exact decimal that a double of 15 digits says.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from psycopg import sql

from .documents import SourceShape
from .models import Source


def stored_shape(sources: Mapping[str, Any]) -> dict[Source, SourceShape]:
    """The shape as a stored rule set holds it, which was checked when it was written."""
    return {
        source: SourceShape(
            weight=sources[source.slug]["weight"],
            half_life_days=None
            if sources[source.slug]["half_life_days"] is None
            else Decimal(str(sources[source.slug]["half_life_days"])),
            halfway_points=Decimal(str(sources[source.slug]["halfway_points"])),
        )
        for source in Source
    }


def shape_values(sources: Mapping[Source, SourceShape]) -> sql.Composable:
    """``(VALUES ...) AS shape (source, weight, half_life, halfway)``."""
    return sql.SQL("(VALUES {}) AS shape (source, weight, half_life, halfway)").format(
        sql.SQL(", ").join(
            sql.SQL("({}, {}::float8, {}::float8, {}::float8)").format(
                sql.Literal(source.value),
                sql.Literal(shape.weight),
                sql.Literal(shape.half_life_days),
                sql.Literal(shape.halfway_points),
            )
            for source, shape in sources.items()
        )
    )


# Points fade by half in each half-life; awards of later days than ``on`` count in full. 2^-1000 is as good as
# nothing, and a smaller power would be refused as an underflow.
FADED = sql.SQL(
    "{points} * CASE WHEN shape.half_life IS NULL THEN 1"
    " ELSE power(2, greatest(-1000, -greatest(0, {on} - {date}) / shape.half_life)) END"
)
SUB_SCORE = sql.SQL(
    "CASE WHEN {faded} <= 0 THEN 0 ELSE 100 * (1 - power(2, greatest(-1000, -{faded} / shape.halfway))) END"
)
