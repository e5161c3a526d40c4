"""The clock of a store that has none to ask, such as DynamoDB: ours, put right by the Date of the store's answers.

So a fleet whose machines' clocks are minutes apart agrees, to a second or so, on what has lapsed (law 1). A clock that is
right is never touched, for the Date of an answer has whole seconds only and says less than such a clock knows.
"""

RESOLUTION = 1.0
"""Seconds that one Date stands for (RFC 9110, section 5.6.7): the store's time was then, or less than this later."""


def corrected(offset: float, told: float, asked: float, answered: float) -> float:
    """What is to be added to our clock, by one more answer: *offset* as it was, or as near to it as the answer allows.

    The answer was *told* (its Date) at some moment between *asked* and *answered*, both on our clock as it stands, without
    the offset. All in Unix seconds. As every answer allows the true offset, no answer makes a wrong one worse.
    """
    least = told - answered
    most = told + RESOLUTION - asked
    if least > most:  # our clock was set back while we waited: the answer says nothing
        return offset
    return min(max(offset, least), most)
