"""Jobs, schedules, and the sensors that launch what is due."""

from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from hex_assets.assets.metadata import markdown_table
from hex_assets.assets.names import Names
from hex_assets.partitions import contiguous_ranges
from hex_assets.settings import Settings

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
RUNNING = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
MAX_ATTEMPTS = 5
"""Launches for one set of data before a sensor leaves a failing run to a person."""


def range_tags(first: str, last: str) -> dict[str, str]:
    """Tags that make one run of a range of days."""
    return {RANGE_START: first, RANGE_END: last}


def derive_job(names: Names, keys: Sequence[dg.AssetKey]) -> UnresolvedAssetJobDefinition:
    """The given assets, everything but the publication, for a day or a range of days."""
    return dg.define_asset_job(
        names.plain("derive_lineage"),
        selection=dg.AssetSelection.assets(*keys),
        description="Read Hex, the catalog and the query logs, and derive lineage.",
    )


def publish_job(names: Names) -> UnresolvedAssetJobDefinition:
    """The publication alone; the publish sensor launches it."""
    return dg.define_asset_job(
        names.plain("publish"),
        selection=dg.AssetSelection.assets(names.publication),
        description="Publish the newest truth to OpenMetadata.",
    )


def doctor_job(names: Names, settings: Settings) -> dg.JobDefinition:
    """`hex-assets doctor` as a job: the same probes, for whoever looks at the UI."""

    @dg.op(
        name=names.plain("try_every_system"),
        description="Tries settings, Hex, each warehouse, OpenMetadata and the storage.",
        out=dg.Out(dg.Nothing),
    )
    def try_every_system(context: dg.OpExecutionContext) -> None:
        from hex_assets.doctor import diagnose

        found = [
            (section.system, each) for section in diagnose(settings) for each in section.findings
        ]
        log = {
            "ok": context.log.info,
            "warning": context.log.warning,
            "failure": context.log.error,
        }
        for system, each in found:
            mend = f"; {each.mend}" if each.mend and each.status != "ok" else ""
            log[each.status](f"{system}, {each.check}: {each.detail}{mend}")
        metadata: dict[str, Any] = {
            "findings": markdown_table(
                ("system", "check", "result", "found", "mend"),
                ((s, f.check, f.status, f.detail, f.mend) for s, f in found),
            ),
            **{
                f"{status}_count": sum(each.status == status for _, each in found) for status in log
            },
        }
        failed = [
            f"{s}, {f.check}: {f.detail}; {f.mend}" for s, f in found if f.status == "failure"
        ]
        if failed:
            raise dg.Failure("\n".join(failed), metadata=metadata, allow_retries=False)
        context.add_output_metadata(metadata)

    @dg.job(
        name=names.plain("doctor"),
        description="Tries every outside system of the settings and says what mends it.",
        executor_def=dg.in_process_executor,
    )
    def doctor() -> None:
        try_every_system()

    return doctor


def daily_schedule(
    names: Names, settings: Settings, job: UnresolvedAssetJobDefinition
) -> dg.ScheduleDefinition:
    """Yesterday, each morning."""
    at = settings.schedule

    @dg.schedule(
        name=names.plain("daily"),
        job=job,
        cron_schedule=f"{at.minute} {at.hour} * * *",
        execution_timezone="UTC",
        description="Yesterday's partition, once the slowest log is complete.",
    )
    def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        day = _yesterday(context)
        return dg.RunRequest(run_key=day, partition_key=day)

    return daily


