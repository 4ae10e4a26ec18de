/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* LCP's option negotiation (RFC 1661 6, RFC 1662 7). */
#include "ppp/ppp_int.h"

/* Whole lengths of the options. */
#define LEN_MRU      4
#define LEN_ACCM     6
#define LEN_AUTH_PAP 4 /* RFC 1334 2.1 */
#define LEN_AUTH_ALG 5 /* RFC 1994 3 */
#define LEN_MAGIC    6
#define LEN_FLAG     2

static const enum ppp_auth_method strongest_first[] = {PPP_AUTH_MSCHAPV2, PPP_AUTH_CHAP_MD5,
                                                       PPP_AUTH_PAP};

#define ANY_METHOD (PPP_AUTH_PAP | PPP_AUTH_CHAP_MD5 | PPP_AUTH_MSCHAPV2)

static enum ppp_auth_method strongest(uint32_t methods)
{
	for (size_t i = 0; i < sizeof(strongest_first) / sizeof(strongest_first[0]); i++)
		if (methods & strongest_first[i])
			return strongest_first[i];
	return PPP_AUTH_NONE;
}

static uint32_t new_magic(struct ppp *p)
{
	uint32_t m;

	ppp_random(p, &m, sizeof(m));
	return m != 0 ? m : 1; /* RFC 1661 6.4: zero is no magic number */
}

void lcp_reset_wishes(struct ppp *p)
{
	struct lcp *l = &p->lcp;

	l->want = (struct lcp_side){.mru = p->conf->mru,
	                            .accm = LCP_ACCM_DFL,
	                            .magic = new_magic(p),
	                            .pfc = p->conf->want_pfc,
	                            .acfc = p->conf->want_acfc};
	l->ask_mru = p->conf->mru != PPP_MRU_DFL;
	l->refused = 0;
	l->auth_left = p->conf->role == PPP_AUTHENTICATOR ? p->conf->auth_methods & ANY_METHOD : 0;
	l->want.auth = strongest(l->auth_left);
	l->fsm.naks_rx = 0;
	l->fsm.naks_tx = 0;
	l->fsm.answers_tx = 0;
	/* What the peer announced once is void when it negotiates anew (RFC 1661 5.1). */
	l->peer = (struct lcp_side){.mru = PPP_MRU_DFL, .accm = LCP_ACCM_DFL};
}

static void add_auth(struct optbuf *out, enum ppp_auth_method m)
{
	uint8_t v[3];

	if (m == PPP_AUTH_PAP) {
		opt_add16(out, LCP_OPT_AUTH, PPP_PAP);
		return;
	}
	put16(v, PPP_CHAP);
	v[2] = m == PPP_AUTH_MSCHAPV2 ? CHAP_ALG_MSCHAPV2 : CHAP_ALG_MD5;
	opt_add(out, LCP_OPT_AUTH, v, sizeof(v));
}

enum ppp_auth_method lcp_auth_option(const uint8_t *opt)
{
	if (opt[1] == LEN_AUTH_PAP && get16(opt + 2) == PPP_PAP)
		return PPP_AUTH_PAP;
	if (opt[1] == LEN_AUTH_ALG && get16(opt + 2) == PPP_CHAP) {
		if (opt[4] == CHAP_ALG_MD5)
			return PPP_AUTH_CHAP_MD5;
		if (opt[4] == CHAP_ALG_MSCHAPV2)
			return PPP_AUTH_MSCHAPV2;
	}
	return PPP_AUTH_NONE;
}

void lcp_request(const struct fsm *f, struct optbuf *out)
{
	const struct lcp *l = &fsm_link(f)->lcp;

	if (l->ask_mru)
		opt_add16(out, LCP_OPT_MRU, l->want.mru);
	if (l->want.auth != PPP_AUTH_NONE)
		add_auth(out, l->want.auth);
	if (l->want.magic != 0)
		opt_add32(out, LCP_OPT_MAGIC, l->want.magic);
	if (l->want.pfc)
		opt_add(out, LCP_OPT_PFC, NULL, 0);
	if (l->want.acfc)
		opt_add(out, LCP_OPT_ACFC, NULL, 0);
}

