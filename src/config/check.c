/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What must hold between the values of the tree: references, doubles, and what a stanza needs. */
#include "config/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct names {
	const struct config *c;
	enum cfg_ref ref;
};

static const char *name_at(const void *arg, unsigned int i)
{
	const struct names *n = arg;

	if (n->ref == CFG_REF_POOL)
		return i < n->c->n_pools ? n->c->pools[i].name : NULL;
	return i < n->c->n_interface_profiles ? n->c->interface_profiles[i].name : NULL;
}

void load_ref_error(struct loader *ld, struct pos pos, const char *title, const struct cfg_key *k,
                    const char *name)
{
	struct names names = {ld->c, k->ref};
	const char *near = nearest_word(name, name_at, &names);

	found_error(&ld->found, pos, "%s: %s is \"%.64s\", but there is no such %s%s%s%s", title,
	            k->name, name, k->ref == CFG_REF_POOL ? "pool" : "interface profile",
	            near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
	            near != NULL ? "\"?" : "");
}

static bool ref_ok(const struct config *c, enum cfg_ref ref, const char *name)
{
	if (name[0] == '\0')
		return true; /* absent, or refused already */
	return ref == CFG_REF_POOL ? config_pool(c, name) != NULL
	                           : config_interface_profile(c, name) != NULL;
}

struct unique {
	const struct cfg_key *k;
	const char *base;
	size_t size;
};

static const void *unique_field(const struct unique *u, uint32_t i)
{
	return u->base + i * u->size + u->k->offset;
}

static int unique_cmp(const struct unique *u, uint32_t a, uint32_t b)
{
	if (u->k->kind == CFG_STRING)
		return strcmp(unique_field(u, a), unique_field(u, b));
	return memcmp(unique_field(u, a), unique_field(u, b), u->k->size);
}

static int unique_order(const void *a, const void *b, void *arg)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int d = unique_cmp(arg, x, y);

	return d != 0 ? d : x < y ? -1 : 1;
}

static bool is_zero(const char *p, size_t n)
{
	while (n > 0 && p[n - 1] == 0)
		n--;
	return n == 0;
}

/* The place of a key in a list's element, or of the element. */
static struct pos key_pos(struct loader *ld, const config_setting_t *elem, const char *key)
{
	const config_setting_t *m = NULL;

	if (config_setting_is_group(elem))
		m = config_setting_get_member(elem, key);
	return load_pos(ld, m != NULL ? m : elem);
}

