"""Users, brands, staff roles, customers and identifiers.

A person has one login (``User``) and a separate ``Customer`` with each brand. Actions belong to an
``Identifier``; an identifier belongs to a customer and moves between customers only through
``accounts.identity``.
"""

import re
import uuid
import zoneinfo
from typing import Any, ClassVar

import pgtrigger
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

HEX_COLOUR_PATTERN = re.compile(r"^#[0-9a-f]{6}\Z")
HEX_COLOUR = RegexValidator(
    HEX_COLOUR_PATTERN.pattern, _("Write the colour as # and six hex digits.")
)
CURRENCY_PATTERN = re.compile(r"^[A-Z]{3}\Z")
CURRENCY = RegexValidator(
    CURRENCY_PATTERN.pattern, _("Write the currency as three capitals (ISO 4217).")
)


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
        """Make an operator of the installation, who may see every brand."""
        return self.create_user(email, password, is_superuser=True, **fields)


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
    def is_staff(self) -> bool:
        """Whether the admin lets this user in: an operator, or staff of at least one brand."""
        return self.is_superuser or self.staff_roles.exists()


class Brand(models.Model):
    """A tenant: its own look, staff, customers, time zone, currency and rules."""

    class Season(models.TextChoices):
        MONTH = "month", _("A month")
        QUARTER = "quarter", _("A quarter of the year")

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
        MANAGER = "manager", _("Manager")
        MARKETER = "marketer", _("Marketer")

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
    """A person with one brand. Unclaimed while no user has joined: scored, but on no board."""

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
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        constraints = [
            models.UniqueConstraint(fields=["brand", "user"], name="customer_user_unique"),
            models.CheckConstraint(
                condition=models.Q(on_boards=False) | models.Q(user__isnull=False),
                name="customer_on_boards_is_claimed",
            ),
        ]
        indexes = [models.Index(fields=["brand", "on_boards"], name="customer_boards")]

    def __str__(self) -> str:
        return self.pseudonym or str(self.public_id)[:8]


class Identifier(models.Model):
    """One name under which a brand's systems report a customer: ``email:a@example.org``.

    ``laurel:<public id>`` is Laurel's own, one per customer. ``proven_at`` is when the customer
    proved that it is theirs; an identifier that only arrived with actions has none.
    """

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="identifiers")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="identifiers")
    scheme = models.CharField(max_length=32, db_collation="C")
    value = models.CharField(max_length=254, db_collation="C")
    proven_at = models.DateTimeField(null=True, blank=True)
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
    """One move of an identifier between customers. Never changed or deleted: the history of identity."""

    identifier = models.ForeignKey(Identifier, models.PROTECT, related_name="link_events")
    from_customer = models.ForeignKey(Customer, models.PROTECT, related_name="+")
    to_customer = models.ForeignKey(Customer, models.PROTECT, related_name="+")
    reason = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("link event")
        verbose_name_plural = _("link events")
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.identifier}: {self.from_customer} → {self.to_customer}"
