/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Messages that the daemon may not have read, in their order: those that no link has taken yet, behind those
 * that one has taken and no answer has proven to be read. The caller locks.
 */
#pragma once

#include "sslink/sslink.h"

#include <stddef.h>
#include <sys/queue.h>

enum kept_until {
	KEPT_LINK, /* a link has taken it, or the link ends that it was meant for */
	KEPT_READ, /* an answer proves that it was read */
};

struct kept_msg {
	TAILQ_ENTRY(kept_msg) entry;
	uint64_t sent; /* its number, since a link has taken it; 0: none has */
	enum kept_until until;
	size_t len;
	uint8_t bytes[]; /* as it goes over the link */
};

struct kept {
	TAILQ_HEAD(kept_msgs, kept_msg) msgs;
	struct kept_msg *next; /* the first one that no link has taken */
	unsigned int n;
	uint64_t n_sent; /* ever: grows, and is never used again */
};

void kept_init(struct kept *k);
void kept_clear(struct kept *k);

/*
 * Behind all others; a copy. False: there is no room, of which KEPT_LINK has a half, or it cannot be encoded.
 * Not for keys: nothing here is wiped.
 */
bool kept_add(struct kept *k, const struct sslink_msg *m, enum kept_until until);
/* The first one that is to be sent; NULL: none. It stays where it is until kept_taken, kept_unsent or kept_clear. */
struct kept_msg *kept_next(struct kept *k);
/* A link has taken that, which is kept_next's. */
void kept_taken(struct kept *k, struct kept_msg *e);
/* All have been read that were taken up to n_sent, as it was when the request was sent that is answered now. */
void kept_read(struct kept *k, uint64_t n_sent);
/* The link has ended: what it has taken is to be sent again, and what was meant for it alone is dropped. */
void kept_unsent(struct kept *k);
