"""docs/configuration.md, made of the settings themselves: ``python -m tests.docs.configuration`` writes the page.

What a setting takes, its default and its bounds are those of worker/settings.py, and what is said of a broken law is what
the worker says. The words that no field holds stand here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo

from worker.settings import (
    ALIASES,
    EASY_LEASE_MARGIN,
    FIELDS,
    LEASE_MARGIN,
    SECRETS,
    SERVICE_FOLDER,
    STOP_MARGIN,
    SettingsError,
    cautions,
    load_settings,
    shown,
)

PAGE = Path(__file__).parent.parent.parent / "docs" / "configuration.md"

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/darwin-worker"

EXAMPLES = {
    "WORKER_QUEUE__URL": QUEUE,
    "WORKER_QUEUE__VISIBILITY_SECONDS": "300",
    "WORKER_QUEUE__WAIT_SECONDS": "5",
    "WORKER_QUEUE__DEAD_LETTER_URL": f"{QUEUE}-dead-letters",
    "WORKER_DARWIN__API_KEY": "the-key-as-darwin-showed-it",
    "WORKER_DARWIN__API_KEY_FILE": "/run/secrets/darwin/api-key",
    "WORKER_DARWIN__TEAM": "acme",
    "WORKER_DARWIN__BASE_URL": "https://darwin.v7labs.com",
    "WORKER_DARWIN__DATASET": "intake",
    "WORKER_DARWIN__STORAGE": "acme-media",
    "WORKER_DARWIN__PREFIX": "incoming/",
    "WORKER_DARWIN__REQUEST_TIMEOUT_SECONDS": "15",
    "WORKER_ROUTES_FILE": "/etc/darwin-worker/routes.yaml",
    "WORKER_QUOTA__REQUESTS_PER_MINUTE": "60",
    "WORKER_QUOTA__BURST": "4",
    "WORKER_QUOTA__GENERAL_REQUESTS_PER_MINUTE": "500",
    "WORKER_BATCH__MAX_ITEMS": "50",
    "WORKER_LIMITS__OPEN_RECORDS": "2000",
    "WORKER_LEDGER__URL": "dynamodb://darwin-worker-ledger",
    "WORKER_ARCHIVE__URL": "s3://acme-archive/receipts",
    "WORKER_REPLICAS": "2",
    "WORKER_WEB__HOST": "127.0.0.1",
    "WORKER_WEB__PORT": "9090",
    "WORKER_WEB__TOKEN": "a-word-of-your-own-making",
    "WORKER_DRAIN_SECONDS": "30",
    "WORKER_LOG__LEVEL": "warning",
    "WORKER_LOG__FORMAT": "json",
}
"""Of every setting one value that it may have; all of them may be set together, but for the alternatives."""

ALTERNATIVES = {
    "WORKER_DARWIN__API_KEY": "WORKER_DARWIN__API_KEY_FILE",
    "WORKER_DARWIN__DATASET": "WORKER_ROUTES_FILE",
    "WORKER_DARWIN__STORAGE": "WORKER_ROUTES_FILE",
    "WORKER_DARWIN__PREFIX": "WORKER_ROUTES_FILE",
}
"""What is set, and what is set in its place."""

DEFAULTS = {
    "WORKER_QUEUE__DEAD_LETTER_URL": "the one of the redrive policy",
    "WORKER_DARWIN__API_KEY": "needed, or `DARWIN_API_KEY_FILE`",
    "WORKER_DARWIN__DATASET": "needed, or `WORKER_ROUTES_FILE`",
    "WORKER_DARWIN__STORAGE": "needed, or `WORKER_ROUTES_FILE`",
    "WORKER_LEDGER__URL": "a SQLite file, see below",
    "WORKER_LOG__FORMAT": "`json`, on a terminal `console`",
}
"""Where what holds is not what the field has."""

NOTES = {
    "WORKER_QUEUE__VISIBILITY_SECONDS": "A message that is held longer is extended; after a crash its messages are away for so long",
    "WORKER_DARWIN__API_KEY_FILE": "It is read again when Darwin refuses the key, so that a new key needs no restart",
    "WORKER_DARWIN__TEAM": "The routes file may name more teams, each with a key of its own",
    "WORKER_DARWIN__STORAGE": "As its page in Darwin has it",
    "WORKER_QUOTA__REQUESTS_PER_MINUTE": "For each key. Lower it where others use the key too",
    "WORKER_LIMITS__OPEN_RECORDS": "Each is in flight in SQS: keep this times the replicas below 120,000",
    "WORKER_LEDGER__URL": "`rediss://` is Redis over TLS; Redis' own options follow as `?name=value`",
    "WORKER_REPLICAS": "Of a fleet that scales, the most that there may be",
    "WORKER_WEB__TOKEN": "One word of 16 characters or more",
    "WORKER_DRAIN_SECONDS": "Keep it below what the platform gives: 40 in what `deploy/` has",
}

ENOUGH = {
    "WORKER_QUEUE__URL": QUEUE,
    "DARWIN_API_KEY": "the-key-as-darwin-showed-it",
    "DARWIN_TEAM": "acme",
    "WORKER_DARWIN__DATASET": "intake",
    "WORKER_DARWIN__STORAGE": "acme-media",
}


@dataclass(frozen=True, slots=True)
class Law:
    """*written*: what breaks it, beside what is enough."""

    words: str
    written: Mapping[str, str]


LAWS = (
    Law(
        f"A lease outlasts one receive, one request and {LEASE_MARGIN} seconds around them.",
        {"WORKER_QUEUE__VISIBILITY_SECONDS": "30"},
    ),
    Law(
        f"A receive that is under way ends {STOP_MARGIN} seconds before the stop does.",
        {"WORKER_QUEUE__WAIT_SECONDS": "20"},
    ),
    Law("A bucket refills: its limit is above the burst.", {"WORKER_QUOTA__BURST": "100"}),
    Law(
        "Several workers share a ledger in Redis or DynamoDB; a SQLite file serves one.",
        {"WORKER_REPLICAS": "2"},
    ),
    Law("The dead-letter queue is another queue.", {"WORKER_QUEUE__DEAD_LETTER_URL": QUEUE}),
    Law(
        "With a routes file each route says dataset, storage and prefix, and nothing else does.",
        {"WORKER_ROUTES_FILE": "/etc/darwin-worker/routes.yaml"},
    ),
    Law(
        "The key is given once: as such, or as a file.",
        {"DARWIN_API_KEY_FILE": "/run/secrets/darwin/api-key"},
    ),
    Law("Two names of one setting say the same.", {"WORKER_DARWIN__TEAM": "globex"}),
    Law("What begins with `WORKER_` is a setting.", {"WORKER_QUEUE_URL": QUEUE}),
)

CAUTIONS = (
    Law(
        f"A lease has room for a slow call: {EASY_LEASE_MARGIN} seconds more than one receive and one request.",
        {"WORKER_QUEUE__VISIBILITY_SECONDS": "40"},
    ),
    Law(
        "A request ends before the stop does.",
        {"WORKER_DARWIN__REQUEST_TIMEOUT_SECONDS": "25"},
    ),
    Law("A receive waits for a message.", {"WORKER_QUEUE__WAIT_SECONDS": "0"}),
)


def refusals(law: Law) -> list[str]:
    """The lines that the worker ends with where the law is broken."""
    try:
        load_settings({**ENOUGH, **law.written})
    except SettingsError as error:
        return error.lines
    return []


def told(law: Law) -> list[str]:
    """The lines that the worker starts with where the law is broken."""
    return cautions(load_settings({**ENOUGH, **law.written}))


def page() -> str:
    """The whole page."""
    return TEMPLATE.format(
        settings="\n".join(_setting(name, field) for name, field in FIELDS.items()),
        aliases=", ".join(f"`{alias}`" for alias in ALIASES.values()),
        secrets=" and ".join(f"`{shown(name)}`" for name in SECRETS),
        folder=SERVICE_FOLDER,
        laws="\n".join(_law(law, refusals(law)) for law in LAWS),
        cautions="\n".join(_law(law, told(law)) for law in CAUTIONS),
    )


def _setting(name: str, field: FieldInfo) -> str:
    name_cell = f"`{shown(name)}`" + (f" or `{name}`" if name in ALIASES else "")
    notes = [f"{note}." for note in (NOTES.get(name), "**Secret**" if name in SECRETS else None) if note]
    takes = " ".join([f"{field.description}." if notes else f"{field.description}", *notes])
    bounds = " ".join(_bounds(field))
    return f"| {name_cell} | {takes} | {_default(name, field)} | {bounds} | `{EXAMPLES[name]}` |"


def _default(name: str, field: FieldInfo) -> str:
    if name in DEFAULTS:
        return DEFAULTS[name]
    if field.is_required():
        return "needed"
    return "" if field.default in (None, "") else f"`{field.default}`"


def _bounds(field: FieldInfo) -> Iterator[str]:
    for bound in field.metadata:
        match bound:
            case Ge(ge):
                yield f"from {ge}"
            case Gt(gt):
                yield f"above {gt}"
            case Le(le):
                yield f"to {le}"


def _law(law: Law, lines: list[str]) -> str:
    written = " ".join(f"`{name}={value}`" for name, value in law.written.items())
    return f"| {law.words} | {written} | {'<br>'.join(lines)} |"


TEMPLATE = """\
<!-- Made of worker/settings.py by `python -m tests.docs.configuration`: change it there, or in tests/docs/configuration.py. -->

