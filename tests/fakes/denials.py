"""AWS's words where its policies deny a call."""

ROLE = "User: arn:aws:sts::111122223333:assumed-role/darwin-worker/0a1b2c3d4e5f"
TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/ledger"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/8f7e6d5c-1111-2222-3333-444455556666"


def denied(action: str, resource: str) -> str:
    """The sentence of whoever lacks an identity-based policy."""
    return (
        f"{ROLE} is not authorized to perform: {action} on resource: {resource} because no identity-based policy allows the "
        f"{action} action"
    )