/* What judging one option came to; the answers are gathered apart because Reject beats Nak. */
struct answers {
	struct optbuf nak, rej;
	bool no_more_naks; /* Max-Failure is used up: reject instead (RFC 1661 4.6) */
};

static void judge_auth(struct ppp *p, struct lcp_side *c, const uint8_t *o, struct answers *a)
{
	enum ppp_auth_method m = lcp_auth_option(o);

	/* As the authenticator we have no password to give. */
	if (p->conf->role != PPP_PEER || p->conf->auth_methods == 0) {
		opt_copy(&a->rej, o);
	} else if (m != PPP_AUTH_NONE && (p->conf->auth_methods & m) != 0) {
		c->auth = (uint8_t)m;
	} else if (a->no_more_naks) {
		opt_copy(&a->rej, o);
	} else {
		add_auth(&a->nak, strongest(p->conf->auth_methods));
	}
}

/*
 * RFC 1661 6.4: our own request that came back, or one chance in four billion; a Nak with another
 * number tells. Nothing else in such a request is judged: a Reject would come back too, and pass
 * for the peer's.
 */
static bool looped(struct ppp *p, const uint8_t *opts, size_t len)
{
	struct lcp *l = &p->lcp;

	OPTS_FOREACH(o, opts, len)
	{
		if (o[0] == LCP_OPT_MAGIC && o[1] == LEN_MAGIC && l->want.magic != 0 &&
		    get32(o + 2) == l->want.magic) {
			if (++l->loops > p->conf->max_failure)
				ppp_end(p, PPP_R_LOOPBACK);
			return true;
		}
	}
	l->loops = 0;
	return false;
}

static void judge_magic(struct ppp *p, struct lcp_side *c, const uint8_t *o, struct answers *a)
{
	c->magic = o[1] == LEN_MAGIC ? get32(o + 2) : 0;
	if (c->magic != 0)
		return;
	if (a->no_more_naks)
		opt_copy(&a->rej, o);
	else
		opt_add32(&a->nak, LCP_OPT_MAGIC, new_magic(p));
}

static void judge_mru(struct lcp_side *c, const uint8_t *o, struct answers *a)
{
	uint16_t mru = o[1] == LEN_MRU ? get16(o + 2) : 0;

	if (mru >= LCP_MRU_MIN)
		c->mru = mru;
	else if (a->no_more_naks)
		opt_copy(&a->rej, o);
	else
		opt_add16(&a->nak, LCP_OPT_MRU, mru == 0 ? PPP_MRU_DFL : LCP_MRU_MIN);
}

/* True when the option is there as it should be. */
static bool judge_flag(const uint8_t *o, struct answers *a)
{
	if (o[1] == LEN_FLAG)
		return true;
	if (a->no_more_naks)
		opt_copy(&a->rej, o);
	else
		opt_add(&a->nak, o[0], NULL, 0);
	return false;
}

static void judge_accm(struct lcp_side *c, const uint8_t *o, struct answers *a)
{
	if (o[1] == LEN_ACCM)
		c->accm = get32(o + 2);
	else if (a->no_more_naks)
		opt_copy(&a->rej, o);
	else
		opt_add32(&a->nak, LCP_OPT_ACCM, 0);
}

uint8_t lcp_judge(struct fsm *f, const uint8_t *opts, size_t len, struct optbuf *out)
{
	struct ppp *p = fsm_link(f);
	struct lcp_side *c = &p->run->lcp_cand;
	struct answers a = {.no_more_naks = f->naks_tx >= p->conf->max_failure};

	*c = (struct lcp_side){.mru = PPP_MRU_DFL, .accm = LCP_ACCM_DFL};
	if (looped(p, opts, len)) {
		opt_add32(out, LCP_OPT_MAGIC, new_magic(p));
		return p->reason == PPP_R_NONE ? PPP_CONF_NAK : 0;
	}
	OPTS_FOREACH(o, opts, len)
	{
		switch (o[0]) {
		case LCP_OPT_MRU:
			judge_mru(c, o, &a);
			break;
		case LCP_OPT_ACCM:
			judge_accm(c, o, &a);
			break;
		case LCP_OPT_AUTH:
			judge_auth(p, c, o, &a);
			break;
		case LCP_OPT_MAGIC:
			judge_magic(p, c, o, &a);
			break;
		case LCP_OPT_PFC:
			c->pfc |= judge_flag(o, &a);
			break;
		case LCP_OPT_ACFC:
			c->acfc |= judge_flag(o, &a);
			break;
		default:
			/* Quality protocol, callback, MRRU, discriminator, FCS: not ours. */
			opt_copy(&a.rej, o);
			break;
		}
	}
	if (p->reason != PPP_R_NONE)
		return 0;
	if (a.rej.len > 0) {
		*out = a.rej;
		return PPP_CONF_REJ;
	}
	if (a.nak.len > 0) {
		*out = a.nak;
		return PPP_CONF_NAK;
	}
	return PPP_CONF_ACK;
}

