"""Every setting: read from the environment, validated once, frozen.

Variables have the prefix ``WORKER_`` and their groups are told apart by two underscores. V7's own names of the key, the
team and the base URL are accepted too. An empty value is the same as none. Whatever begins with ``WORKER_`` and is no
setting is refused, because a misspelt setting that is silently ignored is found much too late; what Kubernetes adds
for a Service of that name is let pass. All problems are told at once, one line each, never with a secret in it.
"""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from math import ceil
from operator import attrgetter
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from worker import logs
from worker.setting_values import Format, HttpUrl, Key, LedgerPlace, Level, QueueUrl, S3Url, Slug, Text, Token

SERVICE_FOLDER = Path("/var/lib/darwin-worker")
"""Where the ledger is by default if this folder is there and writable: the image has it, for a volume."""

SQS_LONGEST_VISIBILITY = 43_200
"""Seconds; SetQueueAttributes and ChangeMessageVisibility take no more."""

LEASE_MARGIN = 4
"""Seconds that a lease must outlast one receive and one request, for something to be sent at all: leases are looked at
once a second, and the calls to extend and to claim are to be answered in time. With less nothing would be doubled, for
each request and each verdict asks first whether the lease is still ours (law 3); little would be sent, though.
"""

EASY_LEASE_MARGIN = 15
"""With less than this, a slow call or two to SQS or to the ledger cost leases, and so receives."""

STOP_MARGIN = 5
"""Seconds that a stop needs besides the wait of the receive that is under way when it is asked for."""

ALIASES = {
    "WORKER_DARWIN__API_KEY": "DARWIN_API_KEY",
    "WORKER_DARWIN__API_KEY_FILE": "DARWIN_API_KEY_FILE",
    "WORKER_DARWIN__TEAM": "DARWIN_TEAM",
    "WORKER_DARWIN__BASE_URL": "DARWIN_BASE_URL",
}
"""Our name to V7's name of the same setting; the latter is what we show where the user has written neither."""


SECRETS = {"WORKER_DARWIN__API_KEY": "key", "WORKER_WEB__TOKEN": "token"}
"""What is never shown, not even where it is wrong."""


class SettingsError(Exception):
    """What the operator wrote cannot be used. *lines*: one per problem, saying what, where and what to do."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = [logs.redact(line) for line in lines]
        super().__init__("\n".join(self.lines))


class Group(BaseModel):
    """Settings that belong together. A field's description completes the sentence "it takes ..."."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Queue(Group):
    url: QueueUrl = Field(description="the URL of the SQS queue that the events of S3 come to")
    visibility_seconds: int = Field(
        120, ge=1, le=SQS_LONGEST_VISIBILITY, description="the seconds that one lease lasts"
    )
    wait_seconds: int = Field(10, ge=0, le=20, description="the seconds that one receive waits for a message")
    dead_letter_url: QueueUrl | None = Field(
        None, description="the URL of the dead-letter queue; without it, the queue's redrive policy says it"
    )


class Darwin(Group):
    """*api_key* is always there: given as such, or read from *api_key_file*, which may be read again later."""

    api_key: Key = Field(description="an API key of the team that may add data to datasets")
    api_key_file: Path | None = Field(None, description="the path of a file that holds the API key")
    team: Slug = Field(description="the team's slug")
    base_url: HttpUrl = Field("https://darwin.v7labs.com", description="the address of Darwin")
    dataset: Slug | None = Field(None, description="the slug of the dataset to register in")
    storage: Text | None = Field(None, description="the slug or name of the storage integration in Darwin")
    prefix: str = Field("", description="the prefix of the keys to register; without it, the whole bucket")
    request_timeout_seconds: float = Field(
        20, gt=0, allow_inf_nan=False, description="the seconds that one request may take"
    )


class Quota(Group):
    requests_per_minute: int = Field(100, ge=2, description="the registration requests sent in a minute")
    burst: int = Field(2, ge=1, description="the requests that may leave at once after a pause")
    general_requests_per_minute: int = Field(1000, ge=2, description="the other requests sent in a minute")


