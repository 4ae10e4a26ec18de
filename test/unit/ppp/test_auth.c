/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* PAP, the rules that PAP and CHAP share, and single-shot. */
#include "unit/ppp/harness.h"

#include <string.h>

static struct net net;

static struct end *fresh_conf(const struct ppp_conf *c)
{
	struct got g;

	net_init(&net, 41);
	end_new(&net, &net.a, c);
	net_start(&net);
	hand_lcp_open(&net.a, &g);
	return &net.a;
}

static struct end *fresh(bool single_shot)
{
	struct ppp_conf c = conf_auth(PPP_AUTH_PAP);

	c.single_shot = single_shot;
	return fresh_conf(&c);
}

static void test_pap_accept(void)
{
	struct end *e = fresh(false);
	struct got g;

	e->message = "welcome";
	hand_pap(e, 9, "alice", "sesame");
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(g.proto, PPP_PAP);
	CU_ASSERT_EQUAL(g.code, 2);
	CU_ASSERT_EQUAL(g.id, 9);
	CU_ASSERT_EQUAL(g.len, 8);
	CU_ASSERT_EQUAL(memcmp(g.body, "\x07welcome", 8), 0);
	CU_ASSERT_STRING_EQUAL(e->user, "alice");
	CU_ASSERT_STRING_EQUAL(info(e).user, "alice");
	CU_ASSERT_TRUE(info(e).authenticated);
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_NETWORK);
	/* the Ack was lost: asked again, told again, judged once */
	hand_pap(e, 10, "alice", "sesame");
	CU_ASSERT_TRUE(expect_frame(e, PPP_PAP, 2, &g));
	CU_ASSERT_EQUAL(g.id, 10);
	hand_pap(e, 11, "alice", "other");
	CU_ASSERT_TRUE(expect_frame(e, PPP_PAP, 2, &g));
	CU_ASSERT_EQUAL(e->auths, 1);
	net_free(&net);
}

/* Of the last try the name and the answer are kept, whatever was there before. */
static void test_names_and_answers(void)
{
	struct end *e = fresh(false);
	struct got g;

	CU_ASSERT_STRING_EQUAL(info(e).user, "");
	e->message = "no";
	hand_pap(e, 1, "a.long.name@and.its.realm", "wrong");
	hand_pap(e, 2, "a.long.name@and.its.realm", "wrong"); /* the same once more */
	for (uint8_t id = 1; id <= 2; id++) {
		CU_ASSERT_TRUE(expect_frame(e, PPP_PAP, 3, &g));
		CU_ASSERT_EQUAL(g.id, id);
		CU_ASSERT_EQUAL(g.len, 3);
		CU_ASSERT_EQUAL(memcmp(g.body, "\x02no", 3), 0);
	}
	CU_ASSERT_EQUAL(e->auths, 1);
	CU_ASSERT_STRING_EQUAL(info(e).user, "a.long.name@and.its.realm");
	e->message = "";
	hand_pap(e, 3, "", "wrong");
	CU_ASSERT_TRUE(expect_frame(e, PPP_PAP, 3, &g));
	CU_ASSERT_EQUAL(g.len, 1);
	CU_ASSERT_STRING_EQUAL(info(e).user, "");
	e->message = "welcome to this network";
	for (uint8_t id = 4; id <= 5; id++) {
		hand_pap(e, id, "alice", "sesame");
		CU_ASSERT_TRUE(expect_frame(e, PPP_PAP, 2, &g));
		CU_ASSERT_EQUAL(g.id, id);
		CU_ASSERT_EQUAL(g.len, 24);
		CU_ASSERT_EQUAL(memcmp(g.body, "\x17welcome to this network", 24), 0);
	}
	CU_ASSERT_EQUAL(e->auths, 3);
	CU_ASSERT_STRING_EQUAL(info(e).user, "alice");
	net_free(&net);
}

static void test_pap_malformed(void)
{
	struct end *e = fresh(false);
	struct got g;

	feed(e, PPP_PAP, 1, 1, NULL, 0);
	feed(e, PPP_PAP, 1, 1, "\x00", 1);
	feed(e, PPP_PAP, 1, 1,
	     "\x05"
	     "alice",
	     6);
	feed(e, PPP_PAP, 1, 1,
	     "\x05"
	     "alice\x02p",
	     8);
	feed(e, PPP_PAP, 1, 1,
	     "\xff"
	     "alice\x02p",
	     8);
	CU_ASSERT_EQUAL(info(e).rx_bad, 5);
	feed(e, PPP_PAP, 2, 1, "\0", 1); /* answers are not for us */
	feed(e, PPP_PAP, 9, 1, "\0", 1);
	CU_ASSERT_FALSE(next_frame(e, &g));
	CU_ASSERT_EQUAL(e->auths, 0);
	net_free(&net);
}

