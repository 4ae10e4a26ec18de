/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Taking over from a LAC (RFC 2661 4.4.5, 18). */
#include "ppp/ppp_int.h"
#include "unit/ppp/harness.h"

#include <string.h>

static struct net net;

static const uint8_t tx_chap[] = {1, 4, 5, 212, 3, 5, 0xc2, 0x23, 5, 5, 6, 1, 2, 3, 4};
static const uint8_t tx_pap[] = {3, 4, 0xc0, 0x23, 5, 6, 1, 2, 3, 4};
static const uint8_t tx_v2[] = {3, 5, 0xc2, 0x23, 0x81, 5, 6, 1, 2, 3, 4};
static const uint8_t tx_none[] = {5, 6, 1, 2, 3, 4};
static const uint8_t rx[] = {1, 4, 5, 180, 5, 6, 9, 8, 7, 6, 7, 2, 8, 2};

#define LIST(x) .p = (x), .len = sizeof(x)

static struct ppp_proxy with(const uint8_t *tx, size_t n)
{
	struct ppp_proxy x = {
	        .last_tx = {tx, (uint16_t)n}, .last_rx = {LIST(rx)}, .use_auth = true};

	return x;
}

static struct end *start(const struct ppp_conf *c, const struct ppp_proxy *x)
{
	net_init(&net, 71);
	end_new(&net, &net.a, c);
	ppp_start(net.a.p, x, net.now);
	return &net.a;
}

static void with_chap(struct ppp_proxy *x, uint8_t id, const char *secret, uint8_t response[16])
{
	static const uint8_t challenge[] = "0123456789abcdef01234567";

	x->auth_type = 2;
	x->auth_id = id;
	x->name = (const uint8_t *)"alice";
	x->name_len = 5;
	x->challenge = challenge;
	x->challenge_len = 24;
	chap_md5_response(id, (const uint8_t *)secret, strlen(secret), challenge, 24, response);
	x->response = response;
	x->response_len = 16;
}

static void test_chap(void)
{
	struct ppp_conf c = conf_auth(7);
	struct ppp_proxy x = with(tx_chap, sizeof(tx_chap));
	uint8_t r[16];
	struct end *e;
	struct got g;
	struct ppp_info i;

	with_chap(&x, 0x91, "sesame", r);
	e = start(&c, &x);
	CU_ASSERT_EQUAL(e->lcp_ups, 1);
	CU_ASSERT_EQUAL(e->auths, 1);
	CU_ASSERT_TRUE(e->proxy);
	CU_ASSERT_STRING_EQUAL(e->user, "alice");
	CU_ASSERT_TRUE(next_frame(e, &g)); /* nothing but the answer to the client's response */
	CU_ASSERT_EQUAL(g.proto, PPP_CHAP);
	CU_ASSERT_EQUAL(g.code, 3);
	CU_ASSERT_EQUAL(g.id, 0x91);
	i = info(e);
	CU_ASSERT_TRUE(i.lcp_proxied);
	CU_ASSERT_EQUAL(i.magic, 0x01020304);
	CU_ASSERT_EQUAL(i.peer_magic, 0x09080706);
	CU_ASSERT_EQUAL(i.mru, 1492);
	CU_ASSERT_EQUAL(i.peer_mru, 1460);
	CU_ASSERT_TRUE(i.tx_acfc && i.tx_pfc);
	CU_ASSERT_EQUAL(i.phase, PPP_PH_NETWORK);
	hand_ipcp_open(e);
	/* echoes carry the magic number that the client knows */
	feed(e, PPP_LCP, 9, 1, "\x09\x08\x07\x06", 4);
	expect_frame(e, PPP_LCP, 10, &g);
	CU_ASSERT_EQUAL(memcmp(g.body, "\1\2\3\4", 4), 0);
	net_free(&net);
}

static void test_chap_wrong(void)
{
	struct ppp_conf c = conf_auth(7);
	struct ppp_proxy x = with(tx_chap, sizeof(tx_chap));
	uint8_t r[16];
	struct end *e;
	struct got g;

	with_chap(&x, 0x91, "wrong", r);
	e = start(&c, &x);
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(g.code, 4);
	CU_ASSERT_EQUAL(g.id, 0x91);
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(g.code, 5);
	net_run(&net, 10000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_AUTH_FAILED); /* E27 */
	net_free(&net);
}

static void with_pap(struct ppp_proxy *x, const char *password)
{
	x->auth_type = 3;
	x->auth_id = 5;
	x->name = (const uint8_t *)"alice";
	x->name_len = 5;
	x->response = (const uint8_t *)password;
	x->response_len = (uint16_t)strlen(password);
}

