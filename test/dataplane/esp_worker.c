/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* SAs and the latch between workers: hand-off, and real threads. */
#include "dataplane/esp_rig.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include <rte_malloc.h>

#define HANDED 8

static void data_frame(struct bytes *frame, const struct peer *p, struct pair *q, uint32_t dst)
{
	struct bytes inner, esp = {0};

	peer_data(&inner, p, dst, NULL);
	peer_esp(&esp, p, q, &inner);
	peer_wrap(frame, p, &esp);
}

static void test_handoff(void)
{
	struct bytes frame, down;
	struct dp_stats s;
	struct peer p;
	struct pair q;

	rig_open(NULL);
	peer_init(&p);
	p.encap = true;
	peer_up(&p, &q); /* worker 1's */
	for (int i = 0; i < HANDED; i++) {
		eth_ip4(&down, IF_CORE, &(struct ipspec){.src = WORLD, .dst = SUB, .payload = 40});
		data_frame(&frame, &p, &q, WORLD);
		rig_put(0, 0, &frame);
		rig_put(1, 0, &down);
	}
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 2 * HANDED);
	dp_stats_get(rig()->dp, 0, &s);
	CU_ASSERT_EQUAL(s.handed_off, 2 * HANDED);
	CU_ASSERT_EQUAL(s.tx, 0); /* what is numbered leaves by its owner */
	dp_stats_get(rig()->dp, 1, &s);
	CU_ASSERT_EQUAL(s.handed_off, 0);
	for (int i = 0; i < HANDED; i++) {
		data_frame(&frame, &p, &q, WORLD);
		rig_put(0, 1, &frame);
	}
	rig_clear();
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, HANDED);
	dp_stats_get(rig()->dp, 0, &s);
	CU_ASSERT_EQUAL(s.handed_off, 2 * HANDED);
	pair_free(&q);
	rig_close();
}

/* An SA that is deleted while packets for it are in the ring. */
static void test_deleted_in_ring(void)
{
	struct peer p;
	struct pair q, next;

	rig_open(NULL);
	peer_init(&p);
	peer_up(&p, &q);
	peer_put_data(&p, &q, WORLD);
	dp_worker_poll(rig()->dp, 0);
	pair_del(&q);
	pair_make(&next, &p);
	pair_in(&next);
	pair_out(&next);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_ESP_UNKNOWN_SPI), 1);
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	CU_ASSERT_FALSE(sa_stats(next.in_id).used);
	pair_free(&q);
	pair_free(&next);
	rig_close();
}

/* ---- threads ---- */

static void *run(void *arg)
{
	return (void *)(intptr_t)dp_worker_main(arg);
}

static void threads_start(pthread_t t[2], struct dp_worker_arg args[2])
{
	for (uint16_t i = 0; i < 2; i++) {
		args[i] = (struct dp_worker_arg){.dp = rig()->dp, .worker = i};
		CU_ASSERT_EQUAL_FATAL(pthread_create(&t[i], NULL, run, &args[i]), 0);
	}
}

static void threads_stop(pthread_t t[2])
{
	dp_stop(rig()->dp);
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(pthread_join(t[i], NULL), 0);
	rig()->dp->stop = false;
}

static void wait_for(uint64_t ticket)
{
	while (!dp_applied(rig()->dp, ticket))
		rig_wait_ms(0);
}

/* Until so many packets have left or been dropped; 5 s at most. */
static void wait_packets(uint64_t n)
{
	for (int i = 0; i < 50000; i++) {
		struct dp_stats s;
		uint64_t done;

		dp_stats_get(rig()->dp, -1, &s);
		done = s.tx;
		for (int d = 0; d < DP_DROP_MAX; d++)
			done += s.drop[d];
		if (done >= n)
			return;
		usleep(100);
	}
	CU_FAIL("packets are missing");
}

static void ignore(void *ctx, const struct dp_punt *p)
{
	(void)ctx;
	(void)p;
}

