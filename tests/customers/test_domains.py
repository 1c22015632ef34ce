"""How a customer's domain is stored, and which domains are personal (docs/rules.md section 2)."""

import idna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.domains import PERSONAL_DOMAINS, is_personal, normalise, split_address, to_ascii


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("", ""),
        ("   ", ""),
        ("acme.com", "acme.com"),
        ("  ACME.com. ", "acme.com"),
        ("www.acme.com", "acme.com"),
        ("WWW.acme.com", "acme.com"),
        ("www.www.acme.com", "acme.com"),
        ("www.com", "www.com"),
        ("wwwacme.com", "wwwacme.com"),
        ("https://www.acme.com/about?x=1#top", "acme.com"),
        ("HTTP://Acme.com:8080/", "acme.com"),
        ("acme.com/path", "acme.com"),
        ("acme.com?x=1", "acme.com"),
        ("acme.com#top", "acme.com"),
        ("acme.com:443", "acme.com"),
        ("eu.acme.com", "eu.acme.com"),
        ("münchen.de", "xn--mnchen-3ya.de"),
        ("https://例え.jp/x", "xn--r8jz45g.jp"),
        ("jane@acme.com", "acme.com"),
        ("jane@www.acme.com", "acme.com"),
        ("https://jane@acme.com/", "acme.com"),
        ("mailto:Jane@acme.com", "acme.com"),
        ("Jane@Gmail.com", "jane@gmail.com"),
        ("jane+shop@gmail.com", "jane+shop@gmail.com"),
        ("mailto:Jane@gmail.com?subject=x", "jane@gmail.com"),
        ("gmail.com", "gmail.com"),
    ],
)
def test_a_domain_is_stored_in_one_form(value: str, stored: str) -> None:
    assert normalise(value) == stored


@pytest.mark.parametrize(
    "value", ["www.acme.com", "jane@www.acme.com", "Jane+x@gmail.com", "https://münchen.de/", "www.www.acme.com"]
)
def test_normalising_twice_changes_nothing(value: str) -> None:
    once = normalise(value)
    assert normalise(once) == once


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("acme", "no dot"),
        ("https://", "no domain"),
        ("/path", "no domain"),
        ("ac me.com", "blank"),
        ("10.0.0.1", "IP address"),
        ("http://10.0.0.1:8000/", "IP address"),
        ("[::1]", "IP address"),
        ("\uff11\uff10.\uff10.\uff10.\uff11", "IP address"),
        ("10。0。0。1", "IP address"),
        ("acme..com", "not a valid domain"),
        ("ac_me.com", "not a valid domain"),
        ("@acme.com", "nothing before"),
        ("jane doe@acme.com", "blank"),
        ("jane@", "empty"),
    ],
)
def test_what_can_never_match_is_refused_with_a_reason(value: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        normalise(value)


def test_what_is_refused_names_the_value() -> None:
    with pytest.raises(ValueError, match="“localhost”"):
        to_ascii("localhost")


def test_a_domain_added_as_personal_keeps_the_whole_address() -> None:
    assert normalise("jane@isp.example", added={"isp.example"}) == "jane@isp.example"


def test_a_domain_allowed_as_a_company_is_reduced_to_itself() -> None:
    assert normalise("jane@123.com", allowed={"123.com"}) == "123.com"


@pytest.mark.parametrize(
    "domain",
    [
        "gmail.com",
        "googlemail.com",
        "outlook.com",
        "icloud.com",
        "yahoo.co.uk",
        "proton.me",
        "gmx.de",
        "hey.com",
        "keemail.me",
        "tuta.com",
        "tuta.io",
        "tutamail.com",
        "tutanota.com",
        "tutanota.de",
        "privaterelay.appleid.com",
    ],
)
def test_mail_providers_are_personal(domain: str) -> None:
    assert is_personal(domain)


@pytest.mark.parametrize("domain", ["acme.com", "appleid.com", "mail.gmail.com.acme.com"])
def test_companies_are_not_personal(domain: str) -> None:
    assert not is_personal(domain)


def test_a_workspace_adds_personal_domains_and_allows_others_and_allowing_wins() -> None:
    added, allowed = {"isp.example", "both.example"}, {"gmail.com", "both.example"}
    found = [
        is_personal(domain, added=added, allowed=allowed) for domain in ("isp.example", "gmail.com", "both.example")
    ]
    assert found == [True, False, False]


def test_the_list_of_personal_domains_is_in_the_form_it_is_compared_in() -> None:
    assert {domain for domain in PERSONAL_DOMAINS if domain != domain.lower().strip()} == set()


def test_an_address_is_split_at_its_last_at() -> None:
    assert split_address(" Ann@Home@ACME.com ") == ("ann@home", "acme.com")


def test_what_is_not_an_address_is_refused() -> None:
    with pytest.raises(ValueError, match="not an e-mail address"):
        split_address("acme.com")


@given(st.from_regex(r"[A-Za-z0-9.-]{1,40}", fullmatch=True))
def test_an_ordinary_domain_is_what_idna_makes_of_it(text: str) -> None:
    try:
        found = to_ascii(text)
    except ValueError:
        return
    assert found == idna.encode(text.removesuffix("."), uts46=True).decode().removesuffix(".")
