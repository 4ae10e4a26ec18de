/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What must hold between ports, addresses, routes and pools. */
#include "config/load.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define POOL_MAX         65536 /* addresses */
#define PORT_NAME_SUBIFS 10 /* a device name has 15 bytes, ".4094" takes five */

/* The title of list[i] of the root: its name as written, or its number. Returns buf. */
static const char *title_of(struct loader *ld, const char *list, uint32_t i, char *buf, size_t size)
{
	const config_setting_t *l = config_lookup(&ld->tree, list);

	return load_title(cfg_key_find(&cfg_root, list)->stanza, config_setting_get_elem(l, i), buf,
	                  size);
}

/* The device without its arguments, PCI addresses with their domain. */
static void device_id(const char *device, char *id, size_t size)
{
	int len = (int)strcspn(device, ",");
	bool short_pci = len == 7 && device[2] == ':' && device[5] == '.';

	snprintf(id, size, "%s%.*s", short_pci ? "0000:" : "", len, device);
}

/* The kernel device that a virtual one stands on: the argument iface=. Empty: none. */
static void device_iface(const char *device, char *iface, size_t size)
{
	const char *p = strstr(device, ",iface=");

	p = p != NULL ? p + strlen(",iface=") : "";
	snprintf(iface, size, "%.*s", (int)strcspn(p, ","), p);
}

static bool same_device(const char *a, const char *b)
{
	char x[160], y[160];

	device_iface(a, x, sizeof(x));
	device_iface(b, y, sizeof(y));
	if (x[0] != '\0' && strcmp(x, y) == 0)
		return true;
	device_id(a, x, sizeof(x));
	device_id(b, y, sizeof(y));
	return x[0] != '\0' && strcasecmp(x, y) == 0;
}

static void check_devices(struct loader *ld)
{
	const struct cfg_port *p = ld->c->ports;
	char title[96], other[96];

	for (uint32_t i = 1; i < ld->c->n_ports; i++) {
		for (uint32_t j = 0; j < i; j++) {
			if (!same_device(p[i].device, p[j].device))
				continue;
			found_error(&ld->found, load_pos_of(ld, "ports", i, "device"),
			            "%s: its device %s is that of %s already",
			            title_of(ld, "ports", i, title, sizeof(title)), p[i].device,
			            title_of(ld, "ports", j, other, sizeof(other)));
			break;
		}
	}
}

/* A name of the kernel's devices: a port's or a sub-interface's. */
struct devname {
	const char *name;
	struct pos pos;
};

static int by_devname(const void *a, const void *b)
{
	const struct devname *x = a, *y = b;
	int d = strcmp(x->name, y->name);

	return d != 0 ? d : x->pos.order < y->pos.order ? -1 : x->pos.order > y->pos.order;
}

static void check_devnames(struct loader *ld)
{
	const struct config *c = ld->c;
	struct devname *v;
	uint32_t n = 0, max = 1;

	for (uint32_t i = 0; i < c->n_ports; i++)
		max += 1 + c->ports[i].n_subifs;
	v = calloc(max, sizeof(*v));
	if (v == NULL) {
		ld->found.no_memory = true;
		return;
	}
	for (uint32_t i = 0; i < c->n_ports; i++) {
		const struct cfg_port *p = &c->ports[i];

		/* Doubles among the ports themselves are told already. */
		if (p->n_subifs > 0)
			v[n++] = (struct devname){p->name, load_pos_of(ld, "ports", i, "name")};
		for (uint32_t j = 0; j < p->n_subifs; j++)
			if (p->subifs[j].vlan != 0)
				v[n++] = (struct devname){
				        p->subifs[j].name,
				        load_pos_in(ld, "ports", i, "subinterfaces", j, "name")};
	}
	qsort(v, n, sizeof(*v), by_devname);
	for (uint32_t i = 1; i < n; i++)
		if (v[i].name[0] != '\0' && strcmp(v[i].name, v[i - 1].name) == 0)
			found_error(&ld->found, v[i].pos,
			            "the network device \"%s\" is here a second time; the first is "
			            "in %s:%u",
			            v[i].name, ld->src.files[v[i - 1].pos.file], v[i - 1].pos.line);
	free(v);
}

static void check_subifs(struct loader *ld, uint32_t i)
{
	const struct cfg_port *p = &ld->c->ports[i];

	if (p->n_subifs > 0 && strlen(p->name) > PORT_NAME_SUBIFS)
		found_error(&ld->found, load_pos_of(ld, "ports", i, "name"),
		            "port \"%s\": name has %zu bytes, allowed is 1-%u with sub-interfaces",
		            p->name, strlen(p->name), PORT_NAME_SUBIFS);
	for (uint32_t j = 0; j < p->n_subifs; j++)
		if (p->subifs[j].mtu > p->mtu)
			found_error(&ld->found,
			            load_pos_in(ld, "ports", i, "subinterfaces", j, "mtu"),
			            "sub-interface \"%s\": mtu is %u, allowed is at most the "
			            "port's, %u",
			            p->subifs[j].name, p->subifs[j].mtu, p->mtu);
}

