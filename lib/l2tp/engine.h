/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Inside the L2TP engine: the objects and what its files ask of one another. Nothing outside
 * lib/l2tp (and its tests) includes this.
 *
 * No object is freed while the engine is on the stack: it goes to a graveyard, which the outermost
 * l2tp_leave empties. So a callback may close anything, and code after a callback has only to look
 * at the state, never whether the pointer is still good.
 */
#pragma once

#include "base/slab.h"
#include "base/texts.h"
#include "l2tp/channel.h"
#include "l2tp/l2tp.h"
#include "l2tp/msg.h"

#include <sys/queue.h>

#define L2TP_IDS          65536
#define L2TP_BUCKETS      65536
#define L2TP_WAIT_BUCKETS 1024
#define L2TP_LINGER_MAX   65536 /* beyond this the oldest record gives way */
#define L2TP_CHALLENGE    16 /* bytes of the challenges that we send */

#define L2TP_SHARED_BUCKETS 256
#define L2TP_TIME_BITS      44 /* milliseconds: five centuries */

/* Result codes of StopCCN (4.4.2). */
enum {
	L2TP_STOP_CLEAR = 1,
	L2TP_STOP_ERROR = 2,
	L2TP_STOP_NOT_AUTHORIZED = 4,
	L2TP_STOP_BAD_VERSION = 5,
	L2TP_STOP_FSM = 7,
};

/* Result codes of CDN (4.4.2). */
enum {
	L2TP_CDN_CARRIER = 1,
	L2TP_CDN_ERROR = 2,
	L2TP_CDN_ADMIN = 3,
	L2TP_CDN_NO_FACILITIES = 4,
	L2TP_CDN_TIMEOUT = 10,
};

/* General error codes (4.4.2). */
enum {
	L2TP_ERR_LENGTH = 2,
	L2TP_ERR_VALUE = 3,
	L2TP_ERR_RESOURCES = 4,
	L2TP_ERR_UNKNOWN_AVP = 8,
};

LIST_HEAD(l2tp_setup_bucket, l2tp_setup);
LIST_HEAD(l2tp_linger_bucket, l2tp_linger);
LIST_HEAD(l2tp_shared_list, l2tp_shared);
TAILQ_HEAD(l2tp_linger_list, l2tp_linger);

struct l2tp {
	const struct l2tp_ops *ops;
	void *ctx;
	struct timerq *timers;
	struct log *log;
	char vendor[64];
	uint16_t firmware;

	uint64_t now_ms; /* of the entry that is running */
	uint64_t seed; /* of the hash tables, unpredictable */
	uint32_t depth; /* entries on the stack */
	struct l2tp_tunnel *dead_tunnels;
	struct l2tp_call *dead_calls;

	/* What is in these has its links to others as their local ids, 0 being none. */
	struct l2tp_tunnel **tunnels; /* by local id */
	struct l2tp_call **calls; /* by local id */
	uint16_t *by_peer; /* responders, by path and the peer's tunnel id */
	uint16_t *calls_by_peer; /* by tunnel and the peer's session id */

	struct l2tp_setup_bucket *waiting; /* initiators in wait-ctl-reply, by path */
	struct l2tp_linger_bucket *linger; /* by path and local id */
	struct l2tp_linger_bucket *linger_by_peer; /* by path and the peer's tunnel id */
	struct l2tp_linger_list lingering; /* oldest first */
	uint32_t n_tunnels, n_calls, n_linger;
	struct slab tunnel_slab, setup_slab, call_slab, establish_slab;
	struct texts *texts; /* names of peers */
	struct l2tp_shared_list shared[L2TP_SHARED_BUCKETS]; /* configurations in use */

	struct l2tp_stats stats;
	struct l2tp_chan_env chan_env;
	struct l2tp_msg rx; /* the message being processed; one at a time */
	uint8_t tx[L2TP_MSG_MAX]; /* the message being built; never across a callback */
};

/* What a tunnel's life timer waits for. */
enum l2tp_life {
	L2TP_LIFE_NONE,
	L2TP_LIFE_ESTABLISH,
	L2TP_LIFE_IDLE,
	L2TP_LIFE_FIRST_CALL,
	L2TP_LIFE_CALLS, /* it is down, and has calls left to end */
};

