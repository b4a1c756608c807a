"""What these tests count, and how they end: `N passed, N failed, N skipped`."""
passed, failed, skipped = 0, [], []


def check(right, name, what=""):
    global passed
    if right:
        passed += 1
    else:
        failed.append(name)
        print(f"FAILED {name}: {what}"[:2000])


def skip(name, why):
    skipped.append(name)
    print(f"skipped {name}: {why}")


def finish():
    """The last line, and the exit code: a run without a check is none."""
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed or not passed else 0
