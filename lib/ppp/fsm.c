/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "ppp/ppp_int.h"

#include <string.h>

#define UNKNOWN 0xff /* in peer_req_len: no request yet, or one that is too long */

/* What a received packet brings into a transition. */
struct fsm_input {
	const struct ppp_pkt *pkt;
	uint8_t answer; /* PPP_CONF_NAK or PPP_CONF_REJ, with opts */
	const struct optbuf *opts;
};

void opt_copy(struct optbuf *o, const uint8_t *opt)
{
	if (o->len + opt[1] > sizeof(o->b))
		return;
	memcpy(o->b + o->len, opt, opt[1]);
	o->len += opt[1];
}

void opt_add(struct optbuf *o, uint8_t type, const void *data, size_t len)
{
	if (o->len + 2 + len > sizeof(o->b))
		return;
	o->b[o->len++] = type;
	o->b[o->len++] = (uint8_t)(2 + len);
	if (len > 0)
		memcpy(o->b + o->len, data, len);
	o->len += len;
}

void opt_add16(struct optbuf *o, uint8_t type, uint16_t v)
{
	uint8_t b[2];

	put16(b, v);
	opt_add(o, type, b, sizeof(b));
}

void opt_add32(struct optbuf *o, uint8_t type, uint32_t v)
{
	uint8_t b[4];

	put32(b, v);
	opt_add(o, type, b, sizeof(b));
}

bool opts_valid(const uint8_t *p, size_t len)
{
	while (len > 0) {
		if (len < 2 || p[1] < 2 || p[1] > len)
			return false;
		len -= p[1];
		p += p[1];
	}
	return true;
}

/* The options of our last request, as they were sent. */
static void last_request(const struct fsm *f, struct optbuf *out)
{
	out->len = 0;
	if (f->requested)
		fsm_ops_of(f)->request(f, out);
}

static bool asked_for(const struct optbuf *req, const uint8_t *o)
{
	OPTS_FOREACH(q, req->b, req->len)
	{
		if (q[1] == o[1] && memcmp(q, o, q[1]) == 0)
			return true;
	}
	return false;
}

bool fsm_all_asked_for(const struct fsm *f, const uint8_t *opts, size_t len)
{
	struct optbuf req;

	last_request(f, &req);
	OPTS_FOREACH(o, opts, len)
	{
		if (!asked_for(&req, o))
			return false;
	}
	return len > 0;
}

/* The Restart timer runs in these states and no other (RFC 1661 4.2). */
static bool timer_runs(enum fsm_state s)
{
	return s >= FSM_CLOSING && s <= FSM_ACK_SENT;
}

/*
 * A retransmission keeps id and options, so that a late Ack still fits; a new request gets a new
 * id (RFC 1661 5.1).
 */
static void send_request(struct fsm *f, bool again)
{
	struct optbuf o;

	o.len = 0;
	fsm_ops_of(f)->request(f, &o);
	if (!again) {
		f->requested = true;
		f->req_id = ++f->id;
	}
	f->req_acked = false;
	if (f->restarts > 0)
		f->restarts--;
	ppp_tx(fsm_link(f), fsm_ops_of(f)->proto, PPP_CONF_REQ, f->req_id, o.b, o.len);
	ppp_wait(fsm_link(f), fsm_ops_of(f)->wait, fsm_link(f)->conf->restart_ms);
	if (again && fsm_ops_of(f)->retransmit != NULL)
		fsm_ops_of(f)->retransmit(f);
}

static void send_ack(struct fsm *f, const struct ppp_pkt *pkt)
{
	f->naks_tx = 0;
	f->answers_tx = 0;
	fsm_ops_of(f)->commit(f);
	ppp_tx(fsm_link(f), fsm_ops_of(f)->proto, PPP_CONF_ACK, pkt->id, pkt->data, pkt->len);
}

static void send_terminate(struct fsm *f, bool again)
{
	if (!again)
		f->req_id = ++f->id;
	if (f->restarts > 0)
		f->restarts--;
	ppp_tx(fsm_link(f), fsm_ops_of(f)->proto, PPP_TERM_REQ, f->req_id, NULL, 0);
	ppp_wait(fsm_link(f), fsm_ops_of(f)->wait, fsm_link(f)->conf->restart_ms);
}

