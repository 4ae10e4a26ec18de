#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Prints what a `meson test` run in a build folder gave, one "STATUS SUITE:NAME" a line.

A CUnit program counts as its tests, by the summary that CUnit prints; any other counts once.
Usage: summary.py BUILDDIR PREFIX
"""
import json
import re
import sys

CUNIT = re.compile(r"^\s*tests\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)", re.M)
STATUS = {"OK": "pass", "EXPECTEDFAIL": "pass", "SKIP": "skip"}


def main():
    builddir, prefix = sys.argv[1:3]
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
    sys.exit(0 if seen else 1)


main()
