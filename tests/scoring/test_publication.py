"""Drafts, versions, and what a publication makes of what held before."""

from copy import deepcopy
from datetime import UTC, date, datetime
from typing import Any

import pytest

from accounts.models import User
from scoring.brands import setup_brand
from scoring.conditions import OPERATORS
from scoring.documents import RuleSetError, parse_rule_set
from scoring.models import Due, Rule, RuleSet, Source
from scoring.publication import (
    STARTING_SOURCES,
    Change,
    compare,
    current_document,
    current_rule_set,
    discard_draft,
    document_of,
    effective_document,
    first_moment_of,
    get_draft,
    publish,
    save_draft,
)
from tests import oracle
from tests.histories import history, states

from .world import (
    NOW,
    SOURCES,
    Json,
    Row,
    World,
    brand_with,
    document,
    rule,
)

pytestmark = pytest.mark.django_db

T = "2026-12-01T12:00:00+00:00"


def windows(rule_set: RuleSet) -> list[tuple[str, str | None, str | None]]:
    """Every stage as (title, starts, ends)."""
    return [
        (one.title, one.definition["starts"], one.definition["ends"])
        for one in rule_set.rules.all()
    ]


# What is in force


def test_versions_are_numbered_and_kept() -> None:
    world = World(rule("earn", points=1))
    user = User.objects.create_user("staff@example.org")
    second = publish(
        brand=world.brand,
        document=document(rule("earn", points=2)),
        effective=date(2026, 12, 24),
        user=user,
        note="For Christmas",
        now=NOW,
    )
    assert (second.version, second.note, second.published_by) == (2, "For Christmas", user)
    assert (second.published_at, second.effective) == (NOW, "2026-12-24")
    assert current_rule_set(brand=world.brand) == second
    versions = RuleSet.objects.filter(brand=world.brand).order_by("version")
    assert [one.version for one in versions] == [1, 2]
    assert [one.effective for one in versions] == ["always", "2026-12-24"]


def test_a_publication_marks_everyone_due() -> None:
    world = World(rule("earn", points=1))
    ids = {world.customer(name).pk for name in ("card:1", "card:2")}
    publish(brand=world.brand, document=document(), effective="now", now=NOW)
    marks = Due.objects.filter(brand=world.brand)
    assert {(mark.customer_id, mark.since, mark.why) for mark in marks} == {
        (pk, None, "rules") for pk in ids
    }


def test_a_document_that_is_wrong_changes_nothing() -> None:
    world = World(rule("earn", points=1))
    save_draft(brand=world.brand, document=document(rule("earn", points=7)))
    with pytest.raises(RuleSetError):
        publish(brand=world.brand, document={"sources": {}}, effective="now", now=NOW)
    assert RuleSet.objects.filter(brand=world.brand).count() == 2
    assert get_draft(brand=world.brand).rules.get().definition["points"] == 7
    assert not Due.objects.exists()


def test_a_brand_without_rules_has_none_in_force() -> None:
    brand = brand_with()
    assert current_rule_set(brand=brand) is None
    assert current_document(brand=brand) is None


# Drafts


def test_the_first_draft_begins_with_six_sources_and_no_rules() -> None:
    draft = get_draft(brand=brand_with())
    assert document_of(draft) == {"sources": STARTING_SOURCES, "rules": []}
    assert sum(shape["weight"] for shape in STARTING_SOURCES.values()) == 100
    assert get_draft(brand=draft.brand).pk == draft.pk


def test_a_draft_begins_as_what_is_in_force_and_leaves_that_alone() -> None:
    world = World(rule("earn", points=1))
    draft = get_draft(brand=world.brand)
    current = current_rule_set(brand=world.brand)
    assert current is not None
    assert document_of(draft) == document_of(current)
    save_draft(brand=world.brand, document=document(rule("earn", points=2)))
    assert current.rules.get().definition["points"] == 1
    assert RuleSet.objects.filter(brand=world.brand, version=None).count() == 1