static void test_pap(void)
{
	struct ppp_conf c = conf_auth(PPP_AUTH_PAP);
	struct ppp_proxy x = with(tx_pap, sizeof(tx_pap));
	struct end *e;
	struct got g;

	with_pap(&x, "sesame");
	c.single_shot = true;
	e = start(&c, &x);
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(g.proto, PPP_PAP);
	CU_ASSERT_EQUAL(g.code, 2);
	CU_ASSERT_EQUAL(g.id, 5);
	/* the client sends the request again that the LAC swallowed */
	hand_pap(e, 6, "alice", "sesame");
	CU_ASSERT_EQUAL(e->auths, 1);
	CU_ASSERT_TRUE(expect_frame(e, PPP_PAP, 2, &g));
	CU_ASSERT_EQUAL(g.id, 6);
	net_free(&net);

	/* without leave to use it the client is asked anew, which takes LCP */
	x.use_auth = false;
	e = start(&c, &x);
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(g.proto, PPP_LCP);
	CU_ASSERT_EQUAL(g.code, 1);
	CU_ASSERT_FALSE(info(e).lcp_proxied);
	CU_ASSERT_EQUAL(e->auths, 0);
	net_free(&net);
}

/* The credentials are of no use, or not to be used: LCP stays open, the client is asked anew. */
static void test_rechallenge(void)
{
	struct ppp_conf c = conf_auth(7);
	uint8_t r[16];
	struct got g;

	for (int i = 0; i < 5; i++) {
		struct ppp_proxy x = with(tx_chap, sizeof(tx_chap));
		struct end *e;

		with_chap(&x, 0x91, "sesame", r);
		if (i == 0)
			x.use_auth = false;
		else if (i == 1)
			x.auth_type = 4;
		else if (i == 2)
			x.response_len = 15;
		else if (i == 3)
			x.challenge_len = 256;
		else
			x.last_tx.p = tx_v2, x.last_tx.len = sizeof(tx_v2);
		e = start(&c, &x);
		CU_ASSERT_TRUE(next_frame(e, &g));
		CU_ASSERT_EQUAL(g.proto, PPP_CHAP);
		CU_ASSERT_EQUAL(g.code, 1);
		CU_ASSERT_EQUAL(g.id, 0x92); /* not an id that the client has seen */
		CU_ASSERT_EQUAL(e->auths, 0);
		CU_ASSERT_TRUE(info(e).lcp_proxied);
		net_free(&net);
	}
}

/* Anything that we would not have agreed to: LCP anew. */
static void test_unacceptable(void)
{
	static const uint8_t broken[] = {1, 4, 5}, mrru[] = {17, 4, 5, 220},
	                     small[] = {1, 4, 0, 64};
	static const uint8_t big[] = {1, 4, 8, 0, 3, 5, 0xc2, 0x23, 5};
	static const uint8_t eap[] = {3, 4, 0xc2, 0x27}, same[] = {5, 6, 1, 2, 3, 4};
	static const struct {
		const uint8_t *tx, *rx;
		size_t ntx, nrx;
		uint32_t methods;
	} t[] = {
	        {tx_chap, NULL, sizeof(tx_chap), 0, 7},
	        {NULL, rx, 0, sizeof(rx), 7},
	        {broken, rx, sizeof(broken), sizeof(rx), 7},
	        {tx_chap, broken, sizeof(tx_chap), sizeof(broken), 7},
	        {tx_chap, mrru, sizeof(tx_chap), sizeof(mrru), 7},
	        {tx_chap, small, sizeof(tx_chap), sizeof(small), 7},
	        {tx_chap, same, sizeof(tx_chap), sizeof(same), 7},
	        {mrru, rx, sizeof(mrru), sizeof(rx), 7},
	        {big, rx, sizeof(big), sizeof(rx), 7},
	        {small, rx, sizeof(small), sizeof(rx), 0},
	        {eap, rx, sizeof(eap), sizeof(rx), 7},
	        {tx_none, rx, sizeof(tx_none), sizeof(rx), 7}, /* nobody asked who it is */
	        {tx_chap, rx, sizeof(tx_chap), sizeof(rx), PPP_AUTH_PAP},
	        {tx_chap, rx, sizeof(tx_chap), sizeof(rx), 0},
	        {tx_pap, rx, sizeof(tx_pap), sizeof(rx), PPP_AUTH_PAP}, /* CHAP data with PAP */
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct ppp_conf c = conf_auth(t[i].methods);
		struct ppp_proxy x = {.last_tx = {t[i].tx, (uint16_t)t[i].ntx},
		                      .last_rx = {t[i].rx, (uint16_t)t[i].nrx},
		                      .use_auth = true};
		uint8_t r[16];
		struct end *e;
		struct got g;

		with_chap(&x, 1, "sesame", r);
		e = start(&c, &x);
		CU_ASSERT_TRUE(next_frame(e, &g));
		CU_ASSERT_EQUAL(g.proto, PPP_LCP);
		CU_ASSERT_EQUAL(g.code, 1);
		CU_ASSERT_FALSE(info(e).lcp_proxied);
		CU_ASSERT_EQUAL(e->lcp_ups, 0);
		CU_ASSERT_EQUAL(e->auths, 0);
		CU_ASSERT_EQUAL(info(e).peer_magic, 0);
		e->taken = 0;
		hand_lcp_open(e, &g); /* and it works */
		net_free(&net);
	}
}

