"""From an e-mail address to a domain (docs/rules.md section 2)."""

import pytest

from integrations.stripe.rules.domains import email_address, email_domain


@pytest.mark.parametrize(
    ("email", "domain"),
    [
        ("jane@acme.com", "acme.com"),
        ("  Jane@ACME.Com  ", "acme.com"),
        ("jane+billing@acme.com", "acme.com"),
        ("jane@eu.acme.com", "eu.acme.com"),
        ("jane@acme.com.", "acme.com"),
        ('"a@b"@acme.com', "acme.com"),
        ("jane@münchen.de", "xn--mnchen-3ya.de"),
        ("jane@STRASSE.de", "strasse.de"),
        ("jane@straße.de", "xn--strae-oqa.de"),
        ("jane@acme。com", "acme.com"),
        ("jane@\uff41\uff43\uff4d\uff45.com", "acme.com"),
        ("jane@xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
    ],
)
def test_the_domain_is_what_follows_the_last_at(email: str, domain: str) -> None:
    assert email_domain(email) == domain


@pytest.mark.parametrize(
    "email",
    [
        None,
        "",
        "   ",
        "acme.com",
        "@acme.com",
        "jane@",
        "jane@.",
        "jane doe@acme.com",
        "jane@acme .com",
        "Jane <jane@acme.com>",
        "<jane@acme.com>",
        "jane@[192.168.0.1]",
        "jane@[IPv6:2001:db8::1]",
        "jane@192.168.0.1",
        "jane@127.1",
        "jane@\uff11\uff12\uff17.0.0.1",
        "jane@2001:db8::1",
        "jane@localhost",
        "jane@acme..com",
        "jane@-acme.com",
        "jane@ac_me.com",
        "jane@☃.net",
        "jane@acme.com/path",
        "jane@" + "a" * 64 + ".com",
        "jane@" + "a." * 127 + "com",
    ],
)
def test_an_address_without_a_usable_domain_has_none(email: str | None) -> None:
    assert (email_domain(email), email_address(email)) == (None, None)


@pytest.mark.parametrize(
    ("email", "address"),
    [
        (" Jane+Shop@Gmail.com ", "jane+shop@gmail.com"),
        ("JANE@münchen.de", "jane@xn--mnchen-3ya.de"),
    ],
)
def test_the_whole_address_is_lower_cased_and_keeps_its_plus_tag(email: str, address: str) -> None:
    assert email_address(email) == address
