#!/bin/sh
# make fresh: a bare Debian 12 in a chroot with git and make, a clone of this commit, make test, make run and a query.
# What this machine needs to reach its package mirrors (sources, keys, proxies, certificates, registry settings) is
# carried into the chroot at run time. FRESH_DIR keeps the chroot elsewhere; KEEP=1 keeps it afterwards.
set -eu

[ "$(id -u)" = 0 ] || { echo "fresh: needs root (debootstrap, chroot)" >&2; exit 1; }
command -v debootstrap >/dev/null || { apt-get update -qq; apt-get install -y -qq --no-install-recommends debootstrap; }

here=$(pwd)
dir=${FRESH_DIR:-$(mktemp -d /var/tmp/helenus-fresh.XXXXXX)}
server=""
clean() {
    [ -z "$server" ] || kill -- "-$server" 2>/dev/null || true
    for mount in dev/shm dev/pts dev proc; do
        umount -l "$dir/$mount" 2>/dev/null || true
    done
    [ -n "${KEEP:-}" ] || rm -rf --one-file-system "$dir"
}
chmod 755 "$dir" # it is everybody's root
trap clean EXIT
trap 'exit 1' INT TERM

# The mirror of this machine, if it names one.
mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -1)
[ -n "$mirror" ] || mirror=$(sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) .*/\2/p' /etc/apt/sources.list 2>/dev/null | head -1)
echo "== debootstrap"
if ! debootstrap --variant=minbase --include=git,make,ca-certificates bookworm "$dir" $mirror > "$dir.log" 2>&1; then
    tail -20 "$dir.log"
    exit 1
fi
rm -f "$dir.log"

carry() {
    for path in "$@"; do
        [ -e "$path" ] || continue
        mkdir -p "$dir$(dirname "$path")"
        cp -aL --remove-destination "$path" "$dir$(dirname "$path")/"
    done
}
[ -e /etc/apt/sources.list ] || rm -f "$dir/etc/apt/sources.list"
carry /etc/resolv.conf /etc/hosts /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/apt.conf.d /etc/apt/keyrings \
      /etc/apt/trusted.gpg.d /etc/pip.conf /etc/npmrc /usr/local/share/ca-certificates /etc/ssl/certs/ca-certificates.crt
carry "$HOME/.config/pip" "$HOME/.pip" "$HOME/.npmrc" "$HOME/.m2/settings.xml" "$HOME/.cargo/config.toml" \
      "$HOME/.config/go/env"
# Hooks of this machine's apt (recommendations of desktop helpers and the like) have no business there.
rm -f "$dir"/etc/apt/apt.conf.d/*docker* "$dir"/etc/apt/apt.conf.d/20listchanges
set --
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY SSL_CERT_FILE SSL_CERT_DIR \
            REQUESTS_CA_BUNDLE PIP_CERT PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST NODE_EXTRA_CA_CERTS \
            npm_config_registry npm_config_cafile GOPROXY GOSUMDB GONOSUMDB GOFLAGS CARGO_HTTP_CAINFO CARGO_HTTP_PROXY \
            MAVEN_OPTS MAVEN_ARGS JAVA_TOOL_OPTIONS; do
    eval "value=\${$name:-}"
    [ -n "$value" ] || continue
    [ ! -f "$value" ] || carry "$value"
    set -- "$@" "$name=$value"
done
enter="chroot $dir /usr/bin/env -i HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
       PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
inside() {
    $enter "$@"
}
[ "$HOME" = /root ] || cp -a "$dir$HOME/." "$dir/root/" 2>/dev/null || true

# Java keeps certificates in a store of its own, filled from those that are installed, not from the carried bundle.
inside update-ca-certificates >/dev/null 2>&1
carry /etc/ssl/certs/ca-certificates.crt

mount -t proc proc "$dir/proc"
mount --bind /dev "$dir/dev"
mount --bind /dev/pts "$dir/dev/pts"
mkdir -p "$dir/dev/shm"
mount -t tmpfs tmpfs "$dir/dev/shm"

git clone -q --no-hardlinks "$here" "$dir/root/helenus"
echo "== make test at $(git rev-parse --short HEAD)"
begin=$(date +%s)
inside "$@" make -s -C /root/helenus test | tee "$dir/test.log"
tail -1 "$dir/test.log" | grep -qE '^[0-9]+ passed, 0 failed, [0-9]+ skipped$'
echo "== make test took $(($(date +%s) - begin)) s"

echo "== make run"
# A group of its own, so that not only make is stopped.
(exec setsid $enter "$@" make -s -C /root/helenus run CQL_PORT=19642 HTTP_PORT=19680) > "$dir/run.log" 2>&1 &
server=$!
for _ in $(seq 600); do
    grep -q "Starting listening for CQL clients" "$dir/run.log" && break
    kill -0 "$server" 2>/dev/null || { cat "$dir/run.log"; exit 1; }
    sleep 0.1
done
answer=$(inside /root/helenus/build/venv/bin/cqlsh 127.0.0.1 19642 -e "SELECT release_version FROM system.local")
echo "$answer"
echo "$answer" | grep -q "(1 rows)"
echo "fresh: both commands work on a bare Debian 12"
