#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Reads the rows of the benchmarks, JSON lines, from stdin and prints them for people.

Beside each row stands its reference; a row that a goal speaks of has the bound and "met" or
"missed".
"""
import argparse
import json
import os
import re
import subprocess
import sys

TICKS = "Cycles are ticks of the time-stamp counter, a packet; over: path less reference."

# Calibrations that a quiet machine takes are no longer than that of the least (QUIET_MOST of quiet.h).
QUIET_MOST = 1.1

# ---- goals ----


class Goal:
    """One bound: goal C1.. of the issue, what it bounds, the figure, and whether it is met."""

    def __init__(self, goal, what, figure, bound, unit="", at_least=False, note=""):
        self.goal, self.what, self.figure, self.bound, self.unit = goal, what, figure, bound, unit
        self.at_least, self.note = at_least, note
        self.met = figure >= bound if at_least else figure <= bound

    def text(self):
        sign = ">=" if self.at_least else "<="
        return (f"{self.goal} {self.what} {number(self.figure)} {sign} {number(self.bound)}"
                f"{' ' + self.unit if self.unit else ''}: {'met' if self.met else 'missed'}"
                f"{' (' + self.note + ')' if self.note else ''}")


def plain_goals(r):
    bound = {(1000, False): 100, (64000, False): 140, (1000, True): 130, (64000, True): 180}.get(
        (r["sessions"], r["checksum"]))
    if r["size"] != 64 or r["vector"] != 32 or bound is None:
        return
    yield Goal("C1", "cycles_min", r["cycles_min"], bound)
    if not r["checksum"]:
        yield Goal("C1", "ratio", r["ratio"], 2.0)


def at_rest(r):
    """A core that is shared with another guest takes longer for path and reference alike, and so does their
    difference: what the ratio says of the least reference has that taken out. It stands beside the
    verdict, which is by the windows as they were."""
    if r.get("quiet", True):
        return ""
    return f"by the ratio {number((r['ratio'] - 1) * r['limit_min'])}"


def esp_goals(r):
    if r["vector"] != 32:
        return
    bound = {1000: 120, 64000: 250}.get(r["sessions"])
    if bound is not None:
        yield Goal("C2", "over", r["over_cycles"], bound, note=at_rest(r))
    bound = {"gcm128": 1.15, "cbc128_sha1": 1.08}.get(r["name"].split(".")[2])
    if r["size"] == 1400 and r["sessions"] == 1000 and bound is not None:
        yield Goal("C2", "ratio", r["ratio"], bound)


def path_goals(r):
    return plain_goals(r) if r["name"].endswith(".plain") else esp_goals(r)


def handoff_goals(r):
    """Cycles of a thing are those of its quietest window (as C1); a difference, like a ratio, is that
    of windows that followed each other, the median of all pairs (as C2): least less least compares two
    windows that the host may have run with the CPUs at different places. How far they were from
    each other decides either figure, so it stands beside the verdict."""
    far = r.get("round_trip_ticks")
    note = f"round trip {number(far)} ticks" if far is not None else ""
    if r["name"] == "loop.handoff.ring":
        yield Goal("C3", "cycles_min", r["cycles_min"], 45, note=note)
    elif r["name"] == "loop.handoff.whole":
        yield Goal("C3", "added_median", r["added_median"], 150, note=note)


def latency_goals(r):
    if r["load"] == 50:
        yield Goal("C5", "p99_us", r["p99_us"], 25, "us")


def control_goals(r):
    name = r["name"]
    if name == "control.setup_rate":
        yield Goal("C4", "rate", r["value"], 5000, "1/s", at_least=True)
    elif name == "control.time_to_64k" and r["sessions"] == 64000 and "single" in r["kind"]:
        yield Goal("C4", "seconds", r["value"], 20, "s")
    elif name == "control.bytes_per_session":
        yield Goal("C4", "bytes", r["value"], 4096)
    elif name == "control.stall_ms":
        yield Goal("C4", "stall", r["value"], 5, "ms")


def goals(r):
    name = r["name"]
    if name.startswith("path."):
        return list(path_goals(r))
    if name.startswith("loop.handoff."):
        return list(handoff_goals(r))
    if name == "loop.latency":
        return list(latency_goals(r))
    return list(control_goals(r))


def peer_key(r):
    return r.get("direction"), r.get("size"), r.get("sessions")


def peer_goals(rows):
    """C6 compares two rows: (row of Sallyport, its goal) of each pair."""
    theirs = {(r["name"], peer_key(r)): r["value"]
              for r in rows if r["name"].startswith("peer.l2tpns.")}
    for r in rows:
        if not r["name"].startswith("peer.sallyport."):
            continue
        what = r["name"].split(".")[2]
        other = theirs.get((f"peer.l2tpns.{what}", peer_key(r)))
        if other is not None:
            yield r, Goal("C6", f"{what} against l2tpns", r["value"], other, r.get("unit", ""),
                          at_least=what == "pps")


def all_goals(rows):
    """By the row's place."""
    found = {id(r): goals(r) for r in rows}
    for r, g in peer_goals(rows):
        found[id(r)].append(g)
    return found


