"""Words within SQL/XML functions and predicates that sqlglot's grammar lacks in PostgreSQL."""

from __future__ import annotations

from sqlglot.tokenizer_core import TokenType

from hex_assets.lineage.engine.clauses.rewriting import Tokens, opens
from hex_assets.lineage.engine.words import closing, word_at

_WITH_KIND = frozenset({"XMLPARSE", "XMLSERIALIZE"})
_ENDS = {"XMLSERIALIZE": frozenset({"AS"}), "XMLROOT": frozenset({"VERSION", "STANDALONE"})}
"""Words of which the first begins what a function says of its result's form."""


def xml_words(tokens: Tokens, position: int, files: list[str]) -> int:
    """All but the values of XMLPARSE(DOCUMENT x), XMLSERIALIZE(CONTENT x AS text), XMLPI(NAME n).

    XMLROOT(x, VERSION '1.0', STANDALONE YES) and `x IS DOCUMENT` are further ones.
    """
    word = word_at(tokens, position)
    function = word_at(tokens, position - 2) if word_at(tokens, position - 1) == "(" else ""
    if word in ("DOCUMENT", "CONTENT") and function in _WITH_KIND:
        return position + 1
    if word == "NAME" and function == "XMLPI":
        return position + 2 + (word_at(tokens, position + 2) == ",")
    if word == "IS":
        end = position + 1 + (word_at(tokens, position + 1) == "NOT")
        return end + 1 if word_at(tokens, end) == "DOCUMENT" else 0
    start = position + (word == ",")
    if word_at(tokens, start) in ("AS", "VERSION", "STANDALONE"):
        opening = _opening(tokens, position)
        if word_at(tokens, start) in _ENDS.get(word_at(tokens, opening - 1), ()):
            return closing(tokens, opening) - 1
    return 0


def _opening(tokens: Tokens, position: int) -> int:
    """The parenthesis around a position; -1 for none."""
    while position > 0:
        position -= 1
        if tokens[position].token_type == TokenType.R_PAREN:
            depth = 1
            while position > 0 and depth:
                position -= 1
                kind = tokens[position].token_type
                depth += (kind == TokenType.R_PAREN) - (kind == TokenType.L_PAREN)
        elif opens(tokens, position):
            return position
    return -1
