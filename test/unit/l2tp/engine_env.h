/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * What the tests of the engine share: one engine in virtual time, an owner that follows the test's
 * orders and writes down what happens to it, and the engine's peer, played message by message.
 */
#pragma once

#include "base/timerq.h"
#include "l2tp/engine.h"
#include "l2tp/l2tp.h"

#include <CUnit/Basic.h>

#define ENV_SENT_MAX 512

struct env_pkt {
	struct l2tp_path path;
	size_t len;
	uint8_t pkt[L2TP_MSG_MAX];
};

struct env {
	struct timerq q;
	uint64_t now;
	struct l2tp *l;
	uint32_t rnd;
	bool quiet; /* do not write sent messages into the log */

	/* What happened, as words: "tunnel_up tx:ICRP call_up .." */
	char log[4096];
	struct env_pkt *sent; /* ring of what the engine sent and the peer has not read */
	unsigned sent_head, sent_tail;

	/* Orders to the owner. */
	enum l2tp_verdict tunnel_verdict, call_verdict;
	struct l2tp_result tunnel_res, call_res;
	struct l2tp_tunnel_conf conf;
	bool sequencing;
	uint16_t next_tid, next_sid;
	void (*on_tunnel_up)(struct env *e, struct l2tp_tunnel *t);
	void (*on_tunnel_down)(struct env *e, struct l2tp_tunnel *t);
	void (*on_call_up)(struct env *e, struct l2tp_call *c);
	void (*on_call_gone)(struct env *e, struct l2tp_call *c);
	void (*on_call_reply)(struct env *e, struct l2tp_call *c);

	/* What the owner saw last. */
	struct l2tp_tunnel *t;
	struct l2tp_call *c;
	struct l2tp_result down, gone, refused, rejected;
	unsigned n_tunnel_request, n_call_request;

	/* The peer. */
	struct l2tp_path path; /* as the engine sees it */
	uint16_t peer_tid; /* the peer's own id */
	uint16_t tid; /* the engine's id, once known */
	uint16_t ns, nr;
	const char *secret; /* the peer's; NULL: none */
	uint8_t challenge[16]; /* the engine's, from the last SCCRQ or SCCRP */
	bool challenged;
	struct l2tp_msg msg; /* the last one read */
	struct l2tp_build b;
	uint8_t buf[L2TP_MSG_MAX];
};

void env_init(struct env *e);
void env_free(struct env *e); /* also checks that no object and no timer is left */
void env_secret(struct env *e, const char *ours, const char *theirs);
/* Lets time pass, timers included. */
void env_run(struct env *e, uint64_t ms);
/* Compares the log with what is expected, and empties it. */
#define env_expect(e, text)                                                                        \
	do {                                                                                       \
		CU_ASSERT_STRING_EQUAL((e)->log, text);                                            \
		if (strcmp((e)->log, text) != 0)                                                   \
			fprintf(stderr, "\n%s:%d:\n  have \"%s\"\n  want \"%s\"\n", __FILE__,      \
			        __LINE__, (e)->log, text);                                         \
		(e)->log[0] = '\0';                                                                \
	} while (0)

/* The peer's next message of a type, for the session id of the engine. */
struct l2tp_build *peer_begin(struct env *e, uint16_t type, uint16_t sid);
void peer_send(struct env *e); /* with the next Ns */
void peer_send_as(struct env *e, uint16_t ns); /* Ns and state as they are */
void peer_raw(struct env *e, const struct l2tp_path *path, const void *pkt, size_t len);
void peer_zlb(struct env *e);
/* Reads the next message that the engine sent into e->msg; its type, L2TP_ZLB, or -1: none. */
int peer_get(struct env *e);
/* The same, but passes over mere acknowledgements. */
int peer_next(struct env *e);
/* Reads all there is, acknowledges it, forgets it. */
void peer_drain(struct env *e);

/* Adds an unknown attribute with the M bit to the message under construction. */
void peer_append_unknown(struct env *e);

/* Messages with the usual content. */
void peer_sccrq(struct env *e, uint16_t peer_tid, const void *challenge, size_t len);
void peer_scccn(struct env *e);
void peer_icrq(struct env *e, uint16_t peer_sid);
void peer_iccn(struct env *e, uint16_t sid);
void peer_cdn(struct env *e, uint16_t sid, uint16_t peer_sid);
void peer_stopccn(struct env *e);

/* The state of the tunnel with the id that the peer knows; closed when there is none. */
enum l2tp_tunnel_state env_state(struct env *e);
/* A tunnel that the peer has opened, or a call on it; the log is emptied. Returns the id. */
uint16_t env_dial(struct env *e);
uint16_t env_call(struct env *e, uint16_t peer_sid);
