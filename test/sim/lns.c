/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The engine under test and its owner, which holds it to the promises of l2tp/l2tp.h. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t scope_of(const struct l2tp_path *path)
{
	return endpoint_hash(&path->remote, path->conn);
}

static struct lac *lac_of(struct sim *s, const struct l2tp_path *path)
{
	for (unsigned i = 0; i < s->n_lacs; i++) {
		if (endpoint_eq(&s->lacs[i].path.remote, &path->remote) &&
		    s->lacs[i].path.conn == path->conn)
			return &s->lacs[i];
	}
	return NULL;
}

/* B2: no single-shot tunnel stays up behind its one call. */
static void check_single_shots(struct sim *s)
{
	const struct own_tunnel *o;

	LIST_FOREACH (o, &s->own_tunnels, link) {
		if (o->single_shot && !o->down && o->requests > 0 && o->live_calls == 0)
			sim_fail(s, "single-shot tunnel %u stays up without its call", o->id);
	}
}

/* The owner hears of an end before the peer does. */
static void op_send(void *ctx, const struct l2tp_path *path, const uint8_t *pkt, size_t len)
{
	struct sim *s = ctx;
	struct l2tp_msg *m = &s->msg;

	if (l2tp_msg_parse(pkt, len, (const uint8_t *)SIM_SECRET, strlen(SIM_SECRET), m, NULL) !=
	    L2TP_MSG_OK) {
		sim_fail(s, "the engine sends what does not parse");
		return;
	}
	sim_log(s, "lns -> %s tid %u sid %u ns %u nr %u",
	        m->hdr.data_len ? l2tp_msg_name(m->type) : "ZLB", m->hdr.tunnel_id,
	        m->hdr.session_id, m->hdr.ns, m->hdr.nr);
	if (m->type == L2TP_STOPCCN && m->assigned_tunnel_id <= SIM_IDS) {
		const struct own_tunnel *o = s->tunnels[m->assigned_tunnel_id];

		if (o != NULL && o->lac == lac_of(s, path) && !o->down)
			sim_fail(s, "StopCCN before tunnel_down");
	}
	if (m->type == L2TP_CDN && m->assigned_session_id <= SIM_IDS) {
		const struct own_call *o = s->calls[m->assigned_session_id];

		if (o != NULL && o->on->lac == lac_of(s, path) &&
		    o->on->peer_tid == m->hdr.tunnel_id)
			sim_fail(s, "CDN before call_gone");
	}
	net_to_lac(s, path, pkt, len);
}

static void fill(struct sim *s, const struct profile *p, struct l2tp_tunnel_conf *conf)
{
	*conf = (struct l2tp_tunnel_conf){
	        .host_name = "lns",
	        .single_shot = p->single_shot,
	        .rws = (uint16_t)(1 + sim_random(s, 8)),
	        .max_calls = p->max_calls,
	        .retries_established = 5,
	        .retries_not_established = 4,
	        .retransmit_first_ms = 1000,
	        .retransmit_cap_ms = 8000,
	        .hello_ms = 20000,
	        .idle_ms = p->idle_ms,
	        .first_call_ms = 30000,
	        .establish_ms = 40000,
	        .call_establish_ms = 40000,
	        .linger_ms = 31000,
	        .limit_result = 4,
	        .fired_result = 5,
	};
	if (!p->secret)
		return;
	memcpy(conf->secret, SIM_SECRET, strlen(SIM_SECRET));
	conf->secret_len = strlen(SIM_SECRET);
	conf->challenge = true;
	conf->hide_avps = p->hide;
}

static enum l2tp_verdict op_tunnel_request(void *ctx, const struct l2tp_path *path,
                                           const struct l2tp_msg *msg,
                                           struct l2tp_tunnel_conf *conf, struct l2tp_result *res,
                                           void **user)
{
	struct sim *s = ctx;
	struct lac *lac = lac_of(s, path);
	struct own_tunnel *o;
	uint16_t id;

	if (lac == NULL)
		return L2TP_DISCARD;
	if (lac->profile.refuse) {
		res->result = 4;
		res->reason = L2TP_R_TUNNEL_REFUSED;
		return L2TP_REFUSE;
	}
	id = idpool_get(s->tunnel_ids, scope_of(path), s->now);
	if (id == 0) {
		sim_fail(s, "no tunnel id");
		return L2TP_DISCARD;
	}
	fill(s, &lac->profile, conf);
	conf->local_id = id;
	o = calloc(1, sizeof(*o));
	o->lac = lac;
	o->id = id;
	o->peer_tid = msg->assigned_tunnel_id;
	o->single_shot = lac->profile.single_shot;
	s->tunnels[id] = o;
	LIST_INSERT_HEAD(&s->own_tunnels, o, link);
	*user = o;
	return L2TP_ACCEPT;
}

