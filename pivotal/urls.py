"""Every address of the product."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from pivotal import views
from pivotal.health import healthz, readyz
from pivotal.metrics import metrics

urlpatterns = [
    path("", views.root, name="root"),
    path("", include("customers.urls")),
    # Before `admin/`, whose last pattern catches everything below it: its pages live at admin/integrations/stripe/.
    path("", include("integrations.stripe.pages.urls")),
    path("admin/", admin.site.urls),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("language/", require_POST(set_language), name="language"),
    path("help/<slug:name>/", views.guide, name="guide"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]

if settings.DEBUG:
    urlpatterns += [path("styleguide/", views.style_guide, name="styleguide")]

handler403 = views.permission_denied
handler404 = views.page_not_found
handler500 = views.server_error
