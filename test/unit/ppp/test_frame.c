/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Headers in every form, lengths that lie, protocols out of their phase. */
#include "unit/ppp/harness.h"

#include <stdlib.h>
#include <string.h>

static struct net net;

static struct end *fresh(uint32_t methods)
{
	struct ppp_conf c = conf_auth(methods);

	net_init(&net, 21);
	end_new(&net, &net.a, &c);
	net_start(&net);
	return &net.a;
}

static struct end *in_network(void)
{
	struct end *e = fresh(PPP_AUTH_NONE);
	struct got g;

	hand_lcp_open(e, &g);
	return e;
}

static void test_header_forms(void)
{
	static const uint8_t full[] = {0xff, 3, 0xc0, 0x21, 9, 1, 0, 8, 0, 0, 0, 0};
	struct end *e = in_network();
	struct got g;

	drop_frames(e);
	feed_raw(e, full, sizeof(full));
	CU_ASSERT_TRUE(expect_frame(e, PPP_LCP, 10, &g));
	feed_raw(e, full + 2, sizeof(full) - 2); /* no FF03, agreed on or not */
	CU_ASSERT_TRUE(expect_frame(e, PPP_LCP, 10, &g));
	feed_raw(e, "\xff\x03\x21\x45", 4); /* one byte of protocol */
	feed_raw(e, "\x21\x45", 2);
	feed_raw(e, "\x21", 1);
	CU_ASSERT_EQUAL(info(e).rx_bad, 0);
	feed_raw(e, "", 0);
	feed_raw(e, "\xff\x03", 2);
	feed_raw(e, "\xff\x03\xc0", 3);
	CU_ASSERT_EQUAL(info(e).rx_bad, 3);
	CU_ASSERT_FALSE(next_frame(e, &g));
	feed_raw(e, "\xc0\x20\x01\x01\x00\x04", 6); /* even protocol number */
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(g.code, 8);
	CU_ASSERT_EQUAL(memcmp(g.body, "\xc0\x20\x01\x01\x00\x04", 6), 0);
	net_free(&net);
}

static void test_lengths(void)
{
	struct end *e = in_network();
	struct got g;
	uint8_t f[1700] = {0xc0, 0x21, 9, 1, 0, 8};

	drop_frames(e);
	for (size_t n = 2; n < 10; n++) /* cut short */
		feed_raw(e, f, n);
	CU_ASSERT_EQUAL(info(e).rx_bad, 8);
	CU_ASSERT_FALSE(next_frame(e, &g));
	f[5] = 3; /* Length below its own header */
	feed_raw(e, f, 10);
	f[4] = 0xff; /* .. beyond the frame */
	feed_raw(e, f, sizeof(f));
	f[4] = 0x06; /* .. beyond any MRU of ours */
	feed_raw(e, f, sizeof(f));
	CU_ASSERT_EQUAL(info(e).rx_bad, 11);
	CU_ASSERT_FALSE(next_frame(e, &g));
	/* padding is not part of the packet */
	f[4] = 0, f[5] = 8;
	f[10] = 0xaa;
	feed_raw(e, f, 60);
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(g.len, 4);
	net_free(&net);
}

/* What is early is dropped; an answer would end the peer's negotiation. */
static void test_phases(void)
{
	static const uint16_t early[] = {PPP_IPCP, PPP_CCP, PPP_IPV6CP, PPP_IPV4, 0x8057, 0x1235};
	struct end *e = fresh(PPP_AUTH_PAP);
	struct got g;

	drop_frames(e);
	for (size_t i = 0; i < 6; i++)
		feed(e, early[i], 1, 1, NULL, 0);
	hand_pap(e, 1, "alice", "sesame");
	CU_ASSERT_FALSE(next_frame(e, &g));
	CU_ASSERT_EQUAL(e->auths, 0);
	net_free(&net);

	e = fresh(PPP_AUTH_PAP);
	hand_lcp_open(e, &g);
	drop_frames(e);
	for (size_t i = 0; i < 6; i++)
		feed(e, early[i], 1, 1, NULL, 0);
	feed(e, PPP_CHAP, 2, 1, NULL, 0); /* not the method agreed on */
	CU_ASSERT_FALSE(next_frame(e, &g));
	CU_ASSERT_EQUAL(info(e).phase, PPP_PH_AUTHENTICATE);
	net_free(&net);
}

/* CCP and its like in flight must not touch IPCP. */
static void test_protocol_reject(void)
{
	static const uint16_t unknown[] = {PPP_CCP,  PPP_IPV6CP, PPP_MPLSCP,
	                                   PPP_IPV6, 0x00fd,     0x1235};
	struct end *e = in_network();
	struct got g;

	for (size_t i = 0; i < 6; i++) {
		drop_frames(e);
		feed(e, unknown[i], 1, 7, "\x12\x06\x00\x00\x00\x01", 6);
		CU_ASSERT_TRUE(next_frame(e, &g));
		CU_ASSERT_EQUAL(g.proto, PPP_LCP);
		CU_ASSERT_EQUAL(g.code, 8);
		CU_ASSERT_EQUAL(g.body[0] << 8 | g.body[1], unknown[i]);
		CU_ASSERT_EQUAL(memcmp(g.body + 2, "\x01\x07\x00\x0a\x12\x06\x00\x00\x00\x01", 10),
		                0);
		CU_ASSERT_TRUE(g.full_header);
		CU_ASSERT_FALSE(next_frame(e, &g));
		CU_ASSERT_STRING_EQUAL(info(e).ipcp_state, "req-sent");
	}
	CU_ASSERT_EQUAL(info(e).rx_unknown_protocol, 6);
	net_run(&net, 3000); /* IPCP's request comes again */
	hand_ipcp_open(e);
	feed(e, PPP_CCP, 1, 8, "\x12\x06\x00\x00\x00\x01", 6);
	feed(e, PPP_CCP, 5, 9, NULL, 0);
	CU_ASSERT_STRING_EQUAL(info(e).ipcp_state, "opened");
	CU_ASSERT_EQUAL(e->downs, 0);
	net_free(&net);
}

