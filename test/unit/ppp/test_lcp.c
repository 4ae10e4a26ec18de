/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* LCP's options one by one, echoes, renegotiation. */
#include "unit/ppp/harness.h"

#include <string.h>

static struct net net;

static struct end *fresh_conf(const struct ppp_conf *c)
{
	net_init(&net, 31);
	end_new(&net, &net.a, c);
	net_start(&net);
	return &net.a;
}

static struct end *fresh(uint32_t methods)
{
	struct ppp_conf c = conf_auth(methods);

	return fresh_conf(&c);
}

/* A request of the peer and what it must be answered with. */
static const struct {
	const char *what;
	uint8_t req[24], req_len, code, ans[24], ans_len;
} options[] = {
        {"nothing", {0}, 0, 2, {0}, 0},
        {"MRU", {1, 4, 5, 220}, 4, 2, {1, 4, 5, 220}, 4},
        {"MRU above 1500", {1, 4, 8, 0}, 4, 2, {1, 4, 8, 0}, 4},
        {"MRU too small", {1, 4, 0, 127}, 4, 3, {1, 4, 0, 128}, 4},
        {"MRU zero", {1, 4, 0, 0}, 4, 3, {1, 4, 5, 220}, 4},
        {"MRU short", {1, 3, 5}, 3, 3, {1, 4, 5, 220}, 4},
        {"MRU long", {1, 5, 5, 220, 0}, 5, 3, {1, 4, 5, 220}, 4},
        {"ACCM", {2, 6, 0, 0, 0, 0}, 6, 2, {2, 6, 0, 0, 0, 0}, 6},
        {"ACCM short", {2, 4, 0, 0}, 4, 3, {2, 6, 0, 0, 0, 0}, 6},
        {"PAP", {3, 4, 0xc0, 0x23}, 4, 4, {3, 4, 0xc0, 0x23}, 4},
        {"CHAP", {3, 5, 0xc2, 0x23, 5}, 5, 4, {3, 5, 0xc2, 0x23, 5}, 5},
        {"quality", {4, 8, 0xc0, 0x25, 0, 0, 0, 1}, 8, 4, {4, 8, 0xc0, 0x25, 0, 0, 0, 1}, 8},
        {"magic", {5, 6, 1, 2, 3, 4}, 6, 2, {5, 6, 1, 2, 3, 4}, 6},
        {"PFC", {7, 2}, 2, 2, {7, 2}, 2},
        {"PFC with a value", {7, 3, 0}, 3, 3, {7, 2}, 2},
        {"ACFC", {8, 2}, 2, 2, {8, 2}, 2},
        {"ACFC with a value", {8, 4, 0, 0}, 4, 3, {8, 2}, 2},
        {"FCS alternatives", {9, 3, 1}, 3, 4, {9, 3, 1}, 3},
        {"callback", {13, 3, 6}, 3, 4, {13, 3, 6}, 3},
        {"MRRU", {17, 4, 5, 220}, 4, 4, {17, 4, 5, 220}, 4},
        {"short sequence", {18, 2}, 2, 4, {18, 2}, 2},
        {"discriminator", {19, 5, 1, 9, 9}, 5, 4, {19, 5, 1, 9, 9}, 5},
        {"type 0 and 255", {0, 2, 255, 2}, 4, 4, {0, 2, 255, 2}, 4},
        {"reject beats nak", {1, 4, 0, 1, 13, 3, 6, 5, 6, 1, 2, 3, 4}, 13, 4, {13, 3, 6}, 3},
        {"two naks in order", {1, 4, 0, 1, 7, 3, 0}, 7, 3, {1, 4, 0, 128, 7, 2}, 6},
};

static void test_options(void)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		struct end *e = fresh(PPP_AUTH_PAP);
		struct got g;

		drop_frames(e);
		feed(e, PPP_LCP, 1, 0x77, options[i].req, options[i].req_len);
		CU_ASSERT_TRUE(next_frame(e, &g));
		if (g.code != options[i].code || g.len != options[i].ans_len ||
		    memcmp(g.body, options[i].ans, g.len) != 0)
			printf("option: %s\n", options[i].what);
		CU_ASSERT_EQUAL(g.code, options[i].code);
		CU_ASSERT_EQUAL(g.id, 0x77);
		CU_ASSERT_EQUAL(g.len, options[i].ans_len);
		CU_ASSERT_EQUAL(memcmp(g.body, options[i].ans, options[i].ans_len), 0);
		CU_ASSERT_FALSE(next_frame(e, &g));
		net_free(&net);
	}
}

