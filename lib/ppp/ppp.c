/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The link: frames in and out, phases, and the order in which things happen.
 *
 * Callbacks may call back into the link. So that no automaton is entered while it is in the middle
 * of a transition, every entry from outside stands between ppp_enter and ppp_leave; what arrives
 * while another entry is on the stack is put aside, and the outermost ppp_leave works it off.
 */
#include "ppp/ppp_int.h"

#include <openssl/crypto.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_ADDRESS 0xff /* RFC 1662 3.1 */
#define FRAME_CONTROL 0x03

const char *ppp_user(const struct ppp *p)
{
	return p->texts != NULL ? p->texts : "";
}

static void texts_drop(struct ppp *p)
{
	if (p->texts != NULL)
		ppp_text_put(p->conf->of, p->texts, strlen(p->texts) + 1 + p->auth.answer_len);
	p->texts = NULL;
	p->auth.answer_len = 0;
}

/* Takes the place of what was kept; name may be of that. False: no memory, it is as it was. */
static bool texts_keep(struct ppp *p, const char *name, size_t name_len, const char *answer,
                       size_t answer_len)
{
	char *texts = ppp_text_get(p->conf->of, name_len + 1 + answer_len);

	if (texts == NULL)
		return false;
	memcpy(texts, name, name_len);
	texts[name_len] = '\0';
	memcpy(texts + name_len + 1, answer, answer_len);
	texts_drop(p);
	p->texts = texts;
	p->auth.answer_len = (uint8_t)answer_len;
	return true;
}

bool ppp_set_user(struct ppp *p, const void *name, size_t len)
{
	size_t n = len > 0 ? strnlen(name, len) : 0;

	return texts_keep(p, n > 0 ? name : "", n, "", 0);
}

const char *ppp_answer(const struct ppp *p)
{
	return p->auth.answer_len > 0 ? p->texts + strlen(p->texts) + 1 : "";
}

void ppp_keep_answer(struct ppp *p, const char *text, size_t len)
{
	const char *user = ppp_user(p);
	size_t n = strlen(user);

	len = len < AUTH_ANSWER_MAX ? len : AUTH_ANSWER_MAX;
	if (len == 0 && p->auth.answer_len == 0)
		return;
	/* The answer to another try is worse than none. */
	if (!texts_keep(p, user, n, text, len) && p->auth.answer_len > 0)
		texts_drop(p);
}

struct ppp *ppp_new_in(struct ppp_confs *set, const struct ppp_conf *conf,
                       const struct ppp_ops *ops, void *ctx, struct timerq *timers, struct log *log)
{
	struct ppp *p = ppp_link_get(set, conf->role);

	if (p == NULL)
		return NULL;
	p->conf = ppp_shared_get(set, conf, ops, ctx, timers, log);
	if (p->conf == NULL) {
		ppp_link_put(set, conf->role, p);
		return NULL;
	}
	p->ctx = ctx;
	p->phase = PPP_PH_DEAD;
	ppp_timers_init(p);
	lcp_init(p);
	auth_init(p);
	ipcp_init(p);
	return p;
}

struct ppp *ppp_new(const struct ppp_conf *conf, const struct ppp_ops *ops, void *ctx,
                    struct timerq *timers, struct log *log)
{
	return ppp_new_in(NULL, conf, ops, ctx, timers, log);
}

static struct rx_item *rxq_take(struct ppp_run *run)
{
	struct rx_item *it = run->rxq;

	if (it == NULL)
		return NULL;
	run->rxq = it->next;
	run->rxq_len--;
	return it;
}

/* A PAP request has its password in it. */
static void rx_item_free(struct rx_item *it)
{
	OPENSSL_cleanse(it->frame, it->len);
	free(it);
}

static void rxq_drop(struct ppp_run *run)
{
	struct rx_item *it;

	while ((it = rxq_take(run)) != NULL)
		rx_item_free(it);
}

static void verdict_drop(struct ppp_run *run)
{
	if (run->judged)
		OPENSSL_cleanse(&run->verdict, sizeof(run->verdict));
	run->judged = false;
}

