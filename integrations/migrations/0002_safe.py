"""The audit log, whose rows a trigger keeps as they are."""

import django.db.models.functions.datetime
from django.db import migrations, models


APPEND_ONLY = """
CREATE FUNCTION integrations_audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The audit log is append-only.' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER integrations_auditentry_append_only BEFORE UPDATE OR DELETE ON integrations_auditentry
    FOR EACH ROW EXECUTE FUNCTION integrations_audit_is_append_only();
"""
CHANGEABLE = """
DROP TRIGGER integrations_auditentry_append_only ON integrations_auditentry;
DROP FUNCTION integrations_audit_is_append_only();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0001_initial'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='workerheartbeat',
            options={'verbose_name': 'worker', 'verbose_name_plural': 'workers'},
        ),
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='at')),
                ('actor_id', models.BigIntegerField(blank=True, null=True)),
                ('actor_name', models.CharField(blank=True, default='', max_length=150, verbose_name='who')),
                ('action', models.CharField(choices=[('connected', 'Connected Stripe'), ('disconnected', 'Disconnected Stripe'), ('scope', 'Changed the scope'), ('options', 'Switched an option'), ('secret', 'Changed a signing secret'), ('keys_rotated', 'Rotated the encryption keys'), ('rate', 'Changed an exchange rate'), ('decision', 'Decided a match'), ('export', 'Exported data'), ('billing_cleared', 'Cleared billing data'), ('mirror_deleted', 'Deleted the mirror'), ('customer_forgotten', "Deleted a customer's data"), ('signed_in', 'Signed in'), ('locked_out', 'Locked out after failed logins')], max_length=20, verbose_name='what')),
                ('mode', models.CharField(blank=True, default='', max_length=4, verbose_name='mode')),
                ('subject', models.CharField(blank=True, default='', max_length=255, verbose_name='of what')),
                ('details', models.JSONField(blank=True, default=dict, verbose_name='details')),
                ('request_id', models.CharField(blank=True, default='', max_length=36)),
                ('address', models.GenericIPAddressField(blank=True, null=True, verbose_name='address')),
            ],
            options={
                'verbose_name': 'audit entry',
                'verbose_name_plural': 'audit entries',
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['-at'], name='audit_at'), models.Index(fields=['action', '-id'], name='audit_action')],
            },
        ),
        migrations.RunSQL(APPEND_ONLY, CHANGEABLE),
    ]
