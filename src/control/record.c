/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * What has ended and is still there for a while. Each such time is the same for all, so whoever ended
 * first is first in its list, and a list needs one timer.
 */
#include "control/ctl_int.h"

#define AGAIN_MS 100 /* for workers that have not answered */

static uint64_t end_of(const struct ctl *c, uint32_t seconds)
{
	return c->now_ms + (uint64_t)seconds * 1000;
}

/* ---- tunnels ---- */

static void arm_tunnel_record(struct ctl *c)
{
	const struct tunnel *tn = TAILQ_FIRST(&c->dead_tunnels);

	if (tn != NULL)
		timer_set(c->timers, &c->tunnel_record, tn->destruct_ms);
}

static void tunnel_record_due(struct timer *t, uint64_t now_ms)
{
	struct ctl *c = timer_owner(t, struct ctl, tunnel_record);
	struct tunnel *tn = TAILQ_FIRST(&c->dead_tunnels);

	c->now_ms = now_ms;
	if (tn != NULL && tn->destruct_ms <= now_ms && !tunnel_record_free(tn))
		tn->destruct_ms = now_ms + AGAIN_MS;
	arm_tunnel_record(c);
}

void tunnel_destruct(struct tunnel *tn, bool keep)
{
	struct ctl *c = tn->ctl;

	tn->destruct_ms = keep ? end_of(c, c->conf->l2tp.destruct_timeout_s) : c->now_ms;
	if (keep)
		TAILQ_INSERT_TAIL(&c->dead_tunnels, tn, dead_link);
	else
		TAILQ_INSERT_HEAD(&c->dead_tunnels, tn, dead_link);
	if (TAILQ_FIRST(&c->dead_tunnels) == tn)
		arm_tunnel_record(c);
}

/* ---- sessions ---- */

static void session_record_due(struct timer *t, uint64_t now_ms)
{
	struct ctl *c = timer_owner(t, struct ctl, session_record);
	struct session *s = TAILQ_FIRST(&c->dead_sessions);

	c->now_ms = now_ms;
	if (s != NULL && s->destruct_ms <= now_ms)
		session_record_free(s);
	s = TAILQ_FIRST(&c->dead_sessions);
	if (s != NULL)
		timer_set(c->timers, &c->session_record, s->destruct_ms);
}

void session_destruct(struct session *s)
{
	struct ctl *c = s->tunnel->ctl;

	s->destruct_ms = end_of(c, c->conf->l2tp.destruct_timeout_s);
	TAILQ_INSERT_TAIL(&c->dead_sessions, s, wait_link);
	if (TAILQ_FIRST(&c->dead_sessions) == s)
		timer_set(c->timers, &c->session_record, s->destruct_ms);
}

/* ---- ids of tunnels ---- */

/*
 * The engine acknowledges a repeated StopCCN for a while, so the workers' entry outlives the tunnel. A
 * new tunnel of another peer may have taken the id, and the entry with it.
 */
void tunnel_stop_lingering(struct tunnel *tn)
{
	struct ctl *c = tn->ctl;

	if (!tn->lingers)
		return;
	tn->lingers = false;
	TAILQ_REMOVE(&c->lingering, tn, linger_link);
	if (c->tunnel_of_id[tn->id] == NULL)
		dp_tunnel_del(c->dp, tn->id);
}

static void linger_due(struct timer *t, uint64_t now_ms)
{
	struct ctl *c = timer_owner(t, struct ctl, tunnel_linger);
	struct tunnel *tn = TAILQ_FIRST(&c->lingering);

	if (tn != NULL && tn->linger_ms <= now_ms)
		tunnel_stop_lingering(tn);
	tn = TAILQ_FIRST(&c->lingering);
	if (tn != NULL)
		timer_set(c->timers, &c->tunnel_linger, tn->linger_ms);
}

void tunnel_linger(struct tunnel *tn)
{
	struct ctl *c = tn->ctl;

	tn->lingers = true;
	tn->linger_ms = end_of(c, c->conf->l2tp.linger_timeout_s);
	TAILQ_INSERT_TAIL(&c->lingering, tn, linger_link);
	if (TAILQ_FIRST(&c->lingering) == tn)
		timer_set(c->timers, &c->tunnel_linger, tn->linger_ms);
}

void records_init(struct ctl *c)
{
	TAILQ_INIT(&c->dead_tunnels);
	TAILQ_INIT(&c->dead_sessions);
	TAILQ_INIT(&c->lingering);
	timer_init(&c->tunnel_record, tunnel_record_due);
	timer_init(&c->session_record, session_record_due);
	timer_init(&c->tunnel_linger, linger_due);
}