static void test_malformed_options(void)
{
	static const struct {
		uint8_t b[8], len;
	} bad[] = {{{1}, 1}, {{1, 0}, 2}, {{1, 1}, 2}, {{1, 4, 5}, 3}, {{7, 2, 5, 255, 1}, 5}};
	struct end *e = fresh(PPP_AUTH_PAP);
	struct got g;

	drop_frames(e);
	for (size_t i = 0; i < 5; i++)
		feed(e, PPP_LCP, 1, 1, bad[i].b, bad[i].len);
	CU_ASSERT_FALSE(next_frame(e, &g));
	CU_ASSERT_EQUAL(info(e).rx_bad, 5);
	net_free(&net);
}

/* As many options as fit into a packet, each to be answered with a longer one. */
static void test_oversized(void)
{
	struct end *e = fresh(PPP_AUTH_PAP);
	uint8_t o[1496];
	struct got g;

	for (size_t i = 0; i < sizeof(o); i += 2)
		o[i] = 2, o[i + 1] = 2;
	drop_frames(e);
	feed(e, PPP_LCP, 1, 1, o, sizeof(o));
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(g.code, 3);
	CU_ASSERT(g.len <= 1496);
	for (size_t i = 0; i < sizeof(o); i += 2)
		o[i] = 99;
	drop_frames(e);
	feed(e, PPP_LCP, 1, 2, o, sizeof(o));
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(g.code, 4);
	CU_ASSERT_EQUAL(g.len, sizeof(o));
	net_free(&net);
}

/* What our request says for each configuration. */
static void test_our_request(void)
{
	struct ppp_conf c = conf_auth(PPP_AUTH_PAP | PPP_AUTH_CHAP_MD5 | PPP_AUTH_MSCHAPV2);
	struct end *e;
	struct got g;

	c.want_acfc = c.want_pfc = true;
	e = fresh_conf(&c);
	next_frame(e, &g);
	CU_ASSERT_EQUAL(g.len, 4 + 5 + 6 + 2 + 2);
	CU_ASSERT_EQUAL(memcmp(g.body, "\x01\x04\x05\xb4\x03\x05\xc2\x23\x81\x05\x06", 11), 0);
	CU_ASSERT_EQUAL(memcmp(g.body + 15, "\x07\x02\x08\x02", 4), 0);
	CU_ASSERT_TRUE(g.full_header);
	feed(e, PPP_LCP, 4, g.id, g.body + 15, 4);
	next_frame(e, &g);
	CU_ASSERT_EQUAL(g.len, 4 + 5 + 6);
	feed(e, PPP_LCP, 4, g.id, g.body + 9, 6); /* no magic number then */
	next_frame(e, &g);
	CU_ASSERT_EQUAL(g.len, 4 + 5);
	net_free(&net);

	c = conf_auth(0);
	c.mru = 1500;
	e = fresh_conf(&c);
	next_frame(e, &g);
	CU_ASSERT_EQUAL(g.len, 6); /* the magic number alone */
	net_free(&net);
}

/* After Max-Failure Naks of one kind the peer hears Reject (RFC 1661 4.6). */
static void test_naks_become_rejects(void)
{
	static const struct {
		uint8_t b[6], len;
	} bad[] = {{{1, 4, 0, 1}, 4},       {{2, 4, 0, 0}, 4}, {{3, 4, 0xc2, 0x27}, 4},
	           {{5, 6, 0, 0, 0, 0}, 6}, {{7, 3, 0}, 3},    {{8, 3, 0}, 3}};
	struct ppp_conf c = conf_peer(PPP_AUTH_PAP);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct end *e = fresh_conf(&c);
		struct got g;

		drop_frames(e);
		for (uint8_t id = 0; id < 6; id++) {
			feed(e, PPP_LCP, 1, id, bad[i].b, bad[i].len);
			CU_ASSERT_TRUE(next_frame(e, &g));
			CU_ASSERT_EQUAL(g.code, id < 5 ? 3 : 4);
		}
		CU_ASSERT_EQUAL(g.len, bad[i].len);
		CU_ASSERT_EQUAL(memcmp(g.body, bad[i].b, g.len), 0);
		net_free(&net);
	}
}

