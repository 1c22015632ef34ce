"""Customers whose names share words with others, by the index of words; how alike they are is for the rules to say.

What a look-up costs does not grow with how often a word occurs: of a word that very many names have, PostgreSQL's own
statistics tell, and it is looked up only beside a rarer one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple

from django.db import connection as database

from integrations.stripe.rules import names

WORDS_A_NAME = 6
NAMES_A_WORD = 40
SHORTEST_WORD, LONGEST_WORD = 3, 100
OFTEN = 0.002
"""A share of all names; a word in more of them than that finds nobody in particular."""

# The expression is the one of the index on the words of names. ORDER BY makes the planner, which does not know the
# words, count with all they find: else it would read the table until the limit is reached.
NAMES = """
WITH often AS MATERIALIZED (
    SELECT e.word
    FROM pg_stats s, unnest(s.most_common_elems::text::text[], s.most_common_elem_freqs) AS e(word, share)
    WHERE s.schemaname = current_schema() AND s.tablename = 'customer_words' AND e.share > %(often)s
), asked AS MATERIALIZED (
    SELECT a.first, a.second,
           a.first || CASE WHEN one.word IS NULL THEN ':*' ELSE '' END
           || CASE WHEN a.second = '' THEN '' WHEN two.word IS NULL THEN ' & ' || a.second || ':*'
                   ELSE ' & ' || a.second END AS words
    FROM unnest(%(first)s::text[], %(second)s::text[]) AS a(first, second)
    LEFT JOIN often one ON one.word = a.first
    LEFT JOIN often two ON two.word = a.second
    WHERE one.word IS NULL OR (a.second <> '' AND two.word IS NULL)
)
SELECT asked.first, asked.second, c.id, c.name, c.domain, c.status
FROM asked CROSS JOIN LATERAL (
    SELECT id, name, domain, status FROM customers_customer
    WHERE to_tsvector('simple'::regconfig, COALESCE(translate(name, './@_-', '     '), '')) @@ asked.words::tsquery
      AND environment = %(environment)s
    ORDER BY id LIMIT %(limit)s
) c
"""

Query = tuple[str, str]
"""One word, or two that stand together; the second is empty then."""


class Candidate(NamedTuple):
    """A customer whose name shares a word."""

    customer_id: int
    name: str
    domain: str
    status: str


def queries_of(name: str) -> list[Query]:
    """What to look up for a name: each pair of longer words that stands together, and each of them alone."""
    words = [word for word in names.words(name) if SHORTEST_WORD <= len(word) <= LONGEST_WORD][:WORDS_A_NAME]
    return [*pairwise(words), *((word, "") for word in words)]


def find(environment: str, queries: Iterable[Query]) -> dict[Query, set[Candidate]]:
    """The customers by what they were found with, some of them where there are very many; one query."""
    asked = sorted(set(queries))
    found: dict[Query, set[Candidate]] = defaultdict(set)
    if not asked:
        return found
    first, second = zip(*asked, strict=True)
    values: dict[str, Any] = {
        "environment": environment,
        "first": list(first),
        "second": list(second),
        "limit": NAMES_A_WORD,
        "often": OFTEN,
    }
    with database.cursor() as cursor:
        cursor.execute(NAMES, values)
        for one, two, *customer in cursor.fetchall():
            found[one, two].add(Candidate(*customer))
    return found
