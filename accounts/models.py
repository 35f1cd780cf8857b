"""Users, brands, staff roles, customers, identifiers, and what customers chose.

A person has one login (``User``) and a separate ``Customer`` with each brand. Actions belong to an
``Identifier``; an identifier belongs to a customer and moves between customers only through
``accounts.identity``. What customers agree to changes only through ``accounts.consent``.
"""

import re
import uuid
import zoneinfo
from typing import Any, ClassVar

import pgtrigger
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from .walls import lifted

HEX_COLOUR_PATTERN = re.compile(r"^#[0-9a-f]{6}\Z")
HEX_COLOUR = RegexValidator(
    HEX_COLOUR_PATTERN.pattern, _("Write the colour as # and six hex digits.")
)
CURRENCY_PATTERN = re.compile(r"^[A-Z]{3}\Z")
CURRENCY = RegexValidator(
    CURRENCY_PATTERN.pattern, _("Write the currency as three capitals (ISO 4217).")
)


class NeverChanged(pgtrigger.Protect):
    """Refuses changes of a row, but that what is ``forgettable`` is emptied."""

    def __init__(self, *, forgettable: tuple[str, ...], **kwargs: Any) -> None:
        self.forgettable = forgettable
        super().__init__(name="never_changed", operation=pgtrigger.Update, **kwargs)


def append_only(*forgettable: str) -> list[pgtrigger.Trigger]:
    """Triggers by which the database refuses to change or delete a row.

    All that may happen to it is that one of the columns in ``forgettable`` becomes null, or an empty text: a person
    is forgotten.
    """
    condition = None
    if forgettable:
        rest = f" - '{{{','.join(forgettable)}}}'::text[]"
        condition = pgtrigger.Condition(
            " OR ".join(
                [
                    "OLD.* IS NOT DISTINCT FROM NEW.*",
                    f"to_jsonb(OLD){rest} IS DISTINCT FROM to_jsonb(NEW){rest}",
                    *(
                        f"NEW.{name} IS DISTINCT FROM OLD.{name} AND NEW.{name}::text <> ''"
                        for name in forgettable
                    ),
                ]
            )
        )
    return [
        NeverChanged(forgettable=forgettable, condition=condition),
        pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete),
    ]


def validate_time_zone(name: str) -> None:
    """Accept the names of the IANA time zone database; raise ValidationError for any other."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(_("“%(name)s” is not a time zone."), params={"name": name})


class UserManager(BaseUserManager["User"]):
    """Makes users from an e-mail address, which is what they sign in with."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Make a user who can sign in by code, and by password if one is given."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Make an operator of the installation, who may see every brand.

        Whoever may do that at the terminal need not prove the address: signing in asks for no code to confirm it.
        """
        from allauth.account.models import EmailAddress

        user = self.create_user(email, password, is_superuser=True, **fields)
        EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """One login. What a user may see depends on customers and staff roles, never on this row.

    ``language`` is a language code; empty means as the browser asks.
    """

    class Theme(models.TextChoices):
        AUTO = "auto", _("As this device")
        LIGHT = "light", _("Light")
        DARK = "dark", _("Dark")

    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=150, blank=True)
    is_active = models.BooleanField(_("may sign in"), default=True)
    theme = models.CharField(_("light or dark"), max_length=5, choices=Theme, default=Theme.AUTO)
    language = models.CharField(_("language"), max_length=10, blank=True)
    created_at = models.DateTimeField(_("made"), auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_any_case_unique"),
        ]

    def __str__(self) -> str:
        return self.email

    @cached_property
    def roles(self) -> dict[int, str]:
        """The user's role with each brand they work for, by the brand's key; read once for each object."""
        with lifted("a person's own roles"):
            return dict(self.staff_roles.values_list("brand_id", "role"))

    @property
    def is_staff(self) -> bool:
        """Whether the admin lets this user in: an operator, or staff of at least one brand."""
        return self.is_superuser or bool(self.roles)


def only_email() -> list[str]:
    """The channels of a brand that has not said how else it reaches customers."""
    return [Brand.Channel.EMAIL.value]


class Brand(models.Model):
    """A tenant: its own look, staff, customers, time zone, currency and rules."""

    class Season(models.TextChoices):
        MONTH = "month", _("A month")
        QUARTER = "quarter", _("A quarter of the year")

    class Channel(models.TextChoices):
        EMAIL = "email", _("E-mail")
        PUSH = "push", _("Notification on the phone")
        SMS = "sms", _("Text message")
        POST = "post", _("Letter")

    slug = models.SlugField(_("slug"), unique=True)
    name = models.CharField(_("name"), max_length=100)
    promise = models.CharField(
        _("promise"), max_length=140, blank=True, help_text=_("One line on the brand's first page.")
    )
    time_zone = models.CharField(_("time zone"), max_length=64, validators=[validate_time_zone])
    currency = models.CharField(_("currency"), max_length=3, validators=[CURRENCY])
    colour = models.CharField(
        _("brand colour"), max_length=7, default="#9b3a26", validators=[HEX_COLOUR]
    )
    season = models.CharField(
        _("season of the boards"), max_length=8, choices=Season, default=Season.QUARTER
    )
    credit_days = models.PositiveIntegerField(
        _("days of the past that count"),
        default=365,
        help_text=_(
            "How far back actions count that arrived before a customer proved that they are theirs."
        ),
    )
    channels = ArrayField(
        models.CharField(max_length=5, choices=Channel),
        verbose_name=_("ways to reach customers"),
        default=only_email,
        blank=True,
    )
    partners = models.CharField(
        _("partners"),
        max_length=200,
        blank=True,
        help_text=_("With whom data may be shared, by name. Empty: customers are not asked."),
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("brand")
        verbose_name_plural = _("brands")

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The brand's time zone, in which its local dates are counted."""
        return zoneinfo.ZoneInfo(self.time_zone)