# ---- quiet rows ----


def judge_quiet(rows):
    """A row knows the least calibration up to its end. One that was measured while the machine had not
    been quiet yet, as the later rows show, has taken noise for quiet."""
    least = min((r["calibration"] for r in rows if "calibration" in r), default=0)
    for r in rows:
        if r.get("calibration", 0) > QUIET_MOST * least:
            r["quiet"] = False


def quiet_text(rows):
    judged = [r for r in rows if "quiet" in r]
    noisy = sum(not r["quiet"] for r in judged)
    if not judged:
        return ""
    return (" Quiet windows are those around which a fixed loop that keeps the core busy, and has "
            "nothing to do with what is measured, took at most 10 % longer than on a core of its own. "
            f"{noisy} of {len(judged)} rows are not of quiet windows alone, for the machine was too "
            "seldom quiet: marked *, they are of all windows, and judged like the others.")


def row_name(r):
    return r["name"] if r.get("quiet", True) else r["name"] + " *"


# ---- tables ----


def number(x):
    """As short as is worth reading."""
    if x == int(x) or abs(x) >= 1000:
        return f"{x:.0f}"
    return f"{x:.3g}" if abs(x) < 10 else f"{x:.1f}"


def cell(x):
    if isinstance(x, bool):
        return "yes" if x else "no"
    return number(x) if isinstance(x, (int, float)) else str(x)


def path_cells(r, marks):
    flags = [k for k in ("checksum", "ff03") if r.get(k)]
    return [row_name(r), r["size"], r["sessions"], r["vector"], " ".join(flags),
            f"{r['cycles_min']:.1f}", f"{r['cycles_median']:.1f}", r["ref"],
            f"{r['limit_min']:.1f}", f"{r['limit_cycles']:.1f}", f"{r['ratio']:.2f}",
            f"{r['over_min']:.1f}", f"{r['over_cycles']:.1f}", marks]


PATH_HEAD = ["path", "bytes", "sessions", "vector", "with", "min", "median", "reference", "min",
             "median", "ratio", "over min", "median", "goals"]
REF_HEAD = ["reference", "bytes", "sessions", "vector", "min", "median", "direction"]

# What tells rows of one name apart; all other keys are figures.
WHICH = ("direction", "path", "kind", "case", "idle", "sleep_us", "load", "size", "tunnels",
         "sessions", "workers", "queues", "vector", "checksum", "ff03", "bound", "ref")
WHICH_MEMORY = ("footprint_kb", "lines", "stride", "idle_us", "gap")
HIDDEN = ("name", "pages", "cpu", "arch", "value", "unit")


def other_cells(r, marks, which_keys=WHICH):
    which = [f"{k} {cell(r[k])}" if not isinstance(r[k], bool) else k for k in which_keys
             if k in r and r[k] is not False]
    figures = [f"{k} {cell(v)}" for k, v in r.items() if k not in which_keys and k not in HIDDEN]
    if "value" in r:
        figures.insert(0, f"{cell(r['value'])} {r.get('unit', '')}".strip())
    return [r["name"], ", ".join(which), ", ".join(figures), marks]


def aligned(rows):
    texts = [[str(c) for c in r] for r in rows]
    width = [max(len(r[i]) for r in texts) for i in range(len(texts[0]))]
    right = [all(re.fullmatch(r"[-\d.]*", r[i]) for r in texts[1:]) for i in range(len(width))]
    for r in texts:
        cells = (c.rjust(w) if n else c.ljust(w) for c, w, n in zip(r, width, right))
        yield "  ".join(cells).rstrip()


def markdown(rows):
    for i, r in enumerate(rows):
        yield "| " + " | ".join(str(c).replace("|", "\\|") for c in r) + " |"
        if i == 0:
            yield "|" + " --- |" * len(r)


