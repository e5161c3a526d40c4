"""What people set: five variables are enough, and whatever is wrong is told in one line each, all at once."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from worker import settings as module
from worker.setting_values import LedgerUrl
from worker.settings import Settings, SettingsError, cautions, describe, load_settings

KEY = "abcdefg.0123456789abcdef0123456789abcdef"
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/events"
ENOUGH = {
    "WORKER_QUEUE__URL": QUEUE,
    "DARWIN_API_KEY": KEY,
    "DARWIN_TEAM": "acme",
    "WORKER_DARWIN__DATASET": "line",
    "WORKER_DARWIN__STORAGE": "acme-prod-media",
    "HOME": "/home/worker",
}


def load(**more: str) -> Settings:
    return load_settings({**ENOUGH, **more})


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in ENOUGH.items() if name not in names}


def refused(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as error:
        load_settings(environ)
    return error.value.lines


def refusal(**more: str) -> str:
    (line,) = refused({**ENOUGH, **more})
    return line


def test_five_variables_are_enough_and_the_rest_has_defaults_for_production(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "SERVICE_FOLDER", tmp_path / "absent")

    assert describe(load()) == [
        ("WORKER_QUEUE__URL", QUEUE),
        ("WORKER_QUEUE__VISIBILITY_SECONDS", "120"),
        ("WORKER_QUEUE__WAIT_SECONDS", "10"),
        ("WORKER_QUEUE__DEAD_LETTER_URL", "(not set)"),
        ("DARWIN_API_KEY", "(hidden)"),
        ("DARWIN_API_KEY_FILE", "(not set)"),
        ("DARWIN_TEAM", "acme"),
        ("DARWIN_BASE_URL", "https://darwin.v7labs.com"),
        ("WORKER_DARWIN__DATASET", "line"),
        ("WORKER_DARWIN__STORAGE", "acme-prod-media"),
        ("WORKER_DARWIN__PREFIX", "(not set)"),
        ("WORKER_DARWIN__REQUEST_TIMEOUT_SECONDS", "20"),
        ("WORKER_ROUTES_FILE", "(not set)"),
        ("WORKER_QUOTA__REQUESTS_PER_MINUTE", "100"),
        ("WORKER_QUOTA__BURST", "2"),
        ("WORKER_QUOTA__GENERAL_REQUESTS_PER_MINUTE", "1000"),
        ("WORKER_BATCH__MAX_ITEMS", "100"),
        ("WORKER_LIMITS__OPEN_RECORDS", "5000"),
        ("WORKER_LEDGER__URL", "sqlite:///home/worker/.local/state/darwin-worker/ledger.sqlite3"),
        ("WORKER_ARCHIVE__URL", "(not set)"),
        ("WORKER_REPLICAS", "1"),
        ("WORKER_WEB__HOST", "0.0.0.0"),  # noqa: S104 - the default that a container needs
        ("WORKER_WEB__PORT", "8080"),
        ("WORKER_WEB__TOKEN", "(not set)"),
        ("WORKER_DRAIN_SECONDS", "25"),
        ("WORKER_LOG__LEVEL", "info"),
        ("WORKER_LOG__FORMAT", "(not set)"),
    ]


def test_every_variable_is_read_under_its_promised_name() -> None:
    settings = load(
        WORKER_QUEUE__VISIBILITY_SECONDS="300",
        WORKER_QUEUE__WAIT_SECONDS="5",
        WORKER_QUEUE__DEAD_LETTER_URL=QUEUE + "-dead",
        WORKER_DARWIN__PREFIX="incoming/",
        WORKER_DARWIN__REQUEST_TIMEOUT_SECONDS="12.5",
        WORKER_QUOTA__REQUESTS_PER_MINUTE="60",
        WORKER_QUOTA__BURST="3",
        WORKER_QUOTA__GENERAL_REQUESTS_PER_MINUTE="500",
        WORKER_BATCH__MAX_ITEMS="50",
        WORKER_LIMITS__OPEN_RECORDS="200",
        WORKER_LEDGER__URL="sqlite:///data/ledger.db",
        WORKER_ARCHIVE__URL="s3://acme-archive/receipts/",
        WORKER_WEB__HOST="127.0.0.1",
        WORKER_WEB__PORT="9000",
        WORKER_DRAIN_SECONDS="50",
        WORKER_LOG__LEVEL="DEBUG",
        WORKER_LOG__FORMAT="json",
        DARWIN_BASE_URL="http://localhost:9009/",
    )

    assert settings.model_dump(exclude={"darwin": {"api_key"}}) == {
        "queue": {
            "url": QUEUE,
            "visibility_seconds": 300,
            "wait_seconds": 5,
            "dead_letter_url": QUEUE + "-dead",
        },
        "darwin": {
            "api_key_file": None,
            "team": "acme",
            "base_url": "http://localhost:9009",
            "dataset": "line",
            "storage": "acme-prod-media",
            "prefix": "incoming/",
            "request_timeout_seconds": 12.5,
        },
        "routes_file": None,
        "quota": {"requests_per_minute": 60, "burst": 3, "general_requests_per_minute": 500},
        "batch": {"max_items": 50},
        "limits": {"open_records": 200},
        "ledger": {"url": LedgerUrl("sqlite:///data/ledger.db")},
        "archive": {"url": "s3://acme-archive/receipts"},
        "replicas": 1,
        "web": {"host": "127.0.0.1", "port": 9000, "token": None},
        "drain_seconds": 50.0,
        "log": {"level": "debug", "format": "json"},
    }


def test_settings_cannot_be_changed_once_read() -> None:
    settings = load()

    with pytest.raises(ValidationError):
        settings.drain_seconds = 1.0  # type: ignore[misc]  # the very thing that is refused
    with pytest.raises(ValidationError):
        settings.queue.url = "https://elsewhere/1/q"  # type: ignore[misc]  # as above


def test_only_the_given_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_DRAIN_SECONDS", "99")

    assert load().drain_seconds == 25


def test_an_empty_value_is_the_same_as_none() -> None:
    settings = load(
        WORKER_QUEUE__DEAD_LETTER_URL="", WORKER_ROUTES_FILE="", WORKER_WEB__PORT="", WORKER_FOO=""
    )

    assert (settings.queue.dead_letter_url, settings.routes_file, settings.web.port) == (None, None, 8080)


# -- what is missing ------------------------------------------------------------------------------------------------


def test_all_that_is_missing_is_told_at_once() -> None:
    assert refused({}) == [
        "WORKER_DARWIN__DATASET is not set; it takes the slug of the dataset to register in (or set WORKER_ROUTES_FILE instead)",
        "WORKER_DARWIN__STORAGE is not set; it takes the slug or name of the storage integration in Darwin (or set WORKER_ROUTES_FILE instead)",
        "WORKER_QUEUE__URL is not set; it takes the URL of the SQS queue that the events of S3 come to",
        "DARWIN_API_KEY is not set; it takes an API key of the team that may add data to datasets",
        "DARWIN_TEAM is not set; it takes the team's slug",
    ]


def test_an_empty_required_value_is_missing() -> None:
    assert refusal(DARWIN_TEAM=" ") == "DARWIN_TEAM is not set; it takes the team's slug"


def test_a_routes_file_stands_in_for_dataset_and_storage() -> None:
    environ = without("WORKER_DARWIN__DATASET", "WORKER_DARWIN__STORAGE")

    assert load_settings({**environ, "WORKER_ROUTES_FILE": "/etc/routes.yaml"}).routes_file == Path(
        "/etc/routes.yaml"
    )


def test_a_routes_file_beside_a_dataset_is_refused() -> None:
    lines = refused({**ENOUGH, "WORKER_ROUTES_FILE": "/etc/routes.yaml", "WORKER_DARWIN__PREFIX": "in/"})

    assert [line.split(" are both set")[0] for line in lines] == [
        "WORKER_DARWIN__DATASET and WORKER_ROUTES_FILE",
        "WORKER_DARWIN__STORAGE and WORKER_ROUTES_FILE",
        "WORKER_DARWIN__PREFIX and WORKER_ROUTES_FILE",
    ]


# -- names that are no settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("WORKER_QUEUE_URL", "WORKER_QUEUE__URL"),
        ("WORKER_WEB_PORT", "WORKER_WEB__PORT"),
        ("WORKER_QUEUE__VISIBILTY_SECONDS", "WORKER_QUEUE__VISIBILITY_SECONDS"),
        ("WORKER_DRAIN_SECOND", "WORKER_DRAIN_SECONDS"),
        ("WORKER_ROUTE_FILE", "WORKER_ROUTES_FILE"),
        ("WORKER_API_KEY", "WORKER_DARWIN__API_KEY"),
        ("worker_queue__wait_seconds", "WORKER_QUEUE__WAIT_SECONDS"),
        ("WORKER_QUEUE__URL__X", "WORKER_QUEUE__URL"),
    ],
)
def test_a_misspelt_name_is_refused_with_the_nearest_valid_one(written: str, meant: str) -> None:
    assert refusal(**{written: "9"}) == f"{written} is no setting of this worker; did you mean {meant}?"


def test_a_name_like_no_other_is_refused_without_a_guess() -> None:
    assert refusal(WORKER_ZZZ="1") == "WORKER_ZZZ is no setting of this worker; unset it"


def test_a_group_as_json_is_no_setting() -> None:
    assert refusal(WORKER_QUEUE='{"url": "x"}').startswith("WORKER_QUEUE is no setting of this worker")


def test_what_kubernetes_sets_for_a_service_is_let_pass() -> None:
    load(
        WORKER_SERVICE_HOST="10.0.0.1",
        WORKER_SERVICE_PORT="8080",
        WORKER_SERVICE_PORT_HTTP="8080",
        WORKER_PORT="tcp://10.0.0.1:8080",
        WORKER_PORT_8080_TCP="tcp://10.0.0.1:8080",
        WORKER_PORT_8080_TCP_ADDR="10.0.0.1",
        WORKER_WEB_SERVICE_HOST="10.0.0.2",
        WORKER_WEB_PORT="tcp://10.0.0.2:80",
    )


def test_a_port_that_kubernetes_did_not_set_is_a_misspelt_setting() -> None:
    assert (
        refusal(WORKER_PORT="9000")
        == "WORKER_PORT is no setting of this worker; did you mean WORKER_WEB__PORT?"
    )


def test_variables_of_others_are_none_of_our_business() -> None:
    load(DARWIN_DATASETS_DIR="/data", AWS_REGION="eu-west-1", WORKERS="4")


# -- V7's own names -------------------------------------------------------------------------------------------------


def test_both_names_of_a_setting_are_accepted() -> None:
    environ = without("DARWIN_TEAM", "DARWIN_API_KEY")
    settings = load_settings({**environ, "WORKER_DARWIN__TEAM": "globex", "WORKER_DARWIN__API_KEY": KEY})

    assert (settings.darwin.team, settings.darwin.api_key.get_secret_value()) == ("globex", KEY)


def test_both_names_may_say_the_same() -> None:
    assert load(WORKER_DARWIN__TEAM="acme").darwin.team == "acme"


def test_two_names_with_different_values_are_refused() -> None:
    assert refusal(WORKER_DARWIN__TEAM="globex") == (
        "WORKER_DARWIN__TEAM and DARWIN_TEAM are set to different values; unset one of them"
    )


def test_a_problem_is_told_under_the_name_that_was_written() -> None:
    assert refusal(DARWIN_BASE_URL="darwin").startswith("DARWIN_BASE_URL is 'darwin'")
    assert refusal(WORKER_DARWIN__BASE_URL="darwin").startswith("WORKER_DARWIN__BASE_URL is 'darwin'")


# -- the key --------------------------------------------------------------------------------------------------------


def test_the_key_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    settings = load_settings({**without("DARWIN_API_KEY"), "DARWIN_API_KEY_FILE": str(file)})

    assert settings.darwin.api_key.get_secret_value() == KEY
    assert settings.darwin.api_key_file == file


def test_key_and_key_file_together_are_refused(tmp_path: Path) -> None:
    assert refusal(DARWIN_API_KEY_FILE=str(tmp_path / "key")) == (
        "DARWIN_API_KEY and DARWIN_API_KEY_FILE are both set; unset one of them"
    )


def test_a_key_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    file = str(tmp_path / "absent")

    assert refused({**without("DARWIN_API_KEY"), "DARWIN_API_KEY_FILE": file}) == [
        f"DARWIN_API_KEY_FILE is {file!r}, which cannot be read: No such file or directory"
    ]


def test_an_empty_key_file_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("\n")

    assert refused({**without("DARWIN_API_KEY"), "DARWIN_API_KEY_FILE": str(file)}) == [
        f"DARWIN_API_KEY_FILE is {str(file)!r}, which is empty; write the API key into it"
    ]


def test_a_key_file_with_more_than_a_key_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"key: {KEY}\n")

    assert refused({**without("DARWIN_API_KEY"), "DARWIN_API_KEY_FILE": str(file)}) == [
        "DARWIN_API_KEY_FILE does not hold a key: an API key is one word of plain letters, digits and signs, without spaces"
    ]


@pytest.mark.parametrize("key", ["two words", "line\nend", "schlüssel"])
def test_a_key_with_white_space_or_strange_letters_is_refused_and_not_shown(key: str) -> None:
    """Law 9."""
    line = refusal(DARWIN_API_KEY=key)

    assert line.startswith("DARWIN_API_KEY does not hold a key")
    assert key not in line


@pytest.mark.parametrize(
    "token", ["fifteen-letters", "a token of several words", "ein-schlüssel-und-noch-mehr"]
)
def test_a_token_that_could_be_guessed_or_cannot_be_sent_is_refused_and_not_shown(token: str) -> None:
    """Law 9."""
    assert refusal(WORKER_WEB__TOKEN=token) == (
        "WORKER_WEB__TOKEN does not hold a token: a token is one word of 16 or more plain letters, digits and signs, "
        "without spaces (`openssl rand -hex 16` makes one)"
    )


def test_the_token_of_the_page_is_read_and_never_described() -> None:
    settings = load(WORKER_WEB__TOKEN="0123456789abcdef")

    assert settings.web.token is not None
    assert settings.web.token.get_secret_value() == "0123456789abcdef"
    assert ("WORKER_WEB__TOKEN", "(hidden)") in describe(settings)
    assert "0123456789abcdef" not in repr(settings)


@given(st.sampled_from(sorted(module.FIELDS)))
def test_a_key_written_into_another_variable_is_never_shown(name: str) -> None:
    """Law 9."""
    environ = {**without(module.ALIASES.get(name, name)), name: f"{KEY} x"}
    try:
        shown = str(describe(load_settings(environ)))
    except SettingsError as error:
        shown = str(error)

    assert KEY not in shown


def test_no_secret_is_in_the_text_of_the_settings() -> None:
    """Law 9."""
    assert KEY not in repr(load())


# -- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("WORKER_QUEUE__URL", "events", "it must begin with https:// (or http://) and name a host"),
        ("WORKER_QUEUE__URL", "ftp://host/q", "it must begin with https:// (or http://) and name a host"),
        ("WORKER_QUEUE__URL", "https://host:port/1/q", "Port could not be cast to integer value as 'port'"),
        (
            "WORKER_QUEUE__URL",
            "https://sqs.eu-west-1.amazonaws.com",
            "the queue's name is missing at its end",
        ),
        ("WORKER_QUEUE__URL", "arn:aws:sqs:eu-west-1:1:q", "this is the queue's ARN; its URL is wanted"),
        ("WORKER_ARCHIVE__URL", "acme-archive", "it must begin with s3:// and the name of a bucket"),
        ("WORKER_ARCHIVE__URL", "s3://", "it must begin with s3:// and the name of a bucket"),
        (
            "WORKER_ARCHIVE__URL",
            "https://b.s3.amazonaws.com",
            "it must begin with s3:// and the name of a bucket",
        ),
        ("WORKER_ARCHIVE__URL", "s3://a b/receipts", "it must begin with s3:// and the name of a bucket"),
        (
            "WORKER_ARCHIVE__URL",
            "s3://acme/a//b",
            'its prefix has an empty segment, or one that is "." or ".."',
        ),
        (
            "WORKER_ARCHIVE__URL",
            "s3://acme/a/../b",
            'its prefix has an empty segment, or one that is "." or ".."',
        ),
        ("WORKER_ARCHIVE__URL", "s3://acme/" + "a" * 901, "its prefix takes 900 bytes at most"),
        (
            "WORKER_ARCHIVE__URL",
            "s3://acme/a\nb",
            "its prefix takes 900 bytes at most, all of them of printable",
        ),
        ("WORKER_QUEUE__URL", QUEUE + ".fifo", "S3 cannot send events to a FIFO queue; use a standard queue"),
        ("WORKER_QUEUE__DEAD_LETTER_URL", "dead", "it must begin with https://"),
        ("WORKER_QUEUE__VISIBILITY_SECONDS", "43201", "should be less than or equal to 43200"),
        ("WORKER_QUEUE__VISIBILITY_SECONDS", "two", "should be a valid integer"),
        ("WORKER_QUEUE__WAIT_SECONDS", "21", "should be less than or equal to 20"),
        ("WORKER_QUEUE__WAIT_SECONDS", "-1", "should be greater than or equal to 0"),
        ("WORKER_DARWIN__DATASET", "acme/line", "a slug has no spaces and no slashes"),
        ("DARWIN_TEAM", "Acme Inc", "a slug has no spaces and no slashes"),
        ("DARWIN_BASE_URL", "darwin.v7labs.com", "it must begin with https://"),
        ("WORKER_DARWIN__REQUEST_TIMEOUT_SECONDS", "0", "should be greater than 0"),
        ("WORKER_DARWIN__REQUEST_TIMEOUT_SECONDS", "nan", "should be a finite number"),
        ("WORKER_QUOTA__BURST", "0", "should be greater than or equal to 1"),
        ("WORKER_BATCH__MAX_ITEMS", "101", "should be less than or equal to 100"),
        ("WORKER_BATCH__MAX_ITEMS", "0", "should be greater than or equal to 1"),
        ("WORKER_LIMITS__OPEN_RECORDS", "9", "should be greater than or equal to 10"),
        ("WORKER_LEDGER__URL", "/data/ledger.db", "it must begin with sqlite:///, redis://, rediss:// or"),
        (
            "WORKER_LEDGER__URL",
            "mysql://:secret@host/0",
            "it must begin with sqlite:///, redis://, rediss:// or",
        ),
        (
            "WORKER_LEDGER__URL",
            "sqlite://host/ledger.db",
            "after sqlite:// it takes the absolute path of a file",
        ),
        ("WORKER_LEDGER__URL", "sqlite:///data/", "after sqlite:// it takes the absolute path of a file"),
        ("WORKER_LEDGER__URL", "redis://:secret@/0", "after redis:// it takes a host"),
        ("WORKER_LEDGER__URL", "rediss://:secret@host/first", "after rediss:// it takes a host"),
        ("WORKER_LEDGER__URL", "dynamodb://", "after dynamodb:// it takes the name of a table"),
        ("WORKER_LEDGER__URL", "dynamodb://no/table", "after dynamodb:// it takes the name of a table"),
        ("WORKER_REPLICAS", "0", "should be greater than or equal to 1"),
        ("WORKER_WEB__PORT", "65536", "should be less than or equal to 65535"),
        ("WORKER_DRAIN_SECONDS", "inf", "should be a finite number"),
        ("WORKER_LOG__LEVEL", "chatty", "should be 'debug', 'info', 'warning' or 'error'"),
        ("WORKER_LOG__FORMAT", "xml", "should be 'json' or 'console'"),
    ],
)
def test_a_value_that_cannot_be_is_told_with_what_the_setting_takes(name: str, value: str, why: str) -> None:
    line = refusal(**{name: value})

    assert line.startswith(f"{name} is ")
    assert f": {why}" in line
    assert "; it takes " in line
    assert "secret" not in line


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://redis:6379/0", "redis://redis:6379/0"),
        ("redis://worker:secret@redis", "redis://***@redis"),
        ("rediss://:secret@redis:6380/2", "rediss://***@redis:6380/2"),
        ("dynamodb://darwin-ledger", "dynamodb://darwin-ledger"),
    ],
)
def test_a_fleets_ledger_is_shown_without_its_password(url: str, shown: str) -> None:
    """Law 9."""
    settings = load(WORKER_LEDGER__URL=url, WORKER_REPLICAS="3")
    assert ("WORKER_LEDGER__URL", shown) in describe(settings)
    assert settings.ledger.url.get_secret_value() == url
    assert "secret" not in repr(settings)


def test_a_sqlite_ledger_serves_one_worker_and_is_refused_to_a_fleet() -> None:
    assert refusal(WORKER_LEDGER__URL="sqlite:///data/ledger.db", WORKER_REPLICAS="2") == (
        "WORKER_REPLICAS is 2, but WORKER_LEDGER__URL is a SQLite file, which serves one worker: "
        "give a fleet a ledger in Redis or DynamoDB"
    )


def test_the_parts_of_a_ledgers_place() -> None:
    assert load(WORKER_LEDGER__URL="dynamodb://darwin-ledger").ledger.table == "darwin-ledger"
    assert load(WORKER_LEDGER__URL="rediss://redis").ledger.scheme == "rediss"


@pytest.mark.parametrize("url", ["sqlite:///data/ledger.db", "sqlite:////data/ledger.db"])
def test_the_ledgers_path_is_absolute_however_many_slashes_are_written(url: str) -> None:
    assert load(WORKER_LEDGER__URL=url).ledger.path == Path("/data/ledger.db")


def test_the_ledger_is_in_the_services_folder_where_that_is_there_and_writable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "SERVICE_FOLDER", tmp_path)

    assert load().ledger.path == tmp_path / "ledger.sqlite3"


@pytest.mark.parametrize(
    ("state", "path"),
    [
        ("/state", "/state/darwin-worker/ledger.sqlite3"),
        ("relative", "/home/worker/.local/state/darwin-worker/ledger.sqlite3"),
    ],
)
def test_elsewhere_the_ledger_is_in_the_users_folder_for_state(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: str, path: str
) -> None:
    """The XDG base directory specification has relative paths ignored."""
    monkeypatch.setattr(module, "SERVICE_FOLDER", tmp_path / "absent")

    assert load(XDG_STATE_HOME=state).ledger.path == Path(path)


# -- laws across fields ---------------------------------------------------------------------------------------------


def test_a_lease_outlasts_a_receive_and_a_request() -> None:
    """Law 3."""
    assert load(WORKER_QUEUE__VISIBILITY_SECONDS="34").queue.visibility_seconds == 34
    assert refusal(WORKER_QUEUE__VISIBILITY_SECONDS="33") == (
        "WORKER_QUEUE__VISIBILITY_SECONDS is 33, but a lease must outlast one receive (10), one request (20) "
        "and 4 seconds around them; set it to 34 or more"
    )


def test_a_lease_that_a_slow_call_may_cost_is_a_caution_only() -> None:
    assert cautions(load(WORKER_QUEUE__VISIBILITY_SECONDS="45")) == []
    (caution,) = cautions(load(WORKER_QUEUE__VISIBILITY_SECONDS="44"))
    assert caution == (
        "WORKER_QUEUE__VISIBILITY_SECONDS is 44: a slow call to SQS or to the ledger may cost leases, and their messages "
        "are then received once more; from 45 on it has room"
    )


def test_a_receive_that_does_not_wait_is_a_caution_only() -> None:
    assert cautions(load(WORKER_QUEUE__WAIT_SECONDS="1")) == []
    (caution,) = cautions(load(WORKER_QUEUE__WAIT_SECONDS="0"))
    assert caution == (
        "WORKER_QUEUE__WAIT_SECONDS is 0: an idle worker asks SQS again as soon as it has answered, and each call is "
        "billed; from 1 on a receive waits for a message"
    )


def test_a_receive_under_way_fits_the_stop() -> None:
    """Law 6."""
    assert load(WORKER_DRAIN_SECONDS="15.5").drain_seconds == 15.5
    assert refusal(WORKER_DRAIN_SECONDS="15") == (
        "WORKER_QUEUE__WAIT_SECONDS is 10, but a stop waits for the receive that is under way; "
        "set it below 10, or WORKER_DRAIN_SECONDS above 15"
    )


@pytest.mark.parametrize(
    "name", ["WORKER_QUOTA__REQUESTS_PER_MINUTE", "WORKER_QUOTA__GENERAL_REQUESTS_PER_MINUTE"]
)
def test_a_quota_refills(name: str) -> None:
    """Law 4: what refills is the limit less the burst."""
    load(**{name: "6", "WORKER_QUOTA__BURST": "5"})
    assert refusal(**{name: "5", "WORKER_QUOTA__BURST": "5"}).startswith(
        f"{name} is 5, but must be above WORKER_QUOTA__BURST (5)"
    )


def test_the_dead_letter_queue_is_another_queue() -> None:
    assert refusal(WORKER_QUEUE__DEAD_LETTER_URL=QUEUE).startswith(
        "WORKER_QUEUE__DEAD_LETTER_URL is the queue itself"
    )


def test_a_request_that_may_outlast_a_stop_is_a_caution_only() -> None:
    assert cautions(load()) == []
    (caution,) = cautions(load(WORKER_DARWIN__REQUEST_TIMEOUT_SECONDS="25"))
    assert caution.startswith(
        "WORKER_DARWIN__REQUEST_TIMEOUT_SECONDS (25) is not below WORKER_DRAIN_SECONDS (25)"
    )


def test_problems_of_all_kinds_are_told_together() -> None:
    lines = refused({**ENOUGH, "WORKER_ZZZ": "1", "WORKER_DARWIN__TEAM": "globex", "WORKER_WEB__PORT": "x"})

    assert [line.split()[0] for line in lines] == ["WORKER_ZZZ", "WORKER_DARWIN__TEAM", "WORKER_WEB__PORT"]
