"""Action kinds with their typed attributes, and venues."""

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.datastructures import MultiValueDict
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold import widgets

from loyalty.access import Task
from loyalty.admin.base import BrandFilter, BrandModelAdmin
from loyalty.admin.sites import site
from loyalty.admin.theme import column
from scoring.models import Action, ActionKind, RuleSet, Venue
from scoring.vocabulary import attribute_type

NAME_LENGTH = 64
ATTRIBUTE_TYPES = {
    "text": _("text"),
    "number": _("number"),
    "yes_no": _("yes or no"),
    "date": _("date"),
    "choice": _("one of these choices"),
}


class AttributesWidget(forms.Widget):
    """Rows of (name, type, choices), with three blank ones below; a blank name removes its row."""

    template_name = "admin/widgets/attributes.html"
    BLANK_ROWS = 3

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """The rows, each with the names of its three inputs."""
        context = super().get_context(name, value, attrs)
        rows = value if isinstance(value, list) else rows_of(value or {})
        rows = [row for row in rows if row["name"]]
        blank = {"name": "", "type": "text", "choices": ""}
        context["widget"].update(
            rows=[*rows, *[blank] * self.BLANK_ROWS],
            types=[(key, str(label)) for key, label in ATTRIBUTE_TYPES.items()],
            input_classes=" ".join(widgets.INPUT_CLASSES),
            select_classes=" ".join(widgets.SELECT_CLASSES),
        )
        return context

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        """The rows, by the project's templates: the forms' own renderer knows those of apps only."""
        return render_to_string(self.template_name, self.get_context(name, value, attrs))

    def value_from_datadict(
        self, data: Any, files: MultiValueDict[str, Any], name: str
    ) -> list[dict[str, str]]:
        """The rows as they were sent, blank ones left out."""
        columns = [data.getlist(f"{name}-{part}") for part in ("name", "type", "choices")]
        rows = [
            dict(zip(("name", "type", "choices"), (cell.strip() for cell in row), strict=True))
            for row in zip(*columns, strict=False)
        ]
        return [row for row in rows if row["name"] or row["choices"]]

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        """Whether the form did not show the rows at all."""
        return f"{name}-name" not in data


def rows_of(attributes: dict[str, Any]) -> list[dict[str, str]]:
    """Declared attributes as rows of text."""
    return [
        {
            "name": name,
            "type": attribute_type(declared),
            "choices": ", ".join(declared["choice"]) if isinstance(declared, dict) else "",
        }
        for name, declared in attributes.items()
    ]


