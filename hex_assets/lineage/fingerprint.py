"""Identity of statements: the exact one, and one that ignores literals, comments and blanks."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256

from sqlglot.dialects.dialect import Dialect


def statement_id(sql: str, dialect: str, catalog: str | None, schema: str | None) -> str:
    """Identity of a text without Hex's comment in its dialect and namespace: 32 hex digits."""
    return _digest(sql.strip().rstrip("; \t\r\n"), dialect, catalog, schema)


def fingerprint(sql: str, dialect: str, catalog: str | None, schema: str | None) -> str:
    """Identity of a statement's lineage: two texts with one fingerprint have one lineage."""
    return fingerprint_of(normalise(sql, dialect), dialect, catalog, schema)


def fingerprint_of(normalised: str, dialect: str, catalog: str | None, schema: str | None) -> str:
    """The fingerprint of a text that is normalised already."""
    return _digest(normalised, dialect, catalog, schema)


def _digest(text: str, dialect: str, catalog: str | None, schema: str | None) -> str:
    catalog, schema = "\x00" if catalog is None else catalog, "\x00" if schema is None else schema
    joined = f"{text}\x1f{dialect}\x1f{catalog}\x1f{schema}"
    return sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()[:32]


# A literal may carry lineage: it names a table, a file or a column, or is SQL itself. A text with
# one of these words, and one whose literals this module cannot delimit, keeps all of its literals.
_WORDS = re.compile(r"[a-z_]\w*")
_MATTER = frozenset("pivot unpivot _table_suffix regclass match_recognize exec execute".split())
_MATTER_IN_CALLS = frozenset(
    """identifier columns table remote remotesecure merge cluster clusterallreplicas loop s3
    s3cluster gcs cosn oss azureblobstorage hdfs hdfscluster file filecluster url urlcluster input
    postgresql mysql mongodb redis sqlite jdbc odbc iceberg icebergs3 iceberglocal deltalake
    deltalakes3 deltalakecluster hudi dictionary joinget joingetornull query query_table
    external_query openquery openrowset opendatasource containstable freetexttable dblink crosstab
    json_table openjson xmltable read_csv read_csv_auto sniff_csv read_parquet parquet_metadata
    parquet_schema read_json read_json_auto read_json_objects read_ndjson read_ndjson_auto
    read_ndjson_objects read_text read_blob read_xlsx read_avro st_read read_files cloud_files
    table_changes stream infer_schema ts_stat generate_series parquet_scan csv_scan sqlite_scan
    postgres_scan mysql_scan delta_scan iceberg_scan""".split()
)
"""Functions of which a literal names what is read; as names of columns, such as `url`, they do not
matter."""
_MATTER_IN_SCRIPTS = frozenset("unload copy call use export declare".split())
"""First words of a later statement; of the first one none of them begins a text that is changed."""
_LITERALS_MATTER = _MATTER | _MATTER_IN_CALLS | _MATTER_IN_SCRIPTS
_CALLED = re.compile(r"(\w+)[\"`\]]?\s*\(")
_QUERY = re.compile(r"[\s(]*(?:select|with)\b", re.IGNORECASE)
# Each begins with a set of characters, so that the search jumps from one of them to the next.
_TABLE_FUNCTION = re.compile(r"[fja](?<!\w.)(?:(?<=f)rom|(?<=j)oin|(?<=a)pply)\s+[\w.]+\s*\(")
# In a text without comments: a pattern that picks columns of a star, and pipe operators whose
# expressions name outputs.
_PICKING = re.compile(
    r"\*\s*(?:(?:not\s+)?i?like\b|similar\b|glob\b|except\s*\(?\s*['\"?])"
    r"|\|>(?!\s*(?:where|order|limit|join)\b)"
)
_DISTINCT = re.compile(
    r"\bdistinct(?:\s|(?:--|#)[^\n]*\n|/\*[^*]*\*+(?:[^*/][^*]*\*+)*/)*\Z", re.IGNORECASE
)
_NO_CALL = re.compile(r"(?<!\w)(?:from|join)\Z|[^\w\"`\]]\Z|\A\Z", re.IGNORECASE)
_NEAR = 300
"""How far back a word is looked for."""
_UNDELIMITED = re.compile(r"\$\w*\$|\{\{|\{%|/\*[!+]|/\*[^*]*/\*|@")
_RAW_STRING = re.compile(r"['\"](?:(?<=\b[rReE].)|(?<=\b[rR][bB].)|(?<=\b[bB][rR].))")
_BEGINS = re.compile(r"[\s(]*(?:select|with|insert|create|merge|update|delete)\b", re.IGNORECASE)


