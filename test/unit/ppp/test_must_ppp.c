/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What RFC 1661, 1332, 1334, 1994 and 2759 demand and the other tests of links do not show alone. */
#include "ppp/ppp_int.h"
#include "unit/ppp/harness.h"
#include "suite.h"

#include <string.h>

static struct net net;

static struct end *fresh_conf(const struct ppp_conf *c)
{
	net_init(&net, 91);
	end_new(&net, &net.a, c);
	net_start(&net);
	return &net.a;
}

/* LCP is open and, with a method, the authentication has begun. */
static struct end *opened(uint32_t methods)
{
	struct ppp_conf c = conf_auth(methods);
	struct end *e = fresh_conf(&c);
	struct got g;

	hand_lcp_open(e, &g);
	return e;
}

/* RFC 1661 2: even low byte, or odd high byte, is a protocol that nobody knows. */
static void test_protocol_numbers(void)
{
	struct end *e = opened(PPP_AUTH_NONE);
	struct got g;

	hand_ipcp_open(e);
	drop_frames(e);
	feed_raw(e, "\xff\x03\x80\x22\x01\x01\x00\x04", 8);
	CU_ASSERT_TRUE(expect_frame(e, PPP_LCP, 8, &g));
	CU_ASSERT_EQUAL(memcmp(g.body, "\x80\x22\x01\x01\x00\x04", 6), 0);
	feed_raw(e, "\xff\x03\x81\x21\x01\x01\x00\x04", 8);
	CU_ASSERT_TRUE(expect_frame(e, PPP_LCP, 8, &g));
	CU_ASSERT_STRING_EQUAL(info(e).ipcp_state, "opened"); /* it was not IPCP's */
	net_free(&net);
	/* Before the network phase it is dropped like anything else (3.4, 3.5). */
	e = opened(PPP_AUTH_PAP);
	drop_frames(e);
	feed_raw(e, "\xff\x03\x80\x22\x01\x01\x00\x04", 8);
	CU_ASSERT_FALSE(next_frame(e, &g));
	net_free(&net);
}

/* RFC 1661 3.5: no NCP before the authentication is over, however long that takes. */
static void test_authentication_first(void)
{
	struct ppp_conf c = conf_auth(PPP_AUTH_PAP);
	struct end *e;
	struct got g;

	c.auth_timeout_ms = 300000;
	e = fresh_conf(&c);
	hand_lcp_open(e, &g);
	e->verdict = LATER;
	feed(e, PPP_IPCP, 1, 1, "\x03\x06\x00\x00\x00\x00", 6);
	net_run(&net, 100000);
	hand_pap(e, 1, "alice", "sesame");
	feed(e, PPP_IPCP, 1, 2, "\x03\x06\x00\x00\x00\x00", 6);
	net_run(&net, 100000);
	while (next_frame(e, &g))
		CU_ASSERT_NOT_EQUAL(g.proto, PPP_IPCP);
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_AUTHENTICATE);
	e->reply.accept = true;
	ppp_auth_done(e->p, &e->reply, net.now);
	CU_ASSERT_TRUE(expect_frame(e, PPP_IPCP, 1, &g));
	net_free(&net);
}

/* RFC 1661 3.6: IP packets before IPCP is open are dropped without an answer. */
static void test_ip_before_ipcp(void)
{
	struct end *e = opened(PPP_AUTH_NONE);
	struct got g;

	drop_frames(e);
	feed_raw(e, "\xff\x03\x00\x21\x45\x00\x00\x14", 8);
	CU_ASSERT_FALSE(next_frame(e, &g));
	CU_ASSERT_EQUAL(info(e).rx_bad, 0);
	CU_ASSERT_EQUAL(e->ups, 0);
	net_free(&net);
}

