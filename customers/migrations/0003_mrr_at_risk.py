"""What of a customer's MRR is at risk within 30 days. Unknown until the worker has worked it out, which it begins at once."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("customers", "0002_groups")]

    operations = [
        migrations.AddField(
            "customer",
            "mrr_at_risk",
            models.DecimalField(blank=True, decimal_places=2, editable=False, max_digits=18, null=True),
        ),
        migrations.AddField(
            "customer",
            "at_risk_reason",
            models.CharField(
                blank=True,
                choices=[("failing", "Payment failing"), ("ending", "Set to end")],
                db_default="",
                default="",
                editable=False,
                max_length=8,
            ),
        ),
        migrations.AddField(
            "customer", "at_risk_at", models.DateTimeField(blank=True, editable=False, null=True)
        ),
    ]