static void test_no_auth(void)
{
	struct ppp_conf c = conf_auth(0);
	struct ppp_proxy x = with(tx_none, sizeof(tx_none));
	struct end *e;

	x.auth_type = 4;
	e = start(&c, &x);
	CU_ASSERT_TRUE(info(e).lcp_proxied);
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_NETWORK);
	hand_ipcp_open(e);
	net_free(&net);
}

/* The client starts over all the same: allowed, but not on single-shot (E37). */
static void test_client_restarts(void)
{
	static const uint8_t anew[] = {5, 6, 9, 9, 9, 9};
	struct ppp_conf c = conf_auth(7);
	uint8_t r[16];
	struct got g;

	for (int single = 0; single < 2; single++) {
		struct ppp_proxy x = with(tx_chap, sizeof(tx_chap));
		struct end *e;

		with_chap(&x, 0x91, "sesame", r);
		c.single_shot = single;
		e = start(&c, &x);
		feed(e, PPP_LCP, 1, 1, anew, sizeof(anew));
		if (single) {
			net_run(&net, 10000);
			CU_ASSERT_EQUAL(e->reason, PPP_R_AUTH_AGAIN);
		} else {
			CU_ASSERT_FALSE(info(e).lcp_proxied);
			expect_frame(e, PPP_LCP, 1, &g);
			/* our own wishes now, the strongest method first */
			CU_ASSERT_EQUAL(memcmp(g.body, "\1\4\5\xb4\3\5\xc2\x23\x81", 9), 0);
			feed(e, PPP_LCP, 2, g.id, g.body, g.len);
			expect_frame(e, PPP_CHAP, 1, &g);
			CU_ASSERT_NOT_EQUAL(g.id, 0x91);
		}
		net_free(&net);
	}
}

/* A client that stayed in Opened while we, taking over, negotiate anew. */
static void test_client_opened(void)
{
	struct ppp_conf a = conf_auth(PPP_AUTH_MSCHAPV2), b = conf_peer(7);
	struct ppp_conf lac = conf_auth(PPP_AUTH_PAP);
	struct ppp *old;

	net_init(&net, 6);
	net_pair(&net, &lac, &b);
	net.delay_min = 1;
	net.delay_max = 20;
	net.a.verdict = LATER;
	net_start(&net);
	net_run(&net, 2000);
	CU_ASSERT_STRING_EQUAL(info(&net.b).lcp_state, "opened");
	old = net.a.p;
	ppp_lower_down(old);
	ppp_free(old);
	net.a.verdict = JUDGE;
	end_new(&net, &net.a, &a);
	ppp_start(net.a.p, NULL, net.now);
	net_run(&net, 20000);
	CU_ASSERT_EQUAL(info(&net.a).phase, PPP_PH_NETWORK);
	CU_ASSERT_EQUAL(net.a.ups, 1);
	CU_ASSERT_EQUAL(net.b.ups, 1);
	CU_ASSERT_EQUAL(info(&net.b).auth, PPP_AUTH_MSCHAPV2);
	net_free(&net);
}

void suite_proxy(void)
{
	CU_pSuite s = CU_add_suite("proxy", NULL, NULL);

	CU_add_test(s, "CHAP", test_chap);
	CU_add_test(s, "CHAP with a wrong password", test_chap_wrong);
	CU_add_test(s, "PAP", test_pap);
	CU_add_test(s, "asked anew", test_rechallenge);
	CU_add_test(s, "unacceptable options", test_unacceptable);
	CU_add_test(s, "no authentication", test_no_auth);
	CU_add_test(s, "client restarts", test_client_restarts);
	CU_add_test(s, "client still open", test_client_opened);
}
