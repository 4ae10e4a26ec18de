/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What the IPsec files of src/control share: IKE_SAs, children, SAs, and what waits for workers. */
#pragma once

#include "base/texts.h"
#include "control/ctl_int.h"
#include "control/ipsec.h"

#define CHILDREN_MAX   64 /* a connection, and SPIs given out but not yet used a IKE_SA */
#define CHILD_SAS_MAX  8 /* a child and direction */
#define IKE_MAX        (2 * CONN_SLOTS) /* whatever charon says */
#define LARVAL_MS      165000 /* an SPI without an SA: as long as charon lets the kernel keep one */
#define USE_MS         2000 /* a new outbound SA is used by then whatever its pair has seen */
#define TERMINATED_MS  60000 /* a terminated IKE_SA is gone by then, told or not */
#define ORPHAN_LIFE_MS 3600000 /* of an unused orphan whose SAs have no hard lifetime */
#define L2TP_PORT      1701

/* An IKE_SA, by charon's id. */
struct ike {
	uint32_t id;
	uint16_t worker;
	bool up : 1; /* charon said so, or asked for its first SA */
	bool told : 1; /* .. or replayed one; else it is known as who has adopted, and may be gone */
	bool retired : 1; /* its children were adopted by another: it gets no new ones (E4) */
	bool terminate : 1; /* to be terminated as soon as there is a link */
	bool ending : 1; /* terminated: in the list of that name */
	uint8_t version, auth; /* these as last told */
	struct ipaddr local;
	uint32_t seen; /* the link that last replayed an SA of it */
	uint32_t n_spis;
	const char *profile, *remote_id; /* of texts; NULL: not told */
	struct conn *conn; /* what new CHILD_SAs belong to; NULL: none yet */
	uint32_t conns; /* it, and those adopted beside it: the first, by ike_next */
	uint32_t spis; /* given out, no SA yet: the first, by sa.next */
	uint64_t end_ms; /* ending: it is gone by then, told or not */
	struct ref_link end_link;
	uint32_t next; /* in its bucket */
	struct ctl *ctl;
};

/* A lineage of SAs between one pair of ports (dp.h). */
struct child {
	struct conn *conn;
	uint32_t index; /* of the data plane */
	bool tunnel_mode : 1;
	bool latched : 1;
	/* To go, and in the list of that name, unless it is in one of these. */
	bool leaving : 1, moving : 1, left : 1;
	bool any : 1; /* made without IKE: takes any path */
	uint8_t n_in, n_out, n_early;
	struct endpoint local, peer; /* inner; peer.port 0: any */
	uint32_t sas; /* newest first: the first, by sa.next */
	struct timer timer; /* of the one that has something due first */
	uint32_t n_sessions; /* whose removal a worker has not taken yet */
	uint32_t n_orders; /* .. and SAs */
	struct early *early; /* messages for which there is no outbound SA yet, oldest first */
	struct ref_link link; /* of the connection, or of those leaving */
};

enum sa_state {
	SA_LARVAL, /* an SPI alone */
	SA_ADDING, /* ordered, not applied */
	SA_LIVE,
	SA_REMOVING,
};

/* The order for an SA that did not fit into the worker's FIFO; it holds keys. */
struct sa_order {
	struct dp_sa sa;
	uint8_t enc_key[SSLINK_KEY_MAX], auth_key[SSLINK_KEY_MAX];
};

/* Of an SA whose peer has moved. */
struct sa_moves {
	bool apart; /* what follows is not its connection's */
	bool own; /* it is not where charon says, but where its packets came from while there was no link */
	bool said_encap; /* own: as charon says .. */
	struct endpoint local, peer; /* outer addresses and ports */
	struct endpoint said_local, said_peer; /* .. and these */
	struct endpoint to; /* where the peer's packets have come from of late .. */
	uint64_t ms; /* .. and when that was told; 0: never */
};

