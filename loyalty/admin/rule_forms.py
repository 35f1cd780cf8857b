"""Forms for rules, made from what each rule type says of its parameters.

``Field.kind`` of a parameter chooses its part here: a plain input, or a list of rows (conditions,
limits, requirements). A new rule type made of these kinds of parameter needs no edit; a new kind
of parameter is a line in ``PLAIN`` or ``ROWS``. A part reads and writes its piece of the rule set
document and shows the problems that ``parse_rule_set`` finds at that piece.

Rows need no script: each list ends in a few blank rows, and a blank row says nothing.
"""

import csv
import datetime
import io
import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.forms.formsets import BaseFormSet, formset_factory
from django.utils.formats import sanitize_separators
from django.utils.text import capfirst, slugify
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Brand
from loyalty.admin.base import dress
from scoring.conditions import (
    FIELD_NAMES,
    OPERATORS,
    WEEKDAY_NAMES,
    WEEKDAYS,
    operators_of,
    type_of_field,
)
from scoring.limits import LIMITS_MAX
from scoring.models import KEY, Source
from scoring.periods import PERIODS
from scoring.problems import read_decimal, read_moment
from scoring.rules import RULE_TYPES, Field
from scoring.vocabulary import Kind, Vocabulary

PERIOD_LABELS = {
    "day": _("day"),
    "week": _("week (Monday to Sunday)"),
    "month": _("month"),
    "year": _("year"),
    "ever": _("ever"),
}
WITHOUT_VALUE = ("is_set", "is_not_set")
LISTS = ("in", "not_in")


def attribute_label(name: str) -> str:
    """An attribute's name for people."""
    return name.replace("_", " ")


def field_choices(vocabulary: Vocabulary) -> list[tuple[str, Any]]:
    """The fields that conditions and limits may name: those of every action, then attributes."""
    names = dict.fromkeys(name for kind in vocabulary.kinds.values() for name in kind.attributes)
    return [
        *((name, label) for name, label in FIELD_NAMES.items()),
        *((f"attributes.{name}", attribute_label(name)) for name in names),
    ]


def kind_choices(vocabulary: Vocabulary) -> list[tuple[str, str]]:
    """The brand's kinds, each with its source where the label does not say it."""
    return [
        (slug, f"{kind.label} · {kind.source.label}") for slug, kind in vocabulary.kinds.items()
    ]


def in_order(chosen: Iterable[str], before: Sequence[str]) -> list[str]:
    """What was chosen; what was there before keeps its order, so that nothing looks changed."""
    chosen = list(chosen)
    return [item for item in before if item in chosen] + [c for c in chosen if c not in before]


# --- values of conditions ------------------------------------------------------------------------


def words_of(value: Any, type_name: str | None, vocabulary: Vocabulary) -> str:
    """A condition's value as a person writes it; several with commas between."""
    if isinstance(value, list | tuple):
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(
            words_of(item, type_name, vocabulary) for item in value
        )
        return line.getvalue().replace(",", ", ") if '"' not in line.getvalue() else line.getvalue()
    if value is None:
        return ""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if type_name == "weekday" and value in WEEKDAY_NAMES:
        return str(WEEKDAY_NAMES[value])
    if type_name == "venue":
        return vocabulary.venue_names.get(value, value)
    return str(value)


def _read_number(text: str) -> int | str:
    number = read_decimal(sanitize_separators(text))
    if number is None:
        raise forms.ValidationError(
            _("“%(text)s” is not a number; write it like 10 or 9.50."), params={"text": text}
        )
    return int(number) if number == number.to_integral_value() else f"{number.normalize():f}"


def _read_hour(text: str) -> int:
    number = read_decimal(re.sub(r":00$", "", text))
    if number is None or number != number.to_integral_value() or not 0 <= number <= 23:
        raise forms.ValidationError(
            _("“%(text)s” is not an hour; write a number from 0 to 23."), params={"text": text}
        )
    return int(number)


def _read_yes_no(text: str) -> bool:
    for answer, words in {
        True: {"yes", "true", gettext("yes")},
        False: {"no", "false", gettext("no")},
    }.items():
        if text.casefold() in words:
            return answer
    raise forms.ValidationError(_("Write yes or no."))


def _read_date(text: str) -> str:
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        raise forms.ValidationError(
            _("“%(text)s” is not a date; write it like 2026-11-23."), params={"text": text}
        ) from None