# Configuration

Everything is set by environment variables, and what makes items of objects by [one routes file](routes.md) where one dataset is not enough. Five variables are enough: the queue, the
key, the team, the dataset and the storage. Everything else has a default that is right for production.

`darwin-worker check` shows every setting with the value in force, and tries for real what can be tried. A setting that is wrong, missing or misspelt is told in one line, all of them at
once, with what to do; the worker then ends with exit code 2 and has touched nothing. An empty value is the same as none. Settings are read once, at the start.

## Every setting

| variable | it takes | default | bounds | example |
|---|---|---|---|---|
{settings}

{aliases} are V7's own names, as its client has them; either name will do. A variable that begins with `WORKER_` and is none of these is refused, and the nearest valid name is told. What
Kubernetes adds for a Service called `worker` (`WORKER_SERVICE_HOST`, `WORKER_PORT` and so on) is let pass; `enableServiceLinks: false` keeps it away.

**The ledger's default** is `sqlite://{folder}/ledger.sqlite3` where that folder is there and writable, as it is in the image; or else `darwin-worker/ledger.sqlite3`
below `$XDG_STATE_HOME`, or below `~/.local/state`. Keep it on a volume that outlives the container.

## Secrets

{secrets} are never shown: not in a log, a metric, an error, a page or a dead letter, nor by `check`. Of `WORKER_LEDGER__URL` the user and the password are not shown. Give the key as a
file where the platform can mount one (`DARWIN_API_KEY_FILE`): it is in no process's environment then, and a new key is taken up without a restart. The keys of further teams are named in the
routes file (`teams`), each as a file or as a variable of its own.

