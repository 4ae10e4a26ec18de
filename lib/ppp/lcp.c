/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* LCP beyond the option negotiation: the layer's ups and downs, echoes, rejects. */
#include "ppp/ppp_int.h"

#include <string.h>

/* RFC 1661 5, RFC 1570 2 */
#define LCP_PROT_REJ       8
#define LCP_ECHO_REQ       9
#define LCP_ECHO_REP       10
#define LCP_DISCARD_REQ    11
#define LCP_IDENTIFICATION 12
#define LCP_TIME_REMAINING 13

static uint32_t our_magic(const struct ppp *p)
{
	return p->lcp.want.magic;
}

static void lcp_echo(struct fsm *f, const struct ppp_pkt *pkt)
{
	struct ppp *p = fsm_link(f);
	uint8_t body[PPP_BODY_MAX];
	size_t n = pkt->len;

	if (pkt->code != LCP_ECHO_REQ)
		return;
	if (n < 4) {
		p->rx_bad++;
		return;
	}
	/* RFC 1661 5.8: our own magic number coming back means that the link is looped */
	if (our_magic(p) != 0 && get32(pkt->data) == our_magic(p)) {
		ppp_end(p, PPP_R_LOOPBACK);
		return;
	}
	p->echo_rx++;
	if (p->lcp.peer.mru < PPP_MRU_DFL && n > (size_t)p->lcp.peer.mru - PPP_HDR_LEN)
		n = p->lcp.peer.mru - PPP_HDR_LEN;
	memcpy(body, pkt->data, n);
	put32(body, our_magic(p));
	ppp_tx(p, PPP_LCP, LCP_ECHO_REP, pkt->id, body, n);
}

/* RFC 1661 5.7 */
static void rx_protocol_reject(struct ppp *p, const struct ppp_pkt *pkt)
{
	if (p->lcp.fsm.state != FSM_OPENED)
		return;
	if (pkt->len < 2) {
		p->rx_bad++;
		return;
	}
	switch (get16(pkt->data)) {
	case PPP_LCP:
		fsm_event(&p->lcp.fsm, FSM_EV_RXJ_MINUS);
		break;
	case PPP_PAP:
	case PPP_CHAP:
		if (p->phase == PPP_PH_AUTHENTICATE)
			ppp_end(p, PPP_R_AUTH_REFUSED);
		break;
	case PPP_IPCP:
	case PPP_IPV4: /* nothing else would stop its packets */
		if (p->phase == PPP_PH_NETWORK)
			ppp_end(p, PPP_R_NCP_REJECTED);
		break;
	default:
		break;
	}
}

/*
 * That an Echo-Reply came counts as life already. Its magic number is not looked at: a looped link
 * shows in the Echo-Request, and some peers copy ours.
 */
static enum fsm_extra lcp_extra(struct fsm *f, const struct ppp_pkt *pkt)
{
	switch (pkt->code) {
	case LCP_PROT_REJ:
		rx_protocol_reject(fsm_link(f), pkt);
		return FSM_DONE;
	case LCP_ECHO_REQ:
	case LCP_ECHO_REP:
	case LCP_DISCARD_REQ:
		return FSM_ECHO;
	case LCP_IDENTIFICATION:
	case LCP_TIME_REMAINING:
		return FSM_DONE;
	default:
		return FSM_UNKNOWN;
	}
}

/* Those of the automaton are never refused (RFC 1661 4.3), and no higher one is sent. */
static bool can_be_refused(uint8_t code)
{
	return code >= LCP_PROT_REJ && code < LCP_PROT_REJ + LCP_REFUSABLE;
}

/*
 * RFC 1661 4.3: what the peer does not know is not sent any more. Without echoes it is for the
 * tunnel's Hellos to find out that it is gone.
 */
static void lcp_code_rejected(struct fsm *f, uint8_t code)
{
	struct ppp *p = fsm_link(f);

	log_debug(p->conf->log, "ppp event=code-reject code=%u", code);
	if (can_be_refused(code))
		p->lcp.refused |= 1u << (code - LCP_PROT_REJ);
	if (code == LCP_ECHO_REQ)
		ppp_wait_no_more(p, PPP_W_ECHO);
}

bool lcp_code_refused(const struct ppp *p, uint8_t code)
{
	return can_be_refused(code) && (p->lcp.refused >> (code - LCP_PROT_REJ) & 1) != 0;
}

void lcp_echo_tick(struct ppp *p)
{
	struct lcp *l = &p->lcp;

	if (!l->alive && l->echo_missed >= p->conf->echo_failures) {
		ppp_end(p, PPP_R_ECHO_TIMEOUT);
	} else {
		if (!l->alive) {
			uint8_t body[4];

			put32(body, our_magic(p));
			l->echo_missed++;
			p->echo_tx++;
			ppp_tx(p, PPP_LCP, LCP_ECHO_REQ, ++l->fsm.id, body, sizeof(body));
		}
		l->alive = false;
		if (l->fsm.state == FSM_OPENED)
			ppp_wait(p, PPP_W_ECHO, p->conf->echo_ms);
	}
}

