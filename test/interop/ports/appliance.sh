#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
#
# scripts/appliance on a machine that is made up where it has to be: in mount and network namespaces of
# its own, with PCI devices of plain files and a dpdk-devbind.py that moves symbolic links. Hugepages
# and the daemon are real.
#
# usage: appliance.sh SALLYPORT; exit code 77: cannot run here
set -eu
ROOT=$(cd "$(dirname "$0")/../../.." && pwd)
DAEMON=$(realpath "$1")
PAGES=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages

if [ "$(id -u)" != 0 ]; then
	echo "needs root for namespaces"
	exit 77
fi
if [ "${2:-}" != inside ]; then
	if [ ! -d /sys/bus/pci/devices ] || [ ! -f $PAGES ]; then
		echo "needs /sys/bus/pci and hugepages of 2 MB"
		exit 77
	fi
	before=$(cat $PAGES)
	if [ "$before" != "$(cat "${PAGES%nr_*}free_hugepages")" ]; then
		echo "somebody uses hugepages"
		exit 77
	fi
	rc=0
	unshare --mount --net --propagation private "$0" "$DAEMON" inside || rc=$?
	echo "$before" > $PAGES
	exit $rc
fi

# ---- the machine ----

W=$(mktemp -d)
SCRIPT=$W/tree/scripts/appliance
finish() {
	"$SCRIPT" stop > /dev/null 2>&1 || true
	umount -R "$W/tree" 2> /dev/null || true
	rm -rf "$W"
}
trap finish EXIT

# The tree as it is checked out, with the build that is to be tested.
mkdir -p "$W/tree/build/src" "$W/bin" "$W/pci" "$W/groups" "$W/log" "$W/run"
cp -r "$ROOT/scripts" "$ROOT/conf" "$W/tree/"
cp "$DAEMON" "$W/tree/build/src/sallyport"
mount --bind "$W/log" /var/log
mount --bind "$W/run" /run
mkdir -p /run/netns
mount --bind "$W/pci" /sys/bus/pci/devices
[ ! -d /sys/kernel/iommu_groups ] || mount --bind "$W/groups" /sys/kernel/iommu_groups
ip link set lo up
ip link add wan0 type veth peer name p0
ip link set p0 up

# nic PCI CLASS DRIVER [NETDEV]
nic() {
	local d=/sys/bus/pci/devices/$1
	mkdir -p "$d/net" "$W/drivers/$3" "$d/iommu_group/devices"
	echo "$2" > "$d/class"
	ln -s "$W/drivers/$3" "$d/driver"
	[ -z "${4:-}" ] || mkdir "$d/net/$4"
}
nic 0000:03:00.0 0x020000 igb
nic 0000:03:00.1 0x020000 igb
nic 0000:04:00.0 0x020000 ixgbe wan0
nic 0000:05:00.0 0x010600 ahci
nic 0000:06:00.0 0x020000 mlx5_core
mkdir "$W/drivers/vfio-pci" "$W/drivers/uio_pci_generic"

cat > "$W/bin/dpdk-devbind.py" << 'END'
#!/bin/bash
echo "$*" >> LOGFILE
while [ $# -gt 1 ]; do
	case $1 in
	-b) driver=$2 ;;
	-u) driver= ;;
	esac
	shift
done
rm -f "/sys/bus/pci/devices/$1/driver"
[ -z "$driver" ] || ln -s "DRIVERS/$driver" "/sys/bus/pci/devices/$1/driver"
END
sed -i "s#LOGFILE#$W/devbind.log#; s#DRIVERS#$W/drivers#" "$W/bin/dpdk-devbind.py"
printf '#!/bin/sh\nexit 0\n' > "$W/bin/modprobe"
cp "$W/bin/modprobe" "$W/bin/lspci"
chmod +x "$W/bin/"*
export PATH=$W/bin:$PATH

