"""The sample workspace keeps its promises: each awkward case that the demo shows is in it.

The demo's figures and many tests are only as good as these cases; an edit that loses one would
make both say less without failing.
"""

import json
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path

import pytest
import sqlglot
from sqlglot.errors import SqlglotError

from hex_assets.demo import workspace
from hex_assets.demo.clickhouse_server import ClickHouseServer, StatementFailed
from hex_assets.demo.workspace_model import Execution, moment_at
from hex_assets.lineage.comment import parse_comment

EXECUTIONS = workspace.executions()


def parses(statement: str) -> bool:
    try:
        return bool(sqlglot.parse(statement, read="clickhouse"))
    except SqlglotError:
        return False


def test_there_are_projects_enough_and_of_every_kind() -> None:
    projects = workspace.PROJECTS
    assert sum(not project.component for project in projects) >= 12
    assert sum(project.component for project in projects) == 2
    assert sum(project.archived is not None for project in projects) == 1
    assert sum(project.trashed is not None for project in projects) == 1
    assert sum(project.published is None for project in projects) == 3
    cadences = {schedule.cadence for project in projects for schedule in project.schedules}
    assert cadences == {"HOURLY", "DAILY", "WEEKLY", "MONTHLY", "CUSTOM"}


def test_ids_are_unique_and_the_same_in_every_run() -> None:
    ids = [project.project_id for project in workspace.PROJECTS]
    for project in workspace.PROJECTS:
        for cell in project.all_cells():
            ids += [project.static_id(cell), project.cell_id(cell)]
    assert len(set(ids)) == len(ids)
    assert workspace.executions() == EXECUTIONS


def test_two_owners_are_not_known_to_the_catalog() -> None:
    known = {person.email.lower() for person in workspace.CATALOG_USERS}
    owners = {project.owner_email for project in workspace.PROJECTS if project.owner_email}
    assert len({owner for owner in owners if owner.lower() not in known}) == 2
    assert any(project.owner_email is None for project in workspace.PROJECTS)
    assert any(owner != owner.lower() for owner in owners)  # e-mails are matched in any case


def test_titles_are_as_awkward_as_people_write_them() -> None:
    titles = " ".join(project.title for project in workspace.PROJECTS)
    for sign in ('"', "{", "&", "/", ":", "—", "⭐"):
        assert sign in titles
    assert max(len(project.title) for project in workspace.PROJECTS) > 256


def test_some_tables_are_not_in_the_catalog() -> None:
    assert 0 < len(workspace.CATALOG_TABLES) < len(workspace.TABLES)


def test_exactly_one_statement_that_runs_does_not_parse() -> None:
    statements = {execution.statement for execution in EXECUTIONS if not execution.fails}
    unparsed = [statement for statement in statements if not parses(statement)]
    assert len(unparsed) == 1
    assert "STALENESS" in unparsed[0]


def test_no_placeholder_reaches_the_warehouse() -> None:
    assert not [each.statement for each in EXECUTIONS if "{{" in each.statement]


def test_every_comment_says_who_ran_what_and_why() -> None:
    for each in EXECUTIONS:
        if not each.by_hex or each.comment == "none":
            continue
        found = parse_comment(each.text)
        assert found is not None
        assert found.project_id == each.project_id
        assert found.user_email == each.user_email
        assert found.context == each.context
        project = workspace.project_by_id(each.project_id)
        assert project is not None
        cells = {project.static_id(c): project.cell_id(c) for c in project.all_cells()}
        expected = cells[each.static_id] if project.selects_version_id else each.static_id
        assert found.cell_id == expected


def test_each_form_of_comment_and_a_foreign_query_occur() -> None:
    assert set(Counter(each.comment for each in EXECUTIONS)) == {"full", "legacy", "none"}
    assert sum(not each.by_hex for each in EXECUTIONS) == 2
    legacy = next(each for each in EXECUTIONS if each.comment == "legacy")
    tag = json.loads(legacy.text.split("Hex query metadata:")[1])
    assert "project_id" not in tag and legacy.project_id in tag["project_url"]


def test_one_text_is_longer_than_the_log_keeps() -> None:
    long = {each.statement for each in EXECUTIONS if len(each.text) > 100_000}
    assert len(long) == 1


def test_every_day_of_the_week_has_executions_and_no_id_comes_twice() -> None:
    days = {each.days_ago for each in EXECUTIONS}
    assert days == set(range(1, workspace.DAYS + 1))
    assert len({each.query_id for each in EXECUTIONS}) == len(EXECUTIONS)


def test_moments_in_days_are_on_the_day_that_they_say() -> None:
    late = datetime(2026, 11, 23, 23, 59, tzinfo=timezone.utc)
    assert moment_at(2, late) == datetime(2026, 11, 21, 9, 30, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> ClickHouseServer:
    pytest.importorskip("chdb")
    return ClickHouseServer(Path(tmp_path_factory.mktemp("clickhouse")))


@pytest.mark.slow
def test_every_execution_does_in_the_real_engine_what_it_says(warehouse: ClickHouseServer) -> None:
    with warehouse as server:
        for database in workspace.DATABASES:
            server.run(f"DROP DATABASE IF EXISTS {database}")
        for statement in workspace.WAREHOUSE_DDL:
            server.run(statement)
        wrong = [each.statement for each in EXECUTIONS if _fails(server, each) != each.fails]
        written = server.run("SELECT count() FROM shop.daily_sales").strip()
    assert wrong == []
    assert int(written) > 0


def _fails(server: ClickHouseServer, execution: Execution) -> bool:
    try:
        server.run(execution.text, database=execution.database, query_id=execution.query_id)
    except StatementFailed:
        return True
    return False