def trailing_schedule(
    names: Names, settings: Settings, job: UnresolvedAssetJobDefinition
) -> dg.ScheduleDefinition:
    """The last days again as one range run, for rows that came late."""
    at = settings.schedule

    @dg.schedule(
        name=names.plain("trailing_days"),
        job=job,
        cron_schedule=f"{at.minute} {(at.hour + 6) % 24} * * *",
        execution_timezone="UTC",
        description=f"The last {at.trailingDays} days again as one run, for rows that came late.",
    )
    def trailing(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        last = _yesterday(context)
        first_day = datetime.strptime(last, "%Y-%m-%d") - timedelta(days=at.trailingDays - 1)
        first = max(first_day.date(), settings.startDate).isoformat()
        return dg.RunRequest(run_key=f"{first}...{last}", tags=range_tags(first, last))

    return trailing


def publish_sensor(
    names: Names, job: UnresolvedAssetJobDefinition, min_seconds: int = 60
) -> dg.SensorDefinition:
    """Launch the publication of every day whose edges are newer than its receipt.

    Receipts instead of a cursor: nothing to lose, a failed publication stays pending, and one
    made by hand counts. It does no HTTP: the launched run does, with retries and logs.
    """

    @dg.sensor(
        name=names.plain("publish_sensor"),
        job=job,
        minimum_interval_seconds=min_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Publishes each day whose edges are newer than its last receipt.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        instance = context.instance
        busy = _at_work(instance, job.name)
        if busy:
            yield dg.SkipReason(f"run {busy} is publishing; waiting for it to end")
            return
        derived = _latest(instance, names.edges)
        published = _latest(instance, names.publication)
        pending = {day: at for day, at in derived.items() if at > published.get(day, -1)}
        if not pending:
            yield dg.SkipReason(f"all {len(derived)} days with edges are published")
        yield from _launches(instance, pending, "hex_assets/edges", names.publication)

    return sensor


def lineage_sensor(
    names: Names,
    job: UnresolvedAssetJobDefinition,
    logs: Sequence[dg.AssetKey],
    derived: Sequence[dg.AssetKey],
    min_seconds: int = 60,
) -> dg.SensorDefinition:
    """Derive the lineage of every day that has a log newer than its edges.

    A warehouse that is down fails its own asset, and Dagster skips what comes behind it in that
    run, for the other warehouses too. So their lineage gets a run of its own, and one more when
    the missing log is read.

    Args:
        names: the assets' keys.
        job: the job that derives lineage; the sensor launches a part of it.
        logs: the query logs' assets.
        derived: what to materialize: the ledger, the edges, the report.
        min_seconds: between two looks.
    """

    @dg.sensor(
        name=names.plain("lineage_sensor"),
        job=job,
        minimum_interval_seconds=min_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Derives each day of which a query log is newer than the edges.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        instance = context.instance
        busy = _at_work(instance, job.name, {*logs, *derived})
        if busy:
            yield dg.SkipReason(f"run {busy} reads logs or derives lineage; waiting for it to end")
            return
        read: dict[str, int] = {}
        for log in logs:
            for day, at in _latest(instance, log).items():
                read[day] = max(at, read.get(day, -1))
        edges, catalogs = _latest(instance, names.edges), _latest(instance, names.catalog_tables)
        pending = {day: at for day, at in read.items() if at > edges.get(day, -1)}
        ready = {day: at for day, at in pending.items() if day in catalogs}
        if not pending:
            yield dg.SkipReason(f"the edges of all {len(read)} days with logs are newer than these")
        elif not ready:
            yield dg.SkipReason(
                f"{len(pending)} days with new logs, such as {min(pending)}, wait for "
                f"{names.catalog_tables.to_user_string()} of the day"
            )
        yield from _launches(instance, ready, "hex_assets/logs", names.edges, derived)

    return sensor


def _at_work(
    instance: dg.DagsterInstance, job: str, keys: Set[dg.AssetKey] = frozenset()
) -> str | None:
    """The id of an unfinished run of a job, or of any run of some of the assets."""
    for run in instance.get_runs(dg.RunsFilter(statuses=list(RUNNING))):
        if run.job_name == job or keys & set(run.asset_selection or ()):
            return run.run_id
    return None


def _launches(
    instance: dg.DagsterInstance,
    pending: Mapping[str, int],
    tag: str,
    key: dg.AssetKey,
    assets: Sequence[dg.AssetKey] | None = None,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """A run for each range of days without a gap, at most `MAX_ATTEMPTS` times.

    Args:
        instance: where attempts are counted.
        pending: day -> storage id of the newest data that it waits for.
        tag: name of the tag that tells the attempts of one range and data.
        key: the asset that a person would materialize.
        assets: what the run materializes; all of the job's by default.
    """
    for first, last in contiguous_ranges(list(pending)):
        newest = max(at for day, at in pending.items() if first <= day <= last)
        # A run key is taken for ever, by failed runs too: the attempt is part of it.
        marker = f"{first}...{last}@{newest}"
        attempt = instance.get_runs_count(dg.RunsFilter(tags={tag: marker})) + 1
        if attempt > MAX_ATTEMPTS:
            yield dg.SkipReason(
                f"{key.to_user_string()} of {first}...{last} failed {MAX_ATTEMPTS} times; mend the "
                "cause and materialize it for these days"
            )
            continue
        yield dg.RunRequest(
            run_key=f"{marker}#{attempt}",
            tags=range_tags(first, last) | {tag: marker},
            asset_selection=assets,
        )


def _latest(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[str, int]:
    """The storage id of each day's latest materialization.

    One call to a method that Dagster does not mark public (1.13); 33 ms for a year on SQLite.
    """
    ids = instance.get_latest_storage_id_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION
    )
    return dict(ids)


def _yesterday(context: dg.ScheduleEvaluationContext) -> str:
    at = context.scheduled_execution_time.astimezone(timezone.utc)
    return (at - timedelta(days=1)).strftime("%Y-%m-%d")
