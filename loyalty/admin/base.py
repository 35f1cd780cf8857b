"""What the areas of the admin share: scope by brand, pages of a brand, paging over big tables."""

from collections.abc import Callable
from typing import Any, ClassVar, cast

from django.contrib.admin import SimpleListFilter
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import ForeignKey, Model, QuerySet
from django.forms import Form, ModelChoiceField
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.views import View
from unfold import widgets

from accounts.models import Brand, User
from loyalty import access
from loyalty.access import Task
from loyalty.admin.sites import site
from loyalty.admin.theme import ThemeAdmin, ThemeList

# What stands where there is nothing to show.
NOTHING = "\u2013"


class BrandModelAdmin(ThemeAdmin):
    """An admin of rows that belong to a brand. A user meets the rows of the brands they work for.

    ``brand_path`` leads from a row to its brand. ``see``, ``add``, ``edit`` and ``remove`` name
    the task that a person must hold for it; None: nobody may, an operator neither. Rows of other
    brands do not exist: lists, choices and autocompletion leave them out, their pages are 404.
    """

    brand_path: ClassVar[str] = "brand"
    see: ClassVar[Task]
    add: ClassVar[Task | None] = None
    edit: ClassVar[Task | None] = None
    remove: ClassVar[Task | None] = None
    list_filter_sheet = True
    list_filter_submit = False
    list_per_page = 50
    show_full_result_count = False
    empty_value_display = NOTHING

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows of the brands for which the user may see them."""
        rows = super().get_queryset(request)
        if request.user.is_superuser and access.staff_may(request.user, self.see):
            return rows
        brands = access.staff_brands(request.user, self.see)
        # Keys, not a subquery: with one brand the planner then walks that brand's index.
        return rows.filter(**{f"{self.brand_path}__in": list(brands.values_list("pk", flat=True))})

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Model:
        """The row; Http404 where it is none of this user's, whatever page asked for it."""
        obj: Model | None = super().get_object(request, object_id, from_field)
        if obj is None:
            raise Http404
        return obj

    def brand_of(self, obj: Model) -> int:
        """The key of the row's brand."""
        value: Any = obj
        for name in self.brand_path.split("__")[:-1]:
            value = getattr(value, name)
        last = self.brand_path.split("__")[-1]
        return int(value.pk if last == "pk" else getattr(value, f"{last}_id"))

    def _may(self, request: HttpRequest, task: Task | None, obj: Model | None) -> bool:
        if task is None:
            return False
        brand = self.brand_of(obj) if obj is not None else None
        return access.staff_may(request.user, task, brand=brand)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request, self.see, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request, self.add, None)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request, self.edit, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request, self.remove, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return access.staff_may(request.user, self.see)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        """A row stays with the brand in which it was made."""
        fields = list(super().get_readonly_fields(request, obj))
        if obj is not None and self.brand_path == "brand" and "brand" not in fields:
            fields.append("brand")
        return fields

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Any] | None:
        """Offer only brands for which the user may add rows; the only one is chosen already."""
        if db_field.related_model is Brand and self.add is not None:
            brands = access.staff_brands(request.user, self.add)
            kwargs["queryset"] = brands
            if len(brands) == 1:
                kwargs["initial"] = brands[0]
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Leave the brand's column out for people of one brand."""
        return [
            column
            for column in super().get_list_display(request)
            if column != "brand" or sees_several_brands(request)
        ]

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        """Leave the brand's filter out for people of one brand."""
        return [
            entry
            for entry in super().get_list_filter(request)
            if entry is not BrandFilter or sees_several_brands(request)
        ]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type["CappedList"]:
        """A list whose title does not count twice."""
        return CappedList

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """No bulk deletion anywhere: what goes, goes one by one and is seen first."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions


def sees_several_brands(request: HttpRequest) -> bool:
    """Whether lists must say which brand a row belongs to."""
    if not hasattr(request, "_sees_several_brands"):
        count = access.workplaces(request.user)[:2].count()
        request._sees_several_brands = count > 1  # type: ignore[attr-defined]
    return bool(request._sees_several_brands)  # type: ignore[attr-defined]


class BrandPage(View):
    """A page of the admin about one brand, at ``brands/<slug>/...``.

    ``task`` is what a person must be allowed for it (``task_to_post`` for sending the form).
    """

    task: ClassVar[Task]
    task_to_post: ClassVar[Task | None] = None
    template: ClassVar[str]
    title: ClassVar[Any] = ""
    section: ClassVar[str] = ""
    # The page of another brand that its name leads to.
    switch_to: ClassVar[str] = "rules"
    brand: Brand

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Find the brand for this user and task, then answer."""
        task = self.task
        if request.method not in {"GET", "HEAD", "OPTIONS"} and self.task_to_post is not None:
            task = self.task_to_post
        self.brand = access.get_staff_brand(request.user, task, kwargs.pop("slug"))
        return super().dispatch(request, *args, **kwargs)

    @property
    def user(self) -> User:
        """Who asks: somebody of the brand's staff, or they would not be here."""
        return cast("User", self.request.user)

    def may(self, task: Task) -> bool:
        """Whether the person may also do this for the page's brand."""
        return access.staff_may(self.request.user, task, brand=self.brand)

    def page(self, context: dict[str, Any] | None = None, *, status: int = 200) -> TemplateResponse:
        """The page, with what the theme and the brand's navigation need."""
        self.request.current_app = site.name
        return TemplateResponse(
            self.request,
            self.template,
            {
                **site.each_context(self.request),
                "title": self.title,
                "brand": self.brand,
                "section": self.section,
                "switch_to": f"admin:{self.switch_to}",
                "other_brands": access.staff_brands(self.request.user, self.task).exclude(
                    pk=self.brand.pk
                )
                if sees_several_brands(self.request)
                else [],
                **(context or {}),
            },
            status=status,
        )


