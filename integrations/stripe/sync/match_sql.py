"""The matcher's SQL, as common table expressions that build on one another (docs/rules.md section 2).

``OWNERS`` and ``DECISIONS`` say who owns a domain and what people decided; ``VERDICTS`` where each Stripe customer goes
and why; ``FLAGS`` which of them are ambiguous. ``FLAGS`` reads a relation ``placed``: the saved match columns, or the
verdicts of a preview, so that both are flagged by the same text. Braces are conditions of ours; values go in as
parameters.
"""

from __future__ import annotations

# Domains and aliases of the environment; archived customers own none. Of several owners of a domain the smallest id
# that is not churned gets the Stripe customer, all churned: the smallest id.
OWNERS = """
keys AS (
    SELECT c.id AS customer_id, c.domain, c.status
    FROM customers_customer c
    WHERE c.environment = %(environment)s AND c.status <> 'archived' AND c.domain <> '' AND {owned_domain}
    UNION
    SELECT c.id, d.domain, c.status
    FROM (SELECT d.customer_id, d.domain AS domain FROM customers_customerdomain d
          WHERE d.environment = %(environment)s AND {owned_alias}) d
    JOIN customers_customer c ON c.id = d.customer_id
    WHERE c.environment = %(environment)s AND c.status <> 'archived'
), owners AS (
    SELECT domain, (array_agg(customer_id ORDER BY (status = 'churned'), customer_id))[1] AS customer_id,
           array_agg(DISTINCT customer_id) AS customer_ids
    FROM keys GROUP BY domain
)"""

# Only the owners that these Stripe customers ask for, by index.
ASKED_FOR = """ = ANY(ARRAY(
    SELECT unnest(ARRAY[sc.email_domain, sc.email_address])
    FROM integrations_stripecustomer sc WHERE sc.id = ANY(%(ids)s::bigint[])
))"""

# An undo may itself be undone, so a decision is in force when an even number of undos is chained to it. The newest
# decision naming a Stripe customer wins; winning or keeping merged says nothing about where it goes, so a pin survives
# both.
DECISIONS = """
chained AS (
    SELECT d.id, d.undoes_id, TRUE AS in_force
    FROM integrations_matchdecision d
    WHERE d.connection_id = %(connection)s
      AND NOT EXISTS (SELECT 1 FROM integrations_matchdecision u WHERE u.undoes_id = d.id)
    UNION ALL
    SELECT d.id, d.undoes_id, NOT c.in_force
    FROM chained c JOIN integrations_matchdecision d ON d.id = c.undoes_id
), in_force AS (
    SELECT d.id, d.kind, d.stripe_customer_ids::text[] AS stripe_ids, d.customer_ids
    FROM chained c JOIN integrations_matchdecision d ON d.id = c.id
    WHERE c.in_force AND d.kind <> 'undo'
), newest AS (
    SELECT m.stripe_customer_id AS stripe_id, max(m.decision_id) AS decision_id,
           (array_agg(m.effect ORDER BY m.decision_id DESC))[1] AS effect, bool_or(m.effect = 'pinned') AS has_pin,
           (array_agg(m.customer_id ORDER BY m.decision_id DESC) FILTER (WHERE m.effect = 'pinned'))[1] AS pinned_id
    FROM integrations_matchdecisionmember m JOIN in_force d ON d.id = m.decision_id
    GROUP BY m.stripe_customer_id
), decided AS (
    SELECT n.*, (c.id IS NOT NULL AND c.status <> 'archived' AND c.environment = %(environment)s) AS reachable
    FROM newest n LEFT JOIN customers_customer c ON c.id = n.pinned_id
), winners AS (
    SELECT m.decision_id, m.stripe_customer_id AS stripe_id
    FROM integrations_matchdecisionmember m JOIN in_force d ON d.id = m.decision_id
    WHERE m.effect = 'wins'
)"""