bool lcp_same_life(const struct fsm *f, const uint8_t *opts, size_t len)
{
	uint32_t magic = fsm_link(f)->lcp.peer.magic;

	OPTS_FOREACH(o, opts, len)
	{
		if (o[0] == LCP_OPT_MAGIC && o[1] == LEN_MAGIC && magic != 0 &&
		    get32(o + 2) == magic)
			return true;
	}
	return false;
}

/* The peer does not like the method: take a suggestion if we may, else the next weaker one. */
static void other_method(struct ppp *p, uint32_t suggested)
{
	struct lcp *l = &p->lcp;

	l->auth_left &= ~(unsigned int)l->want.auth;
	suggested &= l->auth_left;
	l->want.auth = strongest(suggested != 0 ? suggested : l->auth_left);
	if (l->want.auth == PPP_AUTH_NONE)
		ppp_end(p, PPP_R_AUTH_REFUSED);
}

/* RFC 1661 6.1: 1500 can always be received, so a peer that wants more gets the default. */
static void nak_mru(struct lcp *l, const uint8_t *o)
{
	uint16_t mru = o[1] == LEN_MRU ? get16(o + 2) : 0;

	if (!l->ask_mru)
		return;
	if (mru >= LCP_MRU_MIN && mru < l->want.mru)
		l->want.mru = mru;
	else
		l->ask_mru = false;
}

bool lcp_nak(struct fsm *f, const uint8_t *opts, size_t len)
{
	struct ppp *p = fsm_link(f);
	struct lcp *l = &p->lcp;
	bool auth_refused = false;
	uint32_t suggested = 0;

	OPTS_FOREACH(o, opts, len)
	{
		switch (o[0]) {
		case LCP_OPT_MRU:
			nak_mru(l, o);
			break;
		case LCP_OPT_AUTH:
			auth_refused = l->want.auth != PPP_AUTH_NONE;
			suggested |= lcp_auth_option(o);
			break;
		case LCP_OPT_MAGIC:
			/* Never the suggested number: on a looped link it is our own doing. */
			if (l->want.magic != 0)
				l->want.magic = new_magic(p);
			break;
		case LCP_OPT_PFC:
			l->want.pfc = false; /* a flag has no other value to suggest */
			break;
		case LCP_OPT_ACFC:
			l->want.acfc = false;
			break;
		default:
			break; /* options that the peer would like us to ask for: no */
		}
	}
	if (auth_refused)
		other_method(p, suggested);
	return true;
}

bool lcp_reject(struct fsm *f, const uint8_t *opts, size_t len)
{
	struct lcp *l = &fsm_link(f)->lcp;

	if (!fsm_all_asked_for(f, opts, len))
		return false;
	OPTS_FOREACH(o, opts, len)
	{
		switch (o[0]) {
		case LCP_OPT_MRU:
			l->ask_mru = false;
			break;
		case LCP_OPT_AUTH:
			ppp_end(fsm_link(f), PPP_R_AUTH_REFUSED);
			break;
		case LCP_OPT_MAGIC:
			l->want.magic = 0;
			break;
		case LCP_OPT_PFC:
			l->want.pfc = false;
			break;
		case LCP_OPT_ACFC:
			l->want.acfc = false;
			break;
		default:
			break;
		}
	}
	return true;
}
