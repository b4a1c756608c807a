#!/bin/sh
# make package: a Debian package of a built server. package.sh BINARY OUT.deb-directory
set -eu

binary=$1 out=$2
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
version=$("$binary" version | sed -n 's/^helenus \([0-9][^ ]*\) .*/\1/p')
architecture=$(dpkg --print-architecture)
[ -n "$version" ] || { echo "package.sh: $binary does not say its version" >&2; exit 1; }

install -D -m 0755 "$binary" "$root/usr/bin/helenus"
strip "$root/usr/bin/helenus"
install -D -m 0644 "$top/packaging/helenus.service" "$root/lib/systemd/system/helenus.service"
install -D -m 0644 "$top/docs/configuration.md" "$root/usr/share/doc/helenus/configuration.md"
install -D -m 0644 "$top/LICENSE" "$root/usr/share/doc/helenus/copyright"
install -d -m 0755 "$root/etc/helenus" "$root/DEBIAN"
# Every option as a comment, but for the two without which a service can't start.
"$binary" help file | sed -e 's|^#data = .*|data = /var/lib/helenus|' -e 's|^#dev = .*|dev = true|' > "$root/etc/helenus/helenus.conf"
chmod 0644 "$root/etc/helenus/helenus.conf"
[ "$(grep -c '^[a-z]' "$root/etc/helenus/helenus.conf")" = 2 ] || { echo "package.sh: the configuration file is not as expected" >&2; exit 1; }

# The packages of the libraries it needs, as the linker names them.
mkdir "$work/debian"
printf 'Source: helenus\n\nPackage: helenus\nArchitecture: any\n' > "$work/debian/control"
libraries=$(cd "$work" && dpkg-shlibdeps -O root/usr/bin/helenus 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
[ -n "$libraries" ] || { echo "package.sh: the libraries' packages can't be told" >&2; exit 1; }

cat > "$root/DEBIAN/control" <<EOF
Package: helenus
Version: $version
Architecture: $architecture
Maintainer: helenus <helenus@localhost>
Section: database
Priority: optional
Depends: $libraries, passwd, tzdata, init-system-helpers
Installed-Size: $(du -sk "$root" | cut -f1)
Description: database that speaks CQL
 A server that Cassandra's drivers and cqlsh can talk to unchanged, with everything
 it stores encrypted and every acknowledged write synced to disk.
EOF
echo /etc/helenus/helenus.conf > "$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do
    install -m 0755 "$top/packaging/$script" "$root/DEBIAN/$script"
done
mkdir -p "$out"
dpkg-deb --root-owner-group --build "$root" "$out/helenus_${version}_$architecture.deb" >/dev/null
echo "$out/helenus_${version}_$architecture.deb"
