# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Asks the guest's kernel, and tells it, without a program: in User-Mode Linux every one that is
started costs 40 to 100 ms of the host's CPU."""
import errno
import fcntl
import os
import signal
import socket
import struct
import time

SIOCGIFFLAGS, SIOCGIFADDR, SIOCGIFDSTADDR, SIOCGIFMTU = 0x8913, 0x8915, 0x8917, 0x8921
IFF_UP = 1
NETLINK_XFRM = 6
NLM_F_REQUEST, NLM_F_ACK, NLM_F_REPLACE, NLM_F_DUMP, NLM_F_CREATE = 1, 4, 0x100, 0x300, 0x400
NLMSG_ERROR, NLMSG_DONE = 2, 3
RTM_NEWROUTE, RTA_DST, RTA_OIF = 24, 1, 4
RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_LINK, RTN_UNICAST = 254, 3, 253, 1
XFRM_MSG_NEWSA, XFRM_MSG_GETSA, XFRM_MSG_FLUSHSA, XFRM_MSG_FLUSHPOLICY = 0x10, 0x12, 0x1c, 0x1d
SA_PROTO = 76  # of xfrm_usersa_info: behind a selector, an address and the SPI


def _ioctl(dev, request):
    """The union of an ifreq."""
    if not os.path.exists("/sys/class/net/" + dev):
        raise OSError(errno.ENODEV, dev)  # the kernel would look for a module of that name
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        return fcntl.ioctl(s, request, struct.pack("16s24x", dev.encode()))[16:]


def address(dev):
    """A device's IPv4 address, or None."""
    try:
        return socket.inet_ntoa(_ioctl(dev, SIOCGIFADDR)[4:8])
    except OSError:
        return None


def mtu(dev):
    try:
        return struct.unpack_from("i", _ioctl(dev, SIOCGIFMTU))[0]
    except OSError:
        return 0


def has_peer(dev):
    """It is up and has an address, and the peer another."""
    try:
        return bool(struct.unpack_from("H", _ioctl(dev, SIOCGIFFLAGS))[0] & IFF_UP) and \
            _ioctl(dev, SIOCGIFADDR)[4:8] != _ioctl(dev, SIOCGIFDSTADDR)[4:8]
    except OSError:
        return False


def _netlink(protocol, kind, flags, body):
    """A request and its answers, [(type, data)]; raises the OSError that the kernel gives."""
    out = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as s:
        s.bind((0, 0))
        s.sendall(struct.pack("IHHII", 16 + len(body), kind, NLM_F_REQUEST | flags, 1, 0) + body)
        while True:
            data = s.recv(1 << 16)
            while len(data) >= 16:
                length, answer = struct.unpack_from("IH", data)
                if answer == NLMSG_DONE:
                    return out
                if answer == NLMSG_ERROR:
                    error = struct.unpack_from("i", data, 16)[0]
                    if error:
                        raise OSError(-error, os.strerror(-error))
                    return out
                out.append((answer, data[16:length]))
                data = data[(length + 3) & ~3:]


def route(prefix, dev):
    """ip route replace PREFIX dev DEV"""
    net, _, length = prefix.partition("/")
    body = struct.pack("BBBBBBBBI", socket.AF_INET, int(length or 32), 0, 0, RT_TABLE_MAIN,
                       RTPROT_BOOT, RT_SCOPE_LINK, RTN_UNICAST, 0)
    body += struct.pack("HH4s", 8, RTA_DST, socket.inet_aton(net))
    body += struct.pack("HHI", 8, RTA_OIF, socket.if_nametoindex(dev))
    _netlink(socket.NETLINK_ROUTE, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, body)


def flush_routes():
    """What the kernel has learnt: MTUs of paths, redirects."""
    with open("/proc/sys/net/ipv4/route/flush", "w", encoding="ascii") as f:
        f.write("1")


def has_esp():
    """Whether there is an SA of ESP, also one that is only asked for."""
    if not os.path.exists("/sys/module/xfrm_user"):
        return False
    sas = _netlink(NETLINK_XFRM, XFRM_MSG_GETSA, NLM_F_DUMP, b"")
    return any(kind == XFRM_MSG_NEWSA and data[SA_PROTO] == socket.IPPROTO_ESP
               for kind, data in sas)


def flush_xfrm():
    """No SA, no policy."""
    if os.path.exists("/sys/module/xfrm_user"):
        _netlink(NETLINK_XFRM, XFRM_MSG_FLUSHSA, NLM_F_ACK, struct.pack("B3x", 0))
        _netlink(NETLINK_XFRM, XFRM_MSG_FLUSHPOLICY, NLM_F_ACK, b"")


def processes(names):
    """Numbers of those that live, by their exact names."""
    out = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
                head, _, rest = f.read().rpartition(")")
        except OSError:
            continue
        if head.partition("(")[2] in names and rest.split()[0] not in "ZX":
            out.append(int(pid))
    return out


def kill(names, sig, wait=0.0):
    """Sends a signal (its name, None: nothing) to every process of these names; True when none is
    left, at most so many seconds later."""
    for pid in processes(names) if sig else ():
        try:
            os.kill(pid, signal.Signals["SIG" + sig])
        except ProcessLookupError:
            pass
    return until(lambda: not processes(names), wait)


def until(fn, seconds, step=0.05):
    """Polls fn until it gives something true, at most so long; the last look begins behind that."""
    end = time.monotonic() + seconds
    while True:
        last = time.monotonic() >= end
        if fn():
            return True
        if last:
            return False
        time.sleep(step)