/* RFC 1661 4.3: a code that the peer rejects is not sent again, until LCP is negotiated anew. */
static void test_code_rejected(void)
{
	struct ppp_conf c = conf_auth(PPP_AUTH_NONE);
	struct end *e;
	struct got g;

	c.echo_ms = 10000;
	c.echo_failures = 3;
	e = fresh_conf(&c);
	hand_lcp_open(e, &g);
	hand_ipcp_open(e);
	drop_frames(e);
	net_run(&net, 20000);
	CU_ASSERT_TRUE(expect_frame(e, PPP_LCP, 9, &g));
	feed(e, PPP_LCP, 7, 1, "\x09\x01\x00\x08\0\0\0\0", 8);
	drop_frames(e);
	net_run(&net, 3600000);
	CU_ASSERT_FALSE(next_frame(e, &g));
	CU_ASSERT_EQUAL(e->deads, 0);
	/* Its own echoes are answered all the same, until it does not want that either. */
	feed(e, PPP_LCP, 9, 5, "\0\0\0\0", 4);
	CU_ASSERT_TRUE(expect_frame(e, PPP_LCP, 10, &g));
	feed(e, PPP_LCP, 7, 2, "\x0a\x05\x00\x08\0\0\0\0", 8);
	feed(e, PPP_LCP, 9, 6, "\0\0\0\0", 4);
	CU_ASSERT_FALSE(next_frame(e, &g));
	feed(e, PPP_LCP, 1, 7, "\x05\x06\x01\x02\x03\x04", 6); /* LCP anew */
	CU_ASSERT_TRUE(expect_frame(e, PPP_LCP, 1, &g));
	feed(e, PPP_LCP, 2, g.id, g.body, g.len);
	CU_ASSERT_STRING_EQUAL(info(e).lcp_state, "opened");
	drop_frames(e);
	feed(e, PPP_LCP, 9, 8, "\0\0\0\0", 4);
	CU_ASSERT_TRUE(expect_frame(e, PPP_LCP, 10, &g));
	net_free(&net);
}

/* RFC 1661 5.6, 5.7: each Code-Reject and Protocol-Reject has an id of its own. */
static void test_reject_ids(void)
{
	struct end *e = opened(PPP_AUTH_NONE);
	struct got a, b, c, d;

	hand_ipcp_open(e);
	drop_frames(e);
	feed(e, PPP_LCP, 99, 7, NULL, 0);
	feed(e, PPP_LCP, 99, 7, NULL, 0);
	feed(e, PPP_IPV6CP, 1, 1, NULL, 0);
	feed(e, PPP_IPV6CP, 1, 1, NULL, 0);
	CU_ASSERT_TRUE(expect_frame(e, PPP_LCP, 7, &a));
	CU_ASSERT_TRUE(expect_frame(e, PPP_LCP, 7, &b));
	CU_ASSERT_TRUE(expect_frame(e, PPP_LCP, 8, &c));
	CU_ASSERT_TRUE(expect_frame(e, PPP_LCP, 8, &d));
	CU_ASSERT_NOT_EQUAL(a.id, b.id);
	CU_ASSERT_NOT_EQUAL(b.id, c.id);
	CU_ASSERT_NOT_EQUAL(c.id, d.id);
	net_free(&net);
}

/* RFC 1661 5.7: the peer's Protocol-Reject of IPv4 ends a link that carries nothing else. */
static void test_ip_rejected(void)
{
	struct end *e = opened(PPP_AUTH_NONE);

	hand_ipcp_open(e);
	feed(e, PPP_LCP, 8, 1, "\x00\x21\x45\x00", 4);
	CU_ASSERT_EQUAL(e->downs, 1); /* at once */
	net_run(&net, 10000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_NCP_REJECTED);
	net_free(&net);
}

