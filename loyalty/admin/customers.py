"""Customers: found by whatever names them, and the page on which staff see all of one."""

from collections.abc import Collection
from typing import Any, cast

from django.contrib.admin import SimpleListFilter
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import floatformat
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.consent import audience
from accounts.identity import IdentifierError, parse_identifier
from accounts.models import Brand, Customer, Identifier, Purpose, User
from accounts.uses import record_look
from loyalty import access
from loyalty.access import Task
from loyalty.admin.base import NOTHING, BrandFilter
from loyalty.admin.dossier import dossier, read_place
from loyalty.admin.ledger import ReadOnlyAdmin, local_moment
from loyalty.admin.sites import site
from loyalty.admin.theme import column
from loyalty.identifiers import masked


def reads_in_full(user: Any, brand: Brand | int) -> bool:
    """Whether identifiers are written out for this person, in lists and on pages: who merges customers needs that."""
    return access.staff_may(user, Task.MERGE_CUSTOMERS, brand=brand)


def brands_in_full(user: Any) -> set[int]:
    """The brands of which this person reads identifiers in full."""
    return set(access.staff_brands(user, Task.MERGE_CUSTOMERS).values_list("pk", flat=True))


def named(term: str, *, brands: QuerySet[Brand], in_full: Collection[int]) -> Q:
    """Which customers are meant: by pseudonym, or by an identifier, in full with its scheme or by its value.

    A part of the value is enough only with the brands ``in_full``: elsewhere, what is hidden would be found out letter
    by letter.
    """
    identifiers = Identifier.objects.filter(brand__in=brands)
    try:
        scheme, value = parse_identifier(term)
    except IdentifierError:
        identifiers = identifiers.filter(
            Q(value__iexact=term) | Q(value__icontains=term, brand__in=in_full)
        )
    else:
        identifiers = identifiers.filter(scheme=scheme, value=value)
    return Q(pseudonym__icontains=term) | Q(pk__in=identifiers.values("customer"))


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
        """Everyone but those who are nobody any more; each knows whether this person reads identifiers in full."""
        rows = super().get_queryset(request).filter(self._met_by(request.user), erased_at=None)
        in_full = ExpressionWrapper(Q(brand__in=brands_in_full(request.user)), BooleanField())
        found: QuerySet[Any] = rows.annotate(in_full=in_full)
        return found.prefetch_related("identifiers")

    def _met_by(self, user: Any) -> Q:
        """Whom this person meets: for brands where they only choose customers, those whom the gate lets through."""
        brands = list(access.staff_brands(user, self.see))
        gated = [b for b in brands if not access.staff_may(user, Task.SEE_PAUSED, brand=b)]
        met = Q(brand__in=[brand for brand in brands if brand not in gated]) if gated else Q()
        for brand in gated:
            found = audience(brand=brand, purpose=Purpose.SCORE).customers
            met |= Q(pk__in=found.values("pk"))
        return met

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find by pseudonym or identifier; who was merged into another is found as that one."""
        term = search_term.strip()
        if not term:
            return queryset.filter(merged_into=None), False
        meant = named(
            term,
            brands=access.staff_brands(request.user, self.see),
            in_full=brands_in_full(request.user),
        )
        return queryset.filter(meant, merged_into=None), False

    @column(_("customer"))
    def name(self, customer: Customer) -> str:
        """The pseudonym, or the beginning of the public number."""
        return str(customer)

    @column(_("score"))
    def score_shown(self, customer: Customer) -> str:
        """The score as customers see it."""
        score = getattr(customer, "score", None)
        if score is None or customer.paused_at is not None:
            return NOTHING
        return floatformat(score.score, 0)

    @column(_("points"))
    def points_shown(self, customer: Customer) -> str:
        """The points earned."""
        score = getattr(customer, "score", None)
        return NOTHING if score is None else f"{score.points:,d}"

    @column(_("known as"))
    def identifier_words(self, customer: Any) -> str:
        """What records call this customer, Laurel's own number left out."""
        held = [one for one in customer.identifiers.all() if one.scheme != "laurel"]
        names = [
            f"{one.scheme}:{one.value if customer.in_full else masked(one.scheme, one.value)}"
            for one in held[:2]
        ]
        more = len(held) - 2
        return ", ".join(names) + (f" +{more}" if more > 0 else "")

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
        """The customer's page. That it was opened is recorded, once a day for each member of staff."""
        customer = cast("Customer", self.get_object(request, object_id))
        user, now = cast("User", request.user), timezone.now()

        def may(task: Task) -> bool:
            return access.staff_may(user, task, brand=customer.brand_id)

        is_own = access.is_own(user, customer)
        if not is_own:
            record_look(
                customer=customer, by=user, role=access.role_of(user, customer.brand), now=now
            )
        may_see_records = may(Task.SEE_RECORDS)
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            "admin/customer.html",
            {
                **self.admin_site.each_context(request),
                "title": str(customer),
                "opts": self.opts,
                "original": customer,
                **dossier(
                    customer=customer,
                    now=now,
                    before=read_place(request.GET.get("before", "")),
                    in_full=reads_in_full(user, customer.brand_id),
                    with_postings=may_see_records,
                ),
                "may_see_records": may_see_records,
                "may_merge": may(Task.MERGE_CUSTOMERS) and not is_own,
                "may_decide_claims": may(Task.DECIDE_CLAIMS),
                "may_decide_disputes": may(Task.DECIDE_DISPUTES),
                "is_own": is_own,
                **(extra_context or {}),
            },
        )


site.register(Customer, CustomerAdmin)
