/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* IPCP: addresses, name servers, and what goes wrong with them. */
#include "unit/ppp/harness.h"

#include <string.h>

static struct net net;

static struct end *fresh_conf(const struct ppp_conf *c)
{
	struct got g;

	net_init(&net, 61);
	end_new(&net, &net.a, c);
	net_start(&net);
	hand_lcp_open(&net.a, &g);
	return &net.a;
}

static struct end *fresh(void)
{
	struct ppp_conf c = conf_auth(PPP_AUTH_NONE);

	c.nbns[0] = 0x0a0000fe;
	return fresh_conf(&c);
}

#define ADDR 3, 6, 10, 0, 0, 2

static const struct {
	const char *what;
	uint8_t req[24], req_len, code, ans[24], ans_len;
} options[] = {
        {"the right address", {ADDR}, 6, 2, {ADDR}, 6},
        {"any address", {3, 6, 0, 0, 0, 0}, 6, 3, {ADDR}, 6},
        {"another address", {3, 6, 1, 2, 3, 4}, 6, 3, {ADDR}, 6},
        {"short address", {3, 4, 0, 0}, 4, 3, {ADDR}, 6},
        {"no address", {0}, 0, 3, {ADDR}, 6},
        {"two addresses", {ADDR, 3, 6, 0, 0, 0, 0}, 12, 4, {3, 6, 0, 0, 0, 0}, 6},
        {"IP-Addresses",
         {1, 10, 1, 1, 1, 1, 2, 2, 2, 2},
         10,
         4,
         {1, 10, 1, 1, 1, 1, 2, 2, 2, 2},
         10},
        {"VJ", {2, 6, 0, 0x2d, 15, 1, ADDR}, 12, 4, {2, 6, 0, 0x2d, 15, 1}, 6},
        {"DNS", {ADDR, 129, 6, 0, 0, 0, 0}, 12, 3, {129, 6, 8, 8, 8, 8}, 6},
        {"the right DNS", {ADDR, 129, 6, 8, 8, 8, 8}, 12, 2, {ADDR, 129, 6, 8, 8, 8, 8}, 12},
        {"short DNS", {ADDR, 131, 2}, 8, 3, {131, 6, 8, 8, 4, 4}, 6},
        {"NBNS", {ADDR, 130, 6, 0, 0, 0, 0}, 12, 3, {130, 6, 10, 0, 0, 254}, 6},
        {"no such NBNS", {ADDR, 132, 6, 0, 0, 0, 0}, 12, 4, {132, 6, 0, 0, 0, 0}, 6},
        {"mobile IP", {ADDR, 4, 6, 0, 0, 0, 0}, 12, 4, {4, 6, 0, 0, 0, 0}, 6},
        {"reject beats nak",
         {3, 6, 0, 0, 0, 0, 132, 6, 0, 0, 0, 0},
         12,
         4,
         {132, 6, 0, 0, 0, 0},
         6},
};

static void test_options(void)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		struct end *e = fresh();
		struct got g;

		drop_frames(e);
		feed(e, PPP_IPCP, 1, 0x33, options[i].req, options[i].req_len);
		CU_ASSERT_TRUE(next_frame(e, &g));
		if (g.code != options[i].code || g.len != options[i].ans_len ||
		    memcmp(g.body, options[i].ans, g.len) != 0)
			printf("option: %s\n", options[i].what);
		CU_ASSERT_EQUAL(g.proto, PPP_IPCP);
		CU_ASSERT_EQUAL(g.code, options[i].code);
		CU_ASSERT_EQUAL(g.len, options[i].ans_len);
		CU_ASSERT_EQUAL(memcmp(g.body, options[i].ans, options[i].ans_len), 0);
		CU_ASSERT_FALSE(next_frame(e, &g));
		net_free(&net);
	}
}

static void test_malformed(void)
{
	struct end *e = fresh();
	struct got g;

	drop_frames(e);
	feed(e, PPP_IPCP, 1, 1, "\x03", 1);
	feed(e, PPP_IPCP, 1, 1, "\x03\x00\x00", 3);
	feed(e, PPP_IPCP, 1, 1, "\x03\x07\x00\x00\x00\x00", 6);
	CU_ASSERT_EQUAL(info(e).rx_bad, 3);
	CU_ASSERT_FALSE(next_frame(e, &g));
	feed(e, PPP_IPCP, 8, 1, "\x80\x21", 2); /* codes of LCP are none here */
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(g.code, 7);
	CU_ASSERT_EQUAL(g.proto, PPP_IPCP);
	net_free(&net);
}

