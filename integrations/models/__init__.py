"""The tables every integration shares and the mirror of Stripe, one file per noun (docs/architecture.md section 4)."""

from integrations.models.attempt import Attempt, AttemptKind, AttemptState
from integrations.models.audit import AppendOnlyError, AuditAction, AuditEntry
from integrations.models.call import ApiCall, MonthlyReads
from integrations.models.connection import AuthKind, ConnectionState, Mode, StripeConnection
from integrations.models.decision import (
    DecisionJob,
    DecisionKind,
    LastVisit,
    MatchDecision,
    MatchDecisionMember,
    MemberEffect,
)
from integrations.models.drift import DriftEntry, DriftKind, DriftReport
from integrations.models.event import StripeEvent
from integrations.models.group import AmbiguousGroup
from integrations.models.heartbeat import WorkerHeartbeat
from integrations.models.issue import IssueState, Severity, SyncIssue
from integrations.models.kept import KeptFigures
from integrations.models.mirror import (
    MatchState,
    Standing,
    StripeCoupon,
    StripeCustomer,
    StripeInvoice,
    StripeInvoicePayment,
    StripePaymentIntent,
    StripePrice,
    StripeProduct,
    StripeSubscription,
)
from integrations.models.notice import Notice, NoticeKind
from integrations.models.rate import ExchangeRate, RateConversion, RateSource
from integrations.models.run import RunKind, RunState, SeenId, SyncRun
from integrations.models.scope import ScopeFilter, ScopeKind
from integrations.models.summary import BillingSummary

__all__ = [
    "AmbiguousGroup",
    "ApiCall",
    "AppendOnlyError",
    "Attempt",
    "AttemptKind",
    "AttemptState",
    "AuditAction",
    "AuditEntry",
    "AuthKind",
    "BillingSummary",
    "ConnectionState",
    "DecisionJob",
    "DecisionKind",
    "DriftEntry",
    "DriftKind",
    "DriftReport",
    "ExchangeRate",
    "IssueState",
    "KeptFigures",
    "LastVisit",
    "MatchDecision",
    "MatchDecisionMember",
    "MatchState",
    "MemberEffect",
    "Mode",
    "MonthlyReads",
    "Notice",
    "NoticeKind",
    "RateConversion",
    "RateSource",
    "RunKind",
    "RunState",
    "ScopeFilter",
    "ScopeKind",
    "SeenId",
    "Severity",
    "Standing",
    "StripeConnection",
    "StripeCoupon",
    "StripeCustomer",
    "StripeEvent",
    "StripeInvoice",
    "StripeInvoicePayment",
    "StripePaymentIntent",
    "StripePrice",
    "StripeProduct",
    "StripeSubscription",
    "SyncIssue",
    "SyncRun",
    "WorkerHeartbeat",
]
