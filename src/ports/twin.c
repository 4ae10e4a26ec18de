/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Kernel twins: taps and one tun. They are not persistent: descriptors closed, by us or by our
 * death, the interfaces are gone with their addresses and routes.
 */
#include "ports/priv.h"
#include "ports/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <event2/event.h>

#define READ_BUDGET 64 /* frames a turn, so that no twin starves the rest of control */
#define FRAME_MAX   (9000 + 18) /* largest MTU, Ethernet header and a tag of the kernel's own */

static int tun_open(struct twin *t, bool tun, struct log *log)
{
	struct ifreq ifr = {0};
	int ret;

	t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (t->fd < 0) {
		ret = -errno;
		log_error(log, "/dev/net/tun: %s (is the tun module loaded?)", strerror(-ret));
		return ret;
	}
	/* Exclusive: an interface of that name that is there already is somebody else's. */
	ifr.ifr_flags = (short)((tun ? IFF_TUN : IFF_TAP) | IFF_NO_PI | IFF_TUN_EXCL);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", t->name);
	if (ioctl(t->fd, TUNSETIFF, &ifr) < 0) {
		ret = -errno;
		log_error(log, "twin %s cannot be made: %s", t->name,
		          ret == -EBUSY ? "there is an interface of that name; rename the port"
		                        : strerror(-ret));
		return ret;
	}
	t->ifindex = (int)if_nametoindex(t->name);
	return t->ifindex == 0 ? -errno : 0;
}

/* The twin speaks for exactly one interface, and IPv6 only where it has an address. */
static void set_switches(const struct twin *t, const struct twin_conf *conf)
{
	bool v6 = false;

	for (uint32_t i = 0; i < conf->n_addresses; i++)
		v6 |= conf->addresses[i].addr.family == AF_INET6;
	if (v6) {
		(void)sysctl_if_set("ipv6", t->name, "accept_ra", 0);
		(void)sysctl_if_set("ipv6", t->name, "autoconf", 0);
	} else {
		(void)sysctl_if_set("ipv6", t->name, "disable_ipv6", 1);
	}
	if (conf->tun)
		return;
	/* Answer ARP only for addresses of the interface it came in on, ask with one of them. */
	(void)sysctl_if_set("ipv4", t->name, "arp_ignore", 1);
	(void)sysctl_if_set("ipv4", t->name, "arp_announce", 2);
}

static int add_addresses(struct ports *p, struct twin *t, const struct twin_conf *conf)
{
	char text[IPADDR_STRLEN];

	for (uint32_t i = 0; i < conf->n_addresses; i++) {
		const struct ipprefix *a = &conf->addresses[i];
		int ret = nl_addr_add(p->nl, t->ifindex, a);

		if (ret == 0)
			continue;
		log_error(p->log, "twin %s does not take the address %s/%u: %s", t->name,
		          ipaddr_str(&a->addr, text, sizeof(text)), a->len, strerror(-ret));
		return ret;
	}
	return 0;
}

static void twin_readable(evutil_socket_t fd, short what, void *arg)
{
	struct twin *t = arg;
	struct ports *p = t->ports;

	(void)what;
	for (int i = 0; i < READ_BUDGET; i++) {
		ssize_t n = read(fd, p->frame, FRAME_MAX);
		int ret;

		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			log_error(p->log, "twin %s is gone (%s): restart to get it back", t->name,
			          strerror(errno));
			event_del(t->readable);
		}
		if (n <= 0)
			return;
		if (t->ifidx == DP_IF_NONE)
			ret = dp_send_ip(p->dp, p->frame, (size_t)n);
		else
			ret = dp_send_frame(p->dp, t->ifidx, p->frame, (size_t)n);
		if (ret == 0)
			t->from_kernel++;
		else
			t->from_kernel_dropped++;
	}
}

int twin_open(struct ports *p, struct twin *t, const struct twin_conf *conf)
{
	struct nl_link link = {.mac = conf->mac, .mtu = conf->mtu, .up = -1};
	int ret;

	t->ports = p;
	ret = tun_open(t, conf->tun, p->log);
	if (ret != 0)
		return ret;
	set_switches(t, conf);
	/* Address and MTU first: a MAC that changes while up confuses neighbours. */
	link.ifindex = t->ifindex;
	ret = nl_link_set(p->nl, &link);
	if (ret == 0)
		ret = add_addresses(p, t, conf);
	if (ret == 0) {
		link = (struct nl_link){.ifindex = t->ifindex, .up = 1};
		ret = nl_link_set(p->nl, &link);
	}
	if (ret != 0) {
		log_error(p->log, "twin %s cannot be set up: %s", t->name, strerror(-ret));
		return ret;
	}
	t->up = true;
	t->carrier = true;
	t->readable = event_new(p->base, t->fd, EV_READ | EV_PERSIST, twin_readable, t);
	if (t->readable == NULL || event_add(t->readable, NULL) != 0)
		return -ENOMEM;
	return 0;
}

void twin_close(struct twin *t)
{
	if (t->readable != NULL)
		event_free(t->readable);
	t->readable = NULL;
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

void twin_write(struct twin *t, const uint8_t *data, uint32_t len)
{
	ssize_t n = write(t->fd, data, len);

	if (n == (ssize_t)len)
		t->to_kernel++;
	else
		t->to_kernel_dropped++;
}

void twin_set_carrier(struct twin *t, bool on)
{
	unsigned int carrier = on;

	if (t->carrier == on || t->fd < 0)
		return;
	/* Since Linux 5.0; where it fails the twin just stays up. */
	if (ioctl(t->fd, TUNSETCARRIER, &carrier) == 0)
		t->carrier = on;
}

struct twin *twin_by_kernel(struct ports *p, int ifindex)
{
	for (uint32_t i = 0; i < p->n_twins; i++)
		if (p->twins[i].ifindex == ifindex)
			return &p->twins[i];
	return NULL;
}
