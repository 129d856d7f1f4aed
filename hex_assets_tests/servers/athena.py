"""Athena's query history over HTTP: moto with paged listing, and the calls and files that it lacks.

Beside Athena's own calls: CloudTrail's look-up, CloudTrail's files and EventBridge's events on S3.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import boto3
import requests
from moto.athena.responses import AthenaResponse
from moto.cloudtrail.responses import CloudTrailResponse
from moto.s3.exceptions import S3ClientError
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer

from hex_assets_tests.servers.entries import Entry

PAGE_IDS = 4
BUCKET = "logs"
REGION = "eu-central-1"
TRAIL = f"s3://{BUCKET}/audit/AWSLogs/123456789012/CloudTrail"
STATE_EVENTS = f"s3://{BUCKET}/athena-events"
DELIVERY = timedelta(minutes=10)
HEX_ROLE = "arn:aws:iam::123456789012:role/HexRole"
HEX_SESSION = "arn:aws:sts::123456789012:assumed-role/HexRole/botocore-session-1"
IDENTITIES: dict[str, dict[str, Any]] = {
    "HEX": {
        "type": "AssumedRole",
        "arn": HEX_SESSION,
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "arn": HEX_ROLE, "userName": "HexRole"}
        },
    },
    "BOB": {
        "type": "IAMUser",
        "arn": "arn:aws:iam::123456789012:user/bob",
        "userName": "bob",
    },
}


class AthenaServer:
    """A running stand-in; `denied` actions are refused, `unprocessed` ids left out so often."""

    def __init__(self) -> None:
        self.workgroups: dict[str, list[Entry]] = {"primary": []}
        self.denied: set[str] = set()
        self.refused_login = False
        self.unprocessed: Counter[str] = Counter()
        self.forgotten: dict[str, str] = {}
        """Ids without details, with the message that says why."""
        self.throttled_lookups = 0
        self.calls: list[str] = []
        self.calls_left: int | None = None
        """After so many calls each is refused."""
        self.url = ""

    def fill(self, entries: Iterable[Entry], workgroup: str = "primary") -> None:
        """Put executions into a workgroup, and their events into files on S3."""
        entries = list(entries)
        self.workgroups.setdefault(workgroup, []).extend(entries)
        trail: dict[datetime, list[dict[str, Any]]] = defaultdict(list)
        states: dict[datetime, list[dict[str, Any]]] = defaultdict(list)
        for item in entries:
            trail[_hour(item.started_at + DELIVERY)].append(start_event(item, workgroup))
            states[_hour(item.ended_at + DELIVERY)] += state_events(item, workgroup)
        for hour, events in trail.items():
            self.put_trail(hour, _others(hour) + events, workgroup)
            self.put_trail(hour, _others(hour), "others")
        for hour, events in states.items():
            self.put_states(hour, events, workgroup)

    def put_trail(self, hour: datetime, records: list[dict[str, Any]], name: str) -> None:
        """Deliver a file of CloudTrail."""
        key = (
            f"{TRAIL}/{REGION}/{hour:%Y/%m/%d}/123456789012_CloudTrail_{REGION}_"
            f"{hour:%Y%m%dT%H%M}Z_{name}.json.gz"
        )
        self.put(key, gzip.compress(json.dumps({"Records": records}).encode()))

    def put_states(self, hour: datetime, events: list[dict[str, Any]], name: str) -> None:
        """Deliver a file of Firehose: nothing between the events."""
        key = f"{STATE_EVENTS}/{hour:%Y/%m/%d/%H}/states-1-{hour:%Y-%m-%d-%H-%M-%S}-{name}"
        self.put(key, "".join(map(json.dumps, events)).encode())

    def put(self, address: str, body: bytes) -> None:
        """Put an object, its bucket too."""
        bucket, _, key = address.removeprefix("s3://").partition("/")
        keys = {"aws_access_key_id": "filler", "aws_secret_access_key": "filler"}
        s3 = boto3.client("s3", region_name=REGION, endpoint_url=self.url, **keys)
        location = {"LocationConstraint": REGION}
        if bucket not in [item["Name"] for item in s3.list_buckets()["Buckets"]]:
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=location)
        s3.put_object(Bucket=bucket, Key=key, Body=body)

    def reset(self) -> None:
        """Forget everything, the buckets too, which moto keeps as long as the process lives."""
        vars(self).update(vars(AthenaServer()) | {"url": self.url})
        requests.post(f"{self.url}/moto-api/reset", timeout=10).raise_for_status()

    def answer(self, response: Any, action: str) -> Any:
        """One call of Athena or CloudTrail."""
        refused = self.refusal(action)
        if refused:
            return 400, {"status": 400}, json.dumps({"__type": refused[0], "message": refused[1]})
        return {
            "ListWorkGroups": self._list_work_groups,
            "ListQueryExecutions": self._list_query_executions,
            "BatchGetQueryExecution": self._batch_get_query_execution,
            "LookupEvents": self._lookup_events,
        }[action](response)

    def refusal(self, action: str) -> tuple[str, str] | None:
        """The error of a call that is refused."""
        self.calls.append(action)
        if self.refused_login:
            return "UnrecognizedClientException", "The security token is invalid."
        if self.calls_left is not None:
            self.calls_left -= 1
        if action in self.denied or self.calls_left == -1:
            self.calls_left = 0 if self.calls_left == -1 else self.calls_left
            return "AccessDeniedException", f"not authorized to perform: {action}"
        if action == "LookupEvents" and self.throttled_lookups:
            self.throttled_lookups -= 1
            return "ThrottlingException", "Rate exceeded"
        return None

    def _list_work_groups(self, response: AthenaResponse) -> str:
        return json.dumps({"WorkGroups": [{"Name": name} for name in self.workgroups]})

    def _list_query_executions(self, response: AthenaResponse) -> str:
        entries = self.workgroups[response._get_param("WorkGroup")]
        newest = sorted(entries, key=lambda item: item.started_at, reverse=True)
        page, more = _page([item.query_id for item in newest], response)
        return json.dumps({"QueryExecutionIds": page} | more)

    def _batch_get_query_execution(self, response: AthenaResponse) -> str:
        ids = response._get_param("QueryExecutionIds")
        assert len(ids) == len(set(ids)) <= 50
        throttled = [item for item in ids if self.unprocessed[item] > 0]
        self.unprocessed -= Counter(throttled)
        known = {
            entry.query_id: _execution(entry, name)
            for name, entries in self.workgroups.items()
            for entry in entries
        }
        found = [
            known[item]
            for item in ids
            if item in known and item not in throttled and item not in self.forgotten
        ]
        left = [{"QueryExecutionId": item, "ErrorCode": "THROTTLED"} for item in throttled]
        left += [
            {
                "QueryExecutionId": item,
                "ErrorCode": "INVALID_INPUT",
                "ErrorMessage": self.forgotten[item],
            }
            for item in ids
            if item in self.forgotten
        ]
        return json.dumps({"QueryExecutions": found, "UnprocessedQueryExecutionIds": left})

    def _lookup_events(self, response: CloudTrailResponse) -> str:
        [attribute] = response._get_param("LookupAttributes")
        assert attribute == {"AttributeKey": "EventName", "AttributeValue": "StartQueryExecution"}
        begin, end = response._get_param("StartTime"), response._get_param("EndTime")
        events = [
            {
                "EventTime": entry.started_at.timestamp(),
                "EventName": "StartQueryExecution",
                "CloudTrailEvent": json.dumps(start_event(entry, name)),
            }
            for name, entries in self.workgroups.items()
            for entry in entries
            if begin <= int(entry.started_at.timestamp()) <= end
        ]
        page, more = _page(events, response)
        return json.dumps({"Events": page} | more)


def start_event(entry: Entry, workgroup: str) -> dict[str, Any]:
    """CloudTrail's record of the start of an execution; it has no statement."""
    parameters = {"queryString": "***OBFUSCATED***", "clientRequestToken": entry.query_id}
    return {
        "eventVersion": "1.09",
        "userIdentity": IDENTITIES[entry.user],
        "eventTime": f"{entry.started_at:%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": "athena.amazonaws.com",
        "eventName": "StartQueryExecution",
        "awsRegion": REGION,
        # A call without a workgroup runs in `primary`.
        "requestParameters": parameters
        | ({} if workgroup == "primary" else {"workGroup": workgroup}),
        "responseElements": {"queryExecutionId": entry.query_id},
    }