void ppp_free(struct ppp *p)
{
	struct ppp_confs *set;
	enum ppp_role role;

	if (p == NULL)
		return;
	ppp_timers_stop(p);
	auth_try_free(&p->auth);
	texts_drop(p);
	set = p->conf->of;
	role = p->conf->role;
	ppp_shared_put(p->conf);
	ppp_link_put(set, role, p);
}

void ppp_random(struct ppp *p, void *buf, size_t len)
{
	p->conf->ops->random(p->ctx, buf, len);
}

void ppp_set_phase(struct ppp *p, enum ppp_phase phase)
{
	if (p->phase == phase)
		return;
	log_debug(p->conf->log, "ppp phase=%s was=%s", ppp_phase_name(phase),
	          ppp_phase_name(p->phase));
	p->phase = phase;
}

void ppp_tx(struct ppp *p, uint16_t proto, uint8_t code, uint8_t id, const void *body, size_t len)
{
	uint8_t f[4 + PPP_MRU_DFL];
	size_t n = 0;

	if (p->over || len > PPP_BODY_MAX)
		return;
	if (proto == PPP_LCP && lcp_code_refused(p, code))
		return;
	/* RFC 1661 6.6: LCP packets never have their address and control fields compressed. */
	if (proto == PPP_LCP || !p->lcp.peer.acfc) {
		f[n++] = FRAME_ADDRESS;
		f[n++] = FRAME_CONTROL;
	}
	put16(f + n, proto);
	f[n + 2] = code;
	f[n + 3] = id;
	put16(f + n + 4, (uint16_t)(PPP_HDR_LEN + len));
	if (len > 0)
		memcpy(f + n + 6, body, len);
	n += 6 + len;
	p->tx_frames++;
	p->conf->ops->send(p->ctx, f, n);
	OPENSSL_cleanse(f, n);
}

void ppp_end(struct ppp *p, enum ppp_reason reason)
{
	if (p->over || p->reason != PPP_R_NONE)
		return;
	p->reason = reason;
	p->close_due = true;
	ppp_set_phase(p, PPP_PH_TERMINATE);
}

void ppp_over(struct ppp *p, enum ppp_reason reason)
{
	if (p->reason == PPP_R_NONE)
		p->reason = reason;
	p->over = true;
}

bool ppp_enter(struct ppp *p, struct ppp_run *own, uint64_t now_ms)
{
	if (p->over)
		return false;
	if (p->run == NULL) {
		*own = (struct ppp_run){.now = now_ms};
		p->run = own;
	} else if (now_ms > p->run->now) {
		p->run->now = now_ms;
	}
	p->run->depth++;
	return true;
}

static void close_now(struct ppp *p)
{
	auth_stop(p);
	ppp_wait_no_more(p, PPP_W_ECHO);
	ppp_wait_no_more(p, PPP_W_NCP);
	if (p->lcp.fsm.state == FSM_INITIAL || p->lcp.fsm.state == FSM_STARTING) {
		ppp_over(p, p->reason);
		return;
	}
	fsm_event(&p->lcp.fsm, FSM_EV_CLOSE);
}

static void rx_frame(struct ppp *p, const uint8_t *f, size_t len);

void ppp_leave(struct ppp *p)
{
	struct ppp_run *run = p->run;

	if (run->depth > 1) {
		run->depth--;
		return;
	}
	while (!p->over) {
		struct rx_item *it;

		if (p->close_due) {
			p->close_due = false;
			close_now(p);
		} else if (run->judged) {
			auth_verdict(p, &run->verdict);
			verdict_drop(run);
		} else if ((it = rxq_take(run)) != NULL) {
			rx_frame(p, it->frame, it->len);
			rx_item_free(it);
		} else {
			break;
		}
	}
	verdict_drop(run);
	rxq_drop(run);
	p->run = NULL;
	if (!p->over)
		return;
	ppp_timers_stop(p);
	if (p->told)
		return;
	p->told = true;
	ppp_set_phase(p, PPP_PH_DEAD);
	log_info(p->conf->log, "ppp event=dead reason=%s user=%s", ppp_reason_name(p->reason),
	         ppp_user(p)[0] != '\0' ? ppp_user(p) : "-");
	p->conf->ops->dead(p->ctx, p->reason);
}

