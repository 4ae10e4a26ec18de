/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * What a link waits for. Of six things it is three at a time at most that it waits for, and at rest one: they
 * share one timer, which is set to the first of them.
 */
#include "ppp/ppp_int.h"

#define WEEK_MS (7u * 24 * 3600 * 1000) /* due has 32 bits: 49 days */

/* Those that share a place exclude each other: the one that is waited for last counts. */
static const uint8_t place[PPP_W_MAX] = {
        [PPP_W_LCP] = 0,    [PPP_W_IPCP] = 0, /* LCP is Opened meanwhile */
        [PPP_W_RESEND] = 0, /* .. and IPCP is not up yet */
        [PPP_W_AUTH] = 1,   [PPP_W_NCP] = 1, /* authentication is over */
        [PPP_W_ECHO] = 2,
};

static uint32_t due(const struct ppp *p, enum ppp_wait what)
{
	return p->due[place[what]];
}

/* Until it is due, seen from the link's own time; none in what is over. */
static uint64_t left(const struct ppp *p, enum ppp_wait what)
{
	int32_t ms = (int32_t)(due(p, what) - (uint32_t)p->run->now);

	return ms > 0 ? (uint64_t)ms : 0;
}

/* The first one; of those due at once the first of the list. PPP_W_MAX: none. */
static enum ppp_wait first(const struct ppp *p)
{
	enum ppp_wait found = PPP_W_MAX;

	for (enum ppp_wait i = 0; i < PPP_W_MAX; i++)
		if ((p->waits >> i & 1) != 0 &&
		    (found == PPP_W_MAX || (int32_t)(due(p, i) - due(p, found)) < 0))
			found = i;
	return found;
}

static void arm(struct ppp *p)
{
	enum ppp_wait what = first(p);
	uint64_t at;

	if (what == PPP_W_MAX) {
		timer_cancel(p->conf->timers, &p->timer);
		return;
	}
	at = p->run->now + left(p, what);
	if (!p->timer.queued || p->timer.at_ms != at)
		timer_set(p->conf->timers, &p->timer, at);
}

static void run(struct ppp *p, enum ppp_wait what)
{
	switch (what) {
	case PPP_W_LCP:
		fsm_restart(&p->lcp.fsm);
		break;
	case PPP_W_IPCP:
		fsm_restart(&p->ipcp.fsm);
		break;
	case PPP_W_RESEND:
		auth_resend(p);
		break;
	case PPP_W_AUTH:
		ppp_end(p, PPP_R_AUTH_TIMEOUT);
		break;
	case PPP_W_NCP:
		ppp_end(p, PPP_R_NCP_TIMEOUT);
		break;
	case PPP_W_ECHO:
		lcp_echo_tick(p);
		break;
	case PPP_W_MAX:
		break;
	}
}

/* One thing a time: what else is due comes with the timer that is set for it. */
static void on_timer(struct timer *t, uint64_t now_ms)
{
	struct ppp *p = timer_owner(t, struct ppp, timer);
	enum ppp_wait what = first(p);
	struct ppp_run own;

	if (what == PPP_W_MAX || !ppp_enter(p, &own, now_ms))
		return;
	p->waits &= (uint8_t) ~(1u << what);
	arm(p);
	run(p, what);
	ppp_leave(p);
}

void ppp_timers_init(struct ppp *p)
{
	timer_init(&p->timer, on_timer);
}

void ppp_wait(struct ppp *p, enum ppp_wait what, uint32_t ms)
{
	for (enum ppp_wait i = 0; i < PPP_W_MAX; i++)
		if (place[i] == place[what])
			p->waits &= (uint8_t) ~(1u << i);
	p->due[place[what]] = (uint32_t)p->run->now + (ms < WEEK_MS ? ms : WEEK_MS);
	p->waits |= (uint8_t)(1u << what);
	arm(p);
}

void ppp_wait_no_more(struct ppp *p, enum ppp_wait what)
{
	if ((p->waits >> what & 1) == 0)
		return;
	p->waits &= (uint8_t) ~(1u << what);
	arm(p);
}

void ppp_timers_stop(struct ppp *p)
{
	p->waits = 0;
	timer_cancel(p->conf->timers, &p->timer);
}
