/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "load/lac.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define QUARANTINE_MS 31000

struct lac_session {
	struct lac_tunnel *tunnel;
	struct l2tp_call *call;
	uint16_t id, peer_tunnel, peer_session;
	uint32_t tag;
	struct ppp *ppp;
	bool up, dropping;
	enum ppp_reason ppp_reason;
	struct l2tp_result result;
	char user[64], password[64];
	LIST_ENTRY(lac_session) dead;
};

struct lac_tunnel {
	struct lac *lac;
	struct l2tp_tunnel *t;
	uint16_t id;
	struct l2tp_path path;
	struct lac_dial dial;
	char host_name[64], secret[64], user[64], password[64];
	struct l2tp_result result;
};

struct lac {
	const struct lac_ops *ops;
	void *ctx;
	struct timerq *timers;
	struct log *log;
	struct l2tp *l2tp;
	struct idpool *tunnel_ids, *session_ids;
	struct lac_session *session_of_id[65536];
	LIST_HEAD(, lac_session) dead;
	uint32_t n_tunnels, n_sessions, serial;
	uint64_t now_ms;
};

static void link_send(void *ctx, const uint8_t *frame, size_t len)
{
	struct lac_session *s = ctx;
	struct lac *l = s->tunnel->lac;
	uint8_t pkt[2048];

	if (len + 6 > sizeof(pkt))
		return;
	/* RFC 2661 3.1: a data header with no optional field. */
	pkt[0] = 0x00;
	pkt[1] = 0x02;
	pkt[2] = (uint8_t)(s->peer_tunnel >> 8);
	pkt[3] = (uint8_t)s->peer_tunnel;
	pkt[4] = (uint8_t)(s->peer_session >> 8);
	pkt[5] = (uint8_t)s->peer_session;
	memcpy(pkt + 6, frame, len);
	l->ops->send(l->ctx, &s->tunnel->path, pkt, len + 6);
}

static void link_network_up(void *ctx)
{
	struct lac_session *s = ctx;
	struct lac *l = s->tunnel->lac;

	s->up = true;
	l->ops->event(l->ctx, LAC_NETWORK_UP, s->tunnel, s);
}

static void link_network_down(void *ctx)
{
	((struct lac_session *)ctx)->up = false;
}

static void link_dead(void *ctx, enum ppp_reason reason)
{
	static const struct l2tp_result why = {.result = 1, .reason = L2TP_R_CALL_ADMIN_CLOSE};
	struct lac_session *s = ctx;

	s->ppp_reason = reason;
	if (s->call != NULL && !s->dropping)
		l2tp_call_close(s->call, &why, s->tunnel->lac->now_ms);
}

static void link_random(void *ctx, uint8_t *buf, size_t len)
{
	struct lac *l = ((struct lac_session *)ctx)->tunnel->lac;

	l->ops->random(l->ctx, buf, len);
}

static const struct ppp_ops link_ops = {
        .send = link_send,
        .network_up = link_network_up,
        .network_down = link_network_down,
        .dead = link_dead,
        .random = link_random,
};

static void start_link(struct lac_session *s)
{
	const struct lac_dial *d = &s->tunnel->dial;
	struct lac *l = s->tunnel->lac;
	struct ppp_conf pc = {
	        .role = PPP_PEER,
	        .mru = 1400,
	        .mtu = 1400,
	        .auth_methods = d->auth_methods,
	        .restart_ms = 3000,
	        .max_configure = 10,
	        .max_terminate = 2,
	        .max_failure = 5,
	        .auth_timeout_ms = 30000,
	        .ncp_timeout_ms = 60000,
	        .auth_tries = 1,
	        .dns = {1, 1},
	};

	snprintf(pc.user, sizeof(pc.user), "%s", s->user);
	snprintf(pc.password, sizeof(pc.password), "%s", s->password);
	s->ppp = ppp_new(&pc, &link_ops, s, l->timers, l->log);
	if (s->ppp != NULL)
		ppp_start(s->ppp, NULL, l->now_ms);
}

static void eng_send(void *ctx, const struct l2tp_path *path, const uint8_t *pkt, size_t len)
{
	struct lac *l = ctx;

	l->ops->send(l->ctx, path, pkt, len);
}

static enum l2tp_verdict no_tunnel(void *ctx, const struct l2tp_path *path,
                                   const struct l2tp_msg *msg, struct l2tp_tunnel_conf *conf,
                                   struct l2tp_result *res, void **user)
{
	return L2TP_DISCARD;
}

