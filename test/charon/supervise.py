#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""scripts/charon against a real charon with our plugin, in a network namespace of its own: start, stop and
status do what they say, twice as well; a charon that dies comes back and its plugin connects again; nothing
outlives its supervisor; somebody else's UDP port 500 is respected; two run side by side. The daemon is
played by a socket that listens. Needs root, and the plugin (scripts/charon-plugin).

  supervise.py BUILD-DIR
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLUGIN = os.path.join(ROOT, "build-charon", "libstrongswan-sallyport.so")


class Failed(Exception):
    pass


def check(what, good):
    if not good:
        raise Failed(what)
    print(f"ok {what}", flush=True)


def until(what, seconds, fn):
    end = time.monotonic() + seconds
    while True:
        last = time.monotonic() > end  # a look that took long saw what was before
        got = fn()
        if got:
            print(f"ok {what}", flush=True)
            return got
        if last:
            raise Failed(what)
        time.sleep(0.05)


def have_plugin():
    """Built, if it is not: of the sources as they are."""
    return subprocess.run([f"{ROOT}/scripts/charon-plugin"]).returncode == 0


class Instance:
    def __init__(self, folder, name, env):
        self.dir = f"{folder}/{name} #}} "  # nothing of it is syntax anywhere
        self.run_dir = f"{self.dir}/run"
        self.netns = f"spt{os.getpid()}{name}"
        self.env = env
        os.mkdir(self.dir, 0o700)
        os.mkdir(self.run_dir, 0o700)
        self.conf = f"{self.dir}/t.cfg"
        with open(self.conf, "w") as f:
            f.write(f"""
ports = ({{ name = "wan"; device = "net_tap0"; addresses = ("192.0.2.1/24"); }});
ipsec = {{ run-directory = "{self.run_dir}"; }};
ipsec-transport-profiles = ({{ name = "p"; local-address = "192.0.2.1"; group-pre-shared-key = "k"; }});
""")
        subprocess.run(["ip", "netns", "add", self.netns], check=True)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(f"{self.run_dir}/ike.sock")
        self.listener.listen()
        self.listener.settimeout(8)

    def script(self, command, *args):
        if not args:
            args = ("-c", self.conf)
            if command in ("start", "run", "check"):
                args += ("--netns", self.netns)
        return subprocess.run([f"{ROOT}/scripts/charon", command, *args], env=self.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)

    def number(self, name):
        try:
            with open(f"{self.run_dir}/{name}") as f:
                return int(f.read())
        except (OSError, ValueError):
            return 0

    def pid(self):
        pid = self.number("charon.pid")
        try:
            return pid if "charon-systemd" in os.readlink(f"/proc/{pid}/exe") else 0
        except OSError:
            return 0

    def hello(self):
        """The first message of a plugin that has connected."""
        link, _ = self.listener.accept()
        link.settimeout(8)
        got = link.recv(4096)
        return link, got

    def end(self):
        self.script("stop")
        self.listener.close()
        subprocess.run(["ip", "netns", "del", self.netns])


