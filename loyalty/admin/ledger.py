"""The records themselves, to be read only: actions with what amended them, and postings."""

import datetime
from decimal import Decimal
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Exists, Model, OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.utils import parse_date_str

from loyalty import access
from loyalty.access import Task
from loyalty.admin.base import (
    NOTHING,
    BrandFilter,
    BrandModelAdmin,
    CappedPaginator,
    sees_several_brands,
)
from loyalty.admin.sites import site
from loyalty.admin.theme import RangeDateFilter, column
from scoring.models import Action, ActionKind, Amendment, Posting


def quantity_words(quantity: Decimal | None, kind: ActionKind) -> str:
    """A quantity without the zeros that only fill its column; money with its cents."""
    if quantity is None:
        return NOTHING
    places = max(
        2 if kind.unit == ActionKind.MONEY else 0, -int(quantity.normalize().as_tuple().exponent)
    )
    return number_format(quantity, decimal_pos=places, use_l10n=True, force_grouping=True)


def standing(action: Action) -> tuple[str, Any]:
    """What holds of an action now, as (word, label for people); reads ``action.amendments``."""
    amendments = list(action.amendments.all())
    if any(a.type == Amendment.Type.VOID for a in amendments):
        return "void", _("void")
    if action.state == Action.State.PENDING:
        decisions = [a for a in amendments if a.type == Amendment.Type.DECISION]
        if not decisions:
            return "pending", _("pending")
        first = min(decisions, key=lambda a: (a.at, a.external_id.encode()))
        return ("accepted", _("accepted")) if first.accepted else ("rejected", _("refused"))
    return "accepted", _("accepted")


LABELS = {"accepted": "success", "pending": "warning", "rejected": "danger", "void": "danger"}