def normalise(sql: str, dialect: str) -> str:
    """A text with `?` for literals that cannot matter, a blank for comments and breaks.

    Ordinals (`GROUP BY 1`), subscripts, JSON paths, aliases in quotes and arguments of table
    functions stay as they are: only a literal behind an operator, behind a word such as LIKE, in
    an IN list, or (strings) an argument is replaced.
    """
    return Normaliser(dialect).normalise(sql)


_MOST_SHAPES = 20_000
"""Above this many a log repeats itself too little for remembering to pay for its memory."""


Shape = tuple[str, tuple[str, ...]]
"""A normalised text with a mark for each literal that matters, and those literals."""


class Normaliser:
    """`normalise` for many texts: its rules are applied once for each shape.

    A shape is a text without what stands in its literals. Which literals matter follows from the
    shape alone, so a further text of a known shape costs one split and one look-up.
    """

    def __init__(self, dialect: str) -> None:
        self._rules = _rules(dialect)
        self._known: dict[str, tuple[str, tuple[int, ...]]] = {}

    def normalise(self, sql: str) -> str:
        """As the function of this name."""
        return self.text_of(self.shape(sql))

    def text_of(self, shape: Shape) -> str:
        """The normalised text of a shape."""
        template, kept = shape
        if not kept:
            return template
        pieces = template.split(_MARK)
        return pieces[0] + "".join(
            atom + piece for atom, piece in zip(kept, pieces[1:], strict=True)
        )

    def shape(self, sql: str) -> Shape:
        """What all texts with one fingerprint share."""
        sql = sql.strip().rstrip("; \t\r\n")
        if any(mark in sql for mark in _AWKWARD) or ("/*" in sql and _NESTED.search(sql)):
            return _normalised(sql, self._rules), ()
        parts = self._rules.atoms.split(sql)
        atoms = parts[1::2]
        parts[1::2] = [_KINDS.get(atom[0], atom) for atom in atoms]
        key = "".join(parts)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MOST_SHAPES:
                self._known.clear()
            known = self._known[key] = _template(parts, self._rules)
        template, kept = known
        return template, tuple([atoms[number] for number in kept]) if kept else ()


_MARK, _STRING, _NUMBER = "\x00", "\x01", "\x02"
# A double quote stands for a string in some dialects only; its atoms are kept in the shape.
_KINDS = {"'": _STRING} | dict.fromkeys("0123456789", _NUMBER)
# Escapes, long quotes, nested comments and our own marks: the rules read such a text whole.
_AWKWARD = ("\\", "'''", '"""', _MARK, _STRING, _NUMBER, "\ue000")
_NESTED = re.compile(r"/\*[^*]*/\*")
_PROBE = re.compile("'\ue000(\\d{5})'|7(\\d{5})70707")


def _template(parts: list[str], rules: _Rules) -> tuple[str, tuple[int, ...]]:
    """What the rules make of a shape, tried with literals that can be found again."""
    everything = tuple(n for n, kind in enumerate(parts[1::2]) if kind in (_STRING, _NUMBER))
    verbatim = "".join(_MARK if part in (_STRING, _NUMBER) else part for part in parts)
    outside = "".join(parts[::2])
    if "'" in outside or '"' in outside or "`" in outside or "/*" in outside:
        return verbatim, everything  # something is left open
    if len(everything) > 99_999 or _PROBE.search(verbatim):
        return verbatim, everything
    probe = list(parts)
    for number in everything:
        is_string = parts[2 * number + 1] == _STRING
        probe[2 * number + 1] = f"'\ue000{number:05d}'" if is_string else f"7{number:05d}70707"
    kept: list[int] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(int(match[1] or match[2]))
        return _MARK

    template = _PROBE.sub(keep, _normalised("".join(probe), rules))
    return template, tuple(kept)


