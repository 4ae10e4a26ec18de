/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Matching a peer with the configuration, and the destinations of shows. */
#include "control/ctl_int.h"

#include <string.h>

const struct cfg_dest_profile *dest_profile_of(const struct ctl *c, const struct ipaddr *addr)
{
	const struct cfg_dest_profile *any = NULL;

	for (uint32_t i = 0; i < c->conf->n_dest_profiles; i++) {
		const struct cfg_dest_profile *p = &c->conf->dest_profiles[i];

		if (ipaddr_is_any(&p->address))
			any = p;
		else if (ipaddr_eq(&p->address, addr))
			return p;
	}
	return any;
}

static bool host_matches(const struct cfg_host *h, const struct l2tp_path *path,
                         const struct l2tp_bytes *name)
{
	if (h->local_ip.family != 0 && !ipaddr_eq(&h->local_ip, &path->local.addr))
		return false;
	return h->is_default ||
	       (strlen(h->name) == name->len && memcmp(h->name, name->p, name->len) == 0);
}

/* A named remote host wins over "default" (spec 4.1). */
bool dest_match(const struct ctl *c, const struct l2tp_path *path, const struct l2tp_bytes *name,
                uint32_t *host)
{
	const struct cfg_dest_profile *p = dest_profile_of(c, &path->remote.addr);
	uint32_t first;
	bool found = false;

	if (p == NULL)
		return false;
	first = c->first_host[p - c->conf->dest_profiles];
	for (uint32_t i = 0; i < p->n_hosts; i++) {
		if (!host_matches(&p->hosts[i], path, name))
			continue;
		*host = first + i;
		found = true;
		if (!p->hosts[i].is_default)
			break;
	}
	return found;
}

static struct dest *dest_at(const struct ctl *c, uint16_t number)
{
	return table_at(&c->dests, number);
}

static uint16_t *bucket(struct ctl *c, const struct ipaddr *addr)
{
	struct endpoint e = {.addr = *addr};

	return &c->dest_bucket[endpoint_hash(&e, c->hash_seed) % DEST_BUCKETS];
}

uint16_t dest_get(struct ctl *c, const struct ipaddr *addr)
{
	uint16_t *b = bucket(c, addr);
	struct dest *d;

	for (d = dest_at(c, *b); d != NULL; d = dest_at(c, d->next))
		if (ipaddr_eq(&d->addr, addr))
			break;
	if (d == NULL) {
		d = table_get(&c->dests);
		if (d == NULL)
			return 0;
		d->addr = *addr;
		d->next = *b;
		*b = table_number(&c->dests, d);
		c->st.destinations.total++;
		c->st.destinations.live++;
	}
	d->tunnels++;
	return table_number(&c->dests, d);
}

void dest_put(struct ctl *c, uint16_t dest)
{
	struct dest *d = dest_at(c, dest);
	uint16_t *at;

	if (--d->tunnels > 0)
		return;
	if (!d->was_active)
		c->st.destinations.failed++;
	c->st.destinations.live--;
	for (at = bucket(c, &d->addr); *at != dest; at = &dest_at(c, *at)->next)
		;
	*at = d->next;
	table_put(&c->dests, d);
}

void dest_active(struct ctl *c, uint16_t dest, int change)
{
	struct dest *d = dest_at(c, dest);

	if (change > 0 && d->active++ == 0) {
		d->was_active = true;
		c->st.destinations.active++;
	}
	if (change < 0 && --d->active == 0)
		c->st.destinations.active--;
}
