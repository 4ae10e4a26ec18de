/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "tests.h"

#include "base/timerq.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#define N 2000

struct fired;
struct entry {
	struct timer t;
	struct fired *f;
};

struct fired {
	struct timerq *q;
	struct entry t[N];
	uint64_t expect[N]; /* when each is due; 0: not set */
	uint64_t order[N]; /* the call that set it */
	uint64_t last_at, last_order, now;
	uint32_t count;
};

static uint32_t rnd(uint64_t *s)
{
	*s = *s * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*s >> 33);
}

struct counted {
	struct timer t;
	uint32_t n;
};

static void nothing(struct timer *t, uint64_t now)
{
	(void)now;
	timer_owner(t, struct counted, t)->n++;
}

static void test_empty(void)
{
	struct timerq q = {0};
	struct counted c = {0};

	timer_init(&c.t, nothing);
	CU_ASSERT_EQUAL(timerq_next(&q), UINT64_MAX);
	CU_ASSERT_EQUAL(timerq_run(&q, UINT64_MAX, 0), 0);
	timer_cancel(&q, &c.t);
	CU_ASSERT_EQUAL(q.n, 0);
}

static void test_one(void)
{
	struct timerq q = {0};
	struct counted c = {0};

	timer_init(&c.t, nothing);
	timer_set(&q, &c.t, 100);
	CU_ASSERT(c.t.queued && q.n == 1 && timerq_next(&q) == 100);
	CU_ASSERT_EQUAL(timerq_run(&q, 99, 0), 0);
	CU_ASSERT_EQUAL(timerq_run(&q, 100, 0), 1);
	CU_ASSERT(!c.t.queued && c.n == 1 && q.n == 0);
	/* Set again, later and earlier; cancelled. */
	timer_set(&q, &c.t, 300);
	timer_set(&q, &c.t, 200);
	CU_ASSERT(q.n == 1 && timerq_next(&q) == 200);
	timer_set(&q, &c.t, 400);
	CU_ASSERT_EQUAL(timerq_run(&q, 399, 0), 0);
	timer_cancel(&q, &c.t);
	timer_cancel(&q, &c.t);
	CU_ASSERT(q.n == 0 && timerq_next(&q) == UINT64_MAX);
	CU_ASSERT_EQUAL(timerq_run(&q, 1000, 0), 0);
	CU_ASSERT_EQUAL(c.n, 1);
	timer_set(&q, &c.t, UINT64_MAX);
	CU_ASSERT_EQUAL(timerq_run(&q, UINT64_MAX - 1, 0), 0);
	CU_ASSERT_EQUAL(timerq_run(&q, UINT64_MAX, 0), 1);
}

static void in_order(struct timer *t, uint64_t now)
{
	struct fired *f = ((struct entry *)t)->f;
	size_t i = (size_t)((struct entry *)t - f->t);

	CU_ASSERT(!t->queued && f->expect[i] != 0 && f->expect[i] <= now && now == f->now);
	CU_ASSERT(f->expect[i] > f->last_at ||
	          (f->expect[i] == f->last_at && f->order[i] > f->last_order));
	f->last_at = f->expect[i];
	f->last_order = f->order[i];
	f->expect[i] = 0;
	f->count++;
}

static void init(struct fired *f, int i)
{
	f->t[i].f = f;
	timer_init(&f->t[i].t, in_order);
}

static void test_ties(void)
{
	struct fired *f = calloc(1, sizeof(*f));
	struct timerq q = {0};

	for (int i = 0; i < N; i++) {
		init(f, i);
		f->expect[i] = 7;
		f->order[i] = (uint64_t)i + 1;
		timer_set(&q, &f->t[i].t, 7);
	}
	f->now = 7;
	CU_ASSERT_EQUAL(timerq_run(&q, 7, 10), 10);
	CU_ASSERT_EQUAL(f->count, 10);
	CU_ASSERT_EQUAL(timerq_run(&q, 7, 0), N - 10);
	CU_ASSERT_EQUAL(q.n, 0);
	free(f);
}