def state_events(entry: Entry, workgroup: str) -> list[dict[str, Any]]:
    """EventBridge's events of an execution."""
    states = [
        ("RUNNING", entry.started_at),
        ("SUCCEEDED" if entry.succeeded else "FAILED", entry.ended_at),
    ]
    return [
        {
            "version": "0",
            "detail-type": "Athena Query State Change",
            "source": "aws.athena",
            "account": "123456789012",
            "time": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            "region": REGION,
            "detail": {
                "versionId": "0",
                "currentState": state,
                "queryExecutionId": entry.query_id,
                "workgroupName": workgroup,
            },
        }
        for state, moment in states
    ]


def _others(hour: datetime) -> list[dict[str, Any]]:
    """What else a trail's file holds: another call, and a start that was refused."""
    common = {"userIdentity": IDENTITIES["BOB"], "eventTime": f"{hour:%Y-%m-%dT%H:%M:%SZ}"}
    return [
        common | {"eventSource": "ec2.amazonaws.com", "eventName": "DescribeInstances"},
        common
        | {
            "eventSource": "athena.amazonaws.com",
            "eventName": "StartQueryExecution",
            "errorCode": "InvalidRequestException",
            "requestParameters": None,
            "responseElements": None,
        },
    ]


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _page(items: list[Any], response: Any) -> tuple[list[Any], dict[str, str]]:
    start = int(response._get_param("NextToken") or 0)
    end = start + PAGE_IDS
    return items[start:end], {"NextToken": str(end)} if end < len(items) else {}