static void no_rejected(void *ctx, const struct l2tp_path *path, const struct l2tp_msg *msg,
                        const struct l2tp_result *res)
{
}

static void tunnel_up(void *ctx, struct l2tp_tunnel *et)
{
	struct lac *l = ctx;
	struct lac_tunnel *t = l2tp_tunnel_user(et);

	l->ops->event(l->ctx, LAC_TUNNEL_UP, t, NULL);
	for (uint32_t i = 0; i < t->dial.sessions; i++)
		lac_call(t, t->user, t->password, l->now_ms);
}

static void tunnel_down(void *ctx, struct l2tp_tunnel *et, const struct l2tp_result *res)
{
	struct lac_tunnel *t = l2tp_tunnel_user(et);

	t->result = *res;
}

static void tunnel_gone(void *ctx, struct l2tp_tunnel *et)
{
	struct lac *l = ctx;
	struct lac_tunnel *t = l2tp_tunnel_user(et);

	idpool_put(l->tunnel_ids, t->id, l->now_ms);
	l->n_tunnels--;
	l->ops->event(l->ctx, LAC_TUNNEL_GONE, t, NULL);
	free(t);
}

static enum l2tp_verdict no_call(void *ctx, struct l2tp_tunnel *t, const struct l2tp_msg *msg,
                                 struct l2tp_call_conf *conf, struct l2tp_result *res, void **user)
{
	*res = (struct l2tp_result){.result = 4, .reason = L2TP_R_CALL_NOT_SUPPORTED};
	return L2TP_REFUSE;
}

static void no_refused(void *ctx, struct l2tp_tunnel *t, const struct l2tp_msg *msg,
                       const struct l2tp_result *res)
{
}

static void call_reply(void *ctx, struct l2tp_call *call)
{
	static const struct l2tp_connect_info info = {.tx_speed = 100000000, .framing_type = 1};
	struct lac *l = ctx;
	struct lac_session *s = l2tp_call_user(call);
	struct l2tp_tunnel_info ti;
	struct l2tp_call_info ci;

	l2tp_tunnel_info(l2tp_call_tunnel(call), &ti);
	l2tp_call_info_get(call, &ci);
	s->peer_tunnel = ti.peer_id;
	s->peer_session = ci.peer_id;
	l2tp_call_connect(call, &info, l->now_ms);
}

static void call_up(void *ctx, struct l2tp_call *call, const struct l2tp_msg *msg)
{
	struct lac *l = ctx;
	struct lac_session *s = l2tp_call_user(call);

	l->ops->event(l->ctx, LAC_CALL_UP, s->tunnel, s);
	start_link(s);
}

static void call_gone(void *ctx, struct l2tp_call *call, const struct l2tp_result *res)
{
	struct lac *l = ctx;
	struct lac_session *s = l2tp_call_user(call);

	s->call = NULL;
	s->up = false;
	s->result = *res;
	if (s->ppp != NULL)
		ppp_lower_down(s->ppp);
	l->session_of_id[s->id] = NULL;
	idpool_put(l->session_ids, s->id, l->now_ms);
	l->n_sessions--;
	l->ops->event(l->ctx, LAC_SESSION_GONE, s->tunnel, s);
	LIST_INSERT_HEAD(&l->dead, s, dead);
}

static void eng_random(void *ctx, uint8_t *buf, size_t len)
{
	struct lac *l = ctx;

	l->ops->random(l->ctx, buf, len);
}

static const struct l2tp_ops engine_ops = {
        .send = eng_send,
        .tunnel_request = no_tunnel,
        .tunnel_rejected = no_rejected,
        .tunnel_up = tunnel_up,
        .tunnel_down = tunnel_down,
        .tunnel_gone = tunnel_gone,
        .call_request = no_call,
        .call_refused = no_refused,
        .call_reply = call_reply,
        .call_up = call_up,
        .call_gone = call_gone,
        .random = eng_random,
};

