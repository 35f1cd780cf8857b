"""See what the draft does to everyone, publish it, and look back at what was published."""

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.consent import audience
from accounts.models import Brand, Purpose, User
from loyalty.access import Task
from loyalty.admin.base import BrandPage, dress, page_url
from loyalty.admin.ledger import local_moment
from loyalty.admin.rules import DraftPage, mark_of, problem_words, read, stage_rows
from scoring import publication
from scoring.documents import RuleSetDocument, RuleSetError
from scoring.models import RuleSet, Source
from scoring.preview import Preview, preview
from scoring.problems import read_moment
from scoring.publication import Change, document_of

EFFECTIVE = [
    ("now", _("From now on. What was earned stays as it was.")),
    ("date", _("From a date on. What happens from its first minute counts by the new rules.")),
    ("always", _("Rewrite the past. Everything counts by the rules as the draft has them.")),
]


class EffectiveForm(forms.Form):
    """From when the draft holds."""

    effective = forms.ChoiceField(
        choices=EFFECTIVE, widget=forms.RadioSelect, label=_("When it takes effect"), initial="now"
    )
    on = forms.DateField(
        required=False,
        label=_("Date"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.use_required_attribute = False
        dress(self)

    def clean(self) -> dict[str, Any]:
        """A date is needed for “from a date”, and for nothing else."""
        cleaned = super().clean() or {}
        if cleaned.get("effective") == "date" and not cleaned.get("on") and "on" not in self.errors:
            self.add_error("on", _("Choose the date from which it holds."))
        return cleaned

    def when(self) -> publication.Effective:
        """What ``publish`` and ``preview`` take; call when valid."""
        if self.cleaned_data["effective"] == "date":
            day: datetime.date = self.cleaned_data["on"]
            return day
        return "always" if self.cleaned_data["effective"] == "always" else "now"


class PublishForm(EffectiveForm):
    """From when, and why."""

    note = forms.CharField(
        max_length=200,
        label=_("What changes, and why"),
        help_text=_("Kept with the version, for whoever asks later."),
        error_messages={"required": _("Say in a few words what changes, and why.")},
    )


class PublishPage(DraftPage):
    """What the draft changes, what that does to everyone, and the button that makes it so."""

    template = "admin/rules/publish.html"
    title = _("Preview and publish")
    task_to_post = Task.PUBLISH_RULES
    section = "publish"

    def get(self, request: HttpRequest) -> HttpResponse:
        chosen = EffectiveForm(
            data=request.GET if "effective" in request.GET else {"effective": "now"}
        )
        return self.answer(chosen, PublishForm(initial={}))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = PublishForm(data=request.POST)
        document = self.draft()
        if request.POST.get("mark") != mark_of(document):
            messages.error(
                request,
                _(
                    "The draft changed after this preview was made. Nothing was published; look again."
                ),
            )
            return self.answer(EffectiveForm(data=request.POST), form, status=409)
        if not form.is_valid():
            return self.answer(EffectiveForm(data=request.POST), form, status=422)
        try:
            published = publication.publish(
                brand=self.brand,
                document=document,
                effective=form.when(),
                user=cast("User", request.user),
                note=form.cleaned_data["note"],
                now=timezone.now(),
            )
        except RuleSetError as error:
            for place, reason in error.problems:
                form.add_error(None, problem_words(place, reason, document))
            return self.answer(EffectiveForm(data=request.POST), form, status=422)
        messages.success(
            request,
            _("Version %(version)s is published. Scores follow within moments.")
            % {"version": published.version},
        )
        return redirect("admin:version", slug=self.brand.slug, version=published.version)

    def answer(
        self, chosen: EffectiveForm, form: PublishForm, *, status: int = 200
    ) -> HttpResponse:
        """The page, with a preview where the draft can be read and differs."""
        document = self.draft()
        current = publication.current_rule_set(brand=self.brand)
        new, problems = read(document, brand=self.brand)
        old = publication.current_document(brand=self.brand)
        changes = publication.compare(old, new) if new is not None else []
        differs = bool(changes)
        seen = None
        if new is not None and differs and chosen.is_valid():
            try:
                seen = preview(
                    brand=self.brand,
                    document=document,
                    effective=chosen.when(),
                    now=timezone.now(),
                )
            except RuleSetError as error:
                problems = [problem_words(p, reason, document) for p, reason in error.problems]
        return self.page(
            {
                "chosen": chosen,
                "form": form,
                "changes": with_labels(changes),
                "warnings": warnings(changes, new, is_first=current is None) if new else [],
                "differs": differs,
                "problems": problems,
                "current": current,
                "preview": preview_words(seen, self.brand, with_names=self.may(Task.SEE_CUSTOMERS))
                if seen is not None
                else None,
                "mark": mark_of(document),
                "effective_chosen": dict(EFFECTIVE).get(chosen["effective"].value(), ""),
                "may_publish": self.may(Task.PUBLISH_RULES),
            },
            status=status,
        )


def with_labels(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Changes for the template, without the stages of a rule that stay as they are."""
    rows = []
    for change in changes:
        before, after = change.before.splitlines(), change.after.splitlines()
        rows.append(
            {
                "what": change.what,
                "before": [line for line in before if line not in after],
                "after": [line for line in after if line not in before],
                "label": Source.from_slug(change.key).label if change.what == "shape" else "",
            }
        )
    return rows


def warnings(changes: Sequence[Change], new: RuleSetDocument, *, is_first: bool) -> list[Any]:
    """What somebody who publishes may not expect."""
    lines: list[Any] = []
    if not is_first and any(change.what == "shape" for change in changes):
        lines.append(
            _(
                "Weights, half-lives and halfway points hold for everyone at once, "
                "whatever you choose for the rules."
            )
        )
    made = {change.key for change in changes if change.what == "new"} if not is_first else set()
    for stage in new.rules:
        limits = getattr(stage, "limits", ())
        if stage.key in made and any(limit.per == "ever" for limit in limits):
            lines.append(
                _(
                    "“%(title)s” is new and counts what is the first ever: "
                    "it greets customers who have long been with you, too."
                )
                % {"title": stage.title}
            )
    return lines


def preview_words(seen: Preview, brand: Brand, *, with_names: bool) -> dict[str, Any]:
    """The numbers of a preview for people; ``with_names``, the customers behind the largest moves."""
    ids = [move.customer_id for move in (*seen.rises, *seen.falls)]
    customers = (
        audience(brand=brand, purpose=Purpose.SCORE).customers.in_bulk(ids) if with_names else {}
    )

    def moves(of: Any) -> list[dict[str, Any]]:
        return [
            {
                "customer": customers.get(move.customer_id),
                "before": move.before,
                "after": move.after,
                "by": move.after - move.before,
                "points_before": move.points_before,
                "points_after": move.points_after,
            }
            for move in of
        ]

    total = seen.up + seen.down + seen.unchanged
    return {
        "up": seen.up,
        "down": seen.down,
        "unchanged": seen.unchanged,
        "total": total,
        "shares": [
            {"name": name, "count": count, "percent": 100 * count / total if total else 0}
            for name, count in (("up", seen.up), ("unchanged", seen.unchanged), ("down", seen.down))
        ],
        "points_added": seen.points_added,
        "points_taken": seen.points_taken,
        "distribution": bars(seen.distribution),
        "rises": moves(seen.rises),
        "falls": moves(seen.falls),
    }


def bars(distribution: Sequence[tuple[int, int, int]]) -> dict[str, Any] | None:
    """How far scores move, as bars of an SVG drawing 720 wide and 172 high, and as a table's rows."""
    highest = max((count for _low, _high, count in distribution), default=0)
    if not highest:
        return None
    width = Decimal(720) / len(distribution)
    return {
        "rows": [
            {
                "words": change_words(low, high),
                "short": short_words(low, high),
                "count": count,
                "way": "up" if low >= 0 else "down",
                "x": f"{width * n + 2:.1f}",
                "width": f"{width - 4:.1f}",
                "middle": f"{width * n + width / 2:.1f}",
                "height": f"{Decimal(126) * count / highest:.1f}",
                "y": f"{150 - Decimal(126) * count / highest:.1f}",
                "label_y": f"{145 - Decimal(126) * count / highest:.1f}",
            }
            for n, (low, high, count) in enumerate(distribution)
        ],
    }


def change_words(low: int, high: int) -> Any:
    """One step of the distribution in words; its ends are changes of the score."""
    near, far = sorted((abs(low), abs(high)))
    if far >= 1000:
        words = (
            _("more than %(near)s points up") if low >= 0 else _("more than %(near)s points down")
        )
        return words % {"near": near}
    words = _("%(near)s to %(far)s points up") if low >= 0 else _("%(near)s to %(far)s points down")
    return words % {"near": near, "far": far}


def short_words(low: int, high: int) -> str:
    """One step of the distribution as it fits under its bar."""
    near, far = sorted((abs(low), abs(high)))
    arrow = "↑" if low >= 0 else "↓"
    return f"{arrow} {near}+" if far >= 1000 else f"{arrow} {near}\u2013{far}"


def effective_words(rule_set: RuleSet, brand: Brand) -> Any:
    """From when a version holds, in words."""
    if rule_set.effective == "always":
        return _("rewrote the past")
    if rule_set.effective in ("now", ""):
        return _("from then on")
    moment = read_moment(rule_set.effective)
    if moment is not None:
        return _("from %(moment)s on") % {"moment": local_moment(moment, brand)}
    day = datetime.date.fromisoformat(rule_set.effective)
    return _("from %(day)s on") % {"day": date_format(day, gettext("j M Y"))}


class VersionsPage(BrandPage):
    """What was published, when, by whom and why; newest first."""

    template = "admin/rules/versions.html"
    task = Task.SEE_RULES
    title = _("Published versions")
    section = "versions"

    def get(self, request: HttpRequest) -> HttpResponse:
        versions = (
            RuleSet.objects.filter(brand=self.brand, version__isnull=False)
            .select_related("published_by")
            .order_by("-version")[:200]
        )
        return self.page(
            {
                "versions": [
                    {
                        "rule_set": version,
                        "effective": effective_words(version, self.brand),
                        "published": local_moment(version.published_at, self.brand),
                    }
                    for version in versions
                ],
            }
        )


class VersionPage(DraftPage):
    """One published version as sentences. It can be taken as the draft, to go back to it."""

    template = "admin/rules/version.html"
    section = "versions"

    def get(self, request: HttpRequest, version: int) -> HttpResponse:
        rule_set = self.version(version)
        before = RuleSet.objects.filter(brand=self.brand, version__lt=version).order_by("-version")
        previous = before.first()
        new, problems = read(document_of(rule_set), brand=self.brand)
        old = read(document_of(previous), brand=self.brand)[0] if previous is not None else None
        current = publication.current_rule_set(brand=self.brand)
        return self.page(
            {
                "title": _("Version %(version)s") % {"version": version},
                "rule_set": rule_set,
                "effective": effective_words(rule_set, self.brand),
                "is_current": current is not None and current.pk == rule_set.pk,
                "rows": stage_rows(new, self.brand) if new is not None else [],
                "shape": list(new.sources.items()) if new is not None else [],
                "problems": problems,
                "previous": previous,
                "changes": with_labels(publication.compare(old, new)) if old and new else [],
                "published": local_moment(rule_set.published_at, self.brand),
                "may_edit": self.may(Task.EDIT_RULES),
            }
        )

    def post(self, request: HttpRequest, version: int) -> HttpResponse:
        """Take this version as the draft."""
        document = document_of(self.version(version))
        problems = self.save(document)
        for place, reason in problems:
            messages.error(request, problem_words(place, reason, document))
        if problems:
            return redirect("admin:version", slug=self.brand.slug, version=version)
        messages.success(
            request,
            _("The draft is version %(version)s again. Look at what that does, then publish it.")
            % {"version": version},
        )
        return redirect("admin:publish", slug=self.brand.slug)

    def version(self, version: int) -> RuleSet:
        """The published rule set of that number; Http404 where there is none."""
        rule_set = (
            RuleSet.objects.filter(brand=self.brand, version=version)
            .select_related("published_by")
            .first()
        )
        if rule_set is None:
            raise Http404
        return rule_set


def urls() -> list[URLPattern]:
    """The pages of this area."""
    base = "brands/<slug:slug>/"
    return [
        page_url(f"{base}publish/", PublishPage, "publish"),
        page_url(f"{base}versions/", VersionsPage, "versions"),
        page_url(f"{base}versions/<int:version>/", VersionPage, "version"),
    ]