class Batch(Group):
    max_items: int = Field(100, ge=1, le=100, description="the most items in one request")


class Limits(Group):
    open_records: int = Field(5000, ge=10, le=100_000, description="the most records in the worker")


class Ledger(Group):
    url: LedgerPlace = Field(
        description="the ledger's place: sqlite:///path, redis://host:port/database or dynamodb://table"
    )

    @property
    def scheme(self) -> str:
        """``sqlite``, ``redis``, ``rediss`` or ``dynamodb``."""
        return self.url.get_secret_value().partition("://")[0]

    @property
    def path(self) -> Path:
        """Of a SQLite ledger the file: always absolute, however many slashes the URL has."""
        return Path("/" + self._rest.lstrip("/"))

    @property
    def table(self) -> str:
        """Of a DynamoDB ledger the table's name."""
        return self._rest

    @property
    def _rest(self) -> str:
        return self.url.get_secret_value().partition("://")[2]


class Archive(Group):
    url: S3Url | None = Field(
        None, description="where receipts are kept, s3://bucket/prefix; without it, none are"
    )


class Web(Group):
    host: Text = Field(
        "0.0.0.0",  # noqa: S104 - probes and scrapes reach a container from outside; the port serves no secret
        description="the address that metrics and health are served on",
    )
    port: int = Field(8080, ge=0, le=65_535, description="the port that metrics and health are served on")
    token: Token | None = Field(
        None,
        description="the token that the page and the status ask for; without it, they are there on loopback only",
    )


class Log(Group):
    level: Level = Field("info", description="debug, info, warning or error")
    format: Format | None = Field(
        None, description="json or console; without it, console on a terminal and json elsewhere"
    )


