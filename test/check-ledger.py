#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Checks test/LEDGER.md: every test that a row names must exist, and must have run and passed.

A row is  | id | requirement | shown by | refusal shown by | note |  and a test is one of
    unit:FOLDER/FILE.c:FUNCTION   sim:..   dataplane:..   (FILE under test/SUITE/)
    interop:CASE                  a case of test/interop
    charon:CASE                   a case of test/charon
    charon:FILE.py                a program of test/charon that meson runs
    fuzz:NAME                     a target of test/fuzz
Several tests in one cell are separated by spaces. A row without any test must say in its note why.

Usage: check-ledger.py [--ran RESULTS]    RESULTS is what scripts/test writes; without it only the
existence is checked. What a whole program or suite did not do is told in one line.
"""
import argparse
import glob
import json
import os
import re
import sys

TEST = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(TEST)
MANY = 10
CASE = re.compile(r'^@case\(\s*"([^"]+)"', re.M)


def cases_in(folder):
    names = set()
    for path in glob.glob(os.path.join(TEST, folder, "test_*.py")):
        with open(path, encoding="utf-8") as f:
            names.update(CASE.findall(f.read()))
    return names


def programs_of():
    """Source file -> labels of the meson tests whose program is built from it, or that run it."""
    info = os.path.join(ROOT, "build", "meson-info")
    try:
        with open(os.path.join(info, "intro-targets.json"), encoding="utf-8") as f:
            targets = json.load(f)
        with open(os.path.join(info, "intro-tests.json"), encoding="utf-8") as f:
            tests = json.load(f)
    except OSError:
        return {}
    programs, out = {}, {}
    for test in tests:
        suite = test["suite"][0].rpartition(":")[2] if test["suite"] else "meson"
        label = f"{suite}:{test['name']}"
        programs.setdefault(os.path.realpath(test["cmd"][0]), []).append(label)
        for word in test["cmd"]:
            if word.endswith(".py"):
                out.setdefault(os.path.realpath(word), []).append(label)
    for target in targets:
        labels = [lab for name in target["filename"] for lab in
                  programs.get(os.path.realpath(name), [])]
        for part in target["target_sources"]:
            for source in part.get("sources", []):
                out.setdefault(os.path.realpath(source), []).extend(labels)
    return out


class Checker:
    def __init__(self, ran):
        self.cases = {kind: cases_in(kind) for kind in ("interop", "charon")}
        self.programs, self.ran = programs_of(), ran
        self.problems = []
        self.not_passed = {}  # labels of a program or case -> {row that names it: its line}

    def check(self, test):
        """Returns what is wrong with a named test, or None; a tuple of labels: none has passed."""
        kind, _, rest = test.partition(":")
        if kind == "charon" and rest.endswith(".py"):
            return self.program(os.path.join(kind, rest))
        if kind in self.cases:
            if rest not in self.cases[kind]:
                return f"there is no such case in test/{kind}"
            return self.passed([test])
        if kind == "fuzz":
            if not os.path.exists(os.path.join(TEST, "fuzz", rest + ".c")):
                return f"there is no test/fuzz/{rest}.c"
            return None  # runs apart, by scripts/test fuzz
        if kind not in ("unit", "sim", "dataplane") or rest.count(":") != 1:
            return "not of the form SUITE:FILE:FUNCTION, interop:CASE, charon:CASE or fuzz:NAME"
        name, function = rest.split(":")
        return self.program(os.path.join(kind, name), function)

    def program(self, name, function=None):
        path = os.path.join(TEST, name)
        if not os.path.exists(path):
            return f"there is no test/{name}"
        with open(path, encoding="utf-8") as f:
            text = f.read()
        # defined, and named once more where it is registered
        if function and len(re.findall(rf"\b{re.escape(function)}\b", text)) < 2:
            return f"test/{name} does not define and register {function}"
        if self.ran is not None and not self.programs:
            return ("build:configured",)
        labels = self.programs.get(os.path.realpath(path), [])
        if self.ran is not None and not labels:
            return f"no meson test is made of test/{name}"
        return self.passed(labels)

    def passed(self, labels):
        if self.ran is None:
            return None
        if any(self.ran.get(label) == "pass" for label in labels):
            return None
        return tuple(labels)

    def row(self, number, cells):
        if len(cells) != 5:
            self.problems.append(f"LEDGER.md:{number}: a row has five cells, this has {len(cells)}")
            return
        ident, _, positive, negative, note = cells
        named = (positive + " " + negative).replace("`", "").split()
        named = [t for t in named if t != "-"]
        if not named and note in ("", "-"):
            self.problems.append(f"LEDGER.md:{number}: {ident} has neither test nor a note why")
        for test in named:
            wrong = self.check(test)
            if isinstance(wrong, tuple):
                line = f"LEDGER.md:{number}: {ident}: {test}: it did not run and pass"
                self.not_passed.setdefault(wrong, {}).setdefault(number, line)
            elif wrong:
                self.problems.append(f"LEDGER.md:{number}: {ident}: {test}: {wrong}")

    def lines(self):
        """All problems. A program that did not pass is one, however many rows name it; so is a suite
        of which more than MANY programs or cases did not."""
        out, suites = list(self.problems), {}
        for labels, rows in self.not_passed.items():
            suites.setdefault(labels[0].partition(":")[0], []).append((", ".join(labels), rows))
        for suite, failed in suites.items():
            if len(failed) > MANY:
                rows = {number for _, rows in failed for number in rows}
                out.append(f"LEDGER.md: {suite}: {len(failed)} of its tests that {len(rows)} rows name "
                           f"did not run and pass; the first is {failed[0][0]}")
                continue
            for name, rows in failed:
                lines = list(rows.values())
                out.append(f"{lines[0]} ({name})" if len(lines) == 1 else
                           f"LEDGER.md: {name} did not run and pass; {len(lines)} rows name it")
        return out


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--ran")
    args = ap.parse_args()
    ran = None
    if args.ran:
        with open(args.ran, encoding="utf-8") as f:
            ran = {}
            for line in f:
                status, _, label = line.strip().partition(" ")
                # one failure of a name outweighs its passes
                if ran.get(label) != "fail":
                    ran[label] = status
    checker, rows = Checker(ran), 0
    with open(os.path.join(TEST, "LEDGER.md"), encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if not line.startswith("|"):
                continue
            cells = [c.strip() for c in line.strip().strip("|").split("|")]
            if cells[0] in ("id", "") or set(cells[0]) <= set("-: "):
                continue
            rows += 1
            checker.row(number, cells)
    problems = checker.lines()
    print("\n".join(problems) or f"{rows} rows, every named test is there")
    sys.exit(1 if problems or not rows else 0)


main()