/* RFC 1661 5.8, 5.9: echoes and their answers only in Opened; Discard-Request in silence. */
static void test_echo_only_opened(void)
{
	struct ppp_conf c = conf_auth(PPP_AUTH_NONE);
	struct end *e;
	struct got g;

	c.echo_ms = 1000;
	c.echo_failures = 1;
	e = fresh_conf(&c);
	feed(e, PPP_LCP, 9, 1, "\0\0\0\0", 4);
	net_run(&net, 10000);
	while (next_frame(e, &g)) {
		CU_ASSERT_NOT_EQUAL(g.code, 9);
		CU_ASSERT_NOT_EQUAL(g.code, 10);
	}
	net_run(&net, 3000);
	hand_lcp_open(e, &g);
	ppp_close(e->p, net.now);
	drop_frames(e);
	feed(e, PPP_LCP, 9, 2, "\0\0\0\0", 4);
	feed(e, PPP_LCP, 11, 3, "\0\0\0\0", 4);
	CU_ASSERT_FALSE(next_frame(e, &g));
	net_run(&net, 10000);
	while (next_frame(e, &g))
		CU_ASSERT_EQUAL(g.code, 5);
	net_free(&net);
}

/* RFC 1661 5.3, 5.4: a Nak with another length is digested, a rejected option never asked again. */
static void test_answers_to_requests(void)
{
	struct ppp_conf c = conf_auth(PPP_AUTH_CHAP_MD5 | PPP_AUTH_PAP);
	struct end *e = fresh_conf(&c);
	struct got g;

	CU_ASSERT_TRUE(next_frame(e, &g));
	/* CHAP's option of five bytes for PAP's of four, with a suggestion that was not asked for */
	feed(e, PPP_LCP, 3, g.id, "\x03\x04\xc0\x23\x0d\x03\x06", 7);
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(memcmp(g.body + 4, "\x03\x04\xc0\x23", 4), 0);
	feed(e, PPP_LCP, 4, g.id, g.body, 4); /* no MRU, please */
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_TRUE(next_frame(e, &g));
		CU_ASSERT_EQUAL(g.code, 1);
		CU_ASSERT_EQUAL(g.len, 4 + 6);
		CU_ASSERT_EQUAL(g.body[0], 3);
		net_run(&net, 3000);
	}
	net_free(&net);
}

/* RFC 1334 2.2.1: requests outside of the phases of authentication and network are dropped. */
static void test_pap_phases(void)
{
	struct end *e;
	struct got g;
	struct ppp_conf c = conf_auth(PPP_AUTH_PAP);

	e = fresh_conf(&c);
	hand_pap(e, 1, "alice", "sesame"); /* LCP is not open */
	CU_ASSERT_EQUAL(e->n_sent, 1); /* its request */
	CU_ASSERT_EQUAL(e->auths, 0);
	hand_lcp_open(e, &g);
	hand_pap(e, 2, "alice", "sesame");
	CU_ASSERT_TRUE(expect_frame(e, PPP_PAP, 2, &g));
	ppp_close(e->p, net.now);
	drop_frames(e);
	hand_pap(e, 3, "alice", "sesame");
	CU_ASSERT_FALSE(next_frame(e, &g));
	CU_ASSERT_EQUAL(e->auths, 1);
	net_free(&net);
}

/* RFC 1334 2.2.2, RFC 1994 4.2: the message behind a verdict is for people. */
static void test_messages_have_no_effect(void)
{
	static const char *const texts[] = {"", "denied", "E=691 R=0", "\xff\xfe\n"};
	struct got g;

	for (size_t i = 0; i < 4; i++) {
		struct ppp_conf c = conf_peer(PPP_AUTH_PAP | PPP_AUTH_CHAP_MD5);
		struct end *e = fresh_conf(&c);
		uint8_t ack[64] = {(uint8_t)strlen(texts[i])};

		memcpy(ack + 1, texts[i], ack[0]);
		expect_frame(e, PPP_LCP, 1, &g);
		feed(e, PPP_LCP, 2, g.id, g.body, g.len);
		if (i % 2 == 0) {
			feed(e, PPP_LCP, 1, 1, "\x03\x04\xc0\x23", 4);
			expect_frame(e, PPP_PAP, 1, &g);
			feed(e, PPP_PAP, 2, g.id, ack, 1 + (size_t)ack[0]);
		} else {
			feed(e, PPP_LCP, 1, 1, "\x03\x05\xc2\x23\x05", 5);
			feed(e, PPP_CHAP, 1, 9,
			     "\x04"
			     "1234lns",
			     8);
			expect_frame(e, PPP_CHAP, 2, &g);
			CU_ASSERT_EQUAL(g.id, 9);
			feed(e, PPP_CHAP, 3, 9, texts[i], strlen(texts[i]));
		}
		CU_ASSERT_EQUAL(info(e).phase, PPP_PH_NETWORK);
		net_free(&net);
	}
}