class BrandChoice(View):
    """Where a sidebar link leads: on to the only brand's page, or to the choice of one."""

    task: ClassVar[Task]

    @classmethod
    def to(cls, *, task: Task, page: str, title: Any) -> type["BrandChoice"]:
        """A choice that leads to the page of that URL name."""
        return type("BrandChoice", (cls,), {"task": task, "leads_to": page, "title": title})

    leads_to: ClassVar[str] = ""
    title: ClassVar[Any] = ""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Redirect to the only brand, or show them."""
        brands = list(access.staff_brands(request.user, self.task))
        if not brands:
            raise PermissionDenied
        if len(brands) == 1:
            return redirect(f"admin:{self.leads_to}", slug=brands[0].slug)
        request.current_app = site.name
        return TemplateResponse(
            request,
            "admin/choose_brand.html",
            {
                **site.each_context(request),
                "title": self.title,
                "brands": brands,
                "leads_to": f"admin:{self.leads_to}",
            },
        )


def page_url(route: str, view: type[View], name: str) -> URLPattern:
    """The URL of a page that only staff reach."""
    handler: Callable[..., HttpResponseBase] = view.as_view()
    return path(route, site.admin_view(handler), name=name)


class CappedList(ThemeList):
    """A list that says how many rows it has only as far as its paginator counted."""

    def get_results(self, request: HttpRequest) -> None:
        """Count once, and leave the total out of the title of a list without filters."""
        super().get_results(request)
        if not (self.query or self.has_active_filters):
            self.full_result_count = self.result_count
        self.is_capped = self.result_count >= CappedPaginator.CAP


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Pages over a table of millions: counts no further than anyone pages.

    Counting stops at ``CAP`` rows; a list that long is narrowed by its filters instead.
    """

    CAP = 10_000

    @cached_property
    def count(self) -> int:
        """The number of rows, at most ``CAP``."""
        rows = cast("QuerySet[Any]", self.object_list).order_by().values("pk")[: self.CAP]
        statement, parameters = rows.query.sql_with_params()
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM ({statement}) AS capped", parameters)  # noqa: S608
            return int(cursor.fetchone()[0])


def dress(form: Form) -> None:
    """Give the fields of a plain form the theme's widgets' looks."""
    for field in form.fields.values():
        widget = field.widget
        kind = getattr(widget, "input_type", "")
        if kind == "hidden":
            continue
        classes = {
            "select": widgets.SELECT_CLASSES,
            "checkbox": widgets.CHECKBOX_CLASSES,
            "radio": widgets.RADIO_CLASSES,
        }.get(kind, widgets.INPUT_CLASSES)
        widget.attrs["class"] = " ".join([*classes, widget.attrs.get("class", "")]).strip()
        if kind == "select" and not getattr(widget, "allow_multiple_selected", False):
            widget.template_name = "unfold/widgets/select.html"
        if kind in {"radio", "checkbox"} and hasattr(widget, "option_template_name"):
            widget.template_name = "unfold/widgets/radio.html"
            widget.option_template_name = "unfold/widgets/radio_option.html"


class BrandFilter(SimpleListFilter):
    """Rows of one brand, among the brands that the user works for."""

    title = _("brand")
    parameter_name = "brand"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The user's brands."""
        return [
            (brand.slug, brand.name) for brand in access.staff_brands(request.user, model_admin.see)
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of the chosen brand."""
        if not self.value():
            return queryset
        brand = access.workplaces(request.user).filter(slug=self.value())
        path_to_brand = self._brand_path
        return queryset.filter(**{f"{path_to_brand}__in": list(brand.values_list("pk", flat=True))})

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any
    ) -> None:
        self._brand_path = model_admin.brand_path
        super().__init__(request, params, model, model_admin)