# config NAME HUGEPAGES DEVICE..: one port for each device
config() {
	local name=$1 huge=$2 n=0 sep=
	shift 2
	{
		echo "system = { workers = 1; hugepages = $huge; memory = 512; idle = \"sleep\"; };"
		echo "ports = ("
		for d in "$@"; do
			echo "$sep { name = \"port$n\"; device = \"$d\"; addresses = ( \"192.0.2.$((n * 4 + 1))/30\" ); }"
			n=$((n + 1))
			sep=,
		done
		echo ");"
	} > "$W/$name.cfg"
}

passed=0 failed=0
# check NAME COMMAND..
check() {
	local name=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
		echo "pass $name"
	else
		failed=$((failed + 1))
		echo "fail $name"
		sed 's/^/    /' "$W/out"
	fi
}
# run ARGS..: runs the script, keeps what it says
run() { "$SCRIPT" "$@" > "$W/out" 2>&1; }
says() { grep -qF -- "$1" "$W/out"; }
not() { ! "$@"; }
driver_is() { [ "$(basename "$(readlink "/sys/bus/pci/devices/$1/driver")")" = "$2" ]; }
link() { ip link show dev "$1" > /dev/null 2>&1; }
# within_10_s COMMAND..: waits until it succeeds
within_10_s() {
	local i
	for ((i = 0; i < 100; i++)); do
		! "$@" || return 0
		sleep 0.1
	done
	return 1
}
no_state() { [ ! -e /run/sallyport ]; }
pages_are() { [ "$(cat $PAGES)" = "$1" ]; }

# ---- check ----

echo 0 > $PAGES
config nics true 0000:03:00.0 03:00.1
check "check passes" run check -c "$W/nics.cfg"
check "check: will hugepages" says "start reserves 256 more pages"
check "check: will NIC" says "start binds 0000:03:00.0 to uio_pci_generic (now: igb)"
check "check: no IOMMU" says "IOMMU: off"
check "check changes nothing" driver_is 0000:03:00.0 igb
mkdir "$W/groups/1"
check "check passes with IOMMU" run check -c "$W/nics.cfg"
check "check: vfio-pci" says "start binds 0000:03:00.1 to vfio-pci"
mkdir "/sys/bus/pci/devices/0000:03:00.0/iommu_group/devices/0000:05:00.0"
check "check: IOMMU group" not run check -c "$W/nics.cfg"
check "check: names the rival" says "shares its IOMMU group with 0000:05:00.0 (ahci)"
rmdir "/sys/bus/pci/devices/0000:03:00.0/iommu_group/devices/0000:05:00.0"

config bad true 0000:07:00.0 0000:05:00.0 0000:06:00.0 net_af_packet0,iface=nowhere0
check "check: bad devices" not run check -c "$W/bad.cfg"
check "check: absent" says "there is no device 0000:07:00.0"
check "check: no NIC" says "0000:05:00.0 is no network device"
check "check: Mellanox" says "0000:06:00.0 stays with mlx5_core"
check "check: no interface" says "there is no interface 'nowhere0'"
echo 'nonsense = 1;' > "$W/wrong.cfg"
check "check: configuration" not run check -c "$W/wrong.cfg"
check "check: file and line" says "wrong.cfg:1"

config used true 0000:04:00.0
ip addr add 198.51.100.1/24 dev wan0
check "refuses an address" not run start -c "$W/used.cfg"
check "says which" says "wan0 has the address 198.51.100.1/24"
ip link set wan0 up
ip route add default via 198.51.100.2
check "refuses the default route" not run start -c "$W/used.cfg"
check "says so" says "wan0 holds the default route"
check "still bound" driver_is 0000:04:00.0 ixgbe
check "forced: check passes" run check -c "$W/used.cfg" --force
ip addr flush dev wan0
ip link set wan0 down

# ---- start that fails: all is put back ----

check "daemon without its NIC fails" not run start -c "$W/nics.cfg"
check "bound it meanwhile" grep -q -- "-b vfio-pci 0000:03:00.0" "$W/devbind.log"
check "says why" says "the daemon ended at once"
check "NIC is given back" driver_is 0000:03:00.0 igb
check "second NIC is given back" driver_is 0000:03:00.1 igb
check "pages are given back" pages_are 0