/* Keys change all the time under packets from both queues: none is lost, none hangs. */
static void test_rekey_threads(void)
{
	struct dp_worker_arg args[2];
	struct bytes frame, down;
	struct pair a, b;
	struct dp_session s;
	struct dp_stats st;
	uint64_t ticket;
	pthread_t t[2];
	struct peer p;

	rig_open(NULL);
	peer_init(&p);
	peer_up(&p, &a);
	s = peer_session(&p);
	threads_start(t, args);
	for (uint32_t round = 0; round < 60; round++) {
		pair_make(&b, &p);
		for (uint16_t i = 0; i < 6; i++) { /* before its SA, partly */
			data_frame(&frame, &p, i % 2 == 0 ? &a : &b, WORLD);
			rig_put(0, i % 2, &frame);
			eth_ip4(&down, IF_CORE,
			        &(struct ipspec){.src = WORLD, .dst = SUB, .payload = 40});
			rig_put(1, i % 2, &down);
			if (i == 2)
				pair_in(&b);
			if (i == 4)
				pair_out(&b);
		}
		s.mtu = (uint16_t)(1400 + round);
		CU_ASSERT_EQUAL(dp_session_update(rig()->dp, &s), 0);
		wait_packets((round + 1) * 12); /* what is on its way has arrived */
		CU_ASSERT_EQUAL(dp_sa_del(rig()->dp, a.in_id, NULL), 0);
		CU_ASSERT_EQUAL(dp_sa_del(rig()->dp, a.out_id, &ticket), 0);
		wait_for(ticket);
		dp_tick(rig()->dp, round);
		while (dp_punt_poll(rig()->dp, ignore, NULL, 64) > 0)
			;
		pair_free(&a);
		a = b;
	}
	threads_stop(t);
	dp_stats_get(rig()->dp, -1, &st);
	CU_ASSERT_EQUAL(st.tx, 60 * 12);
	pair_free(&a);
	rig_close();
}

/* Counts forwarded packets behind the first ESP packet of a ring: that is control's CDN. */
static void after_cdn(struct rte_ring *r, uint32_t *n_cdn, uint32_t *before, uint32_t *after)
{
	struct rte_mbuf *m;

	while (rte_ring_sc_dequeue(r, (void **)&m) == 0) {
		const uint8_t *eth = rte_pktmbuf_mtod(m, const uint8_t *);
		bool tagged = get_be16(eth + 12) == 0x8100;

		if (eth[(tagged ? 18 : 14) + 9] == IPPROTO_ESP)
			(*n_cdn)++;
		else if (*n_cdn > 0)
			(*after)++;
		else
			(*before)++;
		rte_pktmbuf_free(m);
	}
}

/*
 * E23 on real threads: data messages of one connection come by both queues while control latches it and
 * sends its CDN. What they carry leaves by the CDN's own port, so that its ring shows the order.
 */
static void test_latch_threads(void)
{
	static const uint8_t cdn[] = {0xc8, 2, 0, 12, 0x22, 2, 0, 0, 0, 1, 0, 1};
	static struct bytes frames[40];
	uint32_t total_before = 0, total_after = 0;
	struct dp_worker_arg args[2];
	uint64_t ticket;
	pthread_t t[2];

	for (uint32_t round = 0; round < 40; round++) {
		uint32_t n_cdn = 0, none = 0, before = 0, after = 0;
		struct peer p;
		struct pair q;

		rig_open(NULL);
		peer_init(&p);
		p.c.conn += round;
		peer_up(&p, &q);
		for (size_t i = 0; i < RTE_DIM(frames); i++)
			data_frame(&frames[i], &p, &q, LAC_VLAN);
		threads_start(t, args);
		for (uint16_t i = 0; i < RTE_DIM(frames); i++) {
			if (i == 10 + round % 20) {
				dp_child_latch(rig()->dp, p.child);
				CU_ASSERT_EQUAL(dp_send_udp(rig()->dp, &p.c.local, &p.c.peer,
				                            p.child, cdn, sizeof(cdn)),
				                0);
			}
			rig_put(0, i % 2, &frames[i]);
			if (i == 8)
				wait_packets(1);
		}
		CU_ASSERT_EQUAL(dp_session_del(rig()->dp, SID, GEN, &ticket), 0);
		wait_for(ticket);
		threads_stop(t);
		after_cdn(rig()->tx[0][1], &n_cdn, &before, &after);
		CU_ASSERT_EQUAL(n_cdn, 1);
		CU_ASSERT_EQUAL(after, 0);
		after_cdn(rig()->tx[0][0], &none, &total_after, &total_after);
		total_before += before;
		total_after += after;
		pair_free(&q);
		rig_close();
	}
	CU_ASSERT_EQUAL(total_after, 0);
	CU_ASSERT_TRUE(total_before > 0); /* or the test has shown nothing */
}

