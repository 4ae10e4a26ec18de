# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""The part of scripts/quickstart that makes the lab, dials in and shows it."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from daemon import Daemon
from guest import Guest, ping_from
from guest_ipsec import V2_GCM
from ipsec_lab import Charon, MTU
from lab import APPLIANCE_IP, CORE_HOST, Lab, LabError, POOL_LOCAL, ROOT, wait_until

PREFIX = "spquick"
PID_FILE = "/run/sallyport-quickstart.pid"
PORT = 2300
HOST = "lac-ipsec-ss"  # of conf/lab.cfg: in IPsec only, and single-shot


class Failed(Exception):
    """Something went wrong; the text says what to do about it."""


def say(text):
    print("== " + text, flush=True)


def running():
    """The process id of a lab that was left running, or None."""
    try:
        with open(PID_FILE, encoding="ascii") as f:
            pid = int(f.read())
        with open(f"/proc/{pid}/cmdline", encoding="utf-8") as f:
            return pid if "quickstart.py" in f.read() else None
    except (OSError, ValueError):
        return None


def stop_running():
    """Ends the lab of an earlier run, also one whose supervisor was killed."""
    pid = running()
    if pid:
        say("ending the lab of the run before")
        os.kill(pid, signal.SIGTERM)
        if not wait_until(lambda: not running(), 60):
            raise Failed(f"The lab of an earlier run (process {pid}) does not end; "
                         f"kill it, then run this again.")
    names = subprocess.run(["ip", "netns", "list"], stdout=subprocess.PIPE, text=True,
                           check=False).stdout.split()
    for name in [n for n in names if n.startswith(PREFIX + "-")]:
        pids = subprocess.run(["ip", "netns", "pids", name], stdout=subprocess.PIPE, text=True,
                              check=False).stdout.split()
        for p in pids:
            os.kill(int(p), signal.SIGKILL)
        subprocess.run(["ip", "netns", "del", name], check=False)
    if os.path.exists(PID_FILE):
        os.unlink(PID_FILE)


def check_port():
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", PORT))
        except OSError:
            raise Failed(f"Something else listens on 127.0.0.1:{PORT}; end it (ss -ltnp shows what "
                         "it is), then run this again.") from None


def show_pings(lab, guest):
    """Pings of three sizes, both ways; True when nothing was lost."""
    ip, mtu, good = guest.ppp_ip(), guest.ppp_mtu(), True
    guest.route("198.51.100.0/24")
    for size in (56, 1300, mtu - 28):
        for to, what in ((POOL_LOCAL, "the appliance"), (CORE_HOST, "the core host")):
            r = guest.ping(to, size, df=True, device="ppp0")
            print(f"   subscriber {ip} -> {what} {to}, {size} bytes: {r}")
            good = good and r.ok
        r = ping_from(lab.core, ip, size, df=True)
        print(f"   core host {CORE_HOST} -> subscriber {ip}, {size} bytes: {r}", flush=True)
        good = good and r.ok
    return good


def settings():
    """What the client must know of conf/lab.cfg: (file, the pre-shared key)."""
    path = os.path.join(ROOT, "conf", "lab.cfg")
    with open(path, encoding="utf-8") as f:
        m = re.search(r'^\s*group-pre-shared-key = "([^"]+)"', f.read(), re.M)
    if not m:
        raise Failed("conf/lab.cfg has no group-pre-shared-key; the client needs one in the IPsec "
                     "transport profile: put it there and run this again.")
    return path, m[1]


def start(lab, folder, path):
    """The appliance: the daemon, and charon beside it. Returns both."""
    say("build/src/sallyport -c conf/lab.cfg")
    daemon = Daemon(lab, folder, config_file=path, port=PORT)
    charon = Charon(lab, path)
    try:
        daemon.start()
        say("scripts/charon start -c conf/lab.cfg")
        lab.on_close.append(charon.stop)
        charon.start()
    except LabError as e:
        raise Failed(f"{e}\nThe appliance did not start; correct what is said above and run this "
                     "again.") from None
    return daemon, charon


def dial(guest):
    """IKE, then L2TP and PPP inside ESP."""
    if not guest.ipsec_dial():
        print(guest.ipsec_log())
        raise Failed("The client got no IPsec connection; its charon's log is above: correct what it "
                     "complains of and run this again.")
    guest.dial()
    if not guest.wait_up(timeout=30):
        print(guest.l2tp_logs())
        raise Failed("The client got no session; its log is above, the daemon's beside it: correct "
                     "what they complain of and run this again.")


def check_pings(lab, daemon, guest):
    if not show_pings(lab, guest):
        print("\n".join(daemon.log().splitlines()[-20:]))
        print(daemon.console("show dataplane drops"))
        raise Failed("Some pings were lost; the log and the drop reasons are above: correct what "
                     "they show and run this again.")