/* A client that will not speak of its address: told once, then let in under the one we gave. */
static void test_silent_about_address(void)
{
	struct end *e = fresh();
	struct got g;

	expect_frame(e, PPP_IPCP, 1, &g);
	feed(e, PPP_IPCP, 2, g.id, g.body, g.len);
	feed(e, PPP_IPCP, 1, 1, NULL, 0);
	expect_frame(e, PPP_IPCP, 3, &g);
	feed(e, PPP_IPCP, 1, 2, NULL, 0);
	expect_frame(e, PPP_IPCP, 2, &g);
	CU_ASSERT_EQUAL(e->ups, 1);
	CU_ASSERT_EQUAL(info(e).peer_ip, 0x0a000002);
	CU_ASSERT_EQUAL(info(e).local_ip, 0x0a000001);
	net_free(&net);
}

/* The peer sends as soon as it has our Ack: the owner is told before, and may still think better of it. */
static void test_up_before_ack(void)
{
	static const uint8_t right[] = {ADDR};

	for (int closes = 0; closes < 2; closes++) {
		struct end *e = fresh();
		unsigned int acks = 0;
		struct got g;

		expect_frame(e, PPP_IPCP, 1, &g);
		feed(e, PPP_IPCP, 2, g.id, g.body, g.len);
		drop_frames(e);
		e->close_in_callback = closes != 0;
		feed(e, PPP_IPCP, 1, 0x44, right, sizeof(right));
		while (next_frame(e, &g))
			acks += g.proto == PPP_IPCP && g.code == 2 && g.id == 0x44;
		CU_ASSERT_EQUAL(e->ups, 1);
		CU_ASSERT_EQUAL(acks, closes ? 0 : 1);
		if (!closes)
			CU_ASSERT_EQUAL(info(e).peer_ip, 0x0a000002);
		e->close_in_callback = false;
		net_free(&net);
	}
}

static void test_own_address(void)
{
	struct end *e = fresh();
	struct got g;
	int n;

	/* the client wants us to be somebody else: a few times no, then without */
	for (n = 0; n < 20; n++) {
		expect_frame(e, PPP_IPCP, 1, &g);
		if (g.len == 0)
			break;
		CU_ASSERT_EQUAL(memcmp(g.body, "\x03\x06\x0a\x00\x00\x01", 6), 0);
		feed(e, PPP_IPCP, 3, g.id, "\x03\x06\x09\x09\x09\x09", 6);
	}
	CU_ASSERT_EQUAL(n, 5);
	net_free(&net);
	e = fresh();
	expect_frame(e, PPP_IPCP, 1, &g);
	feed(e, PPP_IPCP, 4, g.id, g.body, g.len);
	expect_frame(e, PPP_IPCP, 1, &g);
	CU_ASSERT_EQUAL(g.len, 0);
	feed(e, PPP_IPCP, 2, g.id, NULL, 0);
	feed(e, PPP_IPCP, 1, 2, "\x03\x06\x0a\x00\x00\x02", 6);
	CU_ASSERT_EQUAL(e->ups, 1);
	CU_ASSERT_EQUAL(info(e).local_ip, 0);
	net_free(&net);
}

static void test_what_the_owner_says(void)
{
	struct end *e = fresh();
	struct got g;

	e->any_address = true;
	drop_frames(e);
	feed(e, PPP_IPCP, 1, 1, "\x03\x06\x01\x02\x03\x04", 6);
	expect_frame(e, PPP_IPCP, 2, &g);
	CU_ASSERT_EQUAL(info(e).peer_ip, 0); /* not before it is open */
	net_free(&net);
	for (int i = 0; i < 2; i++) {
		e = fresh();
		e->address = 0;
		feed(e, PPP_IPCP, 1, 1, "\x03\x06\x00\x00\x00\x00", i == 0 ? 6 : 0);
		CU_ASSERT_EQUAL(info(e).phase, PPP_PH_TERMINATE);
		net_run(&net, 10000);
		CU_ASSERT_EQUAL(e->reason, PPP_R_NO_ADDRESS);
		net_free(&net);
	}
}

