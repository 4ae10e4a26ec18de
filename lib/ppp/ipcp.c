/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* IPCP (RFC 1332) with the name server options of RFC 1877. */
#include "ppp/ppp_int.h"

#include <string.h>

#define IPCP_OPT_ADDR   3 /* RFC 1332 3.3 */
#define IPCP_OPT_SERVER 129 /* and the three after it (RFC 1877 1.1 to 1.4) */
#define LEN_ADDR        6 /* of all of these */

static bool is_server(uint8_t type)
{
	return type >= IPCP_OPT_SERVER && type < IPCP_OPT_SERVER + IPCP_SERVERS;
}

/* The name server of option IPCP_OPT_SERVER + i in the configuration, 0 for none. */
static uint32_t configured(const struct ppp *p, int i)
{
	return i % 2 == 0 ? p->conf->dns[i / 2] : p->conf->nbns[i / 2];
}

uint32_t ipcp_local_ip(const struct ppp *p)
{
	const struct ppp_client *c = ppp_client(p);

	return c != NULL ? c->local_ip : p->conf->local_ip;
}

void ipcp_reset(struct ppp *p)
{
	struct ppp_client *c = ppp_client(p);
	struct ipcp *n = &p->ipcp;

	n->ask_ip = c != NULL || p->conf->local_ip != 0;
	if (c != NULL)
		c->local_ip = p->conf->local_ip;
	for (int i = 0; c != NULL && i < IPCP_SERVERS; i++) {
		c->ask_server[i] = configured(p, i) != 0;
		c->server[i] = 0;
	}
	n->asked_peer = false;
	n->heard = false;
	n->ip_naks = 0;
	n->peer_ip = 0;
	n->fsm.naks_rx = 0;
	n->fsm.naks_tx = 0;
	n->fsm.answers_tx = 0;
}

static void ipcp_request(const struct fsm *f, struct optbuf *out)
{
	const struct ppp *p = fsm_link(f);
	const struct ppp_client *c = ppp_client(p);

	if (p->ipcp.ask_ip)
		opt_add32(out, IPCP_OPT_ADDR, ipcp_local_ip(p));
	for (int i = 0; c != NULL && i < IPCP_SERVERS; i++)
		if (c->ask_server[i])
			opt_add32(out, (uint8_t)(IPCP_OPT_SERVER + i), c->server[i]);
}

/* The address that the peer gets when it wants this one; 0: none. A client takes any but none. */
static uint32_t address_for(struct ppp *p, uint32_t wanted)
{
	if (p->conf->role == PPP_PEER)
		return wanted;
	return p->conf->ops->peer_address(p->ctx, wanted);
}

static void judge_address(struct ppp *p, const uint8_t *o, struct optbuf *nak, struct optbuf *rej)
{
	uint32_t wanted = o[1] == LEN_ADDR ? get32(o + 2) : 0;
	uint32_t given = address_for(p, wanted);

	if (given == 0 && p->conf->role == PPP_PEER) {
		opt_copy(rej, o); /* we have no addresses to give */
	} else if (given == 0) {
		ppp_end(p, PPP_R_NO_ADDRESS);
	} else if (given != wanted || o[1] != LEN_ADDR) {
		opt_add32(nak, IPCP_OPT_ADDR, given);
	} else {
		p->run->ipcp_cand = given;
	}
}

static void judge_server(struct ppp *p, const uint8_t *o, struct optbuf *nak, struct optbuf *rej)
{
	uint32_t have = configured(p, o[0] - IPCP_OPT_SERVER);

	if (have == 0 || p->conf->role == PPP_PEER)
		opt_copy(rej, o);
	else if (o[1] != LEN_ADDR || get32(o + 2) != have)
		opt_add32(nak, o[0], have);
}

/*
 * A request without an address: the peer is told once that it needs one (RFC 1332 3.3), and then
 * has its way; the address that it will be known by is ours to choose all the same.
 */
static void judge_no_address(struct ppp *p, struct optbuf *nak)
{
	struct ipcp *n = &p->ipcp;
	uint32_t given;

	if (p->conf->role == PPP_PEER)
		return;
	given = p->conf->ops->peer_address(p->ctx, 0);
	if (given == 0) {
		ppp_end(p, PPP_R_NO_ADDRESS);
		return;
	}
	p->run->ipcp_cand = given;
	if (!n->asked_peer) {
		n->asked_peer = true;
		opt_add32(nak, IPCP_OPT_ADDR, given);
	}
}

static uint8_t ipcp_judge(struct fsm *f, const uint8_t *opts, size_t len, struct optbuf *out)
{
	struct ppp *p = fsm_link(f);
	struct optbuf nak = {.len = 0}, rej = {.len = 0};
	bool address = false;

	p->run->ipcp_cand = 0;
	OPTS_FOREACH(o, opts, len)
	{
		if (o[0] == IPCP_OPT_ADDR && !address) {
			address = true;
			judge_address(p, o, &nak, &rej);
		} else if (is_server(o[0])) {
			judge_server(p, o, &nak, &rej);
		} else {
			/* IP-Addresses and header compression among them (RFC 1332 3.1, 3.2) */
			opt_copy(&rej, o);
		}
		if (p->reason != PPP_R_NONE)
			return 0;
	}
	if (rej.len > 0) {
		*out = rej;
		return PPP_CONF_REJ;
	}
	if (!address)
		judge_no_address(p, &nak);
	if (p->reason != PPP_R_NONE)
		return 0;
	if (nak.len > 0) {
		*out = nak;
		return PPP_CONF_NAK;
	}
	return PPP_CONF_ACK;
}

