/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 Sallyport contributors */
#include "charon/kept.h"

#include <stdlib.h>
#include <string.h>

/* Of some 100 bytes each: one for each of the subscribers that a daemon may have. */
#define KEPT_MAX 65536

void kept_init(struct kept *k)
{
	memset(k, 0, sizeof(*k));
	TAILQ_INIT(&k->msgs);
}

static void drop(struct kept *k, struct kept_msg *e)
{
	if (e == k->next)
		k->next = TAILQ_NEXT(e, entry);
	TAILQ_REMOVE(&k->msgs, e, entry);
	k->n--;
	free(e);
}

void kept_clear(struct kept *k)
{
	while (!TAILQ_EMPTY(&k->msgs))
		drop(k, TAILQ_FIRST(&k->msgs));
}

bool kept_add(struct kept *k, const struct sslink_msg *m, enum kept_until until)
{
	uint8_t bytes[SSLINK_MSG_MAX];
	struct kept_msg *e;
	int len;

	/* When all were taken the first one has been read: a socket holds far fewer. */
	if (k->n >= KEPT_MAX && k->next == NULL)
		kept_read(k, TAILQ_FIRST(&k->msgs)->sent);
	if (k->n >= (until == KEPT_LINK ? KEPT_MAX / 2 : KEPT_MAX))
		return false;
	len = sslink_encode(m, bytes, sizeof(bytes));
	if (len < 0)
		return false;
	e = malloc(sizeof(*e) + (size_t)len);
	if (e == NULL)
		return false;
	e->sent = 0;
	e->until = until;
	e->len = (size_t)len;
	memcpy(e->bytes, bytes, e->len);
	TAILQ_INSERT_TAIL(&k->msgs, e, entry);
	if (k->next == NULL)
		k->next = e;
	k->n++;
	return true;
}

struct kept_msg *kept_next(struct kept *k)
{
	return k->next;
}

void kept_taken(struct kept *k, struct kept_msg *e)
{
	if (e->until != KEPT_READ) {
		drop(k, e);
		return;
	}
	e->sent = ++k->n_sent;
	k->next = TAILQ_NEXT(e, entry);
}

void kept_read(struct kept *k, uint64_t n_sent)
{
	struct kept_msg *e;

	while ((e = TAILQ_FIRST(&k->msgs)) != NULL && e->sent != 0 && e->sent <= n_sent)
		drop(k, e);
}

void kept_unsent(struct kept *k)
{
	struct kept_msg *e, *after;

	for (e = TAILQ_FIRST(&k->msgs); e != NULL; e = after) {
		after = TAILQ_NEXT(e, entry);
		e->sent = 0;
		if (e->until == KEPT_LINK)
			drop(k, e);
	}
	k->next = TAILQ_FIRST(&k->msgs);
}
