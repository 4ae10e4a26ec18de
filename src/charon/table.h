/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The SAs that charon has installed in the daemon, with the IKE_SAs they belong to: what is replayed
 * after the link was lost. Any thread may call; nothing here calls out. Keys are wiped with their SA.
 */
#pragma once

#include "sslink/sslink.h"

struct table;

enum sa_state {
	SA_NONE, /* not in the table */
	SA_ALLOCATED, /* an SPI that the daemon has given */
	SA_ASKED, /* ADD_SA is under way, or was never answered: the daemon may have it */
	SA_INSTALLED,
};

/* SPIs are in host order; dst is the destination that charon names the SA by. */
struct sa_key {
	uint32_t spi;
	struct ipaddr dst;
};

struct table *table_create(void);
void table_destroy(struct table *t);

/* Notes the IKE_SA, which is not down, or what is now known of it. An id of 0 is none. */
void table_ike_seen(struct table *t, const struct sslink_ike *ike);

/* What a renewal of an IKE_SA means. */
enum ike_renewal {
	RENEWAL_UNKNOWN, /* of one that was never noted */
	RENEWAL_GOOD, /* to be told */
	RENEWAL_SPENT, /* of one that was renewed before: the new one must end */
};

/*
 * The IKE_SA goes on under another id; what is known of it now. The old one is spent: it is there until it is gone,
 * but gets no SA, for one authentication gives one line of IKE_SAs (E1). spent: it was that before, though it may
 * not be noted.
 */
enum ike_renewal table_ike_rekeyed(struct table *t, uint32_t old_id, const struct sslink_ike *now,
                                   bool spent);
/* True when it was renewed, or comes of one that was renewed before: it gets no SA. */
bool table_ike_spent(struct table *t, uint32_t id);

/* New endpoints of an IKE_SA, if it was noted. */
void table_ike_moved(struct table *t, uint32_t id, const struct endpoint *local,
                     const struct endpoint *remote);

/* The SAs of these n children of old_id, named by in and out, belong to new_id from now on. */
void table_ike_migrated(struct table *t, uint32_t old_id, uint32_t new_id, const uint32_t *in,
                        const uint32_t *out, unsigned int n);

/*
 * The IKE_SA is down; gone: it has no id any more. True when this is to be told, which is once and
 * only of noted ones that are not spent.
 */
bool table_ike_down(struct table *t, uint32_t id, bool gone);

/*
 * All IKE_SAs that are noted now must end, and so must whatever they are renewed to, or give their SAs to. Then
 * table_doomed gives the ids of those that are there still, an array that the caller frees.
 */
void table_doom(struct table *t);
uint32_t *table_doomed(struct table *t, unsigned int *n);
/* charon does not find it: the second time it is gone, for a new one may be told of before it can be found. */
void table_ike_missing(struct table *t, uint32_t id);

/* An SPI was given. False when it is in use: the daemon contradicts itself. */
bool table_allocated(struct table *t, const struct sa_key *k, const struct sslink_ike *ike);

/* ADD_SA is about to be sent. Copies the keys. False when an SA has that name, which is contested from now on. */
bool table_asked(struct table *t, const struct sslink_add_sa *a);
/* Its answer: installed; or refused, when an inbound SA falls back to its SPI, an outbound one goes. */
void table_answered(struct table *t, const struct sa_key *k, bool installed);

/* An SA has new addresses; charon names it by them from now on. */
void table_updated(struct table *t, const struct sa_key *k, const struct sslink_update_sa *u);

/*
 * The state of an SA that a thread with this IKE_SA (0: none) calls by that name, and the daemon by the name that k
 * is set to: another peer may have chosen the same. *inbound and k only when there is one.
 */
enum sa_state table_find(struct table *t, struct sa_key *k, uint32_t ike_id, bool *inbound);
/* The same, and forgets it. */
enum sa_state table_remove(struct table *t, struct sa_key *k, uint32_t ike_id, bool *inbound);
void table_clear(struct table *t);

/* How many SAs are in the table, allocated SPIs included. */
unsigned int table_count(struct table *t);

/* Names of the installed SAs now, an array that the caller frees. NULL when there are none. */
struct sa_key *table_installed(struct table *t, unsigned int *n);
/*
 * The SA as it would be added now (resync set); false when it is not installed any more, has been given in this
 * round (any number but that of the last one, not 0), or its IKE_SA is down. Wipe it.
 */
bool table_replay(struct table *t, const struct sa_key *k, unsigned int round,
                  struct sslink_add_sa *out);
