/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The socket to the daemon: one thread of charon's connects, has the link synchronised, and reads;
 * any thread sends and waits for its answer. While the link is down all requests fail at once.
 */
#pragma once

#include "sslink/sslink.h"

#include <stdbool.h>
#include <stdint.h>

struct link;

struct link_ops {
	/*
	 * The socket is there: say HELLO, settle what must be settled, then link_opened and replay.
	 * Only link_converse may be used. 0, or -errno to drop the link and try again.
	 */
	int (*sync)(void *ctx, struct link *l);
	/* EXPIRE, DELETE_CHILD, TERMINATE_IKE or MAPPING. Must not wait: it is the reader's thread. */
	void (*order)(void *ctx, const struct sslink_msg *m);
};

/* path is copied; answer_ms is how long an answer may take. NULL when no socket has such a path. */
struct link *link_create(const struct link_ops *ops, void *ctx, const char *path,
                         unsigned int answer_ms);
/* Queues the reader's job; charon cancels it at its end. */
void link_start(struct link *l);
/* After the reader's job has ended, or was never started. */
void link_destroy(struct link *l);

/*
 * Sends a request (its seq is set here) and waits for the answer. 0, -ENOTCONN (no link, or lost
 * meanwhile), -ETIMEDOUT, or what sslink_encode says. During a synchronisation
 * - DEL_SA and UPDATE_SA do not wait: they are kept, and sent behind that (-EINPROGRESS), unless the link ends
 *   first: the next replay shows what has come of them;
 * - QUERY_SA fails (-EBUSY);
 * - all others wait for the end of that, as long as an answer may take.
 */
int link_request(struct link *l, struct sslink_msg *m, struct sslink_answer *a);

/*
 * Sends an event. Without a link it is lost, as the next HELLO starts from what is then true. During a
 * synchronisation it is kept, and sent behind that. IKE_REKEY and CHILDREN_MIGRATE are kept in any case, until a
 * later answer shows that they were read, for a connection, and its latch, must be followed (E4): the next link
 * may hear of them again. No request overtakes what is kept. It waits only where the daemon's queue is full, and
 * during a synchronisation when there is no room to keep it.
 */
void link_event(struct link *l, struct sslink_msg *m);

/* ---- for ops.sync, in the reader's thread ---- */

/* As link_request, before the link is open to others. Orders are handled meanwhile. */
int link_converse(struct link *l, struct sslink_msg *m, struct sslink_answer *a);
/* Sends what was kept, in its order; before the replay, whose SAs have the new ids. 0, or -errno. */
int link_send_missed(struct link *l);
/* True when one could not be kept: then nobody knows any more which IKE_SA is which. */
bool link_missed_some(struct link *l);
/* No IKE_SA is left that it could matter to. */
void link_forget_missed(struct link *l);
/* From now on requests of others wait for the end of the synchronisation. */
void link_opened(struct link *l);
/* Waits, at most ms; true when charon ends. */
bool link_pause(struct link *l, unsigned int ms);