# ---- start, status, stop ----

config lab true net_af_packet0,iface=wan0
echo 3 > $PAGES
check "start" run start -c "$W/lab.cfg"
check "start again" run start -c "$W/lab.cfg"
check "says it runs" says "already running"
check "status" run status
check "status: address" says "192.0.2.1/30"
ip addr add 192.0.2.2/30 dev p0
ethtool -K p0 tx off > /dev/null 2>&1 || true
check "stop" run stop
check "pages as before" pages_are 3
check "nothing left" no_state
check "twins are gone" not link port0
check "stop again" run stop
check "status: not running" not run status

# ---- killed: the next start and stop work ----

check "start to be killed" run start -c "$W/lab.cfg"
ended() { [[ $(ps -o stat= -p "$1") != [^Z]* ]]; }
pid=$(cat /run/sallyport/pid)
kill -KILL "$pid"
within_10_s ended "$pid"
check "start after a crash" run start -c "$W/lab.cfg"
check "stop after a crash" run stop
check "pages as before the crash" pages_are 3

# ---- with transport profiles: charon beside the daemon ----

charon_runs() { [[ $(readlink "/proc/$(cat "$W/ike/charon.pid" 2> /dev/null)/exe") == *charon* ]]; }
charon_runs_anew() { [ "$(cat "$W/ike/charon.pid" 2> /dev/null)" != "$1" ] && charon_runs; }
PLUGIN=$ROOT/build-charon/libstrongswan-sallyport.so
if [ -f "$PLUGIN" ] && [ -x /usr/sbin/charon-systemd ]; then
	export SALLYPORT_PLUGIN=$PLUGIN
	config ike false net_af_packet0,iface=wan0
	cat >> "$W/ike.cfg" << END
ipsec = { run-directory = "$W/ike"; };
ipsec-transport-profiles = ({ name = "p"; local-address = "192.0.2.1"; group-pre-shared-key = "k"; });
END
	check "check with profiles" run check -c "$W/ike.cfg"
	check "check: plugin" says "charon's plugin is built"
	python3 -c "import socket, time; s = socket.socket(2, 2); s.bind(('', 500)); time.sleep(60)" &
	holder=$!
	port_500() { [ -n "$(ss -Hlun 'sport = :500')" ]; }
	within_10_s port_500
	check "check: port 500" not run check -c "$W/ike.cfg"
	check "check: says whose" says "UDP port 500 is taken (python3"
	kill $holder
	wait $holder || true
	check "start with profiles" run start -c "$W/ike.cfg"
	check "charon runs" charon_runs
	check "status with profiles" run status
	check "status: charon" says "charon: running"
	pid=$(cat "$W/ike/charon.pid")
	kill -KILL "$pid"
	check "charon is back" within_10_s charon_runs_anew "$pid"
	pid=$(cat "$W/ike/charon.pid")
	kill -KILL "$(cat "$W/ike/charon-supervisor.pid")"
	# The one that nobody watches any more is about to end.
	check "start again brings it" run start -c "$W/ike.cfg"
	check "charon runs again" charon_runs_anew "$pid"
	mv "$W/ike.cfg" "$W/gone.cfg" # what runs is stopped all the same
	check "stop with profiles" run stop
	check "charon has ended" not charon_runs
	check "nothing left of either" no_state
	check "no key is left" not grep -rqs "secret" "$W/ike"
else
	echo "no charon or no plugin: scripts/charon-plugin"
fi

# A NIC that was without a driver, and a relative path.
rm "/sys/bus/pci/devices/0000:03:00.0/driver"
config one true 0000:03:00.0
cd "$W"
check "relative path" not run start -c one.cfg
check "no driver before" grep -q -- "-u 0000:03:00.0" "$W/devbind.log"
check "none now" test ! -e "/sys/bus/pci/devices/0000:03:00.0/driver"

# The line of CUnit's summary: total, ran, passed, failed, inactive.
echo "tests $((passed + failed)) $((passed + failed)) $passed $failed 0"
[ $failed = 0 ]