/* One of our addresses. */
struct own {
	const struct ipprefix *prefix;
	struct pos pos;
};

struct owns {
	struct own *v;
	uint32_t n;
};

static void add_owns(struct owns *o, const struct ipprefix *v, uint32_t n, struct pos pos)
{
	for (uint32_t i = 0; i < n; i++)
		if (v[i].addr.family != 0)
			o->v[o->n++] = (struct own){&v[i], pos};
}

static bool list_owns(struct loader *ld, struct owns *o)
{
	const struct config *c = ld->c;
	size_t max = 1;

	for (uint32_t i = 0; i < c->n_ports; i++) {
		max += c->ports[i].n_addresses;
		for (uint32_t j = 0; j < c->ports[i].n_subifs; j++)
			max += c->ports[i].subifs[j].n_addresses;
	}
	o->v = calloc(max, sizeof(*o->v));
	if (o->v == NULL) {
		ld->found.no_memory = true;
		return false;
	}
	for (uint32_t i = 0; i < c->n_ports; i++) {
		const struct cfg_port *p = &c->ports[i];

		add_owns(o, p->addresses, p->n_addresses, load_pos_of(ld, "ports", i, "addresses"));
		for (uint32_t j = 0; j < p->n_subifs; j++)
			add_owns(o, p->subifs[j].addresses, p->subifs[j].n_addresses,
			         load_pos_in(ld, "ports", i, "subinterfaces", j, "addresses"));
	}
	return true;
}

static const struct own *own_of(const struct owns *o, const struct ipaddr *a, uint32_t before)
{
	for (uint32_t i = 0; i < before; i++)
		if (ipaddr_eq(&o->v[i].prefix->addr, a))
			return &o->v[i];
	return NULL;
}

static void check_owns(struct loader *ld, const struct owns *o)
{
	char text[IPADDR_STRLEN];

	for (uint32_t i = 1; i < o->n; i++) {
		const struct own *first = own_of(o, &o->v[i].prefix->addr, i);

		if (first != NULL)
			found_error(&ld->found, o->v[i].pos,
			            "addresses holds %s a second time; the first is in %s:%u",
			            ipaddr_str(&o->v[i].prefix->addr, text, sizeof(text)),
			            ld->src.files[first->pos.file], first->pos.line);
	}
}

static void check_routes(struct loader *ld, const struct owns *o)
{
	char text[IPADDR_STRLEN];

	for (uint32_t i = 0; i < ld->c->n_routes; i++) {
		const struct cfg_route *r = &ld->c->routes[i];
		struct pos pos = load_pos_of(ld, "routes", i, "via");
		bool reached = false;

		if (r->via.family == 0)
			continue;
		ipaddr_str(&r->via, text, sizeof(text));
		if (r->prefix.addr.family != 0 && r->prefix.addr.family != r->via.family)
			found_error(&ld->found, pos,
			            "route %u: prefix and via are not of one address family",
			            i + 1);
		for (uint32_t j = 0; j < o->n && !reached; j++)
			reached = ipprefix_contains(o->v[j].prefix, &r->via);
		if (!reached)
			found_error(&ld->found, pos, "route %u: via %s is in no subnet of a port",
			            i + 1, text);
		else if (own_of(o, &r->via, o->n) != NULL)
			found_error(&ld->found, pos, "route %u: via %s is our own address", i + 1,
			            text);
	}
}

static bool in_pool(const struct cfg_pool *p, const struct ipaddr *a)
{
	uint32_t v = ipaddr_to_v4(a);

	return a->family == AF_INET && v >= ipaddr_to_v4(&p->first) && v <= ipaddr_to_v4(&p->last);
}

/* Addresses that are ours must not be given to subscribers. */
static void check_pool_owns(struct loader *ld, const struct owns *o, uint32_t i)
{
	const struct cfg_pool *p = &ld->c->pools[i];
	char text[IPADDR_STRLEN], title[96], other[96];

	for (uint32_t j = 0; j < o->n; j++)
		if (in_pool(p, &o->v[j].prefix->addr))
			found_error(&ld->found, load_pos_of(ld, "pools", i, "first"),
			            "%s holds %s, which is our own address in %s:%u",
			            title_of(ld, "pools", i, title, sizeof(title)),
			            ipaddr_str(&o->v[j].prefix->addr, text, sizeof(text)),
			            ld->src.files[o->v[j].pos.file], o->v[j].pos.line);
	for (uint32_t j = 0; j < ld->c->n_interface_profiles; j++) {
		const struct cfg_interface_profile *ip = &ld->c->interface_profiles[j];

		if (in_pool(p, &ip->local_address))
			found_error(&ld->found,
			            load_pos_of(ld, "interface-profiles", j, "local-address"),
			            "%s: local-address %s lies in %s",
			            title_of(ld, "interface-profiles", j, title, sizeof(title)),
			            ipaddr_str(&ip->local_address, text, sizeof(text)),
			            title_of(ld, "pools", i, other, sizeof(other)));
	}
}