MEMORY = (
    "memory.line: ticks of a line that is read and written, in random order and prefetched a vector "
    "ahead, as a packet's session is. Rows of the path with many sessions pay for it, whatever "
    "the code does: 64,000 sessions are 4 MB a direction and their SAs tens of MB, 1,000 are 64 KB and "
    "under 1 MB. They also come to each again after some 10 ms only. memory.idle: ticks that the load of "
    "a line that was last touched so long ago takes longer than that of one just loaded; "
    "prefetched: ticks a line when a vector of such lines is fetched together. memory.kept: of so many "
    "lines in no cache, each prefetched gap ticks or more behind the one before, those that came; far: ticks of "
    "such a line. Lines a stride of 4 KB "
    "apart fit the caches as well as those side by side, but have a page of 4 KB each: they are dearer "
    "where the TLB does not hold as many pages. By that memory.page_kb is the size of the pages "
    "that the host has behind the guest's large ones, where it can be told.")


MEMORY_4K = (" With pages of 4k they are these rows' alone: sessions and SAs then lie in transparent "
             "large pages, where the machine has any.")


def memory_section(rows):
    pages = sorted({r["pages"] for r in rows})
    return (f"Memory (pages of {', '.join(pages)}). {MEMORY}{MEMORY_4K if '4k' in pages else ''}",
            [["row", "of", "figures"]] + [other_cells(r, "", WHICH_MEMORY)[:3] for r in rows])


def sections(rows, found):
    """(title, table) of each kind of rows that there is; a table begins with its head."""
    marks = {k: "; ".join(g.text() for g in v) for k, v in found.items()}
    paths = [r for r in rows if r["name"].startswith("path.")]
    if paths:
        tags = sorted({(r["cpu"], r["arch"], r["pages"]) for r in paths})
        how = "; ".join(f"-march={c}, ipsec-mb {a}, pages of {p}" for c, a, p in tags)
        yield (f"Path ({how}). {TICKS}{quiet_text(paths)}",
               [PATH_HEAD] + [path_cells(r, marks[id(r)]) for r in paths])
    refs = [r for r in rows if r["name"].startswith(("ref.", "crypto."))]
    if refs and not paths:
        yield (f"References.{quiet_text(refs)}", [REF_HEAD] + [
            [row_name(r), r["size"], r["sessions"], r["vector"], f"{r['cycles_min']:.1f}",
             f"{r['cycles_median']:.1f}", r["direction"]] for r in refs])
    memory = [r for r in rows if r["name"].startswith("memory.")]
    if memory:
        yield memory_section(memory)
    seen = {"path", "ref", "crypto", "memory"}
    for kind in dict.fromkeys(r["name"].split(".")[0] for r in rows):
        if kind not in seen:
            yield (kind.capitalize(), [["row", "of", "figures", "goals"]] + [
                other_cells(r, marks[id(r)]) for r in rows if r["name"].split(".")[0] == kind])


GOALS = {"C1": "plain L2TP, 64 bytes, cycles and times ref.ip4",
         "C2": "ESP path less the bare crypto, and times it at 1400 bytes",
         "C3": "hand-off between workers",
         "C4": "set-ups, memory and stalls of control",
         "C5": "added latency at half load",
         "C6": "ahead of l2tpns"}


def summary(found):
    """A row for each goal that was measured."""
    every = [g for v in found.values() for g in v]
    for name, what in GOALS.items():
        mine = [g for g in every if g.goal == name]
        if mine:
            missed = [g for g in mine if not g.met]
            yield [name, what, f"{len(mine) - len(missed)} of {len(mine)}",
                   "missed" if missed else "met"]


# ---- the machine ----


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def run(*argv):
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def first(pattern, text, default="unknown"):
    m = re.search(pattern, text, re.M)
    return m[1].strip() if m else default


def compiler(build):
    try:
        options = {o["name"]: o["value"]
                   for o in json.loads(read(f"{build}/meson-info/intro-buildoptions.json"))}
    except (ValueError, KeyError):
        options = {}
    log = read(f"{build}/meson-logs/meson-log.txt")
    return {"compiler": first(r'^C compiler for the host machine: .*\((.*?) "', log),
            "march": options.get("cpu", "unknown"),
            "buildtype": options.get("buildtype", "unknown")}


