"""Customers: who they are, what they see of themselves, and what their points come from."""

from typing import Any, cast

from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import floatformat
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.identity import IdentifierError, parse_identifier
from accounts.models import Customer, Identifier
from loyalty import access
from loyalty.access import Task
from loyalty.admin.base import NOTHING, BrandFilter
from loyalty.admin.ledger import (
    ReadOnlyAdmin,
    local_moment,
    quantity_words,
    standing,
)
from loyalty.admin.sites import site
from loyalty.admin.theme import column
from scoring.explain import Explanation, explain
from scoring.models import Action, Posting

ROWS = 50
TAGS = {"accepted": "up", "pending": "changed", "rejected": "down", "void": "down"}


class JoinedFilter(SimpleListFilter):
    """Customers who joined, or whom only records know."""

    title = _("joined")
    parameter_name = "joined"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Joined or unclaimed."""
        return [("yes", _("joined")), ("no", _("unclaimed"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The customers of the chosen sort."""
        match self.value():
            case "yes":
                return queryset.filter(user__isnull=False)
            case "no":
                return queryset.filter(user__isnull=True)
        return queryset


class CustomerAdmin(ReadOnlyAdmin):
    """Customers of the user's brands, to be read only."""

    see = Task.SEE_CUSTOMERS
    list_display = ("name", "brand", "score_shown", "points_shown", "identifier_words", "joined")
    list_display_links = ("name",)
    list_filter = (BrandFilter, JoinedFilter, "on_boards")
    list_filter_submit = False
    list_select_related = ("brand", "score")
    search_fields = ("pseudonym",)
    search_help_text = _("Pseudonym, e-mail address, card number or another identifier")
    ordering = ("-pk",)
    fields = ("pseudonym",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("identifiers")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find by pseudonym, or by an identifier: in full with its scheme, or a part of its value."""
        term = search_term.strip()
        if not term:
            return queryset, False
        identifiers = Identifier.objects.filter(
            brand__in=access.staff_brands(request.user, self.see)
        )
        try:
            scheme, value = parse_identifier(term)
        except IdentifierError:
            identifiers = identifiers.filter(value__icontains=term)
        else:
            identifiers = identifiers.filter(scheme=scheme, value=value)
        found = Q(pseudonym__icontains=term) | Q(pk__in=identifiers.values("customer"))
        return queryset.filter(found), False

    @column(_("customer"))
    def name(self, customer: Customer) -> str:
        """The pseudonym, or the beginning of the public number."""
        return str(customer)

    @column(_("score"))
    def score_shown(self, customer: Customer) -> str:
        """The score as customers see it."""
        score = getattr(customer, "score", None)
        return NOTHING if score is None else floatformat(score.score, 0)

    @column(_("points"))
    def points_shown(self, customer: Customer) -> str:
        """The points earned."""
        score = getattr(customer, "score", None)
        return NOTHING if score is None else f"{score.points:,d}"

    @column(_("known as"))
    def identifier_words(self, customer: Customer) -> str:
        """What records call this customer, Laurel's own number left out."""
        names = [str(i) for i in customer.identifiers.all() if i.scheme != "laurel"]
        more = len(names) - 2
        return ", ".join(names[:2]) + (f" +{more}" if more > 0 else "")

    @column(_("joined"))
    def joined(self, customer: Customer) -> str:
        """The day on which the person joined."""
        if customer.joined_at is None:
            return str(_("unclaimed"))
        return local_moment(customer.joined_at, customer.brand)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The customer's page: receipt, identifiers, actions, postings."""
        customer = cast("Customer", self.get_object(request, object_id))
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            "admin/customer.html",
            {
                **self.admin_site.each_context(request),
                "title": str(customer),
                "opts": self.opts,
                "original": customer,
                **customer_page(customer),
                "may_see_records": access.staff_may(
                    request.user, Task.SEE_RECORDS, brand=customer.brand_id
                ),
                **(extra_context or {}),
            },
        )


def customer_page(customer: Customer) -> dict[str, Any]:
    """What the page of one customer shows."""
    brand = customer.brand
    today = timezone.now().astimezone(brand.zone).date()
    identifiers = list(customer.identifiers.order_by("scheme", "value"))
    actions = (
        Action.objects.filter(identifier__in=identifiers)
        .select_related("kind", "venue", "identifier")
        .prefetch_related("amendments")
        .order_by("-occurred_at", "-pk")
    )
    postings = (
        Posting.objects.filter(customer=customer)
        .select_related("rule", "action", "rule_set")
        .order_by("-pk")
    )
    explanation = explain(customer=customer, on=today)
    return {
        "customer": customer,
        "brand": brand,
        "today": today,
        "joined": local_moment(customer.joined_at, brand) if customer.joined_at else "",
        "explanation": {
            "score": explanation.score,
            "points": explanation.points,
            "version": explanation.version,
            "sources": receipts(explanation),
        },
        "identifiers": identifiers,
        "actions": [
            {
                "action": action,
                "occurred": local_moment(action.occurred_at, brand),
                "quantity": quantity_words(action.quantity, action.kind),
                "state": standing(action)[1],
                "tag": TAGS[standing(action)[0]],
            }
            for action in actions[:ROWS]
        ],
        "postings": [
            {"posting": posting, "posted": local_moment(posting.posted_at, brand)}
            for posting in postings[:ROWS]
        ],
        "shown": ROWS,
    }


def receipts(explanation: Explanation) -> list[dict[str, Any]]:
    """The receipt source by source, its newest lines with the page of their action."""
    return [
        {
            "source": part.source,
            "weight": part.weight,
            "points": part.points,
            "faded": part.faded,
            "sub_score": part.sub_score,
            "worth": part.worth,
            "lines": part.lines,
            "shown": [
                {"line": line, "url": reverse("admin:scoring_action_change", args=[line.action_id])}
                for line in part.lines[:ROWS]
            ],
            "more": max(0, len(part.lines) - ROWS),
        }
        for part in explanation.sources
    ]


site.register(Customer, CustomerAdmin)
