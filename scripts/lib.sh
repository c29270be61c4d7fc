# shellcheck shell=bash
# Helpers that the scripts of this folder share. Source it, do not run it:
#
#   . "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
#
# It sets ROOT (the repository), enters it, and exports GOFLAGS.

set -euo pipefail

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
cd -- "$ROOT"

# The io_uring bindings reach into package syscall by linkname, which the linker
# refuses since Go 1.23 unless it is told otherwise. The user's own flags stay;
# an own -ldflags in them would be replaced, which is why it is last.
case " ${GOFLAGS:-} " in
*checklinkname=0*) ;;
*) GOFLAGS="${GOFLAGS:+$GOFLAGS }-ldflags=-checklinkname=0" ;;
esac
# Without this machine's folders in them the same source gives the same programs
# anywhere, and profiles that are kept name no one's home. For all that is built
# here, since what is built with and without it is kept apart.
case " $GOFLAGS " in
*" -trimpath"*) ;;
*) GOFLAGS="$GOFLAGS -trimpath" ;;
esac
export GOFLAGS

# say prints a line for the reader of the script's progress.
say() { printf '%s\n' "$*"; }

# warn prints a line that the reader should not miss.
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# die ends the script with exit code 1, usage_error with 2.
die() {
	warn "$*"
	exit 1
}
usage_error() {
	warn "$* (see --help)"
	exit 2
}

# need names the programs without which the script cannot go on.
need() {
	local program
	for program in "$@"; do
		command -v "$program" >/dev/null 2>&1 ||
			die "$program is not installed, and is needed here"
	done
}

# scratch makes a folder that is removed when the script ends, and names it in
# SCRATCH. A second call gives the same folder.
scratch() {
	[ -n "${SCRATCH:-}" ] && return
	SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/c1000k.XXXXXX")
	trap 'rm -rf -- "$SCRATCH"' EXIT
}

# grouped prints a whole number with its thousands apart: 1,000,000.
grouped() {
	local n=$1 out=
	while [ ${#n} -gt 3 ]; do
		out=",${n: -3}$out"
		n=${n:0:${#n}-3}
	done
	printf '%s' "$n$out"
}

# c1000k_build builds the server and the experiments and names their folder in
# BUILD: in the user's cache, apart for each clone. What is built already costs
# a second. With the argument plant the server is built once more, as comet-plant,
# with the tag by which it can have planted costs.
c1000k_build() {
	command -v go >/dev/null 2>&1 ||
		die "Go is not installed (or not on PATH), and the programs are built from source: version $(sed -n 's/^go //p' go.mod) or later is needed"
	BUILD=${XDG_CACHE_HOME:-${HOME:-${TMPDIR:-/tmp}}/.cache}/c1000k/$(printf '%s' "$ROOT" | cksum | cut -d' ' -f1)
	mkdir -p -- "$BUILD" || die "$BUILD cannot be made, and the programs are to be built there (XDG_CACHE_HOME moves it)"
	# Go stamps the commit into the programs, and fails where git will not tell.
	local stamp=
	git rev-parse HEAD >/dev/null 2>&1 || stamp=-buildvcs=false
	say "building comet and experiment with $(go env GOVERSION) into $BUILD"
	go build $stamp -o "$BUILD/" ./comet/cmd/comet ./experiments/cmd/experiment ||
		die "the build failed, see above"
	[ "${1:-}" != plant ] || go build $stamp -tags plant -o "$BUILD/comet-plant" ./comet/cmd/comet ||
		die "the build failed, see above"
}