/* RFC 1994 4.1: another id and another value for each challenge, repeated until the end. */
static void test_challenges_differ(void)
{
	static const uint32_t methods[] = {PPP_AUTH_CHAP_MD5, PPP_AUTH_MSCHAPV2};

	for (int i = 0; i < 2; i++) {
		struct end *e = opened(methods[i]);
		uint8_t values[16][16];
		unsigned n = 0;
		struct got g;
		uint8_t ids[16];

		net_run(&net, 100000);
		while (next_frame(e, &g)) {
			if (g.proto != PPP_CHAP)
				continue;
			CU_ASSERT_EQUAL(g.code, 1);
			CU_ASSERT_FATAL(n < 16);
			ids[n] = g.id;
			memcpy(values[n], g.body + 1, 16);
			for (unsigned k = 0; k < n; k++) {
				CU_ASSERT_NOT_EQUAL(ids[k], g.id);
				CU_ASSERT_NOT_EQUAL(memcmp(values[k], values[n], 16), 0);
			}
			n++;
		}
		CU_ASSERT_EQUAL(n, 10); /* the counter */
		CU_ASSERT_EQUAL(e->reason, PPP_R_AUTH_TIMEOUT);
		net_free(&net);
	}
}

/* RFC 2759 4: what a client sends: 49 bytes, the reserved ones and the flags zero, a fresh challenge. */
static void test_v2_response_form(void)
{
	uint8_t first[16];

	for (int i = 0; i < 2; i++) {
		struct ppp_conf c = conf_peer(PPP_AUTH_MSCHAPV2);
		uint8_t challenge[20] = {16, 1, 2, 3};
		struct end *e = fresh_conf(&c);
		struct got g;

		net.rnd += (uint64_t)i;
		expect_frame(e, PPP_LCP, 1, &g);
		feed(e, PPP_LCP, 2, g.id, g.body, g.len);
		feed(e, PPP_LCP, 1, 1, "\x03\x05\xc2\x23\x81", 5);
		feed(e, PPP_CHAP, 1, 9, challenge, 20);
		CU_ASSERT_TRUE(expect_frame(e, PPP_CHAP, 2, &g));
		CU_ASSERT_EQUAL(g.body[0], 49);
		CU_ASSERT_EQUAL(memcmp(g.body + 17, "\0\0\0\0\0\0\0\0", 8), 0);
		CU_ASSERT_EQUAL(g.body[49], 0);
		if (i == 0)
			memcpy(first, g.body + 1, 16);
		else
			CU_ASSERT_NOT_EQUAL(memcmp(first, g.body + 1, 16), 0);
		net_free(&net);
	}
}

