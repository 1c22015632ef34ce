"""Match decisions: what people decided about Stripe customers; append-only, undone by a decision that names another."""

from __future__ import annotations

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
    created_customer = models.BooleanField(default=False, help_text=_("The decision created the customer it pins to."))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["decision", "stripe_customer_id"], name="one_member_row_per_decision")
        ]
        indexes = [models.Index(fields=["stripe_customer_id"], name="decision_of_stripe_customer")]

    def __str__(self) -> str:
        return f"{self.stripe_customer_id} {self.effect}"


class DecisionJob(models.Model):
    """One decision about everything a filter finds, worked in chunks by the worker: one progress, one undo.

    ``members`` are the Stripe ids found when it was asked for; each chunk adds member rows to the one ``decision``.
    ``targets`` are the customers they are linked to, one for each, where somebody named them; else it is empty.
    ``worked_at`` is when somebody last took it up, ``attempts`` how often without getting on since.
    """

    class Action(models.TextChoices):
        """What is done with each of them."""

        SUGGESTED = "suggested", _("Link to the first suggestion")
        CREATE = "create", _("Create customer")
        IGNORE = "ignore", _("Ignore")
        LISTED = "listed", _("Link as listed in a file")

    class State(models.TextChoices):
        """How far the job has come."""

        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    connection = models.ForeignKey("integrations.StripeConnection", on_delete=models.CASCADE, related_name="jobs")
    decision = models.OneToOneField(MatchDecision, on_delete=models.CASCADE, related_name="job")
    action = models.CharField(max_length=10, choices=Action)
    members = ArrayField(models.CharField(max_length=255, db_collation="C"), default=list)
    targets = ArrayField(models.BigIntegerField(), default=list)
    done = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=7, choices=State, default=State.QUEUED)
    error_detail = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())
    worked_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("decision job")
        verbose_name_plural = _("decision jobs")

    def __str__(self) -> str:
        return f"{self.action} of {len(self.members)}"

    @property
    def is_active(self) -> bool:
        """Whether it waits or goes on."""
        return self.state in (self.State.QUEUED, self.State.RUNNING)


class LastVisit(models.Model):
    """When somebody last looked at the ambiguous matches: what "New since my last visit" goes by."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", primary_key=True)
    at = models.DateTimeField()
    previous_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"visit of {self.pk}"