static void op_tunnel_rejected(void *ctx, const struct l2tp_path *path, const struct l2tp_msg *msg,
                               const struct l2tp_result *res)
{
	sim_fail(ctx, "an SCCRQ was rejected: %s", l2tp_reason_name(res->reason));
}

static struct own_tunnel *known(struct sim *s, struct l2tp_tunnel *t)
{
	struct own_tunnel *o = l2tp_tunnel_user(t);

	if (o->t == NULL)
		o->t = t;
	if (o->t != t || s->tunnels[o->id] != o)
		sim_fail(s, "a callback for a tunnel that is not there");
	return o;
}

static void op_tunnel_up(void *ctx, struct l2tp_tunnel *t)
{
	struct sim *s = ctx;
	struct own_tunnel *o = known(s, t);

	if (o->up || o->down)
		sim_fail(s, "tunnel_up twice or after tunnel_down");
	if (o->lac->profile.secret && !o->lac->profile.lac_knows)
		sim_fail(s, "up without the secret");
	o->up = true;
	s->tunnels_up++;
	sim_log(s, "lns: tunnel %u up", o->id);
}

static void op_tunnel_down(void *ctx, struct l2tp_tunnel *t, const struct l2tp_result *res)
{
	struct sim *s = ctx;
	struct own_tunnel *o = known(s, t);
	struct lac_tunnel *peer = lac_tunnel_by_id(o->lac, o->peer_tid);

	if (o->down)
		sim_fail(s, "tunnel_down twice");
	if (peer != NULL && res->reason == L2TP_R_TUNNEL_RX_STOPCCN)
		peer->stop_heard = peer->sent_stop;
	if (res->reason == L2TP_R_TUNNEL_TIMEOUT_CONTROL && sim_reliable(s) && peer != NULL &&
	    !peer->again && peer->peer_tid == o->id && peer->state == LT_UP)
		sim_fail(s, "tunnel %u given up, though its LAC answers", o->id);
	/* Whoever sits on another path cannot say that this peer has ended it. */
	if (res->reason == L2TP_R_TUNNEL_RX_STOPCCN && peer != NULL && peer->peer_tid == o->id &&
	    !peer->sent_stop)
		sim_fail(s, "a StopCCN that the LAC never sent");
	if (res->reason == L2TP_R_TUNNEL_FSM_ERROR || res->reason == L2TP_R_TUNNEL_BAD_MESSAGE ||
	    res->reason == L2TP_R_TUNNEL_NO_RESOURCES)
		sim_fail(s, "tunnel %u ended: %s", o->id, l2tp_reason_name(res->reason));
	o->down = true;
	sim_log(s, "lns: tunnel %u down: %s", o->id, l2tp_reason_name(res->reason));
}

static void op_tunnel_gone(void *ctx, struct l2tp_tunnel *t)
{
	struct sim *s = ctx;
	struct own_tunnel *o = known(s, t);

	if (!o->down || o->live_calls > 0)
		sim_fail(s, "tunnel_gone before tunnel_down, or with calls");
	sim_log(s, "lns: tunnel %u gone", o->id);
	idpool_put(s->tunnel_ids, o->id, s->now);
	s->tunnels[o->id] = NULL;
	LIST_REMOVE(o, link);
	free(o);
}

static enum l2tp_verdict op_call_request(void *ctx, struct l2tp_tunnel *t,
                                         const struct l2tp_msg *msg, struct l2tp_call_conf *conf,
                                         struct l2tp_result *res, void **user)
{
	struct sim *s = ctx;
	struct own_tunnel *o = known(s, t);
	struct own_call *oc;

	o->requests++;
	if (!o->up || o->down)
		sim_fail(s, "a call on a tunnel that is not up");
	if (o->single_shot && o->requests > 1)
		sim_fail(s, "a second call on single-shot tunnel %u", o->id);
	if (sim_chance(s, s->refuse_calls)) {
		res->result = 4;
		res->reason = L2TP_R_CALL_REFUSED;
		return L2TP_REFUSE;
	}
	conf->local_id = idpool_get(s->call_ids, (uint64_t)o->id << 32 | o->peer_tid, s->now);
	if (conf->local_id == 0) {
		sim_fail(s, "no session id");
		return L2TP_DISCARD;
	}
	oc = calloc(1, sizeof(*oc));
	oc->on = o;
	oc->id = conf->local_id;
	s->calls[oc->id] = oc;
	LIST_INSERT_HEAD(&s->own_calls, oc, link);
	o->live_calls++;
	if (o->lac->profile.max_calls != 0 && o->live_calls > o->lac->profile.max_calls)
		sim_fail(s, "more calls than the limit");
	*user = oc;
	return L2TP_ACCEPT;
}

