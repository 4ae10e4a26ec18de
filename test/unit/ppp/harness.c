/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "unit/ppp/harness.h"

#include <stdlib.h>
#include <string.h>

struct flight {
	struct flight *next, **prev;
	struct timer t;
	struct end *to;
	size_t len;
	uint8_t frame[];
};

/* xorshift64*: the same everywhere for a seed */
uint32_t net_random(struct net *n)
{
	n->rnd ^= n->rnd >> 12;
	n->rnd ^= n->rnd << 25;
	n->rnd ^= n->rnd >> 27;
	return (uint32_t)((n->rnd * 2685821657736338717ull) >> 32);
}

struct ppp_conf conf_auth(uint32_t methods)
{
	return (struct ppp_conf){
	        .role = PPP_AUTHENTICATOR,
	        .mru = 1460,
	        .mtu = 1460,
	        .auth_methods = methods,
	        .local_name = "lns",
	        .auth_tries = 3,
	        .restart_ms = 3000,
	        .max_configure = 10,
	        .max_terminate = 2,
	        .max_failure = 5,
	        .auth_timeout_ms = 60000,
	        .ncp_timeout_ms = 60000,
	        .local_ip = 0x0a000001,
	        .dns = {0x08080808, 0x08080404},
	};
}

struct ppp_conf conf_peer(uint32_t methods)
{
	struct ppp_conf c = conf_auth(methods);

	c.role = PPP_PEER;
	c.mru = 1500;
	c.local_ip = 0;
	c.dns[0] = c.dns[1] = 1;
	strcpy(c.user, "alice");
	strcpy(c.password, "sesame");
	return c;
}

static void watch_log(struct log *log, enum log_level level, const char *line)
{
	CU_ASSERT_PTR_NULL(strstr(line, "sesame"));
}

void net_init(struct net *n, uint64_t seed)
{
	memset(n, 0, sizeof(*n));
	n->log = (struct log){.level = LOG_LVL_DEBUG, .sink = watch_log};
	n->now = 1000;
	n->rnd = seed * 0x9e3779b97f4a7c15ull + 1;
	n->delay_max = 0;
}

static void unlink_flight(struct flight *f)
{
	*f->prev = f->next;
	if (f->next != NULL)
		f->next->prev = f->prev;
}

static void arrive(struct timer *t, uint64_t now)
{
	struct flight *f = timer_owner(t, struct flight, t);

	unlink_flight(f);
	if (f->to->p != NULL)
		ppp_rx(f->to->p, f->frame, f->len, now);
	free(f);
}

static void fly(struct net *n, struct end *to, const uint8_t *frame, size_t len)
{
	uint32_t spread = n->delay_max - n->delay_min;
	struct flight *f = malloc(sizeof(*f) + len);

	f->to = to;
	f->len = len;
	memcpy(f->frame, frame, len);
	f->next = n->flights;
	if (f->next != NULL)
		f->next->prev = &f->next;
	f->prev = &n->flights;
	n->flights = f;
	timer_init(&f->t, arrive);
	timer_set(&n->q, &f->t, n->now + n->delay_min + (spread > 0 ? net_random(n) % spread : 0));
}

static void cb_send(void *ctx, const uint8_t *frame, size_t len)
{
	struct end *e = ctx;
	struct net *n = e->net;
	struct end *to = n->loopback ? e : e->far;

	CU_ASSERT_EQUAL(e->deads, 0); /* nothing is sent after dead */
	e->after_down += e->is_down;
	if (e->n_sent < SENT_MAX) {
		memcpy(e->sent[e->n_sent].b, frame, len);
		e->sent[e->n_sent++].len = len;
	}
	if (e->n_sent == e->down_at) {
		ppp_lower_down(e->p);
		e->is_down = true;
	}
	if (to == NULL || net_random(n) % 100 < n->loss)
		return;
	if (n->delay_max == 0) { /* straight on: the callback of one is the input of the other */
		ppp_rx(to->p, frame, len, n->now);
		return;
	}
	fly(n, to, frame, len);
	if (net_random(n) % 100 < n->dup)
		fly(n, to, frame, len);
}

