"""The theme's classes under Django's types: the theme itself is not typed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

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