static void test_flag_naks(void)
{
	struct ppp_conf c = conf_auth(PPP_AUTH_NONE);
	struct end *e;
	struct got g;

	c.mru = 1500;
	c.want_acfc = c.want_pfc = true;
	e = fresh_conf(&c);
	next_frame(e, &g);
	CU_ASSERT_EQUAL(g.len, 10);
	feed(e, PPP_LCP, 3, g.id, "\x07\x02\x08\x02", 4);
	next_frame(e, &g);
	CU_ASSERT_EQUAL(g.len, 6);
	net_free(&net);
}

static void test_mru_naks(void)
{
	struct end *e = fresh(PPP_AUTH_NONE);
	struct got g;

	next_frame(e, &g);
	feed(e, PPP_LCP, 3, g.id, "\x01\x04\x05\x00", 4); /* less: fine */
	next_frame(e, &g);
	CU_ASSERT_EQUAL(memcmp(g.body, "\x01\x04\x05\x00", 4), 0);
	feed(e, PPP_LCP, 3, g.id, "\x01\x04\x05\xdc\x11\x04\x05\xdc", 8); /* more, and MRRU: no */
	next_frame(e, &g);
	CU_ASSERT_EQUAL(g.len, 6);
	net_free(&net);
}

/* Strongest first; a suggestion that we may use; else the next; else no link. */
static void test_auth_walk(void)
{
	static const uint8_t eap[] = {3, 4, 0xc2, 0x27}, pap[] = {3, 4, 0xc0, 0x23};
	struct end *e = fresh(7);
	struct got g;

	next_frame(e, &g);
	CU_ASSERT_EQUAL(memcmp(g.body + 4, "\x03\x05\xc2\x23\x81", 5), 0);
	feed(e, PPP_LCP, 3, g.id, eap, 4);
	next_frame(e, &g);
	CU_ASSERT_EQUAL(memcmp(g.body + 4, "\x03\x05\xc2\x23\x05", 5), 0);
	feed(e, PPP_LCP, 3, g.id, eap, 4);
	next_frame(e, &g);
	CU_ASSERT_EQUAL(memcmp(g.body + 4, pap, 4), 0);
	feed(e, PPP_LCP, 3, g.id, eap, 4);
	net_run(&net, 10000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_AUTH_REFUSED);
	net_free(&net);

	e = fresh(7);
	next_frame(e, &g);
	feed(e, PPP_LCP, 3, g.id, pap, 4); /* suggested and allowed */
	next_frame(e, &g);
	CU_ASSERT_EQUAL(memcmp(g.body + 4, pap, 4), 0);
	net_free(&net);

	e = fresh(PPP_AUTH_MSCHAPV2 | PPP_AUTH_CHAP_MD5);
	next_frame(e, &g);
	feed(e, PPP_LCP, 3, g.id, pap, 4); /* suggested, and not allowed */
	next_frame(e, &g);
	CU_ASSERT_EQUAL(memcmp(g.body + 4, "\x03\x05\xc2\x23\x05", 5), 0);
	feed(e, PPP_LCP, 4, g.id, g.body + 4, 5);
	drop_frames(e);
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_TERMINATE);
	net_run(&net, 10000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_AUTH_REFUSED);
	while (next_frame(e, &g)) /* never a request without authentication */
		CU_ASSERT_EQUAL(g.code, 5);
	net_free(&net);
}