/* ---- what control says, against what another worker has in hand ---- */

/*
 * The narrowest moment, stood still: a worker is past all its checks and gives the packet to its port. Then
 * control ends things and speaks, and the other worker does its part as often as it likes.
 */
struct moment {
	void (*then)(struct moment *m);
	const struct peer *p;
	uint16_t other; /* worker */
	uint32_t calls, spoken; /* frames that the other worker has sent in it */
};

static uint16_t at_tx(uint16_t port, uint16_t queue, struct rte_mbuf *pkts[], uint16_t n, void *arg)
{
	struct moment *m = arg;

	(void)port;
	(void)queue;
	(void)pkts;
	if (m->calls++ > 0)
		return n;
	m->then(m);
	for (int i = 0; i < 4; i++)
		dp_worker_poll(rig()->dp, m->other);
	for (uint16_t p = 0; p < RIG_PORTS; p++)
		m->spoken += rte_ring_count(rig()->tx[p][m->other]);
	return n;
}

/* Turns the worker whose port and queue those are, with the moment in it. */
static void turn_with(struct moment *m, uint16_t port, uint16_t queue)
{
	const struct rte_eth_rxtx_callback *cb = rte_eth_add_tx_callback(port, queue, at_tx, m);

	CU_ASSERT_PTR_NOT_NULL_FATAL(cb);
	dp_worker_poll(rig()->dp, queue);
	CU_ASSERT_EQUAL(rte_eth_remove_tx_callback(port, queue, cb), 0);
	rte_free((void *)(uintptr_t)cb);
	CU_ASSERT_EQUAL(m->calls, 1);
	CU_ASSERT_EQUAL(m->spoken, 0);
	CU_ASSERT_EQUAL(rte_ring_count(rig()->tx[port][queue]), 1);
}

static const uint8_t say[] = {0xc8, 2, 0, 12, 0x22, 2, 0, 0, 0, 1, 0, 1};

static void latch_and_say(struct moment *m)
{
	dp_child_latch(rig()->dp, m->p->child);
	CU_ASSERT_EQUAL(dp_send_udp(rig()->dp, &m->p->c.local, &m->p->c.peer, m->p->child, say,
	                            sizeof(say)),
	                0);
}

/* E23: from one subscriber to another, whose worker has it, when the first one's connection fires. */
static void test_latch_in_hand(void)
{
	struct dp_session other = *rig_session();
	struct bytes inner = {0};
	struct peer p;
	struct pair q;
	struct moment m = {.then = latch_and_say, .p = &p, .other = 1};

	rig_open(NULL);
	peer_init(&p);
	peer_up(&p, &q); /* worker 1's */
	other.session_id = SID2;
	other.peer_ip = SUB2;
	other.worker = 0;
	rig_add(&other);
	peer_put_data(&p, &q, SUB2);
	dp_worker_poll(rig()->dp, 0);
	dp_worker_poll(rig()->dp, 1); /* decrypted, and in the ring back */
	peer_put_data(&p, &q, SUB2); /* the next one is not in hand yet */
	turn_with(&m, 0, 0);
	rig_clear();
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_SS_FIRED), 1);
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 2); /* what was in hand, and the message */
	CU_ASSERT_EQUAL(peer_opens_nr(1, &p, &q, &inner), 0xc802);
	pair_free(&q);
	rig_close();
}

static void delete_and_say(struct moment *m)
{
	struct endpoint local = {ipaddr_v4(LNS), 1701}, peer = {ipaddr_v4(LAC), 1701};

	(void)m;
	CU_ASSERT_EQUAL(dp_session_del(rig()->dp, SID, GEN, NULL), 0);
	/* Which worker sends to a peer goes by its address and port: some of these are the other's. */
	for (uint16_t i = 0; i < 8; i++) {
		peer.port = (uint16_t)(1701 + i);
		CU_ASSERT_EQUAL(dp_send_udp(rig()->dp, &local, &peer, 0, say, sizeof(say)), 0);
	}
}

