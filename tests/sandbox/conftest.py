"""Running sandboxes for the tests of the sandbox itself."""

from collections.abc import Iterator

import pytest

from sandbox.testing import Running, running


@pytest.fixture(scope="session")
def stripe() -> Iterator[Running]:
    """The demo data, shared by all tests that only read."""
    with running() as started:
        yield started


@pytest.fixture(scope="session")
def bulk() -> Iterator[Running]:
    """1,200 generated subscriptions, shared by all tests that only read."""
    with running("bulk", subscriptions=1200) as started:
        yield started


@pytest.fixture(scope="session")
def workbench() -> Iterator[Running]:
    """The sandbox behind `own`."""
    with running() as started:
        yield started


@pytest.fixture
def own(workbench: Running) -> Running:
    """A sandbox as it is after a start, to break and to change."""
    workbench.reset()
    return workbench