struct lac *lac_new(const struct lac_ops *ops, void *ctx, struct timerq *timers, struct log *log)
{
	struct lac *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->ops = ops;
	l->ctx = ctx;
	l->timers = timers;
	l->log = log;
	LIST_INIT(&l->dead);
	l->tunnel_ids = idpool_new(1, 65535, QUARANTINE_MS, 1);
	l->session_ids = idpool_new(1, 65535, QUARANTINE_MS, 2);
	l->l2tp = l2tp_new(&engine_ops, l, timers, log, "Sallyport load", 1);
	if (l->tunnel_ids == NULL || l->session_ids == NULL || l->l2tp == NULL) {
		lac_free(l);
		return NULL;
	}
	return l;
}

static void session_free(struct lac_session *s)
{
	if (s->ppp != NULL)
		ppp_free(s->ppp);
	free(s);
}

static void reap(struct lac *l)
{
	struct lac_session *s;

	while ((s = LIST_FIRST(&l->dead)) != NULL) {
		LIST_REMOVE(s, dead);
		session_free(s);
	}
}

void lac_tick(struct lac *l, uint64_t now_ms)
{
	l->now_ms = now_ms;
	timerq_run(l->timers, now_ms, 0);
	reap(l);
}

void lac_free(struct lac *l)
{
	if (l == NULL)
		return;
	reap(l);
	for (uint32_t id = 1; id < 65536; id++) {
		struct l2tp_tunnel *t =
		        l->l2tp != NULL ? l2tp_tunnel_by_id(l->l2tp, (uint16_t)id) : NULL;

		if (l->session_of_id[id] != NULL)
			session_free(l->session_of_id[id]);
		if (t != NULL)
			free(l2tp_tunnel_user(t));
	}
	if (l->l2tp != NULL)
		l2tp_free(l->l2tp);
	free(l->tunnel_ids);
	free(l->session_ids);
	free(l);
}

struct lac_tunnel *lac_dial(struct lac *l, const struct l2tp_path *path, const struct lac_dial *d,
                            uint64_t now_ms)
{
	struct l2tp_tunnel_conf conf = {
	        .challenge = d->secret != NULL,
	        .hide_avps = d->hide_avps,
	        .rws = 8,
	        .retries_established = 5,
	        .retries_not_established = 5,
	        .retransmit_first_ms = 1000,
	        .retransmit_cap_ms = 8000,
	        .hello_ms = d->hello_ms,
	        .establish_ms = 60000,
	        .call_establish_ms = 60000,
	        .linger_ms = 31000,
	        .limit_result = 4,
	        .fired_result = 5,
	};
	struct lac_tunnel *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	l->now_ms = now_ms;
	t->lac = l;
	t->path = *path;
	t->dial = *d;
	snprintf(t->user, sizeof(t->user), "%s", d->user != NULL ? d->user : "");
	snprintf(t->password, sizeof(t->password), "%s", d->password != NULL ? d->password : "");
	snprintf(conf.host_name, sizeof(conf.host_name), "%s", d->host_name);
	if (d->secret != NULL) {
		conf.secret_len = (uint16_t)strlen(d->secret);
		memcpy(conf.secret, d->secret, conf.secret_len);
	}
	t->id = conf.local_id =
	        idpool_get(l->tunnel_ids, endpoint_hash(&path->local, path->conn), now_ms);
	if (t->id != 0)
		t->t = l2tp_tunnel_open(l->l2tp, path, &conf, t, now_ms);
	if (t->t == NULL) {
		if (t->id != 0)
			idpool_put(l->tunnel_ids, t->id, now_ms);
		free(t);
		return NULL;
	}
	l->n_tunnels++;
	return t;
}

struct lac_session *lac_call(struct lac_tunnel *t, const char *user, const char *password,
                             uint64_t now_ms)
{
	struct lac *l = t->lac;
	struct lac_session *s = calloc(1, sizeof(*s));
	struct l2tp_call_conf conf = {.sequencing = t->dial.sequencing};

	if (s == NULL)
		return NULL;
	l->now_ms = now_ms;
	s->tunnel = t;
	snprintf(s->user, sizeof(s->user), "%s", user);
	snprintf(s->password, sizeof(s->password), "%s", password);
	conf.serial = ++l->serial;
	snprintf(conf.calling_number, sizeof(conf.calling_number), "%010u", l->serial);
	s->id = conf.local_id = idpool_get(l->session_ids, (uintptr_t)t, now_ms);
	if (s->id != 0) {
		l->session_of_id[s->id] = s;
		l->n_sessions++;
		s->call = l2tp_call_open(t->t, &conf, s, now_ms);
	}
	if (s->call == NULL) {
		if (s->id != 0) {
			l->session_of_id[s->id] = NULL;
			l->n_sessions--;
			idpool_put(l->session_ids, s->id, now_ms);
		}
		free(s);
		return NULL;
	}
	return s;
}