/* A configuration, and what follows from it, for all tunnels that have the same. */
struct l2tp_shared {
	struct l2tp *l;
	struct l2tp_tunnel_conf conf; /* local_id is each tunnel's own */
	struct l2tp_chan_conf chan;
	uint32_t refs;
	bool listed;
	LIST_ENTRY(l2tp_shared) link;
};

/* What a tunnel needs until it is established. */
struct l2tp_setup {
	struct l2tp_tunnel *t;
	uint8_t challenge[L2TP_CHALLENGE]; /* ours, when the configuration wants one */
	uint64_t tie_breaker; /* initiator: of our SCCRQ */
	bool waiting; /* in l2tp.waiting, by link */
	LIST_ENTRY(l2tp_setup) link;
};

struct l2tp_tunnel {
	struct l2tp_channel chan; /* with the peer's id; its conf is in l2tp_shared */
	struct l2tp_path path;
	void *user;

	struct timer timer; /* of what comes first of life_at and the next Hello */
	uint64_t life_at; /* UINT64_MAX: not waited for */
	uint64_t heard_ms; /* something authentic came from the peer */

	uint64_t created_ms : L2TP_TIME_BITS;
	uint64_t state : 3; /* enum l2tp_tunnel_state */
	uint64_t life_for : 3; /* enum l2tp_life */
	bool initiator : 1;
	bool authenticated : 1;
	bool was_up : 1;
	bool used : 1; /* single-shot: the one call was there, or failed to be */
	bool down_told : 1; /* it is on its way down, and its owner knows */
	bool in_peer_list : 1;
	bool gone_due : 1; /* nothing is left of it but calls */
	bool nomem : 1; /* a message could not be stored: it ends with the timer */

	uint16_t id; /* ours */
	uint16_t peer_next; /* in a bucket of by_peer */
	uint16_t first_call, last_call; /* the oldest and the newest */
	uint16_t n_calls, calls_established; /* there now */
	uint32_t calls_total, calls_failed;
	uint32_t up_after_ms; /* since created_ms; when was_up */

	uint32_t peer_framing, peer_bearer;
	uint16_t peer_firmware;
	uint8_t peer_version, peer_revision;
	const char *peer_host, *peer_vendor; /* of texts; NULL: not told */

	union {
		uint64_t request_digest; /* in_peer_list: of the SCCRQ that made this tunnel */
		struct l2tp_tunnel *next_dead; /* in the graveyard */
	};
	union {
		struct l2tp_setup *setup; /* until down_told; NULL: it is established */
		struct l2tp_result *calls_end; /* then: why those end that are left, or NULL */
	};
};

static inline struct l2tp_shared *l2tp_shared_of(const struct l2tp_tunnel *t)
{
	return (struct l2tp_shared *)((uintptr_t)t->chan.conf - offsetof(struct l2tp_shared, chan));
}

static inline struct l2tp *l2tp_of(const struct l2tp_tunnel *t)
{
	return l2tp_shared_of(t)->l;
}

static inline const struct l2tp_tunnel_conf *l2tp_conf_of(const struct l2tp_tunnel *t)
{
	return &l2tp_shared_of(t)->conf;
}

/* We ask for the peer's proof that it knows the secret. */
static inline bool l2tp_challenges(const struct l2tp_tunnel *t)
{
	return l2tp_conf_of(t)->challenge && l2tp_conf_of(t)->secret_len > 0;
}

/* For what is short: what took longer counts as the longest. */
static inline uint32_t l2tp_took_ms(uint64_t from_ms, uint64_t to_ms)
{
	return to_ms - from_ms < UINT32_MAX ? (uint32_t)(to_ms - from_ms) : UINT32_MAX;
}

/* What a call tells about who calls whom: texts behind each other, in this order. */
enum l2tp_number {
	L2TP_NR_CALLING,
	L2TP_NR_CALLED,
	L2TP_NR_SUB_ADDRESS,
	L2TP_NR_PRIVATE_GROUP,
	L2TP_NR_MAX
};
#define L2TP_NR_LEN 128 /* of each, with its NUL; longer ones are cut */

/* The patience with a call that is not established yet. */
struct l2tp_establish {
	struct timer timer;
	struct l2tp_call *call;
};

struct l2tp_call {
	struct l2tp_tunnel *t;
	void *user;
	char *numbers; /* NULL: none was told */
	struct l2tp_establish *establish; /* NULL: it is established, or over */

