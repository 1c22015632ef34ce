"""What every template may say about the product itself."""

from __future__ import annotations

from functools import partial

from django.conf import settings
from django.http import HttpRequest

from integrations.permissions import READ_LOG
from integrations.stripe.pages.presenters.notices import banners_for
from pivotal.version import version


def product(request: HttpRequest) -> dict[str, object]:
    """The workspace's name, the support address, the version, and which menus the person may open.

    `admin_notices` is asked for by the pages that show it.
    `menus` has `customers` and `admin` (Django admin) and `integrations` (Admin > Integrations > Stripe); menus show
    only what the person may open (docs/architecture.md section 8). `request.user` is absent on early errors.
    """
    user = getattr(request, "user", None)
    staff = bool(user and user.is_active and user.is_staff)
    return {
        "workspace_name": settings.WORKSPACE_NAME,
        "support_email": settings.SUPPORT_EMAIL,
        "product_version": version(),
        "debug": settings.DEBUG,
        "admin_notices": partial(banners_for, user),
        "menus": {
            "customers": bool(user and user.has_perm("customers.view_customer")),
            "admin": staff,
            "integrations": bool(user and staff and user.has_perm(READ_LOG)),
        },
    }