/* RFC 1661 5.6: the rejected packet is cut to what the peer can take. */
static void send_code_reject(struct fsm *f, const struct ppp_pkt *pkt)
{
	uint8_t body[PPP_BODY_MAX];
	size_t max = sizeof(body), n = PPP_HDR_LEN + pkt->len;

	if (fsm_link(f)->lcp.peer.mru < PPP_MRU_DFL)
		max = fsm_link(f)->lcp.peer.mru - PPP_HDR_LEN;
	if (n > max)
		n = max;
	body[0] = pkt->code;
	body[1] = pkt->id;
	put16(body + 2, (uint16_t)(PPP_HDR_LEN + pkt->len));
	memcpy(body + PPP_HDR_LEN, pkt->data, n - PPP_HDR_LEN);
	ppp_tx(fsm_link(f), fsm_ops_of(f)->proto, PPP_CODE_REJ, ++f->id, body, n);
}

static void send_actions(struct fsm *f, uint16_t act, enum fsm_event ev, const struct fsm_input *in)
{
	if (act & FSM_SCR)
		send_request(f, ev == FSM_EV_TO_PLUS);
	if (act & FSM_SCA)
		send_ack(f, in->pkt);
	if (act & FSM_SCN)
		ppp_tx(fsm_link(f), fsm_ops_of(f)->proto, in->answer, in->pkt->id, in->opts->b,
		       in->opts->len);
	if (act & FSM_STR)
		send_terminate(f, ev == FSM_EV_TO_PLUS);
	if (act & FSM_STA)
		ppp_tx(fsm_link(f), fsm_ops_of(f)->proto, PPP_TERM_ACK, in->pkt->id, NULL, 0);
	if (act & FSM_SCJ)
		send_code_reject(f, in->pkt);
	if (act & FSM_SER)
		fsm_ops_of(f)->echo(f, in->pkt);
}

static void layer_up(struct fsm *f)
{
	f->repeats = 0;
	f->naks_rx = 0;
	fsm_ops_of(f)->up(f);
}

static void step(struct fsm *f, enum fsm_event ev, const struct fsm_input *in)
{
	const struct fsm_row *row = fsm_row(f->state, ev);
	enum fsm_state was = f->state;
	uint16_t act = row->actions;

	/* Negotiating anew out of Opened needs leave; so does nothing else. */
	if (was == FSM_OPENED && (act & FSM_TLD) && (act & FSM_SCR) &&
	    !fsm_ops_of(f)->renegotiate(f))
		return;
	/* A new negotiation: copies of the old one's requests may be its own. */
	if (act & FSM_TLD)
		f->seen = 0;
	if (row->next != was)
		log_debug(fsm_link(f)->conf->log, "ppp proto=0x%04x state=%s was=%s",
		          fsm_ops_of(f)->proto, fsm_state_name(row->next), fsm_state_name(was));
	f->state = row->next;
	if (!timer_runs(f->state))
		ppp_wait_no_more(fsm_link(f), fsm_ops_of(f)->wait);
	if (act & FSM_TLD)
		fsm_ops_of(f)->down(f, ev);
	if (act & FSM_IRC)
		f->restarts = act & FSM_STR ? fsm_link(f)->conf->max_terminate
		                            : fsm_link(f)->conf->max_configure;
	/* Out of Opened the count starts anew: the table's irc of Ack-Rcvd is long past. */
	if ((act & FSM_TLD) && (act & FSM_SCR))
		f->restarts = fsm_link(f)->conf->max_configure;
	if (act & FSM_ZRC) {
		f->restarts = 0;
		ppp_wait(fsm_link(f), fsm_ops_of(f)->wait, fsm_link(f)->conf->restart_ms);
	}
	/* The peer sends as soon as it has our Ack: what is to take that must be there before. */
	if (fsm_ops_of(f)->up_before_ack && (act & FSM_SCA) && (act & FSM_TLU)) {
		fsm_ops_of(f)->commit(f);
		layer_up(f);
		if (fsm_link(f)->over ||
		    fsm_link(f)->reason != PPP_R_NONE) /* the link ends instead */
			return;
		act &= (uint16_t)~FSM_TLU;
	}
	send_actions(f, act, ev, in);
	/* The owner may have taken the lower layer away while we sent. */
	if (fsm_link(f)->over)
		return;
	if (act & FSM_TLU)
		layer_up(f);
	if (act & FSM_TLF)
		fsm_ops_of(f)->finished(f, was, ev);
}

void fsm_event(struct fsm *f, enum fsm_event ev)
{
	step(f, ev, NULL);
}

void fsm_restart(struct fsm *f)
{
	step(f, f->restarts > 0 ? FSM_EV_TO_PLUS : FSM_EV_TO_MINUS, NULL);
}

/* FNV-1a; only told apart are copies of one peer's own packets. */
static uint32_t hash(const struct ppp_pkt *pkt)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < pkt->len; i++)
		h = (h ^ pkt->data[i]) * 16777619u;
	return h;
}