static void judge(struct end *e, const struct ppp_auth_request *r)
{
	struct ppp_auth_reply *o = &e->reply;
	uint8_t nt[16];

	switch (r->method) {
	case PPP_AUTH_PAP:
		o->accept = r->password_len == strlen(e->secret) &&
		            memcmp(r->password, e->secret, r->password_len) == 0;
		break;
	case PPP_AUTH_CHAP_MD5:
		o->accept = ppp_chap_md5_verify(r->chap_id, (const uint8_t *)e->secret,
		                                strlen(e->secret), r->challenge, r->challenge_len,
		                                r->response);
		break;
	case PPP_AUTH_MSCHAPV2:
		o->accept = ppp_nt_hash(e->secret, nt) == 0 &&
		            ppp_mschapv2_verify(nt, r->user, r->challenge, r->response,
		                                o->mschapv2_success);
		break;
	default:
		o->accept = false;
	}
}

static void verdict_late(struct timer *t, uint64_t now)
{
	struct end *e = timer_owner(t, struct end, late);

	ppp_auth_done(e->p, &e->reply, now);
}

static void cb_auth(void *ctx, const struct ppp_auth_request *r)
{
	struct end *e = ctx;

	e->auths++;
	e->after_down += e->is_down;
	e->proxy = r->proxy;
	strcpy(e->user, r->user);
	memset(&e->reply, 0, sizeof(e->reply));
	if (e->message != NULL)
		strcpy(e->reply.message, e->message);
	if (e->close_in_callback)
		ppp_close(e->p, e->net->now);
	if (e->verdict == LATER)
		return;
	e->reply.accept = e->verdict == ACCEPT;
	if (e->verdict == ACCEPT)
		memset(e->reply.mschapv2_success, 'A', 40);
	if (e->verdict == JUDGE)
		judge(e, r);
	if (e->delay_ms > 0)
		timer_set(&e->net->q, &e->late, e->net->now + e->delay_ms);
	else
		ppp_auth_done(e->p, &e->reply, e->net->now);
}

static uint32_t cb_address(void *ctx, uint32_t requested)
{
	struct end *e = ctx;

	if (e->any_address && requested != 0)
		return requested;
	return e->address;
}

static void cb_lcp_up(void *ctx)
{
	struct end *e = ctx;

	e->lcp_ups++;
	e->after_down += e->is_down;
	if (e->close_in_callback)
		ppp_close(e->p, e->net->now);
}

static void cb_up(void *ctx)
{
	struct end *e = ctx;

	CU_ASSERT_EQUAL(e->ups, e->downs);
	e->ups++;
	e->after_down += e->is_down;
	if (e->close_in_callback)
		ppp_close(e->p, e->net->now);
}

static void cb_down(void *ctx)
{
	struct end *e = ctx;

	e->downs++;
	e->after_down += e->is_down;
	CU_ASSERT_EQUAL(e->ups, e->downs);
}

static void cb_dead(void *ctx, enum ppp_reason r)
{
	struct end *e = ctx;

	CU_ASSERT_EQUAL(e->deads, 0);
	CU_ASSERT_EQUAL(e->ups, e->downs);
	e->deads++;
	e->reason = r;
	ppp_close(e->p, e->net->now); /* allowed, and of no effect */
}

static void cb_random(void *ctx, uint8_t *buf, size_t len)
{
	struct end *e = ctx;

	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)net_random(e->net);
}

static const struct ppp_ops ops = {
        .send = cb_send,
        .auth = cb_auth,
        .peer_address = cb_address,
        .lcp_up = cb_lcp_up,
        .network_up = cb_up,
        .network_down = cb_down,
        .dead = cb_dead,
        .random = cb_random,
};

void end_new(struct net *n, struct end *e, const struct ppp_conf *conf)
{
	e->net = n;
	e->conf = *conf;
	e->secret = "sesame";
	e->address = 0x0a000002;
	timer_init(&e->late, verdict_late);
	e->p = ppp_new(conf, &ops, e, &n->q, &n->log);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e->p);
}

void net_pair(struct net *n, const struct ppp_conf *a, const struct ppp_conf *b)
{
	end_new(n, &n->a, a);
	end_new(n, &n->b, b);
	n->a.far = &n->b;
	n->b.far = &n->a;
}

void net_start(struct net *n)
{
	ppp_start(n->a.p, NULL, n->now);
	if (n->b.p != NULL)
		ppp_start(n->b.p, NULL, n->now);
}

void net_run(struct net *n, uint64_t ms)
{
	uint64_t end = n->now + ms;

	while (timerq_next(&n->q) <= end) {
		n->now = timerq_next(&n->q);
		timerq_run(&n->q, n->now, 1);
	}
	n->now = end;
}

