"""The audit log's rows stay as they are: a trigger refuses to change or delete them."""

from django.db import migrations

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
    """Reversible: without the trigger the log is as changeable as any table."""

    dependencies = [("integrations", "0001_initial")]
    operations = [migrations.RunSQL(APPEND_ONLY, CHANGEABLE)]
