/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Packets that come before their SA is there. */
#include "dataplane/esp_rig.h"

#include <string.h>

static uint64_t held(void)
{
	struct dp_stats s;

	dp_stats_get(rig()->dp, -1, &s);
	return s.held;
}

static void test_install(void)
{
	struct dp_session s;
	struct peer p;
	struct pair q;

	rig_open(NULL);
	peer_init(&p);
	peer_add(&p);
	s = peer_session(&p);
	rig_add(&s);
	pair_make(&q, &p);
	for (int i = 0; i < 10; i++)
		peer_put_data(&p, &q, WORLD);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	CU_ASSERT_EQUAL(held(), 10);
	rig_law();
	pair_in(&q);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 10);
	CU_ASSERT_EQUAL(held(), 0);
	CU_ASSERT_EQUAL(sa_stats(q.in_id).packets, 10);
	CU_ASSERT_EQUAL(sa_stats(q.in_id).seq, 10);
	CU_ASSERT_EQUAL(events(q.in_id, DP_SA_FIRST), 1);
	/* They have shown that the peer is there: the outbound SA is used at once. */
	pair_out(&q);
	rig_turn();
	CU_ASSERT_TRUE(sa_stats(q.out_id).in_use);
	pair_free(&q);
	rig_close();
}

static void test_full(void)
{
	struct peer p;
	struct pair q;

	rig_open(NULL);
	peer_init(&p);
	peer_add(&p);
	pair_make(&q, &p);
	for (int i = 0; i < 70; i++)
		peer_put_data(&p, &q, WORLD);
	rig_turn();
	CU_ASSERT_EQUAL(held(), 64);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_ESP_HELD_FULL), 6);
	dp_spi_put(rig()->dp, q.in.spi);
	rig_wait_ms(15);
	rig_turn();
	CU_ASSERT_EQUAL(held(), 0);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_ESP_UNKNOWN_SPI), 64);
	peer_put_data(&p, &q, WORLD);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_ESP_UNKNOWN_SPI), 65);
	pair_free(&q);
	rig_close();
}

/* However many SPIs wait, not all buffers do; and SPIs that come back leave room for others. */
static void test_bound(void)
{
	struct bytes esp = {0}, frame;
	uint32_t spi[ESP_HELD_MAX / 4];
	struct peer p;

	rig_open(NULL);
	peer_init(&p);
	for (uint32_t i = 0; i < ESP_HELD_MAX / 4; i++) {
		CU_ASSERT_EQUAL_FATAL(dp_spi_get(rig()->dp, rig()->owner, &spi[i]), 0);
		for (int k = 0; k < 5; k++) {
			esp.len = 0;
			put32(&esp, spi[i]);
			put32(&esp, 1);
			peer_wrap(&frame, &p, &esp);
			rig_put(0, 0, &frame);
		}
		rig_turn();
	}
	CU_ASSERT_TRUE(held() <= ESP_HELD_MAX && held() > ESP_HELD_MAX / 2);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_ESP_HELD_FULL), ESP_HELD_MAX / 4 * 5 - held());
	rig_law();
	for (uint32_t i = 0; i < ESP_HELD_MAX / 4; i++)
		dp_spi_put(rig()->dp, spi[i]);
	rig_wait_ms(15);
	rig_turn();
	CU_ASSERT_EQUAL(held(), 0);
	rig_close();
}

static void test_timeout(void)
{
	struct peer p;
	struct pair q;
	uint64_t start;

	rig_open(NULL);
	peer_init(&p);
	peer_add(&p);
	pair_make(&q, &p);
	start = rig_ms();
	peer_put_data(&p, &q, WORLD);
	rig_turn();
	rig_wait_ms(400);
	rig_turn();
	CU_ASSERT_TRUE(held() == 1 || rig_ms() - start >= ESP_HOLD_MS);
	rig_wait_ms(700);
	rig_turn();
	CU_ASSERT_EQUAL(held(), 0);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_ESP_HELD_TIMEOUT), 1);
	pair_in(&q);
	peer_put_data(&p, &q, WORLD);
	rig_turn();
	CU_ASSERT_EQUAL(sa_stats(q.in_id).packets, 1);
	pair_free(&q);
	rig_close();
}

/* What waits is freed with the data plane. */
static void test_end(void)
{
	struct peer p;
	struct pair q;

	rig_open(NULL);
	peer_init(&p);
	peer_add(&p);
	pair_make(&q, &p);
	peer_put_data(&p, &q, WORLD);
	rig_turn();
	CU_ASSERT_EQUAL(held(), 1);
	pair_free(&q);
	rig_close();
}

static CU_TestInfo tests[] = {
        {"processed when it is installed", test_install},
        {"too many, and given back", test_full},
        {"bounded in all", test_bound},
        {"timeout", test_timeout},
        {"at the end", test_end},
        CU_TEST_INFO_NULL,
};

CU_TestInfo *esp_hold_tests(void)
{
	return tests;
}
