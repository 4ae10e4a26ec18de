/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "base/timerq.h"

#define NEVER     ((UINT64_C(1) << TIMER_AT_BITS) - 1)
#define LOW_BITS  (TIMER_ORDER_BITS - (64 - TIMER_FN_BITS))
#define ORDER_TOP (UINT64_C(1) << (TIMER_ORDER_BITS - 1))

static uint64_t order_of(const struct timer *t)
{
	return (uint64_t)t->order_high << LOW_BITS | t->order_low;
}

static uint64_t at_of(const struct timer *t)
{
	return t->at_ms == NEVER ? UINT64_MAX : t->at_ms;
}

/* Of two that are due together the one that was set first; their numbers are closer than half of all. */
static bool before(const struct timer *a, const struct timer *b)
{
	if (a->at_ms != b->at_ms)
		return a->at_ms < b->at_ms;
	return ((order_of(a) - order_of(b)) & ORDER_TOP) != 0;
}

/* ---- the wheel: one slot a millisecond, a ring in each, which is in order by itself ---- */

static bool fits_wheel(const struct timerq *q, uint64_t at_ms)
{
	return at_ms >= q->base_ms && at_ms - q->base_ms < TIMERQ_SLOTS;
}

static void wheel_put(struct timerq *q, struct timer *t)
{
	uint32_t i = (uint32_t)(t->at_ms % TIMERQ_SLOTS);
	struct timer *first = q->slot[i];

	if (first == NULL) {
		t->left = t->right = t;
		q->slot[i] = t;
		q->used[i / 64] |= 1ull << i % 64;
	} else {
		t->right = first;
		t->left = first->left;
		t->left->right = first->left = t;
	}
	q->n_wheel++;
}

static void wheel_take(struct timerq *q, struct timer *t)
{
	uint32_t i = (uint32_t)(t->at_ms % TIMERQ_SLOTS);

	if (t->right == t) {
		q->slot[i] = NULL;
		q->used[i / 64] &= ~(1ull << i % 64);
	} else {
		t->left->right = t->right;
		t->right->left = t->left;
		if (q->slot[i] == t)
			q->slot[i] = t->right;
	}
	q->n_wheel--;
}

/* The first timer from the base on, around the wheel. */
static struct timer *wheel_first(const struct timerq *q)
{
	uint32_t start = (uint32_t)(q->base_ms % TIMERQ_SLOTS), word = start / 64;
	uint64_t bits = q->used[word] & ~0ull << start % 64;

	if (q->n_wheel == 0)
		return NULL;
	while (bits == 0) {
		word = (word + 1) % TIMERQ_WORDS;
		bits = q->used[word];
	}
	return q->slot[word * 64 + (uint32_t)__builtin_ctzll(bits)];
}

/* ---- the tree: a treap, whose priorities are drawn from the order of setting ---- */

static uint64_t priority(const struct timer *t)
{
	uint64_t x = order_of(t) + 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* The place that points to t. */
static struct timer **link_to(struct timerq *q, struct timer *t)
{
	if (t->up == NULL)
		return &q->root;
	return t->up->left == t ? &t->up->left : &t->up->right;
}

static void rotate_up(struct timerq *q, struct timer *t)
{
	struct timer *p = t->up, *moved;

	*link_to(q, p) = t;
	t->up = p->up;
	p->up = t;
	if (p->left == t) {
		moved = p->left = t->right;
		t->right = p;
	} else {
		moved = p->right = t->left;
		t->left = p;
	}
	if (moved != NULL)
		moved->up = p;
}

static void tree_put(struct timerq *q, struct timer *t)
{
	struct timer **at = &q->root, *up = NULL;
	bool first = true;

	while (*at != NULL) {
		up = *at;
		if (before(t, up)) {
			at = &up->left;
		} else {
			at = &up->right;
			first = false;
		}
	}
	*at = t;
	t->up = up;
	t->left = t->right = NULL;
	while (t->up != NULL && priority(t) > priority(t->up))
		rotate_up(q, t);
	if (first)
		q->first = t;
}

static struct timer *next_of_first(struct timer *t)
{
	struct timer *n = t->right;

	if (n == NULL)
		return t->up;
	while (n->left != NULL)
		n = n->left;
	return n;
}

static void tree_take(struct timerq *q, struct timer *t)
{
	struct timer *only;

	if (q->first == t)
		q->first = next_of_first(t);
	while (t->left != NULL && t->right != NULL)
		rotate_up(q, priority(t->left) > priority(t->right) ? t->left : t->right);
	only = t->left != NULL ? t->left : t->right;
	*link_to(q, t) = only;
	if (only != NULL)
		only->up = t->up;
}

/* ---- both ---- */

void timer_init(struct timer *t, timer_fn fn)
{
	*t = (struct timer){.fn = (uintptr_t)fn};
}

void timer_cancel(struct timerq *q, struct timer *t)
{
	if (!t->queued)
		return;
	if (t->near)
		wheel_take(q, t);
	else
		tree_take(q, t);
	t->left = t->right = t->up = NULL;
	t->queued = false;
	q->n--;
}

void timer_set(struct timerq *q, struct timer *t, uint64_t at_ms)
{
	timer_cancel(q, t);
	t->at_ms = at_ms < NEVER ? at_ms : NEVER;
	t->order_high = q->order >> LOW_BITS;
	t->order_low = q->order++;
	t->queued = true;
	t->near = t->at_ms != NEVER && fits_wheel(q, at_ms);
	if (t->near)
		wheel_put(q, t);
	else
		tree_put(q, t);
	q->n++;
}

static struct timer *first_of(const struct timerq *q)
{
	struct timer *near = wheel_first(q);

	if (near == NULL || (q->first != NULL && before(q->first, near)))
		return q->first;
	return near;
}

uint64_t timerq_next(const struct timerq *q)
{
	const struct timer *t = first_of(q);

	return t != NULL ? at_of(t) : UINT64_MAX;
}

uint32_t timerq_run(struct timerq *q, uint64_t now_ms, uint32_t budget)
{
	uint32_t n = 0;
	struct timer *t;

	while ((t = first_of(q)) != NULL && at_of(t) <= now_ms) {
		if (budget != 0 && n == budget)
			return n;
		timer_cancel(q, t);
		/* None is left in the wheel before this one, so the wheel may turn so far. */
		if (at_of(t) > q->base_ms)
			q->base_ms = at_of(t);
		n++;
		((timer_fn)(uintptr_t)t->fn)(t, now_ms);
	}
	if (now_ms > q->base_ms)
		q->base_ms = now_ms;
	return n;
}
