"""The product's three groups; their permissions follow after the migrations, once Django has made them."""

from typing import Any

from django.db import migrations

GROUPS = ("Admin", "Member", "Staff")


def create_groups(apps: Any, schema_editor: Any) -> None:
    """Create what is missing; groups of these names that exist already are kept."""
    group = apps.get_model("auth", "Group")
    for name in GROUPS:
        group.objects.get_or_create(name=name)


class Migration(migrations.Migration):
    """Groups stay when the migration is undone: people may be in them."""

    dependencies = [("customers", "0001_initial"), ("auth", "0012_alter_user_first_name_max_length")]
    operations = [migrations.RunPython(create_groups, migrations.RunPython.noop)]
