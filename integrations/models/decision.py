"""Match decisions: what people decided about Stripe customers; append-only, undone by a decision that names another."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class DecisionKind(models.TextChoices):
    """What was decided (docs/rules.md section 2 "Decisions")."""

    KEEP_MERGED = "keep_merged", _("Keep merged")
    WINNER = "winner", _("This one wins")
    ATTACH = "attach", _("Attach to this customer")
    PIN = "pin", _("Link")
    SPLIT = "split", _("Split")
    IGNORE = "ignore", _("Ignore")
    UNDO = "undo", _("Undo")


class MemberEffect(models.TextChoices):
    """What a decision does to one Stripe customer."""

    PINNED = "pinned", _("Pinned")
    IGNORED = "ignored", _("Ignored")
    WINS = "wins", _("Wins")
    LOSES = "loses", _("Loses")
    ACKNOWLEDGED = "acknowledged", _("Acknowledged")


class MatchDecision(models.Model):
    """One decision with its reason and the set it was taken on; a row per Stripe customer hangs below it."""

    connection = models.ForeignKey("integrations.StripeConnection", on_delete=models.CASCADE, related_name="decisions")
    kind = models.CharField(max_length=11, choices=DecisionKind)
    reason = models.TextField()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    stripe_customer_ids = ArrayField(models.CharField(max_length=255, db_collation="C"), default=list)
    customer_ids = ArrayField(models.BigIntegerField(), default=list)
    undoes = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="undone_by", editable=False
    )
    created_customer = models.ForeignKey(
        "customers.Customer", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["-id"]
        verbose_name = _("match decision")
        verbose_name_plural = _("match decisions")

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({len(self.stripe_customer_ids)})"


class MatchDecisionMember(models.Model):
    """What a decision says about one Stripe customer; the newest one that is not undone is in force."""

    decision = models.ForeignKey(MatchDecision, on_delete=models.CASCADE, related_name="members")
    stripe_customer_id = models.CharField(max_length=255, db_collation="C")
    effect = models.CharField(max_length=12, choices=MemberEffect)
    customer = models.ForeignKey(
        "customers.Customer", null=True, blank=True, on_delete=models.SET_NULL, related_name="match_decisions"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["decision", "stripe_customer_id"], name="one_member_row_per_decision")
        ]
        indexes = [models.Index(fields=["stripe_customer_id"], name="decision_of_stripe_customer")]

    def __str__(self) -> str:
        return f"{self.stripe_customer_id} {self.effect}"
