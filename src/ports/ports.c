/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "ports/ports.h"

#include "ports/priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <event2/event.h>

#define FRAME_SIZE 16384 /* holds the largest frame of a twin */

struct ports *ports_new(const struct config *c, struct dp *dp, struct event_base *base,
                        struct log *log)
{
	struct ports *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->config = c;
	p->dp = dp;
	p->base = base;
	p->log = log;
	return p;
}

static uint32_t count_twins(const struct config *c)
{
	uint32_t n = 1; /* the subscribers' tun */

	for (uint32_t i = 0; i < c->n_ports; i++)
		n += 1 + c->ports[i].n_subifs;
	return n;
}

static int make_room(struct ports *p)
{
	uint32_t n = count_twins(p->config);

	if (n - 1 > DP_MAX_IFS) {
		log_error(p->log, "%u interfaces are configured, %u are possible", n - 1,
		          DP_MAX_IFS);
		return -ENOSPC;
	}
	p->nl = nl_new();
	p->port = calloc(p->config->n_ports + 1, sizeof(*p->port));
	p->twins = calloc(n, sizeof(*p->twins));
	p->frame = malloc(FRAME_SIZE);
	if (p->nl == NULL || p->port == NULL || p->twins == NULL || p->frame == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		p->twins[i].fd = -1;
	for (uint32_t i = 0; i < p->config->n_ports; i++)
		p->port[i].cfg = &p->config->ports[i];
	return 0;
}

/* One interface of the data plane and its twin; sub is NULL for the untagged one. */
static int add_interface(struct ports *p, const struct port *port, const struct cfg_subif *sub)
{
	struct twin *t = &p->twins[p->n_twins];
	struct twin_conf conf = {
	        .mac = port->mac,
	        .mtu = sub != NULL ? sub->mtu : port->cfg->mtu,
	        .addresses = sub != NULL ? sub->addresses : port->cfg->addresses,
	        .n_addresses = sub != NULL ? sub->n_addresses : port->cfg->n_addresses,
	};
	struct dp_if_conf ifc = {.port_id = port->port_id, .mtu = conf.mtu};
	int ret;

	snprintf(t->name, sizeof(t->name), "%s", sub != NULL ? sub->name : port->cfg->name);
	t->port = port;
	t->vlan = ifc.vlan = sub != NULL ? sub->vlan : 0;
	memcpy(ifc.mac, port->mac, sizeof(ifc.mac));
	snprintf(ifc.name, sizeof(ifc.name), "%s", t->name);
	ret = dp_if_add(p->dp, &ifc);
	if (ret < 0 || ret >= DP_MAX_IFS) {
		ret = ret < 0 ? ret : -ENOSPC;
		log_error(p->log, "the data plane does not take the interface %s: %s", t->name,
		          strerror(-ret));
		return ret;
	}
	t->ifidx = (uint16_t)ret;
	p->by_ifidx[t->ifidx] = t;
	p->n_twins++;
	return twin_open(p, t, &conf);
}

static int add_port(struct ports *p, struct port *port)
{
	int ret = port_open(p, port);

	if (ret == 0)
		ret = dp_port_add(p->dp, port->port_id, port->n_rxq, port->n_txq);
	if (ret != 0)
		return ret;
	port_distribute(p, port);
	ret = add_interface(p, port, NULL);
	for (uint32_t i = 0; i < port->cfg->n_subifs && ret == 0; i++)
		ret = add_interface(p, port, &port->cfg->subifs[i]);
	if (ret == 0)
		log_info(p->log,
		         "port %s: %s (%s), MAC %02x:%02x:%02x:%02x:%02x:%02x, MTU %u, %u receive "
		         "and %u transmit queues",
		         port->cfg->name, port->dev_name, port->driver, port->mac[0], port->mac[1],
		         port->mac[2], port->mac[3], port->mac[4], port->mac[5], port->mtu,
		         port->n_rxq, port->n_txq);
	return ret;
}

static bool has_address(const struct ipprefix *list, uint32_t n, const struct ipaddr *a)
{
	for (uint32_t i = 0; i < n; i++)
		if (ipaddr_eq(&list[i].addr, a))
			return true;
	return false;
}

/* True when a twin other than the tun has the address: then the kernel answers for it already. */
static bool is_port_address(const struct config *c, const struct ipaddr *a)
{
	for (uint32_t i = 0; i < c->n_ports; i++) {
		const struct cfg_port *port = &c->ports[i];

		if (has_address(port->addresses, port->n_addresses, a))
			return true;
		for (uint32_t j = 0; j < port->n_subifs; j++)
			if (has_address(port->subifs[j].addresses, port->subifs[j].n_addresses, a))
				return true;
	}
	return false;
}

/* The tun has the addresses that we give ourselves in IPCP, so that subscribers can ping them. */
static int add_subscriber_tun(struct ports *p)
{
	const struct config *c = p->config;
	struct twin *t = &p->twins[p->n_twins];
	struct twin_conf conf = {.tun = true, .mtu = 1500};
	struct ipprefix *own = calloc(c->n_interface_profiles + 1, sizeof(*own));
	uint32_t n = 0;
	int ret;

	if (own == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->n_interface_profiles; i++) {
		const struct ipaddr *a = &c->interface_profiles[i].local_address;

		if (ipaddr_to_v4(a) == 0 || has_address(own, n, a) || is_port_address(c, a))
			continue;
		own[n].addr = *a;
		own[n++].len = 32;
	}
	conf.addresses = own;
	conf.n_addresses = n;
	snprintf(t->name, sizeof(t->name), "%s", PORTS_SUBSCRIBER_TUN);
	t->ifidx = DP_IF_NONE;
	p->n_twins++;
	ret = twin_open(p, t, &conf);
	free(own);
	return ret;
}

static struct twin *tun(const struct ports *p)
{
	if (p->n_twins == 0 || p->twins[p->n_twins - 1].ifidx != DP_IF_NONE)
		return NULL;
	return &p->twins[p->n_twins - 1];
}

/* ---- routes of ours ---- */

static int prefix_route(struct ports *p, uint32_t prefix, uint8_t len, bool add)
{
	const struct twin *t = tun(p);
	struct nl_route r = {.prefix = {.addr = ipaddr_v4(prefix), .len = len}};
	char text[IPADDR_STRLEN];
	int ret;

	if (t == NULL)
		return -ENODEV;
	r.ifindex = t->ifindex;
	ret = add ? nl_route_add(p->nl, &r) : nl_route_del(p->nl, &r);
	if (ret != 0)
		log_error(p->log, "route %s/%u to %s cannot be %s: %s",
		          ipaddr_str(&r.prefix.addr, text, sizeof(text)), len, t->name,
		          add ? "added" : "removed", strerror(-ret));
	return ret;
}

/* Cuts first..last into the fewest prefixes. Goes on after an error; the first one is returned. */
static int range_route(struct ports *p, uint32_t first, uint32_t last, bool add)
{
	uint64_t at = first;
	int ret = 0, one;

	if (first > last)
		return -EINVAL;
	while (at <= last) {
		uint8_t bits = 0; /* host bits of the largest block that starts here and fits */

		while (bits < 32 && (at & (1ULL << bits)) == 0 && at + (2ULL << bits) - 1 <= last)
			bits++;
		one = prefix_route(p, (uint32_t)at, (uint8_t)(32 - bits), add);
		if (ret == 0)
			ret = one;
		at += 1ULL << bits;
	}
	return ret;
}

int ports_pool_route_add(struct ports *p, uint32_t first, uint32_t last)
{
	return range_route(p, first, last, true);
}

int ports_pool_route_del(struct ports *p, uint32_t first, uint32_t last)
{
	return range_route(p, first, last, false);
}

int ports_framed_route_add(struct ports *p, uint32_t prefix, uint8_t len)
{
	return len > 32 ? -EINVAL : prefix_route(p, prefix, len, true);
}

int ports_framed_route_del(struct ports *p, uint32_t prefix, uint8_t len)
{
	return len > 32 ? -EINVAL : prefix_route(p, prefix, len, false);
}

/* The addresses that the configuration gives to a twin. Returns how many. */
static uint32_t twin_addresses(const struct twin *t, const struct ipprefix **list)
{
	const struct cfg_port *port = t->port != NULL ? t->port->cfg : NULL;

	*list = NULL;
	if (port == NULL)
		return 0;
	*list = port->addresses;
	if (t->vlan == 0)
		return port->n_addresses;
	for (uint32_t i = 0; i < port->n_subifs; i++) {
		*list = port->subifs[i].addresses;
		if (port->subifs[i].vlan == t->vlan)
			return port->subifs[i].n_addresses;
	}
	return 0;
}

void ports_each_address(const struct ports *p, ports_address_fn fn, void *ctx)
{
	for (uint32_t i = 0; i < p->n_twins; i++) {
		const struct ipprefix *list;
		uint32_t n = twin_addresses(&p->twins[i], &list);

		for (uint32_t j = 0; j < n; j++) {
			if (list[j].addr.family != AF_INET)
				continue;
			fn(ctx, p->twins[i].ifidx, ipaddr_to_v4(&list[j].addr));
			break;
		}
	}
}

/* The twin on whose subnet the gateway is; 0: the kernel decides. */
static int gateway_twin(const struct ports *p, const struct ipaddr *via)
{
	for (uint32_t i = 0; i < p->n_twins; i++) {
		const struct ipprefix *list;
		uint32_t n = twin_addresses(&p->twins[i], &list);

		for (uint32_t j = 0; j < n; j++)
			if (ipprefix_contains(&list[j], via))
				return p->twins[i].ifindex;
	}
	return 0;
}

static int add_routes(struct ports *p)
{
	const struct config *c = p->config;
	char prefix[IPADDR_STRLEN], via[IPADDR_STRLEN];
	int ret;

	for (uint32_t i = 0; i < c->n_pools; i++) {
		ret = ports_pool_route_add(p, ipaddr_to_v4(&c->pools[i].first),
		                           ipaddr_to_v4(&c->pools[i].last));
		if (ret != 0)
			return ret;
	}
	for (uint32_t i = 0; i < c->n_routes; i++) {
		struct nl_route r = {.prefix = c->routes[i].prefix, .via = c->routes[i].via};

		r.ifindex = gateway_twin(p, &r.via);
		ret = nl_route_add(p->nl, &r);
		if (ret == 0)
			continue;
		log_error(p->log, "route %s/%u via %s: %s%s",
		          ipaddr_str(&r.prefix.addr, prefix, sizeof(prefix)), r.prefix.len,
		          ipaddr_str(&r.via, via, sizeof(via)), strerror(-ret),
		          r.ifindex == 0 ? " (no port is on the gateway's subnet)" : "");
		return ret;
	}
	return 0;
}

/* ---- life ---- */

static void poll_links(struct ports *p)
{
	for (uint32_t i = 0; i < p->config->n_ports; i++) {
		(void)port_link_poll(p, &p->port[i]);
		for (uint32_t j = 0; j < p->n_twins; j++)
			if (p->twins[j].port == &p->port[i])
				twin_set_carrier(&p->twins[j], p->port[i].link_up);
	}
}

static void on_link_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	poll_links(arg);
}