static void op_call_refused(void *ctx, struct l2tp_tunnel *t, const struct l2tp_msg *msg,
                            const struct l2tp_result *res)
{
	struct sim *s = ctx;

	sim_log(s, "lns: call refused: %s", l2tp_reason_name(res->reason));
	if (res->reason == L2TP_R_CALL_BAD_MESSAGE || res->reason == L2TP_R_CALL_NO_RESOURCES)
		sim_fail(s, "call refused: %s", l2tp_reason_name(res->reason));
}

static void op_call_reply(void *ctx, struct l2tp_call *c)
{
	sim_fail(ctx, "an ICRP for the LNS");
}

static void op_call_up(void *ctx, struct l2tp_call *c, const struct l2tp_msg *msg)
{
	struct sim *s = ctx;
	struct own_call *oc = l2tp_call_user(c);

	if (s->calls[oc->id] != oc || oc->up)
		sim_fail(s, "call_up twice, or for a call that is not there");
	oc->up = true;
	oc->c = c;
	oc->on->up_calls++;
	s->calls_up++;
	sim_log(s, "lns: call %u up", oc->id);
	if (sim_chance(s, s->drop_calls)) {
		struct l2tp_result res = {.result = 3, .reason = L2TP_R_CALL_ADMIN_CLOSE};

		l2tp_call_close(c, &res, s->now);
	}
}

static void op_call_gone(void *ctx, struct l2tp_call *c, const struct l2tp_result *res)
{
	struct sim *s = ctx;
	struct own_call *oc = l2tp_call_user(c);

	sim_log(s, "lns: call %u gone: %s", oc->id, l2tp_reason_name(res->reason));
	if (s->calls[oc->id] != oc) {
		sim_fail(s, "call_gone twice");
		return;
	}
	if (res->reason == L2TP_R_CALL_FSM_ERROR || res->reason == L2TP_R_CALL_BAD_MESSAGE)
		sim_fail(s, "call ended: %s", l2tp_reason_name(res->reason));
	oc->on->live_calls--;
	oc->on->up_calls -= oc->up;
	s->calls[oc->id] = NULL;
	LIST_REMOVE(oc, link);
	idpool_put(s->call_ids, oc->id, s->now);
	free(oc);
}

static void op_random(void *ctx, uint8_t *buf, size_t len)
{
	while (len-- > 0)
		*buf++ = (uint8_t)sim_random(ctx, 256);
}

void lns_boot(struct sim *s)
{
	uint16_t first = (uint16_t)(1 + s->boots++ % 8 * SIM_BOOT_IDS);

	s->ops = (struct l2tp_ops){
	        .send = op_send,
	        .tunnel_request = op_tunnel_request,
	        .tunnel_rejected = op_tunnel_rejected,
	        .tunnel_up = op_tunnel_up,
	        .tunnel_down = op_tunnel_down,
	        .tunnel_gone = op_tunnel_gone,
	        .call_request = op_call_request,
	        .call_refused = op_call_refused,
	        .call_reply = op_call_reply,
	        .call_up = op_call_up,
	        .call_gone = op_call_gone,
	        .random = op_random,
	};
	s->tunnel_ids = idpool_new(first, first + SIM_BOOT_IDS - 1, 31000, (uint32_t)s->random);
	s->call_ids = idpool_new(first, first + SIM_BOOT_IDS - 1, 31000, (uint32_t)s->random + 1);
	s->l2tp = l2tp_new(&s->ops, s, &s->engine_timers, NULL, "Sallyport", 1);
}

static void shut_down(struct sim *s)
{
	struct own_tunnel *o;
	struct own_call *oc;

	l2tp_free(s->l2tp);
	if (s->engine_timers.n != 0)
		sim_fail(s, "%u timers left by l2tp_free", s->engine_timers.n);
	while ((oc = LIST_FIRST(&s->own_calls)) != NULL) {
		LIST_REMOVE(oc, link);
		s->calls[oc->id] = NULL;
		free(oc);
	}
	while ((o = LIST_FIRST(&s->own_tunnels)) != NULL) {
		LIST_REMOVE(o, link);
		s->tunnels[o->id] = NULL;
		free(o);
	}
	free(s->tunnel_ids);
	free(s->call_ids);
}

void lns_crash(struct sim *s)
{
	sim_log(s, "lns: crash");
	s->crashes++;
	shut_down(s);
	for (unsigned i = 0; i < s->n_lacs; i++) {
		for (int j = 0; j < SIM_TUNNELS; j++)
			s->lacs[i].tunnels[j].stop_heard = false;
	}
	lns_boot(s);
}

