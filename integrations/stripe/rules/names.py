"""How alike two company names are (docs/rules.md section 2.8: names only ever produce suggestions)."""

from __future__ import annotations

import re
import unicodedata

from rapidfuzz import fuzz

ALIKE = 80
"""From here on, of 100, a name is worth suggesting."""

_LEGAL_FORMS: frozenset[str] = frozenset(
    """
    ab ag aps as asa bv co company corp corporation doo eg ek ev gbr gmbh inc incorporated kg kgaa kk lda limited llc
    llp lp ltd ltda mbh nv ohg oy oyj plc pte pty sa sarl sas se sl spa sprl srl srls sro ug
    """.split()  # noqa: SIM905 (quotes around each would say no more)
)
_APOSTROPHES = str.maketrans("", "", "'\N{RIGHT SINGLE QUOTATION MARK}")
_INITIALS = re.compile(r"\b(?:\w\.){2,}")
_WORD = re.compile(r"[^\W_]+")


def words(name: str) -> list[str]:
    """The words that tell a company from others: lower case, without punctuation or the legal form."""
    text = name.lower().translate(_APOSTROPHES).replace("&", " and ")
    text = _INITIALS.sub(lambda match: match.group().replace(".", "") + " ", text)
    found: list[str] = _WORD.findall(text)
    if len(found) > 1 and found[0] == "the":
        found = found[1:]
    while len(found) > 1 and (found[-1] in _LEGAL_FORMS or found[-1] == "and"):
        found.pop()
    return found


def plain(name: str) -> str:
    """A name as it is compared: those words, without accents."""
    text = unicodedata.normalize("NFKD", " ".join(words(name)).casefold())
    return "".join(character for character in text if not unicodedata.combining(character))


def alike(one: str, other: str) -> int:
    """From 0 to 100, whatever the order of the words and their accents."""
    return score(plain(one), plain(other))


def score(first: str, second: str) -> int:
    """How alike two plain names are; a name inside a longer one counts for more than its length."""
    if not first or not second:
        return 0
    return round((fuzz.token_sort_ratio(first, second) + fuzz.token_set_ratio(first, second)) / 2)
