# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Runs in a guest: takes orders, one JSON object a line, from stdin and answers on stdout. What can be
done without starting a program is done here; see kernel.py for why.

{"id": n, "op": OP, .. its arguments}  ->  {"id": n, "rc": n, "out": text}
{"op": "quit"} ends the guest.
OP is a function below; when it raises, rc is 1 and out says what.
"""
import contextlib
import fcntl
import itertools
import json
import os
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import termios
import threading
import time
import tty

import kernel
import ping

lock = threading.Lock()
spawned = {}  # name -> process
asked = itertools.count()


def answer(number, rc, out):
    line = json.dumps({"id": number, "rc": rc, "out": out}) + "\n"
    with lock:
        data = line.encode()
        while data:
            data = data[os.write(1, data):]


def contents(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def run(cmd, timeout, env=None):
    """cmd is shell text, or a list: a program and its arguments."""
    args = ["/bin/bash", "-c", cmd] if isinstance(cmd, str) else cmd
    with subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, start_new_session=True,
                          env={**os.environ, **(env or {})}) as child:
        try:
            out, _ = child.communicate(timeout=timeout)
            rc = child.returncode
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            out, _ = child.communicate()
            rc = 124
    return rc, out.decode(errors="replace")


def spawn(name, args, log, ready, text, env=None):
    """Starts a program that stays, and waits until the path ready is there and has text in it ("":
    whatever it has)."""
    if name in spawned and not kernel.until(lambda: spawned[name].poll() is not None, 2):
        return 1, f"{name} runs already"
    if os.path.lexists(ready):
        os.unlink(ready)
    with open(log, "wb") as out:
        child = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                 start_new_session=True, env={**os.environ, **(env or {})},
                                 cwd=os.path.dirname(log))
    spawned[name] = child
    threading.Thread(target=child.wait, daemon=True).start()
    kernel.until(lambda: child.poll() is not None or
                 (text in contents(ready) if text else there(ready)), 30)
    if child.poll() is None and os.path.exists(ready):
        return 0, ""
    return 1, contents(log)


def there(path):
    """A socket is there a little earlier than it can be connected to."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return True
    except OSError:
        return False
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(path) == 0


def stop(name):
    """Kills what spawn has started."""
    child = spawned.pop(name, None)
    if child and child.poll() is None:
        child.kill()
        child.wait()
    return 0, ""


def write(path, data, mode=None, append=False):
    """Without mode: into what is there, a kernel's file."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "a" if append else "w", encoding="utf-8") as f:
        if mode is not None:
            os.fchmod(f.fileno(), mode)
        f.write(data)
    return 0, ""


def tell(pipe, line, but="", timeout=0):
    """An order to xl2tpd and its answer; told again while the answer is but .., so many seconds."""
    said = [""]

    def taken():
        said[0] = ask(pipe, line)
        return not but or but not in said[0]
    kernel.until(taken, timeout, 0.1)
    return int(not said[0].startswith("00")), said[0]


def ask(pipe, line):
    """An order into xl2tpd's pipe; its answer: "00", or another number and why not. Each has a file of its
    own for it: xl2tpd takes that away a moment after it has answered."""
    path = f"{pipe}.answer{next(asked)}"
    os.mkfifo(path)
    back = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    said = [b""]

    def answered():
        try:
            said[0] += os.read(back, 4096)
        except BlockingIOError:  # it has not written yet
            pass
        return said[0].endswith(b"\n")
    try:
        if not put(pipe, f"@{path} {line}") or not kernel.until(answered, 5, 0.005):
            return f"{pipe}: nobody reads, or answers"
    finally:
        os.close(back)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # xl2tpd would wait for its reader for ever
    return said[0].decode(errors="replace").strip()


def put(pipe, line):
    """A line into a pipe whose reader takes all that a read gives for one line, and opens it anew after
    each: returns when it is read, False when nobody does. The pipe is held open until then, so that a
    line that came between its last read and its closing is still there for the next."""
    fds = []

    def held():
        fds.append(opened(pipe))
        return fds[-1] is not None
    if not kernel.until(held, 5, 0.02):
        return False
    try:
        return (kernel.until(lambda: sent(fds[-1], line.encode() + b"\n"), 5, 0.02)
                and kernel.until(lambda: not waiting(fds[-1]), 5, 0.005))
    finally:
        os.close(fds[-1])


def opened(pipe):
    """None while nobody reads it."""
    try:
        return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


def sent(fd, data):
    """False while its reader has it closed."""
    try:
        return os.write(fd, data)
    except BrokenPipeError:
        return False


def waiting(fd):
    """Bytes in a pipe that nobody read yet."""
    return struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0]


def read(path):
    return int(not os.path.exists(path)), contents(path)


def wait(what, arg, timeout, pattern=None):
    """Waits for a thing of the guest; rc 0 when it came. After PPP's address pppd has a little more to
    do, and so has whoever took a device or an SA away: they get a moment."""
    ok = kernel.until({
        "ppp": lambda: kernel.has_peer(arg),
        "no-device": lambda: not os.path.exists("/sys/class/net/" + arg),
        "no-esp": lambda: not kernel.has_esp(),
        "text": lambda: re.search(pattern, contents(arg)),
    }[what], timeout)
    time.sleep(0.05)
    return int(not ok), ""


def device(dev):
    """Its address and its MTU."""
    return 0, json.dumps([kernel.address(dev), kernel.mtu(dev)])


def route(prefix, dev):
    kernel.route(prefix, dev)
    return 0, ""


def kill(names, sig, timeout):
    """xl2tpd looks whether a pppd has ended, and then sleeps; what ends between the two it sees with the
    next packet, perhaps a minute later. So it is woken once more."""
    gone = kernel.kill(names, sig, timeout)
    if sig and "pppd" in names:
        kernel.kill(["xl2tpd"], "CHLD")
    return int(not gone), ""


def flush(esp=True, routes=False):
    if esp:
        kernel.flush_xfrm()
    if routes:
        kernel.flush_routes()
    return 0, ""


def clean():
    """Between two cases: nothing runs, nothing is left."""
    for name in list(spawned):
        stop(name)
    if not kernel.kill(["xl2tpd", "pppd", "iperf3", "charon-systemd", "swanctl"], "KILL", 5):
        return 1, "processes do not die"
    for path in ("/run/l2tp", "/run/ipsec"):
        shutil.rmtree(path, ignore_errors=True)
    return flush(routes=True)


def pinged(args):
    return 0, ping.ping(*args)


ORDERS = {f.__name__: f for f in (run, spawn, stop, write, tell, read, wait, device, route, kill, flush,
                                  clean)}
ORDERS["ping"] = pinged


def obey(number, op, order):
    try:
        rc, out = ORDERS[op](**order)
    except Exception as e:
        rc, out = 1, f"{type(e).__name__}: {e}"
    answer(number, rc, out)


def main():
    tty.setraw(0, termios.TCSANOW)
    answer(0, 0, open("/proc/uptime", encoding="ascii").read().split()[0])
    for line in sys.stdin:
        order = json.loads(line)
        number, op = order.pop("id", 0), order.pop("op")
        if op == "quit":
            return
        threading.Thread(target=obey, args=(number, op, order), daemon=True).start()


main()
