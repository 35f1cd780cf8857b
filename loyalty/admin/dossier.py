"""What the page of one customer shows to staff: identities, choices, score, and a timeline over every channel."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Exists, F, OuterRef, Q
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive
from django.utils.translation import gettext as _

from accounts import identity
from accounts.consent import consents_of
from accounts.models import (
    Brand,
    Consent,
    ContactRules,
    Customer,
    Dispute,
    Identifier,
    LinkEvent,
    Purpose,
)
from loyalty.admin.ledger import local_moment, pending, quantity_words
from loyalty.identifiers import masked, scheme_word
from scoring.explain import Explanation, explain
from scoring.models import Action, ActionKind, Amendment, Badge, BadgeEarned, Posting, Source
from scoring.timeline import Place, actions_by_identifier, timeline

LINES = 50
EVENTS = 40
UNDOABLE = 20
# No number of an event has more digits.
LONGEST_NUMBER = 18


def dossier(
    *, customer: Customer, now: datetime, before: Place | None, in_full: bool, with_postings: bool
) -> dict[str, Any]:
    """All that the page shows, in a number of statements that does not grow.

    Identifiers are masked unless ``in_full``.
    """
    brand = customer.brand
    today = now.astimezone(brand.zone).date()
    identities = identities_of(customer, in_full=in_full)
    explanation = None if customer.paused_at else explain(customer=customer, on=today)
    return {
        "customer": customer,
        "brand": brand,
        "today": today,
        "joined": local_moment(customer.joined_at, brand) if customer.joined_at else "",
        "paused": local_moment(customer.paused_at, brand) if customer.paused_at else "",
        "off": [source.label for source in Source if customer.sources_off >> source & 1],
        "email": _shown_email(customer, in_full=in_full),
        "identities": identities,
        "may_split": any(row["may_go"] for row in identities),
        "explanation": explanation
        and {
            "score": explanation.score,
            "points": explanation.points,
            "version": explanation.version,
            "sources": receipts(explanation),
        },
        "choices": choices_of(customer),
        "contact": ContactRules.objects.filter(customer=customer).first(),
        "waiting": waiting_of(customer),
        "undoable": undoable_of(customer),
        **_timeline(customer, before=before, in_full=in_full),
        "postings": _postings(customer) if with_postings else [],
        "shown": LINES,
    }


# Identities


def identities_of(customer: Customer, *, in_full: bool) -> list[dict[str, Any]]:
    """Every identifier of a customer, Laurel's own last, with what was reported under it."""
    reported = actions_by_identifier(customer=customer)
    rows = [
        {
            "identifier": identifier,
            "word": scheme_word(identifier.scheme),
            "value": identifier.value if in_full else masked(identifier.scheme, identifier.value),
            # What Laurel made stays with its customer.
            "may_go": identifier.scheme != identity.OWN_SCHEME,
            "proof": identifier.get_proof_display() if identifier.proof else "",
            "proven": local_moment(identifier.proven_at, customer.brand)
            if identifier.proven_at
            else "",
            "counts_from": local_moment(identifier.counts_from, customer.brand)
            if identifier.counts_from
            else "",
            "actions": reported.get(identifier.pk, (0, None))[0],
            "last_on": reported.get(identifier.pk, (0, None))[1],
        }
        for identifier in customer.identifiers.order_by("scheme", "value")
    ]
    return sorted(rows, key=lambda row: not row["may_go"])


def _shown_email(customer: Customer, *, in_full: bool) -> str:
    if customer.user is None:
        return ""
    return customer.user.email if in_full else masked("email", customer.user.email)


def undoable_of(customer: Customer) -> list[dict[str, Any]]:
    """What staff merged, split or decided about a customer and nobody undid, newest first."""
    undone = LinkEvent.objects.filter(undoes=OuterRef("group"))
    moves = (
        identity.moves_of(customer=customer)
        .filter(
            Q(type__in=(LinkEvent.Type.MERGE, LinkEvent.Type.SPLIT))
            | Q(type=LinkEvent.Type.LINK, proof=Identifier.Proof.STAFF)
        )
        .exclude(from_customer=F("to_customer"))
        .filter(~Exists(undone))
    )
    groups: dict[Any, dict[str, Any]] = {}
    for move in moves:
        came = move.to_customer_id == customer.pk
        group = groups.setdefault(
            move.group,
            {
                "group": move.group,
                "word": move.get_type_display(),
                "type": move.type,
                "came": came,
                "other": move.from_customer if came else move.to_customer,
                "at": local_moment(move.at, customer.brand),
                "by": move.by,
                "reason": move.reason,
                "count": 0,
            },
        )
        group["count"] += 1
    return list(groups.values())[:UNDOABLE]


