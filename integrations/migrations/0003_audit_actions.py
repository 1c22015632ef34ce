"""More kinds of audit entries. Nothing changes in the database: an older release shows them by their bare names."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0002_audit_append_only'),
    ]

    operations = [
        migrations.AlterField(
            model_name='auditentry',
            name='action',
            field=models.CharField(choices=[('connected', 'Connected Stripe'), ('disconnected', 'Disconnected Stripe'), ('scope', 'Changed the scope'), ('options', 'Switched an option'), ('secret', 'Changed a signing secret'), ('keys_rotated', 'Rotated the encryption keys'), ('rate', 'Changed an exchange rate'), ('decision', 'Decided a match'), ('export', 'Exported data'), ('billing_cleared', 'Cleared billing data'), ('mirror_deleted', 'Deleted the mirror'), ('customer_forgotten', "Deleted a customer's data"), ('signed_in', 'Signed in'), ('login_failed', 'Failed to sign in'), ('locked_out', 'Locked out after failed logins'), ('people', 'Changed people or groups'), ('personal_domain', 'Changed a personal domain')], max_length=20, verbose_name='what'),
        ),
    ]
