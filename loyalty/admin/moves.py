"""Whose identifiers are whose: merging two customers, splitting some off, unlinking one, and undoing it."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts import identity
from accounts.models import Customer, DataUse, Purpose
from accounts.uses import record_look, record_use
from loyalty import access
from loyalty.access import Task
from loyalty.admin.base import BrandPage, dress, page_url
from loyalty.admin.customers import named, reads_in_full
from loyalty.admin.dossier import identities_of
from loyalty.admin.ledger import local_moment
from loyalty.identifiers import masked

FOUND = 10


class CustomerPage(BrandPage):
    """A page about one customer of the brand. Nobody opens one about the customer of their own login."""

    task = Task.MERGE_CUSTOMERS
    switch_to = "top_customers"
    customer: Customer

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Find the customer within the brand, once the brand was found for this user and task."""
        self.customer_id = kwargs.pop("customer_id")
        return super().dispatch(request, *args, **kwargs)

    def get_customer(self, customer_id: int) -> Customer:
        """A customer of the brand of whom this person may decide. Raises Http404; PermissionDenied for their own."""
        customer = access.get_customer_of(self.brand, customer_id)
        if access.is_own(self.user, customer):
            raise PermissionDenied
        return customer

    def changed(self, what: str, *customers: Customer) -> None:
        """Record that something of these customers was changed, a key of ``uses.CHANGES``; each of them sees it."""
        record_use(
            brand=self.brand,
            type=DataUse.Type.CHANGE,
            purpose=Purpose.SCORE,
            title=what,
            by=self.user,
            role=access.role_of(self.user, self.brand),
            customers=[customer.pk for customer in customers],
            now=timezone.now(),
        )


def page_of(customer: Customer) -> str:
    """The address of a customer's page."""
    return reverse("admin:accounts_customer_change", args=[customer.pk])


