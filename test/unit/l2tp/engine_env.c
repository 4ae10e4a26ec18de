/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "engine_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void note(struct env *e, const char *word, const char *detail)
{
	size_t n = strlen(e->log);

	snprintf(e->log + n, sizeof(e->log) - n, "%s%s%s", n > 0 ? " " : "", word, detail);
}

static void op_send(void *ctx, const struct l2tp_path *path, const uint8_t *pkt, size_t len)
{
	struct env *e = ctx;
	struct env_pkt *p = &e->sent[e->sent_tail % ENV_SENT_MAX];
	struct l2tp_hdr h;

	CU_ASSERT_FATAL(len <= sizeof(p->pkt) && l2tp_hdr_parse(pkt, len, &h) == 0);
	if (!e->quiet)
		note(e, "tx:",
		     h.data_len == 0 ? "ZLB" : l2tp_msg_name((uint16_t)(pkt[18] << 8 | pkt[19])));
	e->sent_tail++;
	if (e->sent_tail - e->sent_head > ENV_SENT_MAX)
		e->sent_head++;
	p->path = *path;
	p->len = len;
	memcpy(p->pkt, pkt, len);
}

static enum l2tp_verdict op_tunnel_request(void *ctx, const struct l2tp_path *path,
                                           const struct l2tp_msg *msg,
                                           struct l2tp_tunnel_conf *conf, struct l2tp_result *res,
                                           void **user)
{
	struct env *e = ctx;

	e->n_tunnel_request++;
	CU_ASSERT(l2tp_msg_has(msg, L2TP_AVP_HOST_NAME));
	*conf = e->conf;
	conf->local_id = e->tunnel_verdict == L2TP_ACCEPT ? e->next_tid++ : 0;
	*res = e->tunnel_res;
	*user = e;
	return e->tunnel_verdict;
}

static void op_tunnel_rejected(void *ctx, const struct l2tp_path *path, const struct l2tp_msg *msg,
                               const struct l2tp_result *res)
{
	struct env *e = ctx;

	note(e, "tunnel_rejected", "");
	e->rejected = *res;
}

static void op_tunnel_up(void *ctx, struct l2tp_tunnel *t)
{
	struct env *e = ctx;

	note(e, "tunnel_up", "");
	e->t = t;
	if (e->on_tunnel_up != NULL)
		e->on_tunnel_up(e, t);
}

static void op_tunnel_down(void *ctx, struct l2tp_tunnel *t, const struct l2tp_result *res)
{
	struct env *e = ctx;

	note(e, "tunnel_down", "");
	e->down = *res;
	if (e->on_tunnel_down != NULL)
		e->on_tunnel_down(e, t);
}

static void op_tunnel_gone(void *ctx, struct l2tp_tunnel *t)
{
	struct env *e = ctx;
	struct l2tp_tunnel_info info;

	l2tp_tunnel_info(t, &info);
	CU_ASSERT_PTR_NULL(l2tp_tunnel_by_id(e->l, info.local_id));
	CU_ASSERT_EQUAL(info.calls, 0);
	note(e, "tunnel_gone", "");
	if (e->t == t)
		e->t = NULL;
}

static enum l2tp_verdict op_call_request(void *ctx, struct l2tp_tunnel *t,
                                         const struct l2tp_msg *msg, struct l2tp_call_conf *conf,
                                         struct l2tp_result *res, void **user)
{
	struct env *e = ctx;

	e->n_call_request++;
	conf->local_id = e->call_verdict == L2TP_ACCEPT ? e->next_sid++ : 0;
	conf->sequencing = e->sequencing;
	*res = e->call_res;
	*user = e;
	return e->call_verdict;
}

static void op_call_refused(void *ctx, struct l2tp_tunnel *t, const struct l2tp_msg *msg,
                            const struct l2tp_result *res)
{
	struct env *e = ctx;

	note(e, "call_refused", "");
	e->refused = *res;
}

static void op_call_reply(void *ctx, struct l2tp_call *c)
{
	struct env *e = ctx;

	note(e, "call_reply", "");
	e->c = c;
	if (e->on_call_reply != NULL)
		e->on_call_reply(e, c);
}

static void op_call_up(void *ctx, struct l2tp_call *c, const struct l2tp_msg *msg)
{
	struct env *e = ctx;

	note(e, "call_up", "");
	e->c = c;
	if (e->on_call_up != NULL)
		e->on_call_up(e, c);
}

static void op_call_gone(void *ctx, struct l2tp_call *c, const struct l2tp_result *res)
{
	struct env *e = ctx;

	note(e, "call_gone", "");
	e->gone = *res;
	if (e->c == c)
		e->c = NULL;
	if (e->on_call_gone != NULL)
		e->on_call_gone(e, c);
}

static void op_call_info(void *ctx, struct l2tp_call *c, const struct l2tp_msg *msg)
{
	note(ctx, "info:", l2tp_msg_name(msg->type));
}

