"""Text of others where people read it: a key, a name or a detail may hold anything."""


def printable(text: str) -> str:
    """*text* in one line that does to a terminal, or a page, nothing but stand there."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
