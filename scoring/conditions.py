"""Conditions: ``field operator value``, as docs/scoring.md has them under “Conditions”.

A condition on a value that the action does not have is false; ``is_not_set`` alone is then true.
In SQL a condition speaks of the relation ``fact`` (see ``scoring.facts``).
"""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from psycopg import sql

from .problems import Problem, Reader, read_date, read_decimal, unstorable
from .vocabulary import Kind, Vocabulary, attribute_type
from .words import all_of, any_of, figure

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEKDAY_NAMES = {
    "mon": _("Monday"),
    "tue": _("Tuesday"),
    "wed": _("Wednesday"),
    "thu": _("Thursday"),
    "fri": _("Friday"),
    "sat": _("Saturday"),
    "sun": _("Sunday"),
}
FIELDS = ("quantity", "channel", "venue", "weekday", "hour")
FIELD_NAMES = {
    "quantity": _("quantity"),
    "channel": _("channel"),
    "venue": _("venue"),
    "weekday": _("weekday"),
    "hour": _("hour"),
}
OPERATORS = {
    "is": _("is"),
    "is_not": _("is not"),
    "in": _("is one of"),
    "not_in": _("is none of"),
    "at_least": _("is at least"),
    "more_than": _("is more than"),
    "at_most": _("is at most"),
    "less_than": _("is less than"),
    "contains": _("contains"),
    "is_set": _("is given"),
    "is_not_set": _("is not given"),
}
# The same, of a field and a value, as they follow “when”.
_HOLDS = {
    "is": _("%(field)s is %(value)s"),
    "is_not": _("%(field)s is not %(value)s"),
    "in": _("%(field)s is one of %(value)s"),
    "not_in": _("%(field)s is none of %(value)s"),
    "at_least": _("%(field)s is at least %(value)s"),
    "more_than": _("%(field)s is more than %(value)s"),
    "at_most": _("%(field)s is at most %(value)s"),
    "less_than": _("%(field)s is less than %(value)s"),
    "contains": _("%(field)s contains %(value)s"),
    "is_set": _("%(field)s is given"),
    "is_not_set": _("%(field)s is not given"),
}
_COMPARISONS = {
    "is": "=",
    "is_not": "<>",
    "at_least": ">=",
    "more_than": ">",
    "at_most": "<=",
    "less_than": "<",
}
_ORDERED = ("at_least", "more_than", "at_most", "less_than")
_BY_TYPE = {
    "number": ("is", "is_not", "in", "not_in", *_ORDERED, "is_set", "is_not_set"),
    "date": ("is", "is_not", "in", "not_in", *_ORDERED, "is_set", "is_not_set"),
    "text": ("is", "is_not", "in", "not_in", "contains", "is_set", "is_not_set"),
    "choice": ("is", "is_not", "in", "not_in", "contains", "is_set", "is_not_set"),
    "venue": ("is", "is_not", "in", "not_in", "contains", "is_set", "is_not_set"),
    "weekday": ("is", "is_not", "in", "not_in", "is_set", "is_not_set"),
    "hour": ("is", "is_not", "in", "not_in", *_ORDERED, "is_set", "is_not_set"),
    "yes_no": ("is", "is_not", "in", "not_in", "is_set", "is_not_set"),
}


def literal(value: Any) -> sql.Composable:
    """A constant of a rule inside a statement that also has named parameters."""
    if isinstance(value, str):
        # A percent sign in the text of a statement with parameters must be doubled.
        quoted = sql.Literal(value).as_string(None).replace("%", "%%")
        return sql.SQL(quoted)
    return sql.Literal(value)


def field_name(field: str) -> str:
    """A field in words; an attribute's name is the brand's own."""
    return str(FIELD_NAMES.get(field) or field.removeprefix("attributes.").replace("_", " "))


def operators_of(type_name: str) -> Sequence[str]:
    """The operators that a value of this type takes."""
    return _BY_TYPE[type_name]


def type_of_field(field: str, kinds: Sequence[Kind], vocabulary: Vocabulary) -> str | None:
    """The type of a field's values for these kinds, or None if the brand knows no such field.

    An attribute that only other kinds of the brand declare is one that these actions never have.
    Raises ValueError where two kinds declare the attribute with different types.
    """
    if field == "quantity":
        return "number"
    if field == "channel":
        return "text"
    if field in ("venue", "weekday", "hour"):
        return field
    name = field.removeprefix("attributes.")
    if name == field:
        return None
    declaring = [kind for kind in kinds if name in kind.attributes] or [
        kind for kind in vocabulary.kinds.values() if name in kind.attributes
    ]
    types = {attribute_type(kind.attributes[name]) for kind in declaring}
    if len(types) > 1:
        raise ValueError(field)
    return types.pop() if types else None