class ReasonForm(forms.Form):
    """Why it is done; kept in the history."""

    reason = forms.CharField(
        max_length=200,
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("Kept in the history for good. The customer can read it."),
        error_messages={"required": gettext_lazy("Say why: the history keeps it.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.use_required_attribute = False
        dress(self)


class SearchForm(forms.Form):
    """What the other customer is known by."""

    q = forms.CharField(
        max_length=254,
        label=gettext_lazy("The other customer"),
        help_text=gettext_lazy("Pseudonym, e-mail address, card number or another identifier"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.use_required_attribute = False
        dress(self)


class MergePage(CustomerPage):
    """Two customers who are one person: the other is looked for, both are seen, then the one goes into the other."""

    template = "admin/merge.html"
    title = gettext_lazy("Merge two customers")

    def get(self, request: HttpRequest) -> HttpResponse:
        kept = self.get_customer(self.customer_id)
        other = request.GET.get("other", "")
        if numbers([other]):
            merged = self.get_customer(int(other))
            if merged.joined_at and not kept.joined_at:
                # Who joined stays, whichever page one came from.
                kept, merged = merged, kept
            return self.answer(kept, merged, ReasonForm())
        return self.answer(kept, None, None)

    def post(self, request: HttpRequest) -> HttpResponse:
        kept = self.get_customer(self.customer_id)
        other = request.POST.get("other", "")
        if not numbers([other]):
            return self.answer(kept, None, None, status=422)
        merged = self.get_customer(int(other))
        form = ReasonForm(request.POST)
        if not form.is_valid():
            return self.answer(kept, merged, form, status=422)
        try:
            identity.merge_customers(
                kept=kept,
                merged=merged,
                by=self.user,
                reason=form.cleaned_data["reason"],
                now=timezone.now(),
            )
        except identity.IdentityError as error:
            form.add_error(None, str(error))
            return self.answer(kept, merged, form, status=422)
        self.changed("merge", kept, merged)
        messages.success(
            request,
            _("%(merged)s is now part of %(kept)s. The score follows within seconds.")
            % {"merged": merged, "kept": kept},
        )
        return redirect(page_of(kept))

    def answer(
        self, kept: Customer, other: Customer | None, form: ReasonForm | None, *, status: int = 200
    ) -> HttpResponse:
        """The page: the search, or both customers beside each other, which is a look at either."""
        for seen in (kept, other) if other else ():
            role = access.role_of(self.user, self.brand)
            record_look(customer=seen, by=self.user, role=role, now=timezone.now())
        in_full = reads_in_full(self.user, self.brand)
        search = SearchForm(self.request.GET if "q" in self.request.GET else None)
        found = []
        if other is None and search.is_bound and search.is_valid():
            brands = access.staff_brands(self.user, self.task).filter(pk=self.brand.pk)
            found = list(
                access.customers_of(self.brand)
                .filter(named(search.cleaned_data["q"], brands=brands, in_full={self.brand.pk}))
                .exclude(pk=kept.pk)
                .exclude(user=self.user)
                .select_related("score")
                .prefetch_related("identifiers")
                .order_by("pk")[:FOUND]
            )
        return self.page(
            {
                "kept": kept,
                "other": other,
                "two": [self.seen(one, in_full=in_full) for one in (kept, other) if one],
                "search": search,
                "is_searched": search.is_bound and search.is_valid(),
                "found": [
                    {
                        "customer": one,
                        "names": ", ".join(
                            f"{held.scheme}:{held.value if in_full else masked(held.scheme, held.value)}"
                            for held in one.identifiers.all()
                            if held.scheme != identity.OWN_SCHEME
                        ),
                    }
                    for one in found
                ],
                "form": form,
                "both_joined": other is not None and kept.user_id and other.user_id,
            },
            status=status,
        )

    def seen(self, customer: Customer, *, in_full: bool) -> dict[str, Any]:
        """One of the two."""
        identities = identities_of(customer, in_full=in_full)
        email = customer.user.email if customer.user else ""
        return {
            "customer": customer,
            "email": email if in_full or not email else masked("email", email),
            "joined": local_moment(customer.joined_at, self.brand) if customer.joined_at else "",
            "score": getattr(customer, "score", None) if customer.paused_at is None else None,
            "identities": identities,
            "actions": sum(row["actions"] for row in identities),
        }


class IdentitiesPage(CustomerPage):
    """Where ticked identifiers are split off, or one is unlinked; they are read on the customer's page."""

    def post(self, request: HttpRequest) -> HttpResponse:
        customer = self.get_customer(self.customer_id)
        if unlink := request.POST.get("unlink", ""):
            return self.unlink(customer, unlink)
        chosen = list(customer.identifiers.filter(pk__in=numbers(request.POST.getlist("chosen"))))
        form = ReasonForm(request.POST)
        if not chosen:
            messages.error(request, _("Nothing was split off. Tick the identifiers that go."))
            return redirect(page_of(customer))
        if not form.is_valid():
            messages.error(request, _("Nothing was split off. Say why: the history keeps it."))
            return redirect(page_of(customer))
        try:
            new = identity.split_customer(
                customer=customer,
                identifiers=chosen,
                by=self.user,
                reason=form.cleaned_data["reason"],
                now=timezone.now(),
            )
        except identity.IdentityError as error:
            messages.error(request, str(error))
            return redirect(page_of(customer))
        self.changed("split", customer, new)
        messages.success(
            request,
            ngettext(
                "%(count)s identifier now belongs to a customer of its own, %(new)s.",
                "%(count)s identifiers now belong to a customer of their own, %(new)s.",
                len(chosen),
            )
            % {"count": len(chosen), "new": new},
        )
        return redirect(page_of(customer))

    def unlink(self, customer: Customer, number: str) -> HttpResponse:
        """One goes back to where it came from."""
        identifier = customer.identifiers.filter(pk__in=numbers([number])).first()
        if identifier is None:
            messages.warning(self.request, _("This identifier has moved in the meantime."))
            return redirect(page_of(customer))
        try:
            identity.unlink_identifier(
                customer=customer, identifier=identifier, now=timezone.now(), by=self.user
            )
        except identity.IdentityError as error:
            messages.error(self.request, str(error))
            return redirect(page_of(customer))
        self.changed("unlink", customer)
        messages.success(self.request, _("Unlinked. The score follows within seconds."))
        return redirect(page_of(customer))


class UndoPage(CustomerPage):
    """Where a merge or split is undone."""

    def post(self, request: HttpRequest) -> HttpResponse:
        customer = self.get_customer(self.customer_id)
        group = read_group(request.POST.get("group", ""))
        moved = access.customers_of_move(self.brand, group) if group else []
        if group is None or customer not in moved:
            messages.error(request, _("Nothing was undone: there is no such move."))
            return redirect(page_of(customer))
        if any(access.is_own(self.user, one) for one in moved):
            raise PermissionDenied
        try:
            identity.undo_moves(brand=self.brand, group=group, by=self.user, now=timezone.now())
        except identity.IdentityError as error:
            messages.error(request, str(error))
            return redirect(page_of(customer))
        self.changed("undo", *moved)
        messages.success(
            request, _("Undone. What still lay where it was put is back; scores follow.")
        )
        return redirect(page_of(customer))


def numbers(texts: list[str]) -> set[int]:
    """The row numbers among these texts."""
    return {int(text) for text in texts[:1000] if text.isdecimal() and len(text) <= 18}


def read_group(text: str) -> UUID | None:
    """The group of a move, as a form names it."""
    try:
        return UUID(text)
    except ValueError:
        return None


def urls() -> list[URLPattern]:
    """The pages of this area."""
    at = "brands/<slug:slug>/customers/<int:customer_id>"
    return [
        page_url(f"{at}/merge/", MergePage, "customer_merge"),
        page_url(f"{at}/identities/", IdentitiesPage, "customer_identities"),
        page_url(f"{at}/undo/", UndoPage, "customer_undo"),
    ]
