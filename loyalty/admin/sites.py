"""The admin site: its own registry, its door, its look.

It has its own registry, so that nothing appears in it that is not written in this package, and it
has no sign-in of its own: people come in through the same door as customers do.
"""

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from accounts.models import User
from loyalty import second_factor
from loyalty.admin.theme import ThemeSite

# Warm paper and one brick ink, as on the customer's pages; each scale from light to dark.
STEPS = ("50", "100", "200", "300", "400", "500", "600", "700", "800", "900", "950")
INK = dict(
    zip(
        STEPS,
        (
            "oklch(97.2% .012 45)",
            "oklch(94.2% .028 42)",
            "oklch(89% .055 40)",
            "oklch(81.5% .095 38)",
            "oklch(71% .13 36)",
            "oklch(64% .145 36)",
            "oklch(47.5% .135 34)",
            "oklch(42% .12 33)",
            "oklch(36.5% .1 32)",
            "oklch(32% .08 32)",
            "oklch(23% .055 31)",
        ),
        strict=True,
    )
)
PAPER = dict(
    zip(
        STEPS,
        (
            "oklch(98.4% .005 80)",
            "oklch(96.4% .007 80)",
            "oklch(92.3% .01 78)",
            "oklch(86.5% .012 75)",
            "oklch(71% .014 70)",
            "oklch(54% .015 65)",
            "oklch(44% .015 62)",
            "oklch(36.8% .014 60)",
            "oklch(27.5% .011 58)",
            "oklch(21% .009 56)",
            "oklch(14.5% .007 55)",
        ),
        strict=True,
    )
)


class LaurelAdminSite(ThemeSite):
    """Where staff and marketers work."""

    site_header = "Laurel"
    site_title = "Laurel"
    index_title = _("Today")
    index_template = "admin/today.html"
    enable_nav_sidebar = True

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Put the pages of the areas before the catch-all, and leave out password pages."""
        from loyalty.admin import (
            claims,
            disputes,
            link_codes,
            moves,
            publishing,
            rules,
            top_customers,
        )

        pages = [
            *claims.urls(),
            *moves.urls(),
            *disputes.urls(),
            *link_codes.urls(),
            *rules.urls(),
            *publishing.urls(),
            *top_customers.urls(),
            path("refused/", never_cache(self.refused), name="refused"),
        ]
        return pages + [
            pattern
            for pattern in super().get_urls()
            if getattr(pattern, "name", None) not in {"password_change", "password_change_done"}
        ]

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Send people to the one door; tell those who came through it but are no staff so."""
        index = reverse("admin:index", current_app=self.name)
        wanted = request.GET.get(REDIRECT_FIELD_NAME, index)
        if not url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}):
            wanted = index
        if self.has_permission(request):
            return HttpResponseRedirect(wanted)
        if super().has_permission(request):
            return self._to_second_factor(request, wanted)
        if request.user.is_authenticated:
            return self.refused(request)
        query = urlencode({REDIRECT_FIELD_NAME: wanted})
        return HttpResponseRedirect(f"{reverse('account_login')}?{query}")

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff, in a session in which they gave their second factor."""
        return bool(super().has_permission(request)) and not second_factor.is_missing(request)

    @staticmethod
    def _to_second_factor(request: HttpRequest, wanted: str) -> HttpResponse:
        assert isinstance(request.user, User)
        door = "mfa_reauthenticate" if second_factor.has_one(request.user) else "mfa_index"
        return HttpResponseRedirect(f"{reverse(door)}?{urlencode({REDIRECT_FIELD_NAME: wanted})}")

    def refused(self, request: HttpRequest) -> HttpResponse:
        """The page for people who are signed in and are staff of no brand."""
        return TemplateResponse(
            request, "admin/refused.html", {"title": _("Not for this login")}, status=403
        )

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Today: what waits for a person, brand by brand."""
        from loyalty.admin.today import overview

        return super().index(request, {**overview(request), **(extra_context or {})})

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Add Laurel's look to what every page of the theme is given."""
        context = super().each_context(request)
        font = context["colors"]["font"]
        context.update(
            site_title="Laurel",
            site_header="Laurel",
            site_symbol="local_florist",
            colors={"base": PAPER, "primary": INK, "font": font},
            border_radius="4px",
            styles=[*context["styles"], static("staff/staff.css")],
            account_links=[
                {"title": _("Sign-in and security"), "link": reverse("mfa_index")},
            ],
            show_history=True,
        )
        return context

    def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]:
        """The sidebar: what this user may do, and nothing else."""
        from loyalty.admin.navigation import sidebar

        return sidebar(request)


site = LaurelAdminSite(name="admin")