class AttributesField(forms.Field):
    """Typed attributes: rows in, the declaration that ``ActionKind.attributes`` holds out."""

    widget = AttributesWidget

    def prepare_value(self, value: Any) -> list[dict[str, str]]:
        """Rows, whether they come from the database or from a form sent with errors."""
        return value if isinstance(value, list) else rows_of(value or {})

    def clean(self, value: list[dict[str, str]]) -> dict[str, Any]:
        """The declaration; ValidationError with a sentence for each row that is wrong."""
        declared: dict[str, Any] = {}
        problems: list[Any] = []
        for row in value or []:
            name, choices = row["name"], [c.strip() for c in row["choices"].split(",")]
            choices = [choice for choice in choices if choice]
            if not name:
                problems.append(_("An attribute with choices needs a name."))
                continue
            if len(name) > NAME_LENGTH:
                problems.append(_("“%(name)s…” is too long.") % {"name": name[:20]})
            if name in declared:
                problems.append(_("“%(name)s” is there twice.") % {"name": name})
            if row["type"] not in ATTRIBUTE_TYPES:
                problems.append(_("“%(name)s” needs a type.") % {"name": name})
            elif row["type"] == "choice" and not choices:
                problems.append(
                    _("“%(name)s”: write its choices, with commas between them.") % {"name": name}
                )
            elif row["type"] != "choice" and choices:
                problems.append(
                    _("“%(name)s” has choices, so its type must be “one of these choices”.")
                    % {"name": name}
                )
            declared[name] = (
                {"choice": list(dict.fromkeys(choices))} if row["type"] == "choice" else row["type"]
            )
        if problems:
            raise ValidationError(problems)
        return declared

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the rows say anything new."""
        return rows_of(initial or {}) != (data or [])


class ActionKindForm(forms.ModelForm):  # type: ignore[type-arg]
    """One kind of action with its attributes."""

    attributes = AttributesField(
        label=_("Attributes"),
        required=False,
        help_text=_(
            "What a record of this kind may say besides its quantity; rules can ask for it. "
            "Clear a name to remove its row. Save to get more blank rows."
        ),
    )

    class Meta:
        model = ActionKind
        fields = ("brand", "label", "slug", "source", "unit", "attributes")
        help_texts: ClassVar[dict[str, Any]] = {
            "slug": _("The name that records use for it. It stays as it is."),
            "source": _("The source whose points this kind of action earns."),
            "unit": _(
                "What its quantity counts, such as km. Write “money” for the brand's currency; "
                "leave it empty for actions without a quantity."
            ),
        }

    def clean_attributes(self) -> dict[str, Any]:
        """Refuse to change or remove the type of an attribute that actions carry."""
        after: dict[str, Any] = self.cleaned_data["attributes"]
        if not self.instance.pk:
            return after
        before = ActionKind.objects.get(pk=self.instance.pk).attributes
        problems: list[Any] = []
        for name, declared in before.items():
            kept = name in after and attribute_type(after[name]) == attribute_type(declared)
            if not kept and is_carried(self.instance, name):
                problems.append(
                    _("Actions carry “%(name)s” already: its type stays %(type)s.")
                    % {"name": name, "type": ATTRIBUTE_TYPES[attribute_type(declared)]}
                )
        if problems:
            raise ValidationError(problems)
        return after


def is_carried(kind: ActionKind, name: str) -> bool:
    """Whether any action of the kind has this attribute."""
    return Action.objects.filter(
        brand_id=kind.brand_id, kind=kind, attributes__has_key=name
    ).exists()


class ActionKindAdmin(BrandModelAdmin):
    """What the brand lets customers do."""

    see = add = edit = Task.EDIT_SETUP
    form = ActionKindForm
    fields = ("brand", "label", "slug", "source", "unit", "attributes")
    list_display = ("label", "slug", "source", "unit_word", "attribute_names", "brand")
    list_filter = (BrandFilter, "source")
    list_select_related = ("brand",)
    search_fields = ("label", "slug")
    ordering = ("brand", "source", "label")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        """Records know a kind by its slug, and published rules by its source."""
        fields = super().get_readonly_fields(request, obj)
        if not isinstance(obj, ActionKind):
            return fields
        published = RuleSet.objects.filter(brand_id=obj.brand_id, version__isnull=False)
        return [*fields, "slug", *(["source"] if published.exists() else [])]

    @column(_("unit"))
    def unit_word(self, kind: ActionKind) -> str:
        """The unit, or the brand's currency."""
        return kind.brand.currency if kind.unit == ActionKind.MONEY else kind.unit

    @column(_("attributes"))
    def attribute_names(self, kind: ActionKind) -> str:
        """The attributes with their types in words."""
        return format_html_join(
            ", ",
            "{} ({})",
            (
                (name, ATTRIBUTE_TYPES[attribute_type(declared)])
                for name, declared in kind.attributes.items()
            ),
        )


class VenueAdmin(BrandModelAdmin):
    """Where customers check in."""

    see = add = edit = Task.EDIT_SETUP
    fields = ("brand", "name", "slug", "check_in_code")
    list_display = ("name", "slug", "check_in_code", "brand")
    list_filter = (BrandFilter,)
    list_select_related = ("brand",)
    search_fields = ("name", "slug")
    ordering = ("brand", "name")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        """Records and rules know a venue by its slug."""
        fields = super().get_readonly_fields(request, obj)
        return fields if obj is None else [*fields, "slug"]


site.register(ActionKind, ActionKindAdmin)
site.register(Venue, VenueAdmin)