def field_sql(field: str, type_name: str) -> sql.Composable:
    """SQL for a field's value: a number, date, text, boolean, venue's id or weekday's word, or NULL."""
    fixed = {
        "quantity": "fact.quantity",
        "channel": "fact.channel",
        "venue": "fact.venue_id",
        "weekday": "to_char(fact.local_at, 'dy')",
        "hour": "date_part('hour', fact.local_at)::int",
    }
    if field in fixed:
        return sql.SQL(fixed[field])
    text = sql.SQL("(fact.attributes ->> {})").format(literal(field.removeprefix("attributes.")))
    casts = {"number": "{}::numeric", "date": "{}::date", "yes_no": "{}::boolean"}
    cast = casts.get(type_name, '({} COLLATE "C")')
    return sql.SQL(cast).format(text)


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a rule. ``value`` is typed: str, Decimal, date, bool, or a tuple of these."""

    field: str
    op: str
    value: Any
    type: str

    def to_json(self) -> dict[str, Any]:
        """The condition as it stands in the rule set document."""
        document: dict[str, Any] = {"field": self.field, "op": self.op}
        if self.op not in ("is_set", "is_not_set"):
            document["value"] = (
                [_plain(item) for item in self.value]
                if isinstance(self.value, tuple)
                else _plain(self.value)
            )
        return document

    def to_sql(self, vocabulary: Vocabulary) -> sql.Composable:
        """A predicate on ``fact`` that is true or false, or NULL where the value is missing."""
        value = field_sql(self.field, self.type)
        if self.op == "is_set":
            return sql.SQL("{} IS NOT NULL").format(value)
        if self.op == "is_not_set":
            return sql.SQL("{} IS NULL").format(value)
        if self.op == "contains":
            if self.type == "venue":
                # By look-up, so that a venue that opens later is seen by rules published before.
                value = sql.SQL("(SELECT slug FROM scoring_venue WHERE id = fact.venue_id)")
            return sql.SQL(
                "strpos(lower({} COLLATE pg_c_utf8), lower({} COLLATE pg_c_utf8)) > 0"
            ).format(value, literal(self.value))
        items = self.value if isinstance(self.value, tuple) else (self.value,)
        if self.type == "venue":
            items = tuple(vocabulary.venues[item] for item in items)
        if self.op == "in":
            return self._among(value, items)
        if self.op == "not_in":
            return sql.SQL("NOT ({})").format(self._among(value, items))
        return sql.SQL("{} {} {}").format(
            value,
            sql.SQL(_COMPARISONS[self.op]),
            literal(items[0]),
        )

    def _among(self, value: sql.Composable, items: Sequence[Any]) -> sql.Composable:
        return sql.SQL("{} IN ({})").format(value, sql.SQL(", ").join(map(literal, items)))

    def sentence(self, vocabulary: Vocabulary) -> str:
        """The condition in words, as they follow “when”."""
        words = {"field": field_name(self.field), "value": self.value_words(vocabulary)}
        return str(_HOLDS[self.op] % words)

    def value_words(self, vocabulary: Vocabulary) -> str:
        """The value in words, several joined by “or”; empty where the operator takes none."""
        if self.value is None:
            return ""
        items = self.value if isinstance(self.value, tuple) else (self.value,)
        return any_of([str(self._word(item, vocabulary)) for item in items])

    def _word(self, item: Any, vocabulary: Vocabulary) -> Any:
        if self.type == "weekday":
            return WEEKDAY_NAMES[item]
        if self.type == "venue":
            return vocabulary.venue_names.get(item, item)
        if self.type == "yes_no":
            return _("yes") if item else _("no")
        if self.type == "hour":
            return f"{int(item)}:00"
        if isinstance(item, Decimal):
            return figure(item.normalize())
        if isinstance(item, datetime.date):
            return date_format(item)
        return item


def with_conditions(what: str, conditions: Iterable[Condition], vocabulary: Vocabulary) -> str:
    """What is done, and under which conditions: “Purchase before 9:00, when items is at least 2”."""
    rest = []
    for condition in conditions:
        words = {"actions": what, "value": condition.value_words(vocabulary)}
        match condition.field, condition.op:
            case "venue", "is" | "in":
                what = gettext("%(actions)s at %(value)s") % words
            case "weekday", "is" | "in":
                what = gettext("%(actions)s on %(value)s") % words
            case "hour", "less_than":
                what = gettext("%(actions)s before %(value)s") % words
            case "hour", "at_least":
                what = gettext("%(actions)s from %(value)s on") % words
            case _field, _op:
                rest.append(condition.sentence(vocabulary))
    if not rest:
        return what
    return gettext("%(actions)s, when %(conditions)s") % {
        "actions": what,
        "conditions": all_of(rest),
    }


def _plain(value: Any) -> Any:
    """A typed value as JSON has it; decimals as text, so that they stay exact."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else f"{value.normalize():f}"
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value


