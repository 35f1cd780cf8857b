"""What the role behind the wall may do with each table: made from the models, and brought up to date by ``migrate``.

A row belongs to the brand in its own ``brand``; else to that of the row to which its first key leads that is never
empty and leads to a brand at all: a posting to its customer's, a rule to its rule set's. So a new model has its policy
without being named here.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.apps import apps
from django.db import ProgrammingError, connection, transaction
from django.db.models import ForeignKey, Model

from .models import Brand, NeverChanged, User
from .walls import ROLE, SETTING

OF_BRANDS = "of_brands"
OF_EVERYBODY = "of_everybody"
ALL = ("SELECT", "INSERT", "UPDATE", "DELETE")

TO_RUN = f"""\
Brands are kept apart by a role of PostgreSQL that owns no table, and {{user}} may not make it.
Let somebody who may make roles run, once:

    CREATE ROLE {ROLE} NOLOGIN;
    GRANT {ROLE} TO {{user}};
"""


class WallError(Exception):
    """The wall cannot be built; says what to do."""


@dataclass(frozen=True, slots=True)
class Table:
    """What the role may do with a table.

    ``seen`` is the condition for a row to exist at all, ``written`` for one that is added or changed; both are empty
    where a table has nothing of any brand. Of those that the role may not update, ``columns`` may be emptied.
    """

    name: str
    privileges: tuple[str, ...] = ALL
    columns: tuple[str, ...] = ()
    seen: str = ""
    written: str = ""
    is_public: bool = False

    @property
    def policies(self) -> dict[str, str]:
        """The policies by name, as they are written."""
        if not self.seen:
            return {}
        own = f"FOR ALL TO {ROLE} USING ({self.seen}) WITH CHECK ({self.written})"
        public = {OF_EVERYBODY: f"FOR SELECT TO {ROLE} USING (true)"} if self.is_public else {}
        return {OF_BRANDS: own, **public}

    @property
    def statements(self) -> list[str]:
        """What makes it so, whatever it was before."""
        granted = [*self.privileges, *(f"UPDATE ({column})" for column in self.columns)]
        made = [f"REVOKE ALL ON {self.name} FROM {ROLE}"]
        made += [f"GRANT {', '.join(granted)} ON {self.name} TO {ROLE}"]
        for name in (OF_BRANDS, OF_EVERYBODY):
            made.append(f"DROP POLICY IF EXISTS {name} ON {self.name}")
        for name, policy in self.policies.items():
            made.append(f"CREATE POLICY {name} ON {self.name} {policy}")
            # By which it is told, later, whether it is still as it should be.
            told = policy.replace("'", "''")
            made.append(f"COMMENT ON POLICY {name} ON {self.name} IS '{told}'")
        switch = "ENABLE" if self.policies else "DISABLE"
        return [*made, f"ALTER TABLE {self.name} {switch} ROW LEVEL SECURITY"]


def tables() -> list[Table]:
    """The table of every model, and what the role may do with it."""
    found = [_table_of(model) for model in apps.get_models(include_auto_created=True)]
    return [*found, Table("django_migrations", ("SELECT",))]


@lru_cache
def way_to_brand(model: type[Model]) -> "ForeignKey[Any, Any] | None":
    """The key by which a row leads to its brand; None where it leads to none."""
    keys = _keys_of(model)
    own = [key for key in keys if key.related_model is Brand]
    others = [key for key in keys if not key.null and way_to_brand(_model_of(key)) is not None]
    return next(iter(own or others), None)


def _keys_of(model: type[Model]) -> "list[ForeignKey[Any, Any]]":
    return [
        field
        for field in model._meta.local_concrete_fields
        if isinstance(field, ForeignKey) and field.related_model not in (model, User)
    ]


def _model_of(key: "ForeignKey[Any, Any]") -> type[Model]:
    assert isinstance(key.related_model, type)
    return key.related_model


def _table_of(model: type[Model]) -> Table:
    triggers = {trigger.name: trigger for trigger in getattr(model._meta, "triggers", [])}
    changed = triggers.get("never_changed")
    refused = {"UPDATE"} if changed else set()
    refused |= {"DELETE"} if "never_deleted" in triggers else set()
    privileges = tuple(name for name in ALL if name not in refused)
    columns = changed.forgettable if isinstance(changed, NeverChanged) else ()
    name = model._meta.db_table
    if model is Brand:
        # Each brand has a page for everyone; the names and looks of all are known.
        own = f"id = {OF_SETTING}"
        return Table(name, privileges, columns, own, own, is_public=True)
    way = way_to_brand(model)
    if way is None:
        return Table(name, privileges, columns)
    seen = _leads_home(model, way)
    # What is written leads to nothing of another brand by any of its other keys either.
    written = [seen]
    for key in _keys_of(model):
        if key is not way and way_to_brand(_model_of(key)) is not None:
            leads = _leads_home(model, key)
            written.append(f"({key.column} IS NULL OR {leads})" if key.null else leads)
    return Table(name, privileges, columns, seen, " AND ".join(written))


# Read once per statement and not for each row. What was never set, or was set and rolled back, is no brand.
OF_SETTING = f"ANY ((SELECT nullif(current_setting('{SETTING}', true), '')::bigint[])::bigint[])"


def _leads_home(model: type[Model], key: "ForeignKey[Any, Any]") -> str:
    other = _model_of(key)
    if other is Brand:
        return f"{key.column} = {OF_SETTING}"
    # The other table has its own policy: what the key leads to exists, or does not.
    return (
        f"EXISTS (SELECT FROM {other._meta.db_table} AS held"
        f" WHERE held.{key.target_field.column} = {model._meta.db_table}.{key.column})"
    )


# --- in the database


def build() -> None:
    """Make the role, its privileges and its policies as they should be; may run twice, and at the same time.

    Raises WallError where somebody else has to make the role.
    """
    _make_role()
    with transaction.atomic(), connection.cursor() as cursor:
        for table in gaps():
            cursor.execute("; ".join(table.statements))


def gaps() -> list[Table]:
    """The tables that are not as they should be; all, where there is no such role."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s AND NOT rolsuper", [ROLE])
        if not cursor.fetchone():
            return tables()
        cursor.execute(_AS_THEY_ARE, {"role": ROLE, "privileges": [*ALL, "TRUNCATE"]})
        held = {name: (*found,) for name, *found in cursor.fetchall()}
    return [table for table in tables() if held.get(table.name, _wanted(table)) != _wanted(table)]