# Choices


def choices_of(customer: Customer) -> list[dict[str, Any]]:
    """What a customer agreed to as it holds: by purpose, each channel with its proof."""
    held = consents_of(customer=customer)
    rows = []
    for purpose in Purpose:
        cells = [
            {
                "channel": str(Brand.Channel(channel).label) if channel else "",
                "given": consent.given if consent else False,
                "asked": consent is not None,
                "at": local_moment(consent.at, customer.brand) if consent else "",
                "version": consent.version if consent else "",
                "language": consent.language if consent else "",
                "way": consent.get_way_display() if consent else "",
                "wording": consent.wording if consent else "",
            }
            for (of, channel), consent in held.items()
            if of == purpose
        ]
        if cells:
            rows.append({"purpose": purpose.label, "cells": cells})
    return rows


def waiting_of(customer: Customer) -> dict[str, Any]:
    """What of a customer waits for staff: claims, objections and disputes."""
    actions = Action.objects.filter(
        brand=customer.brand_id, identifier__in=customer.identifiers.values("pk")
    )
    return {
        "claims": pending(actions).count(),
        "objections": actions.filter(objection__answered_at=None, objection__isnull=False).count(),
        "disputes": Dispute.objects.filter(
            Q(claimant=customer) | Q(holder=customer), brand=customer.brand_id, decided_at=None
        ).count(),
    }


# The score


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
                for line in part.lines[:LINES]
            ],
            "more": max(0, len(part.lines) - LINES),
        }
        for part in explanation.sources
    ]


def _postings(customer: Customer) -> list[dict[str, Any]]:
    postings = (
        Posting.objects.filter(customer=customer)
        .select_related("rule", "action", "rule_set")
        .order_by("-pk")
    )
    return [
        {"posting": posting, "posted": local_moment(posting.posted_at, customer.brand)}
        for posting in postings[:LINES]
    ]


# The timeline


def read_place(text: str) -> Place | None:
    """Where to go on, as the address says; None for the beginning, and for what is no place."""
    parts = text.split("_", 2)
    if len(parts) != 3 or not parts[2].isdecimal() or len(parts[2]) > LONGEST_NUMBER:
        return None
    try:
        at = parse_datetime(parts[0])
    except ValueError:
        return None
    return None if at is None or is_naive(at) else Place(at, parts[1], int(parts[2]))


def _timeline(customer: Customer, *, before: Place | None, in_full: bool) -> dict[str, Any]:
    events = timeline(customer=customer, limit=EVENTS + 1, before=before)
    last = events[EVENTS - 1].place if len(events) > EVENTS else None
    return {
        "events": [
            {"at": local_moment(event.at, customer.brand)}
            | WORDS[event.type](Told(event.detail, customer.brand, in_full=in_full))
            for event in events[:EVENTS]
        ],
        "older": f"{last.at.isoformat()}_{last.type}_{last.id}" if last else "",
        "is_first": before is None,
    }


class Told:
    """The detail of an event, in words."""

    def __init__(self, detail: Mapping[str, Any], brand: Brand, *, in_full: bool) -> None:
        self.detail, self.brand, self.in_full = detail, brand, in_full

    def __getitem__(self, name: str) -> Any:
        return self.detail[name]

    @property
    def identifier(self) -> str:
        """The identifier that it is about, with its kind."""
        scheme, value = self["scheme"], self["value"]
        return f"{scheme_word(scheme)} {value if self.in_full else masked(scheme, value)}"

    @property
    def amount(self) -> str:
        """The quantity with its unit."""
        if self["quantity"] is None:
            return ""
        unit = self["unit"]
        number = quantity_words(Decimal(self["quantity"]), ActionKind(unit=unit))
        return f"{number} {self.brand.currency if unit == ActionKind.MONEY else unit}".strip()

    @property
    def proof(self) -> str:
        """How it was proven."""
        return str(Identifier.Proof(self["proof"]).label) if self["proof"] else ""


def _line(what: str, *parts: str, tag: str = "", state: str = "", **more: Any) -> dict[str, Any]:
    return {
        "what": what,
        "detail": " · ".join(part for part in parts if part),
        "tag": tag,
        "state": state,
        **more,
    }