/* True when the options are those that were answered last. */
static bool same_options(const struct fsm *f, const struct ppp_pkt *pkt)
{
	return pkt->len <= FSM_OPTS_KEEP && f->peer_req_len == pkt->len && f->peer_req == hash(pkt);
}

/* The same options under another id never look the same. */
static uint16_t hash_with_id(const struct ppp_pkt *pkt)
{
	uint32_t h = hash(pkt);

	return (uint16_t)(h ^ h >> 16 ^ pkt->id);
}

static bool seen_before(const struct fsm *f, const struct ppp_pkt *pkt)
{
	uint16_t h = hash_with_id(pkt);

	for (int i = 0; i < FSM_SEEN && i < f->seen; i++)
		if (f->seen_hash[i] == h)
			return true;
	return false;
}

static void remember(struct fsm *f, const struct ppp_pkt *pkt, bool acked)
{
	if (!seen_before(f, pkt)) {
		f->seen_hash[f->seen % FSM_SEEN] = hash_with_id(pkt);
		/* Full it counts from FSM_SEEN on, in a circle. */
		f->seen = f->seen < 2 * FSM_SEEN - 1 ? f->seen + 1 : FSM_SEEN;
	}
	f->peer_req_id = pkt->id;
	f->peer_req_len = pkt->len <= FSM_OPTS_KEEP ? (uint8_t)pkt->len : UNKNOWN;
	f->peer_req = hash(pkt);
	f->peer_req_acked = acked;
}

/*
 * In Opened, a request that was answered already and differs in nothing is that request once more:
 * our Ack was lost, or the network made two of it. To leave Opened over it would make each such
 * accident a new authentication, and the end of a single-shot session. If it is the one that we
 * acknowledged, the Ack is repeated; older ones are dropped. A peer that really starts anew has
 * another magic number. With the magic number that we know a new id is no sign of a new life, either:
 * peers may count it up when they retransmit (RFC 1661 5.1). Whatever is less than certain has
 * patience for a few times only, for a peer that started anew after all would wait for a request of
 * ours: without a magic number, or with another one, which only its hash says was seen before.
 */
static bool is_copy(struct fsm *f, const struct ppp_pkt *pkt)
{
	bool same_life = fsm_ops_of(f)->same_life != NULL &&
	                 fsm_ops_of(f)->same_life(f, pkt->data, pkt->len);
	bool same_id = f->peer_req_id == pkt->id;
	bool last = f->peer_req_acked && same_options(f, pkt) && (same_id || same_life);

	if (f->state != FSM_OPENED || (!last && !seen_before(f, pkt)))
		return false;
	if (!same_life || (last && !same_id)) {
		if (f->repeats >= fsm_link(f)->conf->max_failure)
			return false;
		f->repeats++;
	}
	if (last)
		ppp_tx(fsm_link(f), fsm_ops_of(f)->proto, PPP_CONF_ACK, pkt->id, pkt->data,
		       pkt->len);
	return true;
}

/* Counts an answer that is no Ack. False: the peer will never learn (RFC 1661 4.6). */
static bool may_refuse(struct fsm *f, uint8_t answer, bool repeat)
{
	uint8_t max = fsm_link(f)->conf->max_failure;

	f->answers_tx++;
	if (answer == PPP_CONF_NAK && !repeat)
		f->naks_tx++;
	/* Repeats may be the network's doing, so they get a longer rope. */
	return f->naks_tx <= max && f->answers_tx <= 4 * max + fsm_link(f)->conf->max_configure;
}

static void rx_request(struct fsm *f, const struct ppp_pkt *pkt)
{
	struct optbuf out = {.len = 0};
	struct fsm_input in = {.pkt = pkt, .opts = &out};
	bool judged = f->state == FSM_STOPPED || f->state >= FSM_REQ_SENT;

	if (!opts_valid(pkt->data, pkt->len)) {
		fsm_link(f)->rx_bad++;
		return;
	}
	if (!judged) {
		step(f, FSM_EV_RCR_PLUS, &in);
		return;
	}
	if (is_copy(f, pkt))
		return;
	in.answer = fsm_ops_of(f)->judge(f, pkt->data, pkt->len, &out);
	if (in.answer == 0)
		return;
	if (in.answer == PPP_CONF_ACK) {
		remember(f, pkt, true);
		step(f, FSM_EV_RCR_PLUS, &in);
		return;
	}
	if (!may_refuse(f, in.answer, f->peer_req_id == pkt->id && same_options(f, pkt))) {
		fsm_ops_of(f)->not_converged(f);
		return;
	}
	remember(f, pkt, false);
	step(f, FSM_EV_RCR_MINUS, &in);
}

