/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* CHAP with MD5 and MS-CHAPv2, both ends. */
#include "ppp/ppp_int.h"
#include "unit/ppp/harness.h"

#include <stdio.h>
#include <string.h>

static struct net net;

static struct end *fresh(uint32_t method, bool single_shot, struct got *challenge)
{
	struct ppp_conf c = conf_auth(method);
	struct got g;

	c.single_shot = single_shot;
	net_init(&net, 51);
	end_new(&net, &net.a, &c);
	net_start(&net);
	hand_lcp_open(&net.a, &g);
	expect_frame(&net.a, PPP_CHAP, 1, challenge);
	return &net.a;
}

static void respond_md5(struct end *e, uint8_t id, const uint8_t *challenge, const char *secret)
{
	uint8_t b[64] = {16};

	chap_md5_response(id, (const uint8_t *)secret, strlen(secret), challenge, 16, b + 1);
	memcpy(b + 17, "alice", 5);
	feed(e, PPP_CHAP, 2, id, b, 22);
}

static void respond_v2(struct end *e, uint8_t id, const uint8_t *challenge, const char *secret,
                       uint8_t peer)
{
	uint8_t b[64] = {49}, nt[16];

	memset(b + 1, peer, 16);
	ppp_nt_hash(secret, nt);
	mschapv2_nt_response(nt, "alice", challenge, b + 1, b + 25);
	memcpy(b + 50, "alice", 5);
	feed(e, PPP_CHAP, 2, id, b, 55);
}

static void test_md5(void)
{
	struct got c, d, g;
	struct end *e = fresh(PPP_AUTH_CHAP_MD5, false, &c);

	CU_ASSERT_EQUAL(c.len, 1 + 16 + 3);
	CU_ASSERT_EQUAL(c.body[0], 16);
	CU_ASSERT_EQUAL(memcmp(c.body + 17, "lns", 3), 0);
	/* not answered: asked again, by another question */
	net_run(&net, 3000);
	CU_ASSERT_TRUE(expect_frame(e, PPP_CHAP, 1, &d));
	CU_ASSERT_NOT_EQUAL(c.id, d.id);
	CU_ASSERT_NOT_EQUAL(memcmp(c.body + 1, d.body + 1, 16), 0);
	respond_md5(e, c.id, c.body + 1, "sesame"); /* too late */
	CU_ASSERT_EQUAL(e->auths, 0);
	c = d;
	respond_md5(e, (uint8_t)(c.id + 1), c.body + 1, "sesame"); /* no such question */
	CU_ASSERT_EQUAL(e->auths, 0);
	e->message = "hi";
	respond_md5(e, c.id, c.body + 1, "sesame");
	CU_ASSERT_TRUE(expect_frame(e, PPP_CHAP, 3, &g));
	CU_ASSERT_EQUAL(g.id, c.id);
	CU_ASSERT_EQUAL(g.len, 2);
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_NETWORK);
	/* repeats after Success get Success (RFC 1994 4.1) */
	respond_md5(e, c.id, c.body + 1, "sesame");
	CU_ASSERT_TRUE(expect_frame(e, PPP_CHAP, 3, &g));
	CU_ASSERT_EQUAL(e->auths, 1);
	net_free(&net);
}

static void test_lost_success(void)
{
	struct got c, g;
	struct end *e = fresh(PPP_AUTH_CHAP_MD5, true, &c);

	respond_md5(e, c.id, c.body + 1, "sesame");
	drop_frames(e);
	net_run(&net, 3000); /* the peer is silent: Success goes with IPCP's request */
	CU_ASSERT_TRUE(expect_frame(e, PPP_CHAP, 3, &g));
	CU_ASSERT_EQUAL(g.id, c.id);
	feed(e, PPP_IPCP, 1, 1, "\x03\x06\x00\x00\x00\x00", 6);
	drop_frames(e);
	net_run(&net, 3000); /* it is in: no more of that */
	while (next_frame(e, &g))
		CU_ASSERT_NOT_EQUAL(g.proto, PPP_CHAP);
	net_free(&net);
}

static void test_md5_failure_ends(void)
{
	struct got c, g;
	struct end *e = fresh(PPP_AUTH_CHAP_MD5, false, &c);

	respond_md5(e, c.id, c.body + 1, "wrong");
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(g.proto, PPP_CHAP);
	CU_ASSERT_EQUAL(g.code, 4);
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(g.code, 5);
	respond_md5(e, c.id, c.body + 1, "sesame");
	CU_ASSERT_EQUAL(e->auths, 1);
	net_run(&net, 10000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_AUTH_FAILED);
	net_free(&net);
}

