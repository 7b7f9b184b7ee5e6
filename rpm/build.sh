#!/bin/sh
# Build the RPM and the SRPM of HEAD into OUTDIR. Needs git and rpmbuild; no network, no root.
#
# usage: rpm/build.sh [OUTDIR]      (default: dist/ at the top of the repository)
set -eu

fail() {
    echo "rpm/build.sh: $*" >&2
    exit 1
}

[ $# -le 1 ] || fail "usage: rpm/build.sh [OUTDIR]"
top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
out=${1:-$top/dist}
mkdir -p -- "$out"
out=$(CDPATH='' cd -- "$out" && pwd -P) # before we leave the caller's directory
cd -- "$top"

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Everything comes from one commit, the spec too, so that the SRPM can be made again from it.
commit=$(git rev-parse --verify HEAD)
[ -z "$(git status --porcelain)" ] || echo "rpm/build.sh: building $commit without the uncommitted changes" >&2
mkdir "$work/SOURCES" "$work/SPECS" "$work/TMP"
spec=$work/SPECS/fuel-image.spec
git show "$commit:rpm/fuel-image.spec" > "$spec"

version=$(git show "$commit:fuel_image/__init__.py" | sed -n 's/^__version__ = "\(.*\)"$/\1/p')
spec_version=$(sed -n 's/^Version:[[:space:]]*//p' "$spec")
[ -n "$version" ] || fail "fuel_image/__init__.py has no __version__"
[ "$version" = "$spec_version" ] ||
    fail "fuel_image/__init__.py says version $version, rpm/fuel-image.spec says $spec_version"

git archive --format=tar.gz --prefix="fuel-image-$version/" \
    --output="$work/SOURCES/fuel-image-$version.tar.gz" "$commit"

# The same commit gives the same files with the same times, and the packages do not tell the build host's name.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct "$commit")
export SOURCE_DATE_EPOCH
# The RPM database is not asked (on a host that is no RPM system it knows nothing), and none is made in $HOME.
rpmbuild -ba --quiet --nodeps \
    --define "_topdir $work" \
    --define "_tmppath $work/TMP" \
    --define "_dbpath $work/DB" \
    --define "_buildhost localhost" \
    --define "use_source_date_epoch_as_buildtime 1" \
    --define "clamp_mtime_to_source_date_epoch 1" \
    "$spec" > "$work/log" 2>&1 || {
    cat -- "$work/log" >&2
    fail "rpmbuild failed"
}

for package in "$work"/RPMS/noarch/*.rpm "$work"/SRPMS/*.rpm; do
    cp -- "$package" "$out/"
    echo "$out/${package##*/}"
done