void ppp_authenticated(struct ppp *p)
{
	ppp_set_phase(p, PPP_PH_NETWORK);
	ipcp_reset(p);
	if (p->conf->ncp_timeout_ms > 0)
		ppp_wait(p, PPP_W_NCP, p->conf->ncp_timeout_ms);
	fsm_event(&p->ipcp.fsm, FSM_EV_UP);
}

void ppp_start(struct ppp *p, const struct ppp_proxy *proxy, uint64_t now_ms)
{
	struct ppp_run own;

	if (p->started || !ppp_enter(p, &own, now_ms))
		return;
	p->started = true;
	ppp_set_phase(p, PPP_PH_ESTABLISH);
	lcp_reset_wishes(p);
	fsm_event(&p->ipcp.fsm, FSM_EV_OPEN);
	fsm_event(&p->lcp.fsm, FSM_EV_OPEN);
	if (proxy != NULL && proxy_lcp(p, proxy))
		proxy_auth(p, proxy);
	else
		fsm_event(&p->lcp.fsm, FSM_EV_UP);
	ppp_leave(p);
}

/* RFC 1661 5.7: only while LCP is Opened, and the information cut to what the peer can take. */
static void protocol_reject(struct ppp *p, uint16_t proto, const uint8_t *info, size_t len)
{
	uint8_t body[PPP_BODY_MAX];
	size_t max = sizeof(body) - 2;

	p->rx_unknown_protocol++;
	if (p->lcp.fsm.state != FSM_OPENED)
		return;
	if (p->lcp.peer.mru < PPP_MRU_DFL)
		max = p->lcp.peer.mru - PPP_HDR_LEN - 2;
	if (len > max)
		len = max;
	put16(body, proto);
	if (len > 0)
		memcpy(body + 2, info, len);
	ppp_tx(p, PPP_LCP, 8 /* Protocol-Reject */, ++p->lcp.fsm.id, body, 2 + len);
}

/* The header that all control protocols share (RFC 1661 5); padding behind Length is dropped. */
static bool control_packet(struct ppp *p, const uint8_t *b, size_t len, struct ppp_pkt *pkt)
{
	size_t claimed = len >= PPP_HDR_LEN ? get16(b + 2) : 0;

	if (claimed < PPP_HDR_LEN || claimed > len || claimed > PPP_MRU_DFL) {
		p->rx_bad++;
		return false;
	}
	*pkt = (struct ppp_pkt){
	        .code = b[0], .id = b[1], .data = b + PPP_HDR_LEN, .len = claimed - PPP_HDR_LEN};
	return true;
}

/*
 * RFC 1661 3.4, 3.5: what belongs to a later phase is dropped in silence, so that a peer that is a
 * packet ahead of us simply sends it again; an answer, Terminate-Ack above all, would end its
 * negotiation.
 */
static void rx_protocol(struct ppp *p, uint16_t proto, const uint8_t *b, size_t len)
{
	struct ppp_pkt pkt;

	switch (proto) {
	case PPP_LCP:
		if (control_packet(p, b, len, &pkt))
			lcp_rx(p, &pkt);
		return;
	case PPP_PAP:
	case PPP_CHAP:
		if (p->phase != PPP_PH_AUTHENTICATE && p->phase != PPP_PH_NETWORK)
			return;
		if (auth_proto(p->auth.method) != proto)
			break;
		if (!control_packet(p, b, len, &pkt))
			return;
		if (proto == PPP_PAP)
			pap_rx(p, &pkt);
		else if (p->conf->role == PPP_PEER)
			chap_peer_rx(p, &pkt);
		else
			chap_rx(p, &pkt);
		return;
	case PPP_IPCP:
		if (p->phase == PPP_PH_NETWORK && control_packet(p, b, len, &pkt))
			ipcp_rx(p, &pkt);
		return;
	case PPP_IPV4:
		return;
	default:
		break;
	}
	if (p->phase == PPP_PH_NETWORK)
		protocol_reject(p, proto, b, len);
}

static void rx_frame(struct ppp *p, const uint8_t *f, size_t len)
{
	uint16_t proto;

	p->rx_frames++;
	if (len >= 2 && f[0] == FRAME_ADDRESS && f[1] == FRAME_CONTROL) {
		f += 2;
		len -= 2;
	}
	if (len >= 1 && (f[0] & 1) != 0) {
		/* RFC 1661 6.5: an odd first byte is a protocol field cut to one byte */
		proto = f[0];
		f++;
		len--;
	} else if (len >= 2) {
		/* RFC 1661 2: protocol numbers are odd; an even one is as unknown as any other */
		proto = get16(f);
		f += 2;
		len -= 2;
	} else {
		p->rx_bad++;
		return;
	}
	p->lcp.alive = true;
	p->lcp.echo_missed = 0;
	rx_protocol(p, proto, f, len);
}

