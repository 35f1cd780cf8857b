"""The forms of signing in: django-allauth's, in Laurel's words and with its count of guesses."""

from typing import Any, ClassVar

from allauth.account.adapter import get_adapter
from allauth.account.forms import (
    AddEmailForm,
    ChangePasswordForm,
    ConfirmEmailVerificationCodeForm,
    ConfirmLoginCodeForm,
    ConfirmPasswordResetCodeForm,
    ReauthenticateForm,
    ResetPasswordForm,
    ResetPasswordKeyForm,
    SetPasswordForm,
)
from allauth.account.internal.flows.password_reset_by_code import PasswordResetVerificationProcess
from allauth.core import context
from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.base.forms import ReauthenticateForm as ReauthenticateByStepForm
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import AddWebAuthnForm, EditWebAuthnForm
from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from loyalty.pages.door import Guess, same_for_all_spellings

EMAIL = _("E-mail address")
CODE = _("Code")
NEW_PASSWORD = _("New password")
AGAIN = _("The same again")
RULES = _("At least 8 characters, and none of those that everybody uses.")
KEY_NAME = _("Name of the passkey")
# What the forms upstream say, marked here so that our catalogues can say it as the pages do.
UPSTREAM = (
    _("The email address and/or password you specified are not correct."),
    _("You must type the same password each time."),
    _("The password is too similar to the %(verbose_name)s."),
)


class Plain(forms.Form):
    """Fields with a label above and nothing in them."""

    labels: ClassVar[dict[str, Any]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.label = self.labels.get(name, field.label)
            field.widget.attrs.pop("placeholder", None)
            if name == "password1":
                field.help_text = RULES
            if name == "email":
                field.error_messages |= {
                    "required": _("Enter an e-mail address"),
                    "invalid": _("Enter an e-mail address like name@example.org"),
                }
                field.widget.attrs.update(autocomplete="email", spellcheck="false")


class GuessedCode(Plain):
    """A code that was mailed to an address, which guesses at it are counted by."""

    labels: ClassVar[dict[str, Any]] = {"code": CODE}

    def guessed_at(self) -> str:
        """The address."""
        raise NotImplementedError

    def clean_code(self) -> str:
        """Accept the code that was sent."""
        guess = Guess(f"code:{same_for_all_spellings(self.guessed_at())}")
        code = str(super().clean_code())  # type: ignore[misc]
        guess.give_back()
        return code


class LoginCodeForm(GuessedCode, ConfirmLoginCodeForm):  # type: ignore[misc]
    """The code for signing in."""

    def guessed_at(self) -> str:
        return str(context.request._login_stage.state.get("email", ""))


class AddressCodeForm(GuessedCode, ConfirmEmailVerificationCodeForm):  # type: ignore[misc]
    """The code that confirms an address."""

    def guessed_at(self) -> str:
        return str(self.email)


class ResetCodeForm(GuessedCode, ConfirmPasswordResetCodeForm):  # type: ignore[misc]
    """The code for a new password."""

    def guessed_at(self) -> str:
        process = PasswordResetVerificationProcess.resume(context.request)
        return str(process.state["email"]) if process else ""


class FreshCodeForm(forms.Form):
    """The code by which somebody who is signed in shows that it is still them."""

    code = forms.CharField(
        label=CODE,
        error_messages={"required": _("Enter the code that is in the mail")},
        widget=forms.TextInput({"autocomplete": "one-time-code"}),
    )

    def __init__(self, *args: Any, user: User, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user, self._expected = user, expected

    def clean_code(self) -> str:
        """Accept the code that was sent."""
        guess = Guess(f"code:{same_for_all_spellings(self._user.email)}")
        code = str(self.cleaned_data["code"])
        if not compare_user_code(actual=code, expected=self._expected):
            raise get_adapter().validation_error("incorrect_code")
        guess.give_back()
        return code


class OwnPasswordForm(Plain, ReauthenticateForm):  # type: ignore[misc]
    """The password, of somebody who is signed in. Guesses are counted with those at the door."""

    labels: ClassVar[dict[str, Any]] = {"password": _("Password")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].help_text = ""


class NewPasswordForm(Plain, ChangePasswordForm):  # type: ignore[misc]
    """A new password in place of the present one."""

    labels: ClassVar[dict[str, Any]] = {
        "oldpassword": _("Present password"),
        "password1": NEW_PASSWORD,
        "password2": AGAIN,
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["oldpassword"].help_text = ""

    def clean_oldpassword(self) -> str:
        """Accept the present password; guesses at it are counted with those at the door."""
        assert isinstance(self.user, User)
        guess = Guess(f"password:{same_for_all_spellings(self.user.email)}")
        password = str(super().clean_oldpassword())
        guess.give_back()
        return password


class FirstPasswordForm(Plain, SetPasswordForm):  # type: ignore[misc]
    """A password for somebody who has none."""

    labels: ClassVar[dict[str, Any]] = {"password1": NEW_PASSWORD, "password2": AGAIN}


class ForgottenPasswordForm(Plain, ResetPasswordForm):  # type: ignore[misc]
    """The address of somebody who forgot their password."""

    labels: ClassVar[dict[str, Any]] = {"email": EMAIL}


class ReplacedPasswordForm(Plain, ResetPasswordKeyForm):  # type: ignore[misc]
    """A password in place of the forgotten one."""

    labels: ClassVar[dict[str, Any]] = {"password1": NEW_PASSWORD, "password2": AGAIN}


class AnotherAddressForm(Plain, AddEmailForm):  # type: ignore[misc]
    """A further address."""

    labels: ClassVar[dict[str, Any]] = {"email": _("Another address")}


class SecondStepForm(Plain, AuthenticateForm):  # type: ignore[misc]
    """The second step of signing in, by a code of the app or a recovery code."""

    labels: ClassVar[dict[str, Any]] = {"code": CODE}


class SecondStepAgainForm(Plain, ReauthenticateByStepForm):  # type: ignore[misc]
    """The same from somebody who is signed in."""

    labels: ClassVar[dict[str, Any]] = {"code": CODE}


class FirstCodeForm(Plain, ActivateTOTPForm):  # type: ignore[misc]
    """The first code of an app, which shows that it is set up."""

    labels: ClassVar[dict[str, Any]] = {"code": _("The code that the app shows")}


class PasskeyForm(Plain, AddWebAuthnForm):  # type: ignore[misc]
    """A new passkey. It signs in by itself, so it must check who holds it."""

    name = forms.CharField(
        label=KEY_NAME,
        help_text=_("So that you can tell it from others, such as “Phone”."),
        max_length=60,
        required=False,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["passwordless"]
        self.initial["name"] = ""

    def clean(self) -> dict[str, Any]:
        """Accept only one that checked who holds it."""
        self.cleaned_data["passwordless"] = True
        return super().clean() or {}


class PasskeyNameForm(Plain, EditWebAuthnForm):  # type: ignore[misc]
    """Another name for a passkey."""

    labels: ClassVar[dict[str, Any]] = {"name": KEY_NAME}