def _normalised(sql: str, rules: _Rules) -> str:
    lower = sql.lower()
    if (
        not _BEGINS.match(sql)
        or _has_telling_word(lower)
        or _TABLE_FUNCTION.search(lower)
        or _UNDELIMITED.search(sql)
        or _RAW_STRING.search(sql)
    ):
        return sql
    if not rules.backslash and "\\" in sql:
        return sql
    if rules.has_long_quotes and ("'''" in sql or '"""' in sql):  # one may be left open
        return sql
    replaced = rules.pattern.sub(_Replacer(), sql)
    return sql if _PICKING.search(replaced.lower()) else replaced


def _has_telling_word(lower: str) -> bool:
    """Whether one of the words by which literals may carry lineage stands where it does so."""
    found = _LITERALS_MATTER.intersection(_WORDS.findall(lower))
    if not found:
        return False
    if not found.isdisjoint(_MATTER) or (not found.isdisjoint(_MATTER_IN_SCRIPTS) and ";" in lower):
        return True
    if "table" in found and not _QUERY.match(lower):  # its options may name files
        return True
    if "--" in lower or "/*" in lower or "#" in lower:  # it may part a function from its bracket
        return not _MATTER_IN_CALLS.isdisjoint(found)
    return not _MATTER_IN_CALLS.isdisjoint(_CALLED.findall(lower))


class _Replacer:
    """Replaces literals outside of select lists, where text names the outputs."""

    def __init__(self) -> None:
        self._in_list = [False]
        self._opened = [0]
        """Where each open bracket stands."""

    def __call__(self, match: re.Match[str]) -> str:
        kind, found = match.lastgroup, match[0]
        if kind == "keep":
            return found
        if kind == "blank" or kind == "comment":
            return " "
        if kind == "mark" or kind == "bracket":
            self._mark(found.lower(), match)
            return found
        kept = any(self._in_list)
        if kind == "list":
            return found if kept else "IN (?)"
        if kind == "argument":
            if found[0] == "(":
                self._mark("(", match)
            kept = kept or self._may_be_file(match.string)
        return found if kept else f"{found[0]}{match[kind or 0]}?"

    def _mark(self, word: str, match: re.Match[str]) -> None:
        if word == "(":
            self._in_list.append(False)
            self._opened.append(match.start())
        elif word == ")":
            if len(self._in_list) > 1:
                self._in_list.pop()
                self._opened.pop()
        elif word == "select":
            self._in_list[-1] = True
        else:
            before = match.string[max(0, match.start() - _NEAR) : match.start()]
            self._in_list[-1] = self._in_list[-1] and _DISTINCT.search(before) is not None

    def _may_be_file(self, text: str) -> bool:
        """Whether a string between commas is no argument: one of FROM's may be a file."""
        opened = self._opened[-1]
        return _NO_CALL.search(text[max(0, opened - 20) : opened].rstrip()) is not None


class _Rules:
    def __init__(self, dialect: str) -> None:
        tokenizer = Dialect.get_or_raise(dialect).tokenizer_class
        escapes = tokenizer.STRING_ESCAPES
        self.backslash = "\\" in escapes
        quotes = [quote for quote in tokenizer.QUOTES if isinstance(quote, str)]
        long = [q for q in quotes if len(q) > 1]
        self.has_long_quotes = bool(long)
        body = r"\\.|" if self.backslash else ""
        strings = [rf"{q}(?:{body}(?!{q}).)*{q}" for q in long]
        backslash = r"\\" if self.backslash else ""
        short = [q for q in quotes if len(q) == 1]
        twice = {q: q + q if q in escapes else "(?!)" for q in short}
        strings += [rf"{q}(?:[^{q}{backslash}]|{body}{twice[q]})*{q}" for q in short]
        names = []
        for pair in tokenizer.IDENTIFIERS:
            left, right = pair if isinstance(pair, tuple) else (pair, pair)
            end = re.escape(right)
            names.append(rf"{re.escape(left)}(?:[^{end}]|{end}{end})*{end}")
        comments = [
            rf"{re.escape(mark)}[^\r\n]*"
            if isinstance(mark, str)
            else rf"{re.escape(mark[0])}.*?{re.escape(mark[1])}"
            for mark in tokenizer.COMMENTS
        ]
        # The first character is matched alone, so that the search jumps from one to the next.
        first = "0-9" + re.escape("".join(short))
        atoms = [
            r"(?<![\w.$@:?][0-9])(?<=[0-9])\d*(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])",
            *(rf"(?<={q})[^{q}]*(?:{twice[q]}[^{q}]*)*{q}" for q in short),
        ]
        for name, mark in zip(names, tokenizer.IDENTIFIERS, strict=True):
            left = re.escape(mark[0])
            first += left
            atoms.append(rf"(?<={left}){name[len(left) :]}")
        for comment in comments:
            first += comment[: 2 if comment[0] == "\\" else 1]
            atoms.append(_after_first(comment))
        self.atoms = re.compile(rf"([{first}](?:{'|'.join(atoms)}))", re.DOTALL)
        self.pattern = re.compile(_pattern(strings, names, comments), re.DOTALL)


