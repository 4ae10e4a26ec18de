/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * One PPP link in the hands of a stranger. The first bytes choose role, methods, single-shot and
 * how far an honest peer brings the link up; the rest is a script of frames, some raw, some with a
 * sound header and the id that is asked for, and of time, verdicts and closing. What must hold
 * whatever comes: nothing is sent after the end, ups and downs pair, nobody gets in without an
 * accepted credential, a single-shot link asks about one credential only, no timer stays.
 */
#include "ppp/ppp.h"

#include <stdlib.h>
#include <string.h>

struct side {
	struct fuzz *z;
	struct ppp *p, *far;
	unsigned int ups, downs, deads, auths, accepts;
	uint8_t last_id; /* of the last frame that it sent */
	uint8_t last[64]; /* .. and its options */
	size_t last_len;
	bool client, owed, late;
};

struct fuzz {
	struct timerq q;
	uint64_t now, rnd;
	struct side a, b;
	bool single_shot;
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void cb_send(void *ctx, const uint8_t *f, size_t len)
{
	struct side *s = ctx;
	size_t off = len > 2 && f[0] == 0xff ? 2 : 0;

	must(s->deads == 0 && len >= off + 6 && len <= 1504);
	s->last_id = f[off + 3];
	s->last_len = len - off - 6 < sizeof(s->last) ? len - off - 6 : sizeof(s->last);
	memcpy(s->last, f + off + 6, s->last_len);
	if (s->far != NULL)
		ppp_rx(s->far, f, len, s->z->now);
}

static void verdict(struct side *s, bool accept)
{
	struct ppp_auth_reply r = {.accept = accept, .message = "message"};

	if (!s->owed)
		return;
	s->owed = false;
	s->accepts += accept;
	memset(r.mschapv2_success, 'A', 40);
	ppp_auth_done(s->p, &r, s->z->now);
}

static void cb_auth(void *ctx, const struct ppp_auth_request *r)
{
	struct side *s = ctx;
	uint32_t sum = 0;

	/* reads everything that is claimed to be there */
	for (size_t i = 0; i < r->password_len; i++)
		sum += r->password[i];
	for (size_t i = 0; i < r->challenge_len; i++)
		sum += r->challenge[i];
	for (size_t i = 0; i < r->response_len; i++)
		sum += r->response[i];
	must(!s->owed && strlen(r->user) < PPP_NAME_MAX);
	s->auths++;
	must(!s->z->single_shot || s->auths == 1);
	s->owed = true;
	if (!s->late)
		verdict(s, sum % 3 != 0);
}

static uint32_t cb_address(void *ctx, uint32_t requested)
{
	return requested % 7 == 6 ? 0 : 0x0a000002;
}

static void cb_up(void *ctx)
{
	struct side *s = ctx;
	struct ppp_info i;

	must(s->ups++ == s->downs);
	ppp_info_get(s->p, &i);
	must(i.auth == PPP_AUTH_NONE || (i.authenticated && (s->client || s->accepts > 0)));
}

static void cb_down(void *ctx)
{
	struct side *s = ctx;

	must(s->ups == ++s->downs);
}

static void cb_dead(void *ctx, enum ppp_reason reason)
{
	struct side *s = ctx;

	must(s->deads++ == 0 && s->ups == s->downs && reason != PPP_R_NONE);
}

static void cb_random(void *ctx, uint8_t *b, size_t len)
{
	struct fuzz *z = ((struct side *)ctx)->z;

	for (size_t i = 0; i < len; i++) {
		z->rnd = z->rnd * 6364136223846793005ull + 1442695040888963407ull;
		b[i] = (uint8_t)(z->rnd >> 56);
	}
}

static const struct ppp_ops ops = {
        .send = cb_send,
        .auth = cb_auth,
        .peer_address = cb_address,
        .network_up = cb_up,
        .network_down = cb_down,
        .dead = cb_dead,
        .random = cb_random,
};

static void make(struct fuzz *z, struct side *s, enum ppp_role role, uint32_t methods)
{
	struct ppp_conf c = {
	        .role = role,
	        .mru = 1460,
	        .mtu = 1460,
	        .auth_methods = methods,
	        .local_name = "lns",
	        .want_acfc = true,
	        .want_pfc = true,
	        .single_shot = z->single_shot && s == &z->a,
	        .auth_tries = 3,
	        .restart_ms = 3000,
	        .max_configure = 10,
	        .max_terminate = 2,
	        .max_failure = 5,
	        .auth_timeout_ms = 30000,
	        .ncp_timeout_ms = 60000,
	        .echo_ms = 20000,
	        .echo_failures = 3,
	        .local_ip = role == PPP_PEER ? 0 : 0x0a000001,
	        .dns = {0x08080808, 0},
	        .nbns = {0, 0x08080404},
	        .user = "alice",
	        .password = "sesame",
	};

	s->z = z;
	s->client = role == PPP_PEER;
	s->p = ppp_new(&c, &ops, s, &z->q, NULL);
	must(s->p != NULL);
}

static void run(struct fuzz *z, uint64_t ms)
{
	uint64_t end = z->now + ms;

	while (timerq_next(&z->q) <= end) {
		z->now = timerq_next(&z->q);
		timerq_run(&z->q, z->now, 1);
	}
	z->now = end;
}

/* A buffer of its exact size, so that reading past it is found. */
static void rx(struct fuzz *z, const uint8_t *head, size_t n, const uint8_t *d, size_t len)
{
	uint8_t *b = malloc(n + len + 1);

	if (n > 0)
		memcpy(b, head, n);
	memcpy(b + n, d, len);
	b = realloc(b, n + len > 0 ? n + len : 1);
	ppp_rx(z->a.p, b, n + len, z->now);
	free(b);
}

/* A control packet with a true Length; odd kinds answer with the id that the link used last. */
static void packet(struct fuzz *z, uint8_t kind, const uint8_t *d, size_t len)
{
	static const uint16_t protos[] = {PPP_LCP,  PPP_PAP, PPP_CHAP,
	                                  PPP_IPCP, PPP_CCP, PPP_IPV6CP};
	uint16_t proto = protos[kind / 2 % 6];
	uint8_t h[8] = {0xff, 3, (uint8_t)(proto >> 8), (uint8_t)proto, 0, 0, 0, 0};

	if (len == 0)
		return;
	h[4] = d[0];
	h[5] = kind % 2 ? z->a.last_id : (uint8_t)len;
	h[6] = (uint8_t)((len + 3) >> 8);
	h[7] = (uint8_t)(len + 3);
	rx(z, h, 8, d + 1, len - 1);
}

/* Acks whatever the link asked last. */
static void agree(struct fuzz *z, uint8_t kind)
{
	uint16_t proto = kind & 1 ? PPP_IPCP : PPP_LCP;
	uint8_t h[8] = {
	        0xff,         3, (uint8_t)(proto >> 8),       (uint8_t)proto, kind & 2 ? 3 : 2,
	        z->a.last_id, 0, (uint8_t)(z->a.last_len + 4)};
	uint8_t copy[sizeof(z->a.last)];

	memcpy(copy, z->a.last, sizeof(copy));
	rx(z, h, 8, copy, z->a.last_len);
}

static void script(struct fuzz *z, const uint8_t *d, size_t len)
{
	while (len >= 2) {
		uint8_t what = d[0];
		size_t n = d[1];

		d += 2;
		len -= 2;
		if (n > len)
			n = len;
		if (what < 16)
			rx(z, NULL, 0, d, n);
		else if (what < 128)
			packet(z, what - 16, d, n);
		else if (what < 160)
			agree(z, what & 3), n = 0;
		else if (what < 200)
			run(z, (uint64_t)n * 500), n = 0;
		else if (what < 220)
			verdict(&z->a, n & 1), n = 0;
		else if (what < 230)
			z->a.late = n & 1, n = 0;
		else if (what == 230)
			ppp_close(z->a.p, z->now), n = 0;
		else if (what == 231)
			ppp_alive(z->a.p, z->now), n = 0;
		d += n;
		len -= n;
	}
}

static void start(struct fuzz *z, uint8_t how, const uint8_t *d, size_t len)
{
	struct ppp_proxy x = {
	        .last_tx = {d, (uint16_t)(len / 2)},
	        .last_rx = {d + len / 2, (uint16_t)(len - len / 2)},
	        .use_auth = how & 1,
	        .auth_type = how >> 1 & 7,
	        .auth_id = how,
	        .name = d,
	        .challenge = d,
	        .response = d,
	        .name_len = (uint16_t)(how & 2   ? len
	                               : 5 < len ? 5
	                                         : len),
	        .challenge_len = (uint16_t)len,
	        .response_len = (uint16_t)(len < 16 ? len : 16),
	};

	ppp_start(z->a.p, how & 0x80 ? &x : NULL, z->now);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t len)
{
	struct fuzz z = {.now = 1000, .rnd = 42};
	enum ppp_role role;

	if (len < 4)
		return 0;
	role = d[0] & 1 ? PPP_PEER : PPP_AUTHENTICATOR;
	z.single_shot = d[0] & 2;
	make(&z, &z.a, role, d[0] >> 2 & 7);
	make(&z, &z.b, role == PPP_PEER ? PPP_AUTHENTICATOR : PPP_PEER, 7);
	z.a.late = d[1] & 1;
	if (d[1] & 2) { /* an honest peer for a while */
		z.a.far = z.b.p;
		z.b.far = z.a.p;
	}
	start(&z, d[2], d + 4, len - 4 < 80 ? len - 4 : 80);
	if (d[1] & 2) {
		ppp_start(z.b.p, NULL, z.now);
		run(&z, d[3] * 20u);
		ppp_lower_down(z.b.p);
		z.a.far = NULL;
	}
	script(&z, d + 4, len - 4);
	if (d[1] & 4) {
		ppp_close(z.a.p, z.now);
		run(&z, 20000);
		must(z.a.deads == 1);
	}
	ppp_free(z.a.p);
	ppp_free(z.b.p);
	must(z.q.n == 0);
	return 0;
}