static void op_random(void *ctx, uint8_t *buf, size_t len)
{
	struct env *e = ctx;

	while (len-- > 0) {
		e->rnd = e->rnd * 1664525u + 1013904223u;
		*buf++ = (uint8_t)(e->rnd >> 24);
	}
}

static const struct l2tp_ops ops = {
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
        .call_info = op_call_info,
        .random = op_random,
};

void env_init(struct env *e)
{
	memset(e, 0, sizeof(*e));
	e->now = 1000;
	e->rnd = 1;
	e->sent = calloc(ENV_SENT_MAX, sizeof(*e->sent));
	e->next_tid = 100;
	e->next_sid = 200;
	e->conf = (struct l2tp_tunnel_conf){
	        .host_name = "lns",
	        .rws = 4,
	        .retries_established = 5,
	        .retries_not_established = 5,
	        .retransmit_first_ms = 1000,
	        .retransmit_cap_ms = 8000,
	        .hello_ms = 60000,
	        .idle_ms = 60000,
	        .first_call_ms = 30000,
	        .establish_ms = 60000,
	        .call_establish_ms = 60000,
	        .linger_ms = 31000,
	        .limit_result = 4,
	        .fired_result = 5,
	};
	ipaddr_parse("192.0.2.1", &e->path.local.addr);
	ipaddr_parse("198.51.100.7", &e->path.remote.addr);
	e->path.local.port = e->path.remote.port = 1701;
	e->peer_tid = 7;
	e->l = l2tp_new(&ops, e, &e->q, NULL, "Sallyport", 0x0100);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e->l);
}

void env_free(struct env *e)
{
	uint32_t tunnels, calls, lingering;

	env_run(e, 3600000);
	l2tp_count(e->l, &tunnels, &calls, &lingering);
	CU_ASSERT_EQUAL(tunnels, 0);
	CU_ASSERT_EQUAL(calls, 0);
	CU_ASSERT_EQUAL(lingering, 0);
	CU_ASSERT_EQUAL(e->q.n, 0);
	l2tp_free(e->l);
	CU_ASSERT_EQUAL(e->q.n, 0);
	free(e->sent);
}

void env_secret(struct env *e, const char *ours, const char *theirs)
{
	e->conf.secret_len = ours != NULL ? (uint16_t)strlen(ours) : 0;
	if (ours != NULL)
		memcpy(e->conf.secret, ours, e->conf.secret_len);
	e->conf.challenge = ours != NULL;
	e->secret = theirs;
}

void env_run(struct env *e, uint64_t ms)
{
	uint64_t end = e->now + ms;

	while (timerq_next(&e->q) <= end) {
		e->now = timerq_next(&e->q) > e->now ? timerq_next(&e->q) : e->now;
		timerq_run(&e->q, e->now, 0);
	}
	e->now = end;
}

struct l2tp_build *peer_begin(struct env *e, uint16_t type, uint16_t sid)
{
	l2tp_build_begin(&e->b, e->buf, sizeof(e->buf), type, e->tid, sid);
	return &e->b;
}

void peer_raw(struct env *e, const struct l2tp_path *path, const void *pkt, size_t len)
{
	/* A copy of just this size, so that a read beyond it is found. */
	uint8_t *copy = malloc(len > 0 ? len : 1);

	memcpy(copy, pkt, len);
	l2tp_rx(e->l, path, copy, len, e->now);
	free(copy);
}

void peer_send_as(struct env *e, uint16_t ns)
{
	size_t len = l2tp_build_end(&e->b);

	CU_ASSERT_NOT_EQUAL_FATAL(len, 0);
	l2tp_set_seq(e->buf, ns, e->nr);
	peer_raw(e, &e->path, e->buf, len);
}

void peer_send(struct env *e)
{
	peer_send_as(e, e->ns++);
}

void peer_zlb(struct env *e)
{
	uint8_t zlb[12];

	peer_raw(e, &e->path, zlb, l2tp_build_zlb(zlb, e->tid, e->ns, e->nr));
}

int peer_get(struct env *e)
{
	size_t n = e->secret != NULL ? strlen(e->secret) : 0;
	struct env_pkt *p;

	if (e->sent_head == e->sent_tail)
		return -1;
	p = &e->sent[e->sent_head++ % ENV_SENT_MAX];
	CU_ASSERT_EQUAL_FATAL(
	        l2tp_msg_parse(p->pkt, p->len, (const uint8_t *)e->secret, n, &e->msg, NULL),
	        L2TP_MSG_OK);
	if (e->msg.hdr.data_len == 0)
		return L2TP_ZLB;
	if (e->msg.hdr.ns == e->nr)
		e->nr++;
	if (e->msg.type == L2TP_SCCRQ || e->msg.type == L2TP_SCCRP) {
		e->tid = e->msg.assigned_tunnel_id;
		e->challenged = l2tp_msg_has(&e->msg, L2TP_AVP_CHALLENGE);
		if (e->challenged)
			memcpy(e->challenge, e->msg.challenge.p, sizeof(e->challenge));
	}
	return e->msg.type;
}