	uint64_t created_ms : L2TP_TIME_BITS;
	uint64_t state : 3; /* enum l2tp_call_state */
	bool lns : 1;
	bool sequencing : 1, has_bearer : 1; /* as l2tp_call_conf */
	bool sequencing_required : 1;
	bool was_up : 1;

	uint32_t up_after_ms; /* since created_ms; when was_up */
	uint16_t id; /* ours */
	uint16_t peer_id; /* 0: not yet known */
	uint32_t bearer_type, framing_type, tx_speed, rx_speed, physical_channel, serial;
	union {
		struct { /* while it is known by its id */
			uint16_t next, prev; /* of its tunnel */
			uint16_t peer_next, peer_prev; /* in a bucket of calls_by_peer */
		};
		struct l2tp_call *next_dead; /* in the graveyard */
	};
};

/* LAC: the ICRP is here. */
static inline bool l2tp_call_replied(const struct l2tp_call *c)
{
	return !c->lns && c->peer_id != 0;
}

/* --- l2tp.c: entries, graveyard, tables ------------------------------------------------------ */
void l2tp_enter(struct l2tp *l, uint64_t now_ms);
void l2tp_leave(struct l2tp *l);
void l2tp_bury_tunnel(struct l2tp_tunnel *t);
void l2tp_bury_call(struct l2tp_call *c);

/* --- tables.c: who is where ------------------------------------------------------------------ */
bool l2tp_path_eq(const struct l2tp_path *a, const struct l2tp_path *b);
int l2tp_tables_init(struct l2tp *l);
void l2tp_tables_free(struct l2tp *l);
void l2tp_peer_insert(struct l2tp_tunnel *t);
struct l2tp_tunnel *l2tp_peer_find(const struct l2tp *l, const struct l2tp_path *path,
                                   uint16_t peer_id);
void l2tp_wait_insert(struct l2tp_tunnel *t);
void l2tp_wait_remove(struct l2tp_setup *setup);
struct l2tp_tunnel *l2tp_wait_next(const struct l2tp *l, const struct l2tp_path *path,
                                   struct l2tp_tunnel *prev);
void l2tp_peer_remove(struct l2tp_tunnel *t);
void l2tp_tunnel_unlink(struct l2tp_tunnel *t);
/* Makes a call known by its id, as the newest of its tunnel. */
void l2tp_call_insert(struct l2tp_call *c);
void l2tp_call_peer_insert(struct l2tp_call *c);
/* From all tables that it is in. */
void l2tp_call_unlink(struct l2tp_call *c);
struct l2tp_call *l2tp_call_by_peer(const struct l2tp_tunnel *t, uint16_t peer_id);
/* Ids that no object has, for an answer about something that never became an object. */
uint16_t l2tp_spare_tunnel_id(struct l2tp *l);
uint16_t l2tp_spare_call_id(struct l2tp *l);

/* --- linger.c: tunnels that a StopCCN ended (5.7, 5.8) ------------------------------------------ */
/* stopped: the peer's StopCCN was received, so that nothing new can follow. */
void l2tp_linger_add(const struct l2tp_tunnel *t, bool stopped);
/* Acknowledges, again or what comes late, when a record knows (path, id). False: none does. */
bool l2tp_linger_rx(struct l2tp *l, const struct l2tp_path *path, const struct l2tp_hdr *h);
/* The same for a StopCCN without our id: the peer's own tells the record. */
bool l2tp_linger_rx_peer(struct l2tp *l, const struct l2tp_path *path, const struct l2tp_hdr *h,
                         uint16_t peer_id);
void l2tp_linger_drop(struct l2tp *l, const struct l2tp_path *path, uint16_t local_id);
void l2tp_linger_free(struct l2tp *l);

/* --- accept.c: SCCRQ of unknown tunnels ------------------------------------------------------- */
void l2tp_rx_without_id(struct l2tp *l, const struct l2tp_path *path, const struct l2tp_hdr *h,
                        const uint8_t *pkt, size_t len);

/* --- shared.c: the configurations of tunnels ---------------------------------------------------- */
/* Room for one; NULL: no memory. */
struct l2tp_shared *l2tp_shared_new(struct l2tp *l);
/* Fills that room, or gives it back for one that is the same. Cannot fail. */
struct l2tp_shared *l2tp_shared_fill(struct l2tp_shared *own, const struct l2tp_tunnel_conf *conf);
/* The last one who lets go of it wipes and frees it. */
void l2tp_shared_put(struct l2tp_shared *s);

