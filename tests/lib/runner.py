"""One way to run a file's tests: those that the command line names, or all; each is told and counted, and a failure ends none of the others."""
import sys
import traceback


def run_tests(tests, *given, traces=False):
    """Calls each with `given`; the exit code. traces: where it failed, too."""
    wanted, failed = sys.argv[1:], 0
    tests = [test for test in tests if not wanted or test.__name__ in wanted]
    for test in tests:
        try:
            test(*given)
            print(f"ok {test.__name__}", flush=True)
        except Exception as e:  # noqa: BLE001 - told, counted, next test
            failed += 1
            if traces:
                traceback.print_exc()
            print(f"FAILED {test.__name__}: {type(e).__name__} {e}", flush=True)
    print(f"{len(tests) - failed} passed, {failed} failed, 0 skipped", flush=True)
    return 1 if failed else 0
