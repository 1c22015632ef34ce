"""Django admin as part of the product: its name, its login page, its list of integrations."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import LogoutView, redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _

from integrations import audit
from integrations.models import AuditAction


class LookOnly:
    """Nobody adds, changes or deletes; a failed task may be queued again by whoever sees it."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Tasks and schedules are made by the product."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """And stay as they were made."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """The queue empties itself."""
        return False


class PivotalAdminSite(AdminSite):
    """The stock site with our login. The pages under `admin/integrations/` join in pivotal/urls.py."""

    site_header = _("Pivotal admin")
    site_title = _("Pivotal admin")
    index_title = _("Admin")
    site_url = "/"

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Register; what django-q2 brings is to look at only: a schedule names any function there is to be called."""
        if admin_class is not None and admin_class.__module__.startswith("django_q."):
            admin_class = type(admin_class.__name__, (LookOnly, admin_class), {})
        super().register(model_or_iterable, admin_class, **options)

    def login(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
        """Send people to the product's login page.

        Raises PermissionDenied for somebody who is logged in and may not enter: another login page would send them
        round in circles.
        """
        target = request.GET.get(REDIRECT_FIELD_NAME, "")
        if not url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
            target = reverse("admin:index")
        if self.has_permission(request):
            return HttpResponseRedirect(target)
        if request.user.is_authenticated:
            raise PermissionDenied
        return redirect_to_login(target)

    def password_change(  # type: ignore[override]  # the stub forgets that a good answer redirects
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The stock page; a password that somebody changed for themselves is in the audit log."""
        with transaction.atomic():
            response = super().password_change(request, extra_context)
            if request.method == "POST" and isinstance(response, HttpResponseRedirect):
                name = request.user.get_username()
                audit.record(AuditAction.PEOPLE, actor=request.user, subject=name, details={"what": "own password"})
        return response

    def logout(  # type: ignore[override]  # the stock one shows a page of its own
        self, request: HttpRequest, extra_context: dict[str, object] | None = None
    ) -> HttpResponseBase:
        """Log out and go to the product's login page."""
        return LogoutView.as_view()(request)
