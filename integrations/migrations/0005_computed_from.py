"""What a subscription's MRR and a customer's fields were computed from: until that changes they stay as they are."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("integrations", "0004_rate_conversion")]

    operations = [
        migrations.AddField(
            "stripesubscription",
            "computed_from",
            models.CharField(blank=True, db_default="", default="", editable=False, max_length=64),
        ),
        migrations.AddField(
            "billingsummary",
            "computed_from",
            models.CharField(blank=True, db_default="", default="", editable=False, max_length=64),
        ),
    ]
