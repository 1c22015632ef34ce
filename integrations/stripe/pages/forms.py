"""The forms of the integration page. They check shape; the services decide."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, TypedDict

from django import forms
from django.utils.translation import gettext_lazy as _

from customers.domains import to_ascii
from customers.models import PersonalDomain
from integrations.models import StripeConnection
from integrations.stripe.sync.decision_rows import REASON_LENGTH
from integrations.stripe.sync.scope import Choice, ScopeChoices

ALL, SOME = "all", "some"


class KeyForm(forms.Form):
    """A restricted key, and the account it belongs to when the key may not say so itself."""

    key = forms.CharField(
        label=_("Restricted key"),
        max_length=500,
        widget=forms.PasswordInput(attrs={"class": "input code", "autocomplete": "off", "spellcheck": "false"}),
    )
    account_id = forms.RegexField(
        label=_("Account id, for links to Stripe"),
        regex=r"^acct_[A-Za-z0-9]+$",
        max_length=255,
        required=False,
        error_messages={"invalid": _("An account id starts with acct_.")},
        widget=forms.TextInput(attrs={"class": "input code", "autocomplete": "off", "placeholder": "acct_…"}),
    )

    def __init__(self, *args: Any, mode: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["key"].widget.attrs["placeholder"] = f"rk_{mode}_…"


TYPED_AMOUNT = re.compile(
    r"(?P<whole>[0-9]{1,15}|[0-9]{1,3}(?:([.,])[0-9]{3})(?:\2[0-9]{3}){0,3})(?:[.,](?P<cents>[0-9]{0,2}))?"
)


class StripeFigureForm(forms.Form):
    """The MRR that Stripe shows, typed or pasted as people have it: ``$143,500.00``."""

    stripe = forms.CharField(
        label=_("MRR that Stripe shows, in US dollars"),
        max_length=30,
        error_messages={"required": _("Enter the figure first, like 143,500.")},
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "placeholder": "143,500"}),
    )

    def clean_stripe(self) -> Decimal:
        """The figure as a number; signs and blanks do not matter, nor which separators: cents have at most two digits.

        So `143,500` and `143.500` are the same, whatever the language, and so are `9,000.25` and `9.000,25`.
        """
        text = re.sub(r"[\s$_']|USD", "", self.cleaned_data["stripe"], flags=re.IGNORECASE)
        found = TYPED_AMOUNT.fullmatch(text)
        if found is None:
            raise forms.ValidationError(_("Enter an amount like 143,500 or 143500.25."))
        return Decimal(f"{re.sub('[.,]', '', found['whole'])}.{found['cents'] or 0}")


class SecretForm(forms.Form):
    """The signing secret of an account's own webhook endpoint; written, never shown again."""

    secret = forms.CharField(
        label=_("Signing secret"),
        max_length=500,
        widget=forms.PasswordInput(
            attrs={"class": "input code", "autocomplete": "off", "spellcheck": "false", "placeholder": "whsec_…"}
        ),
    )


class OptionValues(TypedDict):
    """The two toggles as the services take them."""

    match_personal_emails: bool
    billing_signal_only: bool


class OptionsForm(forms.Form):
    """The two toggles."""

    match_personal_emails = forms.BooleanField(label=_("Match personal emails"), required=False)
    billing_signal_only = forms.BooleanField(label=_("Billing signal only"), required=False)

    def options(self) -> OptionValues:
        """The toggles of a valid form."""
        return OptionValues(
            match_personal_emails=self.cleaned_data["match_personal_emails"],
            billing_signal_only=self.cleaned_data["billing_signal_only"],
        )


class ScopeForm(OptionsForm):
    """Which subscriptions are this workspace's business, and the two toggles.

    Only what the account really has can be chosen; a value that was saved before and has left the account since stays
    choosable, so that saving does not silently drop it.
    """

    scope = forms.ChoiceField(choices=[(ALL, ""), (SOME, "")])
    product = forms.MultipleChoiceField(required=False)
    lookup_key = forms.MultipleChoiceField(required=False)

    def __init__(self, *args: Any, choices: ScopeChoices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.choices = choices
        self._offer("product", choices.products)
        self._offer("lookup_key", choices.lookup_keys)

    def _offer(self, name: str, choices: list[Choice]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.MultipleChoiceField)  # noqa: S101 (declared above)
        field.choices = [(choice.value, choice.label) for choice in choices]

    def clean(self) -> dict[str, Any]:
        """Refuse "only these" without any."""
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("scope") == SOME and not (cleaned.get("product") or cleaned.get("lookup_key")):
            raise forms.ValidationError(_("Choose at least one product or lookup key, or all active subscriptions."))
        return cleaned

    def shown_values(self) -> dict[str, Any]:
        """What the form shows: what was sent, else what is saved."""
        return {name: self[name].value() for name in self.fields}

    def selection(self) -> dict[str, list[str]]:
        """Products and lookup keys of a valid form; both empty means all active subscriptions."""
        if self.cleaned_data["scope"] == ALL:
            return {"products": [], "lookup_keys": []}
        return {"products": self.cleaned_data["product"], "lookup_keys": self.cleaned_data["lookup_key"]}


class ReasonForm(forms.Form):
    """Why somebody decides, and the scene that was on the page."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=REASON_LENGTH,
        help_text=_("Kept with the decision. You can undo it at any time."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    seen = forms.CharField(widget=forms.HiddenInput, required=False)


class NewCustomerForm(forms.Form):
    """Name and domain of the customer a split makes; the customer itself says which domains are possible."""

    name = forms.CharField(label=_("Name of the new customer"), max_length=255)
    domain = forms.CharField(label=_("Its domain"), max_length=320, required=False)


def saved_scope(connection: StripeConnection, choices: ScopeChoices) -> ScopeForm:
    """The form as it was saved last."""
    products = [choice.value for choice in choices.products if choice.chosen]
    lookup_keys = [choice.value for choice in choices.lookup_keys if choice.chosen]
    return ScopeForm(
        choices=choices,
        initial={
            "scope": SOME if products or lookup_keys else ALL,
            "product": products,
            "lookup_key": lookup_keys,
            "match_personal_emails": connection.match_personal_emails,
            "billing_signal_only": connection.billing_signal_only,
        },
    )


class LinkFileForm(forms.Form):
    """A CSV of links."""

    file = forms.FileField(
        label=_("CSV file"),
        help_text=_("With the columns stripe_customer_id and customer_id. Nothing is decided yet."),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv"}),
    )


class PersonalDomainForm(forms.Form):
    """One change to the list of personal domains."""

    domain = forms.CharField(
        label=_("Domain"), max_length=253, widget=forms.TextInput(attrs={"placeholder": "mail.example"})
    )
    personal = forms.ChoiceField(
        label=_("Treat it as"),
        choices=[
            ("on", _("Personal: skipped unless Match personal emails is on")),
            ("off", _("A company domain: matched")),
        ],
    )

    def clean_domain(self) -> str:
        """The domain in the form it is compared in; a whole address says it by what follows the @."""
        text: str = self.cleaned_data["domain"].replace("\x00", "").strip().rpartition("@")[2]
        try:
            return to_ascii(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    def entry(self) -> PersonalDomain:
        """The entry of a valid form's domain: the one there is, or a new one."""
        domain = self.cleaned_data["domain"]
        return PersonalDomain.objects.filter(domain=domain).first() or PersonalDomain(domain=domain)