static int start(struct ports *p)
{
	const struct timeval second = {.tv_sec = 1};
	int ret = make_room(p);

	for (uint32_t i = 0; i < p->config->n_ports && ret == 0; i++)
		ret = add_port(p, &p->port[i]);
	if (ret == 0)
		ret = add_subscriber_tun(p);
	if (ret == 0)
		ret = add_routes(p);
	if (ret != 0)
		return ret;
	p->kernel = kernel_new(p);
	if (p->kernel == NULL)
		return -errno;
	p->link_timer = event_new(p->base, -1, EV_PERSIST, on_link_timer, p);
	if (p->link_timer == NULL || event_add(p->link_timer, &second) != 0)
		return -ENOMEM;
	poll_links(p);
	return 0;
}

int ports_start(struct ports *p)
{
	int ret = start(p);

	if (ret != 0)
		ports_stop(p);
	return ret;
}

void ports_stop(struct ports *p)
{
	if (p->link_timer != NULL)
		event_free(p->link_timer);
	p->link_timer = NULL;
	kernel_free(p->kernel);
	p->kernel = NULL;
	for (uint32_t i = 0; i < p->n_twins; i++)
		twin_close(&p->twins[i]);
	p->n_twins = 0;
	memset(p->by_ifidx, 0, sizeof(p->by_ifidx));
	for (uint32_t i = 0; p->port != NULL && i < p->config->n_ports; i++)
		port_close(p, &p->port[i]);
	free(p->port);
	free(p->twins);
	free(p->frame);
	p->port = NULL;
	p->twins = NULL;
	p->frame = NULL;
	nl_free(p->nl);
	p->nl = NULL;
}

void ports_free(struct ports *p)
{
	if (p == NULL)
		return;
	ports_stop(p);
	free(p);
}

/* ---- at run time ---- */

bool ports_punt(struct ports *p, const struct dp_punt *punt)
{
	struct twin *t;

	switch (punt->class) {
	case DP_PUNT_TWIN:
		t = punt->ifidx < DP_MAX_IFS ? p->by_ifidx[punt->ifidx] : NULL;
		if (t != NULL)
			twin_write(t, punt->data, punt->len);
		return true;
	case DP_PUNT_SUBSCRIBER:
		t = tun(p);
		if (t != NULL)
			twin_write(t, punt->data, punt->len);
		return true;
	case DP_PUNT_NEIGH:
		(void)ports_resolve(p, punt->ifidx, punt->next_hop);
		return true;
	default:
		return false;
	}
}

int ports_resolve(struct ports *p, uint16_t ifidx, uint32_t ip)
{
	return p->kernel == NULL ? -ENODEV : kernel_resolve(p->kernel, ifidx, ip);
}
