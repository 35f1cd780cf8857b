"""Facts (actions and their amendments), rules, and what scoring made of them.

Facts and postings are append-only, and the database itself refuses to change them. Everything in
``DailyPoints``, ``Score`` and ``BadgeEarned`` is a copy that can be rebuilt from facts, rules and the day, but for
the badges that were revoked.
"""

import re
import uuid
from decimal import Decimal

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Brand, Customer, Identifier, User, append_only

KEY_PATTERN = re.compile(r"^[a-z0-9][a-z0-9_-]*\Z")
KEY = RegexValidator(KEY_PATTERN.pattern, _("Use small letters, digits, hyphens and underscores."))


def photo_path(_evidence: models.Model, _name: str) -> str:
    """Where a photo is kept: a random name, so that none can be guessed from another."""
    name = uuid.uuid4().hex
    return f"evidence/{name[:2]}/{name}.jpg"


class Source(models.IntegerChoices):
    """The six sources of behaviour. The number is what the ledger stores; ``slug`` is the word."""

    ONLINE_ENGAGEMENT = 1, _("Online")
    PURCHASES = 2, _("Purchases")
    MARKETING_ATTENTION = 3, _("Attention")
    PHYSICAL_VISITS = 4, _("Visits")
    SOCIAL_MEDIA = 5, _("Social")
    PRODUCT_USAGE = 6, _("Product use")

    @property
    def slug(self) -> str:
        """The source's name in documents and exports, such as ``physical_visits``."""
        return self.name.lower()

    @classmethod
    def from_slug(cls, slug: str) -> "Source":
        """The source of that name; KeyError for any other text."""
        return cls[slug.upper()] if slug == slug.lower() else cls[""]


class Venue(models.Model):
    """A place where customers check in."""

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="venues", verbose_name=_("brand"))
    slug = models.CharField(_("slug"), max_length=64, validators=[KEY], db_collation="C")
    name = models.CharField(_("name"), max_length=100)
    check_in_code = models.CharField(
        _("check-in code"),
        max_length=12,
        blank=True,
        help_text=_("What the poster at the till says; customers type it to check in."),
    )

    class Meta:
        verbose_name = _("venue")
        verbose_name_plural = _("venues")
        constraints = [
            models.UniqueConstraint(fields=["brand", "slug"], name="venue_slug_unique"),
            models.UniqueConstraint(
                fields=["brand", "check_in_code"],
                condition=~models.Q(check_in_code=""),
                name="venue_code_unique",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ActionKind(models.Model):
    """What a brand lets customers do, with the unit of its quantity and its typed attributes.

    ``attributes`` maps a name to ``text``, ``number``, ``yes_no``, ``date`` or ``{"choice": [...]}``.
    The unit ``money`` means the brand's currency.
    """

    MONEY = "money"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="kinds", verbose_name=_("brand"))
    slug = models.CharField(_("slug"), max_length=64, validators=[KEY], db_collation="C")
    label = models.CharField(_("label"), max_length=100)
    source = models.PositiveSmallIntegerField(_("source"), choices=Source)
    unit = models.CharField(_("unit of the quantity"), max_length=32, blank=True)
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)

    class Meta:
        verbose_name = _("action kind")
        verbose_name_plural = _("action kinds")
        constraints = [
            models.UniqueConstraint(fields=["brand", "slug"], name="kind_slug_unique"),
            models.CheckConstraint(
                condition=models.Q(source__in=Source.values), name="kind_source_known"
            ),
        ]

    def __str__(self) -> str:
        return self.label


class Action(models.Model):
    """One fact, as it was reported; its record never changes.

    What holds of it now (state and quantity) is this row and its ``Amendment`` rows together.
    """

    class State(models.TextChoices):
        ACCEPTED = "accepted", _("accepted")
        PENDING = "pending", _("pending")

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="+", verbose_name=_("brand"))
    identifier = models.ForeignKey(
        Identifier,
        models.PROTECT,
        related_name="actions",
        db_index=False,
        verbose_name=_("identifier"),
    )
    kind = models.ForeignKey(
        ActionKind, models.PROTECT, related_name="+", db_index=False, verbose_name=_("kind")
    )
    venue = models.ForeignKey(
        Venue,
        models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        db_index=False,
        verbose_name=_("venue"),
    )
    occurred_at = models.DateTimeField(_("happened"))
    received_at = models.DateTimeField(_("received"))
    quantity = models.DecimalField(
        _("quantity"), max_digits=24, decimal_places=8, null=True, blank=True
    )
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.ACCEPTED)
    channel = models.CharField(  # noqa: DJ001
        _("channel"), max_length=64, null=True, blank=True, db_collation="C"
    )
    origin = models.CharField(max_length=64, db_collation="C")
    external_id = models.CharField(max_length=200, db_collation="C")
    attributes = models.JSONField(_("attributes"), null=True, blank=True)

    class Meta:
        verbose_name = _("action")
        verbose_name_plural = _("actions")
        constraints = [
            models.UniqueConstraint(fields=["brand", "origin", "external_id"], name="action_once"),
            models.CheckConstraint(
                condition=models.Q(quantity__isnull=True) | models.Q(quantity__gte=0),
                name="action_quantity_not_negative",
            ),
        ]
        indexes = [
            models.Index(fields=["identifier", "kind", "occurred_at"], name="action_of_identifier"),
            models.Index(
                fields=["brand", "received_at"],
                condition=models.Q(state="pending"),
                name="action_pending",
            ),
        ]
        triggers = append_only("attributes")

    def __str__(self) -> str:
        return f"{self.origin}:{self.external_id}"


