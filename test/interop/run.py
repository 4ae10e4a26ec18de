#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Runs the interop cases, one line each. Needs root; works in network namespaces of its own.

Usage: run.py [--long] [--only REGEX] [--jobs N] [--results FILE] [--list] [--verbose]
"""
import argparse
import glob
import importlib
import json
import os
import re
import signal
import struct
import sys
import time
import traceback

import harness
from daemon import BINARY
from ipsec_lab import PLUGIN
from lab import APPLIANCE_IP, Lab, ROOT

KEPT = os.path.join(ROOT, "build-logs", "interop")


class Runner:
    def __init__(self, args):
        self.args, self.long = args, args.long
        self.lab, self.guests, self.capture = None, {}, None
        self.counts = {"pass": 0, "fail": 0, "skip": 0}
        self.again = None  # side by side with others: what failed, to be tried again alone
        self.times, self.captured = [], False
        self.used = set()  # guests of this case

    # ---- what cases share ----

    def guest(self, i, nat=False):
        g = self.guests.get((i, nat))
        if g is not None and g.proc.poll() is not None:
            g.kill()
            g = None  # a case killed it, or its kernel has died since
        if g is None:
            g = self.guests[i, nat] = harness.new_guest(self.lab, i, nat)
        self.used.add((i, nat))
        g.wait_boot()
        return g

    def clean_guests(self):
        for which in self.used:
            g = self.guests[which]
            try:
                if g.dir is not None:
                    g.clean()
            except Exception:
                g.kill()
            if g.dir is None:
                del self.guests[which]
        self.used.clear()

    # ---- running ----

    @staticmethod
    def say(text):
        """One write, so that the lines of several processes do not mix."""
        os.write(1, (text + "\n").encode())

    def report(self, status, name, seconds, text=""):
        self.counts[status] += 1
        word = {"pass": "ok", "fail": "FAIL", "skip": "skip"}[status]
        self.say(f"{word:5}{name:32}{seconds:6.1f} s  {text}".rstrip())
        if self.args.results:
            with open(self.args.results, "a", encoding="utf-8") as f:
                f.write(f"{status} interop:{name}\n")

    def run_in_own_lab(self, c):
        shared = self.lab, self.guests
        try:
            with Lab(f"sp{os.getpid():x}o") as self.lab:
                self.guests = {}
                self.run_case(c)
                for g in self.guests.values():
                    g.kill()
        finally:
            self.lab, self.guests = shared

    def run_case(self, c):
        begin = time.monotonic()
        self.times.append((time.time(), c.name))
        self.captured |= not c.own_lab and c.ipsec is None  # ESP says nothing to this capture
        test = harness.Test(self, c)
        problems, trace, status = [], "", "pass"
        try:
            if c.daemon:
                test.start()
            c.fn(test)
        except harness.Skip as e:
            status, problems = "skip", [str(e)]
        except Exception as e:
            problems, trace = [f"{type(e).__name__}: {e}"], traceback.format_exc()
            test.save_state(self.capture.path)
        try:
            problems += test.close()
        except Exception as e:
            problems.append(f"{type(e).__name__} while ending: {e}")
            trace += traceback.format_exc()
        if problems and status != "skip":
            status = "fail"
        if status == "fail" and self.again is not None:
            self.again.append(c.name)
            self.say(f"busy {c.name:32}{time.monotonic() - begin:6.1f} s  fails beside others, will "
                     "run alone: " + problems[0].split("\n")[0])
            test.remove()
            return
        self.report(status, c.name, time.monotonic() - begin,
                    problems[0].split("\n")[0] if problems else "; ".join([c.doc, *test.notes]))
        if status == "fail":
            where = os.path.join(KEPT, c.name)
            with open(os.path.join(test.folder, "problems.txt"), "w", encoding="utf-8") as f:
                f.write("\n".join(problems) + "\n" + trace)
            harness.keep(test.folder, where)
            text = "\n".join(problems)
            if self.args.verbose:
                text += "\n" + trace + test.log_tail()
            text += f"\nfiles: {os.path.relpath(where, ROOT)}"
            self.say("     " + text.replace("\n", "\n     "))
        test.remove()

    def check_capture(self):
        """Everything that the appliance said, through tshark: nothing malformed, every checksum
        right."""
        begin = time.monotonic()
        self.capture.stop()
        lines = self.capture.tshark(
            "-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
            "-Y", f"ip.src == {APPLIANCE_IP} && (_ws.malformed || _ws.unreassembled || "
            "udp.checksum.status == 0 || ip.checksum.status == 0)",
            "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.number", "-e",
            "_ws.col.Protocol", "-e", "_ws.col.Info")
        # A reject quotes what was malformed.
        lines = [line for line in lines if "Protocol Reject" not in line
                 and "Code Reject" not in line]
        sent = self.capture.tshark("-Y", f"ip.src == {APPLIANCE_IP} && l2tp.type == 1")
        for line in lines[:20]:
            when = float(line.split("\t")[0])
            name = [n for t, n in self.times if t <= when][-1:]
            self.say("     " + " ".join(name) + " " + line)
        if lines:
            harness.keep(os.path.dirname(self.capture.path), os.path.join(KEPT, "tshark"))
        self.report("fail" if lines or not sent and self.captured else "pass", "tshark-no-malformed",
                    time.monotonic() - begin,
                    f"{len(lines)} bad packets, {len(sent)} control messages of the appliance")

    def run(self, cases):
        """Runs cases, an iterable."""
        with Lab() as self.lab:
            folder = harness.tempfile.mkdtemp(prefix="sp-capture-")
            # control messages and small data packets: what the protocols are made of
            self.capture = self.lab.capture(
                os.path.join(folder, "access.pcap"),
                expr="udp port 1701 and (udp[8] & 0x80 != 0 or less 400)")
            for c in cases:
                if c.own_lab:
                    self.run_in_own_lab(c)
                else:
                    self.run_case(c)
            self.check_capture()
            harness.shutil.rmtree(folder, ignore_errors=True)
            for g in self.guests.values():
                g.kill()


def queue(pipe, cases):
    """The cases whose numbers come out of a pipe that several processes read."""
    while len(token := os.read(pipe, 2)) == 2:
        yield cases[struct.unpack("H", token)[0]]


def run_parallel(args, cases):
    """Runs cases in args.jobs processes, each with a lab of its own. Returns the counts, and the
    names of those that failed: a machine that is too busy for timers gets a second try."""
    cases_r, cases_w = os.pipe()
    counts_r, counts_w = os.pipe()
    pids = []
    for _ in range(args.jobs):
        pid = os.fork()
        if pid == 0:
            os.close(cases_w)
            runner = Runner(args)
            runner.again = []
            try:
                runner.run(queue(cases_r, cases))
            except BaseException as e:
                runner.report("fail", "runner", 0, f"{type(e).__name__}: {e}")
            os.write(counts_w, (json.dumps([runner.counts, runner.again]) + "\n").encode())
            os._exit(0)
        pids.append(pid)
    os.close(counts_w)
    os.write(cases_w, b"".join(struct.pack("H", i) for i in range(len(cases))))
    os.close(cases_w)
    total, again, ended = {"pass": 0, "fail": 0, "skip": 0}, [], 0
    try:
        with os.fdopen(counts_r, encoding="utf-8") as f:
            for line in f:
                ended += 1
                counts, names = json.loads(line)
                again += names
                for k, v in counts.items():
                    total[k] += v
    finally:
        for pid in pids:
            os.waitpid(pid, 0)
    if ended != args.jobs:  # what it was at, and has found, is lost with it
        Runner(args).report("fail", "runner", 0, f"only {ended} of {args.jobs} processes have ended well")
        total["fail"] += 1
    return total, again


def terminated(*_):
    raise SystemExit("terminated")


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--long", action="store_true", help="the cases that take minutes, too")
    ap.add_argument("--only", default="", help="only cases whose name matches")
    ap.add_argument("--jobs", type=int, default=1, help="so many labs side by side")
    ap.add_argument("--results", help="append one line a case to this file")
    ap.add_argument("--list", action="store_true")
    ap.add_argument("--verbose", action="store_true", help="trace and daemon's log of failures")
    args = ap.parse_args()

    here = os.path.dirname(os.path.realpath(__file__))
    for path in sorted(glob.glob(os.path.join(here, "test_*.py"))):
        importlib.import_module(os.path.basename(path)[:-3])
    cases = [c for c in harness.CASES if re.search(args.only, c.name)]
    names = [c.name for c in harness.CASES]
    assert len(names) == len(set(names)), "two cases have one name"
    if args.list:
        for c in cases:
            print(f"{c.name:32}{c.doc}")
        return
    if os.geteuid() != 0:
        sys.exit("the interop cases need root for network namespaces; run them with sudo")
    if not os.access(BINARY, os.X_OK):
        sys.exit(f"{BINARY} is not built; run scripts/test interop")
    if any(c.ipsec is not None for c in cases) and not os.access(PLUGIN, os.R_OK):
        sys.exit(f"{PLUGIN} is not built; run scripts/charon-plugin")
    signal.signal(signal.SIGTERM, terminated)
    runner = Runner(args)
    cases = [c for c in cases if args.long or not c.long]
    if args.jobs > 1:
        counts, again = run_parallel(args, [c for c in cases if not c.alone])
        for k, v in counts.items():
            runner.counts[k] += v
        cases = [c for c in cases if c.alone or c.name in again]
    if cases:
        runner.run(cases)
    c = runner.counts
    print(f"{c['pass']} passed, {c['fail']} failed, {c['skip']} skipped")
    sys.exit(1 if c["fail"] else 0)


if __name__ == "__main__":
    main()
