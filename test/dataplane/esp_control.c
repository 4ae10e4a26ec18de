/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What control orders about SPIs, children and SAs, and what it hears. */
#include "dataplane/esp_rig.h"

#include "esp/esp_int.h"

#include <errno.h>
#include <string.h>

/* ---- SPIs ---- */

static void test_spi(void)
{
	uint32_t a, b;
	struct dp *dp;

	rig_open(NULL);
	dp = rig()->dp;
	CU_ASSERT_EQUAL(dp_spi_get(dp, rig()->owner, &a), 0);
	CU_ASSERT_EQUAL(dp_spi_get(dp, rig()->owner, &b), 0);
	CU_ASSERT_NOT_EQUAL(a, b);
	CU_ASSERT_TRUE(a >> 24 != 0 && b >> 24 != 0);
	CU_ASSERT_EQUAL(dp_spi_worker(a), rig()->owner);
	CU_ASSERT_EQUAL(dp_spi_get(dp, rig()->n_workers, &b), -ENOSPC);
	CU_ASSERT_EQUAL(dp_spi_take(dp, a), -EBUSY);
	CU_ASSERT_EQUAL(dp_spi_take(dp, 0), -EINVAL);
	CU_ASSERT_EQUAL(dp_spi_take(dp, 255), -EINVAL);
	CU_ASSERT_EQUAL(dp_spi_take(dp, 0x1000 | rig()->n_workers), -EINVAL);
	CU_ASSERT_EQUAL(dp_spi_worker(0x1000 | 63), 63);
	CU_ASSERT_EQUAL(dp_spi_take(dp, 0x00009900), 0);
	CU_ASSERT_EQUAL(dp_spi_take(dp, 0x00009900), -EBUSY);
	CU_ASSERT_EQUAL(dp_spi_take(dp, 0x77009900), -EBUSY); /* the same slot */
	dp_spi_put(dp, 0x77009900); /* not ours */
	CU_ASSERT_EQUAL(dp_spi_take(dp, 0x00009900), -EBUSY);
	dp_spi_put(dp, 0x00009900);
	rig_turn();
	CU_ASSERT_EQUAL(dp_spi_take(dp, 0x77009900), 0);
	dp_spi_put(dp, 0);
	dp_spi_put(dp, a);
	dp_spi_put(dp, a);
	rig_close();
}

/* All of them, once each; then they come again, with other generations. */
static void test_spi_all(void)
{
	uint32_t spi, first = 0, n = 0;
	struct dp *dp;
	int rc;

	rig_open(NULL);
	dp = rig()->dp;
	CU_ASSERT_EQUAL(dp_spi_take(dp, 0x01000400 | rig()->owner), 0);
	while ((rc = dp_spi_get(dp, rig()->owner, &spi)) == 0) {
		first = n++ == 0 ? spi : first;
		if (spi_slot(spi) == spi_slot(0x01000400))
			CU_FAIL("a slot that was taken");
	}
	CU_ASSERT_EQUAL(rc, -ENOSPC);
	CU_ASSERT_EQUAL(n, SPI_SLOTS - 1);
	dp_spi_put(dp, first);
	/* Not before every worker has seen that it is free. */
	CU_ASSERT_EQUAL(dp_spi_get(dp, rig()->owner, &spi), -ENOSPC);
	for (uint16_t w = 0; w < rig()->n_workers; w++)
		dp_worker_poll(dp, w);
	for (int i = 0; i < 300; i++) {
		CU_ASSERT_EQUAL_FATAL(dp_spi_get(dp, rig()->owner, &spi), 0);
		CU_ASSERT_EQUAL(spi_slot(spi), spi_slot(first));
		CU_ASSERT_NOT_EQUAL(spi, first);
		CU_ASSERT_NOT_EQUAL(spi >> 24, 0);
		first = spi;
		dp_spi_put(dp, spi);
		for (uint16_t w = 0; w < rig()->n_workers; w++)
			dp_worker_poll(dp, w);
	}
	rig_close();
}

/* A packet on a slot's old SPI is not one for the new SA. */
static void test_spi_generation(void)
{
	struct bytes inner, esp = {0}, frame;
	uint32_t old, other;
	struct peer p;
	struct pair q;

	rig_open(NULL);
	peer_init(&p);
	peer_up(&p, &q);
	old = q.in.spi;
	other = old ^ (old >> 24 == 1 ? 2u : 1u) << 24; /* 0 would be a reserved SPI's */
	peer_data(&inner, &p, WORLD, NULL);
	peer_esp(&esp, &p, &q, &inner);
	pair_del(&q);
	CU_ASSERT_EQUAL(dp_spi_take(rig()->dp, other), -EBUSY);
	rig_turn();
	dp_tick(rig()->dp, 0);
	rig_turn();
	CU_ASSERT_EQUAL(dp_spi_take(rig()->dp, other), 0);
	peer_wrap(&frame, &p, &esp);
	rig_put(0, 0, &frame);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_ESP_UNKNOWN_SPI), 1);
	pair_free(&q);
	rig_close();
}

