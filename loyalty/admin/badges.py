"""Badges: a form for each criterion, made from what the criterion says of its parameters."""

from typing import Any, ClassVar

from django import forms
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from accounts.models import Brand
from loyalty import access
from loyalty.access import Task
from loyalty.admin.base import BrandFilter, BrandModelAdmin, dress
from loyalty.admin.rule_forms import PLAIN, in_order, kind_choices
from loyalty.admin.sites import site
from loyalty.admin.theme import column
from scoring.badges import BadgeError, criterion_of, parse_criterion
from scoring.criteria import CRITERIA
from scoring.models import Badge
from scoring.vocabulary import Vocabulary


class BadgeForm(forms.ModelForm):  # type: ignore[type-arg]
    """A badge of one criterion; ``for_criterion`` makes the class with the criterion's inputs."""

    criterion_name: ClassVar[str] = ""
    brand: ClassVar[Brand]
    vocabulary: ClassVar[Vocabulary]

    class Meta:
        model = Badge
        fields = ("title", "slug", "source", "level", "position")
        help_texts: ClassVar[dict[str, Any]] = {
            "slug": _("The badge's name in addresses and records."),
            "source": _("Whose colour and mark the badge bears."),
            "position": _("Badges are listed by this number, smallest first."),
        }

    @classmethod
    def for_criterion(cls, name: str, brand: Brand) -> type["BadgeForm"]:
        """The form class for badges of a brand with this criterion."""
        vocabulary = Vocabulary.of(brand)
        made: dict[str, Any] = {
            "criterion_name": name,
            "brand": brand,
            "vocabulary": vocabulary,
            "Meta": cls.Meta,
            "__module__": cls.__module__,
        }
        for field in CRITERIA[name].fields:
            entry = PLAIN[field.kind](field)
            entry.required = False  # the criterion itself says what it needs
            entry.label = capfirst(field.label)
            entry.help_text = field.help
            if field.kind == "kinds":
                entry.choices = kind_choices(vocabulary)  # type: ignore[attr-defined]
            made[f"parameter_{field.name}"] = entry
        return type("BadgeFormOfCriterion", (cls,), made)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        before = self.instance.parameters or {}
        for name in self.parameter_names():
            self.initial.setdefault(f"parameter_{name}", before.get(name))
        self.use_required_attribute = False
        dress(self)  # type: ignore[arg-type]

    @classmethod
    def parameter_names(cls) -> list[str]:
        """The criterion's parameters."""
        return [field.name for field in CRITERIA[cls.criterion_name].fields]

    def clean(self) -> dict[str, Any]:
        """Read the parameters as the criterion does; its problems stand at their inputs."""
        cleaned = super().clean() or {}
        parameters: dict[str, Any] = {}
        before = self.instance.parameters or {}
        for name in self.parameter_names():
            value = cleaned.get(f"parameter_{name}")
            if isinstance(value, list):
                value = in_order(value, before.get(name) or ())
            if value not in (None, ""):
                parameters[name] = value
        if any(f"parameter_{name}" in self.errors for name in self.parameter_names()):
            return cleaned
        try:
            parsed = parse_criterion(
                criterion=self.criterion_name, parameters=parameters, vocabulary=self.vocabulary
            )
        except BadgeError as error:
            for place, reason in error.problems:
                name = place.removeprefix("parameters.").split("[")[0]
                known = name in self.parameter_names()
                self.add_error(f"parameter_{name}" if known else None, capfirst(reason))
            return cleaned
        cleaned["parsed"] = dict(parsed.parameters_json())
        return cleaned

    def save(self, commit: bool = True) -> Badge:  # noqa: FBT001, FBT002
        """Store the criterion with its parameters."""
        self.instance.criterion = self.criterion_name
        self.instance.parameters = self.cleaned_data["parsed"]
        if not self.instance.pk:
            self.instance.brand = self.brand
        badge: Badge = super().save(commit)
        return badge

    def _get_validation_exclusions(self) -> set[str]:
        # The brand is not an input, but a slug must be unique in it: check it all the same.
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        if not self.instance.pk:
            self.instance.brand = self.brand
        return excluded - {"brand"}


class BadgeAdmin(BrandModelAdmin):
    """A brand's badges."""

    see = add = edit = remove = Task.EDIT_SETUP
    list_display = ("title", "words", "level", "source", "position", "brand")
    list_filter = (BrandFilter, "source", "level")
    search_fields = ("title", "slug")
    ordering = ("brand", "position", "pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # Prefetched, the rows of a brand share one brand object, on which ``words`` keeps its words.
        return super().get_queryset(request).prefetch_related("brand")

    @column(_("earned for"))
    def words(self, badge: Badge) -> str:
        """The criterion in words."""
        brand: Any = badge.brand
        if not hasattr(brand, "vocabulary"):
            brand.vocabulary = Vocabulary.of(brand)
        vocabulary = brand.vocabulary
        try:
            return str(criterion_of(badge, vocabulary=vocabulary).sentence(vocabulary))
        except BadgeError:
            return str(_("Cannot be earned: its kinds are gone."))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """First the choice of a criterion (and brand), then its form."""
        brands = list(access.staff_brands(request.user, Task.EDIT_SETUP))
        if self.has_add_permission(request) and "criterion" not in request.GET:
            request.current_app = self.admin_site.name
            return TemplateResponse(
                request,
                "admin/badges/choose.html",
                {
                    **self.admin_site.each_context(request),
                    "title": _("Add badge"),
                    "opts": self.opts,
                    "brands": brands,
                    "several": len(brands) > 1,
                    # As plain values: a template would call a class.
                    "criteria": [
                        {"name": name, "label": each.label} for name, each in CRITERIA.items()
                    ],
                },
            )
        return super().add_view(request, form_url, extra_context)

    def get_form(
        self,
        request: HttpRequest,
        obj: Model | None = None,
        change: bool = False,  # noqa: FBT001, FBT002
        **kwargs: Any,
    ) -> type[BadgeForm]:
        """The form of the badge's criterion, or of the one that the address names."""
        if isinstance(obj, Badge):
            name, brand = obj.criterion, obj.brand
        else:
            name = request.GET.get("criterion", "")
            brands = access.staff_brands(request.user, Task.EDIT_SETUP)
            wanted = request.GET.get("brand", "")
            found = brands.filter(slug=wanted).first() if wanted else brands.first()
            if found is None:
                raise Http404
            brand = found
        if name not in CRITERIA:
            raise Http404
        return BadgeForm.for_criterion(name, brand)

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """What it is, and what it is earned for."""
        form = self.get_form(request, obj)
        label = CRITERIA[form.criterion_name].label
        return [
            (None, {"fields": list(form.Meta.fields)}),
            (
                capfirst(label),
                {"fields": [f"parameter_{name}" for name in form.parameter_names()]},
            ),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return []

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Nothing from the address but what chooses the form."""
        return {}


site.register(Badge, BadgeAdmin)