/* --- result.c: why ----------------------------------------------------------------------------- */
void l2tp_result_set(struct l2tp_result *res, enum l2tp_reason reason, uint16_t result,
                     int error /* -1: none */, const char *message);
/* The answer to a message that l2tp_msg_parse refused (4.1, 4.4.2). */
void l2tp_result_parse(struct l2tp_result *res, enum l2tp_reason reason, enum l2tp_msg_error e,
                       uint16_t bad_avp);
/* What a received StopCCN or CDN says. */
void l2tp_result_received(struct l2tp_result *res, enum l2tp_reason reason,
                          const struct l2tp_msg *msg);

/* --- tunnel.c ---------------------------------------------------------------------------------- */
enum l2tp_tunnel_event {
	L2TP_TE_OPEN,
	L2TP_TE_SCCRQ, /* acceptable */
	L2TP_TE_SCCRP, /* acceptable */
	L2TP_TE_SCCCN, /* acceptable */
	L2TP_TE_REFUSED, /* SCCRQ, SCCRP or SCCCN not acceptable: res says why */
	L2TP_TE_TIE_LOST,
	L2TP_TE_STOPCCN,
	L2TP_TE_HELLO,
	L2TP_TE_SESSION, /* a message about a call */
	L2TP_TE_CLOSE, /* by the owner, a timer, or an error: res says why */
	L2TP_TE_ABORT, /* the path is gone */
	L2TP_TE_DRAINED, /* all that we sent is acknowledged */
	L2TP_TE_DEAD, /* retransmissions exhausted */
	L2TP_TE_MAX
};

/* A CDN that a tunnel sends on its way down, after tunnel_down and before the StopCCN. */
struct l2tp_last_cdn {
	uint16_t peer_sid, local_sid;
	bool refusal; /* answers a request */
	const struct l2tp_result *res;
};

struct l2tp_tunnel_in {
	const struct l2tp_msg *msg;
	enum l2tp_msg_error err; /* of msg; only for L2TP_TE_SESSION */
	uint16_t bad_avp;
	const struct l2tp_result *res;
	const struct l2tp_last_cdn *cdn;
};

extern const struct l2tp_chan_ops l2tp_tunnel_chan_ops;
struct l2tp_tunnel *l2tp_tunnel_alloc(struct l2tp *l, const struct l2tp_path *path);
/* Takes conf and makes the tunnel known by its id. */
void l2tp_tunnel_start(struct l2tp_tunnel *t, const struct l2tp_tunnel_conf *conf, void *user,
                       uint16_t peer_id, uint16_t peer_rws);
void l2tp_tunnel_event(struct l2tp_tunnel *t, enum l2tp_tunnel_event ev,
                       const struct l2tp_tunnel_in *in);
/* Closes with a result made on the spot. */
void l2tp_tunnel_fail(struct l2tp_tunnel *t, enum l2tp_reason reason, uint16_t result, int error,
                      const char *message);
/* The number of calls changed, or the tunnel came up: idle and first-call timers. */
void l2tp_tunnel_calls_changed(struct l2tp_tunnel *t);
void l2tp_tunnel_stop(struct l2tp_tunnel *t); /* waits for nothing any more */
/* It is established, or down: forgets what that took. Idempotent. */
void l2tp_tunnel_setup_end(struct l2tp_tunnel *t);

/* --- tunnel_rx.c: a message in order becomes an event ------------------------------------------ */
void l2tp_tunnel_deliver(struct l2tp_tunnel *t, const uint8_t *pkt, size_t len);
/* The SCCRQ in l->rx, which made this tunnel. */
void l2tp_tunnel_first(struct l2tp_tunnel *t, const struct l2tp_msg *msg);
/* SCCRQ or SCCRP: keeps what the peer tells about itself. */
void l2tp_tunnel_learn(struct l2tp_tunnel *t, const struct l2tp_msg *msg);