static void test_malformed(void)
{
	struct got c, g;
	struct end *e = fresh(PPP_AUTH_CHAP_MD5, false, &c);
	uint8_t b[400] = {16};

	feed(e, PPP_CHAP, 2, c.id, NULL, 0);
	feed(e, PPP_CHAP, 2, c.id, b, 1);
	feed(e, PPP_CHAP, 2, c.id, b, 16);
	b[0] = 15;
	feed(e, PPP_CHAP, 2, c.id, b, 40);
	b[0] = 49;
	feed(e, PPP_CHAP, 2, c.id, b, 60);
	CU_ASSERT_EQUAL(info(e).rx_bad, 5);
	feed(e, PPP_CHAP, 1, c.id, b, 60);
	feed(e, PPP_CHAP, 3, c.id, NULL, 0);
	feed(e, PPP_CHAP, 4, c.id, NULL, 0);
	feed(e, PPP_CHAP, 5, c.id, NULL, 0);
	CU_ASSERT_FALSE(next_frame(e, &g));
	CU_ASSERT_EQUAL(e->auths, 0);
	b[0] = 16;
	memset(b + 17, 'x', 300);
	feed(e, PPP_CHAP, 2, c.id, b, 17 + 256); /* a name too long to be one */
	CU_ASSERT_EQUAL(e->auths, 0);
	CU_ASSERT_TRUE(expect_frame(e, PPP_CHAP, 4, &g));
	net_free(&net);
}

static void test_no_answer(void)
{
	struct got c;
	struct end *e = fresh(PPP_AUTH_MSCHAPV2, false, &c);

	net_run(&net, 40000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_AUTH_TIMEOUT);
	net_free(&net);
}

static void test_v2(void)
{
	struct got c, g;
	struct end *e = fresh(PPP_AUTH_MSCHAPV2, false, &c);

	CU_ASSERT_EQUAL(c.body[0], 16);
	e->message = "welcome";
	respond_v2(e, c.id, c.body + 1, "sesame", 7);
	CU_ASSERT_TRUE(expect_frame(e, PPP_CHAP, 3, &g));
	CU_ASSERT_EQUAL(g.len, 2 + 40 + 3 + 7);
	CU_ASSERT_EQUAL(memcmp(g.body, "S=", 2), 0);
	CU_ASSERT_EQUAL(memcmp(g.body + 2, e->reply.mschapv2_success, 40), 0);
	CU_ASSERT_EQUAL(memcmp(g.body + 42, " M=welcome", 10), 0);
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_NETWORK);
	net_free(&net);
}

/* An owner that accepts without the authenticator response has made a mistake. */
static void test_v2_without_response(void)
{
	struct got c, g;
	struct end *e = fresh(PPP_AUTH_MSCHAPV2, true, &c);
	struct ppp_auth_reply yes = {.accept = true, .mschapv2_success = "abc"};

	e->verdict = LATER;
	respond_v2(e, c.id, c.body + 1, "sesame", 7);
	ppp_auth_done(e->p, &yes, net.now);
	CU_ASSERT_TRUE(expect_frame(e, PPP_CHAP, 4, &g));
	net_free(&net);
}

static void unhex(const char *s, uint8_t out[16])
{
	for (int i = 0; i < 16; i++) {
		unsigned int v = 0;

		CU_ASSERT_EQUAL(sscanf(s + 2 * i, "%2X", &v), 1);
		out[i] = (uint8_t)v;
	}
}

/* R=1 with a new challenge, as long as tries remain (RFC 2759 6) */
static void test_v2_retry(void)
{
	struct got c, g;
	struct end *e = fresh(PPP_AUTH_MSCHAPV2, false, &c);
	uint8_t next[16], id = c.id;
	char m[256];

	respond_v2(e, id, c.body + 1, "one", 1);
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_TRUE(expect_frame(e, PPP_CHAP, 4, &g));
		CU_ASSERT_EQUAL(g.id, id);
		memcpy(m, g.body, g.len);
		m[g.len] = '\0';
		CU_ASSERT_EQUAL(memcmp(m, "E=691 R=1 C=", 12), 0);
		CU_ASSERT_EQUAL(memcmp(m + 44, " V=3 M=", 7), 0);
		unhex(m + 12, next);
		CU_ASSERT_NOT_EQUAL(memcmp(next, c.body + 1, 16), 0);
		/* the failed answer again: the same Failure, and no guess */
		if (i == 0) {
			respond_v2(e, id, c.body + 1, "one", 1);
			CU_ASSERT_TRUE(expect_frame(e, PPP_CHAP, 4, &g));
			CU_ASSERT_EQUAL(memcmp(m, g.body, g.len), 0);
			CU_ASSERT_EQUAL(e->auths, 1);
			id++; /* ++ID of RFC 2759 9.1 */
			respond_v2(e, id, next, "two", 2);
			CU_ASSERT_EQUAL(e->auths, 2);
		}
	}
	respond_v2(e, id, next, "sesame", 3); /* a client that keeps the id */
	CU_ASSERT_TRUE(expect_frame(e, PPP_CHAP, 3, &g));
	CU_ASSERT_EQUAL(g.id, id);
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_NETWORK);
	net_free(&net);
}