def _action(told: Told) -> dict[str, Any]:
    state, tag = {
        "accepted": ("", ""),
        "pending": (_("waits for review"), "changed"),
        "rejected": (_("refused"), "down"),
        "void": (_("cancelled"), "down"),
        "before": (_("before the linking counts"), ""),
    }[told["state"]]
    return _line(
        told["kind"],
        told.amount,
        told["venue"] or "",
        tag=tag,
        state=state,
        points=told["points"],
        source=Source(told["source"]).label,
        channel=" · ".join(filter(None, (told["channel"], told["origin"]))),
        under=scheme_word(told["scheme"]),
    )


def _amendment(told: Told) -> dict[str, Any]:
    what = {
        Amendment.Type.CORRECTION: _("Corrected: %(kind)s"),
        Amendment.Type.VOID: _("Cancelled: %(kind)s"),
        Amendment.Type.DECISION: _("Claim accepted: %(kind)s")
        if told["accepted"]
        else _("Claim refused: %(kind)s"),
    }[Amendment.Type(told["what"])]
    return _line(
        what % {"kind": told["kind"]},
        told.amount,
        told["reason"],
        source=Source(told["source"]).label,
    )


def _objection(told: Told) -> dict[str, Any]:
    return _line(
        _("Said that this is wrong: %(kind)s") % {"kind": told["kind"]},
        told["text"],
        source=Source(told["source"]).label,
        tag="" if told["is_answered"] else "changed",
        state="" if told["is_answered"] else _("waits for an answer"),
    )


def _earned(told: Told) -> dict[str, Any]:
    return _line(
        _("Badge earned: %(badge)s") % {"badge": told["badge"]},
        str(Badge.Level(told["level"]).label),
        source=Source(told["source"]).label,
    )


def _revoked(told: Told) -> dict[str, Any]:
    return _line(
        _("Badge taken back: %(badge)s") % {"badge": told["badge"]},
        str(Badge.Level(told["level"]).label),
        str(BadgeEarned.Why(told["why"]).label),
        source=Source(told["source"]).label,
    )


def _link(told: Told) -> dict[str, Any]:
    came = {
        LinkEvent.Type.LINK: _("Linked: %(identifier)s"),
        LinkEvent.Type.UNLINK: _("Came here by unlinking: %(identifier)s"),
        LinkEvent.Type.MERGE: _("Came here by a merge: %(identifier)s"),
        LinkEvent.Type.SPLIT: _("Came here by a split: %(identifier)s"),
        LinkEvent.Type.UNDO: _("Came back, undone: %(identifier)s"),
    }
    went = {
        LinkEvent.Type.LINK: _("Went to another customer who linked it: %(identifier)s"),
        LinkEvent.Type.UNLINK: _("Unlinked: %(identifier)s"),
        LinkEvent.Type.MERGE: _("Went away by a merge: %(identifier)s"),
        LinkEvent.Type.SPLIT: _("Split off: %(identifier)s"),
        LinkEvent.Type.UNDO: _("Went back, undone: %(identifier)s"),
    }
    words = (came if told["came"] else went)[LinkEvent.Type(told["what"])]
    by = _("by %(who)s") % {"who": told["by"]} if told["by"] else ""
    return _line(
        words % {"identifier": told.identifier}, told.proof, told["reason"], by, other=told["other"]
    )


def _consent(told: Told) -> dict[str, Any]:
    words = _("Agreed: %(purpose)s") if told["given"] else _("Withdrew: %(purpose)s")
    return _line(
        words % {"purpose": Purpose(told["purpose"]).label},
        str(Brand.Channel(told["channel"]).label) if told["channel"] else "",
        str(Consent.Way(told["way"]).label),
        _("wording %(version)s") % {"version": told["version"]},
    )


def _disputed(told: Told) -> dict[str, Any]:
    words = (
        _("Claims what another customer holds: %(identifier)s")
        if told["claims"]
        else _("Another customer claims: %(identifier)s")
    )
    return _line(words % {"identifier": told.identifier}, told.proof, other=told["other"])


def _settled(told: Told) -> dict[str, Any]:
    won = told["moved"] == told["claims"]
    words = (
        _("Decided: %(identifier)s is theirs")
        if won
        else _("Decided: %(identifier)s is not theirs")
    )
    return _line(words % {"identifier": told.identifier}, told["note"], other=told["other"])


def _joined(told: Told) -> dict[str, Any]:
    return _line(_("Joined"))


WORDS: dict[str, Callable[[Told], dict[str, Any]]] = {
    "action": _action,
    "amendment": _amendment,
    "objection": _objection,
    "earned": _earned,
    "revoked": _revoked,
    "link": _link,
    "consent": _consent,
    "disputed": _disputed,
    "settled": _settled,
    "joined": _joined,
}
