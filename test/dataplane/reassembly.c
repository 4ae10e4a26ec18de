/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Fragments of datagrams to us. */
#include "dataplane/rig.h"

#include <string.h>

#define N_ROWS(t) (sizeof(t) / sizeof((t)[0]))
#define MF        0x2000

/* Cuts a frame's packet at the given payload offsets (multiples of 8) and sends the pieces. */
static void send_cut(const struct bytes *frame, const uint16_t *at, int n, const int *order)
{
	uint16_t total = (uint16_t)(frame->len - 34);

	for (int k = 0; k < n; k++) {
		int i = order[k];
		uint16_t from = at[i], to = i + 1 < n ? at[i + 1] : total;
		struct bytes f = {0};

		put(&f, frame->b, 34);
		put(&f, frame->b + 34 + from, (size_t)(to - from));
		put_be16(f.b + 16, (uint16_t)(20 + to - from));
		put_be16(f.b + 20, (uint16_t)(from / 8 | (i + 1 < n ? MF : 0)));
		ip4_fix(&f, 14);
		rig_put(0, k % 2, &f); /* a port may spread them */
	}
	rig_turn();
}

static void data_frame(struct bytes *frame, uint16_t size, uint16_t ip_id)
{
	struct bytes packet = {0}, body = {0};

	ip4_make(&packet, &(struct ipspec){.src = SUB, .dst = WORLD, .payload = size});
	ppp_make(&body, "ff030021", &packet);
	l2tp_make(frame, &(struct l2tpspec){.flags = 2, .body = &body, .ip_id = ip_id});
}

static void test_reassembly(void)
{
	const uint16_t at[3] = {0, 800, 1408};
	const int orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0}};
	struct dp_stats s;
	struct bytes frame;

	rig_open(NULL);
	rig_add(rig_session());
	for (int i = 0; i < 3; i++) {
		data_frame(&frame, 1440, (uint16_t)(100 + i));
		send_cut(&frame, at, 3, orders[i]);
		CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
		CU_ASSERT_EQUAL(rig()->frames[0].d.len, 14 + 1460);
		CU_ASSERT_EQUAL(rig()->frames[0].port, 1);
		CU_ASSERT_EQUAL(memcmp(rig()->frames[0].d.b + 34, frame.b + 34 + 8 + 10 + 20, 1440),
		                0);
		rig_clear();
	}
	dp_stats_get(rig()->dp, -1, &s);
	CU_ASSERT_EQUAL(s.fragments_merged, 6);
	CU_ASSERT_EQUAL(s.held, 0);
	rig_close();
}

/* One piece with a tag and one without: headers of both lengths meet in one datagram. */
static void test_reassembly_mixed(void)
{
	struct bytes frame, f;

	for (int first_tagged = 0; first_tagged < 2; first_tagged++) {
		rig_open(NULL);
		rig_add(rig_session());
		data_frame(&frame, 1000, 1);
		for (int i = 0; i < 2; i++) {
			bool tagged = (i == 0) == (first_tagged != 0);
			struct ipspec s = {.src = LAC,
			                   .dst = LNS,
			                   .id = 1,
			                   .frag = i == 0 ? MF : 64,
			                   .payload =
			                           (uint16_t)(i == 0 ? 512 : frame.len - 34 - 512),
			                   .bytes = frame.b + 34 + (i == 0 ? 0 : 512)};

			eth_ip4(&f, tagged ? IF_LAC_VLAN : IF_LAC, &s);
			rig_put(0, 0, &f);
		}
		rig_turn();
		CU_ASSERT_EQUAL(rig()->n_frames, 1);
		CU_ASSERT_EQUAL(rig()->frames[0].d.len, 14 + 1020);
		rig_close();
	}
}

