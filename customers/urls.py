"""Addresses of the CRM side."""

from __future__ import annotations

from django.urls import path, re_path

from customers.views import editing, listing, preferences, record, saved_views

app_name = "customers"
urlpatterns = [
    path("customers/", listing.customer_list, name="list"),
    path("customers/export.csv", listing.customer_csv, name="csv"),
    path("customers/views/", saved_views.save, name="view_save"),
    path("customers/views/<int:view_id>/remove", saved_views.remove, name="view_remove"),
    path("customers/new", editing.create, name="create"),
    path("customers/daily-mail", preferences.preferences, name="daily_mail"),
    path("customers/<int:customer_id>", record.detail, name="detail"),
    path("customers/<int:customer_id>/edit", editing.edit, name="edit"),
    path("customers/<int:customer_id>/status", editing.status, name="status"),
    path("customers/<int:customer_id>/domains", editing.domain_add, name="domain_add"),
    path("customers/<int:customer_id>/domains/<int:domain_id>/remove", editing.domain_remove, name="domain_remove"),
    path("customers/<int:customer_id>/activity", record.activity, name="activity"),
    path("customers/<int:customer_id>/activity.csv", record.activity_csv, name="activity_csv"),
    # The slug is decorative: whatever stands there, the number decides.
    re_path(r"^customers/(?P<customer_id>[0-9]{1,18})-(?P<slug>[^/]*)$", record.detail, name="detail"),
]