# ``present`` are the decisions whose winner is in the live set, whatever was decided about the winner since; without it
# the losers are no longer skipped: they come back flagged, and stay out of the figures (reason winner_ended) until
# somebody decides.
VERDICTS = """
standings AS (
    SELECT s.customer_id AS stripe_id, CASE WHEN bool_or(s.live) THEN 'live' ELSE 'ended' END AS standing
    FROM integrations_stripesubscription s
    WHERE s.connection_id = %(connection)s AND {scope} AND {subscriber}
    GROUP BY s.customer_id
), present AS (
    SELECT w.decision_id FROM winners w JOIN standings st ON st.stripe_id = w.stripe_id WHERE st.standing = 'live'
), candidates AS (
    SELECT sc.id, sc.stripe_id, sc.deleted, sc.personal, sc.email_domain, sc.email_address,
           coalesce(st.standing, '') AS standing, d.pinned_id, coalesce(d.reachable, FALSE) AS reachable,
           coalesce(d.effect, '') AS effect, coalesce(d.has_pin, FALSE) AS has_pin,
           coalesce(d.effect = 'loses' AND st.standing = 'live' AND p.decision_id IS NULL, FALSE) AS held,
           coalesce(by_address.customer_id, by_domain.customer_id) AS joined_id
    FROM integrations_stripecustomer sc
    LEFT JOIN standings st ON st.stripe_id = sc.stripe_id
    LEFT JOIN decided d ON d.stripe_id = sc.stripe_id
    LEFT JOIN present p ON p.decision_id = d.decision_id
    LEFT JOIN owners by_address ON sc.personal AND by_address.domain = sc.email_address
    LEFT JOIN owners by_domain ON by_domain.domain = sc.email_domain
    WHERE sc.connection_id = %(connection)s AND {candidate}
), pins AS (
    SELECT *, has_pin AND (held OR effect IN ('pinned', 'wins', 'acknowledged')) AS pinned FROM candidates
), reasons AS (
    SELECT *, CASE
        WHEN standing = '' THEN ''
        WHEN pinned AND NOT reachable THEN 'pin_suspended'
        WHEN pinned THEN CASE WHEN held THEN 'winner_ended' ELSE 'pinned' END
        WHEN effect IN ('ignored', 'loses') AND NOT held THEN 'ignored'
        WHEN deleted THEN 'deleted'
        WHEN email_domain = '' THEN 'no_email'
        WHEN personal AND NOT %(match_personal_emails)s THEN 'personal_email'
        WHEN joined_id IS NULL THEN CASE WHEN personal THEN 'personal_no_customer' ELSE 'no_customer' END
        WHEN held THEN 'winner_ended'
        ELSE 'domain'
    END AS match_reason
    FROM pins
), states AS (
    SELECT *, CASE
        WHEN match_reason = '' THEN ''
        WHEN match_reason IN ('domain', 'pinned', 'winner_ended') THEN 'matched'
        WHEN match_reason IN ('no_customer', 'personal_no_customer', 'pin_suspended') THEN 'unmatched'
        ELSE 'skipped'
    END AS match_state
    FROM reasons
), verdicts AS (
    SELECT id, stripe_id, standing, match_state, match_reason, email_domain, email_address, personal,
           effect = 'wins' AS winner,
           CASE WHEN match_state = 'matched' THEN CASE WHEN pinned THEN pinned_id ELSE joined_id END END AS customer_id
    FROM states
)"""

APPLY = """
, changed AS (
    SELECT v.*, sc.customer_id AS old_customer_id
    FROM verdicts v JOIN integrations_stripecustomer sc ON sc.id = v.id
    WHERE (sc.standing, sc.match_state, sc.match_reason, sc.customer_id, sc.winner)
          IS DISTINCT FROM (v.standing, v.match_state, v.match_reason, v.customer_id, v.winner)
)
UPDATE integrations_stripecustomer AS sc
SET standing = changed.standing, match_state = changed.match_state, match_reason = changed.match_reason,
    customer_id = changed.customer_id, winner = changed.winner
FROM changed WHERE sc.id = changed.id
"""
APPLIED = "RETURNING changed.old_customer_id, changed.customer_id"

PLACED = """
placed AS (
    SELECT sc.id, sc.stripe_id, sc.standing, sc.match_state, sc.match_reason, sc.customer_id, sc.email_domain,
           sc.email_address, sc.personal
    FROM integrations_stripecustomer sc
    WHERE sc.connection_id = %(connection)s AND {candidate}
)"""