void ppp_rx(struct ppp *p, const uint8_t *frame, size_t len, uint64_t now_ms)
{
	struct ppp_run own;

	if (!p->started || !ppp_enter(p, &own, now_ms))
		return;
	if (p->run->depth == 1) {
		rx_frame(p, frame, len);
	} else if (p->run->rxq_len < RX_QUEUE_MAX && len <= 4 + PPP_MRU_DFL) {
		struct rx_item *it = malloc(sizeof(*it) + len), **at;

		/* Without memory the frame is lost, as any frame may be. */
		if (it != NULL) {
			it->next = NULL;
			it->len = len;
			memcpy(it->frame, frame, len);
			for (at = &p->run->rxq; *at != NULL; at = &(*at)->next)
				;
			*at = it;
			p->run->rxq_len++;
		}
	}
	ppp_leave(p);
}

void ppp_alive(struct ppp *p, uint64_t now_ms)
{
	p->lcp.alive = true;
	p->lcp.echo_missed = 0;
}

/* In a callback it waits for the stack to unwind. */
void ppp_auth_done(struct ppp *p, const struct ppp_auth_reply *reply, uint64_t now_ms)
{
	struct ppp_run own;

	if (!p->auth.owed || (p->run != NULL && p->run->judged) || !ppp_enter(p, &own, now_ms))
		return;
	if (p->run->depth == 1) {
		auth_verdict(p, reply);
	} else {
		p->run->verdict = *reply;
		p->run->judged = true;
	}
	ppp_leave(p);
}

void ppp_close(struct ppp *p, uint64_t now_ms)
{
	struct ppp_run own;

	if (!ppp_enter(p, &own, now_ms))
		return;
	ppp_end(p, PPP_R_ADMIN);
	ppp_leave(p);
}

void ppp_lower_down(struct ppp *p)
{
	p->over = true;
	p->told = true;
	p->net_up = false;
	ppp_timers_stop(p);
	ppp_set_phase(p, PPP_PH_DEAD);
}

void ppp_info_get(const struct ppp *p, struct ppp_info *out)
{
	const struct lcp *l = &p->lcp;

	*out = (struct ppp_info){
	        .phase = p->phase,
	        .auth = p->auth.method,
	        .authenticated = p->auth.state == AUTH_OK,
	        .mtu = p->conf->mtu < l->peer.mru ? p->conf->mtu : l->peer.mru,
	        .peer_mru = l->peer.mru,
	        .mru = l->ask_mru ? l->want.mru : PPP_MRU_DFL,
	        .tx_acfc = l->peer.acfc,
	        .tx_pfc = l->peer.pfc,
	        .rx_acfc = l->want.acfc,
	        .rx_pfc = l->want.pfc,
	        .tx_accm = l->peer.accm,
	        .rx_accm = l->want.accm,
	        .magic = l->want.magic,
	        .peer_magic = l->peer.magic,
	        .lcp_proxied = l->proxied,
	        .lcp_state = fsm_state_name(l->fsm.state),
	        .ipcp_state = fsm_state_name(p->ipcp.fsm.state),
	        .rx_frames = p->rx_frames,
	        .tx_frames = p->tx_frames,
	        .rx_bad = p->rx_bad,
	        .rx_unknown_protocol = p->rx_unknown_protocol,
	        .echo_tx = p->echo_tx,
	        .echo_rx = p->echo_rx,
	};
	snprintf(out->user, sizeof(out->user), "%s", ppp_user(p));
	if (p->ipcp.fsm.state == FSM_OPENED) {
		out->local_ip = p->ipcp.ask_ip ? ipcp_local_ip(p) : 0;
		out->peer_ip = p->ipcp.peer_ip;
		if (ppp_client(p) != NULL)
			for (int i = 0; i < 2; i++)
				out->dns[i] = ppp_client(p)->server[2 * i];
	}
}
