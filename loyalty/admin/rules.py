"""The draft of a brand's rules: every rule as its sentence, and the forms that edit it.

The draft is one document. A page changes one rule (or the shape of the score) in it and saves the
whole document by one call; nothing that customers see changes until it is published.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from accounts.models import Brand
from loyalty.access import Task
from loyalty.admin.base import BrandChoice, BrandPage, page_url
from loyalty.admin.ledger import local_moment
from loyalty.admin.rule_forms import RuleForm, ShapeForm
from scoring import publication
from scoring.conditions import WEEKDAY_NAMES
from scoring.documents import RuleSetDocument, RuleSetError, parse_rule_set
from scoring.publication import document_of
from scoring.rules import RULE_TYPES, RuleStage
from scoring.vocabulary import Vocabulary


def mark_of(part: Any) -> str:
    """A short mark of a part of a document, by which a form knows that it is still the same."""
    text = json.dumps(part, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read(document: Mapping[str, Any], *, brand: Brand) -> tuple[RuleSetDocument | None, list[str]]:
    """The document read, or None and what is wrong with it, for people."""
    try:
        return parse_rule_set(document, brand=brand), []
    except RuleSetError as error:
        return None, [problem_words(place, reason, document) for place, reason in error.problems]


def problem_words(place: str, reason: str, document: Mapping[str, Any]) -> str:
    """A problem with the rule that it is in by title, not by its place in a document."""
    if place.startswith("rules["):
        number = place.removeprefix("rules[").split("]")[0]
        rules = document.get("rules") or []
        if number.isdecimal() and int(number) < len(rules):
            title = rules[int(number)].get("title") or rules[int(number)].get("key") or "?"
            return f"{title}: {reason}"
    return str(capfirst(reason))


def stage_rows(
    new: RuleSetDocument, brand: Brand, changes: Sequence[publication.Change] = ()
) -> list[dict[str, Any]]:
    """Every stage of the document for its list, with what the draft changes about its rule."""
    what = {change.key: change.what for change in changes if change.what != "shape"}
    now = timezone.now()
    count: dict[str, int] = {}
    rows = []
    for stage in new.rules:
        ordinal = count.get(stage.key, 0)
        count[stage.key] = ordinal + 1
        rows.append(
            {
                "stage": stage,
                "ordinal": ordinal,
                "label": stage.label,
                "sentence": stage.sentence(),
                "change": what.get(stage.key, ""),
                "starts": local_moment(stage.starts, brand) if stage.starts else "",
                "ends": local_moment(stage.ends, brand) if stage.ends else "",
                "is_over": stage.ends is not None and stage.ends <= now,
            }
        )
    return rows


def find(document: Mapping[str, Any], key: str, ordinal: int) -> int:
    """The place in the document of the nth stage of a rule; Http404 where there is none."""
    places = [n for n, entry in enumerate(document["rules"]) if entry.get("key") == key]
    if ordinal >= len(places):
        raise Http404
    return places[ordinal]


class DraftPage(BrandPage):
    """A page of the draft."""

    task = Task.SEE_RULES
    task_to_post = Task.EDIT_RULES
    section = "rules"

    def draft(self) -> dict[str, Any]:
        """The draft's document."""
        return document_of(publication.get_draft(brand=self.brand))

    def save(self, document: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Replace the draft; the problems, if it has any and was left as it is."""
        try:
            publication.save_draft(brand=self.brand, document=dict(document))
        except RuleSetError as error:
            return list(error.problems)
        return []

    def to_rules(self) -> HttpResponse:
        """Back to the list."""
        return redirect("admin:rules", slug=self.brand.slug)


class RulesPage(DraftPage):
    """Every rule of the draft as its sentence."""

    template = "admin/rules/list.html"
    title = _("Rules")

    def get(self, request: HttpRequest) -> HttpResponse:
        document = self.draft()
        current = publication.current_rule_set(brand=self.brand)
        new, problems = read(document, brand=self.brand)
        old = publication.current_document(brand=self.brand)
        changes = publication.compare(old, new) if old is not None and new is not None else []
        rows = stage_rows(new, self.brand, changes) if new is not None else []
        return self.page(
            {
                "rows": [row for row in rows if not row["is_over"]],
                "over": [row for row in rows if row["is_over"]],
                "gone": [change for change in changes if change.what == "gone"],
                "shape_changed": any(change.what == "shape" for change in changes),
                "change_count": len(changes),
                "problems": problems,
                "current": current,
                # As plain values: a template would call a class.
                "types": [
                    {"type": name, "label": each.label, "help": each.help}
                    for name, each in RULE_TYPES.items()
                ],
                "may_edit": self.may(Task.EDIT_RULES),
                "may_publish": self.may(Task.PUBLISH_RULES),
            }
        )


class DiscardPage(DraftPage):
    """Take the draft back to what is published."""

    task = Task.EDIT_RULES
    http_method_names = ("post",)

    def post(self, request: HttpRequest) -> HttpResponse:
        publication.discard_draft(brand=self.brand)
        messages.success(request, _("The draft is what is published again."))
        return self.to_rules()


class RulePage(DraftPage):
    """The form of one rule: a new one of a type, or a stage of one in the draft."""

    template = "admin/rules/edit.html"

    def get(
        self, request: HttpRequest, rule_type: str = "", key: str = "", stage: int = 0
    ) -> HttpResponse:
        document = self.draft()
        form = self.form(document, rule_type, key, stage)
        return self.answer(document, form)

    def post(
        self, request: HttpRequest, rule_type: str = "", key: str = "", stage: int = 0
    ) -> HttpResponse:
        document = self.draft()
        form = self.form(document, rule_type, key, stage, data=request.POST)
        if not form.is_new and request.POST.get("mark") != mark_of(form.before):
            messages.error(
                request,
                _("Somebody else changed this rule while you edited it. Here it is as it is now."),
            )
            return self.answer(document, self.form(document, rule_type, key, stage), status=409)
        if not form.is_valid():
            return self.answer(document, form, status=422)
        place = len(document["rules"]) if form.is_new else find(document, key, stage)
        rules = list(document["rules"])
        rules[place : place + 1] = [form.entry()]
        problems = self.save({**document, "rules": rules})
        if problems:
            self.show(problems, form, place, rules)
            return self.answer(document, form, status=422)
        messages.success(
            request,
            _("Saved in the draft: %(title)s. Customers see it once you publish.")
            % {"title": rules[place]["title"]},
        )
        return self.to_rules()

    def form(
        self,
        document: Mapping[str, Any],
        rule_type: str,
        key: str,
        stage: int,
        data: Any = None,
    ) -> RuleForm:
        """The form for what the address names; Http404 for an unknown type or rule."""
        entry = None
        if key:
            entry = document["rules"][find(document, key, stage)]
            rule_type = entry["type"]
        if rule_type not in RULE_TYPES:
            raise Http404
        return RuleForm(
            brand=self.brand,
            vocabulary=Vocabulary.of(self.brand),
            rule_type=rule_type,
            entry=entry,
            taken_keys=[rule["key"] for rule in document["rules"]],
            data=data,
        )

    @staticmethod
    def show(
        problems: Sequence[tuple[str, str]],
        form: RuleForm,
        place: int,
        rules: Sequence[Mapping[str, Any]],
    ) -> None:
        """Show each problem at its input; those of other rules by title, on top."""
        here = f"rules[{place}]"
        for path, reason in problems:
            inside = path.startswith((f"{here}.", here)) and not path[len(here) :][:1].isdigit()
            if inside and form.place(path.removeprefix(here).removeprefix("."), reason):
                continue
            form.plain.add_error(None, problem_words(path, reason, {"rules": rules}))

    def answer(
        self, document: Mapping[str, Any], form: RuleForm, *, status: int = 200
    ) -> HttpResponse:
        """The page with the form."""
        new = read(document, brand=self.brand)[0]
        sentence = ""
        if not form.is_new and new is not None:
            stages: list[RuleStage] = [s for s in new.rules if s.key == form.before["key"]]
            ordinal = int(self.kwargs.get("stage", 0))
            sentence = str(stages[ordinal].sentence()) if ordinal < len(stages) else ""
        title = (
            _("New rule: %(type)s") % {"type": str(form.rule_type.label)}
            if form.is_new
            else form.before.get("title", "")
        )
        return self.page(
            {
                "title": title,
                "form": form,
                "type_label": form.rule_type.label,
                "type_help": form.rule_type.help,
                "parts": form.parts(),
                "summary": form.all_errors() if form.is_bound else [],
                "sentence": sentence,
                "mark": mark_of(form.before),
                "key": form.before.get("key", ""),
                "stage": int(self.kwargs.get("stage", 0)),
                "may_edit": self.may(Task.EDIT_RULES),
                "suggestions": suggestions(form.vocabulary),
                "zone": self.brand.time_zone.replace("_", " "),
            },
            status=status,
        )


def suggestions(vocabulary: Vocabulary) -> list[str]:
    """What people may want to write as a condition's value."""
    choices = [
        choice
        for kind in vocabulary.kinds.values()
        for declared in kind.attributes.values()
        if isinstance(declared, Mapping)
        for choice in declared["choice"]
    ]
    words = [*vocabulary.venue_names.values(), *map(str, WEEKDAY_NAMES.values()), *choices]
    return list(dict.fromkeys(words))


class RemoveRulePage(DraftPage):
    """Take one stage of a rule out of the draft."""

    task = Task.EDIT_RULES
    http_method_names = ("post",)

    def post(self, request: HttpRequest, key: str, stage: int) -> HttpResponse:
        document = self.draft()
        place = find(document, key, stage)
        rules = list(document["rules"])
        removed = rules.pop(place)
        problems = self.save({**document, "rules": rules})
        for path, reason in problems:
            messages.error(request, problem_words(path, reason, document))
        if not problems:
            messages.success(
                request,
                _("Taken out of the draft: %(title)s. It counts until you publish.")
                % {"title": removed["title"]},
            )
        return self.to_rules()


class ShapePage(DraftPage):
    """Weights, half-lives and halfway points of the six sources."""

    template = "admin/rules/shape.html"
    title = _("Score design")
    section = "shape"

    def get(self, request: HttpRequest) -> HttpResponse:
        document = self.draft()
        return self.answer(document, ShapeForm(sources=document["sources"]))

    def post(self, request: HttpRequest) -> HttpResponse:
        document = self.draft()
        form = ShapeForm(data=request.POST, sources=document["sources"])
        if request.POST.get("mark") != mark_of(document["sources"]):
            messages.error(
                request,
                _("Somebody else changed this while you edited it. Here it is as it is now."),
            )
            return self.answer(document, ShapeForm(sources=document["sources"]), status=409)
        if not form.is_valid():
            return self.answer(document, form, status=422)
        problems = self.save({**document, "sources": form.sources()})
        if problems:
            for path, reason in problems:
                if path.startswith("sources"):
                    form.place(path.removeprefix("sources").removeprefix("."), reason)
                else:
                    form.add_error(None, problem_words(path, reason, document))
            return self.answer(document, form, status=422)
        messages.success(
            request, _("Saved in the draft. The score is as it was until you publish.")
        )
        return redirect("admin:shape", slug=self.brand.slug)

    def answer(
        self, document: Mapping[str, Any], form: ShapeForm, *, status: int = 200
    ) -> HttpResponse:
        """The page with the form."""
        return self.page(
            {
                "form": form,
                "mark": mark_of(document["sources"]),
                "may_edit": self.may(Task.EDIT_RULES),
            },
            status=status,
        )


def urls() -> list[URLPattern]:
    """The pages of this area."""
    choice = BrandChoice.to(task=Task.SEE_RULES, page="rules", title=_("Rules"))
    base = "brands/<slug:slug>/rules/"
    return [
        page_url("rules/", choice, "rules_choice"),
        page_url(base, RulesPage, "rules"),
        page_url(f"{base}discard/", DiscardPage, "rules_discard"),
        page_url("brands/<slug:slug>/new-rule/<slug:rule_type>/", RulePage, "rule_add"),
        page_url(f"{base}<slug:key>/<int:stage>/", RulePage, "rule_edit"),
        page_url(f"{base}<slug:key>/<int:stage>/remove/", RemoveRulePage, "rule_remove"),
        page_url("brands/<slug:slug>/score-design/", ShapePage, "shape"),
    ]
