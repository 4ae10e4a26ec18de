/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Both ends of a link, joined by wires good and bad. */
#include "unit/ppp/harness.h"

#include <stdlib.h>
#include <string.h>

static const uint32_t methods[] = {PPP_AUTH_NONE, PPP_AUTH_PAP, PPP_AUTH_CHAP_MD5,
                                   PPP_AUTH_MSCHAPV2};

static struct net *net_new(uint64_t seed)
{
	struct net *n = malloc(sizeof(*n));

	net_init(n, seed);
	return n;
}

static void check_open(struct net *n, uint32_t method)
{
	struct ppp_info a = info(&n->a), b = info(&n->b);

	CU_ASSERT_EQUAL(n->a.ups - n->a.downs, 1);
	CU_ASSERT_EQUAL(n->b.ups - n->b.downs, 1);
	CU_ASSERT_EQUAL(a.phase, PPP_PH_NETWORK);
	CU_ASSERT_EQUAL(a.auth, method);
	CU_ASSERT_EQUAL(b.auth, method);
	CU_ASSERT_EQUAL(a.authenticated, method != PPP_AUTH_NONE);
	CU_ASSERT_EQUAL(a.peer_ip, 0x0a000002);
	CU_ASSERT_EQUAL(b.local_ip, 0x0a000002);
	CU_ASSERT_EQUAL(b.peer_ip, 0x0a000001);
	CU_ASSERT_EQUAL(b.dns[0], 0x08080808);
	CU_ASSERT_EQUAL(b.dns[1], 0x08080404);
	CU_ASSERT_EQUAL(a.peer_magic, b.magic);
	CU_ASSERT_EQUAL(b.peer_magic, a.magic);
	if (method != PPP_AUTH_NONE)
		CU_ASSERT_STRING_EQUAL(a.user, "alice");
}

static void test_straight(void)
{
	for (size_t i = 0; i < 4; i++) {
		struct net *n = net_new(7 + i);
		struct ppp_conf a = conf_auth(methods[i]), b = conf_peer(7);

		a.want_acfc = b.want_acfc = a.want_pfc = true;
		net_pair(n, &a, &b);
		net_start(n);
		net_run(n, 10000);
		check_open(n, methods[i]);
		CU_ASSERT_TRUE(info(&n->a).tx_acfc);
		CU_ASSERT_TRUE(info(&n->b).tx_pfc);
		CU_ASSERT_EQUAL(info(&n->b).mtu, 1460);
		ppp_close(n->a.p, n->now);
		net_run(n, 20000);
		CU_ASSERT_EQUAL(n->a.reason, PPP_R_ADMIN);
		CU_ASSERT_EQUAL(n->b.reason, PPP_R_PEER_TERMINATED);
		net_free(n);
		free(n);
	}
}

static void test_wrong_password(void)
{
	for (size_t i = 1; i < 4; i++) {
		struct net *n = net_new(70 + i);
		struct ppp_conf a = conf_auth(methods[i]), b = conf_peer(7);

		strcpy(b.password, "simsim");
		net_pair(n, &a, &b);
		net_start(n);
		net_run(n, 100000);
		CU_ASSERT_EQUAL(n->a.deads, 1);
		CU_ASSERT_EQUAL(n->b.deads, 1);
		CU_ASSERT_EQUAL(n->b.reason, PPP_R_AUTH_FAILED);
		CU_ASSERT_EQUAL(n->a.ups, 0);
		CU_ASSERT_EQUAL(n->b.ups, 0);
		CU_ASSERT_EQUAL(n->a.auths, 1);
		net_free(n);
		free(n);
	}
}

/* MS-CHAPv2 works both ways: a server that does not know the password is found out. */
static void test_false_server(void)
{
	struct net *n = net_new(5);
	struct ppp_conf a = conf_auth(PPP_AUTH_MSCHAPV2), b = conf_peer(7);

	net_pair(n, &a, &b);
	n->a.verdict = ACCEPT;
	net_start(n);
	net_run(n, 100000);
	CU_ASSERT_EQUAL(n->b.reason, PPP_R_AUTH_FAILED);
	CU_ASSERT_EQUAL(n->b.ups, 0);
	net_free(n);
	free(n);
}

/* A wire that loses a fifth, doubles a fifth, reorders; answers of AAA come late. */
static void test_bad_wire(void)
{
	for (uint64_t seed = 1; seed <= 400; seed++) {
		struct net *n = net_new(seed);
		uint32_t m = methods[seed % 4];
		struct ppp_conf a = conf_auth(m), b = conf_peer(7);

		a.max_configure = b.max_configure = 40;
		a.auth_timeout_ms = b.auth_timeout_ms = 200000;
		a.ncp_timeout_ms = b.ncp_timeout_ms = 200000;
		net_pair(n, &a, &b);
		n->loss = 20;
		n->dup = 20;
		n->delay_min = 5;
		n->delay_max = 400;
		n->a.delay_ms = seed % 3 == 0 ? 1500 : 0;
		net_start(n);
		net_run(n, 300000);
		check_open(n, m);
		ppp_close(seed % 2 ? n->a.p : n->b.p, n->now);
		net_run(n, 300000);
		CU_ASSERT_EQUAL(seed % 2 ? n->a.reason : n->b.reason, PPP_R_ADMIN);
		net_free(n);
		free(n);
	}
}

