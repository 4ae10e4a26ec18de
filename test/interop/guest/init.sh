#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
#
# PID 1 of a User-Mode Linux guest. Its root is the HOST's file system, writable, by hostfs: every
# folder that a program writes to is covered with a tmpfs first, and nothing else is touched.
# Kernel command line: IP=ADDR/LEN GUEST_DIR=folder of this file.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TERM=dumb LC_ALL=C

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
mount -t devtmpfs dev /dev
mount -t tmpfs ppp /etc/ppp
mount -t tmpfs log /var/log
mkdir -p /run/lock /run/xl2tpd /run/pppd/lock /run/bin /dev/pts /dev/shm
ln -s /proc/self/fd /dev/fd
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm

# Modules are not where modprobe looks, and the host is not to be changed: a wrapper points there,
# for us and for the kernel's own requests.
mkdir -p /run/mod/lib/modules
ln -s "/usr/lib/uml/modules/$(uname -r)" "/run/mod/lib/modules/$(uname -r)"
printf '#!/bin/sh\nexec /sbin/modprobe -d /run/mod "$@"\n' > /run/bin/modprobe
chmod 755 /run/bin/modprobe
echo /run/bin/modprobe > /proc/sys/kernel/modprobe
PATH=/run/bin:$PATH
modprobe -a l2tp_ppp pppox ppp_generic ppp_async

: > /etc/ppp/options
(umask 077; : > /etc/ppp/chap-secrets; : > /etc/ppp/pap-secrets)
ip link set lo up
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
if [ -n "$IP" ]; then
	# What leaves here goes through a software bridge into a packet socket: finished checksums only.
	ethtool -K vec0 tx off tso off gso off > /dev/null 2>&1
	ip addr add "$IP" dev vec0
	ip link set vec0 up
fi
[ -n "$GW" ] && ip route add default via "$GW"

python3 -S -E "$GUEST_DIR/agent.py" < /dev/tty1 > /dev/tty1
echo o > /proc/sysrq-trigger
sleep 5