/* ---- children ---- */

static void test_children(void)
{
	uint32_t child, n = 1, last = 0;
	struct peer p;
	struct dp *dp;

	rig_open(NULL);
	dp = rig()->dp;
	peer_init(&p);
	CU_ASSERT_EQUAL(dp_child_del(dp, 0), -ENOENT);
	CU_ASSERT_EQUAL(dp_child_del(dp, 77), -ENOENT);
	CU_ASSERT_EQUAL(dp_child_del(dp, UINT32_MAX), -ENOENT);
	dp_child_latch(dp, 0);
	dp_child_latch(dp, UINT32_MAX);
	p.c.conn = 0;
	CU_ASSERT_EQUAL(dp_child_add(dp, &p.c, &child), -EINVAL);
	peer_init(&p);
	p.c.worker = rig()->n_workers;
	CU_ASSERT_EQUAL(dp_child_add(dp, &p.c, &child), -EINVAL);
	peer_init(&p);
	p.c.peer.addr.family = 10;
	CU_ASSERT_EQUAL(dp_child_add(dp, &p.c, &child), -EAFNOSUPPORT);
	peer_init(&p);
	peer_add(&p);
	CU_ASSERT_NOT_EQUAL(p.child, 0);
	while (dp_child_add(dp, &p.c, &child) == 0) {
		last = child;
		n++;
	}
	CU_ASSERT_EQUAL(n, CHILD_MAX - 1);
	CU_ASSERT_EQUAL(dp_child_add(dp, &p.c, &child), -ENOSPC);
	CU_ASSERT_EQUAL(dp_child_del(dp, last), 0);
	rig_turn();
	CU_ASSERT_EQUAL(dp_child_add(dp, &p.c, &child), 0);
	CU_ASSERT_EQUAL(child, last);
	rig_close();
}

/* A new child in an old one's place has not fired. */
static void test_child_again(void)
{
	uint32_t first;
	struct peer p;
	struct pair q;

	rig_open(NULL);
	peer_init(&p);
	peer_add(&p);
	first = p.child;
	dp_child_latch(rig()->dp, first);
	CU_ASSERT_EQUAL(dp_child_del(rig()->dp, first), 0);
	rig_turn();
	do {
		dp_tick(rig()->dp, 0);
		peer_add(&p);
	} while (p.child != first);
	pair_up(&q, &p);
	peer_put_data(&p, &q, WORLD);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_SS_FIRED), 0);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_L2TP_NO_SESSION), 1);
	pair_free(&q);
	rig_close();
}

/* ---- SAs ---- */

static void test_sa_refused(void)
{
	struct endpoint v6 = {{10, {0}}, 4500};
	struct dp_sa_stats st;
	struct peer p;
	struct pair q;
	dp_sa_id id;
	struct dp_sa s;
	struct dp *dp;

	rig_open(NULL);
	dp = rig()->dp;
	peer_init(&p);
	peer_add(&p);
	pair_make(&q, &p);
	s = q.in;
	s.child++;
	CU_ASSERT_EQUAL(dp_sa_add(dp, &s, &id, NULL), -ENOENT);
	s = q.in;
	s.spi ^= 1u << 30; /* not handed out */
	CU_ASSERT_EQUAL(dp_sa_add(dp, &s, &id, NULL), -ENOENT);
	s = q.in;
	s.enc_key_len--;
	CU_ASSERT_EQUAL(dp_sa_add(dp, &s, &id, NULL), -EINVAL);
	s = q.out;
	s.spi = 0;
	CU_ASSERT_EQUAL(dp_sa_add(dp, &s, &id, NULL), -EINVAL);
	s = q.in;
	s.peer = v6;
	CU_ASSERT_EQUAL(dp_sa_add(dp, &s, &id, NULL), -EAFNOSUPPORT);
	pair_in(&q);
	CU_ASSERT_EQUAL(dp_sa_add(dp, &q.in, &id, NULL), -EEXIST);
	CU_ASSERT_EQUAL(dp_sa_use(dp, q.in_id), -ENOENT); /* inbound */
	CU_ASSERT_EQUAL(dp_sa_update(dp, q.in_id, &v6, &v6, true), -EAFNOSUPPORT);
	CU_ASSERT_EQUAL(dp_child_del(dp, p.child), -EBUSY);
	CU_ASSERT_EQUAL(dp_sa_del(dp, q.in_id, NULL), 0);
	CU_ASSERT_EQUAL(dp_sa_del(dp, q.in_id, NULL), -ENOENT);
	CU_ASSERT_EQUAL(dp_sa_stats(dp, q.in_id, &st), -ENOENT);
	CU_ASSERT_EQUAL(dp_sa_use(dp, q.in_id), -ENOENT);
	CU_ASSERT_EQUAL(dp_sa_update(dp, q.in_id, &q.in.local, &q.in.peer, true), -ENOENT);
	CU_ASSERT_EQUAL(dp_sa_del(dp, 0, NULL), -ENOENT);
	CU_ASSERT_EQUAL(dp_sa_add(dp, &q.in, &id, NULL), -ENOENT); /* its SPI has gone with it */
	CU_ASSERT_EQUAL(dp_child_del(dp, p.child), 0);
	pair_free(&q);
	rig_close();
}