/* The other end of that: a client and what it agrees to. */
static void test_auth_as_peer(void)
{
	struct ppp_conf c = conf_peer(PPP_AUTH_CHAP_MD5 | PPP_AUTH_MSCHAPV2);
	struct end *e = fresh_conf(&c);
	struct got g;

	drop_frames(e);
	feed(e, PPP_LCP, 1, 1, "\x03\x04\xc0\x23", 4);
	next_frame(e, &g);
	CU_ASSERT_EQUAL(g.code, 3);
	CU_ASSERT_EQUAL(memcmp(g.body, "\x03\x05\xc2\x23\x81", 5), 0);
	feed(e, PPP_LCP, 1, 2, "\x03\x05\xc2\x23\x80", 5); /* MS-CHAPv1 */
	next_frame(e, &g);
	CU_ASSERT_EQUAL(g.code, 3);
	feed(e, PPP_LCP, 1, 3, "\x03\x05\xc2\x23\x05", 5);
	next_frame(e, &g);
	CU_ASSERT_EQUAL(g.code, 2);
	net_free(&net);
	c.auth_methods = 0;
	e = fresh_conf(&c);
	drop_frames(e);
	feed(e, PPP_LCP, 1, 1, "\x03\x04\xc0\x23", 4);
	next_frame(e, &g);
	CU_ASSERT_EQUAL(g.code, 4);
	net_free(&net);
}

static void test_magic(void)
{
	struct end *e = fresh(PPP_AUTH_PAP);
	struct got g, q;

	next_frame(e, &q);
	feed(e, PPP_LCP, 1, 1, "\x05\x06\x00\x00\x00\x00", 6);
	next_frame(e, &g);
	CU_ASSERT_EQUAL(g.code, 3);
	CU_ASSERT_NOT_EQUAL(memcmp(g.body + 2, "\0\0\0\0", 4), 0);
	feed(e, PPP_LCP, 1, 2, q.body, q.len); /* our own request */
	next_frame(e, &g);
	CU_ASSERT_EQUAL(g.code, 3);
	CU_ASSERT_EQUAL(g.len, 6);
	CU_ASSERT_NOT_EQUAL(memcmp(g.body + 2, q.body + q.len - 4, 4), 0);
	/* a Nak with a number of the peer's choice: ours is another */
	feed(e, PPP_LCP, 3, q.id, g.body, 6);
	next_frame(e, &q);
	CU_ASSERT_NOT_EQUAL(memcmp(g.body + 2, q.body + q.len - 4, 4), 0);
	net_free(&net);
}

static void test_echo(void)
{
	struct ppp_conf c = conf_auth(PPP_AUTH_NONE);
	struct end *e;
	struct got g;
	uint8_t magic[4];

	c.echo_ms = 10000;
	c.echo_failures = 3;
	e = fresh_conf(&c);
	feed(e, PPP_LCP, 9, 1, "\0\0\0\0", 4); /* not before Opened */
	hand_lcp_open(e, &g);
	memcpy(magic, g.body + g.len - 4, 4);
	hand_ipcp_open(e);
	drop_frames(e);
	feed(e, PPP_LCP, 9, 9, "\xde\xad\xbe\xef hello", 10);
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(g.code, 10);
	CU_ASSERT_EQUAL(g.id, 9);
	CU_ASSERT_EQUAL(g.len, 10);
	CU_ASSERT_EQUAL(memcmp(g.body, magic, 4), 0);
	CU_ASSERT_EQUAL(memcmp(g.body + 4, " hello", 6), 0);
	feed(e, PPP_LCP, 9, 9, "\0\0\0", 3);
	CU_ASSERT_EQUAL(info(e).rx_bad, 1);
	feed(e, PPP_LCP, 10, 9, "\0\0\0\0", 4); /* unasked */
	feed(e, PPP_LCP, 11, 9, "\0\0\0\0", 4);
	feed(e, PPP_LCP, 12, 9, "\0\0\0\0us", 6);
	feed(e, PPP_LCP, 13, 9, "\0\0\0\0\0\0\0\1", 8);
	CU_ASSERT_FALSE(next_frame(e, &g));
	/* traffic is life */
	for (int i = 0; i < 10; i++) {
		net_run(&net, 9000);
		ppp_alive(e->p, net.now);
	}
	CU_ASSERT_FALSE(next_frame(e, &g));
	net_run(&net, 20000);
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(g.code, 9);
	CU_ASSERT_EQUAL(memcmp(g.body, magic, 4), 0);
	feed(e, PPP_LCP, 10, g.id, "\xde\xad\xbe\xef", 4);
	net_run(&net, 39999);
	CU_ASSERT_EQUAL(e->downs, 0);
	net_run(&net, 10001);
	CU_ASSERT_EQUAL(e->downs, 1);
	CU_ASSERT_EQUAL(e->deads, 0);
	net_run(&net, 6000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_ECHO_TIMEOUT);
	net_free(&net);
}

