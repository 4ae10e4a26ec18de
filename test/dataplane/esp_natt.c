/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * ESP in UDP (RFC 3948) in vectors: peers behind one NAT, with the same inner address, and one that is not behind it.
 * What leaves is right in every byte; twice, as a first vector meets nothing that has been remembered.
 */
#include "dataplane/esp_rig.h"

#include <netinet/in.h>
#include <string.h>

#define PEERS  4
#define ROUNDS 2

static struct {
	struct peer p;
	struct pair q;
} peers[PEERS];

/* Whose packets are in a vector, in their order. */
static const uint8_t order[] = {0, 0, 1, 0, 2, 2, 1, 3, 1, 0, 2, 3, 3, 0, 1, 2};

static bool has_sum(int i)
{
	return i != 0;
}

static bool has_length(int i)
{
	return i == 1;
}

static void peers_up(void)
{
	rig_open(NULL);
	for (int i = 0; i < PEERS; i++) {
		struct peer *p = &peers[i].p;
		struct dp_session s;

		peer_init(p);
		p->c.conn += (uint64_t)i;
		p->encap = i != 3;
		p->outer_port = (uint16_t)(PEER_NAT + i);
		if (i == 2)
			p->suite = suite_cbc;
		peer_add(p);
		pair_up(&peers[i].q, p);
		s = peer_session(p);
		s.session_id = (uint16_t)(SID + i);
		s.peer_session_id = (uint16_t)(PEER_SID + i);
		s.peer_ip = SUB + (uint32_t)i;
		s.udp_checksum = has_sum(i);
		s.length_bit = has_length(i);
		rig_add(&s);
	}
	rig_clear();
}

static void peers_down(void)
{
	for (int i = 0; i < PEERS; i++)
		pair_free(&peers[i].q);
	rig_close();
}

/* Packet k of a vector, of 20 + k bytes behind its header, so that padding is of every length. */
static void packet_make(struct bytes *d, int round, uint16_t k, uint32_t src, uint32_t dst,
                        uint8_t ttl)
{
	ip4_make(d, &(struct ipspec){.src = src,
	                             .dst = dst,
	                             .id = (uint16_t)(round * 100 + k),
	                             .ttl = ttl,
	                             .payload = (uint16_t)(20 + k)});
}

/* The next packet of peer i in a vector, behind k; UINT16_MAX before the first one. */
static uint16_t next_of(uint32_t i, uint16_t k)
{
	do
		k++;
	while (k < sizeof(order) && order[k] != i);
	CU_ASSERT_FATAL(k < sizeof(order));
	return k;
}

/* ---- up ---- */

static void put_up(int round, uint16_t k)
{
	const uint8_t i = order[k];
	struct bytes packet = {0}, body = {0}, inner;

	packet_make(&packet, round, k, SUB + i, WORLD, 64);
	ppp_make(&body, k % 2 != 0 ? "ff030021" : "0021", &packet);
	peer_message(&inner, &peers[i].p,
	             &(struct l2tpspec){.flags = 2, .sid = (uint16_t)(SID + i), .body = &body});
	peer_put(&peers[i].p, &peers[i].q, &inner);
}

static void check_up(int round)
{
	const uint8_t head[] = {2, 0xcc, 0, 0, 0, 0xfe, 2, 0, 0, 0, 0, 2, 8, 0};
	uint16_t at[PEERS];

	memset(at, 0xff, sizeof(at));
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, sizeof(order));
	for (uint32_t f = 0; f < rig()->n_frames; f++) {
		const struct rig_frame *got = &rig()->frames[f];
		uint32_t i = get_be32(got->d.b + FRAME_IP + 12) - SUB;
		struct bytes want = {0};

		CU_ASSERT_FATAL(i < PEERS);
		at[i] = next_of(i, at[i]);
		put(&want, head, sizeof(head));
		packet_make(&want, round, at[i], SUB + i, WORLD, 63);
		CU_ASSERT_EQUAL(got->port, 1);
		CU_ASSERT_EQUAL_FATAL(got->d.len, want.len);
		CU_ASSERT_EQUAL(memcmp(got->d.b, want.b, want.len), 0);
	}
}

static void test_up(void)
{
	peers_up();
	for (int round = 0; round < ROUNDS; round++) {
		for (uint16_t k = 0; k < sizeof(order); k++)
			put_up(round, k);
		rig_turn();
		check_up(round);
		rig_clear();
	}
	peers_down();
}

/* ---- down ---- */

static void put_down(int round, uint16_t k)
{
	struct bytes frame;

	eth(&frame, IF_CORE, 0x0800);
	packet_make(&frame, round, k, WORLD, SUB + order[k], 64);
	rig_put(1, rig()->owner, &frame);
}

/* For whom a frame of port 0 is. */
static uint32_t receiver(const struct bytes *d)
{
	if (d->b[FRAME_IP + 9] == IPPROTO_ESP)
		return 3;
	return get_be16(d->b + FRAME_UDP + 2) - (uint32_t)PEER_NAT;
}

/* What the peer's UDP layer gets. */
static void message_make(struct bytes *d, int round, uint16_t k)
{
	const uint8_t i = order[k];
	struct bytes packet = {0}, body = {0};

	packet_make(&packet, round, k, WORLD, SUB + i, 63);
	ppp_make(&body, "ff030021", &packet);
	l2tp_make(d, &(struct l2tpspec){.src = LNS,
	                                .dst = PEER_INNER,
	                                .flags = has_length(i) ? 0x4002 : 2,
	                                .tid = PEER_TID,
	                                .sid = (uint16_t)(PEER_SID + i),
	                                .sum = has_sum(i) ? SUM_RIGHT : SUM_NONE,
	                                .body = &body});
	d->len -= FRAME_UDP;
	memmove(d->b, d->b + FRAME_UDP, d->len);
}

static void check_down(int round, uint32_t seq[PEERS])
{
	uint16_t at[PEERS];

	memset(at, 0xff, sizeof(at));
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, sizeof(order));
	for (uint32_t f = 0; f < rig()->n_frames; f++) {
		const struct bytes *d = &rig()->frames[f].d;
		uint32_t i = receiver(d);
		const uint8_t *esp = d->b + FRAME_UDP + (i == 3 ? 0 : 8);
		struct bytes inner = {0}, want = {0};

		CU_ASSERT_FATAL(i < PEERS);
		at[i] = next_of(i, at[i]);
		CU_ASSERT_EQUAL(rig()->frames[f].port, 0);
		CU_ASSERT_EQUAL(d->b[FRAME_IP + 1], 0);
		CU_ASSERT_EQUAL(get_be32(esp), peers[i].q.out.spi);
		CU_ASSERT_EQUAL(get_be32(esp + 4), ++seq[i]);
		peer_opens(d, &peers[i].p, &peers[i].q, &inner);
		message_make(&want, round, at[i]);
		CU_ASSERT_EQUAL_FATAL(inner.len, want.len);
		CU_ASSERT_EQUAL(memcmp(inner.b, want.b, want.len), 0);
	}
}

static void test_down(void)
{
	uint32_t seq[PEERS] = {0};

	peers_up();
	for (int round = 0; round < ROUNDS; round++) {
		for (uint16_t k = 0; k < sizeof(order); k++)
			put_down(round, k);
		rig_turn();
		check_down(round, seq);
		rig_clear();
	}
	peers_down();
}

CU_TestInfo *esp_natt_tests(void)
{
	static CU_TestInfo tests[] = {
	        {"a vector up", test_up},
	        {"a vector down", test_down},
	        CU_TEST_INFO_NULL,
	};

	return tests;
}