def _read_weekday(text: str) -> str:
    for day in WEEKDAYS:
        if text.casefold() in {day, str(WEEKDAY_NAMES[day]).casefold()}:
            return day
    raise forms.ValidationError(
        _("“%(text)s” is not a day of the week; write it like Saturday."), params={"text": text}
    )


READERS: dict[str, Callable[[str], Any]] = {
    "number": _read_number,
    "hour": _read_hour,
    "yes_no": _read_yes_no,
    "date": _read_date,
    "weekday": _read_weekday,
}


def value_of(text: str, type_name: str, op: str, vocabulary: Vocabulary) -> Any:
    """What a person wrote, as the document has it; ValidationError with a sentence."""
    if op in LISTS:
        line = next(csv.reader([text], skipinitialspace=True), [])
        items = [item.strip() for item in line if item.strip()]
        return [value_of(item, type_name, "is", vocabulary) for item in items]
    if type_name == "venue" and op != "contains":
        for slug, name in vocabulary.venue_names.items():
            if text.casefold() in {slug.casefold(), name.casefold()}:
                return slug
        raise forms.ValidationError(_("There is no venue “%(text)s”."), params={"text": text})
    return READERS.get(type_name, str)(text)


# --- rows ----------------------------------------------------------------------------------------


class Row(forms.Form):
    """One row of a list. ``kinds`` are those that the rule (or requirement) names."""

    def __init__(self, *args: Any, vocabulary: Vocabulary, **kwargs: Any) -> None:
        self.vocabulary = vocabulary
        self.kinds: Sequence[Kind] = ()
        super().__init__(*args, **kwargs)
        self.build()
        dress(self)

    def build(self) -> None:
        """Fill in the choices that depend on the brand."""

    def says_something(self) -> bool:
        """Whether anything was chosen or written in the row."""
        return any(
            self.data.get(self.add_prefix(name)) for name in self.fields if name != "DELETE"
        ) and not self.data.get(self.add_prefix("DELETE"))

    @abstractmethod
    def entry(self) -> dict[str, Any]:
        """The row as its entry in the document."""

    def all_errors(self) -> list[str]:
        """Every problem of the row, for a summary."""
        return [str(error) for errors in self.errors.values() for error in errors]

    def place(self, path: str, reason: str) -> bool:
        """Show a problem at the field that ``path`` names; False if it is none of this row's."""
        name = re.split(r"[.\[]", path)[0]
        target = name if name in self.fields and name != "DELETE" else None
        self.add_error(target, capfirst(reason))
        return True