static void test_echo_loop(void)
{
	struct end *e = fresh(PPP_AUTH_NONE);
	struct got g;

	hand_lcp_open(e, &g);
	feed(e, PPP_LCP, 9, 1, g.body + g.len - 4, 4);
	net_run(&net, 10000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_LOOPBACK);
	net_free(&net);
}

static void test_renegotiation(void)
{
	static const uint8_t first[] = {1, 4, 0x05, 0xd4, 5, 6, 0xde, 0xad, 0xbe, 0xef};
	static const uint8_t anew[] = {5, 6, 9, 9, 9, 9};
	struct end *e = fresh(PPP_AUTH_PAP);
	struct got g, q;

	hand_lcp_open(e, &q);
	hand_pap(e, 1, "alice", "sesame");
	hand_ipcp_open(e);
	drop_frames(e);
	/* the very same request: our Ack was lost */
	feed(e, PPP_LCP, 1, 0x11, first, sizeof(first));
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(g.code, 2);
	CU_ASSERT_FALSE(next_frame(e, &g));
	CU_ASSERT_EQUAL(e->downs, 0);
	/* another one: a peer that starts over */
	feed(e, PPP_LCP, 1, 0x12, anew, sizeof(anew));
	CU_ASSERT_EQUAL(e->downs, 1);
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_ESTABLISH);
	CU_ASSERT_FALSE(info(e).authenticated);
	CU_ASSERT_TRUE(expect_frame(e, PPP_LCP, 1, &g));
	CU_ASSERT_NOT_EQUAL(g.id, q.id);
	CU_ASSERT_NOT_EQUAL(memcmp(g.body + g.len - 4, q.body + q.len - 4, 4), 0);
	feed(e, PPP_LCP, 2, g.id, g.body, g.len);
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_AUTHENTICATE);
	CU_ASSERT_EQUAL(info(e).peer_mru, 1500); /* what was agreed before is void */
	hand_pap(e, 2, "alice", "sesame");
	CU_ASSERT_EQUAL(e->auths, 2);
	hand_ipcp_open(e);
	CU_ASSERT_EQUAL(e->deads, 0);
	net_free(&net);
}

/* What an end makes of a request to know it again: options and id. */
static uint16_t mark(const uint8_t *b, size_t len, uint8_t id)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ b[i]) * 16777619u;
	return (uint16_t)(h ^ h >> 16 ^ id);
}

/* A request that an end rejects; with the magic number of hand_lcp_open. */
static void odd_request(struct end *e, uint8_t id)
{
	const uint8_t b[] = {17, 4, 0, id, 5, 6, 0xde, 0xad, 0xbe, 0xef};

	feed(e, PPP_LCP, 1, id, b, sizeof(b));
}

/* Copies of requests from before LCP opened: as many of them as are remembered, and as often as they come. */
static void test_late_copies(void)
{
	struct end *e = fresh(PPP_AUTH_PAP);
	struct got g;

	for (uint8_t id = 1; id <= 20; id++)
		odd_request(e, id);
	e->taken = 0;
	hand_lcp_open(e, &g);
	drop_frames(e);
	for (int i = 0; i < 40; i++)
		for (uint8_t id = 14; id <= 20; id++)
			odd_request(e, id);
	CU_ASSERT_FALSE(next_frame(e, &g));
	CU_ASSERT_STRING_EQUAL(info(e).lcp_state, "opened");
	odd_request(e, 13);
	CU_ASSERT_STRING_EQUAL(info(e).lcp_state, "req-sent");
	net_free(&net);
}