void lns_rx(struct sim *s, const struct l2tp_path *path, const uint8_t *pkt, size_t len)
{
	l2tp_rx(s->l2tp, path, pkt, len, s->now);
	check_single_shots(s);
}

bool lns_has(const struct sim *s, const struct lac_tunnel *t)
{
	const struct own_tunnel *o = t->peer_tid <= SIM_IDS ? s->tunnels[t->peer_tid] : NULL;

	return o != NULL && o->up && !o->down && o->lac == t->lac && o->peer_tid == t->tid;
}

static struct own_tunnel *any_tunnel(struct sim *s)
{
	struct own_tunnel *o, *found = NULL;
	unsigned n = 0;

	LIST_FOREACH (o, &s->own_tunnels, link) {
		if (o->t != NULL && sim_random(s, ++n) == 0)
			found = o;
	}
	return found;
}

static struct own_call *any_call(struct sim *s)
{
	struct own_call *oc, *found = NULL;
	unsigned n = 0;

	LIST_FOREACH (oc, &s->own_calls, link) {
		if (oc->c != NULL && sim_random(s, ++n) == 0)
			found = oc;
	}
	return found;
}

/* Someone who knows all numbers, but sits elsewhere. */
static void forge(struct sim *s, const struct own_tunnel *o)
{
	struct l2tp_path path = o->lac->path;
	struct l2tp_tunnel_info info;
	struct l2tp_build b;
	uint8_t buf[256];
	size_t len;

	l2tp_tunnel_info(o->t, &info);
	if (sim_chance(s, 50))
		path.remote.port ^= 1;
	else
		path.conn += 1000;
	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_STOPCCN, o->id, 0);
	l2tp_build_u16(&b, L2TP_AVP_ASSIGNED_TUNNEL_ID, o->peer_tid);
	l2tp_build_result(&b, 1, false, 0, NULL);
	len = l2tp_build_end(&b);
	l2tp_set_seq(buf, info.nr, info.ns);
	net_to_lns(s, &path, buf, len);
}

void lns_act(struct sim *s)
{
	struct l2tp_result res = {.result = 3, .reason = L2TP_R_CALL_ADMIN_CLOSE};
	uint32_t what = sim_random(s, 100);
	struct own_tunnel *o = what < 94 ? any_tunnel(s) : NULL;

	if (what < 25) {
		struct own_call *oc = any_call(s);

		if (oc != NULL)
			l2tp_call_close(oc->c, &res, s->now);
	} else if (what < 40 && o != NULL) {
		res = (struct l2tp_result){.result = 1, .reason = L2TP_R_TUNNEL_ADMIN_CLOSE};
		l2tp_tunnel_close(o->t, &res, s->now);
	} else if (what < 47 && o != NULL) {
		res = (struct l2tp_result){.reason = L2TP_R_TUNNEL_TRANSPORT_DOWN};
		l2tp_tunnel_abort(o->t, &res, s->now);
	} else if (what < 75 && o != NULL) {
		forge(s, o);
	} else if (what < 94 && o != NULL) {
		l2tp_tunnel_alive(o->t, s->now);
	} else if (what >= 97) {
		lns_crash(s);
	}
	check_single_shots(s);
}

void lns_close_all(struct sim *s)
{
	struct l2tp_result res = {.result = 6, .reason = L2TP_R_TUNNEL_ADMIN_CLOSE};

	for (unsigned id = 1; id <= SIM_IDS; id++) {
		struct l2tp_tunnel *t = l2tp_tunnel_by_id(s->l2tp, (uint16_t)id);

		if (t != NULL)
			l2tp_tunnel_close(t, &res, s->now);
	}
}

void lns_check_quiet(struct sim *s)
{
	uint32_t tunnels, calls, lingering;

	l2tp_count(s->l2tp, &tunnels, &calls, &lingering);
	if (tunnels + calls + lingering > 0)
		sim_fail(s, "left: %u tunnels, %u calls, %u lingering", tunnels, calls, lingering);
	if (s->tunnel_ids->n_used + s->call_ids->n_used > 0)
		sim_fail(s, "left: %u tunnel ids, %u session ids", s->tunnel_ids->n_used,
		         s->call_ids->n_used);
	if (s->engine_timers.n != 0)
		sim_fail(s, "left: %u timers", s->engine_timers.n);
	if (!LIST_EMPTY(&s->own_tunnels) || !LIST_EMPTY(&s->own_calls))
		sim_fail(s, "the owner was not told of every end");
	shut_down(s);
}