static void ipcp_commit(struct fsm *f)
{
	fsm_link(f)->ipcp.peer_ip = fsm_link(f)->run->ipcp_cand;
}

/*
 * As a client we take what we are told. As the server our own address is not for the peer to
 * choose; but the link works without its being agreed on, so a stubborn peer gets no such option.
 */
static void nak_address(struct ppp *p, uint32_t v)
{
	struct ipcp *n = &p->ipcp;

	if (ppp_client(p) != NULL)
		ppp_client(p)->local_ip = v;
	else if (++n->ip_naks >= p->conf->max_failure)
		n->ask_ip = false;
}

static bool ipcp_nak(struct fsm *f, const uint8_t *opts, size_t len)
{
	struct ppp_client *c = ppp_client(fsm_link(f));

	OPTS_FOREACH(o, opts, len)
	{
		if (o[1] != LEN_ADDR)
			continue;
		if (o[0] == IPCP_OPT_ADDR)
			nak_address(fsm_link(f), get32(o + 2));
		else if (c != NULL && is_server(o[0]))
			c->server[o[0] - IPCP_OPT_SERVER] = get32(o + 2);
	}
	return true;
}

static bool ipcp_reject(struct fsm *f, const uint8_t *opts, size_t len)
{
	struct ppp *p = fsm_link(f);

	if (!fsm_all_asked_for(f, opts, len))
		return false;
	OPTS_FOREACH(o, opts, len)
	{
		if (o[0] == IPCP_OPT_ADDR)
			p->ipcp.ask_ip = false;
		else
			/* we ask for no others, and that as a client */
			ppp_client(p)->ask_server[o[0] - IPCP_OPT_SERVER] = false;
	}
	return true;
}

/* RFC 1332 2: codes 1 to 7 and no other. */
static enum fsm_extra ipcp_extra(struct fsm *f, const struct ppp_pkt *pkt)
{
	return FSM_UNKNOWN;
}

static void ipcp_code_rejected(struct fsm *f, uint8_t code)
{
	log_debug(fsm_link(f)->conf->log, "ppp event=ipcp-code-reject code=%u", code);
}

static bool ipcp_renegotiate(struct fsm *f)
{
	return fsm_link(f)->reason == PPP_R_NONE;
}

/*
 * Nothing of IPCP came and our request goes out again: perhaps the CHAP Success was lost, and the
 * peer, which has no timer for it, waits still. One that has it drops a second.
 */
static void ipcp_retransmit(struct fsm *f)
{
	struct ppp *p = fsm_link(f);

	if (!p->ipcp.heard && p->conf->role == PPP_AUTHENTICATOR && p->auth.state == AUTH_OK)
		auth_answer_again(p, p->auth.answer_id);
}

static void ipcp_up(struct fsm *f)
{
	struct ppp *p = fsm_link(f);
	struct ipcp *n = &p->ipcp;

	/* A client without an address of its own has no use for the link. */
	if (p->conf->role == PPP_PEER && (!n->ask_ip || ipcp_local_ip(p) == 0)) {
		ppp_end(p, PPP_R_NO_ADDRESS);
		return;
	}
	ppp_wait_no_more(p, PPP_W_NCP);
	p->lcp.reopens = 0;
	p->net_up = true;
	log_debug(p->conf->log, "ppp event=ipcp-up local=0x%08x peer=0x%08x", ipcp_local_ip(p),
	          n->peer_ip);
	p->conf->ops->network_up(p->ctx);
}

static void ipcp_down(struct fsm *f, enum fsm_event why)
{
	struct ppp *p = fsm_link(f);

	if (why == FSM_EV_RXJ_MINUS)
		ppp_end(p, PPP_R_PROTOCOL_ERROR);
	if (p->reason == PPP_R_NONE && p->phase == PPP_PH_NETWORK) {
		ipcp_reset(p);
		/* The peer may start IPCP again, but not take for ever. */
		if (p->conf->ncp_timeout_ms > 0)
			ppp_wait(p, PPP_W_NCP, p->conf->ncp_timeout_ms);
	}
	if (!p->net_up)
		return;
	p->net_up = false;
	if (!p->over)
		p->conf->ops->network_down(p->ctx);
}

static void ipcp_finished(struct fsm *f, enum fsm_state was, enum fsm_event why)
{
	/* The peer closed IPCP: a link without it is what NCP timeouts are for. */
	if (was == FSM_STOPPING || was == FSM_CLOSING)
		return;
	ppp_end(fsm_link(f), why == FSM_EV_TO_MINUS ? PPP_R_NCP_TIMEOUT : PPP_R_PROTOCOL_ERROR);
}

static void ipcp_not_converged(struct fsm *f)
{
	ppp_end(fsm_link(f), PPP_R_NCP_NOT_CONVERGED);
}

const struct fsm_ops ipcp_ops = {
        .proto = PPP_IPCP,
        .wait = PPP_W_IPCP,
        .up_before_ack = true,
        .request = ipcp_request,
        .judge = ipcp_judge,
        .commit = ipcp_commit,
        .nak = ipcp_nak,
        .reject = ipcp_reject,
        .extra = ipcp_extra,
        .code_rejected = ipcp_code_rejected,
        .renegotiate = ipcp_renegotiate,
        .retransmit = ipcp_retransmit,
        .up = ipcp_up,
        .down = ipcp_down,
        .finished = ipcp_finished,
        .not_converged = ipcp_not_converged,
};

void ipcp_init(struct ppp *p)
{
	fsm_init(&p->ipcp.fsm, true);
}

void ipcp_rx(struct ppp *p, const struct ppp_pkt *pkt)
{
	p->ipcp.heard = true;
	fsm_rx(&p->ipcp.fsm, pkt);
}