def test_a_draft_that_is_wrong_leaves_the_former() -> None:
    brand = brand_with()
    save_draft(brand=brand, document=document(rule("earn", points=2)))
    with pytest.raises(RuleSetError):
        save_draft(brand=brand, document=document(rule("earn", points=-1)))
    assert get_draft(brand=brand).rules.get().definition["points"] == 2


def test_a_draft_is_stored_with_every_default_written_out() -> None:
    shape = {"weight": 10, "halfway_points": "80.50"}
    written = save_draft(
        brand=brand_with(),
        document={
            "sources": SOURCES | {"online_engagement": shape},
            "rules": [
                {"key": "k", "type": "earn", "title": "K", "kinds": ["buy"], "rate": "0.50"},
                rule("bonus", percent=50, starts="2026-11-01T00:00:00Z"),
            ],
        },
    )
    assert written.sources["online_engagement"] == {
        "weight": 10,
        "half_life_days": None,
        "halfway_points": "80.5",
    }
    first, second = written.rules.all()
    assert first.definition == {
        "key": "k",
        "type": "earn",
        "title": "K",
        "kinds": ["buy"],
        "conditions": [],
        "points": 0,
        "rate": "0.5",
        "limits": [],
        "starts": None,
        "ends": None,
    }
    assert (second.starts, second.ends) == (datetime(2026, 11, 1, tzinfo=UTC), None)
    assert second.definition["percent"] == "50"


def test_publishing_uses_the_draft_up_and_discarding_forgets_it() -> None:
    world = World(rule("earn", points=1))
    draft = save_draft(brand=world.brand, document=document(rule("earn", points=2)))
    world.publish(document_of(draft))
    assert not RuleSet.objects.filter(brand=world.brand, version=None).exists()
    save_draft(brand=world.brand, document=document())
    discard_draft(brand=world.brand)
    # Both stages of the rule as it is in force.
    assert get_draft(brand=world.brand).rules.count() == 2


# When it takes effect


def test_from_now_on_what_was_earned_stays_as_it_was() -> None:
    before: Row = ("before", "2026-12-01T11:59:59.999999+00:00")
    world = World(rule("earn", points=1), rule("earn", "gone", points=3))
    world.record(before)
    world.publish(document(rule("earn", points=2), rule("earn", "new", points=5)))
    world.record(("late", "11-23 10:00"), ("at", T))
    assert world.awards() == [
        ("late", "earn", 1),
        ("late", "gone", 3),
        ("before", "earn", 1),
        ("before", "gone", 3),
        ("at", "earn", 2),
        ("at", "new", 5),
    ]
    world.verify()


def test_rewriting_the_past_judges_everything_anew() -> None:
    world = World(rule("earn", points=1), rule("earn", "gone", points=3))
    world.record(("a", "11-23 10:00"))
    world.publish(document(rule("earn", points=2), rule("earn", "new", points=5)), "always")
    assert world.awards() == [("a", "earn", 2), ("a", "new", 5)]
    assert sorted((one.rule.key, one.points, one.why) for one in world.postings()) == [
        ("earn", 1, "facts"),
        ("earn", 1, "rules"),
        ("gone", -3, "rules"),
        ("gone", 3, "facts"),
        ("new", 5, "rules"),
    ]


@pytest.mark.parametrize(
    ("zone", "day", "begins"),
    [
        ("UTC", "2026-11-23", "2026-11-23T00:00:00+00:00"),
        ("Europe/London", "2026-07-01", "2026-06-30T23:00:00+00:00"),
        ("America/Santiago", "2025-09-07", "2025-09-07T04:00:00+00:00"),  # begins at 01:00
        ("America/Havana", "2025-11-02", "2025-11-02T04:00:00+00:00"),  # midnight comes twice
        ("America/St_Johns", "2010-11-07", "2010-11-07T02:30:00+00:00"),  # and the day before again
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00+00:00"),  # was left out
        ("Pacific/Kiritimati", "2026-01-01", "2025-12-31T10:00:00+00:00"),
        ("Asia/Kathmandu", "2026-01-01", "2025-12-31T18:15:00+00:00"),
    ],
)
def test_from_a_date_means_from_its_first_moment(zone: str, day: str, begins: str) -> None:
    world = World(rule("earn", points=1), zone=zone)
    on = date.fromisoformat(day)
    assert first_moment_of(on, brand=world.brand).isoformat() == begins
    published = world.publish(document(rule("earn", points=2)), on)
    assert windows(published) == [("Earn", None, begins), ("Earn", begins, None)]


