#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Runs the cases of charon's plugin: two real charons, each with a stand-in for the daemon. Needs root,
build/test/charon/fake_daemon and scripts/charon-plugin.

Usage: run.py [--only REGEX] [--results FILE] [--list] [--verbose]
"""
import argparse
import glob
import importlib
import os
import re
import signal
import sys
import time
import traceback

import cases
from lab import CHARON, FAKE, Lab, Pair, PLUGIN, ROOT

KEPT = os.path.join(ROOT, "build-logs", "charon")


def run_case(lab, c, args):
    begin, problem, trace = time.monotonic(), "", ""
    pair = Pair(lab, **c.values)
    try:
        if c.started:
            pair.start()
        c.fn(pair)
        for ch in (pair.a, pair.b):
            if ch is not None and ch.proc is not None and ch.proc.poll() not in (None, 0):
                problem = f"a charon ended with status {ch.proc.returncode}"
        for f in (pair.fa, pair.fb):
            if f is not None:
                f.none("malformed")
                f.none("too-early")
    except Exception as e:
        problem, trace = f"{type(e).__name__}: {e}", traceback.format_exc()
    pair.close()
    print(f"{'FAIL' if problem else 'ok':5}{c.name:28}{time.monotonic() - begin:6.1f} s  "
          f"{problem or c.doc}", flush=True)
    if problem:
        pair.keep(os.path.join(KEPT, c.name))
        print(f"     files: {os.path.relpath(os.path.join(KEPT, c.name), ROOT)}")
        if args.verbose:
            print(trace)
    pair.remove()
    if args.results:
        with open(args.results, "a", encoding="utf-8") as f:
            f.write(f"{'fail' if problem else 'pass'} charon:{c.name}\n")
    return not problem


def terminated(*_):
    raise SystemExit("terminated")


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--only", default="", help="only cases whose name matches")
    ap.add_argument("--results", help="append one line a case to this file")
    ap.add_argument("--list", action="store_true")
    ap.add_argument("--verbose", action="store_true", help="trace of failures")
    args = ap.parse_args()

    here = os.path.dirname(os.path.realpath(__file__))
    for path in sorted(glob.glob(os.path.join(here, "test_*.py"))):
        importlib.import_module(os.path.basename(path)[:-3])
    chosen = [c for c in cases.CASES if re.search(args.only, c.name)]
    names = [c.name for c in cases.CASES]
    assert len(names) == len(set(names)), "two cases have one name"
    if args.list:
        for c in chosen:
            print(f"{c.name:28}{c.doc}")
        return
    if os.geteuid() != 0:
        sys.exit("the cases need root for network namespaces; run them with sudo")
    for path, how in ((FAKE, "meson setup build && ninja -C build"),
                      (PLUGIN, "scripts/charon-plugin"),
                      (CHARON, "apt-get install charon-systemd")):
        if not os.access(path, os.R_OK):
            sys.exit(f"{path} is not there; {how}")
    signal.signal(signal.SIGTERM, terminated)
    with Lab() as lab:
        passed = sum(run_case(lab, c, args) for c in chosen)
    print(f"{passed} passed, {len(chosen) - passed} failed")
    sys.exit(0 if chosen and passed == len(chosen) else 1)


if __name__ == "__main__":
    main()
