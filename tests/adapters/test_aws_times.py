"""What the SDK makes of the times that AWS writes, by a quicker parser of ours."""

from datetime import UTC, datetime

import pytest

from worker.adapters import aws_session

NINE = datetime(2031, 2, 1, 9, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2031-02-01T09:00:00.000Z", NINE),
        ("2031-02-01T09:00:00Z", NINE),
        ("2031-02-01T09:00:00.250Z", NINE.replace(microsecond=250_000)),
        ("20310201T090000Z", NINE),
        ("Sat, 01 Feb 2031 09:00:00 GMT", NINE),
        ("2031-02-01T10:00:00+01:00", NINE),
        ("1927702800", NINE),
        (1_927_702_800, NINE),
        (1_927_702_800.25, NINE.replace(microsecond=250_000)),
    ],
)
def test_every_form_of_a_time_is_the_moment_that_it_says(written: str | float, moment: datetime) -> None:
    read = aws_session.moment_of
    assert read(written) == moment
    assert read(written).tzinfo is not None


def test_what_is_no_time_is_refused_as_the_sdk_does() -> None:
    with pytest.raises(ValueError, match="Invalid timestamp"):
        aws_session.moment_of("at nine Z")