void net_free(struct net *n)
{
	ppp_free(n->a.p);
	ppp_free(n->b.p);
	n->a.p = n->b.p = NULL;
	timer_cancel(&n->q, &n->a.late);
	timer_cancel(&n->q, &n->b.late);
	while (n->flights != NULL) {
		struct flight *f = n->flights;

		unlink_flight(f);
		timer_cancel(&n->q, &f->t);
		free(f);
	}
	CU_ASSERT_EQUAL(n->q.n, 0);
}

void feed_raw(struct end *e, const void *frame, size_t len)
{
	/* A copy of its exact size, so that reading past it is seen by the sanitizer. */
	uint8_t *b = malloc(len > 0 ? len : 1);

	if (len > 0)
		memcpy(b, frame, len);
	ppp_rx(e->p, b, len, e->net->now);
	free(b);
}

void feed(struct end *e, uint16_t proto, uint8_t code, uint8_t id, const void *body, size_t len)
{
	uint8_t f[2048] = {0xff, 0x03, (uint8_t)(proto >> 8),     (uint8_t)proto,
	                   code, id,   (uint8_t)((len + 4) >> 8), (uint8_t)(len + 4)};

	if (len > 0)
		memcpy(f + 8, body, len);
	feed_raw(e, f, 8 + len);
}

bool next_frame(struct end *e, struct got *g)
{
	const struct sent *s = &e->sent[e->taken];
	const uint8_t *b = s->b;
	size_t len = s->len, n;

	if (e->taken == e->n_sent)
		return false;
	e->taken++;
	g->full_header = b[0] == 0xff && b[1] == 0x03;
	if (g->full_header)
		b += 2, len -= 2;
	g->proto = (uint16_t)(b[0] << 8 | b[1]);
	g->code = b[2];
	g->id = b[3];
	n = (size_t)(b[4] << 8 | b[5]);
	CU_ASSERT_EQUAL(n + 2, len); /* Length tells the truth, no padding */
	g->body = b + 6;
	g->len = n - 4;
	return true;
}

bool expect_frame(struct end *e, uint16_t proto, uint8_t code, struct got *g)
{
	while (next_frame(e, g))
		if (g->proto == proto && g->code == code)
			return true;
	CU_FAIL("the frame did not come");
	memset(g, 0, sizeof(*g));
	return false;
}

void drop_frames(struct end *e)
{
	e->taken = e->n_sent = 0;
}

void hand_lcp_open(struct end *e, struct got *req)
{
	static const uint8_t opts[] = {1, 4, 0x05, 0xd4, 5, 6, 0xde, 0xad, 0xbe, 0xef};
	struct got g;

	expect_frame(e, PPP_LCP, 1, req);
	feed(e, PPP_LCP, 2, req->id, req->body, req->len);
	feed(e, PPP_LCP, 1, 0x11, opts, sizeof(opts));
	expect_frame(e, PPP_LCP, 2, &g);
	CU_ASSERT_EQUAL(g.id, 0x11);
	CU_ASSERT_EQUAL(g.len, sizeof(opts));
	CU_ASSERT_EQUAL(memcmp(g.body, opts, sizeof(opts)), 0);
	CU_ASSERT_STRING_EQUAL(info(e).lcp_state, "opened");
}

void hand_pap(struct end *e, uint8_t id, const char *user, const char *password)
{
	uint8_t b[512];
	size_t nu = strlen(user), np = strlen(password);

	b[0] = (uint8_t)nu;
	memcpy(b + 1, user, nu);
	b[1 + nu] = (uint8_t)np;
	memcpy(b + 2 + nu, password, np);
	feed(e, PPP_PAP, 1, id, b, 2 + nu + np);
}

void hand_ipcp_open(struct end *e)
{
	uint8_t o[6] = {3,
	                6,
	                (uint8_t)(e->address >> 24),
	                (uint8_t)(e->address >> 16),
	                (uint8_t)(e->address >> 8),
	                (uint8_t)e->address};
	struct got g;

	expect_frame(e, PPP_IPCP, 1, &g);
	feed(e, PPP_IPCP, 2, g.id, g.body, g.len);
	feed(e, PPP_IPCP, 1, 0x21, o, sizeof(o));
	expect_frame(e, PPP_IPCP, 2, &g);
	CU_ASSERT_EQUAL(e->ups, e->downs + 1);
}

struct ppp_info info(const struct end *e)
{
	struct ppp_info i;

	ppp_info_get(e->p, &i);
	return i;
}
