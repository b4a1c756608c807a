"""The test suites of others, fetched once into build/aws."""
import pathlib
import subprocess
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / "build" / "aws"
BOTOCORE = "1.44.8"


def botocore_source():
    """botocore's source distribution, which has its tests."""
    CACHE.mkdir(parents=True, exist_ok=True)
    source = CACHE / f"botocore-{BOTOCORE}"
    if not (source / "tests" / "unit").exists():
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", "botocore",
                        "--dest", str(CACHE), f"botocore=={BOTOCORE}"], check=True)
        with tarfile.open(CACHE / f"botocore-{BOTOCORE}.tar.gz") as archive:
            archive.extractall(CACHE, filter="data")
    return source