static void lcp_commit(struct fsm *f)
{
	fsm_link(f)->lcp.peer = fsm_link(f)->run->lcp_cand;
}

static void lcp_up(struct fsm *f)
{
	struct ppp *p = fsm_link(f);
	struct lcp *l = &p->lcp;

	log_debug(p->conf->log, "ppp event=lcp-up mru=%u peer_mru=%u auth=%s proxied=%d",
	          l->want.mru, l->peer.mru, ppp_auth_method_name(l->want.auth), l->proxied);
	l->loops = 0;
	l->alive = true;
	l->echo_missed = 0;
	if (p->conf->echo_ms > 0 && !lcp_code_refused(p, LCP_ECHO_REQ))
		ppp_wait(p, PPP_W_ECHO, p->conf->echo_ms);
	if (p->conf->ops->lcp_up != NULL)
		p->conf->ops->lcp_up(p->ctx);
	/* That callback may have ended it, or asked for it. */
	if (!p->over && p->reason == PPP_R_NONE)
		auth_start(p);
}

static void lcp_down(struct fsm *f, enum fsm_event why)
{
	struct ppp *p = fsm_link(f);

	ppp_wait_no_more(p, PPP_W_ECHO);
	auth_stop(p);
	p->lcp.proxied = false;
	fsm_event(&p->ipcp.fsm, FSM_EV_DOWN);
	ppp_wait_no_more(p, PPP_W_NCP); /* which IPCP's end may have begun anew */
	if (why == FSM_EV_RTR && p->reason == PPP_R_NONE)
		p->reason = PPP_R_PEER_TERMINATED;
	if (why == FSM_EV_RXJ_MINUS && p->reason == PPP_R_NONE)
		p->reason = PPP_R_PROTOCOL_ERROR;
	if (p->reason != PPP_R_NONE) {
		ppp_set_phase(p, PPP_PH_TERMINATE);
		return;
	}
	/* The peer negotiates anew: so do we, from the wishes of the configuration. */
	ppp_set_phase(p, PPP_PH_ESTABLISH);
	lcp_reset_wishes(p);
}

/*
 * E37: a single-shot session does not go back behind its authentication, for that would buy
 * another guess. Elsewhere a peer that starts over and over without ever getting through is sent
 * away in the end.
 */
static bool lcp_renegotiate(struct fsm *f)
{
	struct ppp *p = fsm_link(f);

	if (p->reason != PPP_R_NONE)
		return false;
	if (p->conf->single_shot && p->auth.begun) {
		ppp_end(p, PPP_R_AUTH_AGAIN);
		return false;
	}
	if (++p->lcp.reopens > LCP_REOPENS_MAX) {
		ppp_end(p, PPP_R_LCP_NOT_CONVERGED);
		return false;
	}
	return true;
}

static void lcp_finished(struct fsm *f, enum fsm_state was, enum fsm_event why)
{
	struct ppp *p = fsm_link(f);
	enum ppp_reason r = PPP_R_PROTOCOL_ERROR;

	if (why == FSM_EV_TO_MINUS) {
		if (!p->lcp.heard)
			r = PPP_R_LCP_SILENT;
		else
			r = f->heard_rtr ? PPP_R_PEER_TERMINATED : PPP_R_LCP_TIMEOUT;
	}
	ppp_over(p, r);
}

static void lcp_not_converged(struct fsm *f)
{
	ppp_end(fsm_link(f), PPP_R_LCP_NOT_CONVERGED);
}

const struct fsm_ops lcp_ops = {
        .proto = PPP_LCP,
        .wait = PPP_W_LCP,
        .request = lcp_request,
        .judge = lcp_judge,
        .commit = lcp_commit,
        .nak = lcp_nak,
        .reject = lcp_reject,
        .extra = lcp_extra,
        .echo = lcp_echo,
        .code_rejected = lcp_code_rejected,
        .renegotiate = lcp_renegotiate,
        .up = lcp_up,
        .down = lcp_down,
        .finished = lcp_finished,
        .not_converged = lcp_not_converged,
        .same_life = lcp_same_life,
};

void lcp_init(struct ppp *p)
{
	fsm_init(&p->lcp.fsm, false);
	p->lcp.peer = (struct lcp_side){.mru = PPP_MRU_DFL, .accm = LCP_ACCM_DFL};
	p->lcp.want = p->lcp.peer;
}

void lcp_rx(struct ppp *p, const struct ppp_pkt *pkt)
{
	p->lcp.heard = true;
	fsm_rx(&p->lcp.fsm, pkt);
}
