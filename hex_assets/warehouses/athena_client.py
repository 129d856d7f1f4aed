"""boto3's clients for the ways to read Athena, with their failures told plainly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import Field

from hex_assets.secret import Secret
from hex_assets.warehouses.base import BrokenRead, CannotConnect, CannotRead, WarehouseSettings
from hex_assets.warehouses.reading import without_secrets
from hex_assets.warehouses.vendor import vendor_module

INSTALL = "hex-assets[athena]"
DOCUMENT = "the policy is in docs/warehouses/athena.md"
ACTIONS = {
    "LookupEvents": "cloudtrail:LookupEvents",
    "ListObjectsV2": "s3:ListBucket",
    "GetObject": "s3:GetObject, and kms:Decrypt where the bucket has a key of your own,",
}
"""What to allow where a call was refused and the action isn't named as the call."""
ACCESS_DENIED = ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation")
BAD_LOGIN = (
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "ExpiredTokenException",
    "ExpiredToken",
)


class AwsSettings(WarehouseSettings):
    """A region and who reads it. Without keys, boto3's own chain of credentials is used."""

    region: str = Field(description="such as eu-central-1")
    profile: str | None = Field(default=None, description="profile of the AWS configuration")
    accessKeyId: Secret | None = Field(default=None)
    secretAccessKey: Secret | None = Field(default=None)
    sessionToken: Secret | None = Field(default=None)
    endpointUrl: str | None = Field(default=None, description="a private endpoint of Athena")


class AwsClients:
    """The clients of one warehouse of the settings; connects when a call is made."""

    def __init__(self, name: str, settings: AwsSettings) -> None:
        self._name = name
        self._settings = settings
        self._clients: dict[str, Any] = {}

    @property
    def place(self) -> str:
        """The warehouse and its region, for messages."""
        settings = self._settings
        at = f" at {settings.endpointUrl}" if settings.endpointUrl else ""
        return f"warehouse {self._name}: Athena in {settings.region}{at}"

    def client(self, service: str) -> Any:
        """A client of a service such as `athena`, which slows down when the service says so.

        Raises:
            CannotConnect: boto3 is not installed.
            UnsetVariable: a key's environment variable has no value.
        """
        if service not in self._clients:  # to make one costs a tenth of a second
            self._clients[service] = self._new_client(service)
        return self._clients[service]

    def _new_client(self, service: str) -> Any:
        boto3 = vendor_module("boto3", warehouse=self._name, install=INSTALL)
        config = vendor_module("botocore.config", warehouse=self._name, install=INSTALL)
        settings = self._settings
        session = boto3.Session(
            profile_name=settings.profile,
            region_name=settings.region,
            aws_access_key_id=_value(settings.accessKeyId),
            aws_secret_access_key=_value(settings.secretAccessKey),
            aws_session_token=_value(settings.sessionToken),
        )
        options = config.Config(
            retries={"mode": "adaptive", "max_attempts": 6}, connect_timeout=10, read_timeout=60
        )
        # boto3 takes other endpoints of its own: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL_CLOUDTRAIL.
        endpoint = settings.endpointUrl if service == "athena" else None
        return session.client(service, endpoint_url=endpoint, config=options)

    @contextmanager
    def errors(self, started: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Turn AWS's errors into ours.

        Args:
            started: whether the read had begun, so that a lost connection broke it.

        Raises:
            LogSourceError: one of its subclasses, with the mend.
        """
        botocore = vendor_module("botocore.exceptions", warehouse=self._name, install=INSTALL)
        try:
            yield
        except botocore.ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            detail = f"{self.place}: {self._clean(error)}"
            if code in BAD_LOGIN:
                raise CannotConnect(detail, "check the AWS keys") from None
            if code in ACCESS_DENIED:
                raise CannotRead(detail, mend_of(error.operation_name)) from None
            raise CannotRead(detail) from None
        except botocore.BotoCoreError as error:
            detail = f"{self.place}: {self._clean(error)}"
            if started():
                raise BrokenRead(f"{detail}; the connection broke in the read") from None
            raise CannotConnect(detail, "check region, network and AWS keys") from None

    def _clean(self, error: Exception) -> str:
        settings = self._settings
        secrets = (settings.accessKeyId, settings.secretAccessKey, settings.sessionToken)
        return without_secrets(" ".join(str(error).split()), *secrets)


def mend_of(call: str) -> str:
    """What to allow where a call such as `GetObject` was refused."""
    return f"allow {ACTIONS.get(call, f'athena:{call}')} to the reader; {DOCUMENT}"


def _value(secret: Secret | None) -> str | None:
    return secret.value() if secret else None
