"""Brands, who works for them, and the logins of the installation."""

import zoneinfo
from contextlib import nullcontext
from typing import Any, ClassVar

from allauth.account.models import EmailAddress
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminColorInputWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminSelectWidget,
)

from accounts.models import Brand, StaffRole, User
from accounts.staff import LastOwnerError, appoint_staff, dismiss_staff, is_last_owner
from accounts.walls import lifted
from loyalty import access, second_factor
from loyalty.access import Task
from loyalty.admin.base import BrandFilter, BrandModelAdmin
from loyalty.admin.sites import site
from loyalty.admin.theme import ThemeAdmin, column
from loyalty.pages.door import address_of
from scoring.models import Action


def time_zones() -> list[tuple[str, str]]:
    """The time zones of the world by name, those of a place first."""
    names = sorted(zoneinfo.available_timezones(), key=lambda name: ("/" not in name, name))
    return [(name, name.replace("_", " ")) for name in names if not name.startswith("Etc/")]


class BrandForm(forms.ModelForm):  # type: ignore[type-arg]
    """A brand's name, promise, place in the world, colour, seasons, how far back a link counts, and its channels."""

    class Meta:
        model = Brand
        fields = (
            *("name", "slug", "promise", "time_zone", "currency", "colour", "season"),
            *("credit_days", "channels", "partners"),
        )
        widgets: ClassVar[dict[str, Any]] = {"colour": UnfoldAdminColorInputWidget()}
        help_texts: ClassVar[dict[str, Any]] = {
            "slug": _("The last part of the brand's address. It stays as it is."),
            "time_zone": _("Days, weeks and months of this brand begin at its local midnight."),
            "currency": _("Three capitals, such as GBP."),
            "colour": _("Ink, surfaces and borders of the customer's pages are derived from it."),
            "season": _(
                "How long a board runs. A change keeps what is closed, and counts no day twice."
            ),
            "credit_days": _(
                "How far back actions count that arrived before a customer linked the card, address or account. "
                "A change is for what is linked from now on."
            ),
            "partners": _(
                "With whom data may be shared, by name, with commas between. A consent holds with exactly those whom "
                "it named: if you change them, customers are asked anew. Empty: customers are not asked."
            ),
        }

    channels = forms.MultipleChoiceField(
        required=False,
        label=_("Ways to reach customers"),
        help_text=_("Customers are asked for each of them by itself. None: they are not asked."),
        choices=Brand.Channel.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "time_zone" in self.fields:
            choices = [("", _("Choose a time zone")), *time_zones()]
            self.fields["time_zone"] = forms.ChoiceField(
                label=self.fields["time_zone"].label,
                help_text=self.fields["time_zone"].help_text,
                choices=choices,
                widget=UnfoldAdminSelectWidget(choices=choices),
            )

    def clean_currency(self) -> str:
        """Accept small letters as well."""
        return str(self.cleaned_data["currency"]).upper()

    def clean_colour(self) -> str:
        """Accept capitals as well."""
        return str(self.cleaned_data["colour"]).lower()


class BrandAdmin(BrandModelAdmin):
    """Brands: operators add them, managers keep them."""

    brand_path = "pk"
    see = Task.EDIT_BRAND
    add = Task.RUN_INSTALLATION
    edit = Task.EDIT_BRAND
    form = BrandForm
    list_display = ("name", "promise", "time_zone", "currency")
    search_fields = ("name", "slug")
    ordering = ("name",)

    def save_model(self, request: HttpRequest, obj: Brand, form: Any, change: bool) -> None:  # noqa: FBT001
        """Keep the brand; one that is new is nobody's yet, and so outside every wall."""
        with nullcontext() if change else lifted("a new brand"):
            super().save_model(request, obj, form, change)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        """What customers and history depend on is fixed once there is any."""
        if obj is None:
            return []
        if Action.objects.filter(brand_id=obj.pk).exists():
            return ["slug", "time_zone", "currency"]
        return ["slug"]


class StaffRoleForm(forms.ModelForm):  # type: ignore[type-arg]
    """Who works for a brand, by e-mail address. ``user`` appoints them."""

    user: ClassVar[User]
    email = forms.EmailField(
        label=_("E-mail address"),
        help_text=_("They sign in with it; a login is made if there is none yet."),
        widget=UnfoldAdminEmailInputWidget(),
    )

    class Meta:
        model = StaffRole
        fields = ("brand", "role")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            del self.fields["email"]

    def clean(self) -> dict[str, Any]:
        """A person has one role with a brand; owners are appointed by owners, and the last one stays."""
        cleaned = super().clean() or {}
        email = (cleaned.get("email") or "").lower()
        brand = cleaned.get("brand", self.instance.brand if self.instance.pk else None)
        role = cleaned.get("role")
        if email and brand and StaffRole.objects.filter(brand=brand, user__email=email).exists():
            self.add_error("email", ValidationError(_("This person works for the brand already.")))
        if role == StaffRole.Role.OWNER and not access.staff_may(
            self.user, Task.APPOINT_OWNERS, brand=brand
        ):
            self.add_error("role", ValidationError(_("Only an owner appoints an owner.")))
        if self.instance.pk and role != StaffRole.Role.OWNER and _is_last_owner(self.instance):
            self.add_error("role", ValidationError(_("Appoint another owner first.")))
        return cleaned

    def save(self, commit: bool = True) -> StaffRole:  # noqa: FBT001, FBT002
        """Make the login if there is none; the same answer whether there was."""
        if not self.instance.pk:
            email = self.cleaned_data["email"].strip().lower()
            user = User.objects.filter(email=email).first()
            self.instance.user = user or User.objects.create_user(email)
        role: StaffRole = super().save(commit)
        return role


class StaffRoleAdmin(BrandModelAdmin):
    """Who works for a brand. Nobody changes or removes their own role, and only owners those of owners."""

    see = Task.APPOINT_STAFF
    add = Task.APPOINT_STAFF
    edit = Task.APPOINT_STAFF
    remove = Task.APPOINT_STAFF
    form = StaffRoleForm
    list_display = ("user", "role", "brand")
    list_filter = (BrandFilter, "role")
    list_select_related = ("user", "brand")
    search_fields = ("user__email", "user__name")
    ordering = ("user__email",)

    def get_form(
        self,
        request: HttpRequest,
        obj: Model | None = None,
        change: bool = False,  # noqa: FBT001, FBT002
        **kwargs: Any,
    ) -> Any:
        """The form of whoever appoints."""
        form = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"user": request.user})

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """The person is chosen when the role is made."""
        return ["brand", "email", "role"] if obj is None else ["brand", "user", "role"]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        """A role is of one person and one brand."""
        return [] if obj is None else ["brand", "user"]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_change_permission(request, obj) and self._may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return (
            super().has_delete_permission(request, obj)
            and self._may_touch(request, obj)
            and not (isinstance(obj, StaffRole) and _is_last_owner(obj))
        )

    @staticmethod
    def _may_touch(request: HttpRequest, obj: Model | None) -> bool:
        if not isinstance(obj, StaffRole):
            return True
        return obj.user_id != request.user.pk and (
            obj.role != StaffRole.Role.OWNER
            or access.staff_may(request.user, Task.APPOINT_OWNERS, brand=obj.brand_id)
        )

    def save_model(self, request: HttpRequest, obj: StaffRole, form: Any, change: bool) -> None:  # noqa: FBT001
        """Appoint the person; of two owners who step on each other at once, one is refused."""
        try:
            obj.pk = appoint_staff(brand=obj.brand, user=obj.user, role=obj.role).pk
        except LastOwnerError as error:
            raise PermissionDenied from error

    def delete_model(self, request: HttpRequest, obj: StaffRole) -> None:
        """Dismiss the person."""
        try:
            dismiss_staff(brand=obj.brand, user=obj.user)
        except LastOwnerError as error:
            raise PermissionDenied from error


