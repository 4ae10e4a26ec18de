/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * What has ended and is still there for a while. Each such time is the same for all, so whoever ended
 * first is first in its list, and a list needs one timer.
 */
#include "control/ctl_int.h"

#include <stddef.h>

#define AGAIN_MS 100 /* for workers that have not answered */

static uint64_t end_of(uint64_t begin_ms, uint32_t seconds)
{
	return begin_ms + (uint64_t)seconds * 1000;
}

/* ---- tunnels ---- */

uint64_t tunnel_destruct_ms(const struct tunnel *tn)
{
	return end_of(tn->gone_ms, tn->keep ? tunnel_ctl(tn)->conf->l2tp.destruct_timeout_s : 0);
}

static void arm_tunnel_record(struct ctl *c)
{
	const struct tunnel *tn = tunnel_at(c, c->dead_tunnels.first);

	if (tn != NULL)
		timer_set(c->timers, &c->tunnel_record, tunnel_destruct_ms(tn));
}

static void tunnel_record_due(struct timer *t, uint64_t now_ms)
{
	struct ctl *c = timer_owner(t, struct ctl, tunnel_record);
	struct tunnel *tn = tunnel_at(c, c->dead_tunnels.first);

	c->now_ms = now_ms;
	if (tn != NULL && tunnel_destruct_ms(tn) <= now_ms && !tunnel_record_free(tn))
		timer_set(c->timers, t, now_ms + AGAIN_MS);
	else
		arm_tunnel_record(c);
}

void tunnel_destruct(struct tunnel *tn)
{
	struct ctl *c = tunnel_ctl(tn);

	if (tn->keep)
		table_append(&c->tunnels, &c->dead_tunnels, tn, TUNNEL_DEAD);
	else
		table_prepend(&c->tunnels, &c->dead_tunnels, tn, TUNNEL_DEAD);
	if (tunnel_at(c, c->dead_tunnels.first) == tn)
		arm_tunnel_record(c);
}

/* ---- sessions ---- */

static void session_record_due(struct timer *t, uint64_t now_ms)
{
	struct ctl *c = timer_owner(t, struct ctl, session_record);
	struct session *s = session_at(c, c->dead_sessions.first);

	c->now_ms = now_ms;
	if (s != NULL && s->destruct_ms <= now_ms)
		session_record_free(s);
	s = session_at(c, c->dead_sessions.first);
	if (s != NULL)
		timer_set(c->timers, &c->session_record, s->destruct_ms);
}

void session_destruct(struct session *s)
{
	struct ctl *c = session_ctl(s);

	s->destruct_ms = end_of(c->now_ms, c->conf->l2tp.destruct_timeout_s);
	table_append(&c->sessions, &c->dead_sessions, s, offsetof(struct session, wait_link));
	if (session_at(c, c->dead_sessions.first) == s)
		timer_set(c->timers, &c->session_record, s->destruct_ms);
}

/* ---- ids of tunnels ---- */

#define LINGER_LINK offsetof(struct tunnel, linger_link)

static uint64_t linger_ms(const struct tunnel *tn)
{
	return end_of(tn->gone_ms, tunnel_ctl(tn)->conf->l2tp.linger_timeout_s);
}

/*
 * The engine acknowledges a repeated StopCCN for a while, so the workers' entry outlives the tunnel. A
 * new tunnel of another peer may have taken the id, and the entry with it.
 */
void tunnel_stop_lingering(struct tunnel *tn)
{
	struct ctl *c = tunnel_ctl(tn);

	if (!tn->lingers)
		return;
	tn->lingers = false;
	table_remove(&c->tunnels, &c->lingering, tn, LINGER_LINK);
	if (tunnel_of_id(c, tn->id) == NULL)
		dp_tunnel_del(c->dp, tn->id);
}

static void linger_due(struct timer *t, uint64_t now_ms)
{
	struct ctl *c = timer_owner(t, struct ctl, tunnel_linger);
	struct tunnel *tn = tunnel_at(c, c->lingering.first);

	if (tn != NULL && linger_ms(tn) <= now_ms)
		tunnel_stop_lingering(tn);
	tn = tunnel_at(c, c->lingering.first);
	if (tn != NULL)
		timer_set(c->timers, &c->tunnel_linger, linger_ms(tn));
}

void tunnel_linger(struct tunnel *tn)
{
	struct ctl *c = tunnel_ctl(tn);

	tn->lingers = true;
	table_append(&c->tunnels, &c->lingering, tn, LINGER_LINK);
	if (tunnel_at(c, c->lingering.first) == tn)
		timer_set(c->timers, &c->tunnel_linger, linger_ms(tn));
}

void records_init(struct ctl *c)
{
	timer_init(&c->tunnel_record, tunnel_record_due);
	timer_init(&c->session_record, session_record_due);
	timer_init(&c->tunnel_linger, linger_due);
}