def machine(build, rows):
    cpu, mem = read("/proc/cpuinfo"), read("/proc/meminfo")
    # The kernel calibrates BogoMIPS by the time-stamp counter: two a tick.
    bogomips = first(r"^bogomips\s*:\s*([\d.]+)", cpu, "0")
    pages = first(r"^HugePages_Total:\s*(\d+)", mem, "0")
    return {
        "cpu": first(r"^model name\s*:\s*(.*)", cpu),
        "family": "/".join(first(rf"^{k}\s*:\s*(\d+)", cpu)
                           for k in ("cpu family", "model", "stepping")),
        "mhz": float(first(r"^cpu MHz\s*:\s*([\d.]+)", cpu, "0")),
        "tsc_mhz": float(bogomips) / 2,
        "cores": os.cpu_count(),
        "kernel": os.uname().release,
        "hypervisor": run("systemd-detect-virt", "--vm") or
                      first(r"^Hypervisor vendor:\s*(.*)", run("lscpu"), "none"),
        "memory_mib": int(first(r"^MemTotal:\s*(\d+)", mem, "0")) // 1024,
        "hugepages": pages + " of " + first(r"^Hugepagesize:\s*(.*)", mem),
        "dpdk": run("pkg-config", "--modversion", "libdpdk") or "unknown",
        "ipsec_mb": run("dpkg-query", "-W", "-f", "${Version}", "libipsec-mb1") or "unknown",
        "ipsec_mb_arch": ", ".join(sorted({r["arch"] for r in rows if "arch" in r})) or "unknown",
        **compiler(build),
    }


def machine_text(m):
    return [
        f"{m['cpu']} (family/model/stepping {m['family']}), {m['cores']} CPUs, {m['mhz']:.0f} MHz, "
        f"TSC {m['tsc_mhz']:.0f} MHz, {m['memory_mib']} MiB, hugepages: {m['hugepages']}",
        f"hypervisor {m['hypervisor']}, Linux {m['kernel']}",
        f"DPDK {m['dpdk']}, ipsec-mb {m['ipsec_mb']} using {m['ipsec_mb_arch']}",
        f"{m['compiler']}, -march={m['march']}, buildtype {m['buildtype']}",
    ]


# ---- output ----


def results(path, rows, found, m, command):
    with open(path, "w", encoding="utf-8") as f:
        f.write("# Results of the benchmarks\n\n")
        f.write(f"Written by `{command}`. Figures of the path are those of quiet windows, unless "
                "marked; the\nratio is the median of those of windows that followed each other.\n\n"
                "## Machine\n\n")
        f.writelines(f"- {line}\n" for line in machine_text(m))
        goals_table = [["goal", "what", "bounds met", ""]] + list(summary(found))
        if len(goals_table) > 1:
            f.write("\n## Goals\n\n")
            f.writelines(line + "\n" for line in markdown(goals_table))
        for title, table in sections(rows, found):
            f.write(f"\n## {title.split(' ', 1)[0].rstrip('.')}\n\n{title}\n\n")
            f.writelines(line + "\n" for line in markdown(table))


def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--json", metavar="FILE", help="writes the machine and all rows")
    p.add_argument("--results", metavar="FILE", help="writes Markdown: machine, goals, tables")
    p.add_argument("--build", metavar="DIR", default="build", help="the build that was measured")
    p.add_argument("--command", default="scripts/bench", help="what the results say made them")
    return p.parse_args()


def rows_read(lines):
    rows = []
    for n, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            row["name"].split(".")
        except (ValueError, KeyError, TypeError, AttributeError):
            sys.exit(f"report.py: line {n} is not a row: {line.strip()[:100]}")
        rows.append(row)
    return rows


def main():
    args = arguments()
    rows = rows_read(sys.stdin)
    judge_quiet(rows)
    found = all_goals(rows)
    m = machine(args.build, rows)
    for line in machine_text(m):
        print(line)
    for title, table in sections(rows, found):
        print(f"\n{title}")
        for line in aligned(table):
            print("  " + line)
    goals_table = list(summary(found))
    if goals_table:
        print("\nGoals: bounds that were met")
        for line in aligned([["goal", "what", "met", ""]] + goals_table):
            print("  " + line)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump({"machine": m, "rows": rows}, f, indent=1)
            f.write("\n")
    if args.results:
        results(args.results, rows, found, m, args.command)
    if not rows:
        sys.exit("report.py: There are no rows.")


if __name__ == "__main__":
    main()
