"""Every day with new logs is derived and every day with new edges published: none is skipped,
none twice at once, failures again."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timezone

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from hex_assets.assets.names import Names
from hex_assets.automation import (
    MAX_ATTEMPTS,
    daily_schedule,
    derive_job,
    lineage_sensor,
    publish_job,
    publish_sensor,
    range_tags,
    trailing_schedule,
)
from hex_assets.partitions import days as daily
from hex_assets.settings import Settings

NAMES = Names()
DAYS = daily(date(2026, 1, 1))


@dg.asset(key=NAMES.edges, partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
def edges() -> None: ...


@dg.asset(
    key=NAMES.publication,
    deps=[NAMES.edges],
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def publication() -> None: ...


ONE, TWO = NAMES.query_log("one"), NAMES.query_log("two")


@dg.multi_asset(
    specs=[
        dg.AssetSpec(key, partitions_def=DAYS, skippable=True)
        for key in (ONE, TWO, NAMES.catalog_tables)
    ],
    can_subset=True,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def logs(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    for key in context.selected_asset_keys:
        yield dg.MaterializeResult(key)


JOB = publish_job(NAMES)
SENSOR = publish_sensor(NAMES, JOB)
DERIVE = derive_job(NAMES, [NAMES.edges, ONE, TWO, NAMES.catalog_tables])
LINEAGE = lineage_sensor(NAMES, DERIVE, [ONE, TWO], [NAMES.edges])
DEFS = dg.Definitions(
    assets=[edges, publication, logs], jobs=[JOB, DERIVE], sensors=[SENSOR, LINEAGE]
)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def derive(instance: dg.DagsterInstance, first: str, last: str) -> None:
    assert dg.materialize([edges], tags=range_tags(first, last), instance=instance).success


def read_logs(instance: dg.DagsterInstance, first: str, last: str, *keys: dg.AssetKey) -> None:
    tags = range_tags(first, last)
    assert dg.materialize([logs], selection=list(keys), tags=tags, instance=instance).success


def evaluate(
    instance: dg.DagsterInstance, sensor: dg.SensorDefinition = SENSOR
) -> tuple[Sequence[dg.RunRequest], str | None]:
    context = dg.build_sensor_context(instance=instance, definitions=DEFS)
    tick = sensor.evaluate_tick(context)
    return tick.run_requests or [], tick.skip_message


def ranges(requests: Sequence[dg.RunRequest]) -> list[tuple[str, str]]:
    return [tuple(request.tags[tag] for tag in range_tags("", "")) for request in requests]  # type: ignore[misc]


def publish(instance: dg.DagsterInstance, request: dg.RunRequest) -> None:
    job = DEFS.resolve_job_def("publish")
    assert job.execute_in_process(instance=instance, tags=request.tags).success


def test_every_day_of_a_backfill_is_published_in_one_run(instance: dg.DagsterInstance) -> None:
    derive(instance, "2026-01-01", "2026-01-05")
    requests, _ = evaluate(instance)
    assert ranges(requests) == [("2026-01-01", "2026-01-05")]
    publish(instance, requests[0])
    assert evaluate(instance) == ([], "all 5 days with edges are published")


def test_days_apart_are_ranges_of_their_own(instance: dg.DagsterInstance) -> None:
    derive(instance, "2026-01-01", "2026-01-02")
    derive(instance, "2026-01-07", "2026-01-07")
    requests, _ = evaluate(instance)
    assert ranges(requests) == [("2026-01-01", "2026-01-02"), ("2026-01-07", "2026-01-07")]


def test_a_day_derived_again_is_published_again(instance: dg.DagsterInstance) -> None:
    derive(instance, "2026-01-01", "2026-01-03")
    first, _ = evaluate(instance)
    publish(instance, first[0])
    derive(instance, "2026-01-02", "2026-01-02")
    again, _ = evaluate(instance)
    assert ranges(again) == [("2026-01-02", "2026-01-02")]
    assert again[0].run_key != first[0].run_key


def test_a_publication_by_hand_counts(instance: dg.DagsterInstance) -> None:
    derive(instance, "2026-01-01", "2026-01-01")
    assert dg.materialize(
        [edges, publication], selection=[publication], partition_key="2026-01-01", instance=instance
    ).success
    assert evaluate(instance)[0] == []


@pytest.mark.parametrize("status", [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED])
def test_nothing_is_launched_while_a_publication_runs(
    instance: dg.DagsterInstance, status: DagsterRunStatus
) -> None:
    derive(instance, "2026-01-01", "2026-01-01")
    run = create_run_for_test(instance, job_name="publish", status=status)
    requests, message = evaluate(instance)
    assert requests == []
    assert message is not None and run.run_id in message


def test_a_failed_publication_is_launched_again_under_a_new_key_and_not_for_ever(
    instance: dg.DagsterInstance,
) -> None:
    derive(instance, "2026-01-01", "2026-01-02")
    keys = set()
    for _ in range(MAX_ATTEMPTS):
        (request,), _message = evaluate(instance)
        keys.add(request.run_key)
        create_run_for_test(
            instance, job_name="publish", status=DagsterRunStatus.FAILURE, tags=request.tags
        )
    assert len(keys) == MAX_ATTEMPTS
    requests, message = evaluate(instance)
    assert requests == []
    assert message is not None and "openmetadata/publication" in message and "mend" in message


def test_failures_of_old_edges_do_not_block_new_ones(instance: dg.DagsterInstance) -> None:
    derive(instance, "2026-01-01", "2026-01-01")
    for _ in range(MAX_ATTEMPTS):
        (request,), _message = evaluate(instance)
        create_run_for_test(
            instance, job_name="publish", status=DagsterRunStatus.FAILURE, tags=request.tags
        )
    derive(instance, "2026-01-01", "2026-01-01")
    assert len(evaluate(instance)[0]) == 1


def schedule_context(*moment: int) -> dg.ScheduleEvaluationContext:
    at = datetime(*moment, tzinfo=timezone.utc)  # type: ignore[misc, arg-type]
    return dg.build_schedule_context(
        scheduled_execution_time=at, repository_def=DEFS.get_repository_def()
    )


def test_the_lineage_of_a_day_is_derived_though_one_warehouse_is_down_and_again_when_it_is_up(
    instance: dg.DagsterInstance,
) -> None:
    read_logs(instance, "2026-01-01", "2026-01-02", ONE, NAMES.catalog_tables)
    (request,), _ = evaluate(instance, LINEAGE)
    assert ranges([request]) == [("2026-01-01", "2026-01-02")]
    assert request.asset_selection == [NAMES.edges]
    job = DEFS.resolve_job_def("derive_lineage")
    selection = request.asset_selection
    assert job.execute_in_process(
        instance=instance, tags=request.tags, asset_selection=selection
    ).success
    requests, message = evaluate(instance, LINEAGE)
    assert requests == [] and message is not None and "all 2 days" in message
    read_logs(instance, "2026-01-02", "2026-01-02", TWO)
    assert ranges(evaluate(instance, LINEAGE)[0]) == [("2026-01-02", "2026-01-02")]


def test_a_day_whose_run_derived_its_lineage_is_left_alone(instance: dg.DagsterInstance) -> None:
    read_logs(instance, "2026-01-01", "2026-01-01", ONE, TWO, NAMES.catalog_tables)
    derive(instance, "2026-01-01", "2026-01-01")
    assert evaluate(instance, LINEAGE)[0] == []


def test_lineage_waits_for_the_catalog_of_the_day(instance: dg.DagsterInstance) -> None:
    read_logs(instance, "2026-01-01", "2026-01-01", ONE)
    requests, message = evaluate(instance, LINEAGE)
    assert requests == []
    assert message is not None and "catalog/tables" in message and "2026-01-01" in message


@pytest.mark.parametrize("job_name", ["derive_lineage", "__ASSET_JOB"])
def test_lineage_waits_for_a_run_that_reads_logs(
    instance: dg.DagsterInstance, job_name: str
) -> None:
    read_logs(instance, "2026-01-01", "2026-01-01", ONE, NAMES.catalog_tables)
    run = create_run_for_test(
        instance,
        job_name=job_name,
        status=DagsterRunStatus.STARTED,
        asset_selection=frozenset([TWO]) if job_name == "__ASSET_JOB" else None,
    )
    requests, message = evaluate(instance, LINEAGE)
    assert requests == []
    assert message is not None and run.run_id in message


def test_lineage_that_fails_is_not_launched_for_ever(instance: dg.DagsterInstance) -> None:
    read_logs(instance, "2026-01-01", "2026-01-01", ONE, NAMES.catalog_tables)
    for _ in range(MAX_ATTEMPTS):
        (request,), _message = evaluate(instance, LINEAGE)
        create_run_for_test(
            instance, job_name="derive_lineage", status=DagsterRunStatus.FAILURE, tags=request.tags
        )
    requests, message = evaluate(instance, LINEAGE)
    assert requests == []
    assert message is not None and "lineage/edges" in message and "mend" in message


def test_the_daily_schedule_asks_for_yesterday() -> None:
    tick = daily_schedule(NAMES, Settings(), DERIVE).evaluate_tick(
        schedule_context(2026, 3, 1, 5, 15)
    )
    assert [request.partition_key for request in tick.run_requests or []] == ["2026-02-28"]


def test_the_trailing_schedule_is_one_range_run_that_begins_no_earlier_than_the_partitions() -> (
    None
):
    settings = Settings(startDate=date(2026, 1, 1))
    schedule = trailing_schedule(NAMES, settings, DERIVE)
    tick = schedule.evaluate_tick(schedule_context(2026, 3, 2, 11, 15))
    assert ranges(tick.run_requests or []) == [("2026-02-27", "2026-03-01")]
    early = schedule.evaluate_tick(schedule_context(2026, 1, 3, 11, 15))
    assert ranges(early.run_requests or []) == [("2026-01-01", "2026-01-02")]