/* Random sets, moves and cancels against a plain table. */
static void random_run(uint64_t seed, uint64_t spread, uint64_t order)
{
	struct fired *f = calloc(1, sizeof(*f));
	struct timerq q = {.order = order};
	uint64_t calls = 0;

	for (int i = 0; i < N; i++)
		init(f, i);
	for (int step = 0; step < 20000; step++) {
		uint32_t i = rnd(&seed) % N, what = rnd(&seed) % 100, queued = 0;
		uint64_t least = UINT64_MAX;

		if (what < 70) {
			f->expect[i] = f->now + 1 + rnd(&seed) % spread;
			f->order[i] = ++calls;
			timer_set(&q, &f->t[i].t, f->expect[i]);
		} else if (what < 95) {
			f->expect[i] = 0;
			timer_cancel(&q, &f->t[i].t);
		} else {
			f->now += rnd(&seed) % (spread / 10);
			f->last_at = f->last_order = 0;
			timerq_run(&q, f->now, 0);
		}
		if (step % 100 != 0)
			continue;
		for (int k = 0; k < N; k++) {
			queued += f->expect[k] != 0;
			if (f->expect[k] != 0 && f->expect[k] < least)
				least = f->expect[k];
			CU_ASSERT_EQUAL(f->t[k].t.queued, f->expect[k] != 0);
		}
		CU_ASSERT_EQUAL(q.n, queued);
		CU_ASSERT_EQUAL(timerq_next(&q), least);
	}
	f->now += 2 * spread;
	f->last_at = f->last_order = 0;
	timerq_run(&q, f->now, 0);
	CU_ASSERT_EQUAL(q.n, 0);
	CU_ASSERT_PTR_NULL(q.root);
	free(f);
}

static void test_random(void)
{
	static const uint64_t spreads[] = {500, TIMERQ_SLOTS + 1, 5000, 20000};

	/* Within the wheel, about its end, and mostly beyond it. */
	for (uint64_t seed = 1; seed <= 20; seed++)
		random_run(seed, spreads[seed % 4], 0);
}

/* The numbers by which timers of one instant are told apart begin anew meanwhile. */
static void test_order_wraps(void)
{
	for (uint64_t seed = 1; seed <= 8; seed++)
		random_run(seed, seed % 2 != 0 ? 500 : 8000,
		           (UINT64_C(1) << TIMER_ORDER_BITS) - seed * 1500);
}

/*
 * Timers of one instant that were set too far apart for their numbers to tell which was first: none is
 * lost, whatever their order.
 */
static void test_order_unknown(void)
{
	const uint64_t at = 10 * TIMERQ_SLOTS;
	struct counted c[N];

	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct timerq q = {0};
		uint64_t random = seed;
		uint32_t left = 0;

		memset(c, 0, sizeof(c));
		for (int i = 0; i < N; i++)
			timer_init(&c[i].t, nothing);
		for (int step = 0; step < 4 * N; step++) {
			struct timer *t = &c[rnd(&random) % N].t;

			q.order += rnd(&random) % (UINT64_C(1) << TIMER_ORDER_BITS);
			left += t->queued ? 0 : 1;
			timer_set(&q, t, at + rnd(&random) % 2);
			t = &c[rnd(&random) % N].t;
			left -= t->queued ? 1 : 0;
			timer_cancel(&q, t);
			CU_ASSERT_EQUAL(q.n, left);
		}
		CU_ASSERT_EQUAL(timerq_run(&q, at - 1, 0), 0);
		CU_ASSERT_EQUAL(timerq_run(&q, at + 1, 0), left);
		CU_ASSERT(q.n == 0 && q.root == NULL && q.first == NULL);
	}
}

