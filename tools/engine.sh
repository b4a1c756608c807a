#!/bin/sh
# Builds the RocksDB that Debian packages, from Debian's source package, in Release mode: no live asserts, SSE4.2 and
# PCLMUL checksums. Result: build/engine/{include,lib/librocksdb.a}, linked by `make ENGINE=native`.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$top/build/engine}
work=$top/build/engine-src
root=""
[ "$(id -u)" = 0 ] || root=sudo

version=$(dpkg-query -W -f '${source:Version}' librocksdb-dev)
if [ -f "$out/lib/librocksdb.a" ] && [ "$(cat "$out/VERSION" 2>/dev/null)" = "$version" ]; then
    exit 0
fi
for package in cmake dpkg-dev libbz2-dev zlib1g-dev; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="${missing:-} $package"
done
if [ -n "${missing:-}" ]; then
    $root apt-get update -qq
    $root apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

rm -rf "$work"
mkdir -p "$work/lists/partial" "$out/lib" "$out/include"
cd "$work"
# The machine's own package sources, as source packages, in lists of our own: nothing of the machine is changed.
: > sources.sources
: > sources.list
for file in /etc/apt/sources.list.d/*.sources; do
    [ -f "$file" ] && sed 's/^Types:.*/Types: deb-src/' "$file" >> sources.sources && echo >> sources.sources
done
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -f "$file" ] && sed -n 's/^deb \(.*\)/deb-src \1/p' "$file" >> sources.list
done
source=sources.list
[ -s sources.sources ] && source=sources.sources
apt_options="-o Dir::Etc::sourcelist=$work/$source -o Dir::Etc::sourceparts=/nonexistent -o Dir::State::lists=$work/lists -o APT::Sandbox::User=root"
apt-get $apt_options update -qq
apt-get $apt_options source -qq "rocksdb=$version"
mkdir build
cd build
echo "building RocksDB $version in Release mode: 5 to 30 minutes"
cmake ../rocksdb-*/ -DCMAKE_BUILD_TYPE=Release -DPORTABLE=1 -DFORCE_SSE42=ON \
    -DCMAKE_CXX_FLAGS="-march=x86-64-v2 -mpclmul -DHAVE_SSE42 -DHAVE_PCLMUL" -DFAIL_ON_WARNINGS=OFF \
    -DWITH_TESTS=OFF -DWITH_TOOLS=OFF -DWITH_CORE_TOOLS=OFF -DWITH_BENCHMARK_TOOLS=OFF -DWITH_GFLAGS=OFF \
    -DWITH_LZ4=ON -DWITH_ZSTD=ON -DWITH_SNAPPY=ON -DROCKSDB_BUILD_SHARED=OFF -DUSE_RTTI=ON > cmake.log 2>&1 ||
    { tail -20 cmake.log >&2; exit 1; }
make -j"$(nproc)" rocksdb > make.log 2>&1 || { tail -20 make.log >&2; exit 1; }
cp librocksdb.a "$out/lib/"
rm -rf "$out/include/rocksdb"
cp -r ../rocksdb-*/include/rocksdb "$out/include/"
echo "$version" > "$out/VERSION"
cd /
rm -rf "$work"