/* The IPv4 packet in a PPP frame, or NULL when it is something else. */
static const uint8_t *ip_of(const uint8_t *p, size_t *len)
{
	if (*len >= 2 && p[0] == 0xff && p[1] == 0x03) {
		p += 2;
		*len -= 2;
	}
	if (*len >= 1 && p[0] == 0x21) {
		*len -= 1;
		return p + 1;
	}
	if (*len >= 2 && p[0] == 0x00 && p[1] == 0x21) {
		*len -= 2;
		return p + 2;
	}
	return NULL;
}

void lac_rx(struct lac *l, const struct l2tp_path *path, const uint8_t *pkt, size_t len,
            uint64_t now_ms)
{
	struct lac_session *s;
	struct l2tp_hdr h;
	const uint8_t *ip;
	size_t n;

	l->now_ms = now_ms;
	if (l2tp_hdr_parse(pkt, len, &h) < 0)
		return;
	if (h.t) {
		l2tp_rx(l->l2tp, path, pkt, len, now_ms);
		return;
	}
	s = l->session_of_id[h.session_id];
	if (s == NULL || s->tunnel->id != h.tunnel_id || s->ppp == NULL)
		return;
	l2tp_tunnel_alive(s->tunnel->t, now_ms);
	n = h.data_len;
	ip = ip_of(pkt + h.hdr_len, &n);
	if (ip == NULL)
		ppp_rx(s->ppp, pkt + h.hdr_len, h.data_len, now_ms);
	else if (s->up && l->ops->ip != NULL)
		l->ops->ip(l->ctx, s, ip, n);
}

bool lac_send_ip(struct lac_session *s, const uint8_t *pkt, size_t len)
{
	uint8_t frame[2048] = {0xff, 0x03, 0x00, 0x21};

	if (!s->up || len + 4 > sizeof(frame))
		return false;
	memcpy(frame + 4, pkt, len);
	link_send(s, frame, len + 4);
	return true;
}

void lac_hangup(struct lac_session *s, uint64_t now_ms)
{
	s->tunnel->lac->now_ms = now_ms;
	if (s->ppp != NULL)
		ppp_close(s->ppp, now_ms);
	else
		lac_drop(s, now_ms);
}

void lac_drop(struct lac_session *s, uint64_t now_ms)
{
	static const struct l2tp_result why = {.result = 3, .reason = L2TP_R_CALL_ADMIN_CLOSE};

	s->tunnel->lac->now_ms = now_ms;
	s->dropping = true;
	l2tp_call_close(s->call, &why, now_ms);
}

void lac_close(struct lac_tunnel *t, uint64_t now_ms)
{
	static const struct l2tp_result why = {.result = 1, .reason = L2TP_R_TUNNEL_ADMIN_CLOSE};

	t->lac->now_ms = now_ms;
	l2tp_tunnel_close(t->t, &why, now_ms);
}

struct l2tp *lac_engine(struct lac *l)
{
	return l->l2tp;
}

struct l2tp_tunnel *lac_tunnel_engine(struct lac_tunnel *t)
{
	return t->t;
}

void *lac_tunnel_data(struct lac_tunnel *t)
{
	return t->dial.user_data;
}

struct lac_tunnel *lac_session_tunnel(struct lac_session *s)
{
	return s->tunnel;
}

uint32_t *lac_session_tag(struct lac_session *s)
{
	return &s->tag;
}

bool lac_session_up(const struct lac_session *s)
{
	return s->up;
}

void lac_session_info(const struct lac_session *s, struct ppp_info *out)
{
	if (s->ppp != NULL)
		ppp_info_get(s->ppp, out);
	else
		*out = (struct ppp_info){0};
}

enum ppp_reason lac_session_ppp_reason(const struct lac_session *s)
{
	return s->ppp_reason;
}

void lac_session_result(const struct lac_session *s, struct l2tp_result *out)
{
	*out = s->result;
}

void lac_tunnel_result(const struct lac_tunnel *t, struct l2tp_result *out)
{
	*out = t->result;
}

uint32_t lac_tunnels(const struct lac *l)
{
	return l->n_tunnels;
}

uint32_t lac_sessions(const struct lac *l)
{
	return l->n_sessions;
}