/* Whatever does not fit is never: not some time that is left of it. */
static void test_far(void)
{
	static const uint64_t far[] = {(UINT64_C(1) << TIMER_AT_BITS) - 1,
	                               UINT64_C(1) << TIMER_AT_BITS, UINT64_MAX - 1, UINT64_MAX};
	const uint64_t last = (UINT64_C(1) << TIMER_AT_BITS) - 2;
	struct timerq q = {0};
	struct counted c = {0};

	timer_init(&c.t, nothing);
	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
		timer_set(&q, &c.t, far[i]);
		CU_ASSERT_EQUAL(timerq_next(&q), UINT64_MAX);
		CU_ASSERT_EQUAL(timerq_run(&q, last, 0), 0);
	}
	timer_set(&q, &c.t, last);
	CU_ASSERT_EQUAL(timerq_next(&q), last);
	CU_ASSERT_EQUAL(timerq_run(&q, last, 0), 1);
	CU_ASSERT(c.n == 1 && q.n == 0);
}

struct chain {
	struct timerq *q;
	struct timer self, other;
	uint32_t left, others;
	uint64_t step;
};

static void again(struct timer *t, uint64_t now)
{
	struct chain *c = timer_owner(t, struct chain, self);

	timer_cancel(c->q, &c->other);
	if (--c->left > 0)
		timer_set(c->q, t, now + c->step);
}

static void other(struct timer *t, uint64_t now)
{
	(void)now;
	timer_owner(t, struct chain, other)->others++;
}

/* Callbacks that set their own timer and cancel another that is due as well. */
static void test_callbacks(void)
{
	struct timerq q = {0};
	struct chain c = {.q = &q, .left = 50, .step = 0};

	timer_init(&c.self, again);
	timer_init(&c.other, other);
	timer_set(&q, &c.self, 5);
	timer_set(&q, &c.other, 5);
	/* Set for now in a callback: fires in the same call, up to the budget. */
	CU_ASSERT_EQUAL(timerq_run(&q, 5, 20), 20);
	CU_ASSERT_EQUAL(timerq_run(&q, 5, 0), 30);
	CU_ASSERT_EQUAL(c.others, 0);
	c.left = 2;
	c.step = 10;
	timer_set(&q, &c.self, 10);
	CU_ASSERT_EQUAL(timerq_run(&q, 10, 0), 1);
	CU_ASSERT_EQUAL(timerq_next(&q), 20);
	CU_ASSERT_EQUAL(timerq_run(&q, 25, 0), 1);
}

struct freed {
	struct timer t;
	uint32_t *n;
};

static void free_self(struct timer *t, uint64_t now)
{
	struct freed *f = timer_owner(t, struct freed, t);

	(void)now;
	++*f->n;
	free(f);
}

static void test_freed_in_callback(void)
{
	struct timerq q = {0};
	uint32_t n = 0;

	for (uint64_t i = 0; i < 100; i++) {
		struct freed *f = malloc(sizeof(*f));

		f->n = &n;
		timer_init(&f->t, free_self);
		timer_set(&q, &f->t, (i * 37) % 100);
	}
	CU_ASSERT_EQUAL(timerq_run(&q, 1000, 0), 100);
	CU_ASSERT_EQUAL(n, 100);
}

void register_timerq(void)
{
	CU_pSuite s = CU_add_suite("base: timerq", NULL, NULL);

	CU_add_test(s, "empty", test_empty);
	CU_add_test(s, "one timer", test_one);
	CU_add_test(s, "ties in order", test_ties);
	CU_add_test(s, "random against a model", test_random);
	CU_add_test(s, "order wraps", test_order_wraps);
	CU_add_test(s, "too far apart for an order", test_order_unknown);
	CU_add_test(s, "too far is never", test_far);
	CU_add_test(s, "callbacks set and cancel", test_callbacks);
	CU_add_test(s, "freed in its callback", test_freed_in_callback);
}