/* T24: the same without IPsec, where the message goes by another worker than the session's. */
static void test_deleted_in_hand(void)
{
	struct bytes packet = {0}, body = {0}, frame = {0};
	struct moment m = {.then = delete_and_say, .other = 0};
	uint32_t by_other = 0;
	struct rte_mbuf *sent;

	rig_open(NULL);
	rig_add(rig_session()); /* worker 1's */
	ip4_make(&packet, &(struct ipspec){.src = SUB, .dst = WORLD, .payload = 40});
	ppp_make(&body, "ff030021", &packet);
	l2tp_make(&frame, &(struct l2tpspec){.flags = 2, .body = &body});
	rig_put(0, 1, &frame);
	turn_with(&m, 1, 1);
	dp_worker_poll(rig()->dp, 1); /* does the order; nobody waits for it any more */
	dp_worker_poll(rig()->dp, 0);
	while (rte_ring_sc_dequeue(rig()->tx[0][0], (void **)&sent) == 0) {
		by_other++;
		rte_pktmbuf_free(sent);
	}
	CU_ASSERT_TRUE(by_other > 0); /* or the test has shown nothing */
	rig_clear();
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames + by_other, 1 + 8);
	rig_close();
}

/* Orders behind a message that waits come after it. */
static void test_message_waits(void)
{
	struct dp_session s;
	struct peer p;
	struct pair q;
	struct moment m = {.p = &p};

	rig_open(NULL);
	peer_init(&p);
	peer_up(&p, &q);
	s = peer_session(&p);
	latch_and_say(&m);
	s.mtu = 1234;
	CU_ASSERT_EQUAL(dp_session_update(rig()->dp, &s), 0);
	for (int i = 0; i < 4; i++)
		dp_worker_poll(rig()->dp, 1);
	CU_ASSERT_EQUAL(rte_ring_count(rig()->tx[0][1]), 0);
	CU_ASSERT_NOT_EQUAL(rig()->dp->tx[SID].mtu, 1234);
	dp_worker_poll(rig()->dp, 0);
	dp_worker_poll(rig()->dp, 1);
	CU_ASSERT_EQUAL(rte_ring_count(rig()->tx[0][1]), 1);
	CU_ASSERT_EQUAL(rig()->dp->tx[SID].mtu, 1234);
	/* With nothing latched since, nothing waits. */
	latch_and_say(&m);
	dp_worker_poll(rig()->dp, 1);
	CU_ASSERT_EQUAL(rte_ring_count(rig()->tx[0][1]), 2);
	pair_free(&q);
	rig_close();
}

/* Without room for what must stand before it in every FIFO, a message is refused. */
static void test_fence_full(void)
{
	uint8_t mac[6] = {2};
	struct peer p;
	struct pair q;
	struct moment m = {.p = &p};

	rig_open(NULL);
	peer_init(&p);
	peer_up(&p, &q);
	while (dp_neigh_set(rig()->dp, IF_LAC, LAC, mac) == 0)
		mac[5]++;
	dp_worker_poll(rig()->dp, 1); /* its own FIFO has room again */
	dp_child_latch(rig()->dp, p.child);
	CU_ASSERT_EQUAL(dp_send_udp(rig()->dp, &p.c.local, &p.c.peer, p.child, say, sizeof(say)),
	                -EAGAIN);
	rig_turn();
	latch_and_say(&m);
	rig_clear();
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 1);
	pair_free(&q);
	rig_close();
}

static CU_TestInfo tests[] = {
        {"hand-off", test_handoff},
        {"SA deleted during a hand-off", test_deleted_in_ring},
        {"rekeys on threads", test_rekey_threads},
        {"latch on threads", test_latch_threads},
        {"latched with a packet in another worker's hand", test_latch_in_hand},
        {"deleted with a packet in another worker's hand", test_deleted_in_hand},
        {"a message that waits", test_message_waits},
        {"no room for a fence", test_fence_full},
        CU_TEST_INFO_NULL,
};

CU_TestInfo *esp_worker_tests(void)
{
	return tests;
}
