"""The drop-downs of the list's filters draw what Django's own would."""

from __future__ import annotations

from django import forms

from customers.forms import FilterSelect

CHOICES = [("", "Any"), ("a&b", "A <b> & Co"), ("7", 'Says "seven"')]


def test_it_draws_what_a_select_of_django_draws() -> None:
    ours, djangos = (kind(attrs={"class": "select"}, choices=CHOICES) for kind in (FilterSelect, forms.Select))
    for value in ("", None, "a&b", "7", "gone"):
        drawn, expected = (each.render("plan", value, {"id": "id_plan"}) for each in (ours, djangos))
        assert "".join(drawn.split("\n")) == "".join(line.strip() for line in expected.split("\n"))
