"""The sums over all customers, and the triggers that keep them; those there are already are counted."""

from django.db import migrations, models

KINDS = "environment, status, payment_status, incomplete, at_risk, risk_unknown"
COUNTED = """
    environment, status, payment_status, billing_flags @> ARRAY['incomplete']::varchar[] AS incomplete,
    at_risk_reason <> '' AS at_risk, mrr_at_risk IS NULL AND billing_source <> '' AS risk_unknown, mrr,
    coalesce(mrr_at_risk, 0) AS risk
"""
WRITE = f"""
    INSERT INTO customers_customertally ({KINDS}, customers, mrr, risk_mrr)
    SELECT {KINDS}, sum(one), sum(one * mrr), sum(one * risk) FROM (%s) AS moved
    GROUP BY {KINDS} HAVING sum(one) <> 0 OR sum(one * mrr) <> 0 OR sum(one * risk) <> 0;
"""
CAME = f"SELECT 1 AS one, {COUNTED} FROM came"
WENT = f"SELECT -1 AS one, {COUNTED} FROM went"
FUNCTION = """
CREATE FUNCTION customers_tally_%s() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN %s RETURN NULL; END $$;
CREATE TRIGGER customers_tally_%s AFTER %s ON customers_customer %s
    FOR EACH STATEMENT EXECUTE FUNCTION customers_tally_%s();
"""


def triggers():
    """A function and a trigger for each kind of statement."""
    for name, statement, tables in (
        ("insert", WRITE % CAME, "REFERENCING NEW TABLE AS came"),
        ("delete", WRITE % WENT, "REFERENCING OLD TABLE AS went"),
        ("update", WRITE % f"{CAME} UNION ALL {WENT}", "REFERENCING NEW TABLE AS came OLD TABLE AS went"),
        ("truncate", "DELETE FROM customers_customertally;", ""),
    ):
        yield FUNCTION % (name, statement, name, name.upper(), tables, name)


BEGIN = [*triggers(), WRITE % f"SELECT 1 AS one, {COUNTED} FROM customers_customer"]
END = [
    f"DROP TRIGGER customers_tally_{name} ON customers_customer; DROP FUNCTION customers_tally_{name}();"
    for name in ("insert", "delete", "update", "truncate")
]


class Migration(migrations.Migration):
    """Reversible: the sums can be taken again at any time. Writers of customers wait while those there are are counted."""

    dependencies = [("customers", "0005_sort_indexes")]
    operations = [
        migrations.CreateModel(
            name="CustomerTally",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "environment",
                    models.CharField(choices=[("production", "Production"), ("staging", "Staging")], max_length=10),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("active", "Active"),
                            ("at_risk", "At risk"),
                            ("churned", "Churned"),
                            ("archived", "Archived"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "payment_status",
                    models.CharField(
                        choices=[
                            ("paid", "Paid"),
                            ("past_due", "Past due"),
                            ("failing", "Failing"),
                            ("none", "No payment status"),
                        ],
                        max_length=8,
                    ),
                ),
                ("incomplete", models.BooleanField()),
                ("at_risk", models.BooleanField()),
                ("risk_unknown", models.BooleanField()),
                ("customers", models.BigIntegerField()),
                ("mrr", models.DecimalField(decimal_places=2, max_digits=30)),
                ("risk_mrr", models.DecimalField(decimal_places=2, max_digits=30)),
            ],
            options={"verbose_name": "sum over customers", "verbose_name_plural": "sums over customers"},
        ),
        migrations.RunSQL(BEGIN, END),
    ]
