# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
#
# Shell functions of the scripts; sourced, by bash with set -eu. The working directory becomes the
# repository's root.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
export LC_ALL=C.UTF-8 PATH=$PATH:/usr/sbin:/sbin

say() { echo "== $*"; }

# problem SENTENCE: what is wrong and what to do about it. die: the same, and the end.
problem() { echo "$(basename "$0"): $*" >&2; }
die() {
	problem "$@"
	exit 1
}

need_root() {
	[ "$(id -u)" = 0 ] || die "this needs root for packages and network namespaces; run it with sudo."
}

# Names of the packages of scripts/packages.txt that are not installed.
missing_packages() {
	local wanted
	wanted=$(sed 's/#.*//' scripts/packages.txt)
	# shellcheck disable=SC2086
	comm -23 <(printf '%s\n' $wanted | sort -u) \
		<(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null |
			sed -n 's/^installed //p' | sort -u)
}

# Installs what is missing; says nothing and asks no server when all is there.
install_packages() {
	local missing
	missing=$(missing_packages | tr '\n' ' ')
	[ -n "${missing// /}" ] || return 0
	need_root
	say "installing: $missing"
	export DEBIAN_FRONTEND=noninteractive
	local opts=(-qq -y -o Dpkg::Use-Pty=0 --no-install-recommends)
	# shellcheck disable=SC2086
	if ! apt-cache show $missing > /dev/null 2>&1 ||
		! apt-get install "${opts[@]}" $missing > /dev/null 2>&1; then
		# The lists may be absent, or older than what the mirror still has.
		apt-get update -qq ||
			die "apt-get update failed; check /etc/apt/sources.list and the network, then run this again."
		apt-get install "${opts[@]}" $missing > /dev/null ||
			die "apt-get could not install: $missing; install them by hand, then run this again."
	fi
}

# build DIR [meson options]: configures DIR when that was not done (or was done with other options)
# and builds it, or only the targets in $targets. A DIR that somebody made by hand is built as it is. False
# when it cannot be built.
build() {
	local dir=$1 log
	shift
	mkdir -p build-logs
	log=build-logs/$dir.log
	if [ -f "$dir/build.ninja" ]; then
		if [ -f "$dir/.options" ] && [ "$(cat "$dir/.options")" != "${CC:-} $*" ]; then
			rm -rf "$dir"
		fi
	else
		rm -rf "$dir"
	fi
	if [ ! -d "$dir" ]; then
		say "configuring $dir ${CC:+(CC=$CC) }$*"
		if ! meson setup "$dir" "$@" > "$log" 2>&1; then
			tail -n 30 "$log" >&2
			problem "meson setup $dir failed (above, and in $log); correct what it says and run this again."
			return 1
		fi
		echo "${CC:-} $*" > "$dir/.options"
	fi
	say "building $dir"
	# shellcheck disable=SC2086
	if ! ninja -C "$dir" ${targets:-} > "$log" 2>&1; then
		{ grep -E -A6 'FAILED|error|warning:' "$log" || tail -n 30 "$log"; } | tail -n 60 >&2
		problem "the build in $dir failed (above, and in $log); correct it and run this again."
		return 1
	fi
}

# What the quickstart and the interop tests run.
release_build() { build build --buildtype=release; }

# By clang, whose warnings and code are others.
build_clang() { CC=clang build build-clang --buildtype=debugoptimized; }

# With sanitizers, and only what meson tests. gcc takes 1.6 times as long to make -O2 of that, for tests that
# are hardly faster.
build_asan() {
	targets=meson-test-prereq build build-asan --buildtype=debugoptimized -Doptimization=1 -Db_sanitize=address,undefined
}

# This process gets only CPU time that nobody else wants, and so do those that it starts. Sessions share
# the CPUs before processes do where the kernel groups them, so this should have one of its own.
lowest_priority() {
	echo 19 > /proc/self/autogroup || true
	chrt --idle --pid 0 $$ || renice -n 19 $$ || true
} > /dev/null 2>&1

# normal_priority PID: undoes that for the process group PID, which then is like this process.
normal_priority() {
	local pid
	for pid in $(pgrep -g "$1"); do
		echo 0 > "/proc/$pid/autogroup" || true
		chrt --other --pid 0 "$pid" || true
		renice -n "$(nice)" "$pid" || true
	done
} > /dev/null 2>&1
