/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Control and data plane as far as the commands see them: tables of any length, by formula. */
#include "fake_ctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct fake fake;

bool ctl_tunnel_next(const struct ctl *c, uint32_t *cursor, uint64_t now_ms,
                     struct ctl_tunnel_view *out)
{
	if (*cursor >= fake.n_tunnels)
		return false;
	*out = fake.tunnel;
	out->id = (uint16_t)++ * cursor;
	return true;
}

bool ctl_session_next(const struct ctl *c, uint32_t *cursor, uint64_t now_ms,
                      struct ctl_session_view *out)
{
	if (*cursor >= fake.n_sessions)
		return false;
	*out = fake.session;
	out->id = (uint16_t)++ * cursor;
	return true;
}

bool ctl_session_get(const struct ctl *c, uint16_t id, uint64_t now_ms,
                     struct ctl_session_view *out)
{
	if (id > fake.n_sessions)
		return false;
	*out = fake.session;
	out->id = id;
	return true;
}

static void fill_conn(uint64_t id, struct ctl_conn_view *out)
{
	*out = fake.conn;
	out->id = id;
	if (id > fake.n_conns - fake.n_down)
		out->state = CTL_CONN_DOWN;
}

bool ctl_conn_next(const struct ctl *c, uint32_t *cursor, uint64_t now_ms,
                   struct ctl_conn_view *out)
{
	if (*cursor >= fake.n_conns)
		return false;
	fill_conn(++*cursor, out);
	return true;
}

bool ctl_conn_get(const struct ctl *c, uint64_t id, uint64_t now_ms, struct ctl_conn_view *out)
{
	if (id == 0 || id > fake.n_conns)
		return false;
	fill_conn(id, out);
	return true;
}

const char *ctl_conn_state_name(enum ctl_conn_state s)
{
	static const char *const names[] = {"up", "no-sa", "orphan", "disconnecting", "down"};

	return names[s];
}

int ctl_clear_conn(struct ctl *c, uint64_t id, uint64_t now_ms)
{
	if (id == 0 || id > fake.n_conns)
		return -ENOENT;
	fake.cleared++;
	return 0;
}

void ctl_ipsec_stats_get(const struct ctl *c, struct ctl_ipsec_stats *out)
{
	*out = fake.ipsec;
}

const char *esp_suite_name(const struct esp_suite *s, char *buf, size_t size)
{
	snprintf(buf, size, "%s", s->cipher == ESP_AES_GCM ? "aes256gcm16" : "aes128-sha256");
	return buf;
}

void ctl_stats_get(const struct ctl *c, struct ctl_stats *out)
{
	*out = fake.stats;
}

bool ctl_pool_next(const struct ctl *c, uint32_t *cursor, struct ctl_pool_view *out)
{
	static const char *const names[] = {"big", "small"};

	if (*cursor >= (fake.n_pools ? fake.n_pools : 2))
		return false;
	*out = (struct ctl_pool_view){.name = fake.pool ? fake.pool : names[*cursor % 2],
	                              .first = 0x0a010000,
	                              .last = 0x0a01ffff,
	                              .size = 65536,
	                              .used = 6,
	                              .reserved = 30};
	++*cursor;
	return true;
}

uint32_t ctl_profile_sessions(const struct ctl *c, uint32_t profile)
{
	return fake.profile_sessions;
}

uint32_t ctl_host_sessions(const struct ctl *c, uint32_t profile, uint32_t host)
{
	return fake.profile_sessions;
}

int ctl_clear_tunnel(struct ctl *c, uint16_t id, uint64_t now_ms)
{
	if (id > fake.n_tunnels)
		return -ENOENT;
	fake.cleared++;
	return 0;
}

int ctl_clear_session(struct ctl *c, uint16_t id, uint64_t now_ms)
{
	if (id > fake.n_sessions)
		return -ENOENT;
	fake.cleared++;
	return 0;
}