/* RFC 2759 5: the authenticator response in capital hex digits. */
static void test_v2_success_form(void)
{
	static const uint8_t challenge[16] = "0123456789abcdef", peer[16] = "fedcba9876543210";
	uint8_t response[49] = {0}, nt[16];
	char success[41];

	CU_ASSERT_EQUAL(ppp_nt_hash("sesame", nt), 0);
	memcpy(response, peer, 16);
	mschapv2_nt_response(nt, "alice", challenge, peer, response + 24);
	CU_ASSERT_TRUE_FATAL(ppp_mschapv2_verify(nt, "alice", challenge, response, success));
	CU_ASSERT_EQUAL(strspn(success, "0123456789ABCDEF"), 40);
	response[30] ^= 1;
	CU_ASSERT_FALSE(ppp_mschapv2_verify(nt, "alice", challenge, response, success));
}

/* RFC 1332 2: IPCP has the codes 1 to 7; what LCP has beyond is unknown to it. */
static void test_ipcp_codes(void)
{
	struct end *e = opened(PPP_AUTH_NONE);
	struct got g;

	hand_ipcp_open(e);
	drop_frames(e);
	for (uint8_t code = 8; code < 16; code++) {
		feed(e, PPP_IPCP, code, 3, "\0\0\0\0", 4);
		CU_ASSERT_TRUE(next_frame(e, &g));
		CU_ASSERT_EQUAL(g.proto, PPP_IPCP);
		CU_ASSERT_EQUAL(g.code, 7);
		CU_ASSERT_EQUAL(g.body[0], code);
	}
	CU_ASSERT_STRING_EQUAL(info(e).ipcp_state, "opened");
	net_free(&net);
}

/* RFC 1661 4.6: all four are the owner's to choose. */
static void test_timers_and_counters(void)
{
	struct ppp_conf c = conf_auth(PPP_AUTH_PAP);
	unsigned requests = 0, terminates = 0, naks = 0;
	struct end *e;
	struct got g;

	c.restart_ms = 700;
	c.max_configure = 4;
	e = fresh_conf(&c);
	net_run(&net, 4 * 700 - 1);
	CU_ASSERT_EQUAL(e->deads, 0);
	net_run(&net, 1);
	CU_ASSERT_EQUAL(e->deads, 1);
	while (next_frame(e, &g))
		requests += g.code == 1;
	CU_ASSERT_EQUAL(requests, 4);
	net_free(&net);

	c.max_terminate = 3;
	c.max_failure = 2;
	e = fresh_conf(&c);
	for (uint8_t i = 0; i < 5; i++)
		feed(e, PPP_LCP, 1, (uint8_t)(20 + i), "\x01\x04\x00\x01", 4);
	while (next_frame(e, &g))
		naks += g.code == 3;
	CU_ASSERT_EQUAL(naks, 2);
	drop_frames(e);
	ppp_close(e->p, net.now);
	net_run(&net, 10000);
	while (next_frame(e, &g))
		terminates += g.code == 5;
	CU_ASSERT_EQUAL(terminates, 3);
	net_free(&net);
}

static CU_TestInfo tests[] = {
        {"protocol numbers (1661 2)", test_protocol_numbers},
        {"authentication first (1661 3.5)", test_authentication_first},
        {"IP before IPCP (1661 3.6)", test_ip_before_ipcp},
        {"rejected codes (1661 4.3)", test_code_rejected},
        {"timers and counters (1661 4.6)", test_timers_and_counters},
        {"answers to requests (1661 5.3, 5.4)", test_answers_to_requests},
        {"ids of rejects (1661 5.6, 5.7)", test_reject_ids},
        {"IP rejected (1661 5.7)", test_ip_rejected},
        {"echoes only in Opened (1661 5.8)", test_echo_only_opened},
        {"PAP and phases (1334 2.2.1)", test_pap_phases},
        {"messages have no effect (1334, 1994)", test_messages_have_no_effect},
        {"challenges differ (1994 4.1)", test_challenges_differ},
        {"form of a response (2759 4)", test_v2_response_form},
        {"form of a success (2759 5)", test_v2_success_form},
        {"codes of IPCP (1332 2)", test_ipcp_codes},
        CU_TEST_INFO_NULL,
};

int main(void)
{
	return run_suite("ppp demands", tests);
}