@pytest.mark.parametrize(
    ("old", "new", "becomes"),
    [
        pytest.param((None, None), (None, None), [(None, T), (T, None)], id="both open"),
        pytest.param(
            ("2026-01-01", "2026-06-01"), (None, None),
            [("2026-01-01", "2026-06-01"), (T, None)], id="the old one had ended",
        ),
        pytest.param(
            ("2026-01-01", "2027-01-01"), ("2026-01-01", "2027-01-01"),
            [("2026-01-01", T), (T, "2027-01-01")], id="both end later",
        ),
        pytest.param(
            ("2027-01-01", None), (None, None), [(T, None)], id="the old one had not begun",
        ),
        pytest.param(
            (None, None), ("2027-01-01", None),
            [(None, T), ("2027-01-01", None)], id="the new one begins later",
        ),
        pytest.param(
            (None, None), (None, "2026-06-01"), [(None, T)], id="the new one ended before",
        ),
    ],
)  # fmt: skip
def test_windows_are_cut_at_the_moment(
    old: tuple[str | None, str | None],
    new: tuple[str | None, str | None],
    becomes: list[tuple[str | None, str | None]],
) -> None:
    def whole(text: str | None) -> str | None:
        return text if text in (None, T) else f"{text}T00:00:00+00:00"

    world = World(rule("earn", points=1, starts=whole(old[0]), ends=whole(old[1])))
    draft = document(rule("earn", points=2, starts=whole(new[0]), ends=whole(new[1])))
    published = world.publish(draft)
    assert [(starts, ends) for _title, starts, ends in windows(published)] == [
        (whole(starts), whole(ends)) for starts, ends in becomes
    ]


def test_a_change_of_title_alone_makes_no_new_stage() -> None:
    world = World(rule("earn", points=1))
    same = {"title": "Better", "points": 1.0, "rate": "0.00", "conditions": [], "limits": []}
    published = world.publish(document(rule("earn") | same))
    assert windows(published) == [("Better", None, None)]


def test_what_did_not_change_goes_on() -> None:
    world = World(rule("earn", points=1), rule("streak", per="day", length=2, points=5))
    draft = document(rule("streak", per="day", length=2, points=5), rule("earn", points=2))
    assert windows(world.publish(draft)) == [
        ("Streak", None, None),
        ("Earn", None, T),
        ("Earn", T, None),
    ]


def test_of_several_stages_only_the_changed_ones_are_cut() -> None:
    turn = "2026-06-01T00:00:00+00:00"
    world = World(rule("earn", points=1, ends=turn), rule("earn", points=2, starts=turn))
    draft = document(rule("earn", points=1, ends=turn), rule("earn", points=3, starts=turn))
    published = world.publish(draft)
    assert [(one.definition["points"], one.starts, one.ends) for one in published.rules.all()] == [
        (1, None, datetime(2026, 6, 1, tzinfo=UTC)),
        (2, datetime(2026, 6, 1, tzinfo=UTC), NOW),
        (3, NOW, None),
    ]


def test_the_shape_of_the_score_holds_for_all_at_once() -> None:
    world = World(rule("earn", points=100))
    world.record(("a", "11-23 10:00"))
    assert world.stored().score == 150
    world.publish(document(rule("earn", points=100), purchases={"halfway_points": 50}))
    assert world.stored().score == 225
    assert len(world.postings()) == 1