/* An answer to our request counts once, and only with the right id. */
static bool answers_us(const struct fsm *f, const struct ppp_pkt *pkt)
{
	return f->state < FSM_REQ_SENT || (pkt->id == f->req_id && !f->req_acked);
}

static void rx_ack(struct fsm *f, const struct ppp_pkt *pkt)
{
	struct fsm_input in = {.pkt = pkt};
	struct optbuf req;

	if (!answers_us(f, pkt))
		return;
	if (f->state >= FSM_REQ_SENT) {
		/* RFC 1661 5.2: an Ack must echo the request exactly */
		last_request(f, &req);
		if (pkt->len != req.len || memcmp(pkt->data, req.b, req.len) != 0) {
			fsm_link(f)->rx_bad++;
			return;
		}
		f->req_acked = true;
	}
	step(f, FSM_EV_RCA, &in);
}

static void rx_refusal(struct fsm *f, const struct ppp_pkt *pkt)
{
	struct fsm_input in = {.pkt = pkt};

	if (!answers_us(f, pkt))
		return;
	if (f->state >= FSM_REQ_SENT) {
		bool ok = opts_valid(pkt->data, pkt->len);

		if (ok)
			ok = pkt->code == PPP_CONF_NAK
			             ? fsm_ops_of(f)->nak(f, pkt->data, pkt->len)
			             : fsm_ops_of(f)->reject(f, pkt->data, pkt->len);
		if (!ok) {
			fsm_link(f)->rx_bad++;
			return;
		}
		if (fsm_link(f)->reason != PPP_R_NONE)
			return;
		/* Each one changes what we ask for, so an honest peer is content soon. */
		if (++f->naks_rx > 2 * fsm_link(f)->conf->max_failure) {
			fsm_ops_of(f)->not_converged(f);
			return;
		}
		/* The request is answered; were the new one not sent, a repeat must not count. */
		f->req_acked = true;
	}
	step(f, FSM_EV_RCN, &in);
}

static void rx_code_reject(struct fsm *f, const struct ppp_pkt *pkt)
{
	struct fsm_input in = {.pkt = pkt};

	if (pkt->len < 1) {
		fsm_link(f)->rx_bad++;
		return;
	}
	/* A peer that does not know the codes of the automaton cannot be talked to. */
	if (pkt->data[0] >= PPP_CONF_REQ && pkt->data[0] <= PPP_CODE_REJ) {
		step(f, FSM_EV_RXJ_MINUS, &in);
		return;
	}
	fsm_ops_of(f)->code_rejected(f, pkt->data[0]);
	step(f, FSM_EV_RXJ_PLUS, &in);
}

void fsm_rx(struct fsm *f, const struct ppp_pkt *pkt)
{
	struct fsm_input in = {.pkt = pkt};

	/* Before Up nothing can be answered (RFC 1661 4.3). */
	if (f->state == FSM_INITIAL || f->state == FSM_STARTING)
		return;
	f->heard_rtr = pkt->code == PPP_TERM_REQ;
	switch (pkt->code) {
	case PPP_CONF_REQ:
		rx_request(f, pkt);
		break;
	case PPP_CONF_ACK:
		rx_ack(f, pkt);
		break;
	case PPP_CONF_NAK:
	case PPP_CONF_REJ:
		rx_refusal(f, pkt);
		break;
	case PPP_TERM_REQ:
		step(f, FSM_EV_RTR, &in);
		break;
	case PPP_TERM_ACK:
		/* Any id: RFC 1661 5.5 lets a peer that lost its state send one unasked. */
		step(f, FSM_EV_RTA, &in);
		break;
	case PPP_CODE_REJ:
		rx_code_reject(f, pkt);
		break;
	default:
		switch (fsm_ops_of(f)->extra(f, pkt)) {
		case FSM_UNKNOWN:
			step(f, FSM_EV_RUC, &in);
			break;
		case FSM_ECHO:
			step(f, FSM_EV_RXR, &in);
			break;
		case FSM_DONE:
			break;
		}
		break;
	}
}

void fsm_init(struct fsm *f, bool ipcp)
{
	f->ipcp = ipcp;
	f->state = FSM_INITIAL;
	f->peer_req_len = UNKNOWN;
	/* Unpredictable, and not the ids that a LAC used before us on the same link. */
	ppp_random(fsm_link(f), &f->id, sizeof(f->id));
}

void fsm_force_open(struct fsm *f)
{
	f->state = FSM_OPENED;
}