def cases(a, b):
    out = a.script("check")
    check("check finds nothing in the way " + out.stdout, out.returncode == 0)
    out = a.script("status")
    check("status of none is 3", out.returncode == 3 and "not running" in out.stdout)
    out = a.script("start")
    check("start " + out.stdout.strip(), out.returncode == 0)
    link, first = a.hello()
    check("the plugin connects and speaks", len(first) > 0)
    pid = a.pid()
    out = a.script("start")
    check("start again changes nothing", out.returncode == 0 and a.pid() == pid and "already" in out.stdout)
    out = a.script("status")
    check("status is 0", out.returncode == 0 and f"pid {pid} " in out.stdout)
    out = a.script("run")
    check("a second supervisor is refused", out.returncode == 1 and "already watched" in out.stdout)

    os.kill(pid, signal.SIGKILL)
    died = time.monotonic()
    until("the daemon sees the end", 5, lambda: link.recv(4096) == b"")
    link.close()
    link, first = a.hello()
    check(f"a new charon's plugin connects, {time.monotonic() - died:.1f} s after", time.monotonic() - died < 3)
    # Its supervisor writes the number down beside it.
    until("it is a new process", 5, lambda: a.pid() not in (0, pid))
    link.close()

    out = b.script("start")
    check("a second instance starts", out.returncode == 0)
    check("each has its own", a.pid() and b.pid() and a.pid() != b.pid())
    out = b.script("stop")
    check("and stops", out.returncode == 0 and not b.pid())
    check("the first one runs on", a.pid())

    os.kill(a.number("charon-supervisor.pid"), signal.SIGKILL)
    until("charon does not outlive its supervisor", 5, lambda: not a.pid())
    out = a.script("start")
    check("start after that", out.returncode == 0 and a.pid())
    pid = a.pid()
    os.kill(pid, signal.SIGSTOP)  # it takes a while to end
    os.kill(a.number("charon-supervisor.pid"), signal.SIGKILL)
    threading.Timer(1, os.kill, (pid, signal.SIGCONT)).start()
    out = a.script("start")
    check("start while one that nobody watches is about to end " + out.stdout.strip(),
          out.returncode == 0 and "ended first" in out.stdout and a.pid() not in (0, pid))
    out = a.script("stop")
    check("stop", out.returncode == 0 and not a.pid())
    out = a.script("stop")
    check("stop again", out.returncode == 0 and "not running" in out.stdout)
    out = a.script("stop", "--run-directory", a.run_dir)
    check("stop by run directory", out.returncode == 0)

    holder = subprocess.Popen(["ip", "netns", "exec", a.netns, sys.executable, "-c",
                               "import socket, time; s = socket.socket(2, 2); s.bind(('', 500)); print(1, flush=True); "
                               "time.sleep(60)"], stdout=subprocess.PIPE)
    holder.stdout.readline()
    out = a.script("start")
    check("another's port 500 is respected", out.returncode == 1 and "UDP port 500 is taken (python" in out.stdout and
          len(out.stdout.strip().splitlines()) == 1)
    out = a.script("check")
    check("and told by check", out.returncode == 1)
    holder.kill()
    holder.wait()

    run = subprocess.Popen([f"{ROOT}/scripts/charon", "run", "-c", a.conf, "--netns", a.netns], env=a.env,
                           stdout=subprocess.DEVNULL)
    until("run in the foreground", 10, a.pid)
    run.terminate()
    check("ends with SIGTERM", run.wait(10) == 0 and not a.pid())

    broken = {**a.env, "SALLYPORT_PLUGIN": "/nonexistent"}
    out = subprocess.run([f"{ROOT}/scripts/charon", "start", "-c", a.conf, "--netns", a.netns], env=broken,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    check("no plugin, no start", out.returncode == 1 and "there is no /nonexistent" in out.stdout)


def main():
    daemon = os.path.abspath(os.path.join(sys.argv[1], "src/sallyport"))
    if os.geteuid() != 0 or not have_plugin():
        print("needs root, and the plugin: scripts/charon-plugin says what it lacks")
        return 77
    folder = tempfile.mkdtemp(prefix="sallyport-charon-")
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SALLYPORT": daemon, "SALLYPORT_PLUGIN": PLUGIN}
    instances = []
    try:
        for name in ("a", "b"):
            instances.append(Instance(folder, name, env))
        cases(*instances)
    except (Failed, socket.timeout) as e:
        print(f"FAILED {e!r}")
        for i in instances:
            for name in ("charon.out", "charon.log"):
                if os.path.exists(f"{i.run_dir}/{name}"):
                    print(f"--- {name}\n" + open(f"{i.run_dir}/{name}").read()[-3000:])
        return 1
    finally:
        for i in instances:
            i.end()
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
