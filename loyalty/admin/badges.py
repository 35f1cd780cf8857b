"""Badges: a form for each criterion, made from what the criterion says of its parameters."""

from typing import Any, ClassVar

from django import forms
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from accounts.models import Brand
from loyalty import access
from loyalty.access import Task
from loyalty.admin.base import BrandFilter, BrandModelAdmin, dress
from loyalty.admin.rule_forms import PLAIN, ROWS, Rows, in_order, kind_choices, kinds_named
from loyalty.admin.sites import site
from loyalty.admin.theme import column
from scoring.badges import BadgeError, mark_badge_changed, parse_badge, parsed_badge
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
        fields = ("title", "slug", "source", "position")
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
            if field.kind in ROWS:
                continue
            entry = PLAIN[field.kind](field)
            entry.required = False  # the criterion itself says what it needs
            entry.label = capfirst(field.label)
            entry.help_text = field.help
            if field.kind == "kinds":
                entry.choices = kind_choices(vocabulary)  # type: ignore[attr-defined]
            made[f"parameter_{field.name}"] = entry
        measure = CRITERIA[name].measure
        for level in Badge.Level:
            made[f"level_{level}"] = forms.IntegerField(
                label=capfirst(level.label),
                required=False,
                widget=forms.TextInput(attrs={"inputmode": "numeric", "class": "staff-number"}),
                help_text=capfirst(measure) if level == Badge.Level.BRONZE else "",
            )
        return type("BadgeFormOfCriterion", (cls,), made)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        before = self.instance.parameters or {}
        for name in self.plain_names():
            self.initial.setdefault(f"parameter_{name}", before.get(name))
        for level, target in zip(Badge.Level, self.instance.levels or (), strict=False):
            self.initial.setdefault(f"level_{level}", target)
        self.rows = {
            field.name: Rows(
                ROWS[field.kind][0],
                vocabulary=self.vocabulary,
                prefix=f"parameter_{field.name}",
                data=self.data if self.is_bound else None,
                entries=before.get(field.name) or (),
                kinds=kinds_named(before.get("kinds") or (), self.vocabulary),
                blank=ROWS[field.kind][1],
                most=ROWS[field.kind][2],
            )
            for field in CRITERIA[self.criterion_name].fields
            if field.kind in ROWS
        }
        self.list_errors: dict[str, list[str]] = {}
        self.use_required_attribute = False
        dress(self)  # type: ignore[arg-type]

    @classmethod
    def plain_names(cls) -> list[str]:
        """The criterion's parameters that are one input each."""
        return [field.name for field in CRITERIA[cls.criterion_name].fields if field.kind in PLAIN]

    def lists(self) -> list[dict[str, Any]]:
        """The criterion's parameters that are lists of rows, for the template."""
        return [
            {
                "kind": field.kind,
                "label": capfirst(field.label),
                "rows": self.rows[field.name],
                "open": 1 if field.required and not self.rows[field.name].filled else 0,
                "errors": self.list_errors.get(field.name, ()),
            }
            for field in CRITERIA[self.criterion_name].fields
            if field.name in self.rows
        ]

    def clean(self) -> dict[str, Any]:
        """Read the badge as the engine does; its problems stand at their inputs."""
        cleaned = super().clean() or {}
        kinds = kinds_named(cleaned.get("parameter_kinds") or (), self.vocabulary)
        for rows in self.rows.values():
            rows.for_kinds(kinds)
        is_right = [rows.is_valid() for rows in self.rows.values()]
        own = [name for name in self.fields if name.startswith(("parameter_", "level_"))]
        if not all(is_right):
            self.add_error(None, _("Something is wrong in what it is earned for."))
        if not all(is_right) or any(name in self.errors for name in own):
            return cleaned
        try:
            parsed = parse_badge(
                criterion=self.criterion_name,
                parameters=self._parameters(cleaned),
                levels=self._levels(cleaned),
                vocabulary=self.vocabulary,
            )
        except BadgeError as error:
            for place, reason in error.problems:
                self._place(place, reason)
            return cleaned
        cleaned["parsed"] = parsed
        return cleaned

    def _parameters(self, cleaned: dict[str, Any]) -> dict[str, Any]:
        before = self.instance.parameters or {}
        parameters: dict[str, Any] = {name: rows.entries() for name, rows in self.rows.items()}
        for name in self.plain_names():
            value = cleaned.get(f"parameter_{name}")
            if isinstance(value, list):
                value = in_order(value, before.get(name) or ())
            if value not in (None, ""):
                parameters[name] = value
        return parameters

    def _levels(self, cleaned: dict[str, Any]) -> list[int | None]:
        # A level that is left out before a higher one is told as a mistake.
        levels = [cleaned.get(f"level_{level}") for level in Badge.Level]
        while len(levels) > 1 and levels[-1] is None:
            levels.pop()
        return levels

    def _place(self, place: str, reason: str) -> None:
        """Show a problem where it is: ``levels[1]``, ``parameters.kinds[0]`` or ``parameters.requires[0].count``."""
        words = str(capfirst(reason))
        if place.startswith("levels["):
            self.add_error(f"level_{int(place[7]) + 1}", words)
            return
        name, _dot, _rest = place.removeprefix("parameters.").replace("[", ".[").partition(".")
        if name in self.rows:
            within = place.removeprefix(f"parameters.{name}")
            if not within or not self.rows[name].place(within, reason):
                self.list_errors.setdefault(name, []).append(words)
            self.add_error(None, _("Something is wrong in what it is earned for."))
        else:
            self.add_error(f"parameter_{name}" if name in self.plain_names() else None, words)

    def save(self, commit: bool = True) -> Badge:  # noqa: FBT001, FBT002
        """Store the criterion with its parameters."""
        self.instance.criterion = self.criterion_name
        parsed = self.cleaned_data["parsed"]
        self.instance.parameters = dict(parsed.criterion.parameters_json())
        self.instance.levels = list(parsed.levels)
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
    change_form_template = "admin/badges/change_form.html"
    list_display = ("title", "words", "targets", "source", "position", "brand")
    list_filter = (BrandFilter, "source")
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
            return parsed_badge(badge, vocabulary=vocabulary).sentence(1, vocabulary)
        except BadgeError:
            return str(_("Cannot be earned: its kinds are gone."))

    @column(_("levels"))
    def targets(self, badge: Badge) -> str:
        """The targets, lowest first."""
        return " · ".join(number_format(target, force_grouping=True) for target in badge.levels)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001
        """Save it, and have everyone judged by what it says now."""
        super().save_model(request, obj, form, change)
        mark_badge_changed(badge=obj, now=timezone.now())

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
        label = capfirst(CRITERIA[form.criterion_name].label)
        plain = [f"parameter_{name}" for name in form.plain_names()]
        levels = [f"level_{level}" for level in Badge.Level]
        return [
            (None, {"fields": list(form.Meta.fields)}),
            *([(label, {"fields": plain})] if plain else []),
            (_("Levels") if plain else label, {"fields": levels}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return []

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Nothing from the address but what chooses the form."""
        return {}


site.register(Badge, BadgeAdmin)
