#!/usr/bin/env python3
"""Writes the table of docs/configuration.md from the options of build/helenus; --check only says whether it is up to date."""
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = os.environ.get("HELENUS", str(ROOT / "build" / "helenus"))
BEGIN, END = "<!-- options -->\n", "<!-- /options -->"


def main():
    page = ROOT / "docs" / "configuration.md"
    head, rest = page.read_text().split(BEGIN)
    old, tail = rest.split(END)
    new = subprocess.run([BINARY, "help", "reference"], capture_output=True, text=True, check=True).stdout
    if "--check" in sys.argv:
        if old != new:
            print("docs/configuration.md is not what helenus has: run make configuration")
        return old != new
    page.write_text(head + BEGIN + new + END + tail)
    return 0


if __name__ == "__main__":
    sys.exit(main())
