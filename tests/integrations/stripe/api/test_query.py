"""Addresses: Stripe's form of parameters, and ids that stay inside their path."""

from __future__ import annotations

import pytest

from integrations.errors import IntegrationError
from integrations.stripe.api.query import endpoint_of, object_path, with_query


@pytest.mark.parametrize(
    ("params", "written"),
    [
        (None, "/v1/things"),
        ({}, "/v1/things"),
        ({"limit": 3, "none": None}, "/v1/things?limit=3"),
        ({"created": {"gte": 1, "lt": 2}}, "/v1/things?created[gte]=1&created[lt]=2"),
        ({"expand": ["data.a", "data.b"]}, "/v1/things?expand[]=data.a&expand[]=data.b"),
        ({"active": True, "deleted": False}, "/v1/things?active=true&deleted=false"),
        ({"email": "a+b&c=d@x.co"}, "/v1/things?email=a%2Bb%26c%3Dd%40x.co"),
    ],
)
def test_parameters_are_written_as_stripe_reads_them(params: dict[str, object] | None, written: str) -> None:
    assert with_query("/v1/things", params) == written


@pytest.mark.parametrize(
    ("identifier", "path"),
    [
        ("sub_1", "/v1/things/sub_1"),
        ("25% OFF", "/v1/things/25%25%20OFF"),
        ("../customers?x=1", "/v1/things/..%2Fcustomers%3Fx%3D1"),
    ],
)
def test_an_id_cannot_leave_its_place_in_the_path(identifier: str, path: str) -> None:
    assert object_path("things", identifier) == path


@pytest.mark.parametrize("identifier", ["", ".", ".."])
def test_an_id_that_would_name_another_address_is_refused(identifier: str) -> None:
    with pytest.raises(IntegrationError):
        object_path("things", identifier)


@pytest.mark.parametrize("path", ["/v1/things", "/v1/things/id_1", "/v1/things?limit=1"])
def test_a_list_and_its_objects_are_one_endpoint(path: str) -> None:
    assert endpoint_of(path) == "/v1/things"