struct sa {
	uint32_t spi;
	uint32_t seen; /* the link that last replayed it, or made it */
	dp_sa_id id; /* 0: the data plane does not have it */
	uint8_t state : 2; /* enum sa_state */
	bool inbound : 1, encap : 1, esn : 1;
	bool paired : 1; /* inbound: an outbound one has it */
	bool soft_told : 1;
	bool soft_due : 1; /* charon has to be told, and there was no link */
	bool moved : 1; /* .. or has not answered */
	bool again : 1; /* the order under way did not fit yet */
	bool waits : 1; /* in the queue */
	bool listed : 1; /* larval: in the list of those */
	bool use_due : 1; /* live: it is to be used from use_at on */
	uint8_t cipher : 4, auth : 4; /* these and lengths as struct esp_suite: sa_suite */
	uint8_t icv_len, key_len;
	uint8_t worker;
	uint16_t replay_window;
	uint32_t answer_seq, answer_link; /* answer_link 0: no answer is due */
	struct sa_moves *moves; /* NULL: it has never moved */
	struct child *child; /* NULL: larval */
	union {
		struct ike *ike; /* larval: whose SPI */
		struct conn *conn; /* .. not: the child's, which may go before it */
	};
	struct sa_order *order; /* NULL: given */
	uint64_t created_ms, soft_at, hard_at; /* UINT64_MAX: never */
	union {
		uint64_t ticket; /* adding, removing: of the order */
		uint64_t use_at; /* use_due */
	};
	uint32_t next_spi; /* in its bucket */
	uint32_t next; /* larval: of its IKE_SA; else of its child */
	struct ref_link wait; /* waits, or listed */
};
#define SA_WAIT    offsetof(struct sa, wait)
#define SA_NEXT    offsetof(struct sa, next)
#define SA_BY_SPI  offsetof(struct sa, next_spi)
#define CHILD_LINK offsetof(struct child, link)
#define CONN_NEXT  offsetof(struct conn, next)
#define CONN_IKE   offsetof(struct conn, ike_next)
#define CONN_END   offsetof(struct conn, end_link)
#define IKE_NEXT   offsetof(struct ike, next)
#define IKE_END    offsetof(struct ike, end_link)

#define SA_FOREACH(sa, ch)   REF_FOREACH (sa, (ch)->sas, next)
#define CHILD_FOREACH(ch, k) REF_FOREACH (ch, (k)->children.first, link.next)

enum link_state { LINK_DOWN, LINK_HELLO, LINK_SYNC, LINK_UP };

#define IKE_BUCKETS 65536
#define SA_BUCKETS  65536

struct ipsec {
	struct ctl *ctl;
	uint64_t instance; /* ours */
	uint64_t charon; /* the instance that the ids are of */
	enum link_state link;
	uint32_t link_no; /* counts links; an answer goes to the link that asked */
	struct texts *texts;
	struct slab ike_slab, child_slab, sa_slab;
	uint32_t *ikes; /* by id: the first, by ike.next */
	struct ref_list ike_ending; /* by time */
	struct timer ike_end; /* of the first */
	uint32_t *by_spi; /* the first, by sa.next_spi */
	struct ref_list larval; /* by time */
	struct timer larval_end; /* of the first */
	struct ref_list waiting; /* for a worker: the order's place, or its effect */
	uint32_t n_waiting;
	struct ref_list moving; /* sessions of them are still to find another */
	uint32_t move_at; /* in the slots of tunnels, then in those of sessions */
	struct ref_list leaving; /* SAs or sessions of them are still to be ordered away */
	struct ref_list left; /* .. no more */
	struct ref_list ending; /* for conns_settle */
	/*
	 * IKE_SAs and connections. With the session that each is for it makes three of an SA's session: it
	 * costs its worker some three times as much as one outside of IPsec.
	 */
	uint32_t load[DP_MAX_WORKERS];
	struct log_limit limit_refused;
	struct ctl_ipsec_stats st;
};

