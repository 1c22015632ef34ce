"""How alike two company names are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.stripe.rules.names import ALIKE, alike, words


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("Acme, Inc.", ["acme"]),
        ("ACME S.A.", ["acme"]),
        ("The Body Shop Ltd", ["body", "shop"]),
        ("Müller Söhne GmbH & Co. KG", ["müller", "söhne"]),
        ("Harbor & Finch", ["harbor", "and", "finch"]),
        ("Macy's", ["macys"]),
        ("Co", ["co"]),
        ("Limited Inc", ["limited"]),
        ("", []),
        ("—", []),
    ],
)
def test_the_legal_form_says_nothing_about_who_it_is(name: str, left: list[str]) -> None:
    assert words(name) == left


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Harbor and Finch LLC", "Harbor & Finch"),
        ("Osprey Retail Group", "Osprey Retail"),
        ("Fernbank Analytics", "Fernbank"),
        ("Müller Söhne GmbH", "Muller Sohne"),
        ("Energy Halden AG", "Halden Energy"),
        ("Straße Eins", "Strasse Eins"),
    ],
)
def test_the_same_company_under_another_name_is_alike(one: str, other: str) -> None:
    assert alike(one, other) >= ALIKE


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Osprey Retail Group", "Osprey Outdoor"),
        ("Smith Consulting", "Jones Consulting"),
        ("Global", "Global Foods International"),
        ("Acme Deutschland GmbH", "Acme Corp"),
        ("", ""),
        ("Acme", ""),
    ],
)
def test_companies_that_share_a_word_are_not(one: str, other: str) -> None:
    assert alike(one, other) < ALIKE


@given(st.text(max_size=60), st.text(max_size=60))
def test_alike_is_the_same_both_ways_and_a_share_of_a_hundred(one: str, other: str) -> None:
    assert alike(one, other) == alike(other, one)
    assert 0 <= alike(one, other) <= 100
