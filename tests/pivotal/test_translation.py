"""Every text people read is marked for translation."""

from __future__ import annotations

import pytest

from tests.pivotal import pseudo
from tests.security.test_hostile_text import fill
from tests.security.walking import addresses, body_of, signed_in, workspace

NAMES = frozenset(["Stripe", "Pivotal"])


@pytest.mark.django_db
def test_no_page_has_a_text_that_is_not_marked_for_translation(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = addresses(workspace())
    fill("ĐÅŢÅ")
    client = signed_in("owner")
    pseudo.speak_it(monkeypatch)
    found = {}
    for address in pages:
        response = client.get(address, HTTP_HX_REQUEST="")
        if response.status_code == 200 and response.headers["Content-Type"].startswith("text/html"):
            english = pseudo.english_in(body_of(response), known=NAMES)
            if english:
                found[address] = english
    for k, v in found.items():
        print(k)
        for x in v: print("     ", x[:150])
    assert found == {}