static void check_unique(struct loader *ld, const config_setting_t *list,
                         const struct cfg_stanza *st, const struct cfg_key *k, const char *base)
{
	uint32_t n = (uint32_t)config_setting_length(list), *idx = calloc(n + 1, sizeof(*idx));
	struct unique u = {k, base, st->size};
	char title[128];

	if (idx == NULL) {
		ld->found.no_memory = true;
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		idx[i] = i;
	qsort_r(idx, n, sizeof(*idx), unique_order, &u);
	for (uint32_t i = 1; i < n; i++) {
		const config_setting_t *a = config_setting_get_elem(list, idx[i - 1]);
		const config_setting_t *b = config_setting_get_elem(list, idx[i]);
		struct pos first = key_pos(ld, a, k->name);

		if (unique_cmp(&u, idx[i - 1], idx[i]) != 0 ||
		    is_zero(unique_field(&u, idx[i]), k->size))
			continue;
		found_error(&ld->found, key_pos(ld, b, k->name),
		            "%s: the same %s as in %s:%u, each %s needs its own",
		            load_title(st, b, title, sizeof(title)), k->name,
		            ld->src.files[first.file], first.line, st->name);
	}
	free(idx);
}

static void check_list(struct loader *ld, const config_setting_t *list, const struct cfg_key *k,
                       void *base);

/* References of a stanza, and the lists in it. */
static void check_stanza(struct loader *ld, const config_setting_t *s, const struct cfg_stanza *st,
                         void *base)
{
	char title[128];

	for (const struct cfg_key *k = st->keys; k->name != NULL; k++) {
		const config_setting_t *m = config_setting_get_member(s, k->name);

		if (m == NULL)
			continue;
		if (k->ref != CFG_REF_NONE && !ref_ok(ld->c, k->ref, cfg_field(k, base)))
			load_ref_error(ld, load_pos(ld, m), load_title(st, s, title, sizeof(title)),
			               k, cfg_field(k, base));
		if (k->kind == CFG_LIST && config_setting_is_list(m))
			check_list(ld, m, k, base);
	}
}

static void check_list(struct loader *ld, const config_setting_t *list, const struct cfg_key *k,
                       void *base)
{
	char *v = *(char **)cfg_field(k, base);

	if (v == NULL)
		return;
	for (int i = 0; i < config_setting_length(list); i++) {
		const config_setting_t *e = config_setting_get_elem(list, (unsigned int)i);

		if (config_setting_is_group(e))
			check_stanza(ld, e, k->stanza, v + (size_t)i * k->stanza->size);
	}
	for (const struct cfg_key *u = k->stanza->keys; u->name != NULL; u++)
		if (u->flags & CFG_UNIQUE)
			check_unique(ld, list, k->stanza, u, v);
}

/* A user of the text has one kind of secret. Those of files have, by their form. */
static void check_secrets(struct loader *ld)
{
	const config_setting_t *users = config_lookup(&ld->tree, "users");
	const struct cfg_key *list = cfg_key_find(&cfg_root, "users");
	char title[128];

	for (int i = 0;
	     users != NULL && config_setting_is_list(users) && i < config_setting_length(users);
	     i++) {
		const config_setting_t *u = config_setting_get_elem(users, (unsigned int)i);
		bool plain, hashed;

		if (!config_setting_is_group(u))
			continue;
		plain = config_setting_get_member(u, "password") != NULL;
		hashed = config_setting_get_member(u, "crypt") != NULL ||
		         config_setting_get_member(u, "nt-hash") != NULL;
		if (plain != hashed)
			continue;
		load_title(list->stanza, u, title, sizeof(title));
		found_error(&ld->found, load_pos(ld, u), "%s: %s", title,
		            plain ? "both a password and a hash, allowed is one of them"
		                  : "no password, crypt or nt-hash");
	}
}

/* Can anybody get an address by this profile? */
static bool gives_addresses(const struct config *c, const struct cfg_interface_profile *p)
{
	if (p->pool[0] != '\0' || p->accept_peer_address)
		return true;
	for (uint32_t i = 0; i < c->n_users; i++)
		if (c->users[i].address.family != 0 || c->users[i].pool[0] != '\0')
			return true;
	return false;
}

static void check_host(struct loader *ld, uint32_t i, uint32_t j)
{
	const struct cfg_host *h = &ld->c->dest_profiles[i].hosts[j];
	const struct cfg_interface_profile *p =
	        config_interface_profile(ld->c, h->interface_profile);

	if (h->hide_avps && h->tunnel_password[0] == '\0')
		found_error(&ld->found,
		            load_pos_in(ld, "destination-profiles", i, "hosts", j, "hide-avps"),
		            "host \"%.64s\": hide-avps needs a tunnel-password (RFC 2661 4.3)",
		            h->name);
	if (h->interface_profile[0] != '\0' && p != NULL && !gives_addresses(ld->c, p))
		found_error(
		        &ld->found,
		        load_pos_in(ld, "destination-profiles", i, "hosts", j, "interface-profile"),
		        "host \"%.64s\": interface profile \"%s\" has no pool and no user has an "
		        "address or a pool: nobody would get an address",
		        h->name, p->name);
}

static void check_dest_profiles(struct loader *ld)
{
	const struct config *c = ld->c;

	for (uint32_t i = 0; i < c->n_dest_profiles; i++) {
		const config_setting_t *d = config_setting_get_elem(
		        config_lookup(&ld->tree, "destination-profiles"), i);
		const config_setting_t *hosts =
		        config_setting_is_group(d) ? config_setting_get_member(d, "hosts") : NULL;

		if (hosts != NULL && config_setting_is_list(hosts) &&
		    config_setting_length(hosts) == 0)
			found_error(&ld->found, load_pos(ld, hosts),
			            "destination profile \"%.64s\": hosts is empty, at least one "
			            "host is needed (\"default\" stands for any)",
			            c->dest_profiles[i].name);
		for (uint32_t j = 0; j < c->dest_profiles[i].n_hosts; j++)
			check_host(ld, i, j);
	}
}

static void check_cpus(struct loader *ld)
{
	const struct cfg_system *s = &ld->c->system;
	unsigned int n = s->cpus[0] != '\0' ? form_cpus_count(s->cpus) : 0;

	if (n > 0 && n < s->workers + 1u)
		found_error(&ld->found, load_pos_key(ld, "system", "cpus"),
		            "system: cpus names %u, but control and %u workers need %u", n,
		            s->workers, s->workers + 1u);
}

void load_check(struct loader *ld)
{
	if (ld->found.no_memory)
		return;
	check_stanza(ld, config_root_setting(&ld->tree), &cfg_root, ld->c);
	check_secrets(ld);
	check_dest_profiles(ld);
	check_cpus(ld);
}