/* ipsec.c */
bool ipsec_send(struct ctl *c, struct sslink_msg *m); /* false: no link */
void ipsec_answer(struct ctl *c, uint32_t seq, enum sslink_status status);
/* The same, and a line in the log, of which there is a limit. k may be NULL. */
void ipsec_refuse(struct ctl *c, const struct sslink_msg *m, const struct sslink_ike *ike,
                  struct conn *k, enum sslink_status status, const char *why);

/* ike.c */
struct ike *ike_find(const struct ctl *c, uint32_t id);
/* Finds or makes; learns what is told. NULL: no memory, or too many. */
struct ike *ike_get(struct ctl *c, const struct sslink_ike *info);
void ike_free(struct ike *e);
void ike_end_due(struct timer *t, uint64_t now_ms); /* of ipsec.ike_end */
/* Frees one of which nothing is left and that never was up: it may have been given up in silence. */
void ike_maybe_free(struct ike *e);
/* Why it gets no new SA; NULL: it may. Counts on its connection. */
const char *ike_objection(struct ctl *c, const struct ike *e);
/* Its connection, made when it has none. NULL: no room. */
struct conn *ike_conn(struct ike *e);
/* Tells it to a connection: what shows say. */
void ike_describe(const struct ike *e, struct conn *k);
void ike_attach(struct ike *e, struct conn *k, bool primary);
void ike_detach(struct conn *k);
/* It has adopted the children of a connection that has not fired: that is its own from now on (E4). */
void ike_adopt(struct ike *e, struct conn *k);
void ike_terminate(struct ike *e);
void ike_on_up(struct ctl *c, const struct sslink_ike *info);
void ike_on_down(struct ctl *c, uint32_t id);
void ike_on_rekey(struct ctl *c, uint32_t old_id, uint32_t new_id);
void ike_on_migrate(struct ctl *c, const struct sslink_ike_rekey *m);
void ike_on_child_rekey(struct ctl *c, const struct sslink_child_rekey *m);

/* sync.c */
/* Another charon: the ids that were known mean nothing to it. */
void sync_forget(struct ctl *c);
void sync_on_sa(struct ctl *c, const struct sslink_msg *m);
void sync_end(struct ctl *c);

/* child.c */
/* What a pair of selectors stands for. */
struct child_key {
	struct endpoint local, peer;
	struct endpoint outer_peer;
	bool tunnel_mode;
};
void child_arm(struct child *ch); /* the times of its SAs have changed */
struct child *child_find(const struct conn *k, const struct child_key *key);
/* NULL with errno of the data plane's error. */
struct child *child_new(struct ctl *c, struct conn *k, const struct child_key *key);
void child_latch(struct ctl *c, struct child *ch);
/* Ends a child that has no SA left, and the tunnels that have no other. */
void child_check(struct ctl *c, struct child *ch);
void child_leave(struct ctl *c, struct child *ch);
/* One order less is to be given. */
void child_ordered(struct child *ch);
/* Moves some of the sessions whose child leaves. True: there is more to do, and room for it. */
bool child_move(struct ctl *c);
/* Frees some of those that have left. True: more of them may be ready. */
bool child_poll(struct ctl *c);

/* ipsec_sa.c */
/* By charon's name for it; dst only counts for an outbound one. */
struct sa *sa_find(const struct ctl *c, uint32_t spi, bool inbound, const struct ipaddr *dst);
/*
 * An outbound one of this IKE_SA that charon replays, whose name may have changed unheard. NULL: none, or it
 * may be one or another.
 */