/* A name with a NUL inside is refused without asking anybody; the longest name is fine. */
static void test_pap_names(void)
{
	struct end *e = fresh(false);
	uint8_t b[512];
	struct got g;

	feed(e, PPP_PAP, 1, 1,
	     "\x05"
	     "al\0ce\x06sesame",
	     13);
	CU_ASSERT_TRUE(expect_frame(e, PPP_PAP, 3, &g));
	CU_ASSERT_EQUAL(e->auths, 0);
	memset(b, 'x', sizeof(b));
	b[0] = b[256] = 255;
	e->secret = "no";
	feed(e, PPP_PAP, 1, 2, b, 512);
	CU_ASSERT_EQUAL(e->auths, 1);
	CU_ASSERT_EQUAL(strlen(e->user), 255);
	feed(e, PPP_PAP, 1, 3, "\0\0", 2);
	CU_ASSERT_EQUAL(e->auths, 2);
	net_run(&net, 10000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_AUTH_FAILED); /* the third failure */
	net_free(&net);
}

static void test_pap_tries(void)
{
	struct end *e = fresh(false);
	struct got g;

	hand_pap(e, 1, "alice", "one");
	CU_ASSERT_TRUE(expect_frame(e, PPP_PAP, 3, &g));
	CU_ASSERT_EQUAL(g.id, 1);
	for (uint8_t i = 2; i < 8; i++) { /* repeats are no guesses */
		hand_pap(e, i, "alice", "one");
		CU_ASSERT_TRUE(expect_frame(e, PPP_PAP, 3, &g));
		CU_ASSERT_EQUAL(g.id, i);
	}
	CU_ASSERT_EQUAL(e->auths, 1);
	hand_pap(e, 8, "alice", "two");
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_AUTHENTICATE);
	hand_pap(e, 9, "alice", "three");
	CU_ASSERT_TRUE(expect_frame(e, PPP_PAP, 3, &g));
	CU_ASSERT_EQUAL(g.id, 8);
	CU_ASSERT_TRUE(expect_frame(e, PPP_PAP, 3, &g));
	CU_ASSERT_EQUAL(g.id, 9);
	CU_ASSERT_TRUE(next_frame(e, &g)); /* Nak first, then the end */
	CU_ASSERT_EQUAL(g.proto, PPP_LCP);
	CU_ASSERT_EQUAL(g.code, 5);
	hand_pap(e, 10, "alice", "sesame");
	CU_ASSERT_EQUAL(e->auths, 3);
	net_run(&net, 10000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_AUTH_FAILED);
	net_free(&net);
}

/* Negotiating LCP anew buys no more tries. */
static void test_tries_over_lcp(void)
{
	static const uint8_t anew[] = {5, 6, 9, 9, 9, 9};
	struct end *e = fresh(false);
	struct got g;

	hand_pap(e, 1, "alice", "one");
	hand_pap(e, 2, "alice", "two");
	drop_frames(e);
	feed(e, PPP_LCP, 1, 0x12, anew, sizeof(anew));
	expect_frame(e, PPP_LCP, 1, &g);
	feed(e, PPP_LCP, 2, g.id, g.body, g.len);
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_AUTHENTICATE);
	hand_pap(e, 3, "alice", "three");
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_TERMINATE);
	CU_ASSERT_EQUAL(e->auths, 3);
	net_free(&net);
}

static void test_slow_owner(void)
{
	struct end *e = fresh(false);
	struct got g;

	e->delay_ms = 20000;
	for (uint8_t i = 1; i < 7; i++) {
		hand_pap(e, i, "alice", "sesame");
		hand_pap(e, i, "alice", "other"); /* not asked about now */
		net_run(&net, 3000);
	}
	CU_ASSERT_EQUAL(e->auths, 1);
	CU_ASSERT_FALSE(next_frame(e, &g));
	net_run(&net, 2000);
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(g.code, 2);
	CU_ASSERT_EQUAL(g.id, 6); /* the latest of the identical ones */
	CU_ASSERT_EQUAL(e->deads, 0);
	net_free(&net);
}

