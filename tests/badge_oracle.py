"""Badges by the words of docs/scoring.md, slowly and literally, for tests only. Shares no line with the product."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, datetime
from fractions import Fraction
from math import floor

from tests.oracle import (
    Action,
    Award,
    Json,
    award,
    fade,
    matches,
    period_of,
    previous_period,
)

# How far somebody was, at each moment at which that may have changed, in order.
Course = list[tuple[datetime, int]]


def earned(badge: Json, actions: list[Action], rules: Json) -> tuple[int, dict[int, datetime]]:
    """One customer's progress, and when each level was earned. ``actions`` all count and are in order."""
    course = COURSES[badge["criterion"]](badge["parameters"], actions, rules)
    moments = {}
    for level, target in enumerate(badge["levels"], start=1):
        reached = [at for at, value in course if value >= target]
        if reached:
            moments[level] = reached[0]
    return max((value for _at, value in course), default=0), moments


def of_actions(parameters: Json, actions: list[Action], rules: Json) -> Course:
    """How many matching actions."""
    matching = [action for action in actions if matches(action, parameters)]
    return [(action.occurred_at, n) for n, action in enumerate(matching, start=1)]


def of_quantity(parameters: Json, actions: list[Action], rules: Json) -> Course:
    """The sum of the quantities of matching actions."""
    total = Fraction(0)
    course = []
    for action in actions:
        if matches(action, parameters) and action.quantity is not None:
            total += action.quantity
            course.append((action.occurred_at, floor(total)))
    return course


def of_venues(parameters: Json, actions: list[Action], rules: Json) -> Course:
    """At how many different venues."""
    seen = set()
    course = []
    for action in actions:
        if matches(action, parameters) and action.venue is not None:
            seen.add(action.venue)
            course.append((action.occurred_at, len(seen)))
    return course


def of_streak(parameters: Json, actions: list[Action], rules: Json) -> Course:
    """The longest run of consecutive periods of which each holds ``count`` matching actions."""
    per, needed = parameters["per"], parameters.get("count", 1)
    found: Counter[date] = Counter()
    course = []
    for action in actions:
        if not matches(action, parameters):
            continue
        found[period_of(per, action.local_date)] += 1
        longest = 0
        for last in list(found):
            run, period = 0, last
            while found[period] >= needed:
                run, period = run + 1, previous_period(per, period)
            longest = max(longest, run)
        course.append((action.occurred_at, longest))
    return course


def of_combination(parameters: Json, actions: list[Action], rules: Json) -> Course:
    """In how many periods all requirements were met; with ``ever``, how many times over."""
    per, requires = parameters["per"], parameters["requires"]
    found: dict[date, list[int]] = defaultdict(lambda: [0] * len(requires))
    course = []
    for action in actions:
        counts = found[period_of(per, action.local_date)]
        for place, requirement in enumerate(requires):
            counts[place] += matches(action, requirement)
        times = [
            min(
                n // requirement.get("count", 1)
                for n, requirement in zip(counts, requires, strict=True)
            )
            for counts in found.values()
        ]
        course.append(
            (action.occurred_at, sum(times) if per == "ever" else sum(n > 0 for n in times))
        )
    return course


def of_source_points(parameters: Json, actions: list[Action], rules: Json) -> Course:
    """The points of one source."""
    total = 0
    course = []
    for at, one in in_order(actions, rules):
        if one.source == parameters["source"]:
            total += one.points
            course.append((at, total))
    return course


def of_score(parameters: Json, actions: list[Action], rules: Json) -> Course:
    """The score of the awards up to each, on its local date."""
    ordered = in_order(actions, rules)
    return [
        (at, floor(fade(rules, [before for _at, before in ordered[: n + 1]], one.local_date)[2]))
        for n, (at, one) in enumerate(ordered)
    ]


def in_order(actions: list[Action], rules: Json) -> list[tuple[datetime, Award]]:
    """The awards with the moments of their actions, by local date and then by moment."""
    moments = {(action.origin, action.external_id): action.occurred_at for action in actions}
    awards = [(moments[one.origin, one.external_id], one) for one in award(rules, actions)]
    return sorted(awards, key=lambda each: (each[1].local_date, each[0]))


COURSES = {
    "actions": of_actions,
    "quantity": of_quantity,
    "venues": of_venues,
    "streak": of_streak,
    "combination": of_combination,
    "source_points": of_source_points,
    "score": of_score,
}