def _read_value(value: Any, type_name: str) -> tuple[Any, str | None]:
    """One typed value and None, or None and the reason why it is not of the type."""
    if type_name in ("number", "hour"):
        number = read_decimal(value)
        if number is None:
            return None, gettext("must be a number; it is %(value)r") % {"value": value}
        if type_name == "hour" and not (0 <= number <= 23 and number == int(number)):
            return None, gettext("must be an hour from 0 to 23; it is %(value)r") % {"value": value}
        return number, None
    if type_name == "yes_no":
        return (
            (value, None)
            if isinstance(value, bool)
            else (None, gettext("must be true or false; it is %(value)r") % {"value": value})
        )
    if type_name == "date":
        day = read_date(value)
        if day is not None:
            return day, None
        return None, gettext("must be a date such as 2026-11-23; it is %(value)r") % {
            "value": value
        }
    if not isinstance(value, str) or value == "":
        return None, gettext("must be a text; it is %(value)r") % {"value": value}
    if unstorable(value):
        return None, unstorable(value)
    if type_name == "weekday" and value not in WEEKDAYS:
        return None, gettext("must be one of %(choices)s; it is %(value)r") % {
            "choices": ", ".join(WEEKDAYS),
            "value": value,
        }
    return value, None


def parse_conditions(
    items: Sequence[tuple[str, Any]],
    kinds: Sequence[Kind],
    vocabulary: Vocabulary,
    problems: list[Problem],
) -> tuple[Condition, ...]:
    """Read the conditions of a rule that names these kinds; problems are collected with their places."""
    conditions = [
        _parse_condition(place, item, kinds, vocabulary, problems) for place, item in items
    ]
    return tuple(condition for condition in conditions if condition is not None)


def _parse_condition(
    place: str,
    item: Any,
    kinds: Sequence[Kind],
    vocabulary: Vocabulary,
    problems: list[Problem],
) -> Condition | None:
    before = len(problems)
    reader = Reader.of(place, item, problems)
    field = reader.text("field")
    op = reader.choice("op", OPERATORS)
    raw = reader.get("value")
    reader.done()
    if len(problems) > before:
        return None
    type_name = _checked_type(reader, field, op, kinds, vocabulary)
    if type_name is None:
        return None
    value = _parse_value(reader, raw, op, type_name, vocabulary)
    return Condition(field, op, value, type_name) if len(problems) == before else None


def _checked_type(
    reader: Reader, field: str, op: str, kinds: Sequence[Kind], vocabulary: Vocabulary
) -> str | None:
    """The type of the field's values; None, with a problem, where it has none or ``op`` does not go with it."""
    try:
        type_name = type_of_field(field, kinds, vocabulary)
    except ValueError:
        reader.problem(
            "field", gettext("%(field)s has different types in these kinds") % {"field": field}
        )
        return None
    if type_name is None:
        reader.problem(
            "field",
            gettext(
                "must be one of %(choices)s or an attribute that a kind declares (attributes.NAME); it is %(field)r"
            )
            % {"choices": ", ".join(FIELDS), "field": field},
        )
        return None
    if op not in operators_of(type_name):
        reader.problem(
            "op",
            gettext("%(op)s does not go with %(field)s, which is a %(type_name)s")
            % {"op": op, "field": field, "type_name": type_name},
        )
        return None
    return type_name


def _parse_value(reader: Reader, raw: Any, op: str, type_name: str, vocabulary: Vocabulary) -> Any:
    """The typed value that an operator takes: nothing, several or one."""
    if op in ("is_set", "is_not_set"):
        if raw is not None:
            reader.problem("value", gettext("%(op)s takes no value") % {"op": op})
        return None
    if op not in ("in", "not_in"):
        return _parse_one(reader, "value", raw, op, type_name, vocabulary)
    if not isinstance(raw, list | tuple) or not raw:
        reader.problem("value", gettext("%(op)s takes a list of at least one value") % {"op": op})
        return None
    return tuple(
        _parse_one(reader, f"value[{n}]", one, op, type_name, vocabulary)
        for n, one in enumerate(raw)
    )


def _parse_one(
    reader: Reader, key: str, raw: Any, op: str, type_name: str, vocabulary: Vocabulary
) -> Any:
    value, reason = _read_value(raw, type_name)
    if reason is None:
        reason = _unknown_venue(value, op, type_name, vocabulary)
    if reason is not None:
        reader.problem(key, reason)
    return value


def _unknown_venue(value: Any, op: str, type_name: str, vocabulary: Vocabulary) -> str | None:
    if type_name == "venue" and op != "contains" and value not in vocabulary.venues:
        return f"the brand has no venue {value!r}"
    return None