def _pattern(strings: list[str], names: list[str], comments: list[str]) -> str:
    """What `_Replacer` is called for.

    The first character is matched alone, by a set, so that the search jumps from one to the next;
    its kind (a letter, white space, a sign) leads to the branches that look back at it.
    """
    string = "|".join(strings)
    number = r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])"
    literal = rf"(?:{string}|-?{number})"
    blank = rf"(?:{'|'.join(comments)}|[ \t]*[\r\n]\s*|[ \t]{{2,}})*"
    words = "like ilike rlike and or when then between limit offset".split()
    word = "|".join(map(_rest_of_word, words))
    in_, select, from_ = map(_rest_of_word, ("in", "select", "from"))
    # `->` and `#>` are JSON paths, `=>` names an argument.
    operator = r"(?:(?<![-\#=>].)(?<=[=<>])=?|(?<=<)>|(?<=!)=|(?<=\|)\||(?<=[-+*/%]))\s*"
    letter = (
        rf"(?<!\w.)(?:(?P<list>{in_}\s*\(\s*{literal}(?:\s*,\s*{literal})*\s*\))"
        rf"|(?P<after_word>(?:{word})\s+){literal}(?!\s*(?:{string}))"
        rf"|(?P<mark>{select}\b|(?<!{_any_case('distinct')}\s.){from_}\b))"
    )
    space = rf"(?P<blank>(?:(?<=[\r\n])\s*|(?<=[ \t])(?:[ \t]*[\r\n]\s*|[ \t]+)){blank})"
    sign = (
        rf"(?P<comment>(?:{'|'.join(map(_after_first, comments))}){blank})"
        rf"|(?P<operator>{operator}){literal}(?!\s*(?:{string}))"
        rf"|(?P<argument>(?<=[(,])\s*)(?:{string})(?=\s*[,)])"
        rf"|(?P<bracket>(?<=[()]))"
        rf"|(?P<keep>{'|'.join(map(_after_first, (*strings, *names)))})"
    )
    opens = {part.lstrip("\\")[0] for part in (*strings, *names, *comments)}
    first = rf"[\s=<>!|+*/%(),\-ilraowtbsfILRAOWTBSF{re.escape(''.join(sorted(opens)))}]"
    return rf"{first}(?:(?<=\w){letter}|(?<=\s){space}|(?<![\w\s])(?:{sign}))"


def _after_first(pattern: str) -> str:
    """A pattern that begins with one character or one set, for where that is matched already."""
    size = pattern.index("]") + 1 if pattern[0] == "[" else 2 if pattern[0] == "\\" else 1
    return f"(?<={pattern[:size]}){pattern[size:]}"


def _rest_of_word(word: str) -> str:
    """A word of which the first letter is matched already.

    `re` rejects a branch by the set that it begins with, not by what it looks back at.
    """
    first, second, rest = (_any_case(part) for part in (word[0], word[1], word[2:]))
    return f"{second}(?<={first}.){rest}"


def _any_case(word: str) -> str:
    """A pattern of a word; `re` rejects a branch by its first set, with IGNORECASE it cannot."""
    return "".join(f"[{letter}{letter.upper()}]" for letter in word)


@lru_cache(maxsize=64)
def _rules(dialect: str) -> _Rules:
    return _Rules(dialect)
