#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""The same L2TP work through Debian's l2tpns and through Sallyport on packet sockets, on the same
veth pairs, in turn: the highest rate without loss and the CPU time a packet at that rate.

    peer.py --build DIR [--quick] [l2tpns|sallyport ..]      rows (JSON lines) on stdout
    peer.py --build DIR --fetch                              only gets Debian's package

One core has the LNS, whole: its threads, and what the kernel does for it when it sends. The other
has the generator, and what the kernel does when packets come to the LNS. "Without loss" is at most
LOSS of a trial; CPU time is that of the LNS's process, with the kernel's work for it, and of the
kernel's thread that takes over when interrupts are too many (ksoftirqd) on the same core."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))

from lab import LabError  # noqa: E402  after the path is known
import peer_lns  # noqa: E402
from peer_lns import L2tpns, Net, Sallyport, pinned, warn  # noqa: E402

LOSS = 0.001
DRAIN_S = 0.05
CPU_OF = "process with its kernel time, and ksoftirqd of its core"


class Gen:
    """The generator's process, on a core of its own."""

    def __init__(self, net, build, cpu):
        args = (os.path.join(build, "test/bench/peer_gen"),
                "wan0p", net.mac("wan0"), peer_lns.LAC_IP, peer_lns.LNS_IP,
                "core0p", net.mac("core0"), peer_lns.HOST_IP, peer_lns.USER, peer_lns.PASSWORD)
        self.proc = pinned(net.gen, cpu, *args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           text=True)

    def ask(self, *words):
        try:
            self.proc.stdin.write(" ".join(map(str, words)) + "\n")
            self.proc.stdin.flush()
            line = self.proc.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise LabError(f"the generator failed at '{' '.join(map(str, words))}'")
        return json.loads(line)

    def close(self):
        try:
            self.proc.stdin.close()
        except BrokenPipeError:
            pass
        self.proc.stdout.close()
        try:
            self.proc.wait(5)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()


