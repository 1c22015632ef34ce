"""What a subscription's MRR was computed from, so that it is computed again only when that has changed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("integrations", "0004_rate_conversion")]

    operations = [
        migrations.AddField(
            "stripesubscription",
            "computed_from",
            models.CharField(blank=True, db_default="", default="", editable=False, max_length=64),
        ),
    ]