@pytest.mark.parametrize("effective", ["now", date(2026, 11, 1)])
def test_a_rule_does_not_become_another_type_under_its_key(effective: Any) -> None:
    world = World(rule("earn", "k", points=1))
    with pytest.raises(RuleSetError, match="another type, source or period"):
        world.publish(document(rule("streak", "k", per="day", length=2, points=1)), effective)
    world.publish(document(rule("streak", "k", per="day", length=2, points=1)), "always")


@pytest.mark.parametrize("seed", range(40))
def test_publishing_random_drafts_is_what_the_oracle_says(seed: int) -> None:
    """Every publication of a history, each over what the ones before it left."""
    whole = history(seed)
    brand = setup_brand(document=whole.brand)
    publish(brand=brand, document=whole.rules, effective="always", now=whole.now)
    found = 0
    for step, state in zip(whole.steps, list(states(whole))[1:], strict=True):
        if step[0] != "publish":
            continue
        found += 1
        _publish, draft, effective, at = step
        rule_set = publish(
            brand=brand,
            document=deepcopy(draft),
            effective=effective
            if effective in ("now", "always")
            else date.fromisoformat(effective),  # type: ignore[arg-type]
            now=oracle.moment(at),
        )
        expected = parse_rule_set(state.rules, brand=brand).to_json()
        assert oracle.same_rules(document_of(rule_set), expected)
    assert RuleSet.objects.filter(brand=brand).count() == found + 1


def test_what_publishing_would_do_can_be_asked_for() -> None:
    world = World(rule("earn", points=1))
    draft = document(rule("earn", points=2))
    effect = effective_document(brand=world.brand, document=draft, effective=NOW, now=NOW)
    assert len(effect.rules) == 2
    assert RuleSet.objects.filter(brand=world.brand).count() == 1


# What changed, in words


def test_every_difference_is_told_once() -> None:
    brand = brand_with()
    old = parse_rule_set(
        document(
            rule("earn", "same", points=1),
            rule("earn", "changed", points=1),
            rule("earn", "retitled", points=1),
            rule("earn", "gone", points=1),
        ),
        brand=brand,
    )
    new = parse_rule_set(
        document(
            rule("earn", "new", points=1),
            rule("earn", "same", points=1),
            rule("earn", "changed", points=2, starts="2026-12-01T00:00:00Z"),
            rule("earn", "retitled", points=1) | {"title": "Other"},
            purchases={"half_life_days": 30},
        ),
        brand=brand,
    )
    assert compare(old, new) == [
        Change("new", "new", "", "New: buy: 1 point"),
        Change(
            "changed",
            "changed",
            "Changed: buy: 1 point",
            "Changed: buy: 2 points, from 2026-12-01 00:00",
        ),
        Change("retitled", "retitled", "Retitled: buy: 1 point", "Other: buy: 1 point"),
        Change("gone", "gone", "Gone: buy: 1 point", ""),
        Change(
            "purchases",
            "shape",
            "weight 30, halfway at 100 points, no fading",
            "weight 30, halfway at 100 points, half-life 30 days",
        ),
    ]
    assert compare(new, new) == []


def test_over_nothing_everything_is_new() -> None:
    new = parse_rule_set(document(rule("earn", points=1)), brand=brand_with())
    assert [change.what for change in compare(None, new)] == ["new"] + ["shape"] * 6


# What is wrong with a document


def only_problem(whole: Any) -> tuple[str, str]:
    """The first problem; others may follow from it, in the same place or deeper."""
    first, *others = problems_of(whole)
    assert all(place.startswith(first[0]) for place, _reason in others)
    return first


def problems_of(whole: Any) -> list[tuple[str, str]]:
    with pytest.raises(RuleSetError) as raised:
        parse_rule_set(whole, brand=brand_with())
    assert str(raised.value) == "; ".join(f"{place}: {why}" for place, why in raised.value.problems)
    return raised.value.problems


