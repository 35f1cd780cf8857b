"""In which words customers are asked, and each time that staff took data of customers."""

from typing import Any, ClassVar, cast

from django import forms
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.consent import write_text
from accounts.models import ConsentText, DataUse, Purpose, User
from loyalty.access import Task
from loyalty.admin.base import BrandFilter, BrandModelAdmin
from loyalty.admin.ledger import ReadOnlyAdmin
from loyalty.admin.sites import site


class ConsentTextForm(forms.ModelForm):  # type: ignore[type-arg]
    """The words in which a brand asks for one purpose from now on."""

    class Meta:
        model = ConsentText
        fields = ("brand", "purpose", "text")
        widgets: ClassVar[dict[str, Any]] = {"text": UnfoldAdminTextareaWidget()}
        help_texts: ClassVar[dict[str, Any]] = {
            "text": _(
                "A question in plain words, such as “May we send you news?”. Customers read it beside the switch, in "
                "every language as you write it. It holds from now on; who agreed before agreed to the words of then."
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "purpose" in self.fields:
            # The score is what one joins for: nobody is asked for it.
            self.fields["purpose"].choices = [  # type: ignore[attr-defined]
                choice for choice in Purpose.choices if choice[0] != Purpose.SCORE
            ]


class ConsentTextAdmin(BrandModelAdmin):
    """The wordings of consent: a new one is written, and none is ever changed."""

    see = add = Task.EDIT_BRAND
    form = ConsentTextForm
    list_display = ("purpose", "version", "text", "made_at", "made_by", "brand")
    list_filter = (BrandFilter, "purpose")
    list_select_related = ("brand", "made_by")
    ordering = ("brand", "purpose", "-version")

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """What was asked, since when, and by whom it was written."""
        fields = ["brand", "purpose", "text"]
        return fields if obj is None else [*fields, "version", "made_at", "made_by"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001
        """Write the next version."""
        written = write_text(
            brand=obj.brand,
            purpose=Purpose(obj.purpose),
            text=obj.text,
            by=cast("User", request.user),
            now=timezone.now(),
        )
        obj.pk, obj.version = written.pk, written.version


class DataUseAdmin(ReadOnlyAdmin):
    """Who took data of customers, when and for what: every export, and every look at one customer."""

    see = Task.EXPORT_CUSTOMERS
    fields = ("at", "type", "purpose", "channel", "title", "by", "role", "people")
    list_display = ("at", "brand", "type", "purpose", "channel", "by", "role", "people")
    list_filter = (BrandFilter, "type", "purpose")
    list_select_related = ("brand", "by")
    search_fields = ("title",)
    ordering = ("-at", "-pk")


site.register(ConsentText, ConsentTextAdmin)
site.register(DataUse, DataUseAdmin)
