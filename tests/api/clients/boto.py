"""boto3 in the table of tests/api/cells.py: a command per line in, what boto3 made of the answer out.

    boto.py [cbor]

With "cbor" the models say that CBOR is all that the services speak. Endpoint, keys and region come from the environment, as for any program.
"""
import datetime
import json
import pathlib
import sys

import botocore.exceptions
from botocore import xform_name

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from sdk import session  # noqa: E402


def plain(value):
    """As AWS's model has it; times are seconds since 1970."""
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if isinstance(value, dict):
        return {name: plain(v) for name, v in value.items() if name != "ResponseMetadata"}
    return [plain(v) for v in value] if isinstance(value, list) else value


def run(client, operation, input, page=None):
    try:
        if page:
            limit = {"PaginationConfig": {"PageSize": page["size"]}} if page["member"] else {}
            pages = client.get_paginator(xform_name(operation)).paginate(**limit, **input)
            return {"pages": [plain(one) for one in pages]}
        answer = getattr(client, xform_name(operation))(**input)
        return {"answer": plain(answer), "id": answer["ResponseMetadata"]["RequestId"]}
    except botocore.exceptions.ClientError as error:
        # A class of its own, client.exceptions.NAME, is what an application catches.
        code, meta = error.response["Error"]["Code"], error.response["ResponseMetadata"]
        name = type(error).__name__
        return {"fault": name if name == code else f"{name}: {code}", "message": error.response["Error"]["Message"],
                "status": meta["HTTPStatusCode"], "id": meta["RequestId"]}
    except botocore.exceptions.BotoCoreError as error:
        return {"fault": "Client", "message": str(error)}


def main():
    made, clients = session("cbor" in sys.argv), {}
    for line in sys.stdin:
        command = json.loads(line)
        service = command.pop("service")
        if service not in clients:
            clients[service] = made.client(service)
        print(json.dumps(run(clients[service], **command)), flush=True)


if __name__ == "__main__":
    main()
