"""Forms of the CRM side: the list's filters, a customer, an extra domain, a status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django import forms
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from customers.filter_choices import FilterChoices
from customers.models import Activity, Customer, Environment, PaymentStatus, Status

if TYPE_CHECKING:
    _CustomerModelForm = forms.ModelForm[Customer]
else:
    _CustomerModelForm = forms.ModelForm

CHANGED_CHOICES = (
    ("", _("Any time")),
    ("1", _("Since yesterday, worst first")),
    ("7", _("In 7 days, worst first")),
)
STATUS_CHOICES = (
    ("", _("Active")),
    ("at_risk", _("At risk")),
    ("churned", _("Churned")),
    ("with_churned", _("Active and churned")),
    ("archived", _("Archived")),
    ("all", _("Archived too")),
)
FLAGS = (
    ("stale", _("Stale")),
    ("undecided", _("Undecided")),
    ("incomplete", _("Incomplete")),
    ("older", _("Older invoice open")),
    ("risk", _("At risk within 30 days")),
)


ACTOR_CHOICES = (("", _("Anybody")), *Activity.ActorType.choices)
EVENT_CHOICES = (
    ("", _("Anything")),
    ("mrr", _("MRR")),
    ("plan", _("Plan")),
    ("payment_status", _("Payment status")),
    ("status", _("Status")),
    ("owner", _("Owner")),
    ("domain", _("Domain")),
    ("domains", _("Extra domains")),
)


_SELECTED = mark_safe(" selected")


class FilterSelect(forms.Select):
    """A drop-down drawn without a template for each of its choices, of which the list has dozens on every page."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        """The choices in their order, the chosen one selected."""
        chosen = "" if value is None else str(value)
        options = format_html_join(
            "\n",
            '<option value="{}"{}>{}</option>',
            ((key, _SELECTED if str(key) == chosen else "", label) for key, label in self.choices),
        )
        return format_html(
            '<select name="{}"{}>\n{}\n</select>', name, flatatt({**self.attrs, **(attrs or {})}), options
        )


class FilterForm(forms.Form):
    """The filters of the customer list, read from the address; what it does not understand counts as not set."""

    q = forms.CharField(label=_("Search"), required=False, max_length=200)
    pay = forms.ChoiceField(label=_("Payment status"), required=False, widget=FilterSelect)
    plan = forms.ChoiceField(label=_("Plan"), required=False, widget=FilterSelect)
    status = forms.ChoiceField(label=_("Status"), required=False, choices=STATUS_CHOICES, widget=FilterSelect)
    owner = forms.ChoiceField(label=_("Owner"), required=False, widget=FilterSelect)
    changed = forms.ChoiceField(label=_("Changed"), required=False, choices=CHANGED_CHOICES, widget=FilterSelect)
    stale = forms.BooleanField(label=FLAGS[0][1], required=False)
    undecided = forms.BooleanField(label=FLAGS[1][1], required=False)
    incomplete = forms.BooleanField(label=FLAGS[2][1], required=False)
    older = forms.BooleanField(label=FLAGS[3][1], required=False)
    risk = forms.BooleanField(label=FLAGS[4][1], required=False)

    def __init__(self, *args: Any, choices: FilterChoices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        any_value = ("", _("Any"))
        late = ("late", _("Past due or failing"))
        self._choose("pay", [any_value, *PaymentStatus.choices, late])
        self._choose("plan", [any_value, *((plan, plan) for plan in choices.plans), ("-", _("No plan"))])
        self._choose(
            "owner", [any_value, ("none", _("Nobody")), *((str(user.pk), str_of(user)) for user in choices.owners)]
        )
        if self.data.get("q"):  # a search finds churned ones too, so the field says so
            self._choose("status", [("", _("Active and churned")), *STATUS_CHOICES[1:]])
        for name in ("pay", "plan", "status", "owner", "changed"):
            self.fields[name].widget.attrs["class"] = "select"

    def _choose(self, name: str, choices: list[tuple[Any, Any]]) -> None:
        field = self.fields[name]
        if isinstance(field, forms.ChoiceField):
            field.choices = choices

    def chosen(self) -> dict[str, Any]:
        """The filters that are set and understood."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


def str_of(user: User) -> str:
    """A person's full name, else their user name."""
    return user.get_full_name() or user.get_username()


class CustomerForm(_CustomerModelForm):
    """What people edit on a customer. Moving it to another environment asks first."""

    confirm_move = forms.BooleanField(required=False, label=_("Move it"))

    class Meta:
        model = Customer
        fields = ("name", "domain", "owner", "environment")
        help_texts = {
            "domain": _("Like acme.com. Joins the customer to its billing; several customers may share one."),
            "environment": _("Staging customers carry test data and are never added to a production figure."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        owner = self.fields["owner"]
        if isinstance(owner, forms.ModelChoiceField):
            owner.queryset = User.objects.filter(is_active=True).order_by("first_name", "last_name", "username")
            owner.label_from_instance = str_of  # type: ignore[method-assign,assignment]
            owner.empty_label = str(_("Nobody"))
        self.asks_move = False

    def clean(self) -> dict[str, Any]:
        """Ask before a move to another environment: all billing figures change with it."""
        cleaned = super().clean() or self.cleaned_data
        moved = self.instance.pk and "environment" in cleaned and self.initial["environment"] != cleaned["environment"]
        if moved and not cleaned.get("confirm_move"):
            self.asks_move = True
            target = Environment(cleaned["environment"]).label
            self.add_error(
                "confirm_move",
                _("Moving to %(environment)s detaches what is billed now and matches again there. Tick and save again.")
                % {"environment": target},
            )
        return cleaned

    def _post_clean(self) -> None:
        """Leave the instance as it is: the service compares with the row and validates."""


def _date_input() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date", "class": "input"}, format="%Y-%m-%d")


def _select() -> forms.Select:
    return forms.Select(attrs={"class": "select"})


class ActivityFilterForm(forms.Form):
    """The three filters of a customer's history; they stack."""

    actor = forms.ChoiceField(label=_("By"), required=False, choices=ACTOR_CHOICES, widget=_select())
    event = forms.ChoiceField(label=_("What"), required=False, choices=EVENT_CHOICES, widget=_select())
    since = forms.DateField(label=_("From"), required=False, widget=_date_input())
    until = forms.DateField(label=_("To"), required=False, widget=_date_input())

    def narrow(self, found: QuerySet[Activity]) -> QuerySet[Activity]:
        """What the filters find; what they do not understand counts as not set. Days are the workspace's."""
        chosen = self.chosen()
        if actor := chosen.get("actor"):
            found = found.filter(actor_type=actor)
        if event := chosen.get("event"):
            found = found.filter(Q(field=event) | Q(event_type=event))
        if since := chosen.get("since"):
            found = found.filter(at__date__gte=since)
        if until := chosen.get("until"):
            found = found.filter(at__date__lte=until)
        return found

    def chosen(self) -> dict[str, Any]:
        """The filters that are set and understood."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}

    def query(self) -> str:
        """The filters as part of an address."""
        return urlencode(self.chosen())


class DomainForm(forms.Form):
    """One more domain to match on."""

    domain = forms.CharField(label=_("Add a domain"), max_length=320)


class StatusForm(forms.Form):
    """The status menu."""

    status = forms.ChoiceField(choices=Status.choices)


class DailyMailForm(forms.Form):
    """Whether somebody wants the daily mail."""

    wanted = forms.BooleanField(label=_("Mail me each morning about the customers I own"), required=False)