def _is_last_owner(obj: StaffRole) -> bool:
    return obj.role == StaffRole.Role.OWNER and is_last_owner(
        brand_id=obj.brand_id, user_id=obj.user_id
    )


class UserAdmin(ThemeAdmin):
    """The logins of the installation, for operators: who may sign in at all."""

    fields = ("email", "name", "is_active", "operator", "last_login", "created_at")
    readonly_fields = ("operator", "last_login", "created_at")
    list_display = ("email", "name", "is_active", "operator", "last_login")
    list_filter = ("is_active", "is_superuser")
    search_fields = ("email", "name")
    ordering = ("email",)
    show_full_result_count = False
    actions = ("reset_second_factor",)

    @column(_("operator"), boolean=True)
    def operator(self, user: User) -> bool:
        """Whether the user sees every brand."""
        return user.is_superuser

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Model:
        """The login; Http404 where there is none."""
        obj: Model | None = super().get_object(request, object_id, from_field)
        if obj is None:
            raise Http404
        return obj

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """All logins for operators, none for anyone else."""
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows if self._may(request) else rows.none()

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """No bulk deletion."""
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    @admin.action(description=_("Take away the second step, which they lost"))
    def reset_second_factor(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Let those sign in without it who lost it; a mail tells them. Nobody does that for themselves."""
        for user in queryset:
            if user == request.user:
                continue
            if second_factor.reset(user=user, by=f"user {request.user.pk}"):
                self.log_change(request, user, "second step taken away")
                said = _("The second step of %(user)s is gone. They are signed out everywhere.")
            else:
                said = _("%(user)s has no second step.")
            messages.success(request, said % {"user": user})

    @staticmethod
    def _may(request: HttpRequest) -> bool:
        return access.staff_may(request.user, Task.RUN_INSTALLATION)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._may(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: FBT001
        """A login made here has no password: its owner signs in by a code. So it is with another address."""
        obj.email = obj.email.strip().lower()
        if not change:
            obj.set_unusable_password()
        super().save_model(request, obj, form, change)
        if "email" in form.changed_data:
            # What was proved of the former one says nothing of this one.
            EmailAddress.objects.filter(user=obj).delete()
            address_of(obj)


site.register(Brand, BrandAdmin)
site.register(StaffRole, StaffRoleAdmin)
site.register(User, UserAdmin)