static void test_not_converged(void)
{
	struct end *e = fresh();
	struct got g;
	int naks = 0;

	for (int i = 0; i < 20; i++) {
		drop_frames(e);
		feed(e, PPP_IPCP, 1, (uint8_t)i, "\x03\x06\x01\x02\x03\x04", 6);
		naks += next_frame(e, &g) && g.proto == PPP_IPCP && g.code == 3;
	}
	CU_ASSERT_EQUAL(naks, 5);
	net_run(&net, 10000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_NCP_NOT_CONVERGED);
	net_free(&net);
}

static void test_timeouts(void)
{
	struct ppp_conf c = conf_auth(PPP_AUTH_NONE);
	struct end *e = fresh();

	net_run(&net, 29000); /* ten requests, no answer */
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_NETWORK);
	net_run(&net, 8000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_NCP_TIMEOUT);
	net_free(&net);
	c.ncp_timeout_ms = 5000; /* the limit is shorter */
	e = fresh_conf(&c);
	net_run(&net, 4999);
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_NETWORK);
	net_run(&net, 1);
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_TERMINATE);
	net_run(&net, 8000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_NCP_TIMEOUT);
	net_free(&net);
	/* once open it is of no account */
	e = fresh_conf(&c);
	hand_ipcp_open(e);
	net_run(&net, 100000);
	CU_ASSERT_EQUAL(e->deads, 0);
	net_free(&net);
}

static void test_closed_by_peer(void)
{
	struct ppp_conf c = conf_auth(PPP_AUTH_NONE);
	struct end *e = fresh_conf(&c);
	struct got g;

	hand_ipcp_open(e);
	feed(e, PPP_IPCP, 5, 1, NULL, 0);
	CU_ASSERT_TRUE(expect_frame(e, PPP_IPCP, 6, &g));
	CU_ASSERT_EQUAL(e->downs, 1);
	net_run(&net, 5000);
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_NETWORK);
	/* it may come back */
	feed(e, PPP_IPCP, 1, 0x55, "\x03\x06\x0a\x00\x00\x02", 6);
	CU_ASSERT_TRUE(expect_frame(e, PPP_IPCP, 1, &g));
	feed(e, PPP_IPCP, 2, g.id, g.body, g.len);
	CU_ASSERT_EQUAL(e->ups, 2);
	/* or start anew without a word */
	feed(e, PPP_IPCP, 1, 0x56, "\x03\x06\x00\x00\x00\x00", 6);
	CU_ASSERT_EQUAL(e->downs, 2);
	CU_ASSERT_TRUE(expect_frame(e, PPP_IPCP, 1, &g));
	CU_ASSERT_TRUE(expect_frame(e, PPP_IPCP, 3, &g));
	net_run(&net, 100000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_NCP_TIMEOUT);
	net_free(&net);
	/* or not at all */
	e = fresh_conf(&c);
	hand_ipcp_open(e);
	feed(e, PPP_IPCP, 5, 1, NULL, 0);
	net_run(&net, 59000);
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_NETWORK);
	net_run(&net, 8000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_NCP_TIMEOUT);
	net_free(&net);
}

/* Copies of answered requests, late or doubled, do not take IPCP down; but not without end. */
static void test_copies(void)
{
	static const uint8_t any[] = {3, 6, 0, 0, 0, 0}, good[] = {ADDR};
	struct end *e = fresh();
	struct got g;

	feed(e, PPP_IPCP, 1, 0x20, any, 6);
	expect_frame(e, PPP_IPCP, 3, &g);
	feed(e, PPP_IPCP, 1, 0x21, good, 6);
	e->taken = 0;
	expect_frame(e, PPP_IPCP, 1, &g);
	feed(e, PPP_IPCP, 2, g.id, g.body, g.len);
	CU_ASSERT_EQUAL(e->ups, 1);
	drop_frames(e);
	feed(e, PPP_IPCP, 1, 0x20, any, 6);
	CU_ASSERT_FALSE(next_frame(e, &g));
	feed(e, PPP_IPCP, 1, 0x21, good, 6);
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(g.code, 2);
	CU_ASSERT_EQUAL(e->downs, 0);
	for (int i = 0; i < 4; i++)
		feed(e, PPP_IPCP, 1, 0x21, good, 6);
	CU_ASSERT_EQUAL(e->downs, 1);
	net_free(&net);
}