def _wanted(table: Table) -> tuple[Any, ...]:
    columns = () if "UPDATE" in table.privileges else table.columns
    return bool(table.policies), table.policies, list(table.privileges), sorted(columns)


# Grain: a table. The catalogue alone: it waits for nobody.
_AS_THEY_ARE = """
SELECT held.relname, held.relrowsecurity,
       (SELECT coalesce(json_object_agg(polname, obj_description(policy.oid, 'pg_policy')), '{}'::json)
        FROM pg_policy AS policy WHERE policy.polrelid = held.oid),
       ARRAY(SELECT asked FROM unnest(%(privileges)s::text[]) AS asked
             WHERE has_table_privilege(%(role)s, held.oid, asked)),
       ARRAY(SELECT attname::text FROM pg_attribute AS part
             WHERE part.attrelid = held.oid AND part.attnum > 0 AND NOT part.attisdropped
                 AND NOT has_table_privilege(%(role)s, held.oid, 'UPDATE')
                 AND has_column_privilege(%(role)s, held.oid, part.attnum, 'UPDATE')
             ORDER BY attname)
FROM pg_class AS held
WHERE held.relnamespace = current_schema()::regnamespace AND held.relkind = 'r'
"""


def _make_role() -> None:
    """Make the role, which all databases of a server share, and let the owner of the tables act as it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT quote_ident(current_user), EXISTS (SELECT FROM pg_roles WHERE rolname = %s)",
            [ROLE],
        )
        user, exists = cursor.fetchone()
        try:
            if not exists:
                # Somebody else may be making it at the same moment.
                cursor.execute(
                    f"DO $$ BEGIN CREATE ROLE {ROLE} NOLOGIN;"
                    " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
                )
            cursor.execute("SELECT pg_has_role(%s, 'SET')", [ROLE])
            if not cursor.fetchone()[0]:
                cursor.execute(f"GRANT {ROLE} TO {user}")
        except ProgrammingError as error:
            raise WallError(TO_RUN.format(user=user)) from error
