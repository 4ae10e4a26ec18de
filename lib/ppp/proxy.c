/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Taking over a link that a LAC has opened (RFC 2661 4.4.5 and 18). The client believes that LCP
 * is open, and was perhaps asked for its password: what the LAC reports is as good as having
 * been there, so long as it is what we would have agreed to.
 */
#include "ppp/ppp_int.h"

#include <string.h>

/* AVP 29 (RFC 2661 4.4.5); 4 means that the LAC asked for nothing */
#define PROXY_AUTH_CHAP 2
#define PROXY_AUTH_PAP  3

/* What the LAC asked for in our stead: our own side of the link from now on. */
static bool take_our_side(struct ppp *p, const uint8_t *opts, size_t len)
{
	struct lcp_side s = {.mru = PPP_MRU_DFL, .accm = LCP_ACCM_DFL};
	uint16_t most = p->conf->mru > PPP_MRU_DFL ? p->conf->mru : PPP_MRU_DFL;
	struct lcp *l = &p->lcp;

	if (!opts_valid(opts, len))
		return false;
	OPTS_FOREACH(o, opts, len)
	{
		if (o[0] == LCP_OPT_MRU && o[1] == 4)
			s.mru = get16(o + 2);
		else if (o[0] == LCP_OPT_ACCM && o[1] == 6)
			s.accm = get32(o + 2);
		else if (o[0] == LCP_OPT_MAGIC && o[1] == 6)
			s.magic = get32(o + 2);
		else if (o[0] == LCP_OPT_PFC && o[1] == 2)
			s.pfc = true;
		else if (o[0] == LCP_OPT_ACFC && o[1] == 2)
			s.acfc = true;
		else if (o[0] == LCP_OPT_AUTH && s.auth == PPP_AUTH_NONE &&
		         (s.auth = (uint8_t)lcp_auth_option(o)) != PPP_AUTH_NONE)
			continue;
		else
			return false;
	}
	/* Any MRU up to 1500 must be receivable anyway (RFC 1661 6.1). */
	if (s.mru < LCP_MRU_MIN || s.mru > most)
		return false;
	if (p->conf->auth_methods == 0 ? s.auth != PPP_AUTH_NONE
	                               : !(p->conf->auth_methods & s.auth))
		return false;
	l->want = s;
	l->ask_mru = s.mru != PPP_MRU_DFL;
	return true;
}

/* Can the client be authenticated without LCP being negotiated anew? */
static bool credentials_fit(const struct ppp *p, const struct ppp_proxy *x)
{
	switch (p->lcp.want.auth) {
	case PPP_AUTH_PAP:
		return x->auth_type == PROXY_AUTH_PAP && x->name != NULL && x->response != NULL &&
		       x->name_len <= 255 && x->response_len <= 255;
	case PPP_AUTH_CHAP_MD5:
		return x->auth_type == PROXY_AUTH_CHAP && x->name != NULL && x->response != NULL &&
		       x->challenge != NULL && x->challenge_len >= 1 &&
		       x->challenge_len <= CHAP_VALUE_MAX && x->response_len == 16;
	default:
		/* AVP 29 has no value for MS-CHAPv2. */
		return false;
	}
}

bool proxy_lcp(struct ppp *p, const struct ppp_proxy *x)
{
	struct optbuf answer = {.len = 0};
	struct fsm *f = &p->lcp.fsm;
	bool ok;

	if (p->conf->role != PPP_AUTHENTICATOR || x->last_tx.p == NULL || x->last_rx.p == NULL)
		return false;
	ok = take_our_side(p, x->last_tx.p, x->last_tx.len) &&
	     opts_valid(x->last_rx.p, x->last_rx.len) &&
	     lcp_judge(f, x->last_rx.p, x->last_rx.len, &answer) == PPP_CONF_ACK;
	/*
	 * The client of a LAC that has its PAP password already may not send it again, so without
	 * the password from the LAC only a new LCP makes it.
	 */
	if (ok && p->lcp.want.auth == PPP_AUTH_PAP)
		ok = x->use_auth && credentials_fit(p, x);
	if (!ok) {
		p->lcp.loops = 0;
		lcp_reset_wishes(p);
		log_debug(p->conf->log, "ppp event=proxy-lcp result=renegotiate");
		return false;
	}
	p->lcp.peer = p->run->lcp_cand;
	p->lcp.proxied = true;
	p->lcp.heard = true;
	fsm_force_open(f);
	return true;
}

/* Opens the layer; then either judges what the LAC collected, or asks the client ourselves. */
void proxy_auth(struct ppp *p, const struct ppp_proxy *x)
{
	struct auth *a = &p->auth;
	struct cred c = {.proxy = true, .id = (uint8_t)x->auth_id};

	/* No challenge of ours may carry the id of the LAC's. */
	a->id = (uint8_t)x->auth_id;
	if (!x->use_auth || !credentials_fit(p, x)) {
		fsm_ops_of(&p->lcp.fsm)->up(&p->lcp.fsm);
		return;
	}
	a->proxy = true;
	fsm_ops_of(&p->lcp.fsm)->up(&p->lcp.fsm);
	a->proxy = false;
	if (p->reason != PPP_R_NONE || p->over || a->state != AUTH_WAIT)
		return;
	if (x->challenge != NULL && a->method == PPP_AUTH_CHAP_MD5) {
		if (auth_try(a) == NULL) {
			chap_send_challenge(p);
			return;
		}
		a->try->challenge_len = (uint8_t)x->challenge_len;
		memcpy(a->try->challenge, x->challenge, x->challenge_len);
	}
	c.name = x->name;
	c.name_len = x->name_len;
	c.secret = x->response;
	c.secret_len = x->response_len;
	auth_offer(p, &c, true);
}
