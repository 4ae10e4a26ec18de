/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Events that the daemon may not have read, in their order: those that no link has taken yet, behind those
 * that one has taken and no answer has proven to be read. The caller locks.
 */
#pragma once

#include "sslink/sslink.h"

#include <sys/queue.h>

struct kept_event {
	STAILQ_ENTRY(kept_event) entry;
	uint64_t sent; /* its number, since a link has taken it; 0: none has */
	struct sslink_msg m;
};

struct kept {
	STAILQ_HEAD(, kept_event) events;
	unsigned int n;
	uint64_t n_sent; /* ever: grows, and is never used again */
};

void kept_init(struct kept *k);
void kept_clear(struct kept *k);

/* Behind all others; a copy. False: it is full. */
bool kept_add(struct kept *k, const struct sslink_msg *m);
/* The first one that is to be sent; NULL: none. It stays where it is until kept_taken, or kept_clear. */
struct kept_event *kept_next(struct kept *k);
/* A link has taken that. again: it stays until kept_read, for it must not be lost with the link. */
void kept_taken(struct kept *k, struct kept_event *e, bool again);
/* All have been read that were taken up to n_sent, as it was when the request was sent that is answered now. */
void kept_read(struct kept *k, uint64_t n_sent);
/* The link has ended: what it has taken is to be sent again. */
void kept_unsent(struct kept *k);