struct sa *sa_find_replayed(const struct ike *e, uint32_t spi, const struct ipaddr *dst);
/* Another peer has chosen the same SPI for its own. */
bool sa_shares_spi(const struct sa *sa);
void sa_on_get_spi(struct ctl *c, const struct sslink_msg *m);
void sa_on_del(struct ctl *c, const struct sslink_msg *m);
void sa_on_query(struct ctl *c, const struct sslink_msg *m);
/* From now on it is not known any more; its memory goes when the worker has let go of it. */
void sa_remove(struct sa *sa);
void sa_larval_free(struct sa *sa);
static inline struct ctl *sa_ctl(const struct sa *sa)
{
	return sa->child != NULL ? sa->conn->ctl : sa->ike->ctl;
}
/* When something of it falls due; UINT64_MAX: never. */
uint64_t sa_due(const struct sa *sa);
void sa_do(struct sa *sa); /* what is due; it may be gone, and its child */
struct esp_suite sa_suite(const struct sa *sa);
void sa_set_suite(struct sa *sa, const struct esp_suite *s);
void sa_tell(struct sa *sa); /* what charon has missed while there was no link */
/* Something of it falls due at another time. */
void sa_arm(struct sa *sa);
void sa_larval_list(struct sa *sa); /* from now on its IKE_SA's, for LARVAL_MS */
void sa_larval_unlist(struct sa *sa);
void sa_larval_due(struct timer *t, uint64_t now_ms); /* of ipsec.larval_end */
void sa_event(struct ctl *c, const struct dp_punt *p);
void sa_poll(struct ctl *c, uint32_t most);
struct sa *sa_new(struct ctl *c, uint32_t spi, bool inbound);
void sa_free(struct ctl *c, struct sa *sa);
void sa_order_free(struct sa *sa); /* wipes its keys */
void sa_answer(struct sa *sa, enum sslink_status status);
void sa_wait(struct sa *sa);
/* Unlinks from its child and counts. */
void sa_leave_child(struct sa *sa);

/* sa_move.c */
/* NULL: no memory. */
struct sa_moves *sa_moves(struct sa *sa);
/* Of one that is not larval: where it is .. */
const struct endpoint *sa_local(const struct sa *sa);
const struct endpoint *sa_peer(const struct sa *sa);
/* .. and where charon says that it is. */
const struct endpoint *sa_said_local(const struct sa *sa);
const struct endpoint *sa_said_peer(const struct sa *sa);
void sa_on_update(struct ctl *c, const struct sslink_msg *m);
/* charon says by a replay where it is. NULL: so it is known; else why not. */
const char *sa_replayed(struct sa *sa, const struct sslink_add_sa *a);
void sa_moved(struct sa *sa, const struct endpoint *to); /* its packets come from there */
void sa_tell_move(struct sa *sa);
/* 0, or -EAGAIN: it is tried again. */
int sa_order_update(struct sa *sa);

/* sa_add.c */
void sa_on_add(struct ctl *c, const struct sslink_msg *m);
void sa_join_child(struct sa *sa, struct child *ch);
/* Gives the order again that did not fit. False: still does not, or was refused and is gone. */
bool sa_order_again(struct sa *sa);
void sa_applied(struct sa *sa);

/* early.c */
/* What waited for the child's first outbound SA. */
void early_deliver(struct ctl *c, struct child *ch);
void early_forget(struct child *ch);

/* suite.c */
/* IKEv2 transform ids and lengths to a suite. False: not supported. */
bool suite_of(uint16_t enc_alg, uint16_t enc_key_len, uint16_t auth_alg, uint16_t auth_key_len,
              struct esp_suite *out);
/* Key lengths of a static SA's suite. False: not one of those (ctl_static_sa). */
bool suite_keys(const struct esp_suite *s, uint16_t *enc_key_len, uint16_t *auth_key_len);

/* conns.c */
struct conn *conn_make(struct ctl *c); /* CONN_IPSEC; NULL: no room */
/*
 * The connection is there now; its SAs, but for the one that is to follow, stay where they are. False: no
 * memory, and it stays too.
 */
bool conn_move(struct conn *k, const struct endpoint *local, const struct endpoint *peer);
/* All SAs go: orders to the workers, in the FIFO after what was sent before. */
void conn_strip(struct ctl *c, struct conn *k, bool tell);
void conn_end(struct ctl *c, struct conn *k); /* strip, then terminate: at the next settling */
/* A worker has let go of an SA of it. The connection may be freed. */
void conn_removed_sa(struct ctl *c, struct conn *k);