class StandingFilter(SimpleListFilter):
    """Actions by what holds of them now."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The states that actions are looked for by."""
        return [
            ("pending", _("pending")),
            ("decided", _("was pending, now decided")),
            ("void", _("void")),
            ("corrected", _("corrected")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The actions in the chosen state."""

        def amended(**conditions: Any) -> Exists:
            return Exists(Amendment.objects.filter(action=OuterRef("pk"), **conditions))

        match self.value():
            case "pending":
                return pending(queryset)
            case "decided":
                return queryset.filter(
                    amended(type=Amendment.Type.DECISION), state=Action.State.PENDING
                )
            case "void":
                return queryset.filter(amended(type=Amendment.Type.VOID))
            case "corrected":
                return queryset.filter(amended(type=Amendment.Type.CORRECTION))
        return queryset


def pending(actions: QuerySet[Action]) -> QuerySet[Action]:
    """Those that wait for a decision; nobody's, whose customer was erased, wait for none."""
    decided = Amendment.objects.filter(action=OuterRef("pk")).exclude(
        type=Amendment.Type.CORRECTION
    )
    return actions.filter(
        ~Exists(decided), state=Action.State.PENDING, identifier__customer__erased_at=None
    )


class DayFilter(RangeDateFilter):
    """Moments from the first to the last of these local days, both included.

    The days are those of the user's only brand, and of UTC for people of several.
    """

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        """The rows within the days."""
        brands = list(access.workplaces(request.user)[:2])
        zone = brands[0].zone if len(brands) == 1 else datetime.UTC
        bounds = {}
        for end, days, lookup in (("from", 0, "gte"), ("to", 1, "lt")):
            value = self.used_parameters.get(f"{self.field_path}_{end}")
            day = parse_date_str(value) if isinstance(value, str) and value else None
            if day is not None:
                midnight = datetime.datetime.combine(
                    day + datetime.timedelta(days=days), datetime.time(), tzinfo=zone
                )
                bounds[f"{self.field_path}__{lookup}"] = midnight
        return queryset.filter(**bounds)


class KindFilter(SimpleListFilter):
    """Actions of one kind, among the kinds of the user's brands."""

    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The kinds of the brands that the user works for."""
        kinds = ActionKind.objects.filter(
            brand__in=access.staff_brands(request.user, model_admin.see)
        ).select_related("brand")
        several = sees_several_brands(request)
        return [
            (str(kind.pk), f"{kind.label} ({kind.brand.name})" if several else kind.label)
            for kind in kinds.order_by("label", "pk")
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The actions of the chosen kind."""
        value = self.value()
        return queryset.filter(kind_id=int(value)) if value and value.isdecimal() else queryset


class ReadOnlyAdmin(BrandModelAdmin):
    """Records that nobody adds, changes or deletes here, not even an operator."""

    paginator = CappedPaginator
    change_list_template = "admin/records_list.html"
    list_per_page = 50
    list_filter_submit = True

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return list(self.fields or ())

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Without the button to the changes of what never changes; actions are decided on."""
        context = {"show_history": self.model is Action, **(extra_context or {})}
        return super().changeform_view(request, object_id, form_url, context)

    def get_sortable_by(self, request: HttpRequest) -> list[Any]:
        """Newest first, always: no other order has an index."""
        return []


class ActionAdmin(ReadOnlyAdmin):
    """Facts as they were reported, and what holds of them now."""

    see = Task.SEE_RECORDS
    list_display = (
        "occurred",
        "brand",
        "kind",
        "customer",
        "quantity_word",
        "venue",
        "channel",
        "state_now",
        "record",
    )
    list_display_links = ("occurred",)
    list_filter = (BrandFilter, KindFilter, StandingFilter, ("occurred_at", DayFilter))
    list_select_related = ("brand", "kind", "venue", "identifier__customer")
    search_fields = ("=external_id",)
    search_help_text = _("The number of the record in the system that reported it, in full")
    ordering = ("-pk",)
    fields = (
        "brand",
        "kind",
        "customer",
        "identifier",
        "occurred",
        "received",
        "quantity_word",
        "venue",
        "channel",
        "attribute_words",
        "record",
        "state_now",
        "history_words",
        "points_words",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("amendments")

    @column(_("happened"))
    def occurred(self, action: Action) -> str:
        """When it happened, in the brand's time zone."""
        return local_moment(action.occurred_at, action.brand)

    @column(_("received"))
    def received(self, action: Action) -> str:
        """When Laurel learnt of it."""
        return local_moment(action.received_at, action.brand)

    @column(_("customer"))
    def customer(self, action: Action) -> str:
        """Whose it is now."""
        customer = action.identifier.customer
        url = reverse("admin:accounts_customer_change", args=[customer.pk])
        return format_html('<a href="{}" class="staff-link">{}</a>', url, customer)

    @column(_("quantity"))
    def quantity_word(self, action: Action) -> str:
        """The quantity that holds, and the one that was reported where it was corrected."""
        corrections = [a for a in action.amendments.all() if a.type == Amendment.Type.CORRECTION]
        if not corrections:
            return quantity_words(action.quantity, action.kind)
        last = max(corrections, key=lambda a: (a.at, a.external_id.encode()))
        return gettext("%(now)s (reported %(before)s)") % {
            "now": quantity_words(last.quantity, action.kind),
            "before": quantity_words(action.quantity, action.kind),
        }

    @column(
        _("state"),
        colours={str(_(word)): colour for word, colour in LABELS.items()} | {"refused": "danger"},
    )
    def state_now(self, action: Action) -> str:
        """What holds of it now."""
        return str(standing(action)[1])

    @column(_("record"))
    def record(self, action: Action) -> str:
        """Where it came from, and its number there."""
        return f"{action.origin} · {action.external_id}"

    @column(_("attributes"))
    def attribute_words(self, action: Action) -> str:
        """The attributes, one a line."""
        return attribute_lines(action.attributes)

    @column(_("amendments"))
    def history_words(self, action: Action) -> str:
        """What came in about it later, oldest first."""
        amendments = sorted(action.amendments.all(), key=lambda a: a.at)
        return format_html_join(
            "",
            "<div>{}: {}</div>",
            (
                (local_moment(a.at, action.brand), amendment_words(a, action.kind))
                for a in amendments
            ),
        )

    @column(_("points"))
    def points_words(self, action: Action) -> str:
        """What the ledger holds for it."""
        postings = action.postings.select_related("rule").order_by("pk")
        return format_html_join(
            "",
            "<div>{} · {} · {}</div>",
            ((f"{p.points:+d}", p.rule.key, p.get_why_display()) for p in postings),
        )


def attribute_lines(attributes: dict[str, Any] | None) -> str:
    """Attributes in words, one a line."""

    def word(value: Any) -> Any:
        return {True: _("yes"), False: _("no")}[value] if isinstance(value, bool) else value

    return format_html_join(
        "",
        "<div>{}: {}</div>",
        ((name.replace("_", " "), word(value)) for name, value in (attributes or {}).items()),
    )


def amendment_words(amendment: Amendment, kind: ActionKind) -> str:
    """What an amendment says."""
    match amendment.type:
        case Amendment.Type.CORRECTION:
            words = gettext("corrected to %(quantity)s") % {
                "quantity": quantity_words(amendment.quantity, kind)
            }
        case Amendment.Type.VOID:
            words = gettext("voided")
        case _:
            words = gettext("approved") if amendment.accepted else gettext("refused")
    return f"{words} ({amendment.reason})" if amendment.reason else words


def local_moment(moment: Any, brand: Any) -> str:
    """A moment in the brand's time zone, on one line."""
    return one_line(date_format(timezone.localtime(moment, brand.zone), gettext("j M Y, H:i")))


def one_line(words: str) -> str:
    """The words with spaces at which no line is broken."""
    return words.replace(" ", "\u00a0")


class PostingAdmin(ReadOnlyAdmin):
    """The ledger, newest posting first."""

    brand_path = "customer__brand"
    see = Task.SEE_RECORDS
    list_display = (
        "posted",
        "brand",
        "customer_link",
        "points_signed",
        "source",
        "rule_title",
        "day",
        "why",
        "action_link",
    )
    list_display_links = ("posted",)
    list_filter = (
        BrandFilter,
        "source",
        "why",
        ("local_date", RangeDateFilter),
        ("posted_at", DayFilter),
    )
    list_select_related = ("customer__brand", "rule", "action", "rule_set")
    search_fields = ("=rule__key", "=action__external_id")
    search_help_text = _("A rule's key, or the number of a record, in full")
    ordering = ("-pk",)
    fields = (
        "brand",
        "customer_link",
        "points_signed",
        "source",
        "rule_title",
        "version",
        "day",
        "posted",
        "why",
        "action_link",
    )

    @column(_("brand"))
    def brand(self, posting: Posting) -> str:
        """The brand of the customer."""
        return posting.customer.brand.name

    @column(_("posted"))
    def posted(self, posting: Posting) -> str:
        """When it was posted, in the brand's time zone."""
        return local_moment(posting.posted_at, posting.customer.brand)

    @column(_("customer"))
    def customer_link(self, posting: Posting) -> str:
        """Whose points these are."""
        url = reverse("admin:accounts_customer_change", args=[posting.customer_id])
        return format_html('<a href="{}" class="staff-link">{}</a>', url, posting.customer)

    @column(_("points"))
    def points_signed(self, posting: Posting) -> str:
        """The points with their sign."""
        return f"{posting.points:+,d}"

    @column(_("rule"))
    def rule_title(self, posting: Posting) -> str:
        """The rule's lasting name."""
        return posting.rule.key

    @column(_("for the day"))
    def day(self, posting: Posting) -> str:
        """The local day to which the points belong."""
        return one_line(date_format(posting.local_date, gettext("j M Y")))

    @column(_("rule set version"))
    def version(self, posting: Posting) -> str:
        """The version of the rules under which it was posted."""
        return str(posting.rule_set.version)

    @column(_("action"))
    def action_link(self, posting: Posting) -> str:
        """The action that it is about."""
        url = reverse("admin:scoring_action_change", args=[posting.action_id])
        return format_html('<a href="{}" class="staff-link">{}</a>', url, posting.action)


site.register(Action, ActionAdmin)
site.register(Posting, PostingAdmin)