static bool clear_some(uint32_t *cursor, uint32_t n, uint32_t budget)
{
	for (; *cursor < n && budget; ++*cursor, budget--)
		fake.cleared++;
	return *cursor >= n;
}

bool ctl_clear_tunnels(struct ctl *c, uint32_t *cursor, uint32_t budget, uint64_t now_ms)
{
	return clear_some(cursor, fake.n_tunnels, budget);
}

bool ctl_clear_sessions(struct ctl *c, uint32_t *cursor, uint32_t budget, uint64_t now_ms)
{
	return clear_some(cursor, fake.n_sessions, budget);
}

enum ctl_step ctl_turn_longest(const struct ctl *c)
{
	return CTL_STEP_PUNTS;
}

const char *ctl_step_name(enum ctl_step step)
{
	return step == CTL_STEP_PUNTS ? "punts" : "?";
}

void ctl_clear_turns(struct ctl *c)
{
	fake.turns_cleared++;
}

const char *ctl_session_reason_name(const struct ctl_session_view *v)
{
	return "session rx cdn";
}

const char *ss_reason_name(enum ss_reason r)
{
	static const char *const names[SS_REASON_MAX] = {
	        [SS_SESSION_CDN_RX] = "session-cdn-received",
	};
	static const char *const others[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i",
	                                     "j", "k", "l", "m", "n", "o", "p", "q"};

	return names[r] ? names[r] : others[r];
}

const char *l2tp_reason_name(enum l2tp_reason r)
{
	return "tunnel rx stopccn";
}

const char *l2tp_tunnel_state_name(enum l2tp_tunnel_state s)
{
	return s == L2TP_TS_ESTABLISHED ? "established" : "closed";
}

const char *l2tp_call_state_name(enum l2tp_call_state s)
{
	return s == L2TP_CS_ESTABLISHED ? "established" : "closed";
}

const char *ppp_phase_name(enum ppp_phase p)
{
	return p == PPP_PH_NETWORK ? "network" : "dead";
}

const char *ppp_auth_method_name(enum ppp_auth_method m)
{
	return "mschapv2";
}

void dp_stats_get(struct dp *dp, int worker, struct dp_stats *out)
{
	*out = fake.dp;
}

void dp_load_get(struct dp *dp, int worker, uint32_t seconds, struct dp_load *out)
{
	(void)dp;
	(void)worker;
	*out = fake.load;
	if (seconds > 5)
		out->busy_permille /= 2;
}

uint16_t dp_n_workers(const struct dp *dp)
{
	return 2;
}

uint32_t dp_worker_queues(const struct dp *dp, uint16_t worker)
{
	(void)dp;
	return 3 + worker;
}

uint32_t dp_worker_sessions(const struct dp *dp, uint16_t worker)
{
	return 7;
}

const char *dp_drop_name(enum dp_drop d)
{
	static const char *const names[] = {
#define X(sym, name, help) name,
	        DP_DROP_LIST(X)
#undef X
	};

	return names[d];
}

const char *dp_drop_help(enum dp_drop d)
{
	return "what it means";
}

const char *dp_punt_name(enum dp_punt_class c)
{
	static const char *const names[DP_PUNT_MAX] = {"l2tp", "ppp",  "l2tp-new", "twin",
	                                               "sub",  "icmp", "neigh",    "sa"};

	return names[c];
}

int ports_get_info(struct ports *p, uint32_t i, struct ports_info *out)
{
	*out = fake.port;
	return i ? -ENOENT : 0;
}

int ports_get_dist_info(const struct ports *p, uint32_t i, struct ports_dist_info *out)
{
	*out = fake.dist;
	return i ? -ENOENT : 0;
}

int ports_get_twin_info(const struct ports *p, uint32_t i, struct ports_twin_info *out)
{
	*out = fake.twin;
	return i ? -ENOENT : 0;
}

void ports_get_kernel_info(const struct ports *p, struct ports_kernel_info *out)
{
	*out = fake.kernel;
}