/* Of another worker than its child's. */
static void test_sa_worker(void)
{
	struct dp_sa s;
	struct peer p;
	struct pair q;
	dp_sa_id id;

	rig_open(NULL);
	peer_init(&p);
	peer_add(&p);
	pair_make(&q, &p);
	if (rig()->n_workers == 2) {
		s = q.in;
		CU_ASSERT_EQUAL(dp_spi_get(rig()->dp, (uint16_t)!rig()->owner, &s.spi), 0);
		CU_ASSERT_EQUAL(dp_sa_add(rig()->dp, &s, &id, NULL), -EINVAL);
	}
	pair_free(&q);
	rig_close();
}

/* Ids never come again, and a ticket is of the SA's worker alone. */
static void test_sa_tickets(void)
{
	uint64_t add, del;
	dp_sa_id before = 0;
	struct peer p;
	struct pair q;
	struct dp *dp;

	rig_open(NULL);
	dp = rig()->dp;
	peer_init(&p);
	peer_add(&p);
	for (int i = 0; i < 100; i++) {
		pair_make(&q, &p);
		CU_ASSERT_EQUAL(dp_sa_add(dp, &q.in, &q.in_id, &add), 0);
		CU_ASSERT_TRUE(q.in_id > before);
		before = q.in_id;
		CU_ASSERT_FALSE(dp_applied(dp, add));
		dp_worker_poll(dp, p.c.worker);
		CU_ASSERT_TRUE(dp_applied(dp, add));
		CU_ASSERT_EQUAL(dp_sa_del(dp, q.in_id, &del), 0);
		CU_ASSERT_FALSE(dp_applied(dp, del));
		dp_worker_poll(dp, p.c.worker);
		CU_ASSERT_TRUE(dp_applied(dp, del));
		pair_free(&q);
	}
	rig_close();
}

static void test_fifo_full(void)
{
	struct peer p;
	struct pair q;
	dp_sa_id id;
	struct dp *dp;

	rig_open(NULL);
	dp = rig()->dp;
	peer_init(&p);
	peer_up(&p, &q);
	while (dp_sa_use(dp, q.out_id) == 0)
		;
	CU_ASSERT_EQUAL(dp_sa_use(dp, q.out_id), -EAGAIN);
	CU_ASSERT_EQUAL(dp_sa_add(dp, &q.out, &id, NULL), -EAGAIN);
	CU_ASSERT_EQUAL(dp_sa_del(dp, q.out_id, NULL), -EAGAIN);
	CU_ASSERT_EQUAL(dp_sa_update(dp, q.out_id, &q.out.local, &q.out.peer, false), -EAGAIN);
	CU_ASSERT_EQUAL(dp_send_udp(dp, &p.c.local, &p.c.peer, p.child, (const uint8_t *)"", 1),
	                -EAGAIN);
	CU_ASSERT_TRUE(sa_stats(q.out_id).in_use); /* nothing has changed */
	pair_free(&q);
	rig_close();
}

/* ---- the peer's NAT ---- */