static void test_v2_last_failure(void)
{
	struct got c, g;
	struct end *e;
	uint8_t next[16], id;
	char m[256];

	for (int single = 0; single < 2; single++) {
		e = fresh(PPP_AUTH_MSCHAPV2, single, &c);
		id = c.id;
		memcpy(next, c.body + 1, 16);
		for (int i = 0; i < (single ? 1 : 3); i++) {
			respond_v2(e, id++, next, "wrong", (uint8_t)i);
			CU_ASSERT_TRUE(expect_frame(e, PPP_CHAP, 4, &g));
			memcpy(m, g.body, g.len);
			m[g.len] = '\0';
			unhex(m + 12, next);
		}
		CU_ASSERT_EQUAL(memcmp(m, "E=691 R=0 C=", 12), 0);
		CU_ASSERT_TRUE(next_frame(e, &g));
		CU_ASSERT_EQUAL(g.code, 5);
		respond_v2(e, id, next, "sesame", 9);
		CU_ASSERT_EQUAL(e->auths, single ? 1 : 3);
		net_run(&net, 10000);
		CU_ASSERT_EQUAL(e->reason, PPP_R_AUTH_FAILED);
		net_free(&net);
	}
}

static void test_v2_error_code(void)
{
	struct got c, g;
	struct end *e = fresh(PPP_AUTH_MSCHAPV2, true, &c);
	struct ppp_auth_reply no = {.mschapv2_error = 649};

	e->verdict = LATER;
	memset(no.message, 'm', sizeof(no.message)); /* without an end */
	respond_v2(e, c.id, c.body + 1, "sesame", 1);
	ppp_auth_done(e->p, &no, net.now);
	CU_ASSERT_TRUE(expect_frame(e, PPP_CHAP, 4, &g));
	CU_ASSERT_EQUAL(memcmp(g.body, "E=649 R=0 C=", 12), 0);
	CU_ASSERT_EQUAL(g.len, 51 + 127);
	net_free(&net);
}

/* E37 with CHAP: answered twice */
static void test_single_shot(void)
{
	for (int after = 0; after < 2; after++) {
		struct got c;
		struct end *e = fresh(PPP_AUTH_MSCHAPV2, true, &c);

		e->verdict = after ? JUDGE : LATER;
		respond_v2(e, c.id, c.body + 1, "sesame", 1);
		respond_v2(e, c.id, c.body + 1, "sesame", 1); /* a copy */
		respond_v2(e, (uint8_t)(c.id + 7), c.body + 1, "sesame", 2); /* another question */
		CU_ASSERT_NOT_EQUAL(info(e).phase, PPP_PH_TERMINATE);
		respond_v2(e, c.id, c.body + 1, "other", 2);
		CU_ASSERT_EQUAL(info(e).phase, PPP_PH_TERMINATE);
		net_run(&net, 10000);
		CU_ASSERT_EQUAL(e->reason, PPP_R_AUTH_AGAIN);
		CU_ASSERT_EQUAL(e->auths, 1);
		net_free(&net);
	}
}

static struct end *fresh_peer(const char *method_option, size_t n)
{
	struct ppp_conf c = conf_peer(PPP_AUTH_CHAP_MD5 | PPP_AUTH_MSCHAPV2);
	struct end *e = &net.a;
	struct got g;

	strcpy(c.user, "HOME\\alice");
	net_init(&net, 5);
	end_new(&net, e, &c);
	net_start(&net);
	expect_frame(e, PPP_LCP, 1, &g);
	feed(e, PPP_LCP, 2, g.id, g.body, g.len);
	feed(e, PPP_LCP, 1, 1, method_option, n);
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_AUTHENTICATE);
	drop_frames(e);
	return e;
}

