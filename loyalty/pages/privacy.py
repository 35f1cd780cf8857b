"""Taking everything along, leaving a brand, and erasing one's login."""

from collections.abc import Callable

from allauth.account.decorators import reauthentication_required
from django import forms
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import Customer, User
from loyalty import access
from loyalty.pages.frame import customer_page, show
from loyalty.privacy.download import ENDINGS, file_name
from loyalty.privacy.download import download as whole_document
from loyalty.privacy.erase import Erased, EraseError, erase_customer, erase_user, may_erase

View = Callable[..., HttpResponseBase]

# An open browser is not enough to take everything along, or to lose it.
still_them: Callable[[View], View] = reauthentication_required(app="allauth.account")


class SureForm(forms.Form):
    """One box, which nobody ticks by mistake."""

    sure = forms.BooleanField(
        error_messages={
            "required": _("Tick the box if you are sure. Until then everything stays as it is.")
        },
    )


@require_safe
@customer_page
@still_them
def download(request: HttpRequest, customer: Customer, ending: str) -> FileResponse:
    """Everything about the customer with this brand as a file."""
    if ending not in ENDINGS:
        raise Http404
    now = timezone.now()
    return FileResponse(
        whole_document(customer=customer, ending=ending, now=now),
        as_attachment=True,
        filename=file_name(customer=customer, ending=ending, now=now),
        content_type=ENDINGS[ending],
    )


@customer_page
@still_them
def leave(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Say what leaving does, and do it once the box is ticked."""
    form = SureForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            erased = erase_customer(customer=customer, now=timezone.now())
        except EraseError as error:
            form.add_error(None, str(error))
        else:
            return _show_erased(request, erased, is_login=False)
    return show(
        request,
        "pages/leave.html",
        customer,
        here="me",
        form=form,
        backup_days=settings.LAUREL_BACKUP_DAYS,
    )


@login_required
@never_cache
@still_them
def erase_login(request: HttpRequest) -> HttpResponse:
    """Say what erasing the login does, and do it once the box is ticked."""
    assert isinstance(request.user, User)
    form = SureForm(request.POST if request.method == "POST" else None)
    refused = may_erase(user=request.user)
    if form.is_valid() and not refused:
        try:
            erased = erase_user(user=request.user, now=timezone.now())
        except EraseError as error:
            form.add_error(None, str(error))
        else:
            # The session is gone already; the browser is to forget what it has of it.
            logout(request)
            response = _show_erased(request, erased, is_login=True)
            response["Clear-Site-Data"] = '"cache", "cookies", "storage"'
            return response
    return render(
        request,
        "pages/erase_login.html",
        {
            "brand": None,
            "form": form,
            "refused": refused,
            "works_for": ", ".join(brand.name for brand in access.workplaces(request.user)),
            "memberships": access.memberships(request.user),
            "backup_days": settings.LAUREL_BACKUP_DAYS,
        },
    )


def _show_erased(request: HttpRequest, erased: Erased, *, is_login: bool) -> HttpResponse:
    context = {
        "brand": None,
        "erased": erased,
        "is_login": is_login,
        "backup_days": settings.LAUREL_BACKUP_DAYS,
    }
    response = render(request, "pages/erased.html", context)
    patch_cache_control(response, private=True, no_store=True)
    return response
