"""The aws CLI in the table of tests/api/cells.py: a command per line in, what `aws` printed out.

A process for each, which runs what the script `aws` runs; it is forked from this one, so that its half a second of imports is spent once.
"""
import json
import os
import re
import sys
import tempfile

import awscli.clidriver
from botocore import xform_name

FAULT = re.compile(r"An error occurred \((\w+)\) when calling the \w+ operation(?: \([^)]*\))?: ?(.*)", re.S)


def aws(*arguments):
    """(exit code, standard output, standard error)"""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            code = 1
            try:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                sys.argv = ["aws", "--output", "json", *arguments]
                code = awscli.clidriver.main()
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)  # what the parent has begun is not the child's to end
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        out.seek(0)
        err.seek(0)
        return code, out.read().decode(), err.read().decode()


def run(service, operation, input, page=None):
    paging = ["--no-paginate"] if not page else ["--page-size", str(page["size"])] if page["member"] else []
    # `sts` has one operation without input, which takes no --cli-input-json of nothing.
    given = ["--cli-input-json", json.dumps(input)] if input else []
    code, out, err = aws(service, xform_name(operation, "-"), *given, *paging)
    if code == 0:
        answer = json.loads(out or "{}")
        return {"pages": [answer]} if page else {"answer": answer}
    found = FAULT.search(err)
    return {"fault": found[1], "message": found[2].strip()} if found else {"fault": "Client", "message": f"{code} {out} {err}"}


def main():
    for line in sys.stdin:
        print(json.dumps(run(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