class ConditionRow(Row):
    """field, operator, value."""

    field = forms.ChoiceField(label=_("what"), required=False)
    op = forms.ChoiceField(label=_("how"), required=False)
    value = forms.CharField(label=_("value"), required=False, max_length=500)

    def build(self) -> None:
        blank = [("", _("choose …"))]
        self.fields["field"].choices = [*blank, *field_choices(self.vocabulary)]  # type: ignore[attr-defined]
        self.fields["op"].choices = [*blank, *OPERATORS.items()]  # type: ignore[attr-defined]
        self.fields["value"].widget.attrs["list"] = "condition-values"

    @staticmethod
    def initial_of(
        entry: Mapping[str, Any], kinds: Sequence[Kind], vocabulary: Vocabulary
    ) -> dict[str, Any]:
        """The entry as the row shows it."""
        return {
            "field": entry.get("field", ""),
            "op": entry.get("op", ""),
            "value": words_of(
                entry.get("value"), _type_of(entry.get("field", ""), kinds, vocabulary), vocabulary
            ),
        }

    def clean(self) -> dict[str, Any]:
        """Read the value by the type of the field, which the chosen kinds tell."""
        cleaned = super().clean() or {}
        if not self.says_something():
            return cleaned
        field, op, text = (cleaned.get(name) or "" for name in ("field", "op", "value"))
        if not field:
            self.add_error("field", _("Choose what this condition looks at."))
            return cleaned
        if not op:
            self.add_error("op", _("Choose how it compares."))
            return cleaned
        name = FIELD_NAMES.get(field) or attribute_label(field.removeprefix("attributes."))
        try:
            type_name = type_of_field(field, self.kinds, self.vocabulary)
        except ValueError:
            self.add_error(
                "field",
                _("The chosen kinds have “%(name)s” with different types.") % {"name": name},
            )
            return cleaned
        if type_name is None:
            self.add_error("field", _("No kind has “%(name)s”.") % {"name": name})
            return cleaned
        if op not in operators_of(type_name):
            self.add_error(
                "op",
                _("“%(op)s” does not go with “%(name)s”.") % {"op": OPERATORS[op], "name": name},
            )
            return cleaned
        if op in WITHOUT_VALUE:
            cleaned["typed"] = None
            return cleaned
        if not text:
            self.add_error("value", _("Write the value to compare with."))
            return cleaned
        try:
            cleaned["typed"] = value_of(text, type_name, op, self.vocabulary)
        except forms.ValidationError as error:
            self.add_error("value", error)
        return cleaned

    def entry(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        entry = {"field": cleaned["field"], "op": cleaned["op"]}
        if cleaned["op"] not in WITHOUT_VALUE:
            entry["value"] = cleaned.get("typed", cleaned["value"])
        return entry


def _type_of(field: str, kinds: Sequence[Kind], vocabulary: Vocabulary) -> str | None:
    try:
        return type_of_field(field, kinds, vocabulary)
    except ValueError:
        return None


class LimitRow(Row):
    """per, by, count, points."""

    count = forms.IntegerField(label=_("times"), required=False, min_value=1)
    points = forms.IntegerField(label=_("points"), required=False, min_value=1)
    per = forms.ChoiceField(label=_("in one"), required=False)
    by = forms.ChoiceField(label=_("for each"), required=False)

    def build(self) -> None:
        self.fields["per"].choices = [  # type: ignore[attr-defined]
            ("", _("choose …")),
            *((per, PERIOD_LABELS[per]) for per in PERIODS),
        ]
        self.fields["by"].choices = [  # type: ignore[attr-defined]
            ("", _("customer")),
            *(
                (name, _("customer and %(field)s") % {"field": label})
                for name, label in field_choices(self.vocabulary)
            ),
        ]

    @staticmethod
    def initial_of(
        entry: Mapping[str, Any], kinds: Sequence[Kind], vocabulary: Vocabulary
    ) -> dict[str, Any]:
        """The entry as the row shows it."""
        by = entry.get("by", "")
        return {
            "per": entry.get("per", ""),
            "by": "" if by == "customer" else by,
            "count": entry.get("count"),
            "points": entry.get("points"),
        }

    def clean(self) -> dict[str, Any]:
        """A limit needs a period, and a number of times or of points."""
        cleaned = super().clean() or {}
        if not self.says_something():
            return cleaned
        if not cleaned.get("per") and "per" not in self.errors:
            self.add_error("per", _("Choose the period."))
        if cleaned.get("count") is None and cleaned.get("points") is None and not self.errors:
            self.add_error("count", _("Write how many times, or how many points, or both."))
        return cleaned

    def entry(self) -> dict[str, Any]:
        return {
            name: value
            for name in ("per", "by", "count", "points")
            if (value := self.cleaned_data.get(name)) not in (None, "")
        }


class RequirementRow(Row):
    """kinds, count, and conditions of their own."""

    count = forms.IntegerField(
        label=_("at least how often"),
        required=False,
        min_value=1,
        widget=forms.NumberInput(attrs={"class": "staff-number"}),
    )
    kinds_chosen = forms.MultipleChoiceField(
        label=_("of"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conditions = Rows(
            ConditionRow,
            vocabulary=self.vocabulary,
            prefix=f"{self.prefix}-conditions",
            data=self.data if self.is_bound else None,
            entries=self.initial.get("conditions", ()),
            kinds=kinds_named(self.initial.get("kinds_chosen", ()), self.vocabulary),
            blank=2,
        )

    def build(self) -> None:
        self.fields["kinds_chosen"].choices = kind_choices(self.vocabulary)  # type: ignore[attr-defined]

    @staticmethod
    def initial_of(
        entry: Mapping[str, Any], kinds: Sequence[Kind], vocabulary: Vocabulary
    ) -> dict[str, Any]:
        """The entry as the row shows it."""
        return {
            "count": entry.get("count", 1),
            "kinds_chosen": list(entry.get("kinds") or ()),
            "conditions": list(entry.get("conditions") or ()),
        }

    def says_something(self) -> bool:
        return super().says_something() or (
            not self.data.get(self.add_prefix("DELETE")) and self.conditions.says_something()
        )

    def clean(self) -> dict[str, Any]:
        """A requirement names at least one kind."""
        cleaned = super().clean() or {}
        if not self.says_something():
            return cleaned
        chosen = cleaned.get("kinds_chosen") or []
        if not chosen:
            self.add_error("kinds_chosen", _("Choose at least one kind."))
        self.conditions.for_kinds(kinds_named(chosen, self.vocabulary))
        cleaned["conditions_valid"] = self.conditions.is_valid()
        return cleaned

    def is_valid(self) -> bool:
        return super().is_valid() and (
            not self.says_something() or bool(self.cleaned_data.get("conditions_valid"))
        )

    def entry(self) -> dict[str, Any]:
        return {
            "kinds": in_order(
                self.cleaned_data["kinds_chosen"], self.initial.get("kinds_chosen", ())
            ),
            "count": self.cleaned_data.get("count") or 1,
            "conditions": self.conditions.entries(),
        }

    def all_errors(self) -> list[str]:
        return [*super().all_errors(), *self.conditions.all_errors()]

    def place(self, path: str, reason: str) -> bool:
        if path.startswith("conditions["):
            return self.conditions.place(path.removeprefix("conditions"), reason)
        return super().place(re.sub(r"^kinds\b", "kinds_chosen", path), reason)


def kinds_named(slugs: Iterable[str], vocabulary: Vocabulary) -> list[Kind]:
    """The kinds of these slugs, unknown ones left out."""
    return [vocabulary.kinds[slug] for slug in slugs if slug in vocabulary.kinds]


class Rows:
    """A list of rows: those that are there and a few blank ones. A blank or removed row vanishes."""

    def __init__(
        self,
        row: type[Row],
        *,
        vocabulary: Vocabulary,
        prefix: str,
        data: Mapping[str, Any] | None,
        entries: Sequence[Mapping[str, Any]],
        kinds: Sequence[Kind] = (),
        blank: int = 3,
        most: int | None = None,
    ) -> None:
        if most is not None:
            blank = max(0, min(blank, most - len(entries)))
        factory = formset_factory(
            row,
            formset=BaseFormSet,
            extra=blank,
            can_delete=True,
            max_num=most if most is not None else 50,
            absolute_max=60,
        )
        # A form that does not show the list leaves it as it is.
        self.untouched: list[Any] = (
            list(entries) if data is not None and f"{prefix}-TOTAL_FORMS" not in data else []
        )
        self.formset = factory(
            data=data if data is not None and f"{prefix}-TOTAL_FORMS" in data else None,
            prefix=prefix,
            initial=[row.initial_of(entry, kinds, vocabulary) for entry in entries],  # type: ignore[attr-defined]
            form_kwargs={"vocabulary": vocabulary},
        )
        for form in self.formset.forms:
            # A blank row is no error, neither one that was emptied: ``entries`` leaves both out.
            form.empty_permitted = False
            form.use_required_attribute = False
            dress_delete(form)
        self.sent: list[Row] = []

    @property
    def prefix(self) -> str:
        return str(self.formset.prefix)

    @property
    def filled(self) -> list[Row]:
        """The rows to show openly: those that say something."""
        return [form for form in self.formset.forms if self._is_filled(form)]

    @property
    def blank(self) -> list[Row]:
        """The rows to offer for more."""
        return [form for form in self.formset.forms if not self._is_filled(form)]

    @staticmethod
    def _is_filled(form: Any) -> bool:
        if form.is_bound:
            return bool(form.says_something() or form.data.get(form.add_prefix("DELETE")))
        return bool(form.initial)

    def for_kinds(self, kinds: Sequence[Kind]) -> None:
        """Tell the rows which kinds they are about, before they are checked."""
        for form in self.formset.forms:
            form.kinds = kinds

    def says_something(self) -> bool:
        """Whether any row says anything."""
        return self.formset.is_bound and any(form.says_something() for form in self.formset.forms)

    def is_valid(self) -> bool:
        """Whether each row that says something is right."""
        if not self.formset.is_bound:
            return True
        self.sent = [form for form in self.formset.forms if form.says_something()]
        answers = [form.is_valid() for form in self.sent]  # each, so that all errors are told
        return all(answers)

    def entries(self) -> list[dict[str, Any]]:
        """The rows as their entries in the document, in order."""
        return [*self.untouched, *(form.entry() for form in self.sent)]

    def all_errors(self) -> list[str]:
        """Every problem of the rows, for a summary."""
        return [line for form in self.sent for line in form.all_errors()]

    def place(self, path: str, reason: str) -> bool:
        """Show a problem at ``[n].field``; False where there is no such row."""
        match = re.match(r"\[(\d+)\]\.?(.*)", path)
        if not match or int(match[1]) >= len(self.sent):
            return False
        return self.sent[int(match[1])].place(match[2], reason)


def dress_delete(form: forms.Form) -> None:
    """Name the box that removes a row."""
    if "DELETE" in form.fields:
        form.fields["DELETE"].label = _("remove")
        dress(form)


# --- a rule --------------------------------------------------------------------------------------


def _whole(field: Field) -> forms.Field:
    return forms.IntegerField(
        min_value=0, widget=forms.TextInput(attrs={"inputmode": "numeric", "class": "staff-number"})
    )


class ExactDecimal(forms.CharField):
    """A decimal number, as people of the language write it, kept as the text that says it exactly."""

    def clean(self, value: Any) -> str:
        text: str = sanitize_separators(super().clean(value).strip())
        if not text:
            return ""
        number = read_decimal(text)
        if number is None:
            raise forms.ValidationError(_("Write a number such as 1 or 0.5."))
        if number < 0:
            raise forms.ValidationError(_("Write a number that is 0 or more."))
        return text


def _decimal(field: Field) -> forms.Field:
    return ExactDecimal(
        widget=forms.TextInput(attrs={"inputmode": "decimal", "class": "staff-number"})
    )


def _per(field: Field) -> forms.Field:
    return forms.ChoiceField(
        choices=[("", _("choose …")), *((p, PERIOD_LABELS[p]) for p in field.choices or PERIODS)]
    )


def _source(field: Field) -> forms.Field:
    return forms.ChoiceField(
        choices=[("", _("choose …")), *((source.slug, source.label) for source in Source)]
    )


def _kinds(field: Field) -> forms.Field:
    return forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple)


PLAIN: dict[str, Callable[[Field], forms.Field]] = {
    "whole": _whole,
    "decimal": _decimal,
    "per": _per,
    "source": _source,
    "kinds": _kinds,
}
ROWS: dict[str, tuple[type[Row], int, int | None]] = {
    "conditions": (ConditionRow, 3, None),
    "limits": (LimitRow, LIMITS_MAX, LIMITS_MAX),
    "requires": (RequirementRow, 3, None),
}


class LocalMoment(forms.CharField):
    """A moment in the brand's time zone, to the minute. Untouched, it keeps its seconds."""

    def __init__(self, *, brand: Brand, before: Any, **kwargs: Any) -> None:
        self.brand = brand
        self.before = read_moment(before)
        kwargs["widget"] = forms.DateTimeInput(attrs={"type": "datetime-local"})
        super().__init__(**kwargs)

    def shown(self) -> str:
        """The moment that the rule has now, as the input shows it."""
        if self.before is None:
            return ""
        return self.before.astimezone(self.brand.zone).strftime("%Y-%m-%dT%H:%M")

    def clean(self, value: Any) -> str | None:
        text = super().clean(value)
        if not text:
            return None
        if self.before is not None and text == self.shown():
            return self.before.isoformat()
        try:
            local = datetime.datetime.fromisoformat(text).replace(tzinfo=self.brand.zone)
        except ValueError:
            raise forms.ValidationError(_("Write a date and a time.")) from None
        moment = local.astimezone(datetime.UTC)
        if moment.astimezone(self.brand.zone).replace(tzinfo=None) != local.replace(tzinfo=None):
            raise forms.ValidationError(_("The clocks are put forward over this time."))
        return moment.isoformat()


class RuleForm:
    """The form of one rule (one stage of it): plain inputs and lists of rows.

    ``entry`` is the rule's entry in the draft, or None for a new rule of ``rule_type``.
    """

    def __init__(
        self,
        *,
        brand: Brand,
        vocabulary: Vocabulary,
        rule_type: str,
        entry: Mapping[str, Any] | None,
        taken_keys: Iterable[str] = (),
        data: Any = None,
    ) -> None:
        self.brand = brand
        self.vocabulary = vocabulary
        self.rule_type = RULE_TYPES[rule_type]
        self.before: Mapping[str, Any] = entry or {}
        self.is_new = entry is None
        self.taken_keys = set(taken_keys)
        self.is_bound = data is not None
        self.plain = self._plain_form(data)
        kinds = kinds_named(self.before.get("kinds") or (), vocabulary)
        self.rows: dict[str, Rows] = {}
        self.list_errors: dict[str, list[str]] = {}
        for field in self.rule_type.fields:
            if field.kind not in ROWS:
                continue
            row, blank, most = ROWS[field.kind]
            self.rows[field.name] = Rows(
                row,
                vocabulary=vocabulary,
                prefix=field.name,
                data=data,
                entries=self.before.get(field.name) or (),
                kinds=kinds,
                blank=blank,
                most=most,
            )

    def _plain_form(self, data: Any) -> forms.Form:
        fields: dict[str, forms.Field] = {
            "title": forms.CharField(
                max_length=140,
                label=_("Title"),
                help_text=_("What customers read on a receipt and in the rule book."),
            )
        }
        initial: dict[str, Any] = {"title": self.before.get("title", "")}
        for field in self.rule_type.fields:
            if field.kind in ROWS:
                continue
            made = PLAIN[field.kind](field)
            # Left empty, a parameter is left out of the document; the engine says if it needs one.
            made.required = False
            made.label = capfirst(field.label)
            made.help_text = field.help
            if field.kind == "kinds":
                made.choices = kind_choices(self.vocabulary)  # type: ignore[attr-defined]
            fields[field.name] = made
            initial[field.name] = self.before.get(field.name)
        for name, label, words in (
            ("starts", _("From"), _("Empty: since ever.")),
            ("ends", _("Until"), _("Empty: for good.")),
        ):
            moment = LocalMoment(
                brand=self.brand,
                before=self.before.get(name),
                required=False,
                label=label,
                help_text=words,
            )
            fields[name] = moment
            initial[name] = moment.shown()
        if self.is_new:
            fields["key"] = forms.CharField(
                max_length=64,
                required=False,
                validators=[KEY],
                label=_("Key"),
                help_text=_("The rule's lasting name in records. Left empty, the title makes it."),
            )
        form_type = type("PlainForm", (forms.Form,), fields)
        form: forms.Form = form_type(data=data, initial=initial, prefix="rule")
        form.use_required_attribute = False
        dress(form)
        return form

    def parts(self) -> list[dict[str, Any]]:
        """The parts in the order in which the rule type names them; plain inputs side by side."""
        parts: list[dict[str, Any]] = []
        for field in self.rule_type.fields:
            if field.name in self.rows:
                parts.append(
                    {
                        "kind": field.kind,
                        "label": capfirst(field.label),
                        "rows": self.rows[field.name],
                        # A list that a rule cannot do without stands open.
                        "open": 1 if field.required and not self.rows[field.name].filled else 0,
                        "errors": self.list_errors.get(field.name, ()),
                    }
                )
            elif field.kind == "kinds":
                parts.append({"kind": field.kind, "input": self.plain[field.name]})
            elif parts and "inputs" in parts[-1]:
                parts[-1]["inputs"].append(self.plain[field.name])
            else:
                parts.append({"kind": "plain", "inputs": [self.plain[field.name]]})
        return parts

    def all_errors(self) -> list[str]:
        """Every problem with the label of where it is, for the summary on top."""
        lines = [str(error) for error in self.plain.non_field_errors()]
        lines += [
            f"{self.plain[name].label}: {error}"
            for name, errors in self.plain.errors.items()
            if name in self.plain.fields
            for error in errors
        ]
        labels = {field.name: capfirst(field.label) for field in self.rule_type.fields}
        for name, rows in self.rows.items():
            lines += [f"{labels[name]}: {error}" for error in self.list_errors.get(name, ())]
            lines += [f"{labels[name]}: {line}" for line in rows.all_errors()]
        return lines

    def is_valid(self) -> bool:
        """Check every part, so that all errors are told at once."""
        valid = self.plain.is_valid()
        kinds = kinds_named(self.plain.cleaned_data.get("kinds") or (), self.vocabulary)
        for rows in self.rows.values():
            rows.for_kinds(kinds)
            valid = rows.is_valid() and valid
        return valid

    def entry(self) -> dict[str, Any]:
        """The rule as its entry in the document; call when valid."""
        cleaned = self.plain.cleaned_data
        entry: dict[str, Any] = {
            "key": self.before.get("key") or cleaned.get("key") or self._new_key(cleaned["title"]),
            "type": self.rule_type.type,
            "title": cleaned["title"],
        }
        for field in self.rule_type.fields:
            if field.name in self.rows:
                entry[field.name] = self.rows[field.name].entries()
            elif field.kind == "kinds":
                entry[field.name] = in_order(cleaned[field.name], self.before.get(field.name) or ())
            elif cleaned[field.name] not in (None, ""):
                entry[field.name] = cleaned[field.name]
        return entry | {"starts": cleaned["starts"], "ends": cleaned["ends"]}

    def _new_key(self, title: str) -> str:
        base = slugify(title)[:60].strip("-_") or self.rule_type.type
        key, n = base, 2
        while key in self.taken_keys:
            key, n = f"{base}-{n}", n + 1
        return key

    def place(self, path: str, reason: str) -> bool:
        """Show a problem of this rule, at ``limits[0].per`` for example."""
        name = re.split(r"[.\[]", path)[0]
        if name in self.rows:
            if path == name or not self.rows[name].place(path.removeprefix(name), reason):
                self.list_errors.setdefault(name, []).append(str(capfirst(reason)))
            return True
        self.plain.add_error(name if name in self.plain.fields else None, capfirst(reason))
        return True


# --- the shape of the score ----------------------------------------------------------------------


class ShapeForm(forms.Form):
    """Weight, half-life and halfway point of each source; the weights sum to 100."""

    def __init__(self, *args: Any, sources: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for source in Source:
            shape = sources.get(source.slug, {})
            self._add(
                source,
                "weight",
                forms.IntegerField(min_value=0, max_value=100, label=_("Weight")),
                shape.get("weight"),
            )
            self._add(
                source,
                "half_life_days",
                ExactDecimal(required=False, label=_("Half-life in days")),
                shape.get("half_life_days"),
            )
            self._add(
                source,
                "halfway_points",
                ExactDecimal(label=_("Halfway point")),
                shape.get("halfway_points"),
            )
        self.use_required_attribute = False
        dress(self)

    def _add(self, source: Source, name: str, field: forms.Field, initial: Any) -> None:
        field.initial = "" if initial is None else initial
        field.widget = forms.TextInput(
            attrs={
                "inputmode": "numeric" if name == "weight" else "decimal",
                "class": "staff-number",
                "data-sum" if name == "weight" else "data-part": "weights",
                "aria-label": f"{source.label}: {field.label}",
            }
        )
        self.fields[f"{source.slug}.{name}"] = field

    def table(self) -> list[dict[str, Any]]:
        """One row a source, for the template."""
        return [
            {
                "source": source,
                "cells": [
                    self[f"{source.slug}.{name}"]
                    for name in ("weight", "half_life_days", "halfway_points")
                ],
            }
            for source in Source
        ]

    def total(self) -> int:
        """What the weights sum to, as far as they are numbers."""
        total = Decimal(0)
        for source in Source:
            total += read_decimal(self[f"{source.slug}.weight"].value()) or 0
        return int(total)

    def clean(self) -> dict[str, Any]:
        """The weights sum to 100."""
        cleaned = super().clean() or {}
        weights = [
            cleaned[name] for source in Source if (name := f"{source.slug}.weight") in cleaned
        ]
        if len(weights) == len(Source) and sum(weights) != 100:
            self.add_error(
                None,
                _("The six weights must sum to 100; they sum to %(total)s.")
                % {"total": sum(weights)},
            )
        return cleaned

    def sources(self) -> dict[str, Any]:
        """The ``sources`` part of the document; call when valid."""
        return {
            source.slug: {
                "weight": self.cleaned_data[f"{source.slug}.weight"],
                "half_life_days": self.cleaned_data[f"{source.slug}.half_life_days"] or None,
                "halfway_points": self.cleaned_data[f"{source.slug}.halfway_points"],
            }
            for source in Source
        }

    def place(self, path: str, reason: str) -> bool:
        """Show a problem at ``purchases.weight`` for example."""
        self.add_error(path if path in self.fields else None, capfirst(reason))
        return True
