"""Accounts of every shape are read whole, with few pages more than there are, by several lanes at once."""

from __future__ import annotations

import math

import pytest
from pytest_django.fixtures import Settings

from integrations.models import RunState, StripeSubscription
from integrations.stripe.sync import lanes
from sandbox.testing import running
from tests.integrations.stripe.sync.syncing import connect, go_on, start

pytestmark = pytest.mark.django_db

SUBSCRIPTIONS = 3000
PAGES = SUBSCRIPTIONS // 100


@pytest.mark.parametrize("skew", ["none", "hour", "burst", "second"])
def test_an_account_is_read_whole_with_at_most_a_fifth_more_pages(skew: str, settings: Settings) -> None:
    settings.DEBUG = True
    with running("bulk", subscriptions=SUBSCRIPTIONS, skew=skew) as stripe:
        connection = connect(stripe)
        stripe.pace(latency_ms=30)
        stripe.reset_requests()
        run = go_on(start(connection))
        asked = stripe.requests()["by_endpoint"]["GET /v1/subscriptions"]

    assert (run.state, run.read >= SUBSCRIPTIONS) == (RunState.SUCCEEDED, True)
    assert StripeSubscription.objects.count() == SUBSCRIPTIONS
    assert PAGES <= asked <= math.ceil(1.2 * PAGES)
    used = run.checkpoint["walks"]["subscriptions"]
    assert len(used) <= 1 + asked // lanes.PAGES_FOR_A_SPLIT
    assert len(used) > 1, "more than one lane was tried"
