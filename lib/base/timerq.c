/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "base/timerq.h"

#include <stddef.h>

static bool before(const struct timer *a, const struct timer *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static struct timer *meld(struct timer *a, struct timer *b)
{
	if (a == NULL)
		return b;
	if (b == NULL)
		return a;
	if (before(b, a)) {
		struct timer *t = a;

		a = b;
		b = t;
	}
	b->prev = a;
	b->next = a->child;
	if (b->next != NULL)
		b->next->prev = b;
	a->child = b;
	return a;
}

/* Two passes over a list of siblings: pair from the left, then meld the pairs from the right. */
static struct timer *meld_siblings(struct timer *first)
{
	struct timer *pairs = NULL, *root = NULL;

	while (first != NULL) {
		struct timer *a = first, *b = first->next, *m;

		first = b != NULL ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b != NULL)
			b->next = b->prev = NULL;
		m = meld(a, b);
		m->next = pairs;
		pairs = m;
	}
	while (pairs != NULL) {
		struct timer *m = pairs;

		pairs = m->next;
		m->next = m->prev = NULL;
		root = meld(root, m);
	}
	return root;
}

void timer_init(struct timer *t, timer_fn fn, void *arg)
{
	*t = (struct timer){.fn = fn, .arg = arg};
}

void timer_cancel(struct timerq *q, struct timer *t)
{
	struct timer *rest;

	if (!t->queued)
		return;
	rest = meld_siblings(t->child);
	if (t == q->root) {
		q->root = rest;
	} else {
		if (t->prev->child == t)
			t->prev->child = t->next;
		else
			t->prev->next = t->next;
		if (t->next != NULL)
			t->next->prev = t->prev;
		q->root = meld(q->root, rest);
	}
	t->child = t->next = t->prev = NULL;
	t->queued = false;
	q->n--;
}

void timer_set(struct timerq *q, struct timer *t, uint64_t at_ms)
{
	timer_cancel(q, t);
	t->at_ms = at_ms;
	t->order = q->order++;
	t->queued = true;
	q->root = meld(q->root, t);
	q->n++;
}

uint64_t timerq_next(const struct timerq *q)
{
	return q->root != NULL ? q->root->at_ms : UINT64_MAX;
}

uint32_t timerq_run(struct timerq *q, uint64_t now_ms, uint32_t budget)
{
	uint32_t n = 0;

	while (q->root != NULL && q->root->at_ms <= now_ms && (budget == 0 || n < budget)) {
		struct timer *t = q->root;

		timer_cancel(q, t);
		n++;
		t->fn(t, t->arg, now_ms);
	}
	return n;
}