class IssuerKey(models.Model):
    """The key with which a brand signs the badges that its customers take elsewhere.

    ``sealed`` is the private key, encrypted with the installation's secret key. The newest key signs; older ones
    still verify what they signed.
    """

    brand = models.ForeignKey(Brand, models.CASCADE, related_name="issuer_keys")
    public_key = models.CharField(max_length=512)
    sealed = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("issuer key")
        verbose_name_plural = _("issuer keys")

    def __str__(self) -> str:
        return f"{self.brand} {self.created_at:%Y-%m-%d}"


class StaffRole(models.Model):
    """What a user may do for one brand."""

    class Role(models.TextChoices):
        OWNER = "owner", _("Owner")
        MANAGER = "manager", _("Manager")
        RULE_EDITOR = "rule_editor", _("Rule editor")
        REVIEWER = "reviewer", _("Reviewer")
        MARKETER = "marketer", _("Marketer")
        TILL = "till", _("Till")

    brand = models.ForeignKey(
        Brand, models.CASCADE, related_name="staff_roles", verbose_name=_("brand")
    )
    user = models.ForeignKey(
        User, models.CASCADE, related_name="staff_roles", verbose_name=_("user")
    )
    role = models.CharField(_("role"), max_length=16, choices=Role)

    class Meta:
        verbose_name = _("staff role")
        verbose_name_plural = _("staff roles")
        constraints = [
            models.UniqueConstraint(fields=["brand", "user"], name="staff_role_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_role_display()}, {self.brand}"


class Customer(models.Model):
    """A person with one brand. Unclaimed while no user has joined: scored, but on no board.

    While paused, points are kept and there is no score. ``sources_off`` has the bit ``1 << source`` of each source
    that is switched off. One that was merged holds no identifiers; one that was erased is nobody: only ledger rows
    refer to it.
    """

    brand = models.ForeignKey(
        Brand, models.PROTECT, related_name="customers", verbose_name=_("brand")
    )
    user = models.ForeignKey(
        User,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="customers",
        verbose_name=_("user"),
    )
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    pseudonym = models.CharField(_("pseudonym"), max_length=40, blank=True)
    joined_at = models.DateTimeField(_("joined"), null=True, blank=True)
    on_boards = models.BooleanField(_("appears on boards"), default=False)
    paused_at = models.DateTimeField(_("paused"), null=True, blank=True)
    sources_off = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    merged_into = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="merged", editable=False
    )
    erased_at = models.DateTimeField(_("erased"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        constraints = [
            models.UniqueConstraint(fields=["brand", "user"], name="customer_user_unique"),
            models.CheckConstraint(
                condition=models.Q(on_boards=False)
                | models.Q(user__isnull=False, paused_at=None, merged_into=None),
                name="customer_on_boards_is_claimed",
            ),
            models.CheckConstraint(
                condition=models.Q(erased_at=None) | models.Q(user=None, pseudonym=""),
                name="customer_erased_is_nobody",
            ),
        ]
        indexes = [models.Index(fields=["brand", "on_boards"], name="customer_boards")]

    def __str__(self) -> str:
        return self.pseudonym or str(self.public_id)[:8]


class Identifier(models.Model):
    """One name under which a brand's systems report a customer: ``email:a@example.org``.

    ``laurel:<public id>`` is Laurel's own, one per customer. ``proven_at`` is when the customer
    proved that it is theirs, and ``proof`` how; an identifier that only arrived with actions has none. Actions before
    ``counts_from`` do not count for its holder; empty: all do. ``sources_off`` is the holder's, kept here for scoring.
    """

    class Proof(models.TextChoices):
        OWN = "own", _("made by Laurel")
        SIGN_IN = "sign_in", _("signed in with it")
        MAIL = "mail", _("code by mail")
        PROVIDER = "provider", _("confirmed by the network")
        CODE = "code", _("code on the card or from the till")
        STAFF = "staff", _("decided by staff")

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="identifiers")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="identifiers")
    scheme = models.CharField(max_length=32, db_collation="C")
    value = models.CharField(max_length=254, db_collation="C")
    proven_at = models.DateTimeField(null=True, blank=True)
    proof = models.CharField(max_length=8, choices=Proof, blank=True, db_default="")
    counts_from = models.DateTimeField(null=True, blank=True)
    sources_off = models.PositiveSmallIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("identifier")
        verbose_name_plural = _("identifiers")
        constraints = [
            models.UniqueConstraint(fields=["brand", "scheme", "value"], name="identifier_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.scheme}:{self.value}"


class LinkEvent(models.Model):
    """One move of an identifier between customers. Never changed or deleted: the history of identity.

    The moves of one merge, split or undoing share a ``group``; an undoing names the group that it ``undoes``.
    """

    class Type(models.TextChoices):
        LINK = "link", _("linked")
        UNLINK = "unlink", _("unlinked")
        MERGE = "merge", _("merged")
        SPLIT = "split", _("split")
        UNDO = "undo", _("undone")

    identifier = models.ForeignKey(Identifier, models.PROTECT, related_name="link_events")
    from_customer = models.ForeignKey(Customer, models.PROTECT, related_name="+")
    to_customer = models.ForeignKey(Customer, models.PROTECT, related_name="+")
    type = models.CharField(max_length=6, choices=Type)
    proof = models.CharField(max_length=8, choices=Identifier.Proof, blank=True)
    counts_from = models.DateTimeField(null=True, blank=True)
    group = models.UUIDField(default=uuid.uuid4)
    undoes = models.UUIDField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("link event")
        verbose_name_plural = _("link events")
        indexes = [models.Index(fields=["group"], name="link_event_group")]
        triggers = append_only("by_id", "reason")

    def __str__(self) -> str:
        return f"{self.identifier}: {self.from_customer} → {self.to_customer}"


class Dispute(models.Model):
    """That a customer proved an identifier which another one holds. Staff decide whose it is."""

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="disputes", db_index=False)
    identifier = models.ForeignKey(Identifier, models.PROTECT, related_name="disputes")
    claimant = models.ForeignKey(
        Customer, models.PROTECT, related_name="disputes", verbose_name=_("who claims it")
    )
    holder = models.ForeignKey(
        Customer, models.PROTECT, related_name="+", db_index=False, verbose_name=_("who holds it")
    )
    proof = models.CharField(max_length=8, choices=Identifier.Proof)
    opened_at = models.DateTimeField(_("opened"))
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    decided_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    moved = models.BooleanField(_("moved"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("dispute")
        verbose_name_plural = _("disputes")
        constraints = [
            models.UniqueConstraint(
                fields=["identifier", "claimant"],
                condition=models.Q(decided_at=None),
                name="dispute_open_once",
            ),
            models.CheckConstraint(
                condition=models.Q(decided_at=None, moved=None)
                | models.Q(decided_at__isnull=False, moved__isnull=False),
                name="dispute_decided_one_way",
            ),
        ]
        indexes = [
            models.Index(
                fields=["brand", "opened_at"],
                condition=models.Q(decided_at=None),
                name="dispute_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.identifier}: {self.claimant}"


class LinkCode(models.Model):
    """A code that proves an identifier: printed on a card, or given out at the till. Used once; kept as a digest."""

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="link_codes")
    scheme = models.CharField(max_length=32, db_collation="C")
    value = models.CharField(max_length=254, db_collation="C")
    digest = models.CharField(max_length=64, db_collation="C")
    made_at = models.DateTimeField()
    made_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    used_by = models.ForeignKey(Customer, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("linking code")
        verbose_name_plural = _("linking codes")
        constraints = [
            models.UniqueConstraint(fields=["brand", "digest"], name="link_code_unique"),
        ]
        indexes = [models.Index(fields=["brand", "scheme", "value"], name="link_code_of")]

    def __str__(self) -> str:
        return f"{self.scheme}:{self.value}"


class Purpose(models.TextChoices):
    """What a brand uses data of customers for. All but the score are consented to, one by one and by channel."""

    SCORE = "score", _("Score and profile")
    OFFERS = "offers", _("Personalised offers")
    NEWS = "news", _("General news")
    PARTNERS = "partners", _("Sharing with partners")


class ConsentText(models.Model):
    """The words in which a brand asks for one purpose; each change is a new version. None: Laurel's own words."""

    brand = models.ForeignKey(
        Brand, models.CASCADE, related_name="consent_texts", verbose_name=_("brand")
    )
    purpose = models.CharField(_("purpose"), max_length=8, choices=Purpose)
    version = models.PositiveIntegerField(_("version"))
    text = models.CharField(_("text"), max_length=500)
    made_at = models.DateTimeField(_("made"))
    made_by = models.ForeignKey(
        User,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("made by"),
    )

    class Meta:
        verbose_name = _("wording of consent")
        verbose_name_plural = _("wordings of consent")
        constraints = [
            models.UniqueConstraint(
                fields=["brand", "purpose", "version"], name="consent_text_version_unique"
            ),
        ]
        triggers = append_only("made_by_id")

    def __str__(self) -> str:
        return f"{self.brand}: {self.get_purpose_display()} {self.version}"


class Consent(models.Model):
    """That a customer gave or withdrew a consent: a proof, never changed. Of each purpose and channel the last holds.

    ``wording`` is what was shown, word for word, in ``language``, and ``version`` names it. Sharing with partners has
    no channel.
    """

    class Way(models.TextChoices):
        PAGE = "page", _("on the page of choices")
        JOIN = "join", _("on joining")

    id = models.BigAutoField(primary_key=True)
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="consents", db_index=False)
    purpose = models.CharField(max_length=8, choices=Purpose)
    channel = models.CharField(max_length=5, choices=Brand.Channel, blank=True)
    given = models.BooleanField()
    wording = models.TextField()
    version = models.CharField(max_length=40)
    language = models.CharField(max_length=10)
    way = models.CharField(max_length=5, choices=Way)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(purpose=Purpose.SCORE), name="consent_is_not_for_the_score"
            ),
            models.CheckConstraint(
                condition=models.Q(purpose=Purpose.PARTNERS, channel="")
                | ~models.Q(purpose=Purpose.PARTNERS) & ~models.Q(channel=""),
                name="consent_has_a_channel",
            ),
        ]
        indexes = [
            models.Index(
                fields=["customer", "purpose", "channel", "-id"], name="consent_of_customer"
            ),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.purpose} {self.channel}: {self.given}"


class ContactRules(models.Model):
    """When and how often a customer wants to be written to; the times are the brand's local ones."""

    customer = models.OneToOneField(
        Customer, models.PROTECT, primary_key=True, related_name="contact_rules"
    )
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_until = models.TimeField(_("quiet until"), null=True, blank=True)
    weekly_most = models.PositiveSmallIntegerField(
        _("messages a week at most"), null=True, blank=True
    )

    class Meta:
        verbose_name = _("contact rules")
        verbose_name_plural = _("contact rules")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(quiet_from=None, quiet_until=None)
                | models.Q(quiet_from__isnull=False, quiet_until__isnull=False),
                name="contact_rules_whole_hours",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quiet_from} to {self.quiet_until}"


class DataUse(models.Model):
    """One time that staff took data of customers: an export, or a look at one customer. Customers see it."""

    class Type(models.TextChoices):
        EXPORT = "export", _("list exported")
        LOOK = "look", _("page of the customer opened")
        CHANGE = "change", _("something of the customer changed")

    id = models.BigAutoField(primary_key=True)
    brand = models.ForeignKey(
        Brand,
        models.PROTECT,
        related_name="data_uses",
        db_index=False,
        verbose_name=_("brand"),
    )
    type = models.CharField(_("what"), max_length=6, choices=Type)
    purpose = models.CharField(_("purpose"), max_length=8, choices=Purpose)
    channel = models.CharField(_("channel"), max_length=5, choices=Brand.Channel, blank=True)
    title = models.CharField(_("title"), max_length=200, blank=True)
    by = models.ForeignKey(
        User,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("by"),
    )
    role = models.CharField(_("role"), max_length=16, choices=StaffRole.Role, blank=True)
    people = models.PositiveIntegerField(_("people"))
    at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("use of data")
        verbose_name_plural = _("uses of data")
        indexes = [models.Index(fields=["brand", "-at"], name="data_use_of_brand")]
        triggers = append_only("by_id")

    def __str__(self) -> str:
        return f"{self.get_type_display()} {self.at:%Y-%m-%d}"


class DataUseOf(models.Model):
    """That a customer was among those whose data were taken."""

    pk = models.CompositePrimaryKey("customer", "use")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+", db_index=False)
    use = models.ForeignKey(DataUse, models.CASCADE, related_name="members", db_index=False)

    def __str__(self) -> str:
        return f"{self.use_id}: {self.customer_id}"