def show_esp(guest):
    """The pair of SAs as the client's kernel has it; keys are nobody's business."""
    for sa in guest.ipsec_state():
        algorithms = ", ".join(sa[k][0] for k in ("aead", "enc", "auth") if k in sa)
        print(f"   client's kernel: ESP {sa['src']} -> {sa['dst']}, spi 0x{sa.spi:08x}, "
              f"{sa['mode']} mode, {algorithms}", flush=True)


def show_latch(daemon, guest):
    """The client hangs up: the latch fires, and IPsec is gone at once."""
    say("the client hangs up: its single-shot connection has fired and is disconnected at once")
    guest.hang_up()
    if not guest.wait_down() or not guest.ipsec_wait_gone(10):
        print(guest.ipsec_log())
        raise Failed("The client's IPsec connection outlives its session; the client's log is above, "
                     "please report it.")
    print("   client's kernel: no ESP any more", flush=True)
    text = daemon.console("show ipsec transport interface detail")
    say("show ipsec transport interface detail")
    print(text)
    if "Single-shot: fired" not in text:
        raise Failed("The latch has not fired; the table is above, please report it.")


def demonstrate(lab, folder):
    """Everything from the lab to the second dial; returns (daemon, charon, guest)."""
    say(f"network namespaces {PREFIX}-acc (clients), {PREFIX}-app (appliance), {PREFIX}-core")
    guest = Guest(lab, "client", "192.0.2.11")
    path, psk = settings()
    daemon, charon = start(lab, folder, path)
    say("a real Linux client (User-Mode Linux: strongSwan, xl2tpd, pppd) dials in as user1: IKEv2, "
        "ESP with AES-GCM, L2TP, PPP")
    guest.ipsec_client(APPLIANCE_IP, psk=psk, **V2_GCM)
    guest.l2tp_client(APPLIANCE_IP, [("user1", "pass1")], host_name=HOST, mtu=MTU)
    dial(guest)
    show_esp(guest)
    say("pings")
    check_pings(lab, daemon, guest)
    with_console(daemon, "show ipsec transport interface detail", "show l2tp tunnel",
                 "show l2tp session", "show ip pool")
    show_latch(daemon, guest)
    say("it dials again, over a new connection")
    dial(guest)
    show_esp(guest)
    check_pings(lab, daemon, guest)
    with_console(daemon, "show ipsec transport interface")
    return daemon, charon, guest


def with_console(daemon, *commands):
    for command in commands:
        say(command)
        print(daemon.console(command), flush=True)


def once():
    folder = tempfile.mkdtemp(prefix="sp-quick-")
    try:
        with Lab(PREFIX) as lab:
            daemon, charon, guest = demonstrate(lab, folder)
            say("ending the lab")
            guest.hang_up()
            guest.wait_down()
            rc = daemon.stop()
            charon.stop()
            if rc != 0:
                raise Failed(f"The daemon ended with status {rc}; its log is "
                             f"{keep_log(daemon)}, please report it.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    say("done: every ping crossed, the latch fired, the second dial worked")


def keep_log(daemon):
    path = os.path.join(ROOT, "build-logs", "quickstart-daemon.log")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copy(daemon.log_path, path)
    return path


def serve(done):
    """Makes the lab, tells the starter by done(status), and holds it until SIGTERM."""
    folder = tempfile.mkdtemp(prefix="sp-quick-")
    try:
        with Lab(PREFIX) as lab:
            daemon, charon, _ = demonstrate(lab, folder)
            say("the lab stays up. Now try:")
            print(f"   telnet 127.0.0.1 {PORT}             the operator's console\n"
                  f"   ip netns exec {PREFIX}-core bash    a shell on the core host: ping 10.64.0.2\n"
                  f"   tail -f {daemon.log_path}    the log\n"
                  f"   tail -f {charon.log_path}    charon's log\n"
                  "   scripts/quickstart --stop         ends it", flush=True)
            done(0)
            while daemon.alive():
                time.sleep(0.5)
    except SystemExit:
        daemon.stop()
        charon.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if running() == os.getpid():
            os.unlink(PID_FILE)


def terminated(*_):
    raise SystemExit(143)


def background():
    """Runs serve in a process of its own; returns when the lab is up or has failed."""
    r, w = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        os.close(w)
        try:
            status = os.read(r, 1)
        except KeyboardInterrupt:
            os.waitpid(pid, 0)
            raise
        if not status:
            os.waitpid(pid, 0)
        return status[0] if status else 1
    os.close(r)
    signal.signal(signal.SIGTERM, terminated)
    with open(PID_FILE, "w", encoding="ascii") as f:
        f.write(str(os.getpid()))

    def done(status):
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.write(w, bytes([status]))
        os.close(w)
    try:
        serve(done)
    except (Failed, LabError) as e:
        print(f"quickstart: {e}", file=sys.stderr, flush=True)
        os._exit(1)
    except KeyboardInterrupt:
        os._exit(130)
    os._exit(0)


def main():
    option = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        stop_running()
        if option == "--stop":
            return 0
        check_port()
        if option == "--once":
            signal.signal(signal.SIGTERM, terminated)
            once()
            return 0
        return background()
    except (Failed, LabError) as e:
        print(f"quickstart: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


sys.exit(main())