/* Single-shot on a wire that doubles and reorders but delays no longer than the restart time. */
static void test_single_shot_survives_duplicates(void)
{
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct net *n = net_new(seed);
		uint32_t m = methods[seed % 4];
		struct ppp_conf a = conf_auth(m), b = conf_peer(7);

		a.single_shot = true;
		a.max_configure = b.max_configure = 40;
		net_pair(n, &a, &b);
		n->loss = 10;
		n->dup = 30;
		n->delay_min = 5;
		n->delay_max = 300;
		net_start(n);
		net_run(n, 200000);
		if (n->a.deads > 0)
			printf("seed %u reason %s\n", (unsigned int)seed,
			       ppp_reason_name(n->a.reason));
		check_open(n, m);
		CU_ASSERT_EQUAL(n->a.auths, m != PPP_AUTH_NONE);
		net_free(n);
		free(n);
	}
}

/* A client behind a LAC that starts long after we did, and a wire that is cut at the end. */
static void test_slow_client_then_silence(void)
{
	struct net *n = net_new(3);
	struct ppp_conf a = conf_auth(PPP_AUTH_CHAP_MD5), b = conf_peer(7);

	a.echo_ms = 10000;
	a.echo_failures = 3;
	net_pair(n, &a, &b);
	n->delay_min = 1;
	n->delay_max = 10;
	ppp_start(n->a.p, NULL, n->now);
	net_run(n, 25000);
	ppp_start(n->b.p, NULL, n->now);
	net_run(n, 10000);
	check_open(n, PPP_AUTH_CHAP_MD5);
	net_run(n, 3600000);
	check_open(n, PPP_AUTH_CHAP_MD5);
	CU_ASSERT(info(&n->a).echo_tx > 100);
	n->loss = 100;
	net_run(n, 60000);
	CU_ASSERT_EQUAL(n->a.reason, PPP_R_ECHO_TIMEOUT);
	net_free(n);
	free(n);
}

static void test_silent_peer(void)
{
	struct net *n = net_new(3);
	struct ppp_conf a = conf_auth(PPP_AUTH_PAP);

	end_new(n, &n->a, &a);
	net_start(n);
	net_run(n, 29999);
	CU_ASSERT_EQUAL(n->a.deads, 0);
	CU_ASSERT_EQUAL(n->a.n_sent, 10); /* Max-Configure */
	net_run(n, 1);
	CU_ASSERT_EQUAL(n->a.reason, PPP_R_LCP_SILENT);
	net_free(n);
	free(n);
}

static void test_loopback(void)
{
	for (uint64_t seed = 1; seed < 20; seed++) {
		struct net *n = net_new(seed);
		struct ppp_conf a = conf_auth(PPP_AUTH_CHAP_MD5);

		end_new(n, &n->a, &a);
		n->loopback = true;
		n->delay_min = seed % 2;
		n->delay_max = seed % 2 * 20;
		net_start(n);
		net_run(n, 60000);
		CU_ASSERT_EQUAL(n->a.reason, PPP_R_LOOPBACK);
		net_free(n);
		free(n);
	}
}

/* The lower layer goes away inside any one of the sends: no callback after it, no timer. */
static void test_lower_down_anywhere(void)
{
	for (unsigned int at = 1; at < 12; at++) {
		struct net *n = net_new(9);
		struct ppp_conf a = conf_auth(PPP_AUTH_CHAP_MD5), b = conf_peer(7);

		net_pair(n, &a, &b);
		n->a.down_at = at;
		net_start(n);
		net_run(n, 100000);
		CU_ASSERT_EQUAL(n->a.deads, 0);
		CU_ASSERT_EQUAL(n->a.after_down, 0);
		CU_ASSERT(n->b.deads == 1 || n->b.ups == 1); /* it had all that it needed */
		net_free(n);
		free(n);
	}
}

static void test_callbacks_that_close(void)
{
	struct net *n = net_new(9);
	struct ppp_conf a = conf_auth(PPP_AUTH_PAP), b = conf_peer(7);

	net_pair(n, &a, &b);
	n->a.close_in_callback = true;
	net_start(n);
	net_run(n, 100000);
	CU_ASSERT_EQUAL(n->a.deads, 1);
	CU_ASSERT_EQUAL(n->a.ups, 0);
	CU_ASSERT_EQUAL(n->a.reason, PPP_R_ADMIN);
	net_free(n);
	free(n);
}

void suite_pair(void)
{
	CU_pSuite s = CU_add_suite("pair", NULL, NULL);

	CU_add_test(s, "each method over a straight wire", test_straight);
	CU_add_test(s, "wrong password", test_wrong_password);
	CU_add_test(s, "server without the password", test_false_server);
	CU_add_test(s, "lossy wire", test_bad_wire);
	CU_add_test(s, "single-shot and duplicates", test_single_shot_survives_duplicates);
	CU_add_test(s, "slow client, then silence", test_slow_client_then_silence);
	CU_add_test(s, "silent peer", test_silent_peer);
	CU_add_test(s, "looped wire", test_loopback);
	CU_add_test(s, "lower layer down in a send", test_lower_down_anywhere);
	CU_add_test(s, "callbacks that close", test_callbacks_that_close);
}
