/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The option negotiation automaton of RFC 1661 section 4, shared by LCP and the NCPs. Private to
 * lib/ppp, but for the unit tests.
 */
#pragma once

#include "base/timerq.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ppp;
struct fsm;

/* RFC 1661 4.2 */
enum fsm_state {
	FSM_INITIAL,
	FSM_STARTING,
	FSM_CLOSED,
	FSM_STOPPED,
	FSM_CLOSING,
	FSM_STOPPING,
	FSM_REQ_SENT,
	FSM_ACK_RCVD,
	FSM_ACK_SENT,
	FSM_OPENED,
	FSM_STATES
};

/* RFC 1661 4.3 */
enum fsm_event {
	FSM_EV_UP,
	FSM_EV_DOWN,
	FSM_EV_OPEN,
	FSM_EV_CLOSE,
	FSM_EV_TO_PLUS, /* restart timer, counter above zero */
	FSM_EV_TO_MINUS, /* restart timer, counter used up */
	FSM_EV_RCR_PLUS, /* Configure-Request, all acceptable */
	FSM_EV_RCR_MINUS, /* Configure-Request, to be answered by Nak or Reject */
	FSM_EV_RCA,
	FSM_EV_RCN, /* Configure-Nak or Configure-Reject */
	FSM_EV_RTR,
	FSM_EV_RTA,
	FSM_EV_RUC, /* unknown code */
	FSM_EV_RXJ_PLUS, /* Code- or Protocol-Reject that we can live with */
	FSM_EV_RXJ_MINUS, /* .. or not */
	FSM_EV_RXR, /* Echo-Request, Echo-Reply, Discard-Request */
	FSM_EVENTS
};

/*
 * RFC 1661 4.4, one bit an action. Where a transition has several, they run in the order of the
 * bits, which fits every row of the table in section 4.1.
 */
enum fsm_action {
	FSM_TLD = 1 << 0, /* This-Layer-Down */
	FSM_IRC = 1 << 1, /* Initialize-Restart-Count */
	FSM_ZRC = 1 << 2, /* Zero-Restart-Count */
	FSM_SCR = 1 << 3, /* Send-Configure-Request */
	FSM_SCA = 1 << 4,
	FSM_SCN = 1 << 5, /* Configure-Nak or -Reject */
	FSM_STR = 1 << 6, /* Send-Terminate-Request */
	FSM_STA = 1 << 7,
	FSM_SCJ = 1 << 8, /* Send-Code-Reject */
	FSM_SER = 1 << 9, /* Send-Echo-Reply */
	FSM_TLU = 1 << 10, /* This-Layer-Up */
	FSM_TLS = 1 << 11, /* This-Layer-Started */
	FSM_TLF = 1 << 12, /* This-Layer-Finished */
};

struct fsm_row {
	uint16_t actions;
	uint8_t next; /* enum fsm_state */
};

/* The transition of RFC 1661 4.1; what the RFC marks impossible stays put without an action. */
const struct fsm_row *fsm_row(enum fsm_state state, enum fsm_event event);

const char *fsm_state_name(enum fsm_state s); /* "req-sent", .. */

/* RFC 1661 5 */
#define PPP_CONF_REQ 1
#define PPP_CONF_ACK 2
#define PPP_CONF_NAK 3
#define PPP_CONF_REJ 4
#define PPP_TERM_REQ 5
#define PPP_TERM_ACK 6
#define PPP_CODE_REJ 7

#define PPP_HDR_LEN   4 /* code, identifier, length (RFC 1661 5) */
#define PPP_MRU_DFL   1500 /* RFC 1661 6.1 */
#define PPP_BODY_MAX  (PPP_MRU_DFL - PPP_HDR_LEN) /* of a control packet that we take or make */
#define FSM_OPTS_KEEP 64 /* longer option lists are not remembered; our own are far shorter */

#define FSM_SEEN 8 /* older requests of the peer that are recognised */

/* One control packet after its checks: len is what the Length field says, less the header. */
struct ppp_pkt {
	uint8_t code, id;
	const uint8_t *data;
	size_t len;
};

/* A bounded writer of option lists. What does not fit is left out whole. */
struct optbuf {
	uint8_t b[PPP_BODY_MAX];
	size_t len;
};

void opt_add(struct optbuf *o, uint8_t type, const void *data, size_t len);
void opt_add16(struct optbuf *o, uint8_t type, uint16_t v);
void opt_add32(struct optbuf *o, uint8_t type, uint32_t v);
/* Copies a whole option as it stands (RFC 1661 5.4: rejected options are not changed). */
void opt_copy(struct optbuf *o, const uint8_t *opt);