/* A control message may come in pieces, and datagrams of others go to the twin whole. */
static void test_reassembly_others(void)
{
	const uint16_t at[2] = {0, 16};
	const int order[2] = {1, 0};
	const struct endpoint us = {ipaddr_v4(LNS), 1701}, peer = {ipaddr_v4(LAC), 1701};
	struct bytes frame, body = {0};

	rig_open(NULL);
	CU_ASSERT_EQUAL(dp_tunnel_add(rig()->dp, TID, &us, &peer, 0), 0);
	hex_make(&body, "8008 0000 0000 0001");
	l2tp_make(
	        &frame,
	        &(struct l2tpspec){
	                .flags = 0xc802, .zero_ids = true, .tid = TID, .body = &body, .ip_id = 5});
	send_cut(&frame, at, 2, order);
	CU_ASSERT_EQUAL_FATAL(rig()->n_punts, 1);
	CU_ASSERT_EQUAL(rig()->punts[0].p.class, DP_PUNT_L2TP);
	CU_ASSERT_EQUAL(rig()->punts[0].d.len, 20);
	rig_clear();
	l2tp_make(&frame, &(struct l2tpspec){.flags = 2, .dport = 5000, .body = &body, .ip_id = 6});
	send_cut(&frame, at, 2, order);
	CU_ASSERT_EQUAL_FATAL(rig()->n_punts, 1);
	CU_ASSERT_EQUAL(rig()->punts[0].p.class, DP_PUNT_TWIN);
	CU_ASSERT_EQUAL(rig()->punts[0].d.len, frame.len);
	CU_ASSERT_TRUE(ip4_sum_right(rig()->punts[0].d.b + 14));
	rig_close();
}

static void test_reassembly_refusals(void)
{
	const uint16_t at[9] = {0, 160, 320, 480, 640, 800, 960, 1120, 1280};
	const int many[9] = {1, 2, 3, 4, 5, 6, 7, 0, 8}, twice[3] = {0, 0, 1};
	struct bytes frame;
	struct rte_mbuf *all[1024];
	unsigned n = 0;

	rig_open(NULL);
	rig_add(rig_session());
	data_frame(&frame, 1400, 1);
	send_cut(&frame, at, 9, many); /* more pieces than the table takes */
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	CU_ASSERT_TRUE(rig_drops(DP_DROP_REASS_FAILED) >= 8);
	data_frame(&frame, 1400, 2);
	send_cut(&frame, at, 3, twice); /* a duplicate gives the datagram up */
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	rig_law();
	while (n < 1024 && (all[n] = rte_pktmbuf_alloc(rig()->dp->large)) != NULL)
		n++;
	data_frame(&frame, 1400, 3);
	send_cut(&frame, at, 2, (const int[]){0, 1});
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_REASS_BUFFER), 1);
	rte_pktmbuf_free_bulk(all, n);
	rig_close();
}

/* Overlapping pieces, as attacks on reassembly have them, make no datagram. */
static void test_reassembly_overlap(void)
{
	const struct {
		uint16_t frag, len;
	} pieces[] = {{MF | 0, 64}, {MF | 4, 64}, {MF | 16, 32}, {20, 40}, {MF | 0, 8}, {1, 8}};
	struct bytes frame;

	rig_open(NULL);
	rig_add(rig_session());
	for (size_t i = 0; i < N_ROWS(pieces); i++) {
		eth_ip4(&frame, IF_LAC,
		        &(struct ipspec){.src = LAC,
		                         .dst = LNS,
		                         .id = 9,
		                         .frag = pieces[i].frag,
		                         .payload = pieces[i].len});
		rig_put(0, 0, &frame);
		rig_turn();
		rig_law();
	}
	/* The last piece of the largest datagram there can be, and a little more. */
	eth_ip4(&frame, IF_LAC,
	        &(struct ipspec){.src = LAC, .dst = LNS, .id = 10, .frag = 8191, .payload = 1400});
	rig_put(0, 0, &frame);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	rig_close();
}

static CU_TestInfo tests[] = {
        {"reassembly", test_reassembly},
        {"reassembly across interfaces", test_reassembly_mixed},
        {"reassembly of others", test_reassembly_others},
        {"reassembly refuses", test_reassembly_refusals},
        {"overlapping fragments", test_reassembly_overlap},
        CU_TEST_INFO_NULL,
};

CU_TestInfo *reassembly_tests(void)
{
	return tests;
}
