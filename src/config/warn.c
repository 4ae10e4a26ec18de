/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What is allowed and probably not meant. */
#include "config/load.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* IPv4, UDP, L2TP with the Length field left out, PPP without compression. */
#define L2TP_OVERHEAD (20 + 8 + 6 + 4)

static void warn_l2tp(struct loader *ld)
{
	const struct cfg_l2tp *l = &ld->c->l2tp;

	if (l->destruct_timeout_s <= l->destination_lockout_timeout_s)
		found_warning(&ld->found, load_pos_key(ld, "l2tp", "destruct-timeout"),
		              "l2tp: destruct-timeout %u s is not above "
		              "destination-lockout-timeout %u s: the record of an unreachable "
		              "destination may go before its lockout ends",
		              l->destruct_timeout_s, l->destination_lockout_timeout_s);
}

static void warn_single_shot(struct loader *ld, uint32_t i, uint32_t j)
{
	const struct cfg_host *h = &ld->c->dest_profiles[i].hosts[j];
	const struct cfg_interface_profile *p =
	        config_interface_profile(ld->c, h->interface_profile);

	if (h->max_sessions > 1)
		found_warning(
		        &ld->found,
		        load_pos_in(ld, "destination-profiles", i, "hosts", j, "max-sessions"),
		        "host \"%.64s\": max-sessions %u counts over all tunnels of the host; a "
		        "single-shot tunnel carries one session all the same",
		        h->name, h->max_sessions);
	if (ld->c->l2tp.failover_protocol)
		found_warning(
		        &ld->found,
		        load_pos_in(ld, "destination-profiles", i, "hosts", j,
		                    "single-shot-tunnel"),
		        "host \"%.64s\": failover-resync is not offered on single-shot tunnels",
		        h->name);
	if (p != NULL && p->auth_methods == PPP_AUTH_NONE)
		found_warning(
		        &ld->found,
		        load_pos_in(ld, "destination-profiles", i, "hosts", j,
		                    "single-shot-tunnel"),
		        "host \"%.64s\": a single-shot tunnel guards a password, but interface "
		        "profile \"%s\" asks for none",
		        h->name, p->name);
}

static void warn_host(struct loader *ld, uint32_t i, uint32_t j)
{
	const struct cfg_host *h = &ld->c->dest_profiles[i].hosts[j];

	if (h->single_shot_tunnel)
		warn_single_shot(ld, i, j);
	if (h->enable_ipsec_transport && ld->c->n_ipsec_profiles + ld->c->n_static_sas == 0)
		found_warning(&ld->found,
		              load_pos_in(ld, "destination-profiles", i, "hosts", j,
		                          "enable-ipsec-transport"),
		              "host \"%.64s\": there is no ipsec-transport-profile: no tunnel of "
		              "the host "
		              "gets in",
		              h->name);
	if (ld->c->l2tp.disable_challenge && h->tunnel_password[0] != '\0')
		found_warning(
		        &ld->found,
		        load_pos_in(ld, "destination-profiles", i, "hosts", j, "tunnel-password"),
		        "host \"%.64s\": with disable-challenge the tunnel-password is not "
		        "asked of the LAC",
		        h->name);
}

static uint16_t largest_mtu(const struct config *c)
{
	uint16_t mtu = 0;

	for (uint32_t i = 0; i < c->n_ports; i++)
		if (c->ports[i].mtu > mtu)
			mtu = c->ports[i].mtu;
	return mtu;
}

static void warn_profiles(struct loader *ld)
{
	uint16_t port = largest_mtu(ld->c);

	for (uint32_t i = 0; i < ld->c->n_interface_profiles; i++) {
		const struct cfg_interface_profile *p = &ld->c->interface_profiles[i];

		if (port > 0 && p->mtu + L2TP_OVERHEAD > port)
			found_warning(
			        &ld->found, load_pos_of(ld, "interface-profiles", i, "mtu"),
			        "interface profile \"%s\": mtu %u and %u bytes of headers are "
			        "above every port's mtu: large packets will be fragmented",
			        p->name, p->mtu, L2TP_OVERHEAD);
	}
}

/* One warning for any number of users: a file has thousands. */
struct many {
	uint32_t n, first;
};

