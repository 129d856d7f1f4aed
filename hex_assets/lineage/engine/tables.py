"""The tables of one text: what it reads, writes and makes, under the names that USE gives."""

from __future__ import annotations

from hex_assets.lineage.engine.defaults import Default
from hex_assets.lineage.engine.dialects import SENSITIVE_TABLES, THREE_LEVELS
from hex_assets.lineage.engine.names import unsessioned
from hex_assets.lineage.model import SchemaProvider

Parts = tuple[str, ...]
_HOME_SCHEMA = {"snowflake": "", "tsql": "", "redshift": "public", "databricks": "default"}
"""The schema of a bare name after USE of a database alone: written `db..t` where that is SQL."""
_SESSION_SCHEMA = "pg_temp"
"""PostgreSQL's and Redshift's name for the schema of a session's temporary tables."""
_SESSION_SCHEMAS = frozenset({_SESSION_SCHEMA, "_session"})
"""BigQuery's too, which `names.unsessioned` takes off."""


def is_of_session(parts: Parts) -> bool:
    """Whether a table's name says that it ends with the session."""
    in_session_schema = len(parts) > 1 and parts[-2].casefold() in _SESSION_SCHEMAS
    return parts[-1].startswith("#") or in_session_schema


class TextTables:
    """Sources and targets so far; a table that the text makes is no source of what follows."""

    def __init__(self, dialect: str, schema: SchemaProvider | None, home: Parts = ()) -> None:
        """Of a new text: its dialect, the catalog and the session's default database and schema."""
        self.dialect = dialect
        self.schema = schema
        self._home = home
        self.default = Default()
        self.sources: dict[Parts, Parts] = {}
        self.targets: dict[Parts, Parts] = {}
        self._made: dict[Parts, Parts] = {}
        """Tables that the text makes: by the name as written and by its full one, the full one."""
        self._temporary: set[Parts] = set()
        self._read_again: set[Parts] = set()

    def is_temporary(self, parts: Parts) -> bool:
        """Whether a table ends with the session: by its name, or the text made it so."""
        return is_of_session(parts) or self.key(parts) in self._temporary

    def key(self, parts: Parts) -> Parts:
        """The name under which a table is one and the same."""
        if self.dialect in SENSITIVE_TABLES:
            return unsessioned(parts)
        return tuple(part.casefold() for part in parts)

    def qualified(self, parts: Parts, default: Default | None = None) -> Parts:
        """The name with what USE has set, now or at an earlier statement."""
        before, is_catalog, others = self.default if default is None else default
        is_bare = len(parts) == 1
        if not before or (is_bare and is_of_session(parts)):
            return parts
        if others:
            return self._searched((*before, *others), parts) if is_bare else parts
        if is_catalog and is_bare and self.dialect in _HOME_SCHEMA:
            return (*before, _HOME_SCHEMA[self.dialect], *parts)
        if is_catalog:
            return (*before, *parts) if len(parts) == 2 else parts
        if is_bare:
            return (*before, *parts)
        if len(parts) == 2 and len(before) == 2 and self.dialect in THREE_LEVELS:
            return (before[0], *parts) if parts[0] else parts
        return parts

    def _searched(self, schemas: tuple[str, ...], parts: Parts) -> Parts:
        """The name in the first schema where the catalog has it; else as it is."""
        if self.schema is not None:
            for schema in schemas:
                if self.schema.columns_of((schema, *parts)) is not None:
                    return (schema, *parts)
        return parts

    def full(self, parts: Parts) -> Parts:
        """The name under which the text made a table; else the name with the defaults of USE."""
        if not self._made:
            return self.qualified(parts)
        if len(parts) == 2 and parts[0].casefold() == _SESSION_SCHEMA:
            parts = parts[1:]
        made = self._made.get(self.key(parts))
        if made is None:
            parts = self.qualified(parts)
            made = self._made.get(self.key(parts)) or self._made.get(self._own_key(parts))
        return made or parts

    def _own_key(self, parts: Parts) -> Parts:
        """The key of a name that is completed by the session's defaults."""
        levels = len(self._home) + 1
        return self.key((*self._home[: levels - len(parts)], *parts))

    def home(self, parts: Parts) -> Parts:
        """The folded full name of a table."""
        return tuple(part.casefold() for part in self.full(parts))

    def read(self, parts: Parts) -> bool:
        """Adds a table that is read, unless the text made it itself; whether it was added."""
        parts = self.full(parts)
        key = self.key(parts)
        if key in self._made:
            self._read_again.add(key)
            return False
        self.sources.setdefault(key, parts)
        return True

    def write(self, parts: Parts) -> None:
        """Adds a table that is written."""
        if self.key(parts) not in self.targets:
            parts = self.full(parts)
            self.targets.setdefault(self.key(parts), parts)

    def make(self, parts: Parts, *, temporary: bool = False, shared: str = "") -> None:
        """Notes that the text makes a table; perhaps one that is also called `shared.table`."""
        full = self.qualified(parts)
        key = self.key(full)
        self._made[self.key(parts)] = self._made[key] = self._made[self._own_key(full)] = full
        if shared:
            self._made[self.key((shared, *parts))] = full
        if temporary or is_of_session(parts):
            self._temporary.add(key)

    def drop(self, parts: Parts) -> bool:
        """Whether the text made a table that it drops: then it was never there for others."""
        key = self.key(self.full(parts))
        if key not in self._made:
            return False
        self.targets.pop(key, None)
        return True

    def rename(self, old: Parts, new: Parts) -> Parts | None:
        """What was written to the full name `old` is in `new`; its full name if the text made it.

        A bare new name stays in the table's schema.
        """
        key = self.key(old)
        before = self.targets.pop(key, None)
        if before is None or not new:
            return None
        if len(new) == 1:
            new = (*before[:-1], *new)
        self.write(new)
        if key not in self._made:
            return None
        self.make(new, temporary=key in self._temporary)
        return new

    def passing(self) -> set[Parts]:
        """The keys of temporary tables that the text reads itself: nothing is left of them."""
        return self._temporary & self._read_again

    def made(self, parts: Parts, default: Default) -> Parts | None:
        """The key of a table that the text made, by its name under a default."""
        full = self._made.get(self.key(parts))
        full = full or self._made.get(self.key(self.qualified(parts, default)))
        return None if full is None else self.key(full)