# shared_domain: two or more Stripe customers of the live set on one Pivotal customer. several_customers: one domain on
# two or more Pivotal customers, whoever got it. A decision in force clears the flag for the set it was taken on and for
# every smaller one, so a newcomer raises it again; a group whose members are all pinned is not flagged.
FLAGS = """
groups AS (
    SELECT customer_id, array_agg(stripe_id::text) AS stripe_ids
    FROM placed WHERE standing = 'live' AND match_state = 'matched'
    GROUP BY customer_id HAVING count(*) > 1 AND NOT bool_and(match_reason = 'pinned')
), merged AS (
    SELECT g.customer_id FROM groups g
    WHERE NOT EXISTS (
        SELECT 1 FROM in_force d
        WHERE d.kind IN ('keep_merged', 'winner', 'split') AND g.stripe_ids <@ d.stripe_ids
    )
), joined AS (
    SELECT p.id, p.stripe_id, coalesce(by_address.domain, by_domain.domain) AS domain,
           coalesce(by_address.customer_ids, by_domain.customer_ids) AS customer_ids
    FROM placed p
    LEFT JOIN owners by_address ON p.personal AND by_address.domain = p.email_address
    LEFT JOIN owners by_domain ON by_domain.domain = p.email_domain
    WHERE p.standing = 'live' AND p.match_reason = 'domain'
), claimed AS (
    SELECT domain, customer_ids, array_agg(stripe_id::text) AS stripe_ids
    FROM joined WHERE cardinality(customer_ids) > 1 GROUP BY domain, customer_ids
), contested AS (
    SELECT j.id FROM joined j JOIN claimed c ON c.domain = j.domain
    WHERE NOT EXISTS (
        SELECT 1 FROM in_force d
        WHERE d.kind = 'keep_merged' AND c.stripe_ids <@ d.stripe_ids AND c.customer_ids <@ d.customer_ids
    )
), flagged AS (
    SELECT p.id, p.customer_id, CASE
        WHEN p.standing <> 'live' OR p.match_state <> 'matched' THEN ''
        WHEN p.match_reason = 'winner_ended' THEN 'winner_ended'
        WHEN contested.id IS NOT NULL THEN 'several_customers'
        WHEN merged.customer_id IS NOT NULL THEN 'shared_domain'
        ELSE ''
    END AS kind
    FROM placed p LEFT JOIN contested ON contested.id = p.id LEFT JOIN merged ON merged.customer_id = p.customer_id
)"""

APPLY_FLAGS = """
UPDATE integrations_stripecustomer AS sc
SET ambiguous_kind = flagged.kind,
    ambiguous_since = CASE WHEN flagged.kind = '' THEN NULL
                           WHEN sc.ambiguous_kind = '' THEN clock_timestamp() ELSE sc.ambiguous_since END
FROM flagged WHERE sc.id = flagged.id AND sc.ambiguous_kind <> flagged.kind
"""
FLAGGED = "RETURNING flagged.customer_id"

# A decision moves what it names; a winner that comes or goes moves its losers. A pin to a customer that was deleted has
# lost its target by the time anybody hears of it.
CONCERNED = """
WITH named AS (
    SELECT m.stripe_customer_id AS stripe_id, m.decision_id, m.effect, m.customer_id
    FROM integrations_matchdecisionmember m JOIN integrations_matchdecision d ON d.id = m.decision_id
    WHERE d.connection_id = %(connection)s
), asked AS (
    SELECT sc.id, sc.stripe_id FROM integrations_stripecustomer sc
    WHERE sc.connection_id = %(connection)s AND sc.stripe_id = ANY(%(stripe_ids)s)
    UNION
    SELECT sc.id, sc.stripe_id FROM integrations_stripecustomer sc
    WHERE sc.connection_id = %(connection)s AND sc.email_domain = ANY(%(domains)s)
    UNION
    SELECT sc.id, sc.stripe_id FROM integrations_stripecustomer sc
    WHERE sc.connection_id = %(connection)s AND sc.email_domain = ANY(%(address_domains)s)
      AND sc.email_address = ANY(%(domains)s)
    UNION
    SELECT sc.id, sc.stripe_id FROM integrations_stripecustomer sc
    WHERE sc.connection_id = %(connection)s AND sc.customer_id = ANY(%(customer_ids)s::bigint[])
    UNION
    SELECT sc.id, sc.stripe_id FROM integrations_stripecustomer sc JOIN named n ON n.stripe_id = sc.stripe_id
    WHERE sc.connection_id = %(connection)s
      AND (n.customer_id = ANY(%(customer_ids)s::bigint[]) OR (n.effect = 'pinned' AND n.customer_id IS NULL))
)
SELECT id FROM asked
UNION
SELECT sc.id FROM asked
JOIN named won ON won.stripe_id = asked.stripe_id AND won.effect = 'wins'
JOIN named lost ON lost.decision_id = won.decision_id AND lost.effect = 'loses'
JOIN integrations_stripecustomer sc ON sc.connection_id = %(connection)s AND sc.stripe_id = lost.stripe_id
"""

GROUPS_OF = """
SELECT sc.id FROM integrations_stripecustomer sc
WHERE sc.connection_id = %(connection)s AND sc.customer_id = ANY(%(touched)s::bigint[] || ARRAY(
    SELECT DISTINCT m.customer_id FROM integrations_stripecustomer m
    WHERE m.id = ANY(%(ids)s::bigint[]) AND m.customer_id IS NOT NULL
))
UNION SELECT unnest(%(ids)s::bigint[])
"""
