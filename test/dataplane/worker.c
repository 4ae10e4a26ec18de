/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Between workers: hand-off, owners, and the loop itself. */
#include "dataplane/rig.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#define HANDED 8

static uint64_t handed_off(int worker)
{
	struct dp_stats s;

	dp_stats_get(rig()->dp, worker, &s);
	return s.handed_off;
}

static void up_frame(struct bytes *frame, uint16_t sid, uint32_t src, uint32_t dst)
{
	struct bytes packet = {0}, body = {0};

	ip4_make(&packet, &(struct ipspec){.src = src, .dst = dst, .payload = 40});
	ppp_make(&body, "ff030021", &packet);
	frame->len = 0;
	l2tp_make(frame, &(struct l2tpspec){.flags = 2, .sid = sid, .body = &body});
}

static void test_handoff(void)
{
	struct bytes up = {0}, down = {0};
	struct dp_stats s;

	rig_open(NULL);
	rig_add(rig_session()); /* worker 1's */
	up_frame(&up, SID, SUB, WORLD);
	eth_ip4(&down, IF_CORE, &(struct ipspec){.src = WORLD, .dst = SUB, .payload = 40});
	for (int i = 0; i < HANDED; i++) {
		rig_put(0, 0, &up);
		rig_put(1, 0, &down);
	}
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 2 * HANDED);
	CU_ASSERT_EQUAL(handed_off(0), 2 * HANDED);
	CU_ASSERT_EQUAL(handed_off(1), 0);
	rig_clear();
	/* What the port gives to the owner itself does not move. */
	for (int i = 0; i < HANDED; i++) {
		rig_put(0, 1, &up);
		rig_put(1, 1, &down);
	}
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 2 * HANDED);
	CU_ASSERT_EQUAL(handed_off(-1), 2 * HANDED);
	dp_stats_get(rig()->dp, 1, &s);
	CU_ASSERT_EQUAL(s.rx, 2 * HANDED);
	CU_ASSERT_EQUAL(s.tx, 4 * HANDED);
	rig_close();
}

/* The law holds with packets in the ring, and a full ring is a named drop. */
static void test_handoff_full(void)
{
	struct bytes up = {0};
	struct dp_stats s;

	rig_open(NULL);
	rig_add(rig_session());
	up_frame(&up, SID, SUB, WORLD);
	for (int i = 0; i < HANDOFF_SIZE + 100; i++)
		rig_put(0, 0, &up);
	while (dp_worker_poll(rig()->dp, 0) > 0)
		;
	dp_stats_get(rig()->dp, -1, &s);
	CU_ASSERT_EQUAL(s.held, HANDOFF_SIZE - 1);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_HANDOFF_FULL), 101);
	rig_law();
	rig_close();
}

/* A packet of one session on its way into another, between workers, when the first one ends. */
static void test_del_in_handoff(void)
{
	struct dp_session a = *rig_session(), b = *rig_session();
	struct bytes up = {0};
	uint64_t ticket;
	struct dp *dp;

	rig_open(NULL);
	dp = rig()->dp;
	a.worker = 0;
	rig_add(&a);
	b.session_id = SID2;
	b.peer_ip = SUB2;
	rig_add(&b); /* worker 1's */
	up_frame(&up, SID, SUB, SUB2);
	rig_put(0, 0, &up);
	dp_worker_poll(dp, 0); /* now it is in the ring */
	CU_ASSERT_EQUAL(dp_session_del(dp, SID, GEN, &ticket), 0);
	CU_ASSERT_FALSE(dp_applied(dp, ticket));
	dp_worker_poll(dp, 0);
	CU_ASSERT_FALSE(dp_applied(dp, ticket)); /* the other worker may still have one */
	rig_turn();
	CU_ASSERT_TRUE(dp_applied(dp, ticket));
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_SESS_GONE), 1);
	/* The other way round: into the session that ends. */
	rig_add(&a);
	rig_put(0, 0, &up);
	dp_worker_poll(dp, 0);
	CU_ASSERT_EQUAL(dp_session_del(dp, SID2, GEN, &ticket), 0);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_SESS_GONE), 2);
	rig_close();
}