MISSING = object()
TIME = "must be a time with its offset such as 2026-11-01T00:00:00+00:00; it is "
ONE_OF_SIX = f"must be one of {', '.join(SOURCES)}; it is "
COMBO = {"per": "day", "points": 5, "requires": [{"kinds": ["buy"]}]}
STREAK = {"per": "day", "length": 2, "points": 5}
FIELDS = (
    "must be one of quantity, channel, venue, weekday, hour or an attribute that a kind declares"
    " (attributes.NAME); it is "
)


@pytest.mark.parametrize(
    ("type_name", "changed", "place", "reason"),
    [
        # Every rule
        ("earn", {"type": "gift"}, "type", "must be one of earn, bonus, combo, streak; it is 'gift'"),
        ("earn", {"type": MISSING}, "type", "must be one of earn, bonus, combo, streak; it is None"),
        ("earn", {"key": MISSING}, "key", "a text is needed here"),
        ("earn", {"key": "Big Spender"}, "key", "use small letters, digits, hyphens and underscores"),
        ("earn", {"key": "-x"}, "key", "use small letters, digits, hyphens and underscores"),
        ("earn", {"key": "x\n"}, "key", "use small letters, digits, hyphens and underscores"),
        ("earn", {"key": "x" * 65}, "key", "at most 64 characters fit here"),
        ("earn", {"title": " "}, "title", "a text is needed here"),
        ("earn", {"title": "x" * 141}, "title", "at most 140 characters fit here"),
        ("earn", {"title": "a\x00"}, "title", "a text cannot hold the character NUL"),
        ("earn", {"colour": "red"}, "colour", "this key is not known here"),
        ("earn", {"percent": 5}, "percent", "this key is not known here"),
        ("earn", {"kinds": []}, "kinds", "at least one action kind is needed here"),
        ("earn", {"kinds": "buy"}, "kinds", "this must be a list"),
        ("earn", {"kinds": ["buy", "gift"]}, "kinds[1]", "the brand has no action kind 'gift'"),
        ("earn", {"kinds": ["buy", "buy"]}, "kinds[1]", "buy stands here twice"),
        ("earn", {"kinds": [["buy"]]}, "kinds[0]", "the brand has no action kind ['buy']"),
        ("earn", {"starts": "2026-11-01"}, "starts", TIME + "'2026-11-01'"),
        ("earn", {"ends": "2026-11-01T00:00:00"}, "ends", TIME + "'2026-11-01T00:00:00'"),
        ("earn", {"ends": 5}, "ends", TIME + "5"),
        (
            "earn",
            {"starts": "2026-11-01T00:00:00Z", "ends": "2026-11-01T01:00:00+01:00"},
            "ends",
            "a rule must end after it starts",
        ),
        # Numbers
        ("earn", {"points": -1}, "points", "must be between 0 and 1000000000; it is -1"),
        ("earn", {"points": 1.5}, "points", "must be a whole number; it is 1.5"),
        ("earn", {"points": True}, "points", "must be a whole number; it is True"),
        ("earn", {"points": 10**9 + 1}, "points", "must be between 0 and 1000000000; it is 1000000001"),
        ("earn", {"rate": "-0.1"}, "rate", "must be 0 or more and at most 100000; it is -0.1"),
        ("earn", {"rate": "much"}, "rate", "must be a decimal number; it is 'much'"),
        ("earn", {"rate": "Infinity"}, "rate", "must be a decimal number; it is 'Infinity'"),
        ("earn", {"rate": "1e-13"}, "rate", "at most 12 decimal places fit here"),
        ("bonus", {"percent": MISSING}, "percent", "must be a decimal number; it is None"),
        ("bonus", {"percent": -1}, "percent", "must be 0 or more and at most 100000; it is -1"),
        # Combos and streaks
        ("combo", {"source": MISSING}, "source", ONE_OF_SIX + "None"),
        ("streak", {"source": "shop"}, "source", ONE_OF_SIX + "'shop'"),
        ("combo", {"per": "hour"}, "per", "must be one of day, week, month, year, ever; it is 'hour'"),
        ("streak", {"per": "year"}, "per", "must be one of day, week, month; it is 'year'"),
        ("combo", {"points": MISSING}, "points", "a whole number is needed here"),
        ("streak", {"length": MISSING}, "length", "a whole number is needed here"),
        ("streak", {"length": 0}, "length", "must be between 1 and 1000000000; it is 0"),
        ("streak", {"count": 0}, "count", "must be between 1 and 1000000000; it is 0"),
        ("combo", {"requires": []}, "requires", "at least one requirement is needed here"),
        ("combo", {"requires": ["buy"]}, "requires[0]", "this must be an object"),
        (
            "combo",
            {"requires": [{"kinds": ["buy"], "count": 0}]},
            "requires[0].count",
            "must be between 1 and 1000000000; it is 0",
        ),
        (
            "combo",
            {"requires": [{"kinds": ["buy"], "per": "day"}]},
            "requires[0].per",
            "this key is not known here",
        ),
        ("combo", {"kinds": ["buy"]}, "kinds", "this key is not known here"),
        ("combo", {"limits": []}, "limits", "this key is not known here"),
        # Limits
        ("earn", {"limits": {}}, "limits", "this must be a list"),
        ("earn", {"limits": ["day"]}, "limits[0]", "this must be an object"),
        (
            "earn",
            {"limits": [{"per": "day", "count": 1}] * 3},
            "limits[2]",
            "a rule carries at most two limits",
        ),
        ("earn", {"limits": [{"per": "day"}]}, "limits[0].count", "a limit needs count or points or both"),
        (
            "bonus",
            {"limits": [{"count": 1}]},
            "limits[0].per",
            "must be one of day, week, month, year, ever; it is None",
        ),
        (
            "earn",
            {"limits": [{"per": "day", "count": 0}]},
            "limits[0].count",
            "must be between 1 and 1000000000; it is 0",
        ),
        (
            "earn",
            {"limits": [{"per": "day", "points": "many"}]},
            "limits[0].points",
            "must be a whole number; it is 'many'",
        ),
        (
            "earn",
            {"limits": [{"per": "day", "count": 1, "by": "shop"}]},
            "limits[0].by",
            "must be customer or one field; it is 'shop'",
        ),
        (
            "earn",
            {"limits": [{"per": "day", "count": 1, "by": "attributes.colour"}]},
            "limits[0].by",
            "must be customer or one field; it is 'attributes.colour'",
        ),
        (
            "earn",
            {"limits": [{"per": "day", "count": 1, "max": 1}]},
            "limits[0].max",
            "this key is not known here",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_rule_is_named_with_its_place(
    type_name: str, changed: Json, place: str, reason: str
) -> None:
    needed: dict[str, Json] = {"combo": COMBO, "streak": STREAK, "bonus": {"percent": 5}}
    whole = rule(type_name) | needed.get(type_name, {})
    broken = {key: value for key, value in (whole | changed).items() if value is not MISSING}
    fine = rule("earn", "fine")
    assert only_problem(document(fine, broken)) == (f"rules[1].{place}", reason)


@pytest.mark.parametrize(
    ("condition", "place", "reason"),
    [
        ("mon", "", "this must be an object"),
        ({"field": "quantity", "op": "equals", "value": 1}, ".op",
         f"must be one of {', '.join(OPERATORS)}; it is 'equals'"),
        ({"op": "is", "value": 1}, ".field", "a text is needed here"),
        ({"field": "colour", "op": "is", "value": 1}, ".field", FIELDS + "'colour'"),
        ({"field": "attributes.colour", "op": "is_set"}, ".field", FIELDS + "'attributes.colour'"),
        ({"field": "quantity", "op": "is", "value": 1, "or": 2}, ".or", "this key is not known here"),
        ({"field": "quantity", "op": "contains", "value": "1"}, ".op",
         "contains does not go with quantity, which is a number"),
        ({"field": "channel", "op": "at_least", "value": "a"}, ".op",
         "at_least does not go with channel, which is a text"),
        ({"field": "weekday", "op": "less_than", "value": "tue"}, ".op",
         "less_than does not go with weekday, which is a weekday"),
        ({"field": "attributes.gift", "op": "contains", "value": "y"}, ".op",
         "contains does not go with attributes.gift, which is a yes_no"),
        ({"field": "attributes.size", "op": "more_than", "value": "S"}, ".op",
         "more_than does not go with attributes.size, which is a choice"),
        ({"field": "quantity", "op": "is"}, ".value", "must be a number; it is None"),
        ({"field": "quantity", "op": "is", "value": "1,5"}, ".value", "must be a number; it is '1,5'"),
        ({"field": "hour", "op": "is", "value": 24}, ".value", "must be an hour from 0 to 23; it is 24"),
        ({"field": "hour", "op": "is", "value": "9.5"}, ".value",
         "must be an hour from 0 to 23; it is '9.5'"),
        ({"field": "weekday", "op": "is", "value": "Mon"}, ".value",
         "must be one of mon, tue, wed, thu, fri, sat, sun; it is 'Mon'"),
        ({"field": "channel", "op": "is", "value": ""}, ".value", "must be a text; it is ''"),
        ({"field": "channel", "op": "is", "value": 5}, ".value", "must be a text; it is 5"),
        ({"field": "attributes.gift", "op": "is", "value": 1}, ".value",
         "must be true or false; it is 1"),
        ({"field": "attributes.made_on", "op": "is", "value": "2026-02-29"}, ".value",
         "must be a date such as 2026-11-23; it is '2026-02-29'"),
        ({"field": "venue", "op": "is", "value": "mayfair"}, ".value", "the brand has no venue 'mayfair'"),
        ({"field": "venue", "op": "in", "value": ["soho", "mayfair"]}, ".value[1]",
         "the brand has no venue 'mayfair'"),
        ({"field": "quantity", "op": "in", "value": [1, "x"]}, ".value[1]", "must be a number; it is 'x'"),
        ({"field": "quantity", "op": "in", "value": 1}, ".value", "in takes a list of at least one value"),
        ({"field": "quantity", "op": "not_in", "value": []}, ".value",
         "not_in takes a list of at least one value"),
        ({"field": "quantity", "op": "is_set", "value": 1}, ".value", "is_set takes no value"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_condition_is_named_with_its_place(
    condition: Any, place: str, reason: str
) -> None:
    fine = {"field": "quantity", "op": "is", "value": 1}
    whole = document(rule("earn", conditions=[fine, condition]))
    assert only_problem(whole) == (f"rules[0].conditions[1]{place}", reason)
    part = {"kinds": ["buy"], "conditions": [condition]}
    whole = document(rule("combo", per="day", points=5, requires=[part]))
    assert only_problem(whole) == (f"rules[0].requires[0].conditions[0]{place}", reason)


def test_an_attribute_of_two_types_cannot_be_asked_for() -> None:
    brand = brand_with(
        kinds=[
            {"slug": "buy", "source": "purchases", "attributes": {"size": "number"}},
            {"slug": "use", "source": "product_usage", "attributes": {"size": "text"}},
        ]
    )
    condition = {"field": "attributes.size", "op": "is_set"}
    limit = {"per": "day", "by": "attributes.size", "count": 1}
    whole = document(rule("earn", kinds=["buy", "use"], conditions=[condition], limits=[limit]))
    with pytest.raises(RuleSetError) as raised:
        parse_rule_set(whole, brand=brand)
    assert raised.value.problems == [
        ("rules[0].conditions[0].field", "attributes.size has different types in these kinds"),
        ("rules[0].limits[0].by", "attributes.size has different types in these kinds"),
    ]


@pytest.mark.parametrize(
    ("sources", "place", "reason"),
    [
        (SOURCES | {"purchases": None}, "sources.purchases", "all six sources are needed"),
        (SOURCES | {"shop": {}}, "sources.shop", "this key is not known here"),
        (
            SOURCES | {"purchases": SOURCES["purchases"] | {"weight": 31}},
            "sources",
            "the six weights must sum to 100; they sum to 101",
        ),
        (
            SOURCES | {"purchases": SOURCES["purchases"] | {"weight": 29.5}},
            "sources.purchases.weight",
            "must be a whole number; it is 29.5",
        ),
        (
            SOURCES | {"purchases": SOURCES["purchases"] | {"halfway_points": 0}},
            "sources.purchases.halfway_points",
            "must be above 0 and at most 1000000000; it is 0",
        ),
        (
            SOURCES | {"purchases": SOURCES["purchases"] | {"half_life_days": 0}},
            "sources.purchases.half_life_days",
            "must be above 0 and at most 36500; it is 0",
        ),
        (
            SOURCES | {"purchases": SOURCES["purchases"] | {"colour": 1}},
            "sources.purchases.colour",
            "this key is not known here",
        ),
        (SOURCES | {"purchases": 5}, "sources.purchases", "this must be an object"),
    ],
)
def test_what_is_wrong_with_the_shape_is_named_with_its_place(
    sources: Json, place: str, reason: str
) -> None:
    assert (place, reason) in problems_of({"sources": sources, "rules": []})


@pytest.mark.parametrize(
    ("whole", "place", "reason"),
    [
        ([], "document", "this must be an object"),
        (document() | {"rules": {}}, "rules", "this must be a list"),
        (document() | {"rules": ["earn"]}, "rules[0]", "this must be an object"),
        (document() | {"version": 1}, "version", "this key is not known here"),
    ],
)
def test_what_is_wrong_with_the_document_is_named(whole: Any, place: str, reason: str) -> None:
    assert (place, reason) in problems_of(whole)


def test_stages_do_not_overlap() -> None:
    turn = "2026-11-01T00:00:00Z"
    fine = [rule("earn", ends=turn), rule("earn", starts=turn)]
    parse_rule_set(document(*fine), brand=brand_with())
    early = rule("earn", starts="2026-10-31T23:59:59.999999+00:00")
    assert problems_of(document(rule("earn", ends=turn), early)) == [
        ("rules[1].starts", "overlaps rules[0], another stage of earn")
    ]
    assert problems_of(document(*fine, rule("earn"))) == [
        ("rules[2].starts", "overlaps rules[0], another stage of earn"),
        ("rules[2].starts", "overlaps rules[1], another stage of earn"),
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (rule("earn", "k"), rule("bonus", "k", percent=5)),
        (
            rule("combo", "k", **COMBO),
            rule("combo", "k", **(COMBO | {"per": "week"})),
        ),
        (
            rule("streak", "k", **STREAK),
            rule("streak", "k", **STREAK) | {"source": "product_usage"},
        ),
    ],
)
def test_the_stages_of_a_rule_share_what_lasts(one: Json, other: Json) -> None:
    turn = "2026-11-01T00:00:00Z"
    assert problems_of(document(one | {"ends": turn}, other | {"starts": turn})) == [
        (
            "rules[1].key",
            "k is another type, source or period at rules[0]; the stages of one rule share these",
        )
    ]


def test_all_problems_are_told_at_once() -> None:
    whole = document(
        rule("earn", points=-1, rate="x"),
        rule("bonus", percent=5, kinds=["gift"]),
        purchases={"weight": 31},
    )
    assert [place for place, _reason in problems_of(whole)] == [
        "sources",
        "rules[0].points",
        "rules[0].rate",
        "rules[1].kinds[0]",
    ]


def test_the_document_is_read_as_it_is_written() -> None:
    brand = brand_with()
    for seed in range(10):
        made = history(seed)
        other = setup_brand(document=made.brand)
        written = parse_rule_set(made.rules, brand=other).to_json()
        assert parse_rule_set(written, brand=other).to_json() == written
    assert Rule.objects.filter(rule_set__brand=brand).count() == 0
    assert {source.slug for source in Source} == set(SOURCES)
