"""Top customers: the marketer's list, with its filters and its purpose, and the file of exactly that list."""

import datetime
from typing import Any, cast
from urllib.parse import urlencode

from django import forms
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    StreamingHttpResponse,
)
from django.urls import URLPattern
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from accounts.consent import Audience, LeftOut, asked_for, audience
from accounts.models import Brand, DataUse, Purpose, User
from accounts.uses import record_use
from loyalty import access
from loyalty.access import Task
from loyalty.admin.base import BrandChoice, BrandPage, dress, page_url
from loyalty.exports.datasets import (
    SORTS,
    Dataset,
    TopCustomersFilter,
    count_top_customers,
    members_of_top_customers,
    top_customers,
)
from loyalty.exports.formats import FORMATS
from loyalty.identifiers import masked
from scoring import publication
from scoring.models import Source

PER_PAGE = 50
SORT_LABELS: dict[str, Any] = {
    "score": _("Score"),
    "points": _("Points"),
    "active": _("Last active"),
    "joined": _("Joined"),
}


class TopCustomersForm(forms.Form):
    """The filters, as they stand in the address."""

    purpose = forms.ChoiceField(required=False, label=_("What for"))
    score = forms.IntegerField(
        required=False, min_value=0, max_value=1000, label=_("Score at least")
    )
    source = forms.ChoiceField(required=False, label=_("Strong in"))
    sub_score = forms.IntegerField(
        required=False, min_value=0, max_value=100, label=_("with sub-score at least")
    )
    joined = forms.ChoiceField(
        required=False,
        label=_("Who"),
        choices=[("", _("everyone")), ("yes", _("joined")), ("no", _("unclaimed"))],
    )
    active_days = forms.IntegerField(
        required=False, min_value=1, max_value=3650, label=_("Active in the last (days)")
    )
    sort = forms.ChoiceField(required=False, label=_("Sort by"))

    def __init__(self, brand: Brand, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.brand = brand
        self.fields["purpose"].choices = [  # type: ignore[attr-defined]
            ("", _("only to look")),
            *purpose_choices(brand),
        ]
        sources = [(source.slug, source.label) for source in Source]
        self.fields["source"].choices = [("", _("any source")), *sources]  # type: ignore[attr-defined]
        self.fields["sort"].choices = [*SORT_LABELS.items(), *sources]  # type: ignore[attr-defined]
        self.use_required_attribute = False
        dress(self)

    def clean(self) -> dict[str, Any]:
        """A sub-score needs its source."""
        cleaned = super().clean() or {}
        if cleaned.get("sub_score") is not None and not cleaned.get("source"):
            self.add_error("source", _("Choose the source."))
        return cleaned

    def chosen(self) -> TopCustomersFilter:
        """The filter; call when valid."""
        cleaned = self.cleaned_data
        sub_scores = {}
        if cleaned["source"]:
            least = cleaned["sub_score"]
            sub_scores[Source.from_slug(cleaned["source"])] = 1 if least is None else least
        return TopCustomersFilter(
            score=cleaned["score"],
            sub_scores=sub_scores,
            joined={"yes": True, "no": False}.get(cleaned["joined"]),
            active_days=cleaned["active_days"],
            sort=cleaned["sort"] if cleaned["sort"] in SORTS else "score",
        )

    def audience(self) -> Audience:
        """Who may be in the list: for looking only, whoever has a score; call when valid."""
        purpose, _dash, channel = (self.cleaned_data["purpose"] or Purpose.SCORE).partition("-")
        return audience(brand=self.brand, purpose=Purpose(purpose), channel=channel)


def purpose_choices(brand: Brand) -> list[tuple[str, str]]:
    """What a list may be taken for: the score itself, and all that customers are asked for."""
    asked = [(Purpose.SCORE, ""), *asked_for(brand=brand)]
    return [
        (f"{purpose}-{channel}", f"{purpose.label}: {Brand.Channel(channel).label}")
        if channel
        else (purpose.value, str(purpose.label))
        for purpose, channel in asked
    ]


class TopCustomersPage(BrandPage):
    """The list."""

    template = "admin/top_customers.html"
    task = Task.EXPORT_CUSTOMERS
    title = _("Top customers")
    section = "top_customers"
    switch_to = "top_customers"

    def get(self, request: HttpRequest) -> HttpResponse:
        form = TopCustomersForm(self.brand, request.GET)
        if not form.is_valid():
            return self.page({"form": form, "formats": [], "invalid": True}, status=422)
        chosen, found = form.chosen(), form.audience()
        count = count_top_customers(audience=found, chosen=chosen, as_of=self.today())
        pages = max(1, -(-count // PER_PAGE))
        wanted = request.GET.get("page", "1")
        is_number = wanted.isdecimal() and len(wanted) <= access.LONGEST_NUMBER
        number = min(max(int(wanted), 1), pages) if is_number else 1
        dataset = self.dataset(found, chosen, limit=PER_PAGE, offset=(number - 1) * PER_PAGE)
        filters = {
            name: str(value)
            for name, value in request.GET.items()
            if name in form.fields and value not in ("", None)
        }
        return self.page(
            {
                "form": form,
                "rows": [self.row(row, in_full=found.has_addresses) for row in dataset.rows()],
                "masked": not found.has_addresses,
                "sources": list(Source),
                "count": count,
                "number": number,
                "pages": pages,
                "previous": number - 1,
                "following": number + 1 if number < pages else None,
                "query": urlencode(filters),
                "filtered": bool(set(filters) - {"sort"}),
                "has_purpose": "purpose" in filters,
                "left_out": self.left_out(found),
                "headers": self.headers(chosen, filters),
                "as_of": dataset.as_of,
                "version": dataset.rule_set_version,
                "formats": list(FORMATS.values()) if self.may(Task.EXPORT_CUSTOMERS) else [],
            }
        )

    @staticmethod
    def left_out(found: Audience) -> list[str]:
        """Who of the brand's customers is in no list for this purpose, in words."""
        counts = found.left_out()
        words = {
            LeftOut.PAUSED: ngettext_lazy(
                "%(n)s customer with a paused score", "%(n)s customers with a paused score", "n"
            ),
            LeftOut.NOT_JOINED: ngettext_lazy(
                "%(n)s customer who has not joined", "%(n)s customers who have not joined", "n"
            ),
            LeftOut.NO_CONSENT: ngettext_lazy(
                "%(n)s customer without consent", "%(n)s customers without consent", "n"
            ),
        }
        return [words[why] % {"n": counts[why]} for why in LeftOut if why in counts]

    @staticmethod
    def row(row: dict[str, Any], *, in_full: bool) -> dict[str, Any]:
        """One row for the template, its sub-scores as a list; the address is masked unless ``in_full``."""
        email = row["email"]
        return {
            **row,
            "email": email if in_full or not email else masked("email", email),
            "short": row["customer"][:8],
            "sub_scores": [(source, row[source.slug]) for source in Source],
        }

    @staticmethod
    def headers(chosen: TopCustomersFilter, filters: dict[str, str]) -> list[dict[str, Any]]:
        """The column heads, each with the address that sorts by it."""
        heads = [
            ("score", _("Score")),
            *((source.slug, source.label) for source in Source),
            ("points", _("Points")),
            ("active", _("Last active")),
            ("joined", _("Joined")),
        ]
        return [
            {
                "name": name,
                "label": label,
                "is_current": chosen.sort == name,
                "query": urlencode({**filters, "sort": name}),
            }
            for name, label in heads
        ]

    def today(self) -> datetime.date:
        """The brand's local date."""
        return timezone.now().astimezone(self.brand.zone).date()

    def dataset(
        self,
        found: Audience,
        chosen: TopCustomersFilter,
        *,
        limit: int | None = None,
        offset: int = 0,
    ) -> Dataset:
        """The rows of the audience that the filter asks for."""
        current = publication.current_rule_set(brand=self.brand)
        return top_customers(
            audience=found,
            chosen=chosen,
            as_of=self.today(),
            rule_set_version=current.version if current is not None else None,
            limit=limit,
            offset=offset,
        )


class TopCustomersExport(TopCustomersPage):
    """The file of the list, with the same filters, for a purpose. Everybody in it sees that it was taken."""

    task = Task.EXPORT_CUSTOMERS
    http_method_names = ["post"]

    def post(self, request: HttpRequest, format_name: str = "") -> HttpResponseBase:
        if format_name not in FORMATS:
            raise Http404
        form = TopCustomersForm(self.brand, request.GET)
        # The page offers no file without a purpose either.
        form.fields["purpose"].required = True
        if not form.is_valid():
            return self.page({"form": form, "formats": [], "invalid": True}, status=422)
        chosen, found = form.chosen(), form.audience()
        writer = FORMATS[format_name]
        name = self.dataset(found, chosen).file_name(writer.extension)
        by = cast("User", request.user)
        use = record_use(
            brand=self.brand,
            type=DataUse.Type.EXPORT,
            purpose=found.purpose,
            channel=found.channel,
            title=name,
            by=by,
            role=access.role_of(by, self.brand),
            customers=members_of_top_customers(audience=found, chosen=chosen, as_of=self.today()),
            now=timezone.now(),
        )
        dataset = self.dataset(found.recorded_in(use), chosen)
        # The statement begins when the answer is sent and not before: while it runs, its connection
        # answers nothing else, and whoever asked it (a session being saved) would wait for ever.
        response = StreamingHttpResponse(writer.write(dataset), content_type=writer.content_type)
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        response["X-Content-Type-Options"] = "nosniff"
        response["Cache-Control"] = "no-store"
        return response


def urls() -> list[URLPattern]:
    """The pages of this area."""
    choice = BrandChoice.to(
        task=Task.EXPORT_CUSTOMERS, page="top_customers", title=_("Top customers")
    )
    base = "brands/<slug:slug>/top-customers/"
    return [
        page_url("top-customers/", choice, "top_customers_choice"),
        page_url(base, TopCustomersPage, "top_customers"),
        page_url(f"{base}export/<slug:format_name>/", TopCustomersExport, "top_customers_export"),
    ]