class Settings(BaseSettings):
    """What :func:`load_settings` returns: every field valid, and all of them with each other."""

    model_config = SettingsConfigDict(
        env_prefix="WORKER_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    queue: Queue
    darwin: Darwin
    routes_file: Path | None = Field(None, description="the path of a routes file")
    quota: Quota = Quota()
    batch: Batch = Batch()
    limits: Limits = Limits()
    ledger: Ledger
    archive: Archive = Archive()
    replicas: int = Field(1, ge=1, description="the number of workers that share the queue and the quota")
    web: Web = Web()
    drain_seconds: float = Field(
        25, gt=STOP_MARGIN, allow_inf_nan=False, description="the seconds that a stop may take"
    )
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is the library's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what :func:`load_settings` hands over: it reads the environment that it was given."""
        return (init_settings,)


class _Environ(EnvSettingsSource):
    """Reads the variables of *environ* in place of the process's."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(Settings)
        self.env_vars = {name.lower(): value for name, value in environ.items()}


def load_settings(environ: Mapping[str, str]) -> Settings:
    """The settings that *environ* holds; reads the key file, if there is one, and nothing else.

    Raises :class:`SettingsError` with all problems that can be told from the values alone.
    """
    written = {name: value for name, value in environ.items() if value.strip()}
    values: dict[str, str] = {}
    as_written = {name: shown(name) for name in FIELDS}
    lines = [*_unknown(written)]
    for name in FIELDS:
        spellings = [spelling for spelling in (name, ALIASES.get(name, name)) if spelling in written]
        if len({written[spelling] for spelling in spellings}) > 1:
            lines.append(f"{' and '.join(spellings)} are set to different values; unset one of them")
        for spelling in spellings[:1]:
            values[name], as_written[name] = written[spelling], spelling
    lines += _broken_choices(values, as_written)
    lines += _read_key_file(values, as_written)
    values.setdefault("WORKER_LEDGER__URL", f"sqlite://{state_folder(environ) / 'ledger.sqlite3'}")
    tree: dict[str, Any] = {"queue": {}, "darwin": {}} | _Environ(values)()
    try:
        settings = Settings(**tree)
    except ValidationError as error:
        raise SettingsError(lines + [_line(problem, as_written) for problem in error.errors()]) from None
    lines += _broken_laws(settings)
    if lines:
        raise SettingsError(lines)
    return settings


def describe(settings: Settings) -> list[tuple[str, str]]:
    """Every setting by its variable's name, with the value in force; secrets are hidden."""
    paths = {name: name.removeprefix("WORKER_").lower().replace("__", ".") for name in FIELDS}
    return [(shown(name), _text(attrgetter(path)(settings))) for name, path in paths.items()]


def cautions(settings: Settings) -> list[str]:
    """What the worker runs with, but the operator should know."""
    queue, timeout, drain = settings.queue, settings.darwin.request_timeout_seconds, settings.drain_seconds
    told = []
    if timeout >= drain:
        told.append(
            f"WORKER_DARWIN__REQUEST_TIMEOUT_SECONDS ({timeout:g}) is not below WORKER_DRAIN_SECONDS ({drain:g}): "
            "a stop may cut a request before its answer, and its items are then sent once more"
        )
    easy = timeout + queue.wait_seconds + EASY_LEASE_MARGIN
    if queue.visibility_seconds < easy:
        told.append(
            f"WORKER_QUEUE__VISIBILITY_SECONDS is {queue.visibility_seconds}: a slow call to SQS or to the ledger may cost "
            f"leases, and their messages are then received once more; from {ceil(easy)} on it has room"
        )
    if not queue.wait_seconds:
        told.append(
            "WORKER_QUEUE__WAIT_SECONDS is 0: an idle worker asks SQS again as soon as it has answered, and each call is "
            "billed; from 1 on a receive waits for a message"
        )
    return told


def shown(name: str) -> str:
    """The name that a setting goes by in what we print."""
    return ALIASES.get(name, name)


def _fields(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        variable = prefix + name.upper()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Group):
            yield from _fields(field.annotation, variable + "__")
        else:
            yield variable, field


FIELDS: Mapping[str, FieldInfo] = dict(_fields(Settings, "WORKER_"))
"""Every setting by the name of its variable."""


def _text(value: object) -> str:
    if value is None or value == "":
        return "(not set)"
    if isinstance(value, SecretStr):
        return "(hidden)"
    return f"{value:g}" if isinstance(value, float) else logs.redact(str(value))


def _unknown(written: Mapping[str, str]) -> Iterator[str]:
    # For a Service named worker or worker-x, Kubernetes sets WORKER_SERVICE_HOST, WORKER_PORT and more, always together.
    services = [name.removesuffix("SERVICE_HOST") for name in written if name.endswith("_SERVICE_HOST")]
    of_kubernetes = tuple(service + rest for service in services for rest in ("SERVICE_", "PORT"))
    names = [name.removeprefix("WORKER_") for name in FIELDS]
    for name in sorted(written):
        if name.upper().startswith("WORKER_") and name not in FIELDS and not name.startswith(of_kubernetes):
            nearest = get_close_matches(name.upper()[len("WORKER_") :], names, n=1)
            advice = f"did you mean WORKER_{nearest[0]}?" if nearest else "unset it"
            yield f"{name} is no setting of this worker; {advice}"


def _broken_choices(values: Mapping[str, str], as_written: Mapping[str, str]) -> Iterator[str]:
    """What is given twice, or not at all, told before values are judged so that nobody mends in two rounds."""
    single = ("WORKER_DARWIN__DATASET", "WORKER_DARWIN__STORAGE", "WORKER_DARWIN__PREFIX")
    if "WORKER_ROUTES_FILE" in values:
        for name in single:
            if name in values:
                yield f"{name} and WORKER_ROUTES_FILE are both set; with a routes file each route says it: unset {name}"
    else:
        for name in single[:2]:
            if name not in values:
                yield f"{name} is not set; it takes {FIELDS[name].description} (or set WORKER_ROUTES_FILE instead)"
    key, file = "WORKER_DARWIN__API_KEY", "WORKER_DARWIN__API_KEY_FILE"
    if key in values and file in values:
        yield f"{as_written[key]} and {as_written[file]} are both set; unset one of them"


def _read_key_file(values: dict[str, str], as_written: dict[str, str]) -> Iterator[str]:
    """Put the key that the key file holds among *values*, under the file's variable in messages."""
    key, file = "WORKER_DARWIN__API_KEY", "WORKER_DARWIN__API_KEY_FILE"
    if file not in values or key in values:
        return
    as_written[key] = as_written[file]
    # Stands in for a key that cannot be had, so that it is not told as a second problem.
    values[key] = "none"
    try:
        held = Path(values[file]).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        yield f"{as_written[file]} is {values[file]!r}, which cannot be read: {reason_of(error)}"
    else:
        values[key] = held or "none"
        if not held:
            yield f"{as_written[file]} is {values[file]!r}, which is empty; write the API key into it"


def reason_of(error: OSError | UnicodeDecodeError) -> str:
    """Why a file cannot be read, in a few words."""
    return "it is not text" if isinstance(error, UnicodeDecodeError) else error.strerror or str(error)


def _line(problem: ErrorDetails, as_written: Mapping[str, str]) -> str:
    name = "WORKER_" + "__".join(str(part).upper() for part in problem["loc"])
    takes = f"it takes {FIELDS[name].description}"
    if problem["type"] == "missing":
        return f"{as_written[name]} is not set; {takes}"
    what = problem.get("ctx", {}).get("error") or problem["msg"].removeprefix("Input ")
    if name in SECRETS:
        return f"{as_written[name]} does not hold a {SECRETS[name]}: {what}"
    return f"{as_written[name]} is {str(problem['input'])!r}: {what}; {takes}"


def _broken_laws(settings: Settings) -> Iterator[str]:
    queue, quota = settings.queue, settings.quota
    timeout, drain = settings.darwin.request_timeout_seconds, settings.drain_seconds
    least = timeout + queue.wait_seconds + LEASE_MARGIN
    if queue.visibility_seconds < least:
        yield (
            f"WORKER_QUEUE__VISIBILITY_SECONDS is {queue.visibility_seconds}, but a lease must outlast one receive "
            f"({queue.wait_seconds}), one request ({timeout:g}) and {LEASE_MARGIN} seconds around them; "
            f"set it to {ceil(least)} or more"
        )
    if queue.wait_seconds >= drain - STOP_MARGIN:
        yield (
            f"WORKER_QUEUE__WAIT_SECONDS is {queue.wait_seconds}, but a stop waits for the receive that is under way; "
            f"set it below {drain - STOP_MARGIN:g}, or WORKER_DRAIN_SECONDS above {queue.wait_seconds + STOP_MARGIN:g}"
        )
    for name, limit in (
        ("WORKER_QUOTA__REQUESTS_PER_MINUTE", quota.requests_per_minute),
        ("WORKER_QUOTA__GENERAL_REQUESTS_PER_MINUTE", quota.general_requests_per_minute),
    ):
        if limit <= quota.burst:
            yield (
                f"{name} is {limit}, but must be above WORKER_QUOTA__BURST ({quota.burst}): "
                "what refills in a minute is the limit less the burst"
            )
    if settings.ledger.scheme == "sqlite" and settings.replicas > 1:
        yield (
            f"WORKER_REPLICAS is {settings.replicas}, but WORKER_LEDGER__URL is a SQLite file, which serves one worker: "
            "give a fleet a ledger in Redis or DynamoDB"
        )
    if queue.dead_letter_url == queue.url:
        yield "WORKER_QUEUE__DEAD_LETTER_URL is the queue itself; give another queue, or unset it"


def state_folder(environ: Mapping[str, str]) -> Path:
    """Where the worker keeps files: the folder of the service where it is there and writable, else one in the user's folder for
    state (XDG). It may have to be made.
    """
    if SERVICE_FOLDER.is_dir() and os.access(SERVICE_FOLDER, os.W_OK):
        return SERVICE_FOLDER
    state = Path(environ.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():
        state = Path(environ.get("HOME") or Path.home()) / ".local" / "state"
    return state / "darwin-worker"