/* Frames of a session of worker 1 are in its ring, usual ones both ways, when the session ends. */
static void ring_then_del(uint64_t *ticket)
{
	struct bytes up = {0}, down = {0};
	struct dp *dp = rig()->dp;

	rig_add(rig_session());
	up_frame(&up, SID, SUB, WORLD);
	eth_ip4(&down, IF_CORE, &(struct ipspec){.src = WORLD, .dst = SUB, .payload = 40});
	for (int i = 0; i < HANDED; i++) {
		rig_put(0, 0, &up);
		rig_put(1, 0, &down);
	}
	dp_worker_poll(dp, 0);
	CU_ASSERT_EQUAL(handed_off(0), 2 * HANDED);
	CU_ASSERT_EQUAL(dp_session_del(dp, SID, GEN, ticket), 0);
}

/* Then they are no one's, and go the way of all that is. */
static void test_gone_in_handoff(void)
{
	uint64_t ticket;

	rig_open(NULL);
	ring_then_del(&ticket);
	rig_turn();
	CU_ASSERT_TRUE(dp_applied(rig()->dp, ticket));
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_L2TP_NO_SESSION), HANDED);
	CU_ASSERT_EQUAL(rig()->n_punts, HANDED);
	for (uint32_t i = 0; i < rig()->n_punts; i++)
		CU_ASSERT_EQUAL(rig()->punts[i].p.class, DP_PUNT_ICMP);
	CU_ASSERT_EQUAL(handed_off(-1), 2 * HANDED);
	rig_close();
}

/* Then another one has its number, of the other worker: they go there, in their order. */
static void test_owner_changes(void)
{
	struct dp_session s = *rig_session();
	uint64_t ticket;
	struct dp *dp;

	rig_open(NULL);
	dp = rig()->dp;
	ring_then_del(&ticket);
	for (uint16_t w = 0; w < 2; w++)
		dp_fifo_run(dp->workers[w]);
	CU_ASSERT_TRUE(dp_applied(dp, ticket));
	s.gen++;
	s.worker = 0;
	CU_ASSERT_EQUAL(dp_session_add(dp, &s), 0);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 2 * HANDED);
	CU_ASSERT_EQUAL(handed_off(0), 2 * HANDED);
	CU_ASSERT_EQUAL(handed_off(1), 2 * HANDED);
	rig_close();
}

