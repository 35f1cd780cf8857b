"""Random brands, rule sets and histories, made to collide: the same seed, the same history.

Everything a `History` holds is in the shapes of the specification's sections 10 and 12 and goes
through JSON unchanged. What the specification leaves open is left out: repeats differ in
nothing, numbers are modest, every attribute has one type in all kinds that declare it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, Literal, cast
from zoneinfo import ZoneInfo

from tests.oracle import SOURCES, WEEKDAYS, Effective, Json, local_midnight, moment, publish

RecordStep = tuple[Literal["record"], list[Json]]
MoveStep = tuple[Literal["move"], str, str]
PublishStep = tuple[Literal["publish"], Json, str, str]
Step = RecordStep | MoveStep | PublishStep

# A zone, and a moment there about which its clocks do something worth a test.
ODD_MOMENTS = (
    ("Europe/London", "2026-03-29T01:00:00+00:00"),  # 01:00 to 02:00
    ("Europe/London", "2025-10-26T01:00:00+00:00"),  # 02:00 back to 01:00
    ("America/Santiago", "2025-09-07T04:00:00+00:00"),  # no midnight
    ("America/Santiago", "2026-04-05T03:00:00+00:00"),  # 24:00 back to 23:00
    ("Africa/Cairo", "2025-04-24T22:00:00+00:00"),  # no midnight
    ("Africa/Cairo", "2025-10-30T21:00:00+00:00"),  # 24:00 back to 23:00
    ("Asia/Kathmandu", "2025-12-31T18:15:00+00:00"),  # a new year, at a quarter to the hour
    ("Australia/Lord_Howe", "2025-10-04T15:30:00+00:00"),  # half an hour forward
    ("Australia/Lord_Howe", "2026-04-04T15:00:00+00:00"),  # half an hour back
    ("Pacific/Apia", "2011-12-30T10:00:00+00:00"),  # a date left out
    ("America/Havana", "2026-03-08T05:00:00+00:00"),  # no midnight
    ("America/Havana", "2025-11-02T05:00:00+00:00"),  # midnight twice
    ("America/St_Johns", "2010-11-07T02:31:00+00:00"),  # 00:01 back to the day before
    ("Pacific/Kiritimati", "2025-05-31T10:00:00+00:00"),  # a new month, at +14:00
    ("UTC", "2024-02-29T00:00:00+00:00"),  # a leap day
    ("UTC", "2026-01-01T00:00:00+00:00"),  # a new year
)
VENUES = ("soho", "camden", "york")
CHANNELS = ("shop", "web", "app", "Web")
ORIGINS = ("till", "Till", "é-shop")
ATTRIBUTES: Json = {
    "topic": "text",
    "items": "number",
    "first_time": "yes_no",
    "made_on": "date",
    "size": {"choice": ["S", "M", "L", "l"]},
}
ATTRIBUTE_VALUES: dict[str, tuple[Any, ...]] = {
    "topic": ("tea", "Green TEA", "Café crème", "50% off", "a_b", "none", "back\\slash"),
    "items": (0, 1, 2, 2.0, 2.5, 10),
    "first_time": (True, False),
    "made_on": ("2025-06-14", "2025-06-15", "2025-12-01"),
    "size": ("S", "M", "L", "l"),
}
QUANTITIES = ("0", "0.1", "0.99", "1", "1.0", "2.5", "3", "10", "24.90", "99.999", "100")
FIELDS = (
    "quantity",
    "channel",
    "venue",
    "weekday",
    "hour",
    *(f"attributes.{name}" for name in ATTRIBUTES),
)
PERIODS = ("day", "day", "week", "week", "month", "year", "ever")
STREAK_PERIODS = ("day", "week", "week", "month")
COMPARISONS = ("at_least", "more_than", "at_most", "less_than")


@dataclass(frozen=True)
class History:
    """A brand and what happens to it.

    `rules` is in force from the start. `steps` are, in their order:

    - `("record", records)`: section 12 lines arrive together; some arrive twice.
    - `("move", identifier, customer)`: the identifier is that customer's from here on. At the
      start each identifier has a customer of its own who goes by the identifier's name.
    - `("publish", draft, effective, moment)`: the draft is published at `moment`, which never
      runs backwards. `effective` is "now" (from now on), "always" (rewrite the past) or a local
      date such as "2026-03-29" (from that date).

    `now` lies after everything that is recorded, but for up to five minutes, and `on` is its
    local date.
    """

    seed: int
    brand: Json
    rules: Json
    steps: list[Step]
    now: datetime
    on: date


@dataclass
class State:
    """What is known and in force after some of the steps: what an oracle needs."""

    rules: Json
    records: list[Json] = field(default_factory=list)
    owner: dict[str, str] = field(default_factory=dict)


def states(history: History) -> Iterator[State]:
    """The state at the start, and after each step; every one may be kept."""
    state = State(history.rules)
    yield state
    for step in history.steps:
        state = State(state.rules, [*state.records], dict(state.owner))
        if step[0] == "record":
            state.records += step[1]
            for record in step[1]:
                if "identifier" in record:
                    state.owner.setdefault(record["identifier"], record["identifier"])
        elif step[0] == "move":
            state.owner[step[1]] = step[2]
        else:
            _, draft, effective, at = step
            state.rules = published(history.brand, state.rules, draft, effective, moment(at))
        yield state


def final_state(history: History) -> State:
    """The state after the last step."""
    return list(states(history))[-1]


def published(brand: Json, current: Json, draft: Json, effective: str, at: datetime) -> Json:
    """The document that a publish step makes current, by section 7."""
    if effective in ("now", "always"):
        return publish(current, draft, cast("Effective", effective), at)
    day = date.fromisoformat(effective)
    return publish(current, draft, "date", local_midnight(day, brand["time_zone"]))


def history(seed: int) -> History:
    """A random history: few customers, 30 to 80 actions about one odd moment of the zone."""
    return Maker(seed).history()


def shrunk(whole: History, fails: Callable[[History], bool]) -> History:
    """A smaller history that still `fails`, such that leaving out any one thing more mends it.

    Things are steps, the records of a step, and the rules of a document.
    """
    while True:
        smaller = next((one for one in smaller_histories(whole) if fails(one)), None)
        if smaller is None:
            return whole
        whole = smaller


def smaller_histories(whole: History) -> Iterator[History]:
    """The history with one thing, or half of a step's records, left out."""
    for place, step in enumerate(whole.steps):
        before, after = whole.steps[:place], whole.steps[place + 1 :]
        yield replace(whole, steps=before + after)
        if step[0] == "record":
            for records in fewer(step[1]):
                yield replace(whole, steps=[*before, ("record", records), *after])
        elif step[0] == "publish":
            for rules in fewer(step[1]["rules"]):
                draft = {**step[1], "rules": rules}
                yield replace(whole, steps=[*before, ("publish", draft, *step[2:]), *after])
    for rules in fewer(whole.rules["rules"]):
        yield replace(whole, rules={**whole.rules, "rules": rules})


