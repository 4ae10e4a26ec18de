#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Prints what a `meson test` run in a build folder gave, one "STATUS SUITE:NAME" a line.

A CUnit program counts as its tests, by the summary that CUnit prints; any other counts once.
Usage: summary.py BUILDDIR PREFIX [FAILED]    what failed tests said is appended to the file FAILED
"""
import json
import re
import sys

CUNIT = re.compile(r"^\s*tests\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)", re.M)
STATUS = {"OK": "pass", "EXPECTEDFAIL": "pass", "SKIP": "skip"}
# CUnit's verdict and assertions, a sanitizer's first line, a trace: what may stand far from the end
TELLING = re.compile(r"\bFAIL(ED)?\b|^ +\d+\. .*:\d+ +- |ERROR: \w+Sanitizer|: runtime error: |"
                     r"^ +#\d+ 0x|Error: ")
LINES = 40


def excerpt(test, label):
    """The last lines of what a failed test printed, after the telling ones before those."""
    lines = (test.get("stdout", "") + test.get("stderr", "")).rstrip().splitlines()
    before, last = lines[:-LINES], lines[-LINES:]
    telling = [line for line in before if TELLING.search(line)]
    out = [f"== {label}: {test['result']}, exit status {test.get('returncode')}"]
    if telling:
        out += telling[:LINES] + ["  .."]
    return "\n".join(out + (last or ["it printed nothing"])) + "\n"


def main():
    builddir, prefix, *failed = sys.argv[1:4]
    with open(f"{builddir}/meson-info/intro-tests.json", encoding="utf-8") as f:
        suites = {t["name"]: t["suite"][0].rpartition(":")[2] for t in json.load(f) if t["suite"]}
    seen = 0
    with open(f"{builddir}/meson-logs/testlog.json", encoding="utf-8") as f:
        for line in f:
            test = json.loads(line)
            seen += 1
            # "name", or "project:suite / name" when several suites ran
            name = test["name"].rpartition(" / ")[2].strip()
            label = f"{prefix}{suites.get(name, 'meson')}:{name}"
            status = STATUS.get(test["result"], "fail")
            cunit = CUNIT.search(test.get("stdout", ""))
            if cunit and status == "pass":
                for i in range(int(cunit[3])):
                    print("pass", label if i == 0 else f"{label}#{i}")
            else:
                print(status, label)
            if status == "fail" and failed:
                with open(failed[0], "a", encoding="utf-8") as out:
                    out.write(excerpt(test, label))
    sys.exit(0 if seen else 1)


main()