/* What is in a ring is freed with it. */
static void test_handoff_free(void)
{
	struct dp_conf conf = rig_conf();
	struct rte_mempool *pool;
	struct dp *dp;
	unsigned before;

	conf.n_workers = 2;
	dp = dp_new(&conf, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(dp);
	pool = dp_mbuf_pool(dp);
	before = rte_mempool_in_use_count(pool);
	for (uint32_t i = 0; i < 2 * VEC_MAX; i++) {
		struct rte_mbuf *m = dp_alloc(dp, 64);

		CU_ASSERT_PTR_NOT_NULL_FATAL(m);
		dp_handoff(dp->workers[0], m, 1, (enum resume)(i % (RESUME_L2TP_OUT + 1)), i);
	}
	dp_handoff_flush(dp->workers[0]);
	CU_ASSERT_EQUAL(rte_mempool_in_use_count(pool), before + 2 * VEC_MAX);
	dp_handoff_free(dp->workers[0]);
	CU_ASSERT_EQUAL(rte_mempool_in_use_count(pool), before);
	dp_free(dp);
}

/* Elements of rings have no room for buffers that stand elsewhere than on a line of their own. */
static void test_handoff_fits(void)
{
	struct rte_mempool *odd =
	        rte_mempool_create("odd", 7, sizeof(struct rte_mbuf) + 8, 0, 0, NULL, NULL, NULL,
	                           NULL, SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_CACHE_ALIGN);
	struct dp_conf conf = rig_conf();
	struct dp *dp = dp_new(&conf, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(odd);
	CU_ASSERT_PTR_NOT_NULL_FATAL(dp);
	CU_ASSERT_FALSE(dp_handoff_fits(odd));
	CU_ASSERT_TRUE(dp_handoff_fits(dp_mbuf_pool(dp)));
	rte_mempool_free(odd);
	dp_free(dp);
}

/* Until worker w's timer has run. */
static void timer_run(uint16_t w)
{
	rig()->dp->workers[w]->timer_at = 0;
	dp_worker_poll(rig()->dp, w);
}

/* A ring that is empty is looked at no more from the second timer on, and again when it is filled. */
static void test_handoff_rests(void)
{
	const struct worker *owner;
	struct bytes up = {0};

	rig_open(NULL);
	rig_add(rig_session());
	owner = rig()->dp->workers[1];
	up_frame(&up, SID, SUB, WORLD);
	CU_ASSERT_EQUAL(owner->handoff_due, 0);
	for (int round = 0; round < 3; round++) {
		rig_put(0, 0, &up);
		dp_worker_poll(rig()->dp, 0);
		CU_ASSERT_EQUAL(owner->handoff_due, 1);
		timer_run(1); /* it has just been emptied */
		CU_ASSERT_EQUAL(owner->handoff_due, 0);
		CU_ASSERT_EQUAL(owner->handoff_lingers, 1);
		timer_run(1);
		CU_ASSERT_EQUAL(owner->handoff_due, 0);
		CU_ASSERT_EQUAL(owner->handoff_lingers, 0);
		rig_turn();
		CU_ASSERT_EQUAL(rig()->n_frames, (uint32_t)round + 1);
	}
	CU_ASSERT_EQUAL(rig()->dp->workers[0]->handoff_due, 0);
	rig_close();
}

/* Its filler has seen the bit set just before the owner's timer cleared it. */
static void test_handoff_race(void)
{
	struct worker *owner;
	struct bytes up = {0};
	int n = 0;

	rig_open(NULL);
	rig_add(rig_session());
	owner = rig()->dp->workers[1];
	up_frame(&up, SID, SUB, WORLD);
	for (int i = 0; i < 3 * VEC_MAX; i++)
		rig_put(0, 0, &up);
	while (dp_worker_poll(rig()->dp, 0) > 0)
		;
	owner->handoff_due = 0;
	owner->handoff_lingers = 1;
	CU_ASSERT_NOT_EQUAL(dp_worker_poll(rig()->dp, 1), 0);
	/* More than a worker takes until the next timer: it does not forget the rest. */
	timer_run(1);
	CU_ASSERT_EQUAL(owner->handoff_due, 1);
	timer_run(1);
	CU_ASSERT_EQUAL(owner->handoff_due, 1);
	while (dp_worker_poll(rig()->dp, 1) > 0)
		n++;
	CU_ASSERT_TRUE(n > 0);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 3 * VEC_MAX);
	rig_close();
}

static void test_owner_pick(void)
{
	struct dp_session s = *rig_session();

	rig_open(NULL);
	for (uint16_t i = 0; i < 10; i++) {
		s.session_id = (uint16_t)(SID + i);
		s.peer_ip = 0;
		s.worker = dp_owner_pick(rig()->dp, NULL);
		rig_add(&s);
	}
	CU_ASSERT_EQUAL(dp_worker_sessions(rig()->dp, 0), 5);
	CU_ASSERT_EQUAL(dp_worker_sessions(rig()->dp, 1), 5);
	CU_ASSERT_EQUAL(dp_n_workers(rig()->dp), 2);
	/* What control has given them counts, too. */
	CU_ASSERT_EQUAL(dp_owner_pick(rig()->dp, (const uint32_t[]){1, 0}), 1);
	CU_ASSERT_EQUAL(dp_owner_pick(rig()->dp, (const uint32_t[]){1, 2}), 0);
	rig_close();
}

/* Orders to all workers are applied when the last one has seen them. */
static void test_ticket_of_all(void)
{
	uint64_t ticket;
	struct dp *dp;

	rig_open(NULL);
	dp = rig()->dp;
	rig_add(rig_session());
	CU_ASSERT_EQUAL(dp_session_del(dp, SID, GEN, &ticket), 0);
	dp_worker_poll(dp, 1);
	CU_ASSERT_FALSE(dp_applied(dp, ticket));
	dp_worker_poll(dp, 0);
	CU_ASSERT_TRUE(dp_applied(dp, ticket));
	rig_close();
}

static void *run(void *arg)
{
	return (void *)(intptr_t)dp_worker_main(arg);
}

/* The real loop on real threads, while control adds and removes: nothing is lost, nothing hangs. */
static void test_threads(void)
{
	struct dp_worker_arg args[2];
	struct dp_conf conf = rig_conf();
	struct dp_session s = *rig_session();
	pthread_t t[2];
	uint64_t ticket;
	struct dp *dp;

	conf.idle = DP_IDLE_SLEEP;
	conf.idle_sleep_us = 20;
	rig_open(&conf);
	dp = rig()->dp;
	for (uint16_t i = 0; i < 2; i++) {
		args[i] = (struct dp_worker_arg){.dp = dp, .worker = i};
		CU_ASSERT_EQUAL_FATAL(pthread_create(&t[i], NULL, run, &args[i]), 0);
	}
	for (uint32_t round = 0; round < 200; round++) {
		struct bytes up = {0}, down = {0};
		struct dp_route r = {IP(100, 0, 0, 0) + (round << 8), 24, DP_RT_VIA, IF_CORE,
		                     CORE_GW + round % 3};

		s.gen = round + 1;
		s.worker = (uint16_t)(round % 2);
		CU_ASSERT_EQUAL(dp_session_add(dp, &s), 0);
		CU_ASSERT_EQUAL(dp_route_set(dp, &r), 0);
		up_frame(&up, SID, SUB, IP(100, 0, 0, 1) + (round << 8));
		eth_ip4(&down, IF_CORE, &(struct ipspec){.src = WORLD, .dst = SUB, .payload = 40});
		for (uint16_t q = 0; q < 2; q++) {
			rig_put(0, q, &up);
			rig_put(1, q, &down);
		}
		CU_ASSERT_EQUAL(dp_send_ppp(dp, SID, s.gen, (const uint8_t *)"\xc0\x21", 2), 0);
		CU_ASSERT_EQUAL(dp_session_del(dp, SID, s.gen, &ticket), 0);
		while (!dp_applied(dp, ticket))
			rig_wait_ms(0);
		CU_ASSERT_EQUAL(dp_route_del(dp, r.prefix, 24), 0);
		dp_tick(dp, round);
	}
	rig_wait_ms(20);
	dp_stop(dp);
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(pthread_join(t[i], NULL), 0);
	dp->stop = false;
	rig_close();
}

/* Ports with as many queues as workers, with fewer and with more. */
static void test_queues(void)
{
	struct dp_conf conf = rig_conf();
	struct dp *dp;

	conf.n_workers = 4;
	dp = dp_new(&conf, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(dp);
	CU_ASSERT_EQUAL(dp_port_add(dp, 5, 1, 4), 0);
	CU_ASSERT_EQUAL(dp_queue_worker(dp, 5, 0), 0);
	CU_ASSERT_EQUAL(dp_port_add(dp, 6, 4, 4), 0); /* whatever they have already */
	for (uint16_t q = 0; q < 4; q++)
		CU_ASSERT_EQUAL(dp_queue_worker(dp, 6, q), q);
	CU_ASSERT_EQUAL(dp_port_add(dp, 7, 2, 4), 0); /* to those that have one only */
	CU_ASSERT_EQUAL(dp_queue_worker(dp, 7, 0), 1);
	CU_ASSERT_EQUAL(dp_queue_worker(dp, 7, 1), 2);
	CU_ASSERT_EQUAL(dp_queue_worker(dp, 7, 2), -ENOENT);
	CU_ASSERT_EQUAL(dp_queue_worker(dp, 8, 0), -ENOENT);
	CU_ASSERT_EQUAL(dp_port_add(dp, 8, 9, 4), 0);
	for (uint16_t w = 0; w < 4; w++)
		CU_ASSERT_EQUAL(dp_worker_queues(dp, w), 4);
	CU_ASSERT_EQUAL(dp_worker_queues(dp, 4), 0);
	dp_free(dp);
}

/* ---- load ---- */

static struct dp_load load_of(int worker, uint32_t seconds)
{
	struct dp_load l;

	dp_load_get(rig()->dp, worker, seconds, &l);
	return l;
}

static void count(uint16_t worker, uint64_t busy, uint64_t idle, uint64_t rx)
{
	struct worker_stats *st = &rig()->dp->workers[worker]->st;

	st->busy_cycles += busy;
	st->idle_cycles += idle;
	st->rx += rx;
}

/* What shows say is of the last seconds, not of the time since the start. */
static void test_load(void)
{
	struct worker_stats zero = {0};
	struct dp_load l;
	uint64_t ms = 1000000;

	rig_open(NULL);
	for (uint16_t w = 0; w < 2; w++)
		rig()->dp->workers[w]->st = zero;
	CU_ASSERT_EQUAL(load_of(-1, 5).busy_permille, 0); /* no cycle has passed */
	count(0, 900, 100, 10);
	CU_ASSERT_EQUAL(load_of(0, 5).busy_permille, 900);
	CU_ASSERT_EQUAL(load_of(0, DP_LOAD_MAX_S).busy_permille, 900);
	for (int s = 0; s < 10; s++, ms += 1000)
		dp_tick(rig()->dp, ms); /* ten seconds without anything */
	count(0, 10, 990, 3);
	count(1, 500, 500, 7);
	l = load_of(0, 5);
	CU_ASSERT_EQUAL(l.busy_permille, 10);
	CU_ASSERT_EQUAL(l.rx, 3);
	CU_ASSERT_EQUAL(load_of(0, DP_LOAD_MAX_S).busy_permille, 455);
	CU_ASSERT_EQUAL(load_of(0, DP_LOAD_MAX_S).rx, 13);
	CU_ASSERT_EQUAL(load_of(1, 5).busy_permille, 500);
	CU_ASSERT_EQUAL(load_of(-1, 5).busy_permille, 255);
	CU_ASSERT_EQUAL(load_of(-1, 5).rx, 10);
	/* Ticks that come more often than once a second make no second shorter. */
	for (int i = 0; i < 100; i++, ms += 10)
		dp_tick(rig()->dp, ms);
	CU_ASSERT_EQUAL(load_of(0, 5).rx, 3);
	for (int s = 0; s < 5; s++, ms += 1000)
		dp_tick(rig()->dp, ms);
	CU_ASSERT_EQUAL(load_of(0, 5).rx, 0);
	CU_ASSERT_EQUAL(load_of(0, DP_LOAD_MAX_S).rx, 13);
	for (int s = 0; s < DP_LOAD_MAX_S; s++, ms += 1000)
		dp_tick(rig()->dp, ms);
	CU_ASSERT_EQUAL(load_of(-1, DP_LOAD_MAX_S).rx, 0);
	for (uint16_t w = 0; w < 2; w++)
		rig()->dp->workers[w]->st = zero; /* the law is of packets that were there */
	rig_close();
}

/* Six seconds of that share of busy cycles. */
static void seconds(uint64_t *ms, uint64_t busy0, uint64_t busy1)
{
	for (int s = 0; s < 6; s++, *ms += 1000) {
		count(0, busy0, 1000 - busy0, 0);
		count(1, busy1, 1000 - busy1, 0);
		dp_tick(rig()->dp, *ms);
	}
}

/* One fat tunnel: its worker gets nothing new, until it is near the other one again. */
static void test_owner_busy(void)
{
	static const uint32_t more_on_1[] = {0, 100}, more_on_0[] = {100, 0};
	struct worker_stats zero = {0};
	uint64_t ms = 1000000;

	rig_open(NULL);
	for (uint16_t w = 0; w < 2; w++)
		rig()->dp->workers[w]->st = zero;
	seconds(&ms, 450, 10); /* far apart, but there is room everywhere */
	CU_ASSERT_EQUAL(dp_owner_pick(rig()->dp, more_on_1), 0);
	seconds(&ms, 10, 10);
	seconds(&ms, 900, 700); /* full, but so are all */
	CU_ASSERT_EQUAL(dp_owner_pick(rig()->dp, more_on_1), 0);
	seconds(&ms, 900, 300);
	CU_ASSERT_EQUAL(dp_owner_pick(rig()->dp, more_on_1), 1);
	seconds(&ms, 600, 400); /* between the marks: as before */
	CU_ASSERT_EQUAL(dp_owner_pick(rig()->dp, more_on_1), 1);
	seconds(&ms, 450, 400);
	CU_ASSERT_EQUAL(dp_owner_pick(rig()->dp, more_on_1), 0);
	seconds(&ms, 600, 400); /* .. and so it is from this side */
	CU_ASSERT_EQUAL(dp_owner_pick(rig()->dp, more_on_1), 0);
	seconds(&ms, 100, 1000);
	CU_ASSERT_EQUAL(dp_owner_pick(rig()->dp, more_on_0), 0);
	for (uint16_t w = 0; w < 2; w++)
		rig()->dp->workers[w]->st = zero;
	rig_close();
}

/* ---- idling ---- */

static void test_idle_steps(void)
{
	struct dp_conf conf = rig_conf();
	uint32_t last = 0, us;

	CU_ASSERT_EQUAL(dp_idle_pauses(0), 1);
	CU_ASSERT_TRUE(dp_idle_pauses(40) > 1);
	CU_ASSERT_EQUAL(dp_idle_pauses(10000), dp_idle_pauses(UINT32_MAX));
	conf.idle = DP_IDLE_PAUSE;
	conf.idle_sleep_us = 50;
	rig_open(&conf);
	CU_ASSERT_EQUAL(dp_idle_sleep_us(rig()->dp, UINT32_MAX), 0);
	rig_close();
	conf.idle = DP_IDLE_SLEEP;
	rig_open(&conf);
	CU_ASSERT_EQUAL(dp_idle_sleep_us(rig()->dp, 0), 0);
	CU_ASSERT_EQUAL(dp_idle_sleep_us(rig()->dp, 100), 0);
	for (uint32_t turns = 0; turns < 1000; turns++, last = us) {
		us = dp_idle_sleep_us(rig()->dp, turns);
		CU_ASSERT_TRUE(us >= last && us <= (last == 0 ? 1 : 2 * last) && us <= 50);
	}
	CU_ASSERT_EQUAL(last, 50);
	CU_ASSERT_EQUAL(dp_idle_sleep_us(rig()->dp, UINT32_MAX), 50);
	rig_close();
}

/* Asleep most of the time, and that is not counted as work when a packet ends it. */
static void test_idle_sleeps(void)
{
	struct dp_conf conf = rig_conf();
	struct dp_worker_arg arg;
	struct timespec cpu;
	struct bytes frame = {0};
	clockid_t clock;
	pthread_t t;

	conf.idle = DP_IDLE_SLEEP;
	conf.idle_sleep_us = 1000;
	rig_open(&conf);
	arg = (struct dp_worker_arg){.dp = rig()->dp, .worker = 0};
	CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, run, &arg), 0);
	eth_ip4(&frame, IF_CORE, &(struct ipspec){.src = WORLD, .dst = SUB_FREE, .payload = 40});
	for (int i = 0; i < 20; i++) {
		rig_wait_ms(20);
		rig_put(1, 0, &frame);
	}
	/* It sleeps for a millisecond, but the machine may keep it for more. */
	for (int i = 0; i < 250 && (i == 0 || load_of(0, 5).rx < 20); i++)
		rig_wait_ms(20);
	CU_ASSERT_EQUAL(pthread_getcpuclockid(t, &clock), 0);
	CU_ASSERT_EQUAL(clock_gettime(clock, &cpu), 0);
	dp_stop(rig()->dp);
	CU_ASSERT_EQUAL(pthread_join(t, NULL), 0);
	rig()->dp->stop = false;
	CU_ASSERT_EQUAL(load_of(0, 5).rx, 20);
	CU_ASSERT_TRUE(cpu.tv_sec == 0 && cpu.tv_nsec < 210000000); /* of 420 ms and more */
	CU_ASSERT_TRUE(load_of(0, 5).busy_permille < 50);
	rig_close();
}