def ksoftirqd(cpu):
    """CPU time in ns so far of the kernel's thread on a core."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                if f.read() != f"ksoftirqd/{cpu}\n":
                    continue
            return int(pid)
        except OSError:
            continue
    return None


def steal_ms(cpu):
    with open("/proc/stat", encoding="ascii") as f:
        for line in f:
            if line.startswith(f"cpu{cpu} "):
                return int(line.split()[8]) * 1000 // os.sysconf("SC_CLK_TCK")
    return 0


class Bench:
    """One LNS with its sessions up."""

    def __init__(self, net, lns, gen, quick):
        self.net, self.lns, self.gen, self.quick = net, lns, gen, quick
        self.softirq = ksoftirqd(lns.cpu)

    def cpu_ns(self):
        ns = self.lns.cpu_ns()
        if self.softirq:
            with open(f"/proc/{self.softirq}/schedstat", encoding="ascii") as f:
                ns += int(f.read().split()[0])
        return ns

    def trial(self, direction, size, sessions, rate, seconds):
        """Offers rate packets a second; rate 0: as many as the generator can send."""
        steal, before = steal_ms(self.lns.cpu), self.net.counted(direction)
        cpu = self.cpu_ns()
        r = self.gen.ask("run", direction, size, sessions, int(rate), int(seconds * 1000))
        time.sleep(DRAIN_S)
        cpu = self.cpu_ns() - cpu
        received = self.net.counted(direction) - before
        if not 0 <= received <= r["sent"]:
            raise LabError(f"{received} packets came of {r['sent']}")
        t = {**r, "received": received, "cpu_ns": cpu, "steal_ms": steal_ms(self.lns.cpu) - steal,
             "offered": r["sent"] * 1e9 / r["ns"], "pps": received * 1e9 / r["ns"],
             "loss": 1 - received / r["sent"]}
        print(f"  {self.lns.NAME} {direction} {size} x{sessions}: offered {t['offered']:.0f}, "
              f"received {t['pps']:.0f}, loss {t['loss'] * 100:.3f} %, "
              f"{cpu / max(received, 1):.0f} ns", file=sys.stderr, flush=True)
        return t

    def passes(self, what, rate, seconds):
        """A trial that may be repeated once: the machine does other things besides."""
        return any(self.trial(*what, rate, seconds)["loss"] <= LOSS for _ in range(2))

    def confirm(self, what, rate):
        """The sum of some trials at one rate; None when it lost packets. Short ones, with pauses: a
        program before all others may not keep its core for a whole second."""
        seconds, n = (0.2, 2) if self.quick else (0.4, 3)
        busy = self.lns.busy_cycles()
        trials = [self.trial(*what, rate, seconds) for _ in range(n)]
        busy = self.lns.busy_cycles() - busy if busy is not None else None
        total = {k: sum(t[k] for t in trials) for k in trials[0]}
        if total["sent"] - total["received"] > LOSS * total["sent"]:
            return None
        total["busy_cycles"] = busy and busy / total["received"]
        return total

    def maximum(self, *what):
        """The sum of trials at the highest rate without loss, and what set the limit."""
        seconds, steps = (0.1, 4) if self.quick else (0.25, 5)
        over = self.trial(*what, 0, seconds)
        if over["loss"] <= LOSS:
            total = self.confirm(what, 0)
            if total:
                return total, "generator"
        low, high = 0.4 * over["pps"], min(over["offered"], 1.6 * over["pps"])
        for _ in range(steps):
            rate = (low + high) / 2
            if self.passes(what, rate, seconds):
                low = rate
            else:
                high = rate
        for _ in range(20):
            total = self.confirm(what, low)
            if total:
                return total, "lns"
            low *= 0.95
        raise LabError(f"{self.lns.NAME} loses packets at every rate: {what}")

    def rows(self, direction, size, sessions):
        right = self.gen.ask("verify", direction, size, sessions)["right"]
        if right != sessions:
            raise LabError(f"{self.lns.NAME}: {right} of {sessions} packets came out right")
        t, bound = self.maximum(direction, size, sessions)
        common = {"direction": direction, "size": size, "sessions": sessions,
                  "loss": round(1 - t["received"] / t["sent"], 6), "bound": bound,
                  "steal_ms": t["steal_ms"]}
        name = "peer." + self.lns.NAME
        emit({"name": name + ".pps", "value": round(t["received"] * 1e9 / t["ns"]), "unit": "1/s",
              **common})
        row = {"name": name + ".cpu_ns", "value": round(t["cpu_ns"] / t["received"]), "unit": "ns",
               "cpu_of": CPU_OF, **common}
        if t["busy_cycles"]:
            row["worker_busy_cycles"] = round(t["busy_cycles"])
        emit(row)


def emit(row):
    print(json.dumps(row), flush=True)


def cases(quick):
    if quick:
        return [("up", 64, 1)]
    return [(d, size, n) for n, size in ((1, 64), (1, 1400), (100, 64)) for d in ("up", "down")]


def measure(net, lns, args, cpus):
    gen = None
    try:
        lns.start()
        gen = Gen(net, args.build, cpus[0])
        gen.ask("dial", max(n for _, _, n in cases(args.quick)))
        bench = Bench(net, lns, gen, args.quick)
        for case in cases(args.quick):
            bench.rows(*case)
    except LabError as e:
        raise LabError(f"{e}\n{lns.log()}") from e
    finally:
        try:
            if gen:
                gen.close()
        finally:
            lns.stop()


def parse():
    p = argparse.ArgumentParser()
    p.add_argument("--build", required=True)
    p.add_argument("--quick", action="store_true")
    p.add_argument("--fetch", action="store_true")
    p.add_argument("--driver", default="net_af_packet", help="of Sallyport's ports")
    p.add_argument("--devargs", default="", help="more of Sallyport's device strings, to try them")
    p.add_argument("--system", default={}, type=json.loads, help="the same for its system group")
    p.add_argument("--l2tpns-set", default="", help="more settings of l2tpns, separated by ;")
    p.add_argument("lns", nargs="*", metavar="l2tpns|sallyport")
    args = p.parse_args()
    args.build = os.path.realpath(args.build)
    return args


def main():
    args = parse()
    wanted = args.lns or ["l2tpns", "sallyport"]
    tree = peer_lns.fetch(args.build) if "l2tpns" in wanted else None
    if args.fetch:
        return 0
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        warn("there is only one CPU: LNS and generator take turns on it, and the rows say little")
    cpus = (cpus[0], cpus[-1])
    try:
        net = Net()
        try:
            with tempfile.TemporaryDirectory(prefix="sp-peer-") as folder:
                if tree:
                    measure(net, L2tpns(net, folder, cpus[1], tree,
                                        args.l2tpns_set.replace(";", "\n") + "\n"), args, cpus)
                if "sallyport" in wanted:
                    measure(net, Sallyport(net, folder, cpus[1],
                                           os.path.join(args.build, "src/sallyport"),
                                           args.driver, args.devargs, args.system), args, cpus)
        finally:
            net.close()
    except LabError as e:
        warn(str(e))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