static void count(struct many *m, const struct loader *ld, uint32_t i)
{
	if (m->n++ == 0 || ld->user_pos[i].order < ld->user_pos[m->first].order)
		m->first = i;
}

static void warn_many(struct loader *ld, const struct many *m, const char *text)
{
	char others[48] = "";

	if (m->n == 0)
		return;
	if (m->n > 1)
		snprintf(others, sizeof(others), " and %u more", m->n - 1);
	found_warning(&ld->found, ld->user_pos[m->first], "user \"%.64s\"%s: %s",
	              ld->c->users[m->first].name, others, text);
}

static bool in_a_pool(const struct config *c, const struct ipaddr *a)
{
	uint32_t v = ipaddr_to_v4(a);

	for (uint32_t i = 0; i < c->n_pools; i++)
		if (a->family == AF_INET && v >= ipaddr_to_v4(&c->pools[i].first) &&
		    v <= ipaddr_to_v4(&c->pools[i].last))
			return true;
	return false;
}

static void warn_users(struct loader *ld)
{
	const struct config *c = ld->c;
	struct many crypt = {0}, nt = {0}, pooled = {0};
	uint32_t methods = 0;

	for (uint32_t i = 0; i < c->n_interface_profiles; i++)
		methods |= c->interface_profiles[i].auth_methods;
	for (uint32_t i = 0; i < c->n_users; i++) {
		const struct cfg_user *u = &c->users[i];

		if (methods != 0 && u->password[0] == '\0') {
			if (!u->has_nt_hash && !(methods & PPP_AUTH_PAP))
				count(&crypt, ld, i);
			if (u->has_nt_hash && !(methods & (PPP_AUTH_PAP | PPP_AUTH_MSCHAPV2)))
				count(&nt, ld, i);
		}
		if (in_a_pool(c, &u->address))
			count(&pooled, ld, i);
	}
	warn_many(ld, &crypt, "a crypt hash serves pap only, which no interface profile asks for");
	warn_many(ld, &nt,
	          "an NT hash serves pap and mschapv2 only, which no interface profile asks for");
	warn_many(ld, &pooled, "the address lies in a pool, which may have given it to another");
}

static void warn_empty(struct loader *ld)
{
	const struct config *c = ld->c;
	struct pos top = source_pos(&ld->src, 0);

	if (c->n_ports == 0)
		found_warning(&ld->found, top, "configuration: no ports: no packet gets in");
	if (c->n_dest_profiles == 0)
		found_warning(&ld->found, top,
		              "configuration: no destination-profiles: no tunnel gets in");
}

static bool is_loopback(const struct ipaddr *a)
{
	static const uint8_t loopback6[16] = {[15] = 1};

	return a->family == AF_INET ? a->b[0] == 127 : memcmp(a->b, loopback6, 16) == 0;
}

static void warn_system(struct loader *ld)
{
	const struct config *c = ld->c;
	unsigned int cpus = c->system.cpus[0] != '\0' ? form_cpus_count(c->system.cpus) : 0;

	if (!is_loopback(&c->console.listen.addr))
		found_warning(
		        &ld->found, load_pos_key(ld, "console", "listen"),
		        "console: listen is not a loopback address, and telnet goes in clear");
	if (c->metrics.listen.addr.family != 0 && !is_loopback(&c->metrics.listen.addr))
		found_warning(&ld->found, load_pos_key(ld, "metrics", "listen"),
		              "metrics: listen is not a loopback address, and whoever reaches it "
		              "reads all counters");
	if (cpus > c->system.workers + 1u)
		found_warning(&ld->found, load_pos_key(ld, "system", "cpus"),
		              "system: cpus names %u, of which %u are used", cpus,
		              c->system.workers + 1u);
}

void load_warn(struct loader *ld)
{
	if (ld->found.no_memory)
		return;
	warn_empty(ld);
	warn_system(ld);
	warn_l2tp(ld);
	warn_profiles(ld);
	warn_users(ld);
	for (uint32_t i = 0; i < ld->c->n_dest_profiles; i++)
		for (uint32_t j = 0; j < ld->c->dest_profiles[i].n_hosts; j++)
			warn_host(ld, i, j);
}