/* A new life of the peer whose request looks like an older one: it gets through all the same. */
static void test_looks_like_a_copy(void)
{
	static const uint8_t old[] = {17, 4, 0, 1, 5, 6, 0xde, 0xad, 0xbe, 0xef};
	uint8_t anew[] = {5, 6, 9, 0, 0, 0};
	struct end *e = fresh(PPP_AUTH_PAP);
	struct got g;

	odd_request(e, 1);
	e->taken = 0;
	hand_lcp_open(e, &g);
	drop_frames(e);
	for (uint32_t i = 0; i < 1u << 24; i++) {
		if (mark(anew, sizeof(anew), 2) == mark(old, sizeof(old), 1))
			break;
		anew[3] = (uint8_t)(i >> 16);
		anew[4] = (uint8_t)(i >> 8);
		anew[5] = (uint8_t)i;
	}
	CU_ASSERT_EQUAL(mark(anew, sizeof(anew), 2), mark(old, sizeof(old), 1));
	for (int i = 0; i < 5; i++)
		feed(e, PPP_LCP, 1, 2, anew, sizeof(anew));
	CU_ASSERT_FALSE(next_frame(e, &g));
	CU_ASSERT_STRING_EQUAL(info(e).lcp_state, "opened");
	feed(e, PPP_LCP, 1, 2, anew, sizeof(anew));
	CU_ASSERT_STRING_EQUAL(info(e).lcp_state, "ack-sent");
	CU_ASSERT_TRUE(expect_frame(e, PPP_LCP, 2, &g));
	net_free(&net);
}

/* A peer that starts over for ever and never gets anywhere. */
static void test_restarting_peer(void)
{
	struct end *e = fresh(PPP_AUTH_PAP);
	uint8_t magic[6] = {5, 6, 1, 1, 1, 0};
	struct got g;
	int i;

	for (i = 0; i < 40 && info(e).phase != PPP_PH_TERMINATE; i++) {
		magic[5]++;
		feed(e, PPP_LCP, 1, (uint8_t)i, magic, sizeof(magic));
		if (info(e).phase == PPP_PH_TERMINATE)
			break;
		drop_frames(e);
		feed(e, PPP_LCP, 1, (uint8_t)i, magic, sizeof(magic));
		net_run(&net, 3000);
		expect_frame(e, PPP_LCP, 1, &g);
		feed(e, PPP_LCP, 2, g.id, g.body, g.len);
		CU_ASSERT_EQUAL(info(e).phase, PPP_PH_AUTHENTICATE);
	}
	CU_ASSERT_EQUAL(i, 11);
	net_run(&net, 10000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_LCP_NOT_CONVERGED);
	net_free(&net);
}

static void test_timeout_heard(void)
{
	struct end *e = fresh(PPP_AUTH_PAP);

	feed(e, PPP_LCP, 1, 1, NULL, 0);
	net_run(&net, 40000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_LCP_TIMEOUT);
	net_free(&net);
}

void suite_lcp(void)
{
	CU_pSuite s = CU_add_suite("lcp", NULL, NULL);

	CU_add_test(s, "each option", test_options);
	CU_add_test(s, "malformed options", test_malformed_options);
	CU_add_test(s, "oversized requests", test_oversized);
	CU_add_test(s, "our request", test_our_request);
	CU_add_test(s, "Naks become Rejects", test_naks_become_rejects);
	CU_add_test(s, "Naks of flags", test_flag_naks);
	CU_add_test(s, "MRU and Naks", test_mru_naks);
	CU_add_test(s, "authentication methods", test_auth_walk);
	CU_add_test(s, "authentication methods as peer", test_auth_as_peer);
	CU_add_test(s, "magic number", test_magic);
	CU_add_test(s, "echo", test_echo);
	CU_add_test(s, "echo on a loop", test_echo_loop);
	CU_add_test(s, "renegotiation", test_renegotiation);
	CU_add_test(s, "late copies", test_late_copies);
	CU_add_test(s, "a request that looks like a copy", test_looks_like_a_copy);
	CU_add_test(s, "restarting peer", test_restarting_peer);
	CU_add_test(s, "timeout of a peer that was heard", test_timeout_heard);
}
