# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Runs in a guest: takes orders, one JSON object a line, from stdin and answers on stdout.

{"id": n, "op": "run", "cmd": shell text, "timeout": s}  ->  {"id": n, "rc": n, "out": text}
{"id": n, "op": "write", "path": p, "data": text, "mode": m, "append": bool}  ->  {"id": n, "rc": 0, "out": ""}
{"id": n, "op": "ping", "args": [..]}  of ping.ping; a process for it would cost a second  ->  its text
{"op": "quit"} ends the guest.
"""
import json
import os
import signal
import subprocess
import sys
import termios
import threading
import tty

import ping

lock = threading.Lock()


def answer(number, rc, out):
    line = json.dumps({"id": number, "rc": rc, "out": out}) + "\n"
    with lock:
        data = line.encode()
        while data:
            data = data[os.write(1, data):]


def run(order):
    with subprocess.Popen(["/bin/bash", "-c", order["cmd"]], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          start_new_session=True) as child:
        try:
            out, _ = child.communicate(timeout=order["timeout"])
            rc = child.returncode
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            out, _ = child.communicate()
            rc = 124
    answer(order["id"], rc, out.decode(errors="replace"))


def write(order):
    with open(order["path"], "a" if order["append"] else "w", encoding="utf-8") as f:
        os.fchmod(f.fileno(), order["mode"])
        f.write(order["data"])
    answer(order["id"], 0, "")


def pinged(order):
    try:
        rc, out = 0, ping.ping(*order["args"])
    except OSError as e:
        rc, out = 1, str(e)
    answer(order["id"], rc, out)


ORDERS = {"run": run, "write": write, "ping": pinged}


def main():
    tty.setraw(0, termios.TCSANOW)
    answer(0, 0, open("/proc/uptime", encoding="ascii").read().split()[0])
    for line in sys.stdin:
        order = json.loads(line)
        if order["op"] == "quit":
            return
        threading.Thread(target=ORDERS[order["op"]], args=(order,), daemon=True).start()


main()