def fewer(things: list[Json]) -> Iterator[list[Json]]:
    """The list without one half, then without the other, then without each one thing."""
    middle = len(things) // 2
    if middle:
        yield things[:middle]
        yield things[middle:]
    for place in range(len(things)):
        yield things[:place] + things[place + 1 :]


class Maker:
    """Makes one history from one seed; each method draws one part of it."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(seed)  # noqa: S311  # it must repeat itself, it guards nothing
        zone, odd = self.random.choice(ODD_MOMENTS)
        self.odd = moment(odd)
        self.brand = self.make_brand(zone)
        self.zone = ZoneInfo(zone)
        self.favourites = self.random.sample(self.brand["kinds"], 3)
        self.identifiers = [
            f"email:c{n}@example.org" for n in range(self.random.choice([1, 2, 2, 3, 4]))
        ]
        self.ids = 0
        self.keys = 0
        self.actions = [
            self.make_action(self.make_moment()) for _ in range(self.random.randint(30, 80))
        ]
        self.now = self.make_now()

    def likely(self, share: float) -> bool:
        """True as often as `share` says."""
        return self.random.random() < share

    def history(self) -> History:
        """The history itself: records dealt out at random into steps, moves and publications."""
        rules = self.make_document()
        records = self.actions + self.make_changes()
        self.random.shuffle(records)
        records += self.random.sample(records, len(records) // 10)
        cuts = sorted(self.random.sample(range(1, len(records)), self.random.randint(0, 6)))
        steps: list[Step] = [
            ("record", records[start:end])
            for start, end in zip([0, *cuts], [*cuts, len(records)], strict=True)
        ]
        for _ in range(self.random.randint(0, 3)):
            identifier, other = self.random.choices(self.identifiers, k=2)
            steps.insert(self.random.randint(0, len(steps)), ("move", identifier, other))
        current = rules
        moments = sorted(self.make_boundary() for _ in range(self.random.randint(0, 3)))
        place = 0
        for at in moments:
            place = self.random.randint(place, len(steps))
            effective = self.random.choice(["now", "now", "always", self.make_effective_date()])
            draft = self.make_draft(current, keep_traits=effective != "always")
            steps.insert(place, ("publish", draft, effective, at.isoformat()))
            current = published(self.brand, current, draft, effective, at)
            place += 1
        on = self.now.astimezone(self.zone).date()
        return History(self.seed, self.brand, rules, steps, self.now, on)

    # The brand

    def make_brand(self, zone: str) -> Json:
        """One kind for each source, and one more; every kind lacks some of the attributes."""
        sources = {
            "view": "online_engagement",
            "purchase": "purchases",
            "click": "marketing_attention",
            "check_in": "physical_visits",
            "post": "social_media",
            "usage": "product_usage",
            "order": "purchases",
        }
        units = {"purchase": "money", "order": "money", "usage": "km"}
        return {
            "slug": f"brand-{self.seed}",
            "name": f"Brand {self.seed}",
            "time_zone": zone,
            "currency": "GBP",
            "kinds": [
                {
                    "slug": slug,
                    "label": slug.replace("_", " "),
                    "source": source,
                    "unit": units.get(slug),
                    "attributes": {
                        name: deepcopy(declared)
                        for name, declared in ATTRIBUTES.items()
                        if self.likely(0.8)
                    },
                }
                for slug, source in sources.items()
            ],
            "venues": [{"slug": slug, "name": slug.title()} for slug in VENUES],
        }

    def make_kind(self) -> Json:
        """A kind, mostly one of three, so that rules and actions meet."""
        kind: Json = self.random.choice(
            self.favourites if self.likely(0.8) else self.brand["kinds"]
        )
        return kind

    # Records

    def make_moment(self) -> datetime:
        """A moment within seven weeks, on or about the odd one or a midnight more often."""
        near = self.random.random()
        if near < 0.35:
            seconds = self.random.choice([-5400, -1800, -60, -1, 0, 0, 0, 1, 30, 60, 1800, 5400])
            return self.odd + timedelta(seconds=seconds)
        day = self.odd + timedelta(days=self.random.randint(-42, 7))
        if near < 0.55:
            local = day.astimezone(self.zone).date()
            midnight = local_midnight(local, self.brand["time_zone"])
            return midnight + timedelta(microseconds=self.random.choice([-1, 0, 0, 1, 3600000000]))
        if near < 0.85:
            return day + timedelta(hours=self.random.randint(-12, 12))
        return day + timedelta(microseconds=self.random.randrange(86_400_000_000))

    def make_id(self) -> str:
        """An external identifier that no other record has, whatever its type or origin.

        Bytes order it otherwise than numbers, or a language, would.
        """
        self.ids += 1
        return f"{self.random.choice(['', 'a', 'B', 'ä', '-'])}{self.ids}"

    def written(self, at: datetime) -> str:
        """The moment in one of the offsets that a reporter may write it in."""
        if self.likely(0.2):
            return at.isoformat().replace("+00:00", "Z")
        offset = self.random.choice([UTC, UTC, self.zone])
        return at.astimezone(offset).isoformat()

    def make_action(self, at: datetime) -> Json:
        """An action at that moment; what it lacks is left out, null or (a text) empty."""
        kind = self.make_kind()
        action: Json = {
            "origin": self.random.choice(ORIGINS),
            "external_id": self.make_id(),
            "identifier": self.random.choice(self.identifiers),
            "kind": kind["slug"],
            "occurred_at": self.written(at),
        }
        texts: dict[str, tuple[str, ...]] = {
            "quantity": QUANTITIES,
            "channel": CHANNELS,
            "venue": VENUES,
        }
        for name, values in texts.items():
            if self.likely(0.75):
                action[name] = self.random.choice(values)
            elif self.likely(0.3):
                action[name] = self.random.choice([None, ""])
        attributes: Json = {}
        for name in kind["attributes"]:
            if self.likely(0.75):
                attributes[name] = self.random.choice(ATTRIBUTE_VALUES[name])
            elif self.likely(0.3):
                attributes[name] = None
            elif name == "topic" and self.likely(0.3):
                attributes[name] = ""
        if attributes or self.likely(0.5):
            action["attributes"] = attributes
        if self.likely(0.15):
            action["state"] = "pending"
        elif self.likely(0.2):
            action["state"] = "accepted"
        return action

    def make_changes(self) -> list[Json]:
        """Corrections, voids and decisions, several for some actions; a few find no action."""
        changes = []
        for action in self.actions:
            pending = action.get("state") == "pending"
            types = ["decision"] * self.random.choice([0, 1, 1, 2, 3] if pending else [0] * 9 + [1])
            types += ["correction"] * self.random.choice([0, 0, 0, 0, 0, 1, 1, 2, 3])
            types += ["void"] * self.random.choice([0] * 12 + [1, 2])
            for kind in types:
                lost = self.likely(0.03)
                changes.append(self.make_change(kind, action, "lost" if lost else None))
        return changes

    def make_change(self, kind: str, action: Json, other: str | None) -> Json:
        """One record about the action, or about `other`, which may be nothing that exists."""
        at = self.written(self.now + timedelta(minutes=self.random.choice([-3, -2, -1, -1])))
        change: Json = {
            "type": kind,
            "origin": action["origin"],
            "external_id": self.make_id(),
            "action": other or action["external_id"],
        }
        if kind == "correction":
            return change | {"quantity": self.random.choice(QUANTITIES), "corrected_at": at}
        if kind == "void":
            return change | {"reason": "cancelled", "at": at}
        return change | {"accepted": self.likely(0.65), "at": at}

    def make_now(self) -> datetime:
        """The present: at times right before the last action, even on the local day before it."""
        last = max(moment(action["occurred_at"]) for action in self.actions)
        if self.likely(0.2):
            tomorrow = last.astimezone(self.zone).date() + timedelta(days=1)
            at = local_midnight(tomorrow, self.brand["time_zone"]) + timedelta(minutes=2)
            self.actions += [self.make_action(at) for _ in range(3)]
            return at - timedelta(minutes=4)
        return last + self.random.choice(
            [timedelta(minutes=-4), timedelta(hours=1), timedelta(days=1), timedelta(days=100)]
        )

    # Rules

    def make_document(self) -> Json:
        """A section 10 document with every source and four to ten rules, some in stages."""
        rules: list[Json] = []
        for _ in range(self.random.randint(4, 10)):
            rules += self.make_rule()
        self.random.shuffle(rules)
        return {"sources": self.make_sources(), "rules": rules}

    def make_sources(self) -> Json:
        """Weights that sum to 100, half-lives or none, small halfway points."""
        cuts = sorted(self.random.choices(range(101), k=len(SOURCES) - 1))
        weights = [end - start for start, end in zip([0, *cuts], [*cuts, 100], strict=True)]
        shapes: Json = {}
        for source, weight in zip(SOURCES, weights, strict=True):
            shapes[source] = {
                "weight": weight,
                "halfway_points": self.random.choice([1, 7, 20, 60, 150, 400]),
            }
            half_life = self.random.choice([None, 1, 7, 30, 90, 180])
            if half_life is not None or self.likely(0.5):
                shapes[source]["half_life_days"] = half_life
        return shapes

    def make_rule(self) -> list[Json]:
        """One rule under a new key, in one to three stages."""
        self.keys += 1
        key = f"r{self.keys}"
        kind = self.random.choice(["earn", "earn", "earn", "bonus", "combo", "streak"])
        first = self.make_stage(key, kind)
        stages = [first]
        for _ in range(self.random.choice([0, 0, 1, 1, 2])):
            if self.likely(0.6):
                stages.append(self.changed(stages[-1]))
            else:
                stages.append(self.with_traits(self.make_stage(key, kind), first))
        self.set_windows(stages)
        return stages

    def set_windows(self, stages: list[Json]) -> None:
        """Give the stages windows that do not overlap, at times with gaps, ends often open."""
        bounds: set[datetime] = set()
        while len(bounds) < 2 * len(stages):
            bounds.add(self.make_boundary())
        ordered = sorted(bounds)
        for place, stage in enumerate(stages):
            starts, ends = ordered[2 * place], ordered[2 * place + 1]
            if place + 1 < len(stages) and self.likely(0.6):
                ends = ordered[2 * place + 2]
            stage["starts"] = starts.isoformat()
            stage["ends"] = ends.isoformat()
        for stage, end in ((stages[0], "starts"), (stages[-1], "ends")):
            if self.likely(0.85):
                stage[end] = None
                if self.likely(0.5):
                    del stage[end]
        self.random.shuffle(stages)

    def make_boundary(self) -> datetime:
        """A moment for a window to begin or end, often exactly that of an action."""
        if self.likely(0.7):
            return moment(self.random.choice(self.actions)["occurred_at"])
        return self.make_moment()

    def make_stage(self, key: str, kind: str) -> Json:
        """One stage of a rule of that type; what is a default is left out now and then."""
        stage: Json = {"key": key, "type": kind, "title": f"Rule {key}"}
        if kind == "combo":
            stage["per"] = self.random.choice(PERIODS)
            stage["requires"] = [
                {"count": self.random.choice([1, 1, 1, 2, 3]), **self.make_match(0.4)}
                for _ in range(self.random.randint(1, 3))
            ]
        else:
            stage |= self.make_match({"earn": 0.6, "bonus": 0.4, "streak": 0.4}[kind])
        if kind == "streak":
            stage["per"] = self.random.choice(STREAK_PERIODS)
            stage["count"] = self.random.choice([1, 1, 1, 2, 3])
            stage["length"] = self.random.choice([1, 1, 2, 2, 3])
        if kind in ("combo", "streak"):
            stage["source"] = self.random.choice(SOURCES)
            stage["points"] = self.random.choice([0, 5, 20, 20, 50, 50])
        if kind == "earn":
            if self.likely(0.8):
                stage["points"] = self.random.choice([0, 1, 2, 5, 10, 10])
            if self.likely(0.5) or not stage.get("points"):
                stage["rate"] = self.random.choice(["0", "0.1", "0.29", "0.333", "1", "2.50"])
        if kind == "bonus":
            stage["percent"] = self.random.choice([10, 33, 50, 100, 100, 150])
        if kind in ("earn", "bonus"):
            limits = [self.make_limit() for _ in range(self.random.choice([0, 1, 2, 2, 2]))]
            if limits or self.likely(0.5):
                stage["limits"] = limits
        return stage

    def make_match(self, conditions: float) -> Json:
        """Kinds that are used, and so many conditions, most of them met by some action.

        Now and then it is all of the favourites, so that limits and stages have much to see.
        """
        if self.likely(0.35):
            return {"kinds": [kind["slug"] for kind in self.favourites]}
        sample = self.random.choice(self.actions)
        kinds = {sample["kind"]}
        while self.likely(0.45):
            kinds.add(self.make_kind()["slug"])
        match: Json = {"kinds": sorted(kinds)}
        found: list[Json] = []
        while self.likely(conditions) and len(found) < 3:
            found.append(self.make_condition(sample))
            conditions /= 2
        if found or self.likely(0.5):
            match["conditions"] = found
        return match

    def make_limit(self) -> Json:
        """A limit small enough to bite."""
        limit: Json = {"per": self.random.choice(PERIODS)}
        if self.likely(0.35):
            limit["by"] = self.random.choice(FIELDS)
        elif self.likely(0.3):
            limit["by"] = "customer"
        what = self.random.choice(["count", "points", "both", "both"])
        if what != "points":
            limit["count"] = self.random.choice([1, 1, 2, 3, 5])
        if what != "count":
            limit["points"] = self.random.choice([1, 3, 7, 12, 30])
        return limit

    # Conditions

    def make_condition(self, sample: Json) -> Json:
        """A condition that, three times in four, the sample action meets."""
        for _ in range(8):
            condition = self.any_condition()
            if self.likely(0.25) or self.meets(sample, condition):
                break
        return condition

    def any_condition(self) -> Json:
        """A condition on any field, with an operator that its type allows."""
        name = self.random.choice(FIELDS)
        ops = ["is", "is_not", "in", "not_in", "is_set", "is_not_set"]
        if name in ("quantity", "hour", "attributes.items", "attributes.made_on"):
            ops += [*COMPARISONS, *COMPARISONS]
        if name in ("channel", "venue"):
            ops += ["contains", "contains"]
        if name == "attributes.topic":
            ops += ["contains"] * 12
        op = self.random.choice(ops)
        condition: Json = {"field": name, "op": op}
        if op in ("in", "not_in"):
            condition["value"] = [self.make_value(name) for _ in range(self.random.randint(1, 3))]
        elif op == "contains":
            condition["value"] = self.random.choice(
                ["tea", "CAFÉ", "%", "_", "\\", "o", "WE", "YORK", "e%", "e_", "50% O"]
            )
        elif op not in ("is_set", "is_not_set"):
            condition["value"] = self.make_value(name)
        return condition

    def make_value(self, name: str) -> Any:
        """A value to compare a field with; numbers are JSON numbers or, exact, texts."""
        if name == "quantity":
            return self.random.choice([*QUANTITIES, 0, 1, 2, 3, 10])
        if name == "hour":
            return self.random.choice([0, 0, 1, 2, 9, 12, 18, 22, 23])
        plain = {"channel": CHANNELS, "venue": VENUES, "weekday": WEEKDAYS}
        values = plain.get(name) or ATTRIBUTE_VALUES[name.partition(".")[2]]
        return self.random.choice(values)

    def meets(self, action: Json, condition: Json) -> bool:
        """A guess at whether the action meets the condition: whether it has the value at all.

        It need not be right: it only makes empty rules rare.
        """
        name, op = condition["field"], condition["op"]
        if name in ("weekday", "hour"):
            value: Any = True
            if op in ("is", "in"):
                local = moment(action["occurred_at"]).astimezone(self.zone)
                value = WEEKDAYS[local.weekday()] if name == "weekday" else local.hour
        else:
            own = action.get("attributes") or {}
            value = own.get(name[11:]) if name.startswith("attributes.") else action.get(name)
        if value in (None, ""):
            return bool(op == "is_not_set")
        if op in ("is", "in"):
            wanted = condition["value"] if op == "in" else [condition["value"]]
            return value in wanted
        if op == "contains":
            return str(condition["value"]).lower() in str(value).lower()
        return bool(op != "is_not_set")

    # Drafts

    def make_effective_date(self) -> str:
        """A local date to publish from: the odd one, or one some weeks before or after it."""
        days = self.random.choice([0, 0, 1, -1, self.random.randint(-40, 14)])
        return (self.odd.astimezone(self.zone).date() + timedelta(days=days)).isoformat()

    def make_draft(self, current: Json, keep_traits: bool) -> Json:
        """The current document with one to four edits.

        With `keep_traits` a key keeps its type, source and `per`, which stages must share.
        """
        draft = deepcopy(current)
        for _ in range(self.random.randint(1, 4)):
            self.edit(draft, keep_traits)
        return draft

    def edit(self, draft: Json, keep_traits: bool) -> None:
        """One edit in place: a stage changed, renamed, taken away, moved in time; a new rule."""
        rules: list[Json] = draft["rules"]
        what = self.random.choice(
            ["change"] * 4 + ["rename", "drop", "drop key", "window", "simplify", "add", "sources"]
        )
        if what == "sources":
            draft["sources"] = self.make_sources()
        elif what == "add" or not rules:
            rules += self.make_rule()
        else:
            place = self.random.randrange(len(rules))
            stage = rules[place]
            others = [one for one in rules if one["key"] == stage["key"] and one is not stage]
            if what == "rename":
                stage["title"] = f"{stage['title']}, renamed"
            elif what == "drop":
                del rules[place]
            elif what == "drop key":
                draft["rules"] = [one for one in rules if one["key"] != stage["key"]]
            elif what == "simplify":
                draft["rules"] = [one for one in rules if one not in others]
                stage["starts"] = stage["ends"] = None
            elif what == "window" and not others:
                self.set_windows([stage])
            elif keep_traits or others or self.likely(0.7):
                rules[place] = self.changed(stage)
            else:
                kind = self.random.choice(["earn", "bonus", "combo", "streak"])
                rules[place] = self.make_stage(stage["key"], kind)

    def changed(self, stage: Json) -> Json:
        """The stage with one or two of its parts drawn anew, its window and traits kept.

        Its limits and a streak's numbers change most: they count on across stages.
        """
        fresh = self.with_traits(self.make_stage(stage["key"], stage["type"]), stage)
        names = [name for name in fresh if name not in ("key", "type", "title", "source", "per")]
        changed = deepcopy(stage)
        if stage["type"] == "streak" and self.likely(0.6):
            changed["count"] = self.random.choice([1, 2, 3])
            changed["length"] = self.random.choice([1, 2])
        elif changed.get("limits") and self.likely(0.8):
            self.change_limit(self.random.choice(changed["limits"]))
        if changed == stage or self.likely(0.3):
            name = self.random.choice(names)
            changed[name] = fresh[name]
        return changed

    def change_limit(self, limit: Json) -> None:
        """One edit in place: another N or M, one of them more or less, another counter."""
        what = self.random.choice(["more", "more", "add", "drop", "counter"])
        if what == "counter":
            fresh = self.make_limit()
            limit["per"] = fresh["per"]
            limit["by"] = fresh.get("by", "customer")
        elif what == "add":
            limit |= {"count": 2, "points": 12} | limit
        elif what == "drop" and "count" in limit and "points" in limit:
            del limit[self.random.choice(["count", "points"])]
        else:
            for number in ("count", "points"):
                if number in limit:
                    limit[number] += self.random.choice([1, 2, 5, 15])

    def with_traits(self, stage: Json, like: Json) -> Json:
        """The stage with what all stages of one rule must share."""
        for name in ("source", "per"):
            if name in like:
                stage[name] = like[name]
        return stage