static void test_conf(void)
{
	struct dp_conf conf = rig_conf();

	conf.n_workers = 0;
	CU_ASSERT_PTR_NULL(dp_new(&conf, NULL));
	CU_ASSERT_EQUAL(errno, EINVAL);
	conf.n_workers = DP_MAX_WORKERS + 1;
	CU_ASSERT_PTR_NULL(dp_new(&conf, NULL));
	conf.n_workers = 1;
	conf.n_mbufs = 100000000;
	CU_ASSERT_PTR_NULL(dp_new(&conf, NULL));
	CU_ASSERT_EQUAL(errno, ENOMEM);
}

static CU_TestInfo tests[] = {
        {"hand-off", test_handoff},
        {"hand-off ring full", test_handoff_full},
        {"hand-off ring at rest", test_handoff_rests},
        {"hand-off ring filled as it is left", test_handoff_race},
        {"session ends during a hand-off", test_del_in_handoff},
        {"usual frames in a ring whose session ends", test_gone_in_handoff},
        {"usual frames in a ring whose session is another worker's", test_owner_changes},
        {"a ring is freed with its packets", test_handoff_free},
        {"buffers that fit a ring", test_handoff_fits},
        {"owners", test_owner_pick},
        {"tickets", test_ticket_of_all},
        {"threads", test_threads},
        {"load", test_load},
        {"owners, one of them busy", test_owner_busy},
        {"receive queues", test_queues},
        {"idling by steps", test_idle_steps},
        {"idle workers sleep", test_idle_sleeps},
        {"configuration", test_conf},
        CU_TEST_INFO_NULL,
};

CU_TestInfo *worker_tests(void)
{
	return tests;
}
