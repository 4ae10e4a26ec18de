# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""A real Linux as a User-Mode Linux guest: its own kernel with PPP and L2TP, xl2tpd and pppd from
the host's file system. Orders go through a second console into an agent (guest/agent.py)."""
import json
import os
import re
import signal
import subprocess
import tempfile
import threading

from guest_ipsec import IpsecClient
from lab import LabError, wait_until

HERE = os.path.dirname(os.path.realpath(__file__))
UML = "/usr/bin/linux.uml"


class Result(str):
    """What a command printed, and its exit status."""
    rc = 0


def result(rc, out):
    r = Result(out)
    r.rc = rc
    return r


class Ping:
    """What guest/ping.py found."""

    def __init__(self, text):
        numbers, _, self.errors = text.partition("\n")
        try:
            self.sent, self.received, self.duplicates, self.corrupt = map(int, numbers.split())
        except ValueError:
            raise LabError("ping: " + text) from None
        self.ok = self.sent == self.received > 0 and not (self.duplicates or self.corrupt)

    def __repr__(self):
        return f"{self.received} of {self.sent}, {self.duplicates} duplicates, " \
               f"{self.corrupt} corrupt {self.errors.strip()}"


def ping_command(to, size, count, interval, df):
    return ["python3", "-S", "-E", os.path.join(HERE, "guest", "ping.py"), to, str(size), str(count),
            str(interval), "3", *(["df"] if df else [])]


def ping_from(ns, to, size=56, count=5, interval=0.02, df=False):
    """Pings from a namespace."""
    return Ping(ns.run(*ping_command(to, size, count, interval, df)))