static void test_peer_md5(void)
{
	struct end *e = fresh_peer("\x03\x05\xc2\x23\x05", 5);
	struct got g, h;

	feed(e, PPP_CHAP, 3, 7, NULL, 0); /* Success to nothing */
	feed(e, PPP_CHAP, 1, 7, NULL, 0);
	feed(e, PPP_CHAP, 1, 7, "\x00lns", 4);
	feed(e, PPP_CHAP, 1, 7, "\x05lns", 4);
	CU_ASSERT_EQUAL(info(e).rx_bad, 3);
	feed(e, PPP_CHAP, 1, 7,
	     "\x05"
	     "12345lns",
	     9);
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(g.code, 2);
	CU_ASSERT_EQUAL(g.len, 17 + 10);
	CU_ASSERT_TRUE(ppp_chap_md5_verify(7, (const uint8_t *)"sesame", 6,
	                                   (const uint8_t *)"12345", 5, g.body + 1));
	net_run(&net, 3000);
	CU_ASSERT_TRUE(next_frame(e, &h)); /* unanswered: again */
	CU_ASSERT_EQUAL(memcmp(g.body, h.body, g.len), 0);
	feed(e, PPP_CHAP, 3, 8, NULL, 0); /* for another one */
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_AUTHENTICATE);
	feed(e, PPP_CHAP, 3, 7, NULL, 0);
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_NETWORK);
	drop_frames(e);
	feed(e, PPP_CHAP, 1, 9,
	     "\x05"
	     "54321lns",
	     9); /* asked once more later */
	CU_ASSERT_TRUE(expect_frame(e, PPP_CHAP, 2, &g));
	CU_ASSERT_EQUAL(g.id, 9);
	feed(e, PPP_CHAP, 4, 9, NULL, 0);
	net_run(&net, 10000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_AUTH_FAILED);
	net_free(&net);
}

static void test_peer_v2(void)
{
	static const uint8_t challenge[17] = {16, 1, 2, 3};
	static const char *const bad[] = {"", "S=", "M=hello",
	                                  "S=1234567890123456789012345678901234567890"};
	uint8_t nt[16];
	char success[64] = "S=";
	struct got g, h;
	struct end *e = fresh_peer("\x03\x05\xc2\x23\x81", 5);

	feed(e, PPP_CHAP, 1, 7, challenge, 17);
	CU_ASSERT_TRUE(next_frame(e, &g));
	feed(e, PPP_CHAP, 1, 7, challenge, 17); /* a copy: the same answer */
	CU_ASSERT_TRUE(next_frame(e, &h));
	CU_ASSERT_EQUAL(memcmp(g.body, h.body, g.len), 0);
	ppp_nt_hash("sesame", nt);
	CU_ASSERT_TRUE(ppp_mschapv2_verify(nt, "alice", challenge + 1, g.body + 1, success + 2));
	CU_ASSERT_EQUAL(memcmp(g.body + 50, "HOME\\alice", 10), 0);
	feed(e, PPP_CHAP, 3, 7, success, 42);
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_NETWORK);
	net_free(&net);
	for (size_t i = 0; i < 4; i++) {
		e = fresh_peer("\x03\x05\xc2\x23\x81", 5);
		feed(e, PPP_CHAP, 1, 7, challenge, 17);
		feed(e, PPP_CHAP, 3, 7, bad[i], strlen(bad[i]));
		net_run(&net, 10000);
		CU_ASSERT_EQUAL(e->reason, PPP_R_AUTH_FAILED);
		net_free(&net);
	}
	e = fresh_peer("\x03\x05\xc2\x23\x81", 5);
	feed(e, PPP_CHAP, 1, 7,
	     "\x02"
	     "12",
	     3); /* MS-CHAPv2 asks with 16 bytes */
	net_run(&net, 10000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_PROTOCOL_ERROR);
	net_free(&net);
}

void suite_chap(void)
{
	CU_pSuite s = CU_add_suite("chap", NULL, NULL);

	CU_add_test(s, "MD5 accepted, repeats", test_md5);
	CU_add_test(s, "lost Success", test_lost_success);
	CU_add_test(s, "MD5 ends with a failure", test_md5_failure_ends);
	CU_add_test(s, "malformed", test_malformed);
	CU_add_test(s, "no answer", test_no_answer);
	CU_add_test(s, "MS-CHAPv2 accepted", test_v2);
	CU_add_test(s, "MS-CHAPv2 without response", test_v2_without_response);
	CU_add_test(s, "MS-CHAPv2 retries", test_v2_retry);
	CU_add_test(s, "MS-CHAPv2 last failure", test_v2_last_failure);
	CU_add_test(s, "MS-CHAPv2 error code", test_v2_error_code);
	CU_add_test(s, "single-shot", test_single_shot);
	CU_add_test(s, "MD5 as peer", test_peer_md5);
	CU_add_test(s, "MS-CHAPv2 as peer", test_peer_v2);
}
