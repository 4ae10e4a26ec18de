/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "lns.h"
#include "ppp/ppp.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define MAX_CONNS 64

struct session {
	struct lns *lns;
	struct l2tp_call *call;
	struct ppp *ppp;
	uint16_t id;
	LIST_ENTRY(session) link;
};

struct lns {
	struct l2tp *l2tp;
	struct timerq *timers;
	void (*send)(void *ctx, const struct l2tp_path *path, const uint8_t *pkt, size_t len);
	void *ctx;
	uint16_t last_tunnel, last_call;
	bool used[MAX_CONNS]; /* by a single-shot tunnel */
	LIST_HEAD(, session) sessions;
	struct lns_stats stats;
	uint64_t now_ms;
};

static void eng_send(void *ctx, const struct l2tp_path *path, const uint8_t *pkt, size_t len)
{
	struct lns *l = ctx;

	l->send(l->ctx, path, pkt, len);
}

static void frame_send(void *ctx, const uint8_t *frame, size_t len)
{
	struct session *s = ctx;
	struct l2tp_tunnel *t = l2tp_call_tunnel(s->call);
	struct l2tp_tunnel_info ti;
	struct l2tp_call_info ci;
	uint8_t pkt[2048] = {0x00, 0x02};

	l2tp_tunnel_info(t, &ti);
	l2tp_call_info_get(s->call, &ci);
	pkt[2] = (uint8_t)(ti.peer_id >> 8);
	pkt[3] = (uint8_t)ti.peer_id;
	pkt[4] = (uint8_t)(ci.peer_id >> 8);
	pkt[5] = (uint8_t)ci.peer_id;
	memcpy(pkt + 6, frame, len);
	s->lns->send(s->lns->ctx, l2tp_tunnel_path(t), pkt, len + 6);
}

static void judge(void *ctx, const struct ppp_auth_request *req)
{
	struct session *s = ctx;
	struct ppp_auth_reply reply = {
	        .accept = ppp_chap_md5_verify(req->chap_id, (const uint8_t *)LNS_PASSWORD,
	                                      strlen(LNS_PASSWORD), req->challenge,
	                                      req->challenge_len, req->response),
	};

	s->lns->stats.judged++;
	s->lns->stats.accepted += reply.accept;
	ppp_auth_done(s->ppp, &reply, s->lns->now_ms);
}

static uint32_t address(void *ctx, uint32_t requested)
{
	return 0x0a400002;
}

static void nothing(void *ctx)
{
}

static void dead(void *ctx, enum ppp_reason reason)
{
	static const struct l2tp_result why = {.result = 3, .reason = L2TP_R_CALL_ADMIN_CLOSE};
	struct session *s = ctx;

	if (s->call != NULL)
		l2tp_call_close(s->call, &why, s->lns->now_ms);
}

static void zeros(void *ctx, uint8_t *buf, size_t len)
{
	memset(buf, 0x5a, len);
}

static const struct ppp_ops link_ops = {
        .send = frame_send,
        .auth = judge,
        .peer_address = address,
        .network_up = nothing,
        .network_down = nothing,
        .dead = dead,
        .random = zeros,
};

static enum l2tp_verdict tunnel_request(void *ctx, const struct l2tp_path *path,
                                        const struct l2tp_msg *msg, struct l2tp_tunnel_conf *conf,
                                        struct l2tp_result *res, void **user)
{
	struct lns *l = ctx;
	bool ss = msg->host_name.len == 2 && memcmp(msg->host_name.p, "ss", 2) == 0;

	if (l->used[path->conn % MAX_CONNS]) {
		*res = (struct l2tp_result){.result = 4, .reason = L2TP_R_TUNNEL_REFUSED};
		l->stats.tunnels_refused++;
		return L2TP_REFUSE;
	}
	*conf = (struct l2tp_tunnel_conf){
	        .local_id = ++l->last_tunnel,
	        .host_name = "lns",
	        .single_shot = ss,
	        .rws = 8,
	        .retries_established = 5,
	        .retries_not_established = 5,
	        .retransmit_first_ms = 1000,
	        .retransmit_cap_ms = 8000,
	        .establish_ms = 60000,
	        .call_establish_ms = 60000,
	        .linger_ms = 31000,
	        .limit_result = 4,
	        .fired_result = 5,
	};
	l->used[path->conn % MAX_CONNS] = ss;
	l->stats.tunnels++;
	return L2TP_ACCEPT;
}