class Guest(IpsecClient):
    """A running guest on a tap of a bridge of the lab: the access bridge, or another side."""

    def __init__(self, lab, name, ip, mem="128M", side=None):
        self.name, self.ip, self.side = name, ip, side or lab.front
        self.dir = tempfile.mkdtemp(prefix=f"sp-{name}-")
        self.tap = lab.tap(self.side)
        self.number, self.waiting, self.lock = 0, {}, threading.Lock()
        order_r, order_w = os.pipe()
        answer_r, answer_w = os.pipe()
        self.log_path = os.path.join(self.dir, "console.log")
        args = [UML, "mem=" + mem, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw",
                "init=" + os.path.join(HERE, "guest", "init.sh"), "quiet",
                "uml_dir=" + self.dir, "umid=u", "con=null", "con0=null,fd:1",
                f"con1=fd:{order_r},fd:{answer_w}",
                f"vec0:transport=tap,ifname={self.tap},depth=128,gro=0",
                "GUEST_DIR=" + os.path.join(HERE, "guest"), f"IP={ip}/24"]
        if self.side.gateway:
            args.append("GW=" + self.side.gateway)
        with open(self.log_path, "wb") as log:
            self.proc = self.side.ns.popen(*args, stdin=subprocess.DEVNULL, stdout=log,
                                         stderr=log, pass_fds=(order_r, answer_w),
                                         start_new_session=True,
                                         env={"PATH": os.environ["PATH"], "TMPDIR": self.dir,
                                              "HOME": self.dir})
        os.close(order_r)
        os.close(answer_w)
        self.orders = os.fdopen(order_w, "w", encoding="utf-8")
        self.answers = os.fdopen(answer_r, "r", encoding="utf-8")
        self.booted = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()
        lab.on_close.append(self.kill)

    def _read(self):
        for line in self.answers:
            try:
                a = json.loads(line)
            except ValueError:
                continue
            if a["id"] == 0:
                self.booted.set()
            with self.lock:
                w = self.waiting.pop(a["id"], None)
            if w:
                w["answer"] = a
                w["event"].set()
        for w in list(self.waiting.values()):
            w["event"].set()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_boot(self, timeout=90):
        if not self.booted.wait(timeout):
            raise LabError(f"guest {self.name} did not boot:\n{self.log()[-2000:]}")
        return self

    def _order(self, op, within=30, /, **args):
        """An order to guest/agent.py and its answer, which must come within so many seconds."""
        self.wait_boot()
        order = {"op": op, **args}
        w = {"event": threading.Event(), "answer": None}
        with self.lock:
            self.number += 1
            order["id"] = self.number
            self.waiting[self.number] = w
            self.orders.write(json.dumps(order) + "\n")
            self.orders.flush()
        w["event"].wait(within)
        if w["answer"] is None:
            raise LabError(f"guest {self.name} does not answer: {args.get('cmd', op)}")
        return result(w["answer"]["rc"], w["answer"]["out"])

    def _must(self, op, within=30, /, **args):
        r = self._order(op, within, **args)
        if r.rc:
            raise LabError(f"guest {self.name}: {op} {args}: rc {r.rc}: {r}")
        return r

    def run(self, cmd, timeout=30, env=None):
        """Runs a program with its arguments (a list), or a shell command (text), in the guest; the
        result is its output, with .rc. Programs are dear here: see guest/kernel.py."""
        return self._order("run", timeout + 10, cmd=cmd, timeout=timeout, env=env)

    @staticmethod
    def background(fn):
        """Runs fn in a thread; returns a function that waits for its value, with .done()."""
        box = {}

        def body():
            try:
                box["value"] = fn()
            except BaseException as e:  # handed to who waits
                box["error"] = e

        t = threading.Thread(target=body, daemon=True)
        t.start()

        def join():
            t.join()
            if "error" in box:
                raise box["error"]
            return box["value"]
        join.done = lambda: not t.is_alive()
        return join

    def write(self, path, text, mode=0o644):
        """mode None: into what is there, a kernel's file."""
        # The guest's terminal holds 4096 bytes and loses what is more.
        for at in range(0, max(len(text), 1), 2000):
            self._must("write", path=path, data=text[at:at + 2000], mode=mode, append=at > 0)

    def read(self, path):
        """A file's text; nothing, and .rc 1, when it is not there."""
        return self._order("read", path=path)

    def wait(self, what, arg, timeout, pattern=None):
        """Waits for a thing that guest/agent.py knows; True if it came in time."""
        return self._order("wait", timeout + 20, what=what, arg=arg, timeout=timeout,
                           pattern=pattern).rc == 0

    def kill_programs(self, *names, sig="KILL", wait=5.0):
        """Signals all of these names; True when none lives after wait seconds."""
        return self._order("kill", wait + 10, names=names, sig=sig, timeout=wait).rc == 0

    def clean(self):
        """Back to what it was after its boot, between two cases."""
        self.link(True)
        self._must("clean")

    # ---- L2TP client ----

    def l2tp_client(self, lns, users, host_name="guest", secret=None, methods=("chap",),
                    userspace=False, redial=False, mtu=1460, options=(), lac_options=()):
        """Configures and starts xl2tpd as LAC: one lac section and so one tunnel a user, named
        c0, c1, ..; users are (name, password). Nothing is dialled yet."""
        conf = ["[global]", "port = 1701", "access control = no", "debug tunnel = yes",
                "debug state = yes"]
        if userspace:
            conf.append("force userspace = yes")
        for i, (user, password) in enumerate(users):
            conf += [f"[lac c{i}]", f"lns = {lns}", f"hostname = {host_name}", "ppp debug = yes",
                     f"pppoptfile = /run/l2tp/ppp{i}", "length bit = yes", "autodial = no",
                     "redial = " + ("yes" if redial else "no"), "redial timeout = 1",
                     "max redials = 1000", *lac_options]
            if secret:
                conf.append("challenge = yes")
            refuse = [f"refuse-{m}" for m in ("pap", "chap", "mschap", "mschap-v2", "eap")
                      if m not in methods]
            self.write(f"/run/l2tp/ppp{i}", "\n".join(
                [f"user {user}", f"password {password}", "noauth", "noccp", "novj", f"mtu {mtu}",
                 f"mru {mtu}", "ipcp-accept-local", "ipcp-accept-remote", "nodefaultroute", "lcp-max-terminate 1",
                 f"unit {i}", "debug", f"logfile /run/l2tp/pppd{i}.log", *refuse, *options])
                + "\n", 0o600)
        self.write("/run/l2tp/xl2tpd.conf", "\n".join(conf) + "\n")
        self.write("/run/l2tp/secrets", f"* * {secret}\n" if secret else "", 0o600)
        self._xl2tpd()

    def l2tp_server(self, users, secret=None, methods=("mschap-v2",), hidden=False):
        """Configures and starts xl2tpd as LNS: pool 10.200.0.10-50, local 10.200.0.1."""
        conf = ["[global]", "port = 1701", "access control = no", "debug tunnel = yes",
                "[lns default]", "ip range = 10.200.0.10-10.200.0.50", "local ip = 10.200.0.1",
                "require authentication = yes", "hostname = lns", "name = lns",
                "ppp debug = yes",
                "pppoptfile = /run/l2tp/ppp", "length bit = yes"]
        if secret:
            conf.append("challenge = yes")
        if hidden:
            conf.append("hidden bit = yes")
        self.write("/run/l2tp/xl2tpd.conf", "\n".join(conf) + "\n")
        self.write("/run/l2tp/secrets", f"* * {secret}\n" if secret else "", 0o600)
        self.write("/run/l2tp/ppp", "\n".join(
            ["auth", *[f"require-{m}" for m in methods], "noccp", "novj", "mtu 1460", "mru 1460",
             "nodefaultroute", "debug", "logfile /run/l2tp/pppd.log"]) + "\n")
        text = "".join(f"{u} * {p} *\n" for u, p in users)
        self.write("/etc/ppp/chap-secrets", text, 0o600)
        self.write("/etc/ppp/pap-secrets", text, 0o600)
        self._xl2tpd()

    def _xl2tpd(self):
        run = "/run/l2tp/"
        self._must("spawn", 40, name="xl2tpd", log=run + "xl2tpd.log", ready=run + "ctl", text="",
                   args=["xl2tpd", "-D", "-c", run + "xl2tpd.conf", "-s", run + "secrets",
                         "-p", run + "pid", "-C", run + "ctl"])

    def _tell(self, line, **kw):
        """An order for xl2tpd and what it says to that."""
        return self._order("tell", 30, pipe="/run/l2tp/ctl", line=line, **kw)

    def dial(self, i=0):
        """The call before may last a little longer than its device. When xl2tpd's own CDN was the first
        it lasts as long as its tunnel: xl2tpd waits for an acknowledgement that bears the call's
        session ID, which no ZLB need do. Then the tunnel ends first."""
        r = self._tell(f"c c{i}", but="already active", timeout=1)
        if "already active" in r:
            self._tell(f"d c{i}", but="00", timeout=5)
            r = self._tell(f"c c{i}")
        if r.rc:
            raise LabError(f"guest {self.name}: xl2tpd does not dial: {r}")

    def wait_up(self, i=0, timeout=20):
        """Waits until pppN has its address; True if it came."""
        return self.wait("ppp", f"ppp{i}", timeout)

    def wait_down(self, i=0, timeout=20):
        return self.wait("no-device", f"ppp{i}", timeout)

    def up(self, i=0, timeout=20):
        """Dials and waits; raises with the logs when PPP does not come up. Returns its address."""
        self.dial(i)
        if not self.wait_up(i, timeout):
            raise AssertionError(f"ppp{i} did not come up\n{self.l2tp_logs(i)}")
        return self.ppp_ip(i)

    def ppp_ip(self, i=0):
        return json.loads(self._must("device", dev=f"ppp{i}"))[0]

    def ppp_mtu(self, i=0):
        return json.loads(self._must("device", dev=f"ppp{i}"))[1]

    def ppp_log(self, i=0):
        return self.read(f"/run/l2tp/pppd{i}.log")

    def wait_ppp_log(self, pattern, timeout=10, i=0):
        """Waits until pppd's log has what matches."""
        return self.wait("text", f"/run/l2tp/pppd{i}.log", timeout, pattern)

    def route(self, prefix, i=0):
        self._must("route", prefix=prefix, dev=f"ppp{i}")

    def hang_up(self, i=0):
        """xl2tpd closes the call and its tunnel in good order. It keeps the tunnel until its StopCCN is
        acknowledged, and would make the next call in there, which never comes up: so that is waited for
        ("x" lists tunnels). Another "d" ends one that nobody acknowledges."""
        tunnels = re.search(r"tunnels count=\d+", self._tell("x"))
        r = self._tell(f"d c{i}")
        if r.rc or not tunnels:
            raise LabError(f"guest {self.name}: xl2tpd does not hang up: {r}")
        if tunnels[0] in self._tell("x", but=tunnels[0], timeout=5):
            self._tell(f"d c{i}", but="00", timeout=5)

    def l2tp_stop(self, sig="TERM"):
        """Ends xl2tpd and its pppd; with KILL nothing is said to the other side."""
        self.kill_programs("xl2tpd", sig=sig, wait=0)
        if sig == "KILL":
            self.kill_programs("pppd", wait=0)
        if not self.kill_programs("xl2tpd", "pppd", sig=None, wait=5):
            self.kill_programs("xl2tpd", "pppd")

    def l2tp_logs(self, i=0):
        return self.run(f"tail -n 40 /run/l2tp/xl2tpd.log; tail -n 60 /run/l2tp/pppd{i}.log "
                        "/run/l2tp/pppd.log 2>/dev/null")

    def ping(self, to, size=56, count=5, interval=0.02, df=False, device=None):
        return self.start_ping(to, size, count, interval, df, device)()

    def start_ping(self, to, size=56, count=5, interval=0.02, df=False, device=None):
        """Pings in the background; returns a function that waits for the end."""
        return self.background(lambda: Ping(self._order(
            "ping", count * interval * 3 + 30, args=[to, size, count, interval, 3, device, df])))

    # ---- the wire and the end ----

    def link(self, up):
        """Cuts or mends the guest's wire, at the bridge: the guest sees no error, only silence."""
        self.side.ns.ip("link", "set", self.tap,
                        *(("master", self.side.bridge) if up else ("nomaster",)))

    def stop(self):
        """Powers off in good order, then kills."""
        try:
            with self.lock:
                self.orders.write('{"op": "quit"}\n')
                self.orders.flush()
            self.proc.wait(8)
        except (OSError, ValueError, subprocess.TimeoutExpired):
            pass
        self.kill()

    def kill(self):
        """Ends the guest at once, as a power cut does."""
        if self.dir is None:
            return
        try:
            os.killpg(self.proc.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.proc.wait(10)
        wait_until(lambda: not group_alive(self.proc.pid), 5)
        try:
            self.orders.close()
        except OSError:
            pass
        subprocess.run(["rm", "-rf", self.dir], check=False)
        self.dir = None


def group_alive(pgid):
    try:
        os.killpg(pgid, 0)
        return True
    except ProcessLookupError:
        return False
