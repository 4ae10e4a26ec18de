/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The transport connection: what carries tunnels, and where the latch of single-shot tunnels lives.
 * Over IPsec a connection is one authentication of a peer; plain UDP is one connection for all, of a
 * kind that never latches and is never disconnected. The state machines above ask and tell the same
 * things of both kinds.
 */
#pragma once

#include "base/addr.h"
#include "base/slab.h"
#include "base/table.h"
#include "l2tp/l2tp.h"
#include "ppp/ppp.h"

#include <stdbool.h>
#include <stdint.h>

enum conn_kind { CONN_UDP, CONN_IPSEC };

/* What fired a latch; the names are those of logs and shows. */
enum ss_reason {
	SS_NONE,
	SS_TUNNEL_AUTH_FAILED,
	SS_TUNNEL_FAILED, /* negotiation failed otherwise: malformed, refused, unknown mandatory AVP */
	SS_TUNNEL_TIMEOUT,
	SS_TUNNEL_STOPCCN_RX,
	SS_TUNNEL_ADMIN,
	SS_SESSION_CDN_RX,
	SS_SESSION_FAILED,
	SS_SESSION_TIMEOUT,
	SS_PPP_AUTH_FAILED,
	SS_PPP_LCP_FAILED,
	SS_PPP_ENDED, /* the user logged out */
	SS_NCP_FAILED,
	SS_SESSION_ADMIN,
	SS_IPSEC_DOWN,
	SS_FIRST_SESSION_TIMEOUT,
	SS_SECOND_TUNNEL,
	SS_REASON_MAX
};

const char *ss_reason_name(enum ss_reason r);
enum ss_reason ss_reason_of_tunnel(enum l2tp_reason r);
enum ss_reason ss_reason_of_session(enum l2tp_reason r, enum ppp_reason p);

struct ike;
struct child;

/* What few connections have any of. */
enum conn_counter {
	CONN_REFUSED_SCCRQ,
	CONN_REFUSED_ICRQ,
	CONN_REFUSED_SAS,
	CONN_REKEYS,
	CONN_IKE_REKEYS,
	CONN_NAT_MOVES,
	CONN_COUNTERS
};
struct conn_counts {
	uint32_t n[CONN_COUNTERS];
};

/* All fields are control's alone. */
struct conn {
	uint64_t id; /* 0: plain UDP */
	uint64_t fired_at_ms;
	struct table_list live; /* tunnels, newest first */
	uint32_t tunnels; /* live ones */
	uint32_t records; /* destructing ones (T13a) */
	uint32_t slot; /* in the table */
	uint8_t kind; /* enum conn_kind */
	uint8_t fired_reason; /* enum ss_reason */
	bool used_by_tunnel : 1; /* any accepted tunnel (E38) */
	bool used_by_single_shot : 1; /* .. and one of them is single-shot */
	bool renewed : 1; /* its peer has authenticated anew since the last tunnel was accepted (E4, E6) */
	bool fired : 1;
	bool disconnecting : 1; /* the signal was given (E18) */
	bool down : 1; /* gone; the object waits for its last record */

	/* The rest is IPsec's (ipsec_int.h). */
	bool is_static : 1; /* of the configuration: no IKE */
	bool orphan : 1; /* charon does not know it any more */
	bool announced : 1; /* event=ipsec-up was logged */
	bool ending : 1; /* its SAs are being removed, then it ends */
	bool stripped : 1; /* .. and the orders for that are given */
	bool settling : 1; /* in the queue of conns_settle */
	bool encap : 1;
	uint8_t ike_version, auth;
	uint8_t n_children; /* in the list: CHILDREN_MAX */
	uint16_t worker;
	uint16_t n_leaving; /* children whose removal the workers have not taken yet */
	uint16_t n_sas; /* charon's; those being removed not counted */
	uint16_t n_removing;
	uint32_t ike_id;
	struct endpoint local, peer; /* outer, of the newest SA */
	struct ctl *ctl;
	struct ike *ike; /* NULL: none, or gone */
	const char *profile, *remote_id; /* of texts; as last told */
	struct ref_list children; /* newest first */
	struct conn_counts *counts; /* NULL: all are 0 */
	uint64_t created_ms;
	union {
		uint64_t answer_due_ms; /* token bucket of StopCCNs to refused SCCRQs (E32) */
		uint64_t down_ms; /* down: since when */
	};
	struct ref_link end_link;
	uint32_t ike_next; /* of its IKE_SA's */
	uint32_t next; /* in the table's bucket */
};

void conn_init(struct conn *k, uint64_t id, enum conn_kind kind);
/* Frees what it has made for itself, and not k. */
void conn_fini(struct conn *k);

/* One more; without memory it is not counted. */
void conn_count(struct conn *k, enum conn_counter what);
uint32_t conn_counted(const struct conn *k, enum conn_counter what);

/*
 * The guard at an SCCRQ (B3, E38): SS_NONE when a tunnel may be made. A single-shot tunnel needs an
 * unused connection; no tunnel is made on one that is used by a single-shot tunnel, fired or
 * disconnecting. Plain UDP always may.
 */
enum ss_reason conn_guard_tunnel(const struct conn *k, bool single_shot);
/* The guard at an ICRQ or OCRQ: false on a fired connection. */
bool conn_guard_call(const struct conn *k);

/*
 * True once for a renewed connection that conn_guard_tunnel refuses as used: the peer may have another
 * tunnel for its new authentication. The connection is unused again; its tunnels are the caller's to
 * end. Never after the latch has fired.
 */
bool conn_begin_anew(struct conn *k);

/* A tunnel was accepted. */
void conn_use(struct conn *k, bool single_shot);

/* Fires the latch: first reason wins. True when this call fired it. Plain UDP never fires. */
bool conn_fire(struct conn *k, enum ss_reason r, uint64_t now_ms);

/* True once: whoever gets it must tell IPsec to disconnect. Never for plain UDP (E18). */
bool conn_take_disconnect(struct conn *k);
