# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Thousands of tunnels and sessions by the load generator, test/load."""
import os
import re
import subprocess

from harness import case
from lab import APPLIANCE_IP, CORE_HOST, ROOT, wait_until

LOAD = os.path.join(ROOT, "build", "test", "load", "load")
SOURCE = "192.0.2.70"
QUIET = {"log": {"level": "notice"}}


def load(t, tunnels, sessions, *args, timeout=300):
    t.lab.add_access_ip(SOURCE)
    p = subprocess.run(t.lab.access.args(LOAD, "-l", SOURCE, "-r", APPLIANCE_IP, "-t", str(tunnels), "-s",
                       str(sessions), *args), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False)
    return p.returncode, p.stdout


@case("load-thousand", config=QUIET, own_lab=True)
def load_thousand(t):
    """1,000 tunnels with 4 sessions each come up, pass data, go down; nothing is left"""
    import time
    c = t.daemon.cpu_seconds()
    b = time.time()
    rc, out = load(t, 1000, 4, "-g", CORE_HOST, "-n", "3", "-p", "4", "-R", os.environ.get("R", "1"))
    print(out, t.daemon.cpu_seconds() - c, time.time() - b)
    print(t.console("show l2tp"), t.console("show dataplane"), t.console("show dataplane drops"))
    assert rc == 0, out