static void test_protocol_reject_received(void)
{
	static const struct {
		const char *proto;
		enum ppp_reason reason;
	} t[] = {{"\x80\x21", PPP_R_NCP_REJECTED},   {"\x00\x21", PPP_R_NCP_REJECTED},
	         {"\xc0\x21", PPP_R_PROTOCOL_ERROR}, {"\x80\xfd", PPP_R_NONE},
	         {"\x80\x57", PPP_R_NONE},           {"\xc2\x23", PPP_R_NONE}};

	for (size_t i = 0; i < 6; i++) {
		struct end *e = in_network();

		feed(e, PPP_LCP, 8, 1, t[i].proto, 2);
		net_run(&net, 10000);
		CU_ASSERT_EQUAL(e->deads, t[i].reason != PPP_R_NONE);
		CU_ASSERT_EQUAL(e->reason, t[i].reason);
		net_free(&net);
	}
	{
		struct end *e = fresh(PPP_AUTH_CHAP_MD5);
		struct got g;

		feed(e, PPP_LCP, 8, 1, "\xc0\x21", 2); /* not before Opened */
		CU_ASSERT_EQUAL(e->deads, 0);
		hand_lcp_open(e, &g);
		feed(e, PPP_LCP, 8, 1, "\xc2", 1);
		CU_ASSERT_EQUAL(info(e).rx_bad, 1);
		feed(e, PPP_LCP, 8, 1, "\xc2\x23", 2);
		net_run(&net, 10000);
		CU_ASSERT_EQUAL(e->reason, PPP_R_AUTH_REFUSED);
		net_free(&net);
	}
}

/* What is sent back to the peer fits its MRU. */
static void test_small_mru(void)
{
	static const uint8_t opts[] = {1, 4, 0, 128};
	uint8_t big[600] = {0};
	struct end *e = fresh(PPP_AUTH_NONE);
	struct got g;

	expect_frame(e, PPP_LCP, 1, &g);
	feed(e, PPP_LCP, 2, g.id, g.body, g.len);
	feed(e, PPP_LCP, 1, 3, opts, sizeof(opts));
	drop_frames(e);
	CU_ASSERT_EQUAL(info(e).mtu, 128);
	feed(e, PPP_LCP, 9, 3, big, sizeof(big));
	CU_ASSERT_TRUE(expect_frame(e, PPP_LCP, 10, &g));
	CU_ASSERT_EQUAL(g.len, 124);
	feed(e, PPP_CCP, 1, 3, big, sizeof(big));
	CU_ASSERT_TRUE(expect_frame(e, PPP_LCP, 8, &g));
	CU_ASSERT_EQUAL(g.len, 124);
	net_free(&net);
}

/* With ACFC agreed, all but LCP leave out FF03. */
static void test_compressed_sending(void)
{
	static const uint8_t opts[] = {7, 2, 8, 2};
	struct end *e = fresh(PPP_AUTH_NONE);
	struct got g;

	expect_frame(e, PPP_LCP, 1, &g);
	feed(e, PPP_LCP, 2, g.id, g.body, g.len);
	feed(e, PPP_LCP, 1, 3, opts, sizeof(opts));
	CU_ASSERT_TRUE(info(e).tx_acfc && info(e).tx_pfc);
	expect_frame(e, PPP_IPCP, 1, &g);
	CU_ASSERT_FALSE(g.full_header);
	feed(e, PPP_LCP, 9, 3, "\0\0\0\0", 4);
	expect_frame(e, PPP_LCP, 10, &g);
	CU_ASSERT_TRUE(g.full_header);
	net_free(&net);
}

static void test_names(void)
{
	for (int r = -1; r <= PPP_R_MAX; r++) {
		uint16_t code = 99, proto = 99;
		uint8_t dir = 99;

		CU_ASSERT(strlen(ppp_reason_name((enum ppp_reason)r)) > 0);
		ppp_reason_cause((enum ppp_reason)r, &code, &proto, &dir);
		CU_ASSERT(code <= 20 && dir <= 2);
	}
	CU_ASSERT_STRING_EQUAL(ppp_auth_method_name(PPP_AUTH_MSCHAPV2), "mschapv2");
	CU_ASSERT_STRING_EQUAL(ppp_auth_method_name(PPP_AUTH_CHAP_MD5), "chap");
	CU_ASSERT_STRING_EQUAL(ppp_auth_method_name(PPP_AUTH_PAP), "pap");
	CU_ASSERT_STRING_EQUAL(ppp_auth_method_name(PPP_AUTH_NONE), "none");
	CU_ASSERT_STRING_EQUAL(ppp_phase_name(PPP_PH_NETWORK), "network");
}

void suite_frame(void)
{
	CU_pSuite s = CU_add_suite("frames", NULL, NULL);

	CU_add_test(s, "header forms", test_header_forms);
	CU_add_test(s, "lengths", test_lengths);
	CU_add_test(s, "phases", test_phases);
	CU_add_test(s, "Protocol-Reject sent", test_protocol_reject);
	CU_add_test(s, "Protocol-Reject received", test_protocol_reject_received);
	CU_add_test(s, "compressed sending", test_compressed_sending);
	CU_add_test(s, "small MRU", test_small_mru);
	CU_add_test(s, "names and causes", test_names);
}
