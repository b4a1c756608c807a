#!/bin/sh
# Installs the Debian packages that are missing: deps.sh build|test|golden|package... Asks apt only if something is.
set -eu

build="gcc g++ make pkg-config re2c lemon librocksdb-dev liblz4-dev libsnappy-dev libzstd-dev libssl-dev libgmp-dev libmpfr-dev
       libmicrohttpd-dev zlib1g-dev libpcre2-dev tzdata python3"
test="libcmocka-dev python3-venv ca-certificates"
golden="openjdk-17-jre-headless maven"

wanted=""
for group in "$@"; do
    case $group in
    build) wanted="$wanted $build" ;;
    test) wanted="$wanted $test"
        # Node may have come from elsewhere than Debian, with its own npm.
        command -v node >/dev/null || wanted="$wanted nodejs"
        command -v npm >/dev/null || wanted="$wanted npm"
        command -v go >/dev/null || wanted="$wanted golang-go"
        command -v javac >/dev/null || wanted="$wanted openjdk-17-jdk-headless"
        command -v mvn >/dev/null || wanted="$wanted maven"
        # The Rust compiler that Debian keeps new for browsers; the other is of 2022.
        command -v cargo >/dev/null || wanted="$wanted cargo-web rustc-web" ;;
    package) wanted="$wanted dpkg-dev binutils" ;;
    golden) wanted="$wanted $golden" ;;
    *) echo "deps.sh: no group $group" >&2; exit 2 ;;
    esac
done

missing=""
for package in $wanted; do
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true) in
    "install ok installed") ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

root=""
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "deps.sh: install as root:$missing" >&2; exit 1; }
    root="sudo"
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# What apt knows may be too old to install from: ask it for news first, once.
$root apt-get update -qq
# shellcheck disable=SC2086
$root apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 $missing >/dev/null
