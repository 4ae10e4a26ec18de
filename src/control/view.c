/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What control shows of itself, and the clear commands. */
#include "control/ctl_int.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void ctl_stats_get(const struct ctl *c, struct ctl_stats *out)
{
	*out = c->st;
	out->half_open = halfopen_count(c->half_open);
	out->half_open_limit = CTL_MAX_TUNNELS * c->conf->l2tp.half_open_percent / 100;
	out->tunnel_ids_used = c->tunnel_ids->n_used;
	out->session_ids_used = c->session_ids->n_used;
	l2tp_stats_get(c->l2tp, &out->l2tp);
}

const struct config *ctl_config(const struct ctl *c)
{
	return c->conf;
}

static uint32_t seconds_left(uint64_t at_ms, uint64_t now_ms)
{
	return at_ms > now_ms ? (uint32_t)((at_ms - now_ms + 999) / 1000) : 0;
}

/* down_ms: 0: not yet */
static uint64_t uptime(uint64_t up_ms, uint64_t down_ms, uint64_t now_ms)
{
	if (up_ms == 0)
		return 0;
	return ((down_ms != 0 ? down_ms : now_ms) - up_ms) / 1000;
}

static enum ctl_ss_state ss_state(const struct tunnel *tn)
{
	if (!tn->single_shot)
		return CTL_SS_NONE;
	if (!tn->live || tn->went_down)
		return CTL_SS_FIRED;
	return tn->n_live > 0 ? CTL_SS_CARRYING : CTL_SS_UNUSED;
}

static void view_tunnel(const struct tunnel *tn, uint64_t now_ms, struct ctl_tunnel_view *v)
{
	const struct tunnel_last *last = tn->last;
	struct l2tp_tunnel *t = tunnel_engine(tn);

	*v = (struct ctl_tunnel_view){
	        .serial = tn->serial,
	        .id = tn->id,
	        .destructing = !tn->live,
	        .destruct_left_s = tn->live ? 0 : seconds_left(tunnel_destruct_ms(tn), now_ms),
	        .profile = tunnel_profile(tn)->name,
	        .host = tunnel_host(tn)->conf->name,
	        .path = *tunnel_path(tn),
	        .conn = tn->conn->id,
	        .single_shot = ss_state(tn),
	        .sessions = tn->n_live,
	        .reason = tn->reason,
	};
	if (last != NULL) {
		v->result = last->result;
		v->error = last->error;
		memcpy(v->message, last->message, sizeof(v->message));
	}
	if (t != NULL)
		l2tp_tunnel_info(t, &v->info);
	else if (last != NULL)
		v->info = last->info;
	v->uptime_s = uptime(v->info.established_ms, last != NULL ? last->down_ms : 0, now_ms);
}

static void view_session(const struct session *s, uint64_t now_ms, struct ctl_session_view *v)
{
	const struct tunnel *tn = s->tunnel;
	const struct session_last *last = s->phase != SESSION_LIVE ? s->last : NULL;
	const struct pool *pool = session_pool(s);
	struct l2tp_call *call = session_engine(s);

	*v = (struct ctl_session_view){
	        .serial = s->serial,
	        .id = s->id,
	        .tunnel_id = tn->id,
	        .tunnel_serial = tn->serial,
	        .gen = session_gen(s),
	        .closing = s->phase == SESSION_ENDED || s->phase == SESSION_CLOSING,
	        .destructing = s->phase == SESSION_RECORD,
	        .destruct_left_s =
	                s->phase == SESSION_RECORD ? seconds_left(s->destruct_ms, now_ms) : 0,
	        .worker = s->worker,
	        .profile = tunnel_profile(tn)->name,
	        .host = tunnel_host(tn)->conf->name,
	        .interface_profile = session_ifprof(s)->name,
	        .peer_ip = s->peer_ip,
	        .local_ip = ipaddr_to_v4(&session_ifprof(s)->local_address),
	        .pool = pool != NULL ? pool->conf->name : NULL,
	        .mtu = s->mtu,
	        .reason = s->reason,
	        .ppp_reason = s->ppp_reason,
	};
	if (call != NULL) {
		l2tp_call_info_get(call, &v->call);
		dp_session_stats(session_ctl(s)->dp, s->id, session_gen(s), &v->stats);
	} else if (last != NULL) {
		v->call = last->call;
		v->stats = last->stats;
	}
	v->uptime_s = uptime(v->call.established_ms, last != NULL ? last->down_ms : 0, now_ms);
	if (s->phase == SESSION_LIVE && s->ppp != NULL)
		ppp_info_get(s->ppp, &v->ppp);
	else if (last != NULL)
		v->ppp = last->ppp;
	memcpy(v->user, v->ppp.user, sizeof(v->user));
}

bool ctl_tunnel_next(const struct ctl *c, uint32_t *cursor, uint64_t now_ms,
                     struct ctl_tunnel_view *out)
{
	while (*cursor < N_SLOTS) {
		const struct tunnel *tn = tunnel_at(c, (uint16_t)(*cursor)++);

		if (tn == NULL)
			continue;
		view_tunnel(tn, now_ms, out);
		return true;
	}
	return false;
}