static void test_code_reject(void)
{
	struct end *e = fresh();

	hand_ipcp_open(e);
	feed(e, PPP_IPCP, 7, 1, "\x01\x01\x00\x04", 4);
	CU_ASSERT_EQUAL(e->downs, 1);
	net_run(&net, 10000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_PROTOCOL_ERROR);
	net_free(&net);
	e = fresh();
	feed(e, PPP_IPCP, 7, 1, "\x01\x01\x00\x04", 4);
	net_run(&net, 10000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_PROTOCOL_ERROR);
	net_free(&net);
}

static void test_as_peer(void)
{
	/* and, last, an option that we did not ask for */
	static const uint8_t told[] = {3, 6, 10, 0, 0,   5, 129, 6, 1, 1, 1, 1, 130, 6,
	                               3, 3, 3,  3, 131, 6, 2,   2, 2, 2, 2, 4, 0,   45};
	struct ppp_conf c = conf_peer(PPP_AUTH_PAP);
	struct end *e;
	struct got g;

	c.nbns[0] = c.nbns[1] = 1;
	e = fresh_conf(&c);
	expect_frame(e, PPP_IPCP, 1, &g);
	CU_ASSERT_EQUAL(g.len, 30);
	for (uint8_t i = 0; i < 5; i++) /* address, DNS, NBNS, DNS, NBNS: all zero */
		CU_ASSERT_EQUAL(g.body[6 * i], i == 0 ? 3 : 128 + i);
	feed(e, PPP_IPCP, 4, g.id, g.body + 24, 6);
	expect_frame(e, PPP_IPCP, 1, &g);
	CU_ASSERT_EQUAL(g.len, 24);
	feed(e, PPP_IPCP, 3, g.id, told, sizeof(told));
	expect_frame(e, PPP_IPCP, 1, &g);
	CU_ASSERT_EQUAL(g.len, sizeof(told) - 4);
	CU_ASSERT_EQUAL(memcmp(g.body, told, g.len), 0);
	feed(e, PPP_IPCP, 2, g.id, g.body, g.len);
	feed(e, PPP_IPCP, 1, 1, "\x03\x06\0\0\0\0", 6); /* it asks us */
	expect_frame(e, PPP_IPCP, 4, &g);
	feed(e, PPP_IPCP, 1, 2, "\x03\x06\x0a\x00\x00\x01", 6);
	expect_frame(e, PPP_IPCP, 2, &g);
	CU_ASSERT_EQUAL(e->ups, 1);
	CU_ASSERT_EQUAL(info(e).local_ip, 0x0a000005);
	CU_ASSERT_EQUAL(info(e).dns[1], 0x02020202);
	net_free(&net);

	e = fresh_conf(&c); /* a server that gives no address */
	expect_frame(e, PPP_IPCP, 1, &g);
	feed(e, PPP_IPCP, 2, g.id, g.body, g.len);
	feed(e, PPP_IPCP, 1, 2, "\x03\x06\x0a\x00\x00\x01", 6);
	net_run(&net, 10000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_NO_ADDRESS);
	CU_ASSERT_EQUAL(e->ups, 0);
	net_free(&net);
}

void suite_ipcp(void)
{
	CU_pSuite s = CU_add_suite("ipcp", NULL, NULL);

	CU_add_test(s, "each option", test_options);
	CU_add_test(s, "malformed", test_malformed);
	CU_add_test(s, "silent about its address", test_silent_about_address);
	CU_add_test(s, "open before the Ack", test_up_before_ack);
	CU_add_test(s, "our own address", test_own_address);
	CU_add_test(s, "the owner decides", test_what_the_owner_says);
	CU_add_test(s, "does not converge", test_not_converged);
	CU_add_test(s, "timeouts", test_timeouts);
	CU_add_test(s, "closed and opened by the peer", test_closed_by_peer);
	CU_add_test(s, "copies", test_copies);
	CU_add_test(s, "Code-Reject", test_code_reject);
	CU_add_test(s, "as peer", test_as_peer);
}
