/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* A world of control, a charon and clients, all of which hang on one seed. */
#pragma once

#include "control/rig_ipsec.h"

#define PEERS   6
#define PAIRS   4
#define RENEWED 4
#define OBJECTS 64

/* A client's IPsec, as charon has it. */
struct peer {
	uint32_t ike; /* 0: none */
	uint32_t told; /* .. by which id the daemon knows it */
	uint32_t was[RENEWED]; /* IKEv1: .. and the ids since then, of which it has not heard */
	unsigned n_was;
	uint64_t conn; /* where its packets arrive */
	bool v1, std;
	uint16_t port;
	unsigned n_pairs;
	struct rig_pair pairs[PAIRS];
	struct endpoint at; /* of all pairs, as charon has it */
	struct endpoint was_at; /* .. before it moved unheard; no address: it has not */
};

enum errand_kind { TODO_END_IKE, TODO_DELETE, TODO_REKEY, TODO_UPDATE };

/* What charon will do in a moment, because the daemon asked for it. */
struct errand {
	struct world *w;
	enum errand_kind kind;
	uint32_t what; /* IKE_SA or inbound SPI */
	struct endpoint to;
	struct timer timer;
	struct errand *next, **at;
};

struct world {
	struct rig *r;
	uint64_t seed, random;
	bool verbose, linked, calm;
	struct peer peers[PEERS];
	struct errand *errands;
	struct lac_tunnel *tunnels[OBJECTS];
	struct lac_session *sessions[OBJECTS];
	unsigned n_tunnels, n_sessions;
	uint32_t next_ike, next_out;
	uint32_t terminated[256]; /* on this link */
	unsigned n_terminated;
	bool pure; /* single-shot hosts only */
	uint64_t auths; /* of IKE, as charon did them */
	uint64_t instance;
};

/* ipsec.c */
uint32_t pick(struct world *w, uint32_t below);
bool chance(struct world *w, uint32_t percent);
void say(struct world *w, const char *what, uint64_t n); /* with -v */

/* ipsec_charon.c */
void connect_peer(struct world *w, struct peer *p);
bool make_child(struct world *w, struct peer *p, uint16_t port);
void rekey_child(struct world *w, struct peer *p, unsigned i); /* make before break */
void delete_pair(struct world *w, struct peer *p, unsigned i);
void move_peer(struct world *w, struct peer *p, const struct endpoint *to);
void renew_ike(struct world *w, struct peer *p); /* by the version's own way */
void end_ike(struct world *w, struct peer *p);
/* The daemon has said something. E18: to end an IKE_SA once, on one link. */
void heard(struct rig *r, const struct sslink_msg *m);
void errand_free(struct errand *d);
void lose_link(struct world *w);
void find_link(struct world *w);
void restart_charon(struct world *w);