int peer_next(struct env *e)
{
	int type;

	while ((type = peer_get(e)) == L2TP_ZLB)
		;
	return type;
}

void peer_drain(struct env *e)
{
	while (peer_get(e) >= 0)
		;
	peer_zlb(e);
	while (peer_get(e) >= 0)
		;
}

void peer_append_unknown(struct env *e)
{
	static const uint8_t avp[] = {0x80, 8, 0, 0, 0x03, 0xe7, 1, 2};

	memcpy(&e->buf[e->b.len], avp, sizeof(avp));
	e->b.len += sizeof(avp);
}

void peer_sccrq(struct env *e, uint16_t peer_tid, const void *challenge, size_t len)
{
	struct l2tp_build *b;

	e->tid = 0;
	e->peer_tid = peer_tid;
	e->ns = e->nr = 0;
	b = peer_begin(e, L2TP_SCCRQ, 0);
	l2tp_build_u16(b, L2TP_AVP_PROTOCOL_VERSION, 0x0100);
	l2tp_build_u32(b, L2TP_AVP_FRAMING_CAPS, 3);
	l2tp_build_bytes(b, L2TP_AVP_HOST_NAME, "lac", 3);
	l2tp_build_bytes(b, L2TP_AVP_VENDOR_NAME, "Acme", 4);
	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_TUNNEL_ID, peer_tid);
	l2tp_build_u16(b, L2TP_AVP_RECEIVE_WINDOW_SIZE, 8);
	if (challenge != NULL)
		l2tp_build_bytes(b, L2TP_AVP_CHALLENGE, challenge, len);
	peer_send(e);
}

void peer_scccn(struct env *e)
{
	struct l2tp_build *b = peer_begin(e, L2TP_SCCCN, 0);
	uint8_t response[16];

	if (e->challenged && e->secret != NULL) {
		l2tp_challenge_response(L2TP_SCCCN, (const uint8_t *)e->secret, strlen(e->secret),
		                        e->challenge, sizeof(e->challenge), response);
		l2tp_build_bytes(b, L2TP_AVP_CHALLENGE_RESPONSE, response, sizeof(response));
	}
	peer_send(e);
}

void peer_icrq(struct env *e, uint16_t peer_sid)
{
	struct l2tp_build *b = peer_begin(e, L2TP_ICRQ, 0);

	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_SESSION_ID, peer_sid);
	l2tp_build_u32(b, L2TP_AVP_CALL_SERIAL, 1000u + peer_sid);
	l2tp_build_u32(b, L2TP_AVP_BEARER_TYPE, 2);
	l2tp_build_bytes(b, L2TP_AVP_CALLING_NUMBER, "5551234", 7);
	peer_send(e);
}

void peer_iccn(struct env *e, uint16_t sid)
{
	struct l2tp_build *b = peer_begin(e, L2TP_ICCN, sid);

	l2tp_build_u32(b, L2TP_AVP_TX_SPEED, 10000000);
	l2tp_build_u32(b, L2TP_AVP_FRAMING_TYPE, 1);
	peer_send(e);
}

void peer_cdn(struct env *e, uint16_t sid, uint16_t peer_sid)
{
	struct l2tp_build *b = peer_begin(e, L2TP_CDN, sid);

	l2tp_build_result(b, 1, false, 0, NULL);
	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_SESSION_ID, peer_sid);
	peer_send(e);
}

void peer_stopccn(struct env *e)
{
	struct l2tp_build *b = peer_begin(e, L2TP_STOPCCN, 0);

	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_TUNNEL_ID, e->peer_tid);
	l2tp_build_result(b, 6, true, 0, "going down");
	peer_send(e);
}

enum l2tp_tunnel_state env_state(struct env *e)
{
	struct l2tp_tunnel *t = l2tp_tunnel_by_id(e->l, e->tid);
	struct l2tp_tunnel_info info;

	if (t == NULL)
		return L2TP_TS_CLOSED;
	l2tp_tunnel_info(t, &info);
	return info.state;
}

uint16_t env_dial(struct env *e)
{
	e->sent_head = e->sent_tail;
	peer_sccrq(e, e->peer_tid, NULL, 0);
	CU_ASSERT_EQUAL_FATAL(peer_next(e), L2TP_SCCRP);
	peer_scccn(e);
	peer_drain(e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e->t);
	e->log[0] = '\0';
	return e->tid;
}

uint16_t env_call(struct env *e, uint16_t peer_sid)
{
	uint16_t sid;

	peer_icrq(e, peer_sid);
	CU_ASSERT_EQUAL_FATAL(peer_next(e), L2TP_ICRP);
	CU_ASSERT_EQUAL(e->msg.hdr.session_id, peer_sid);
	sid = e->msg.assigned_session_id;
	peer_iccn(e, sid);
	peer_drain(e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e->c);
	e->log[0] = '\0';
	return sid;
}