## Laws across settings

What would lose, double or hang is refused at the start. The middle column breaks the law where nothing else is set but what is needed; the last one is what the worker says then.

| law | broken by | what is said |
|---|---|---|
{laws}

What costs something, but may be wanted, is told by `check`, and at the start as the event `caution`:

| law | broken by | what is said |
|---|---|---|
{cautions}

`check` knows more, for it asks the outside: whether the queues keep messages for 14 days, how often a message may be received, whether key, dataset, storage, table and permissions are
there.

## Variables of others

AWS is found as any program with the AWS SDK for Python finds it, and none of it is a setting of ours.

| variable | what it is for |
|---|---|
| `AWS_REGION` | the region of queue and table. `AWS_DEFAULT_REGION` and the profile's region come second |
| `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`, `AWS_CONTAINER_CREDENTIALS_FULL_URI`, `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE` | set by ECS for the task's role, and by EKS Pod Identity |
| `AWS_ROLE_ARN`, `AWS_WEB_IDENTITY_TOKEN_FILE` | set by EKS for a service account with a role (IRSA) |
| `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` | keys as such, for a trial. They are read at the start only; what a role gives is renewed while the worker runs |
| `AWS_PROFILE`, `AWS_CONFIG_FILE`, `AWS_SHARED_CREDENTIALS_FILE` | a profile of a user's machine |
| `AWS_ENDPOINT_URL`, or `AWS_ENDPOINT_URL_SQS`, `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL_DYNAMODB` | an emulator, or an endpoint of your own |
| `AWS_CA_BUNDLE` | certificates that calls to AWS trust; for Darwin it is `SSL_CERT_FILE` |
| `HTTPS_PROXY`, `NO_PROXY` | a proxy for calls to AWS. Requests to Darwin go directly: aiohttp would also take a key from a netrc file with it |

Timeouts and retries of AWS's calls are the worker's own; `AWS_MAX_ATTEMPTS` and `AWS_RETRY_MODE` count only where STS is asked for credentials.
"""


def main() -> None:
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
