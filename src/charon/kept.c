/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 Sallyport contributors */
#include "charon/kept.h"

#include <library.h>

#define KEPT_MAX 4096

void kept_init(struct kept *k)
{
	memset(k, 0, sizeof(*k));
	STAILQ_INIT(&k->events);
}

static void drop(struct kept *k, struct kept_event *e)
{
	STAILQ_REMOVE(&k->events, e, kept_event, entry);
	k->n--;
	free(e);
}

void kept_clear(struct kept *k)
{
	while (!STAILQ_EMPTY(&k->events))
		drop(k, STAILQ_FIRST(&k->events));
}

bool kept_add(struct kept *k, const struct sslink_msg *m)
{
	struct kept_event *e;

	/* The first one has been read, if it was taken: a socket holds far fewer. */
	if (k->n >= KEPT_MAX)
		kept_read(k, STAILQ_FIRST(&k->events)->sent);
	if (k->n >= KEPT_MAX)
		return false;
	INIT(e, .m = *m);
	STAILQ_INSERT_TAIL(&k->events, e, entry);
	k->n++;
	return true;
}

struct kept_event *kept_next(struct kept *k)
{
	struct kept_event *e;

	STAILQ_FOREACH (e, &k->events, entry) {
		if (e->sent == 0)
			break;
	}
	return e;
}

void kept_taken(struct kept *k, struct kept_event *e, bool again)
{
	if (again)
		e->sent = ++k->n_sent;
	else
		drop(k, e);
}

void kept_read(struct kept *k, uint64_t n_sent)
{
	struct kept_event *e;

	while ((e = STAILQ_FIRST(&k->events)) != NULL && e->sent != 0 && e->sent <= n_sent)
		drop(k, e);
}

void kept_unsent(struct kept *k)
{
	struct kept_event *e;

	STAILQ_FOREACH (e, &k->events, entry)
		e->sent = 0;
}