struct range {
	uint32_t first, last, index;
};

static int by_first(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

static void check_overlaps(struct loader *ld, struct range *v, uint32_t n)
{
	char title[96], other[96];
	const struct range *widest = v; /* reaches farthest of those before */

	qsort(v, n, sizeof(*v), by_first);
	for (uint32_t i = 1; i < n; i++) {
		uint32_t a = widest->index, b = v[i].index;

		if (v[i].first <= widest->last)
			found_error(&ld->found, load_pos_of(ld, "pools", a > b ? a : b, "first"),
			            "%s overlaps %s",
			            title_of(ld, "pools", a > b ? a : b, title, sizeof(title)),
			            title_of(ld, "pools", a > b ? b : a, other, sizeof(other)));
		if (v[i].last > widest->last)
			widest = &v[i];
	}
}

static void check_pools(struct loader *ld, const struct owns *o)
{
	struct range *v = calloc(ld->c->n_pools + 1, sizeof(*v));
	char title[96];
	uint32_t n = 0;

	if (v == NULL) {
		ld->found.no_memory = true;
		return;
	}
	for (uint32_t i = 0; i < ld->c->n_pools; i++) {
		const struct cfg_pool *p = &ld->c->pools[i];
		uint32_t first = ipaddr_to_v4(&p->first), last = ipaddr_to_v4(&p->last);

		if (p->first.family == 0 || p->last.family == 0)
			continue;
		if (last < first) {
			found_error(&ld->found, load_pos_of(ld, "pools", i, "last"),
			            "%s: last is below first",
			            title_of(ld, "pools", i, title, sizeof(title)));
			continue;
		}
		if (last - first >= POOL_MAX)
			found_error(&ld->found, load_pos_of(ld, "pools", i, "last"),
			            "%s has %llu addresses, allowed are 1-%u",
			            title_of(ld, "pools", i, title, sizeof(title)),
			            (unsigned long long)last - first + 1, POOL_MAX);
		v[n++] = (struct range){first, last, i};
		check_pool_owns(ld, o, i);
	}
	check_overlaps(ld, v, n);
	free(v);
}

static void check_local_ips(struct loader *ld, const struct owns *o)
{
	char text[IPADDR_STRLEN];

	for (uint32_t i = 0; i < ld->c->n_dest_profiles; i++) {
		const struct cfg_dest_profile *d = &ld->c->dest_profiles[i];

		for (uint32_t j = 0; j < d->n_hosts; j++) {
			const struct cfg_host *h = &d->hosts[j];

			if (h->local_ip.family == 0 || own_of(o, &h->local_ip, o->n) != NULL)
				continue;
			found_error(
			        &ld->found,
			        load_pos_in(ld, "destination-profiles", i, "hosts", j, "local-ip"),
			        "host \"%.64s\": local-ip %s is not an address of a port", h->name,
			        ipaddr_str(&h->local_ip, text, sizeof(text)));
		}
	}
}

/* A user's address that is ours. */
static void check_user_addresses(struct loader *ld, const struct owns *o)
{
	const struct config *c = ld->c;
	char text[IPADDR_STRLEN];

	for (uint32_t i = 0; i < c->n_users; i++) {
		const struct ipaddr *a = &c->users[i].address;
		bool ours = a->family != 0 && own_of(o, a, o->n) != NULL;

		for (uint32_t j = 0; a->family != 0 && j < c->n_interface_profiles; j++)
			ours = ours || ipaddr_eq(a, &c->interface_profiles[j].local_address);
		if (ours)
			found_error(&ld->found, ld->user_pos[i],
			            "user \"%.64s\": address %s is our own", c->users[i].name,
			            ipaddr_str(a, text, sizeof(text)));
	}
}

void load_check_net(struct loader *ld)
{
	struct owns o = {0};

	if (ld->found.no_memory || !list_owns(ld, &o))
		return;
	check_devices(ld);
	check_devnames(ld);
	for (uint32_t i = 0; i < ld->c->n_ports; i++)
		check_subifs(ld, i);
	check_owns(ld, &o);
	check_routes(ld, &o);
	check_pools(ld, &o);
	check_local_ips(ld, &o);
	check_user_addresses(ld, &o);
	free(o.v);
}
