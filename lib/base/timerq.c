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

/* The place at or below at that points to t; NULL: none does. */
static struct timer **search(struct timer **at, const struct timer *t)
{
	struct timer **found;

	if (*at == NULL || *at == t)
		return *at != NULL ? at : NULL;
	found = search(&(*at)->left, t);
	return found != NULL ? found : search(&(*at)->right, t);
}

/*
 * The place that points to t, which is in the tree. It is not where its order says if others that are due
 * together with it were set more than half of all numbers later: by such the tree was not in order.
 */
static struct timer **link_to(struct timerq *q, const struct timer *t)
{
	struct timer **at = &q->root;

	while (*at != NULL && *at != t)
		at = before(t, *at) ? &(*at)->left : &(*at)->right;
	return *at != NULL ? at : search(&q->root, t);
}

/* Hangs what is before t in tree at left, and what is not at right. */
static void split(struct timer *tree, const struct timer *t, struct timer **left,
                  struct timer **right)
{
	while (tree != NULL) {
		if (before(t, tree)) {
			*right = tree;
			right = &tree->left;
			tree = tree->left;
		} else {
			*left = tree;
			left = &tree->right;
			tree = tree->right;
		}
	}
	*left = *right = NULL;
}

/* Hangs both at at; all of left are before those of right. */
static void join(struct timer **at, struct timer *left, struct timer *right)
{
	while (left != NULL && right != NULL) {
		if (priority(left) > priority(right)) {
			*at = left;
			at = &left->right;
			left = left->right;
		} else {
			*at = right;
			at = &right->left;
			right = right->left;
		}
	}
	*at = left != NULL ? left : right;
}

static void tree_put(struct timerq *q, struct timer *t)
{
	const uint64_t mine = priority(t);
	struct timer **at = &q->root;

	if (q->first == NULL || before(t, q->first))
		q->first = t;
	while (*at != NULL && priority(*at) >= mine)
		at = before(t, *at) ? &(*at)->left : &(*at)->right;
	split(*at, t, &t->left, &t->right);
	*at = t;
}

static struct timer *leftmost(struct timer *tree)
{
	while (tree != NULL && tree->left != NULL)
		tree = tree->left;
	return tree;
}

static void tree_take(struct timerq *q, struct timer *t)
{
	join(link_to(q, t), t->left, t->right);
	if (q->first == t)
		q->first = leftmost(q->root);
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
	t->left = t->right = NULL;
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
