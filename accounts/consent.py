"""What customers agree to, and the one gate through which a brand finds customers for a purpose.

Customers agree to each purpose by each channel, or do not. The score is no consent: it is what one joins for, and its
switch is the pause (``accounts.choices``).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from django.db import connection, transaction
from django.db.models import (
    BooleanField,
    Case,
    CharField,
    Count,
    Exists,
    Expression,
    ExpressionWrapper,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextChoices,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from psycopg import sql

from .models import (
    Brand,
    Consent,
    ConsentText,
    ContactRules,
    Customer,
    DataUse,
    DataUseOf,
    Purpose,
    User,
)

# The gate


class LeftOut(TextChoices):
    """Why a customer is not in an audience; of several reasons, the first."""

    PAUSED = "paused", gettext_lazy("score paused")
    NOT_JOINED = "not_joined", gettext_lazy("not joined")
    NO_CONSENT = "no_consent", gettext_lazy("no consent")


@dataclass(frozen=True, slots=True)
class Audience:
    """The customers of a brand who may be found for a purpose, as of each time when it is read.

    With a ``use``, only those of whom it is recorded.
    """

    brand: Brand
    purpose: Purpose
    channel: str
    use: DataUse | None = None

    @property
    def has_addresses(self) -> bool:
        """Whether e-mail addresses are written out in a list of them: they agreed to be written to there."""
        return self.channel == Brand.Channel.EMAIL

    @property
    def customers(self) -> QuerySet[Customer]:
        """They, in no order."""
        people = self._people()
        for _why, is_so in self._reasons():
            # One plain condition each: of a CASE the planner knows nothing.
            people = people.filter(~is_so)
        return people

    @property
    def is_member(self) -> sql.SQL:
        """For a statement in which a row of accounts_customer is called ``customer``: whether it is one of them."""
        statement, parameters = self.customers.values("pk").query.sql_with_params()
        text = connection.ops.compose_sql(statement, parameters)  # type: ignore[attr-defined]
        return sql.SQL(f"customer.id IN ({text.replace('%', '%%')})")

    def recorded_in(self, use: DataUse) -> "Audience":
        """What is left of it among those of whom a use is recorded, so that a file holds nobody else."""
        return replace(self, use=use)

    def left_out(self) -> dict[LeftOut, int]:
        """How many people of the brand are not in it, by reason.

        Whoever was merged or erased is nobody, and is not counted.
        """
        whens = [When(is_so, then=Value(why.value)) for why, is_so in self._reasons()]
        why = Case(*whens, default=None, output_field=CharField())
        people = self._people().annotate(why=why).exclude(why=None)
        rows = people.values_list("why").annotate(Count("pk"))
        return {LeftOut(why): people for why, people in rows}

    def _people(self) -> QuerySet[Customer]:
        people = Customer.objects.filter(brand=self.brand, merged_into=None, erased_at=None)
        if self.use is None:
            return people
        # Grain: one member of the use. Index: its primary key.
        recorded = DataUseOf.objects.filter(customer=OuterRef("pk"), use=self.use)
        return people.filter(Exists(recorded))

    def _reasons(self) -> list[tuple[LeftOut, Q]]:
        paused = (LeftOut.PAUSED, Q(paused_at__isnull=False))
        if self.purpose == Purpose.SCORE:
            return [paused]
        return [
            paused,
            (LeftOut.NOT_JOINED, Q(user__isnull=True)),
            (LeftOut.NO_CONSENT, ~Q(self._has_consent())),
        ]

    def _has_consent(self) -> Expression:
        if (self.purpose, self.channel) not in asked_for(brand=self.brand):
            return Value(value=False)
        # Grain: the last word of one customer on the purpose and channel. Index: consent_of_customer.
        last = Consent.objects.filter(
            customer=OuterRef("pk"), purpose=self.purpose, channel=self.channel
        ).order_by("-pk")
        return Coalesce(
            Subquery(last.values_list(ExpressionWrapper(_holds(self.brand), BooleanField()))[:1]),
            Value(value=False),
        )


def audience(*, brand: Brand, purpose: Purpose, channel: str = "") -> Audience:
    """THE GATE: whom the brand may find for a purpose, by a channel where the purpose has channels.

    For the score, all but those who paused it. For anything else, those who joined and whose consent to it holds.
    Nothing that reads many customers for marketing takes them from anywhere else. Raises ValueError for a channel that
    does not go with the purpose.
    """
    if bool(channel) != (purpose in BY_CHANNEL):
        raise ValueError(f"{purpose} by {channel!r} is nothing that customers are asked for")
    return Audience(brand, Purpose(purpose), channel)


# What is asked for, and in which words

BY_CHANNEL = (Purpose.OFFERS, Purpose.NEWS)


def asked_for(*, brand: Brand) -> list[tuple[Purpose, str]]:
    """The purposes and channels for which the brand asks its customers, in the order of the page."""
    asked = [
        (purpose, channel)
        for purpose in BY_CHANNEL
        for channel in Brand.Channel.values
        if channel in brand.channels
    ]
    return [*asked, (Purpose.PARTNERS, "")] if brand.partners else asked


@dataclass(frozen=True, slots=True)
class Wording:
    """The words in which a purpose is asked for, in one language. ``version`` names the text."""

    purpose: Purpose
    text: str
    version: str
    consequence: str

    def shown(self, channel: str) -> str:
        """All that is read beside the switch of a channel, a line each: what the proof keeps."""
        lines = [str(self.purpose.label), self.text, self.consequence]
        return "\n".join([*lines, str(Brand.Channel(channel).label)] if channel else lines)


# Laurel's own words, for brands that have written none: what is asked, and what is without it.
_TEXTS: dict[Purpose, Promise] = {
    Purpose.OFFERS: gettext_lazy(
        "May %(brand)s choose offers for you, by what you do here, and send them to you?"
    ),
    Purpose.NEWS: gettext_lazy("May %(brand)s send you news that everyone gets?"),
    Purpose.PARTNERS: gettext_lazy(
        "May %(brand)s share your profile and your score with %(partners)s?"
    ),
}
_CONSEQUENCES: dict[Purpose, Promise] = {
    Purpose.OFFERS: gettext_lazy(
        "Off, you get no offers of your own. Score, points and badges stay as they are."
    ),
    Purpose.NEWS: gettext_lazy("Off, you get no news. Score, points and badges stay as they are."),
    Purpose.PARTNERS: gettext_lazy(
        "Off, they learn nothing more of you from us. Score, points and badges stay as they are."
    ),
}


def texts_of(*, brand: Brand, language: str) -> dict[Purpose, Wording]:
    """The words of every purpose that the brand asks for, in a language; two queries at most.

    The brand's own newest text stands as the brand wrote it. Laurel's own words are named by what they say.
    """
    # Grain: the newest text of one purpose. Index: consent_text_version_unique.
    newest = ConsentText.objects.filter(brand=brand).order_by("purpose", "-version")
    own = {Purpose(text.purpose): text for text in newest.distinct("purpose")}
    purposes = dict.fromkeys(purpose for purpose, _channel in asked_for(brand=brand))
    with translation.override(language):
        return {purpose: _wording(brand, purpose, own.get(purpose)) for purpose in purposes}


def _wording(brand: Brand, purpose: Purpose, own: ConsentText | None) -> Wording:
    consequence = str(_CONSEQUENCES[purpose])
    if own is None:
        text = str(_TEXTS[purpose]) % {"brand": brand.name, "partners": brand.partners}
        digest = hashlib.sha256(f"{text}\n{consequence}".encode()).hexdigest()
        version = f"laurel-{digest[:12]}"
    else:
        text, version = own.text, str(own.version)
    if purpose == Purpose.PARTNERS:
        if own is not None:
            # A consent to sharing names with whom, whatever the brand wrote.
            text = _("%(text)s Partners: %(partners)s.") % {
                "text": text,
                "partners": brand.partners,
            }
        version += _with_whom(brand)
    return Wording(purpose, text, version, consequence)


def _with_whom(brand: Brand) -> str:
    """How each version ends whose words name exactly the brand's partners, whatever their order, capitals and spaces.

    Commas and semicolons part the names.
    """
    names = {" ".join(name.split()).casefold() for name in re.split("[,;]", brand.partners)}
    digest = hashlib.sha256("\n".join(sorted(names - {""})).encode()).hexdigest()
    return f"-{digest[:16]}"


@transaction.atomic
def write_text(
    *, brand: Brand, purpose: Purpose, text: str, by: User | None, now: datetime
) -> ConsentText:
    """Ask for a purpose in these words from now on. Consents that were given stay, with the words of their time."""
    # The brand's row is the lock: two who write at once get a version each.
    Brand.objects.select_for_update(no_key=True).get(pk=brand.pk)
    texts = ConsentText.objects.filter(brand=brand, purpose=purpose)
    last: int | None = texts.aggregate(last=Max("version"))["last"]
    return ConsentText.objects.create(
        brand=brand, purpose=purpose, version=(last or 0) + 1, text=text, made_at=now, made_by=by
    )


# What a customer said


class ConsentError(ValueError):
    """A consent that cannot be given like this; ``sentence`` says why, for the person."""

    def __init__(self, sentence: Promise) -> None:
        super().__init__(str(sentence))
        self.sentence = sentence


def consents_of(*, customer: Customer) -> dict[tuple[Purpose, str], Consent | None]:
    """The customer's last word on everything that the brand asks for; one query.

    None: nothing was said on what is asked now, which is as good as no. Sharing with other partners is another matter.
    """
    last = (
        Consent.objects.filter(customer=customer)
        .annotate(holds=ExpressionWrapper(_holds(customer.brand), BooleanField()))
        .order_by("purpose", "channel", "-pk")
        .distinct("purpose", "channel")
    )
    said: dict[tuple[str, str], Consent] = {
        (consent.purpose, consent.channel): consent
        for consent in last
        if consent.holds or not consent.given
    }
    return {asked: said.get(asked) for asked in asked_for(brand=customer.brand)}


def _holds(brand: Brand) -> Q:
    """Whether a consent, the last one on its purpose and channel, is one: sharing holds with exactly whom it named."""
    return Q(given=True) & (~Q(purpose=Purpose.PARTNERS) | Q(version__endswith=_with_whom(brand)))


@transaction.atomic
def record_consents(
    *,
    customer: Customer,
    choices: Mapping[tuple[Purpose, str], bool],
    shown: Mapping[Purpose, str],
    language: str,
    way: Consent.Way,
    now: datetime,
) -> list[Consent]:
    """Keep what a customer agreed to or withdrew, by purpose and channel; what is so already is not said again.

    ``shown`` names the version of each text that was read. Raises ConsentError when a consent would be given to other
    words than those, or to what the brand does not ask for; then nothing is kept. Withdrawing needs no words.
    """
    # The customer's row is the lock: of two at once, the later one knows what the first one said.
    Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
    held = consents_of(customer=customer)
    texts = texts_of(brand=customer.brand, language=language)
    said = []
    for (purpose, channel), given in choices.items():
        before = held.get((purpose, channel))
        if given == (before is not None and before.given):
            continue
        if (purpose, channel) not in held:
            raise ConsentError(gettext_lazy("This is not asked for here any more."))
        wording = texts[purpose]
        if given and shown.get(purpose) != wording.version:
            raise ConsentError(
                gettext_lazy("The words have changed since you read them. Please read them again.")
            )
        said.append(
            Consent.objects.create(
                customer=customer,
                purpose=purpose,
                channel=channel,
                given=given,
                wording=wording.shown(channel),
                version=wording.version,
                language=language,
                way=way,
                at=now,
            )
        )
    return said


def history_of(*, customer: Customer) -> list[Consent]:
    """Everything that the customer agreed to or withdrew, newest first."""
    return list(Consent.objects.filter(customer=customer).order_by("-pk"))


# When and how often


class ContactRulesError(ValueError):
    """Rules that cannot be kept; ``sentence`` says why, for the person."""

    def __init__(self, sentence: Promise) -> None:
        super().__init__(str(sentence))
        self.sentence = sentence


def keep_contact_rules(
    *,
    customer: Customer,
    quiet_from: time | None,
    quiet_until: time | None,
    weekly_most: int | None,
) -> None:
    """Keep between which local times a customer wants to be left alone, and how many messages a week are enough.

    Raises ContactRulesError for half a pair of times, or one time twice.
    """
    if (quiet_from is None) != (quiet_until is None):
        raise ContactRulesError(gettext_lazy("Enter both times, or none."))
    if quiet_from is not None and quiet_from == quiet_until:
        raise ContactRulesError(gettext_lazy("Enter two different times."))
    ContactRules.objects.update_or_create(
        customer=customer,
        defaults={
            "quiet_from": quiet_from,
            "quiet_until": quiet_until,
            "weekly_most": weekly_most,
        },
    )


@dataclass(frozen=True, slots=True)
class Reach:
    """How a customer may be written to: not before a moment, and so often in a week (None: as often as need be)."""

    not_before: datetime
    weekly_most: int | None


def reach_of(*, customer: Customer, purpose: Purpose, channel: str, now: datetime) -> Reach | None:
    """How a customer may be written to for a purpose by a channel. None: not at all.

    What is sent asks here first, once per message. Letters wake nobody: they have no quiet hours.
    """
    found = audience(brand=customer.brand, purpose=purpose, channel=channel).customers
    reached = found.select_related("contact_rules").filter(pk=customer.pk).first()
    if reached is None:
        return None
    rules = getattr(reached, "contact_rules", None)
    if rules is None:
        return Reach(now, None)
    if channel == Brand.Channel.POST or rules.quiet_from is None:
        return Reach(now, rules.weekly_most)
    local = now.astimezone(customer.brand.zone)
    is_overnight = rules.quiet_from > rules.quiet_until
    is_late, is_early = local.time() >= rules.quiet_from, local.time() < rules.quiet_until
    if not (is_late or is_early if is_overnight else is_late and is_early):
        return Reach(now, rules.weekly_most)
    day = local.date() + timedelta(days=1) if is_overnight and is_late else local.date()
    ends = datetime.combine(day, rules.quiet_until, customer.brand.zone)
    return Reach(ends, rules.weekly_most)