/* --- tunnel_tx.c: messages of the control connection (section 6) -------------------------------- */
void l2tp_send_sccrq(struct l2tp_tunnel *t);
void l2tp_send_sccrp(struct l2tp_tunnel *t, const struct l2tp_msg *sccrq);
void l2tp_send_scccn(struct l2tp_tunnel *t, const struct l2tp_msg *sccrp);
void l2tp_send_hello(struct l2tp_tunnel *t);
void l2tp_send_stopccn(struct l2tp_tunnel *t, const struct l2tp_result *res);
/* A StopCCN outside any tunnel; peer_id is the one that its SCCRQ assigned. */
void l2tp_send_refusal(struct l2tp *l, const struct l2tp_path *path, uint16_t peer_id,
                       uint16_t local_id, const struct l2tp_result *res);
/*
 * Ends a message and gives it to the channel. reply: it answers a request of the peer. False: it was
 * too long, nothing is sent.
 */
bool l2tp_send_built(struct l2tp_tunnel *t, struct l2tp_build *b, bool reply);
void l2tp_build_start(struct l2tp_tunnel *t, struct l2tp_build *b, uint16_t type, uint16_t peer_sid,
                      bool may_hide);

/* --- call.c -------------------------------------------------------------------------------------- */
enum l2tp_call_event {
	L2TP_CE_OPEN, /* LAC: the owner wants a call */
	L2TP_CE_TUNNEL_UP,
	L2TP_CE_ICRQ,
	L2TP_CE_ICRP, /* the first one */
	L2TP_CE_ICCN,
	L2TP_CE_CONNECT, /* LAC: the owner is ready */
	L2TP_CE_INFO, /* WEN, SLI */
	L2TP_CE_CDN,
	L2TP_CE_CLOSE, /* by the owner, a timer, or an error: res says why */
	L2TP_CE_TUNNEL_DOWN,
	L2TP_CE_WRONG, /* a message that has no place in any state of this call */
	L2TP_CE_MAX
};

struct l2tp_call_in {
	const struct l2tp_msg *msg;
	const struct l2tp_result *res;
	const struct l2tp_connect_info *info;
};

void l2tp_call_event(struct l2tp_call *c, enum l2tp_call_event ev, const struct l2tp_call_in *in);
struct l2tp_call *l2tp_call_alloc(struct l2tp_tunnel *t);
/* It is established, or over: waits no more, and never again. Idempotent. */
void l2tp_call_establish_end(struct l2tp_call *c);
/* "": it was not told. */
const char *l2tp_call_number(const struct l2tp_call *c, enum l2tp_number which);
/* Up to a NUL when there is one before; without memory it counts as not told. */
void l2tp_call_set_number(struct l2tp_call *c, enum l2tp_number which, const void *text,
                          size_t len);
/* Takes conf and makes the call known by its id. */
void l2tp_call_start(struct l2tp_call *c, const struct l2tp_call_conf *conf, void *user);
/* Closes with a result made on the spot. */
void l2tp_call_fail(struct l2tp_call *c, enum l2tp_reason reason, uint16_t result, int error,
                    const char *message);
/*
 * A CDN for what is a call no more, or never was. On a single-shot tunnel that was its one call: the
 * tunnel goes, and its owner hears so before the CDN leaves (B2).
 */
void l2tp_call_last_word(struct l2tp_tunnel *t, const struct l2tp_last_cdn *cdn);
/* The calls of a tunnel that goes down, at most so many, without CDNs. True: some are left. */
bool l2tp_calls_down(struct l2tp_tunnel *t, const struct l2tp_result *res, uint32_t most);
/* Tells the calls that wait for the tunnel. */
void l2tp_calls_tunnel_up(struct l2tp_tunnel *t);

/* --- call_rx.c ------------------------------------------------------------------------------------ */
void l2tp_call_deliver(struct l2tp_tunnel *t, const struct l2tp_tunnel_in *in);
/* The same on a tunnel that disconnects: nothing is answered any more, but a request is counted. */
void l2tp_call_deliver_late(struct l2tp_tunnel *t, const struct l2tp_tunnel_in *in);
void l2tp_call_learn_request(struct l2tp_call *c, const struct l2tp_msg *icrq);
void l2tp_call_learn_connect(struct l2tp_call *c, const struct l2tp_msg *iccn);

/* --- call_tx.c: messages of a call (section 6) ------------------------------------------------------ */
void l2tp_send_icrq(struct l2tp_call *c);
void l2tp_send_icrp(struct l2tp_call *c);
bool l2tp_send_iccn(struct l2tp_call *c, const struct l2tp_connect_info *info);
void l2tp_send_cdn(struct l2tp_tunnel *t, const struct l2tp_last_cdn *cdn);
