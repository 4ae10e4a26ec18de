/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "ports/netdev.h"

#include "ports/nft.h"
#include "ports/sysctl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct netdev {
	char name[IFNAMSIZ];
	int ifindex;
	struct nft_drop *drop;
	bool was_down;
	uint32_t old_mtu; /* 0: not changed */
	int old_disable_ipv6; /* negative: not changed */
	bool gro_was_on, lro_was_on;
};

/* Runs one request about the device on a socket of its own. Returns 0 or -errno. */
static int device_ioctl(const char *ifname, unsigned long what, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret = 0;

	if (fd < 0)
		return -errno;
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", ifname);
	if (ioctl(fd, what, ifr) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static int ethtool_value(const char *ifname, uint32_t cmd, uint32_t *value)
{
	struct ethtool_value ev = {.cmd = cmd, .data = *value};
	struct ifreq ifr = {.ifr_data = (char *)&ev};
	int ret = device_ioctl(ifname, SIOCETHTOOL, &ifr);

	*value = ev.data;
	return ret;
}

/* Merged frames are larger than the MTU and than our buffers. */
static void set_merging(struct netdev *d, bool on)
{
	uint32_t v = 0;

	if (on) {
		v = 1;
		if (d->gro_was_on)
			(void)ethtool_value(d->name, ETHTOOL_SGRO, &v);
		if (d->lro_was_on && ethtool_value(d->name, ETHTOOL_GFLAGS, &v) == 0) {
			v |= ETH_FLAG_LRO;
			(void)ethtool_value(d->name, ETHTOOL_SFLAGS, &v);
		}
		return;
	}
	if (ethtool_value(d->name, ETHTOOL_GGRO, &v) == 0 && v != 0) {
		v = 0;
		d->gro_was_on = ethtool_value(d->name, ETHTOOL_SGRO, &v) == 0;
	}
	if (ethtool_value(d->name, ETHTOOL_GFLAGS, &v) == 0 && (v & ETH_FLAG_LRO) != 0) {
		v &= ~(uint32_t)ETH_FLAG_LRO;
		d->lro_was_on = ethtool_value(d->name, ETHTOOL_SFLAGS, &v) == 0;
	}
}

static void warn_address(const struct netdev *d, struct log *log)
{
	struct ifreq ifr = {.ifr_addr.sa_family = AF_INET};
	char text[INET_ADDRSTRLEN];

	if (device_ioctl(d->name, SIOCGIFADDR, &ifr) != 0)
		return;
	inet_ntop(AF_INET, &((struct sockaddr_in *)&ifr.ifr_addr)->sin_addr, text, sizeof(text));
	log_warning(log,
	            "%s has the address %s, which nobody reaches while the device is ours: remove "
	            "it and give it to the port",
	            d->name, text);
}

static int take(struct netdev *d, uint16_t mtu, struct nl *nl, struct log *log)
{
	struct nl_link link = {.ifindex = d->ifindex, .up = -1};
	struct ifreq ifr = {0};
	int ret;

	warn_address(d, log);
	d->old_disable_ipv6 = sysctl_if_set("ipv6", d->name, "disable_ipv6", 1);
	set_merging(d, false);

	ret = device_ioctl(d->name, SIOCGIFMTU, &ifr);
	if (ret != 0)
		return ret;
	if (mtu != 0 && ifr.ifr_mtu != mtu) {
		link.mtu = mtu;
		ret = nl_link_set(nl, &link);
		if (ret != 0) {
			log_error(log, "%s: MTU %u is refused: %s", d->name, mtu, strerror(-ret));
			return ret;
		}
		d->old_mtu = (uint32_t)ifr.ifr_mtu;
		link.mtu = 0;
	}
	ret = device_ioctl(d->name, SIOCGIFFLAGS, &ifr);
	if (ret != 0)
		return ret;
	if ((ifr.ifr_flags & IFF_UP) == 0) {
		link.up = 1;
		ret = nl_link_set(nl, &link);
		if (ret != 0) {
			log_error(log, "%s cannot be set up: %s", d->name, strerror(-ret));
			return ret;
		}
		d->was_down = true;
	}
	return 0;
}

struct netdev *netdev_take(const char *ifname, uint16_t mtu, bool drop, struct nl *nl,
                           struct log *log)
{
	struct netdev *d = calloc(1, sizeof(*d));
	int ret;

	if (d == NULL)
		return NULL;
	snprintf(d->name, sizeof(d->name), "%s", ifname);
	d->old_disable_ipv6 = -1;
	d->ifindex = (int)if_nametoindex(ifname);
	if (d->ifindex == 0) {
		ret = -errno;
		log_error(log, "%s: no such interface", ifname);
		goto fail;
	}
	if (drop) {
		d->drop = nft_drop_new(ifname);
		if (d->drop == NULL) {
			ret = -errno;
			log_error(log,
			          "%s: cannot keep the kernel off the device with nftables: %s",
			          ifname,
			          ret == -EEXIST || (ret == -EPERM && geteuid() == 0)
			                  ? "another Sallyport has it"
			                  : strerror(-ret));
			goto fail;
		}
	}
	ret = take(d, mtu, nl, log);
	if (ret == 0)
		return d;
fail:
	netdev_release(d, nl);
	errno = -ret;
	return NULL;
}

void netdev_release(struct netdev *d, struct nl *nl)
{
	struct nl_link link = {.up = -1};

	if (d == NULL)
		return;
	link.ifindex = d->ifindex;
	link.mtu = d->old_mtu;
	if (d->was_down)
		link.up = 0;
	if (d->old_mtu != 0 || d->was_down)
		(void)nl_link_set(nl, &link);
	set_merging(d, true);
	if (d->old_disable_ipv6 == 0)
		(void)sysctl_if_set("ipv6", d->name, "disable_ipv6", 0);
	nft_drop_free(d->drop);
	free(d);
}

bool netdev_has_link(const struct netdev *d)
{
	uint32_t link = 0;
	/* The carrier itself: IFF_RUNNING follows it with a delay of up to a second. */
	int ret = ethtool_value(d->name, ETHTOOL_GLINK, &link);

	return ret == 0 ? link != 0 : ret != -ENODEV;
}