/* True when every option of the list has a length that holds (RFC 1661 6). */
bool opts_valid(const uint8_t *p, size_t len);
/* Walks a valid list: type p[0], whole length p[1]. */
#define OPTS_FOREACH(o, p, len)                                                                    \
	for (const uint8_t *o = (p), *o##_end = (p) + (len); o < o##_end; o += o[1])

static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

/* RFC 1661 5.4: what is rejected must have been asked for just so, and be something. */
bool fsm_all_asked_for(const struct fsm *f, const uint8_t *opts, size_t len);

enum fsm_extra {
	FSM_UNKNOWN, /* to be rejected */
	FSM_DONE,
	FSM_ECHO, /* one of the codes of event RXR */
};

/* What a protocol adds to the automaton. */
struct fsm_ops {
	uint16_t proto;
	uint8_t wait; /* of its Restart timer: enum ppp_wait */
	bool up_before_ack; /* This-Layer-Up comes before a Send-Configure-Ack of the same event */
	/*
	 * Writes the options that we ask for now. They change only when a new request follows at
	 * once, so these are also what the last one had.
	 */
	void (*request)(const struct fsm *f, struct optbuf *out);
	/*
	 * Judges the peer's options (a valid list): returns PPP_CONF_ACK, or PPP_CONF_NAK or
	 * PPP_CONF_REJ with the answer in out, or 0 when the link ends over it.
	 */
	uint8_t (*judge)(struct fsm *f, const uint8_t *opts, size_t len, struct optbuf *out);
	/* The request judged last is being acknowledged: it counts from now on. */
	void (*commit)(struct fsm *f);
	/* The peer's Nak or Reject (a valid list): change what we ask for. False: nonsense. */
	bool (*nak)(struct fsm *f, const uint8_t *opts, size_t len);
	bool (*reject)(struct fsm *f, const uint8_t *opts, size_t len);
	/* Codes above 7. */
	enum fsm_extra (*extra)(struct fsm *f, const struct ppp_pkt *pkt);
	/* Send-Echo-Reply, in Opened: a packet for which extra said FSM_ECHO. */
	void (*echo)(struct fsm *f, const struct ppp_pkt *pkt);
	/* The peer rejects this code of ours, above 7. */
	void (*code_rejected)(struct fsm *f, uint8_t code);
	/* About to leave Opened because the peer negotiates anew. False: it must not. */
	bool (*renegotiate)(struct fsm *f);
	/* Our request goes out again, unanswered. May be NULL. */
	void (*retransmit)(struct fsm *f);
	void (*up)(struct fsm *f);
	void (*down)(struct fsm *f, enum fsm_event why);
	void (*finished)(struct fsm *f, enum fsm_state was, enum fsm_event why);
	void (*not_converged)(struct fsm *f); /* Max-Failure used up */
	/*
	 * The request (a valid list) is surely of the same life of the peer as the one that we
	 * acknowledged. NULL: requests do not tell.
	 */
	bool (*same_life)(const struct fsm *f, const uint8_t *opts, size_t len);
};

/* Which protocol's it is says what link it is in, and what is done: fsm_link, fsm_ops_of. */
struct fsm {
	bool ipcp : 1; /* else LCP's */
	bool req_acked : 1; /* the peer's Ack of req came: a second one is a duplicate */
	bool heard_rtr : 1; /* the last packet of the peer was a Terminate-Request */
	bool requested : 1; /* we have sent a Configure-Request */
	bool peer_req_acked : 1;
	uint8_t state : 4; /* enum fsm_state */
	uint8_t seen : 4; /* of seen_hash: how many are used, and the next one modulo FSM_SEEN */
	uint8_t id; /* of the last packet that we originated */
	uint8_t req_id; /* of our last Configure- or Terminate-Request */
	uint8_t restarts; /* the Restart counter (RFC 1661 4.6) */
	uint8_t naks_tx; /* Naks that the peer got in a row, by distinct requests */
	uint8_t naks_rx; /* .. that we got in a row */
	uint8_t repeats; /* copies of answered requests that came in Opened */
	uint16_t answers_tx; /* Naks and Rejects in a row, repeats too */
	uint8_t peer_req_id;
	uint8_t peer_req_len; /* > FSM_OPTS_KEEP: none yet, or not remembered */
	uint32_t peer_req; /* hash of the options of the peer's last request that we answered */
	/*
	 * Of options and id: requests answered before that one, so that a late copy is known for what it
	 * is. The same options under two ids never have the same hash. Others have once in 65,536: is_copy
	 * has patience with such a one for a few times only.
	 */
	uint16_t seen_hash[FSM_SEEN];
};
_Static_assert(sizeof(struct fsm) == 32, "no hole");

void fsm_init(struct fsm *f, bool ipcp);
void fsm_event(struct fsm *f, enum fsm_event ev);
void fsm_restart(struct fsm *f); /* its Restart timer has run out */
/* A packet whose Length was checked. Calls fsm_event as its code and content say. */
void fsm_rx(struct fsm *f, const struct ppp_pkt *pkt);
/* Enters Opened without an exchange (proxy LCP); runs no action. */
void fsm_force_open(struct fsm *f);