class Amendment(models.Model):
    """A correction, void or decision: a later record about one action of the same origin.

    One that arrives before its action waits with ``action`` empty. ``at`` is the moment in the
    record, which orders several; of corrections the highest (at, external_id) holds, of
    decisions the lowest, and a void is final.
    """

    class Type(models.TextChoices):
        CORRECTION = "correction", _("correction")
        VOID = "void", _("void")
        DECISION = "decision", _("decision")

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="+", db_index=False)
    type = models.CharField(max_length=10, choices=Type)
    origin = models.CharField(max_length=64, db_collation="C")
    external_id = models.CharField(max_length=200, db_collation="C")
    action_external_id = models.CharField(max_length=200, db_collation="C")
    action = models.ForeignKey(
        Action, models.PROTECT, related_name="amendments", null=True, blank=True
    )
    identifier = models.ForeignKey(
        Identifier, models.PROTECT, related_name="+", null=True, blank=True
    )
    at = models.DateTimeField()
    quantity = models.DecimalField(max_digits=24, decimal_places=8, null=True, blank=True)
    accepted = models.BooleanField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    received_at = models.DateTimeField()

    class Meta:
        verbose_name = _("amendment")
        verbose_name_plural = _("amendments")
        constraints = [
            models.UniqueConstraint(
                fields=["brand", "origin", "type", "external_id"], name="amendment_once"
            ),
            models.CheckConstraint(
                condition=models.Q(type="correction", quantity__gte=0, accepted=None)
                | models.Q(type="void", quantity=None, accepted=None)
                | models.Q(type="decision", quantity=None, accepted__isnull=False),
                name="amendment_says_what_its_type_says",
            ),
            models.CheckConstraint(
                condition=models.Q(action=None, identifier=None)
                | models.Q(action__isnull=False, identifier__isnull=False),
                name="amendment_knows_identifier_with_action",
            ),
        ]
        indexes = [
            models.Index(
                fields=["brand", "origin", "action_external_id"],
                condition=models.Q(action=None),
                name="amendment_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.origin}:{self.external_id}"


class RuleSet(models.Model):
    """A version of a brand's rules, or (version empty) the one draft that staff are editing.

    A published version never changes. ``sources`` maps each source's slug to its weight,
    half_life_days and halfway_points; ``rules`` are its rows of ``Rule``.
    """

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="rule_sets")
    version = models.PositiveIntegerField(_("version"), null=True, blank=True)
    sources = models.JSONField(_("sources"))
    effective = models.CharField(_("takes effect"), max_length=40, blank=True)
    note = models.CharField(_("note"), max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(_("published"), null=True, blank=True)
    published_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )

    class Meta:
        verbose_name = _("rule set")
        verbose_name_plural = _("rule sets")
        constraints = [
            models.UniqueConstraint(fields=["brand", "version"], name="rule_set_version_unique"),
            models.UniqueConstraint(
                fields=["brand"], condition=models.Q(version=None), name="rule_set_one_draft"
            ),
            models.CheckConstraint(
                condition=models.Q(version=None, published_at=None)
                | models.Q(version__isnull=False, published_at__isnull=False),
                name="rule_set_version_is_published",
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="published_never_changes",
                operation=pgtrigger.Update,
                # Who published it may be forgotten.
                condition=pgtrigger.Condition(
                    "OLD.version IS NOT NULL AND (NEW.published_by_id IS NOT NULL OR OLD.published_by_id IS NULL"
                    " OR to_jsonb(OLD) - 'published_by_id' IS DISTINCT FROM to_jsonb(NEW) - 'published_by_id')"
                ),
            ),
            pgtrigger.Protect(
                name="published_never_deleted",
                operation=pgtrigger.Delete,
                condition=pgtrigger.Q(old__version__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        version = self.version or _("draft")
        return f"{self.brand}: {version}"


class RuleKey(models.Model):
    """The lasting name of a rule. Its stages, in whatever version, share one key, and the ledger points here."""

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="+", db_index=False)
    key = models.CharField(max_length=64, validators=[KEY], db_collation="C")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["brand", "key"], name="rule_key_unique")]

    def __str__(self) -> str:
        return self.key


class Rule(models.Model):
    """One stage of one rule in a rule set: ``definition`` is its entry in the rule set document."""

    rule_set = models.ForeignKey(RuleSet, models.CASCADE, related_name="rules")
    position = models.PositiveIntegerField()
    key = models.CharField(_("key"), max_length=64, validators=[KEY], db_collation="C")
    type = models.CharField(_("type"), max_length=16)
    title = models.CharField(_("title"), max_length=140)
    starts = models.DateTimeField(_("starts"), null=True, blank=True)
    ends = models.DateTimeField(_("ends"), null=True, blank=True)
    definition = models.JSONField()

    class Meta:
        verbose_name = _("rule")
        verbose_name_plural = _("rules")
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["rule_set", "position"], name="rule_position_unique"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="published_never_changes",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
                func="""
                    IF EXISTS (
                        SELECT FROM scoring_ruleset WHERE version IS NOT NULL AND id IN (
                            CASE WHEN TG_OP <> 'INSERT' THEN OLD.rule_set_id END,
                            CASE WHEN TG_OP <> 'DELETE' THEN NEW.rule_set_id END)
                    ) THEN
                        RAISE EXCEPTION 'a published rule set never changes';
                    END IF;
                    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Posting(models.Model):
    """One entry of the append-only ledger: an award, or the reversal of (a part of) one.

    What holds for (customer, action, rule, source, local date) is the sum of its postings.
    Points are whole; a reversal's are negative.
    """

    class Why(models.TextChoices):
        FACTS = "facts", _("an action or its amendment arrived")
        RULES = "rules", _("a rule set was published")
        IDENTITY = "identity", _("an identifier moved")
        CHOICE = "choice", _("a source was switched off or on")

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="+", db_index=False, verbose_name=_("customer")
    )
    action = models.ForeignKey(
        Action, models.PROTECT, related_name="postings", db_index=False, verbose_name=_("action")
    )
    rule = models.ForeignKey(
        RuleKey, models.PROTECT, related_name="+", db_index=False, verbose_name=_("rule")
    )
    rule_set = models.ForeignKey(
        RuleSet, models.PROTECT, related_name="+", db_index=False, verbose_name=_("rule set")
    )
    points = models.BigIntegerField(_("points"))
    posted_at = models.DateTimeField(_("posted"))
    local_date = models.DateField(_("for the day"))
    source = models.PositiveSmallIntegerField(_("source"), choices=Source)
    why = models.CharField(_("why"), max_length=8, choices=Why)

    class Meta:
        verbose_name = _("posting")
        verbose_name_plural = _("postings")
        constraints = [
            models.CheckConstraint(condition=~models.Q(points=0), name="posting_moves_points"),
            models.CheckConstraint(
                condition=models.Q(source__in=Source.values), name="posting_source_known"
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "rule", "local_date"], name="posting_of_customer"),
            models.Index(fields=["action"], name="posting_of_action"),
        ]
        triggers = [
            *append_only(),
            pgtrigger.Trigger(
                name="never_truncated",
                when=pgtrigger.Before,
                operation=pgtrigger.Truncate,
                level=pgtrigger.Statement,
                func="RAISE EXCEPTION 'the ledger is append-only';",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.points:+d}"


class DailyPoints(models.Model):
    """The points that hold, summed by customer, source and local date: what fading is computed from."""

    pk = models.CompositePrimaryKey("customer", "source", "local_date")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+", db_index=False)
    source = models.PositiveSmallIntegerField(choices=Source)
    local_date = models.DateField()
    points = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.local_date} {self.get_source_display()}: {self.points}"


class Score(models.Model):
    """A customer's score on ``scored_on``, the brand's local day, as it was last computed.

    ``sub_scores`` and ``source_points`` hold six values, in the order of ``Source``. The two
    ``checksum`` columns summarise the customer's postings, so that a full recomputation can
    tell who has a difference without reading the ledger. Without ``rule_set`` the customer has paused: there are
    points and no score. ``revision`` grows with every writing;
    ``scored_at`` is the database's clock, by which ranks find what they missed.
    """

    customer = models.OneToOneField(
        Customer, models.PROTECT, primary_key=True, related_name="score"
    )
    brand = models.ForeignKey(Brand, models.PROTECT, related_name="+", db_index=False)
    score = models.DecimalField(max_digits=7, decimal_places=3, default=Decimal(0))
    points = models.BigIntegerField(default=0)
    sub_scores = ArrayField(models.FloatField(), size=6)
    source_points = ArrayField(models.BigIntegerField(), size=6)
    rule_set = models.ForeignKey(
        RuleSet, models.PROTECT, null=True, related_name="+", db_index=False
    )
    scored_on = models.DateField()
    scored_at = models.DateTimeField()
    revision = models.BigIntegerField(default=0)
    checksum_a = models.DecimalField(max_digits=40, decimal_places=0, default=Decimal(0))
    checksum_b = models.DecimalField(max_digits=40, decimal_places=0, default=Decimal(0))

    class Meta:
        verbose_name = _("score")
        verbose_name_plural = _("scores")
        indexes = [
            models.Index(fields=["brand", "-score"], name="score_of_brand"),
            models.Index(fields=["brand", "scored_at"], name="score_written"),
        ]

    def __str__(self) -> str:
        return f"{self.score}"


class Due(models.Model):
    """A mark that a customer must be scored: laid in the transaction that changed something.

    It names an identifier (whoever holds it when the mark is claimed) or a customer.
    ``since`` and ``until`` are the local dates between which actions of ``kinds`` changed; empty: anything may have.
    Marks are only added and deleted, so that intake never waits for scoring.
    """

    id = models.BigAutoField(primary_key=True)
    brand = models.ForeignKey(Brand, models.CASCADE, related_name="+", db_index=False)
    identifier = models.ForeignKey(
        Identifier, models.CASCADE, null=True, related_name="+", db_index=False
    )
    customer = models.ForeignKey(
        Customer, models.CASCADE, null=True, related_name="+", db_index=False
    )
    since = models.DateField(null=True)
    until = models.DateField(null=True)
    kinds = ArrayField(models.BigIntegerField(), null=True)
    why = models.CharField(max_length=8, choices=Posting.Why)
    marked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(identifier=None, customer__isnull=False)
                | models.Q(identifier__isnull=False, customer=None),
                name="due_names_one",
            ),
        ]
        indexes = [
            models.Index(fields=["brand", "id"], name="due_of_brand"),
            models.Index(fields=["identifier"], name="due_of_identifier"),
            models.Index(fields=["customer"], name="due_of_customer"),
        ]

    def __str__(self) -> str:
        return f"{self.identifier_id or self.customer_id} {self.since}"


class Badge(models.Model):
    """A badge of a brand: a criterion from ``scoring.criteria`` with its parameters, and up to three levels of it.

    ``levels`` are one to three targets, each higher than the one before: how much earns bronze, silver and gold.
    """

    class Level(models.IntegerChoices):
        BRONZE = 1, _("bronze")
        SILVER = 2, _("silver")
        GOLD = 3, _("gold")

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="badges", verbose_name=_("brand"))
    slug = models.CharField(_("slug"), max_length=64, validators=[KEY], db_collation="C")
    title = models.CharField(_("title"), max_length=60)
    source = models.PositiveSmallIntegerField(_("source"), choices=Source)
    criterion = models.CharField(_("criterion"), max_length=32)
    parameters = models.JSONField(_("parameters"), default=dict)
    levels = ArrayField(models.BigIntegerField(), verbose_name=_("levels"))
    position = models.PositiveIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("badge")
        verbose_name_plural = _("badges")
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["brand", "slug"], name="badge_slug_unique"),
            models.CheckConstraint(
                condition=models.Q(levels__len__gte=1, levels__len__lte=3, levels__0__gte=1)
                & (models.Q(levels__len=1) | models.Q(levels__1__gt=models.F("levels__0")))
                & (models.Q(levels__len__lte=2) | models.Q(levels__2__gt=models.F("levels__1"))),
                name="badge_levels_ascend",
            ),
        ]

    def __str__(self) -> str:
        return self.title


class BadgeEarned(models.Model):
    """That a customer earned a level of a badge, by the action that occurred at ``earned_at``.

    A row is never deleted. One that no longer holds is revoked, and one earned anew after that is a new row; while it
    holds, ``earned_at`` follows the facts.
    """

    class Why(models.TextChoices):
        FACTS = "facts", _("an action was cancelled or corrected")
        RULES = "rules", _("the rules changed")
        IDENTITY = "identity", _("an identifier moved")
        CHOICE = "choice", _("a source was switched off or on")
        BADGE = "badge", _("the badge changed")

    id = models.BigAutoField(primary_key=True)
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+", db_index=False)
    badge = models.ForeignKey(Badge, models.PROTECT, related_name="+", db_index=False)
    level = models.PositiveSmallIntegerField(_("level"), choices=Badge.Level)
    earned_at = models.DateTimeField(_("earned"))
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    revoked_why = models.CharField(_("why"), max_length=8, choices=Why, blank=True)

    class Meta:
        verbose_name = _("earned badge")
        verbose_name_plural = _("earned badges")
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "badge", "level"],
                condition=models.Q(revoked_at=None),
                name="badge_held_once",
            ),
            models.CheckConstraint(
                condition=models.Q(level__in=(1, 2, 3)), name="badge_level_known"
            ),
            models.CheckConstraint(
                condition=models.Q(revoked_at=None, revoked_why="")
                | models.Q(revoked_at__isnull=False) & ~models.Q(revoked_why=""),
                name="badge_revoked_with_a_reason",
            ),
        ]
        indexes = [
            models.Index(
                fields=["badge", "level"],
                include=["customer"],
                condition=models.Q(revoked_at=None),
                name="badge_holders",
            ),
            # With those that were taken back, which no other index has.
            models.Index(fields=["customer"], name="badge_earned_of_customer"),
        ]
        triggers = [pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.badge} {self.level} {self.earned_at}"


class BadgeShare(models.Model):
    """That a customer shows a badge to anyone who knows its address; deleted when they no longer do."""

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+", db_index=False)
    badge = models.ForeignKey(Badge, models.CASCADE, related_name="+")
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    shared_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "badge"], name="badge_shared_once"),
        ]

    def __str__(self) -> str:
        return str(self.public_id)


class Evidence(models.Model):
    """The photo that a customer gave with a claim, re-encoded and without metadata."""

    action = models.OneToOneField(Action, models.PROTECT, primary_key=True, related_name="evidence")
    photo = models.FileField(_("photo"), upload_to=photo_path)
    added_at = models.DateTimeField()

    class Meta:
        verbose_name = _("evidence")
        verbose_name_plural = _("evidence")

    def __str__(self) -> str:
        return str(self.photo)


class Objection(models.Model):
    """What a customer holds against how one of their actions was counted or decided, and the answer."""

    action = models.OneToOneField(
        Action, models.PROTECT, primary_key=True, related_name="objection"
    )
    text = models.CharField(_("what is wrong"), max_length=500)
    made_at = models.DateTimeField()
    answer = models.CharField(_("answer"), max_length=500, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )

    class Meta:
        verbose_name = _("objection")
        verbose_name_plural = _("objections")

    def __str__(self) -> str:
        return self.text


class Rhythm(models.Model):
    """On how many days a week a customer means to be active, from a Monday on; 0 means no rhythm."""

    pk = models.CompositePrimaryKey("customer", "starts_on")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+", db_index=False)
    starts_on = models.DateField()
    days = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(days__lte=3), name="rhythm_days_at_most_3"),
        ]

    def __str__(self) -> str:
        return f"{self.starts_on}: {self.days}"


class HomeVenue(models.Model):
    """The venue for which a customer counts where venue plays against venue."""

    customer = models.OneToOneField(Customer, models.PROTECT, primary_key=True, related_name="home")
    venue = models.ForeignKey(Venue, models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return str(self.venue)


class ClosedBoard(models.Model):
    """A week or season of a brand that is over: its places are kept as they were on closing."""

    class Period(models.TextChoices):
        WEEK = "week", _("week")
        SEASON = "season", _("season")

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="+", db_index=False)
    period = models.CharField(max_length=6, choices=Period)
    starts_on = models.DateField()
    ends_on = models.DateField()
    closed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("closed board")
        verbose_name_plural = _("closed boards")
        constraints = [
            models.UniqueConstraint(
                fields=["brand", "period", "starts_on"], name="board_closes_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_period_display()} {self.starts_on}"


class ClosedPlace(models.Model):
    """A member's place on a closed board; shown only while the customer still appears on boards."""

    pk = models.CompositePrimaryKey("board", "customer")
    board = models.ForeignKey(ClosedBoard, models.CASCADE, related_name="places", db_index=False)
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+")
    rank = models.PositiveIntegerField()
    points = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["board", "rank"], name="place_by_rank")]

    def __str__(self) -> str:
        return f"{self.rank}: {self.points}"
