/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Downstream through an SA: what the peer can decrypt, and that nothing leaves in the clear. */
#include "dataplane/esp_rig.h"

#include <errno.h>
#include <string.h>

#define N_ROWS(t) (sizeof(t) / sizeof((t)[0]))
#define DATA      8 /* of the L2TP message in the inner bytes: behind UDP */

static void put_down(uint32_t dst, uint16_t payload, uint16_t id)
{
	struct bytes frame = {0};

	eth_ip4(&frame, IF_CORE,
	        &(struct ipspec){.src = WORLD, .dst = dst, .payload = payload, .id = id});
	rig_put(1, 0, &frame);
}

static void up(struct peer *p, struct pair *q)
{
	struct dp_session s;

	peer_add(p);
	pair_up(q, p);
	s = peer_session(p);
	rig_add(&s);
	rig_clear();
}

static const struct {
	bool tunnel_mode, encap, esn;
	const struct esp_suite *suite;
} forms[] = {
        {false, false, false, &suite_gcm},  {false, true, false, &suite_gcm},
        {true, false, true, &suite_gcm},    {true, true, false, &suite_gcm},
        {false, false, true, &suite_cbc},   {false, true, false, &suite_cbc},
        {true, false, false, &suite_cbc},   {true, true, true, &suite_cbc},
        {false, false, false, &suite_null},
};

static void check_data(const struct bytes *inner, uint16_t id)
{
	const uint8_t *ip = inner->b + DATA + 6 + 4;

	CU_ASSERT_EQUAL(memcmp(inner->b + DATA, "\x00\x02\x22\x02\x33\x03\xff\x03\x00\x21", 10), 0);
	CU_ASSERT_EQUAL(inner->len, DATA + 6u + 4 + 60);
	CU_ASSERT_TRUE(ip4_sum_right(ip));
	CU_ASSERT_EQUAL(ip[8], 63);
	CU_ASSERT_EQUAL(get_be16(ip + 4), id);
}

static void test_forms(void)
{
	for (size_t i = 0; i < N_ROWS(forms); i++) {
		struct bytes inner = {0};
		struct dp_session_stats st;
		struct peer p;
		struct pair q;

		rig_open(NULL);
		peer_init(&p);
		p.tunnel_mode = forms[i].tunnel_mode;
		p.encap = forms[i].encap;
		p.esn = forms[i].esn;
		p.suite = *forms[i].suite;
		up(&p, &q);
		for (uint16_t k = 0; k < 20; k++)
			put_down(SUB, 40, k);
		rig_turn();
		CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 20);
		for (uint16_t k = 0; k < 20; k++) {
			CU_ASSERT_EQUAL(peer_opens_nr(k, &p, &q, &inner), 2);
			check_data(&inner, k);
		}
		CU_ASSERT_EQUAL(dp_session_stats(rig()->dp, SID, GEN, &st), 0);
		CU_ASSERT_EQUAL(st.tx_packets, 20);
		CU_ASSERT_EQUAL(sa_stats(q.out_id).packets, 20);
		CU_ASSERT_EQUAL(sa_stats(q.out_id).seq, 20);
		CU_ASSERT_TRUE(sa_stats(q.out_id).in_use);
		pair_free(&q);
		rig_close();
	}
}

static CU_TestInfo tests[] = {
        {"every form", test_forms},
        CU_TEST_INFO_NULL,
};

CU_TestInfo *esp_down_tests(void)
{
	return tests;
}