static void test_mapping(void)
{
	struct bytes inner, esp[3] = {{0}}, frame;
	struct endpoint local = {ipaddr_v4(LNS), 4500}, moved = {ipaddr_v4(LAC), 777};
	struct peer p;
	struct pair q;

	rig_open(NULL);
	peer_init(&p);
	p.encap = true;
	peer_up(&p, &q);
	peer_put_data(&p, &q, WORLD);
	rig_turn();
	peer_data(&inner, &p, WORLD, NULL);
	for (int i = 0; i < 3; i++)
		peer_esp(&esp[i], &p, &q, &inner);
	p.outer_port = 777;
	/* Not authenticated: nothing of it is believed. */
	esp[2].b[20] ^= 1;
	peer_wrap(&frame, &p, &esp[2]);
	esp[2].b[20] ^= 1;
	rig_put(0, 0, &frame);
	rig_turn();
	CU_ASSERT_EQUAL(events(q.in_id, DP_SA_MAPPING), 0);
	/* The newest packet, and then an older one from elsewhere. */
	peer_wrap(&frame, &p, &esp[1]);
	rig_put(0, 0, &frame);
	p.outer_port = 888;
	peer_wrap(&frame, &p, &esp[0]);
	rig_put(0, 0, &frame);
	rig_turn();
	CU_ASSERT_EQUAL(events(q.in_id, DP_SA_MAPPING), 1);
	CU_ASSERT_TRUE(endpoint_eq(&rig()->punts[rig()->n_punts - 1].p.src, &moved));
	CU_ASSERT_EQUAL(rig()->n_frames, 3); /* they pass, wherever from */
	rig_clear();
	p.outer_port = 777;
	peer_wrap(&frame, &p, &esp[2]);
	rig_put(0, 0, &frame);
	rig_turn();
	CU_ASSERT_EQUAL(events(q.in_id, DP_SA_MAPPING), 0); /* once a change */
	/* Control follows: what we send goes there, and all is quiet. */
	CU_ASSERT_EQUAL(dp_sa_update(rig()->dp, q.in_id, &local, &moved, true), 0);
	CU_ASSERT_EQUAL(dp_sa_update(rig()->dp, q.out_id, &local, &moved, true), 0);
	peer_put_down();
	peer_put_data(&p, &q, WORLD);
	rig_turn();
	rig_clear();
	peer_put_down();
	peer_put_data(&p, &q, WORLD);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_punts, 0);
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 2);
	for (uint32_t i = 0; i < 2; i++) {
		if (rig()->frames[i].port == 0)
			peer_opens(&rig()->frames[i].d, &p, &q, &inner);
	}
	/* And back: that is a change again. */
	p.outer_port = PEER_NAT;
	peer_put_data(&p, &q, WORLD);
	rig_turn();
	CU_ASSERT_EQUAL(events(q.in_id, DP_SA_MAPPING), 1);
	pair_free(&q);
	rig_close();
}

/* ---- events ---- */

/* An event that finds its ring full, or its rate used up, comes later. */
static void test_events_wait(void)
{
	struct dp_conf conf = rig_conf();
	struct dp_session s;
	struct peer p;
	struct pair q[8];
	uint32_t n = 0;

	conf.punt_rate[DP_PUNT_SA] = 10; /* a burst of 3 */
	rig_open(&conf);
	peer_init(&p);
	peer_add(&p);
	s = peer_session(&p);
	rig_add(&s);
	for (int i = 0; i < 8; i++) {
		pair_up(&q[i], &p);
		peer_put_data(&p, &q[i], WORLD);
	}
	rig_turn();
	CU_ASSERT_TRUE(rig()->n_punts >= 3 && rig()->n_punts < 8);
	CU_ASSERT_EQUAL(rig()->n_frames, 8);
	/* One that has been deleted in the meantime says nothing any more. */
	for (int i = 0; i < 8; i++)
		n += events(q[i].in_id, DP_SA_FIRST);
	CU_ASSERT_EQUAL(n, rig()->n_punts);
	for (int i = 0; i < 8 && n < 8; i++) {
		if (events(q[i].in_id, DP_SA_FIRST) == 0) {
			CU_ASSERT_EQUAL(dp_sa_del(rig()->dp, q[i].in_id, NULL), 0);
			break;
		}
	}
	for (int i = 0; i < 60 && rig()->n_punts < 7; i++) {
		rig_wait_ms(15);
		dp_tick(rig()->dp, 0); /* frees the deleted one */
		rig_turn();
	}
	rig_wait_ms(250);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_punts, 7);
	for (int i = 0; i < 8; i++)
		pair_free(&q[i]);
	rig_close();
}

/* Between the event and control's look the SA was deleted: control does not hear of it. */
static void test_event_of_deleted(void)
{
	struct peer p;
	struct pair q;

	rig_open(NULL);
	peer_init(&p);
	peer_up(&p, &q);
	peer_put_data(&p, &q, WORLD);
	rig_poll();
	pair_del(&q);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_punts, 0);
	pair_free(&q);
	rig_close();
}

static CU_TestInfo tests[] = {
        {"SPIs", test_spi},
        {"all SPIs", test_spi_all},
        {"an SPI's generation", test_spi_generation},
        {"children", test_children},
        {"a child's index again", test_child_again},
        {"SAs refused", test_sa_refused},
        {"an SA's worker", test_sa_worker},
        {"ids and tickets", test_sa_tickets},
        {"FIFO full", test_fifo_full},
        {"NAT mapping", test_mapping},
        {"events wait", test_events_wait},
        {"event of a deleted SA", test_event_of_deleted},
        CU_TEST_INFO_NULL,
};

CU_TestInfo *esp_control_tests(void)
{
	return tests;
}