static enum l2tp_verdict call_request(void *ctx, struct l2tp_tunnel *t, const struct l2tp_msg *msg,
                                      struct l2tp_call_conf *conf, struct l2tp_result *res,
                                      void **user)
{
	struct lns *l = ctx;
	struct session *s = calloc(1, sizeof(*s));

	s->lns = l;
	s->id = conf->local_id = ++l->last_call;
	LIST_INSERT_HEAD(&l->sessions, s, link);
	l->stats.calls++;
	*user = s;
	return L2TP_ACCEPT;
}

static void call_up(void *ctx, struct l2tp_call *call, const struct l2tp_msg *msg)
{
	struct ppp_conf pc = {
	        .role = PPP_AUTHENTICATOR,
	        .mru = 1400,
	        .mtu = 1400,
	        .auth_methods = PPP_AUTH_CHAP_MD5,
	        .local_name = "lns",
	        .restart_ms = 3000,
	        .max_configure = 10,
	        .max_terminate = 2,
	        .max_failure = 5,
	        .auth_tries = 1,
	        .local_ip = 0x0a400001,
	};
	struct lns *l = ctx;
	struct session *s = l2tp_call_user(call);

	s->call = call;
	s->ppp = ppp_new(&pc, &link_ops, s, l->timers, NULL);
	ppp_start(s->ppp, NULL, l->now_ms);
}

static void call_gone(void *ctx, struct l2tp_call *call, const struct l2tp_result *res)
{
	struct session *s = l2tp_call_user(call);

	s->call = NULL;
	if (s->ppp != NULL)
		ppp_lower_down(s->ppp);
}

static void call_refused(void *ctx, struct l2tp_tunnel *t, const struct l2tp_msg *msg,
                         const struct l2tp_result *res)
{
	((struct lns *)ctx)->stats.calls_refused++;
}

static void no_rejected(void *ctx, const struct l2tp_path *path, const struct l2tp_msg *msg,
                        const struct l2tp_result *res)
{
}

static void no_tunnel_event(void *ctx, struct l2tp_tunnel *t)
{
}

static void no_tunnel_down(void *ctx, struct l2tp_tunnel *t, const struct l2tp_result *res)
{
}

static const struct l2tp_ops engine_ops = {
        .send = eng_send,
        .tunnel_request = tunnel_request,
        .tunnel_rejected = no_rejected,
        .tunnel_up = no_tunnel_event,
        .tunnel_down = no_tunnel_down,
        .tunnel_gone = no_tunnel_event,
        .call_request = call_request,
        .call_refused = call_refused,
        .call_up = call_up,
        .call_gone = call_gone,
        .random = zeros,
};

struct lns *lns_new(struct timerq *timers,
                    void (*send)(void *ctx, const struct l2tp_path *path, const uint8_t *pkt,
                                 size_t len),
                    void *ctx)
{
	struct lns *l = calloc(1, sizeof(*l));

	l->timers = timers;
	l->send = send;
	l->ctx = ctx;
	LIST_INIT(&l->sessions);
	l->l2tp = l2tp_new(&engine_ops, l, timers, NULL, "test", 1);
	return l;
}

void lns_free(struct lns *l)
{
	struct session *s;

	l2tp_free(l->l2tp);
	while ((s = LIST_FIRST(&l->sessions)) != NULL) {
		LIST_REMOVE(s, link);
		if (s->ppp != NULL)
			ppp_free(s->ppp);
		free(s);
	}
	free(l);
}

void lns_rx(struct lns *l, const struct l2tp_path *path, const uint8_t *pkt, size_t len,
            uint64_t now_ms)
{
	struct l2tp_hdr h;
	struct l2tp_call *c;
	struct session *s;

	l->now_ms = now_ms;
	if (l2tp_hdr_parse(pkt, len, &h) < 0)
		return;
	if (h.t) {
		l2tp_rx(l->l2tp, path, pkt, len, now_ms);
		return;
	}
	c = l2tp_call_by_id(l->l2tp, h.session_id);
	s = c != NULL ? l2tp_call_user(c) : NULL;
	if (s != NULL && s->ppp != NULL)
		ppp_rx(s->ppp, pkt + h.hdr_len, h.data_len, now_ms);
}

void lns_stats_get(const struct lns *l, struct lns_stats *out)
{
	*out = l->stats;
}