/* A verdict about a credential from before a renegotiation is none about the next one. */
static void test_stale_verdict(void)
{
	static const uint8_t anew[] = {5, 6, 9, 9, 9, 9};
	struct end *e = fresh(false);
	struct ppp_auth_reply yes = {.accept = true};
	struct got g;

	e->verdict = LATER;
	hand_pap(e, 1, "alice", "sesame");
	drop_frames(e);
	feed(e, PPP_LCP, 1, 0x12, anew, sizeof(anew));
	expect_frame(e, PPP_LCP, 1, &g);
	feed(e, PPP_LCP, 2, g.id, g.body, g.len);
	hand_pap(e, 2, "root", "guess");
	CU_ASSERT_EQUAL(e->auths, 1); /* waits for the old verdict */
	ppp_auth_done(e->p, &yes, net.now);
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_AUTHENTICATE);
	hand_pap(e, 3, "root", "guess");
	CU_ASSERT_EQUAL(e->auths, 2);
	CU_ASSERT_STRING_EQUAL(e->user, "root");
	yes.accept = false;
	ppp_auth_done(e->p, &yes, net.now);
	ppp_auth_done(e->p, &yes, net.now); /* nobody asked twice */
	CU_ASSERT_TRUE(expect_frame(e, PPP_PAP, 3, &g));
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_AUTHENTICATE);
	net_free(&net);
}

static void test_timeouts(void)
{
	struct end *e = fresh(false);

	net_run(&net, 59999);
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_AUTHENTICATE);
	net_run(&net, 7000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_AUTH_TIMEOUT);
	net_free(&net);
	e = fresh(false); /* the owner never answers */
	e->verdict = LATER;
	net_run(&net, 50000);
	hand_pap(e, 1, "alice", "sesame");
	net_run(&net, 59999);
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_AUTHENTICATE);
	net_run(&net, 7000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_AUTH_TIMEOUT);
	net_free(&net);
}

/* E25 */
static void test_single_shot_failure(void)
{
	struct end *e = fresh(true);
	struct got g;

	hand_pap(e, 1, "alice", "wrong");
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(g.proto, PPP_PAP);
	CU_ASSERT_EQUAL(g.code, 3);
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(g.code, 5);
	hand_pap(e, 2, "alice", "sesame");
	CU_ASSERT_EQUAL(e->auths, 1);
	net_run(&net, 10000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_AUTH_FAILED);
	CU_ASSERT_EQUAL(e->ups, 0);
	net_free(&net);
}

/* E37: another credential while the first is judged, or after */
static void test_single_shot_second_credential(void)
{
	for (int after = 0; after < 2; after++) {
		struct end *e = fresh(true);
		struct ppp_auth_reply yes = {.accept = true};

		e->verdict = after ? JUDGE : LATER;
		hand_pap(e, 1, "alice", "sesame");
		hand_pap(e, 2, "alice", "sesame"); /* the same is no other */
		CU_ASSERT_EQUAL(e->deads, 0);
		CU_ASSERT_EQUAL(info(e).phase, after ? PPP_PH_NETWORK : PPP_PH_AUTHENTICATE);
		hand_pap(e, 3, "alice", "sesamf");
		CU_ASSERT_EQUAL(info(e).phase, PPP_PH_TERMINATE);
		ppp_auth_done(e->p, &yes, net.now); /* too late */
		net_run(&net, 10000);
		CU_ASSERT_EQUAL(e->reason, PPP_R_AUTH_AGAIN);
		CU_ASSERT_EQUAL(e->auths, 1);
		CU_ASSERT_EQUAL(e->ups, 0);
		net_free(&net);
	}
}

/* E37: LCP leaves Opened after the authentication phase began */
static void test_single_shot_lcp_again(void)
{
	static const uint8_t anew[] = {5, 6, 9, 9, 9, 9};

	for (int when = 0; when < 4; when++) {
		struct end *e = fresh(true);

		e->verdict = when == 1 ? LATER : JUDGE;
		if (when >= 1)
			hand_pap(e, 1, "alice", "sesame");
		if (when >= 2)
			hand_ipcp_open(e);
		drop_frames(e);
		if (when == 3)
			feed(e, PPP_LCP, 6, 1, NULL, 0); /* Terminate-Ack out of the blue */
		else
			feed(e, PPP_LCP, 1, 0x12, anew, sizeof(anew));
		CU_ASSERT_EQUAL(info(e).phase, PPP_PH_TERMINATE);
		CU_ASSERT_EQUAL(e->downs, when >= 2);
		net_run(&net, 10000);
		CU_ASSERT_EQUAL(e->reason, PPP_R_AUTH_AGAIN);
		net_free(&net);
	}
}

