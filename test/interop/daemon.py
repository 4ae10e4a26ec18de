# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""The daemon under test: its configuration as a Python dict, its process, its console."""
import os
import re
import signal
import socket
import subprocess
import time

from lab import LabError, ROOT, wait_until

BINARY = os.environ.get("SALLYPORT", os.path.join(ROOT, "build", "src", "sallyport"))
PROMPT = re.compile(r"(?:^|\n)[\w.-]+(?::[\w.-]+)?(?:\([\w-]+\))?[#>] ?$")


def libconfig(value, depth=0):
    """A Python value as libconfig text: dict = group, list of dicts = list, other list = array."""
    pad = "\t" * (depth + 1)
    if isinstance(value, dict):
        body = "".join(f"{pad}{k} = {libconfig(v, depth + 1)};\n" for k, v in value.items()
                       if v is not None)
        return "{\n" + body + "\t" * depth + "}"
    if isinstance(value, list):
        items = [libconfig(v, depth + 1) for v in value]
        if any(isinstance(v, dict) for v in value):
            return "(\n" + ",\n".join(pad + i for i in items) + "\n" + "\t" * depth + ")"
        return "[ " + ", ".join(items) + " ]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Console:
    """A telnet client that says no to every option and reads until the prompt."""

    def __init__(self, port, host="127.0.0.1", timeout=5):
        self.sock = socket.create_connection((host, port), timeout)
        self.sock.settimeout(timeout)
        self.buf = b""
        self.banner = self._until_prompt()

    def _until_prompt(self):
        text = ""
        while True:
            data = self.sock.recv(65536)
            if not data:
                raise LabError(f"the console closed after {text!r}")
            text += self._plain(data)
            if text.rstrip(" ").endswith("--More--"):
                text = re.sub(r"\r?\s*--More--\s*$", "\n", text)
                self.sock.sendall(b" ")
            elif PROMPT.search(text):
                return text

    def _plain(self, data):
        """Takes telnet's own bytes out, refusing what is offered and asked."""
        data, out = self.buf + data, bytearray()
        self.buf, i = b"", 0
        while i < len(data):
            if data[i] != 255:
                out.append(data[i])
                i += 1
            elif i + 1 < len(data) and data[i + 1] == 255:
                out.append(255)
                i += 2
            elif i + 2 >= len(data):
                self.buf = data[i:]
                break
            elif data[i + 1] == 250:
                end = data.find(b"\xff\xf0", i)
                if end < 0:
                    self.buf = data[i:]
                    break
                i = end + 2
            else:
                i += 3 if data[i + 1] >= 251 else 2
        text = out.decode(errors="replace").replace("\r\n", "\n").replace("\0", "")
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|[^\n]*\x08+ *\x08*", "", text).replace("\r", "")

    def run(self, command):
        """Sends a line; returns what it printed, without echo and prompt."""
        self.sock.sendall(command.encode() + b"\r\n")
        text = self._until_prompt()
        text = PROMPT.sub("", text)
        lines = text.lstrip("\n").split("\n")
        if lines and command in lines[0]:
            lines = lines[1:]
        return "\n".join(lines).strip("\n")

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Daemon:
    """One run of the daemon in the appliance's namespace, console in ours."""

    def __init__(self, lab, folder, config=None, config_file=None, port=None):
        self.lab, self.folder = lab, folder
        self.port = port or free_port()
        self.config_path = config_file or os.path.join(folder, "sallyport.cfg")
        self.log_path = os.path.join(folder, "daemon.log")
        if config is not None:
            config.setdefault("console", {})["listen"] = f"127.0.0.1:{self.port}"
            text = "".join(f"{k} = {libconfig(v)};\n" for k, v in config.items())
            with open(self.config_path, "w", encoding="utf-8") as f:
                f.write(text)
        self.proc = None

    def start(self, timeout=30):
        env = {k: v for k, v in os.environ.items()
               if k in ("PATH", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS")}
        with open(self.log_path, "ab") as log:
            self.mark = log.tell()
            self.proc = self.lab.app.popen(BINARY, "-c", self.config_path,
                                           "-N", f"/proc/{os.getpid()}/ns/net",
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                           env=env, cwd=self.folder)
        self.lab.on_close.append(self.kill)
        if not wait_until(lambda: self.proc.poll() is not None or self._answers(), timeout, 0.1) \
                or self.proc.poll() is not None:
            self.kill()
            raise LabError(f"the daemon did not start:\n{self.log()[-3000:]}")
        return self

    def _answers(self):
        try:
            with Console(self.port, timeout=2):
                return True
        except (OSError, LabError):
            return False

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            f.seek(self.mark)
            return f.read()

    def console(self, *commands):
        """Runs commands on a connection of its own; returns the last one's output."""
        with Console(self.port) as c:
            out = ""
            for command in commands:
                out = c.run(command)
            return out

    def alive(self):
        return self.proc is not None and self.proc.poll() is None

    def stop(self, timeout=40, meanwhile=lambda: None):
        """Ends it in good order; returns the exit status. meanwhile is called again and again."""
        if self.proc is None:
            return None
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
        end = time.monotonic() + timeout
        while self.proc.poll() is None:
            if time.monotonic() > end:
                self.kill()
                raise AssertionError("the daemon did not end after SIGTERM")
            meanwhile()
            time.sleep(0.01)
        return self.proc.returncode

    def kill(self):
        """Ends it as a crash does."""
        if self.proc is not None and self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait(10)

    def cpu_seconds(self):
        with open(f"/proc/{self.proc.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def leftovers(lab):
    """What the daemon should have taken away: a list of sentences, empty when all is clean."""
    out = []
    links = re.findall(r"^\d+: ([^:@]+)", lab.app.ip("-o", "link"), re.M)
    extra = sorted(set(links) - {"lo", "wan0", "core0"})
    if extra:
        out.append("interfaces left: " + " ".join(extra))
    rules = lab.app.run("nft", "list", "ruleset").strip()
    if rules:
        out.append("nft rules left: " + rules)
    routes = lab.app.ip("route").strip()
    if routes:
        out.append("routes left: " + routes)
    pids = []

    def none_left():
        pids[:] = subprocess.run(["ip", "netns", "pids", lab.app.name], stdout=subprocess.PIPE,
                                 text=True, check=False).stdout.split()
        return not pids
    if not wait_until(none_left, 1):
        names = [f"{p} ({read_file(f'/proc/{p}/cmdline')})" for p in pids]
        out.append("processes left: " + " ".join(names))
    return out


def read_file(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read().replace("\0", " ").strip()
    except OSError:
        return "gone"


def settle(seconds):
    """A pause that the test needs for its own sake: nothing to poll for."""
    time.sleep(seconds)
