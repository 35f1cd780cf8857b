"""The theme's classes under Django's types: the theme itself is not typed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from django.utils.translation import gettext_noop as _

Shown = TypeVar("Shown", bound=Callable[..., Any])

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite as ThemeSite
    from django.contrib.admin import DateFieldListFilter as RangeDateFilter
    from django.contrib.admin import ModelAdmin
    from django.contrib.admin.views.main import ChangeList as ThemeList

    ThemeAdmin = ModelAdmin[Any]
else:
    from unfold.admin import ModelAdmin as ThemeAdmin
    from unfold.contrib.filters.admin import RangeDateFilter
    from unfold.sites import UnfoldAdminSite as ThemeSite
    from unfold.views import ChangeList as ThemeList

__all__ = ["RangeDateFilter", "ThemeAdmin", "ThemeList", "ThemeSite", "column"]

# What the theme says in no language but English: marked here, so that our catalogues translate it.
WORDS = (
    _("Add new item"),
    _("Add row"),
    _("Apply Filters"),
    _("Choose file to upload"),
    _("Collapse"),
    _("Current file"),
    _("Date from"),
    _("Date to"),
    _("Expand row"),
    _("False"),
    _("From"),
    _("Go back"),
    _("Image preview"),
    _("Loading more results..."),
    _("More actions"),
    _("No data"),
    _("No recent searches"),
    _("No results found"),
    _("No results matching your query"),
    _("Recent searches"),
    _("Reset filters"),
    _("Return to site"),
    _("Run"),
    _("Search apps and models..."),
    _("Select action"),
    _("Select action to run"),
    _("Select all rows"),
    _("Select record"),
    _("Select value"),
    _("System"),
    _("This item will be deleted."),
    _("This page yielded into no results. Create a new item or reset your filters."),
    _("To"),
    _("Toggle password visibility"),
    _("True"),
    _("Type to search"),
    _("Value"),
)


def column(
    description: Any, *, boolean: bool = False, colours: dict[str, str] | None = None
) -> Callable[[Shown], Shown]:
    """Name a column that a method fills; ``colours`` shows its words as coloured labels."""

    def decorate(function: Shown) -> Shown:
        function.short_description = description  # type: ignore[attr-defined]
        if boolean:
            function.boolean = True  # type: ignore[attr-defined]
        if colours:
            function.label = colours  # type: ignore[attr-defined]
        return function

    return decorate