bool ctl_session_next(const struct ctl *c, uint32_t *cursor, uint64_t now_ms,
                      struct ctl_session_view *out)
{
	while (*cursor < N_SLOTS) {
		const struct session *s = session_at(c, (uint16_t)(*cursor)++);

		if (s == NULL)
			continue;
		view_session(s, now_ms, out);
		return true;
	}
	return false;
}

bool ctl_tunnel_get(const struct ctl *c, uint16_t id, uint64_t now_ms, struct ctl_tunnel_view *out)
{
	const struct tunnel *tn = tunnel_of_id(c, id);

	if (tn == NULL)
		return false;
	view_tunnel(tn, now_ms, out);
	return true;
}

bool ctl_session_get(const struct ctl *c, uint16_t id, uint64_t now_ms,
                     struct ctl_session_view *out)
{
	const struct session *s = session_of_id(c, id);

	if (s == NULL)
		return false;
	view_session(s, now_ms, out);
	return true;
}

const char *ctl_session_reason_name(const struct ctl_session_view *v)
{
	if (v->ppp_reason != PPP_R_NONE)
		return ppp_reason_name(v->ppp_reason);
	return l2tp_reason_name(v->reason);
}

bool ctl_pool_next(const struct ctl *c, uint32_t *cursor, struct ctl_pool_view *out)
{
	const struct pool *p;

	if (*cursor >= c->n_pools)
		return false;
	p = &c->pools[(*cursor)++];
	*out = (struct ctl_pool_view){
	        .name = p->conf->name,
	        .first = p->first,
	        .last = p->first + p->size - 1,
	        .size = p->size,
	        .used = p->used,
	        .reserved = p->reserved,
	};
	return true;
}

uint32_t ctl_profile_sessions(const struct ctl *c, uint32_t profile)
{
	return c->profile_sessions[profile];
}

uint32_t ctl_host_sessions(const struct ctl *c, uint32_t profile, uint32_t host)
{
	return c->hosts[c->first_host[profile] + host].sessions;
}

/* RFC 2661 4.4.2: StopCCN 1, a general request to clear; CDN 3, administrative reasons. */
static const struct l2tp_result clear_tunnel = {
        .result = 1,
        .reason = L2TP_R_TUNNEL_ADMIN_CLOSE,
};

static const struct l2tp_result clear_call = {.result = 3, .reason = L2TP_R_CALL_ADMIN_CLOSE};

#define CALLS_AT_ONCE 4 /* that end with their tunnel */

static void clear_one_session(struct session *s)
{
	/* A link that is up says good-bye to its peer first; its end closes the call. */
	if (s->ppp != NULL)
		ppp_close(s->ppp, session_ctl(s)->now_ms);
	else
		l2tp_call_close(session_engine(s), &clear_call, session_ctl(s)->now_ms);
}

int ctl_clear_tunnel(struct ctl *c, uint16_t id, uint64_t now_ms)
{
	struct l2tp_tunnel *t = l2tp_tunnel_by_id(c->l2tp, id);

	if (t == NULL)
		return -ENOENT;
	c->now_ms = now_ms;
	l2tp_tunnel_close(t, &clear_tunnel, now_ms);
	return 0;
}

int ctl_clear_session(struct ctl *c, uint16_t id, uint64_t now_ms)
{
	struct session *s = session_of_id(c, id);

	if (s == NULL)
		return -ENOENT;
	c->now_ms = now_ms;
	clear_one_session(s);
	return 0;
}

/* As a StopCCN ends all calls at once, a tunnel with many loses them first, a few at a time. */
static bool thin_out(struct ctl *c, uint16_t id, uint32_t budget, uint64_t now_ms)
{
	struct l2tp_tunnel *t = l2tp_tunnel_by_id(c->l2tp, id);
	const struct tunnel *tn = tunnel_of_id(c, id);
	struct l2tp_call *call;

	if (tn == NULL || tn->n_live <= budget)
		return false;
	c->now_ms = now_ms;
	while (budget-- > 0 && (call = l2tp_tunnel_first_call(t)) != NULL)
		l2tp_call_close(call, &clear_call, now_ms);
	return true;
}

bool ctl_clear_tunnels(struct ctl *c, uint32_t *cursor, uint32_t budget, uint64_t now_ms)
{
	for (; *cursor < N_SLOTS && budget > 0; ++*cursor) {
		uint32_t most = budget > CALLS_AT_ONCE ? budget : CALLS_AT_ONCE;

		if (thin_out(c, (uint16_t)*cursor, most, now_ms))
			return false;
		if (ctl_clear_tunnel(c, (uint16_t)*cursor, now_ms) == 0)
			budget--;
	}
	return *cursor >= N_SLOTS;
}

bool ctl_clear_sessions(struct ctl *c, uint32_t *cursor, uint32_t budget, uint64_t now_ms)
{
	for (; *cursor < N_SLOTS && budget > 0; ++*cursor)
		if (ctl_clear_session(c, (uint16_t)*cursor, now_ms) == 0)
			budget--;
	return *cursor >= N_SLOTS;
}