def _execution(entry: Entry, workgroup: str) -> dict[str, Any]:
    return {
        "QueryExecutionId": entry.query_id,
        "Query": entry.text,
        "StatementType": "DML",
        "WorkGroup": workgroup,
        "QueryExecutionContext": {"Catalog": "awsdatacatalog", "Database": "shop"},
        "Status": {
            "State": "SUCCEEDED" if entry.succeeded else "FAILED",
            "SubmissionDateTime": entry.started_at.timestamp(),
            "CompletionDateTime": entry.ended_at.timestamp(),
        },
    }


S3_REFUSALS = {
    "UnrecognizedClientException": "InvalidAccessKeyId",
    "AccessDeniedException": "AccessDenied",
}


@contextmanager
def running_athena() -> Iterator[AthenaServer]:
    """Serve on a free port of loopback until the block ends."""
    athena = AthenaServer()

    def answering(action: str) -> Callable[[Any], Any]:
        return lambda response: athena.answer(response, action)

    def guarded(action: str, method: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def call(response: Any) -> Any:
            refused = athena.refusal(action)
            if refused:
                raise S3ClientError(S3_REFUSALS[refused[0]], refused[1])
            return method(response)

        return call

    patches: list[tuple[type, str, Callable[[Any], Any]]] = [
        (AthenaResponse, "list_work_groups", answering("ListWorkGroups")),
        (AthenaResponse, "list_query_executions", answering("ListQueryExecutions")),
        (AthenaResponse, "batch_get_query_execution", answering("BatchGetQueryExecution")),
        (CloudTrailResponse, "lookup_events", answering("LookupEvents")),
        (S3Response, "list_objects_v2", guarded("ListObjectsV2", S3Response.list_objects_v2)),
        (S3Response, "get_object", guarded("GetObject", S3Response.get_object)),
    ]
    kept = [(owner, name, getattr(owner, name, None)) for owner, name, _ in patches]
    for owner, name, method in patches:
        setattr(owner, name, method)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    athena.url = f"http://{host}:{port}"
    athena.reset()
    try:
        yield athena
    finally:
        server.stop()
        for owner, name, method in kept:
            if method is None:
                delattr(owner, name)
            else:
                setattr(owner, name, method)