/* .. but a copy of the request that we acknowledged is none: our Ack was lost. */
static void test_single_shot_lost_ack(void)
{
	static const uint8_t first[] = {1, 4, 0x05, 0xd4, 5, 6, 0xde, 0xad, 0xbe, 0xef};
	struct end *e = fresh(true);
	struct got g;

	hand_pap(e, 1, "alice", "sesame");
	for (uint8_t i = 0; i < 20; i++) /* with the same id as often as it takes */
		feed(e, PPP_LCP, 1, 0x11, first, sizeof(first));
	drop_frames(e);
	for (uint8_t i = 0; i < 5; i++) { /* with new ids for a while */
		feed(e, PPP_LCP, 1, (uint8_t)(0x20 + i), first, sizeof(first));
		CU_ASSERT_TRUE(next_frame(e, &g));
		CU_ASSERT_EQUAL(g.code, 2);
		CU_ASSERT_EQUAL(g.id, 0x20 + i);
	}
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_NETWORK);
	feed(e, PPP_LCP, 1, 0x30, first, sizeof(first));
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_TERMINATE);
	CU_ASSERT_EQUAL(e->auths, 1);
	net_free(&net);
}

/* The client: its requests, and what it makes of answers. */
static void test_pap_as_peer(void)
{
	struct ppp_conf c = conf_peer(PPP_AUTH_PAP);
	struct end *e = &net.a;
	struct got g, h;

	net_init(&net, 5);
	end_new(&net, e, &c);
	net_start(&net);
	expect_frame(e, PPP_LCP, 1, &g);
	feed(e, PPP_LCP, 2, g.id, g.body, g.len);
	feed(e, PPP_LCP, 1, 1, "\x03\x04\xc0\x23", 4);
	CU_ASSERT_TRUE(expect_frame(e, PPP_PAP, 1, &g));
	CU_ASSERT_EQUAL(g.len, 13);
	CU_ASSERT_EQUAL(memcmp(g.body,
	                       "\x05"
	                       "alice\x06sesame",
	                       13),
	                0);
	net_run(&net, 3000);
	CU_ASSERT_TRUE(expect_frame(e, PPP_PAP, 1, &h));
	CU_ASSERT_NOT_EQUAL(g.id, h.id);
	feed(e, PPP_PAP, 2, (uint8_t)(h.id + 1), "\0", 1); /* never sent that */
	feed(e, PPP_PAP, 2, (uint8_t)(g.id - 1), "\0", 1);
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_AUTHENTICATE);
	feed(e, PPP_PAP, 2, g.id, "\0", 1); /* the answer to the first is one */
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_NETWORK);
	net_free(&net);

	/* and without any answer */
	net_init(&net, 5);
	c.auth_timeout_ms = 0;
	end_new(&net, e, &c);
	net_start(&net);
	expect_frame(e, PPP_LCP, 1, &g);
	feed(e, PPP_LCP, 2, g.id, g.body, g.len);
	feed(e, PPP_LCP, 1, 1, "\x03\x04\xc0\x23", 4);
	net_run(&net, 40000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_AUTH_TIMEOUT);
	net_free(&net);
}

void suite_auth(void)
{
	CU_pSuite s = CU_add_suite("auth", NULL, NULL);

	CU_add_test(s, "PAP accepted, repeats", test_pap_accept);
	CU_add_test(s, "names and answers", test_names_and_answers);
	CU_add_test(s, "PAP malformed", test_pap_malformed);
	CU_add_test(s, "PAP names", test_pap_names);
	CU_add_test(s, "PAP tries", test_pap_tries);
	CU_add_test(s, "tries over a renegotiation", test_tries_over_lcp);
	CU_add_test(s, "slow verdict", test_slow_owner);
	CU_add_test(s, "stale verdict", test_stale_verdict);
	CU_add_test(s, "timeouts", test_timeouts);
	CU_add_test(s, "single-shot: one failure", test_single_shot_failure);
	CU_add_test(s, "single-shot: second credential", test_single_shot_second_credential);
	CU_add_test(s, "single-shot: LCP again", test_single_shot_lcp_again);
	CU_add_test(s, "single-shot: lost Ack", test_single_shot_lost_ack);
	CU_add_test(s, "PAP as peer", test_pap_as_peer);
}
