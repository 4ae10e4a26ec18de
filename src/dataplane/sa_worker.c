/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Security associations: the worker's side. What control orders about them, and what they tell it. */
#include "dataplane/priv.h"

/* ---- limits ---- */

const struct sa_limits dp_sa_unlimited = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};

static uint64_t left(uint64_t limit, uint64_t used)
{
	return limit > used ? limit - used - 1 : 0;
}

void dp_sa_watch(struct sa *sa)
{
	const struct sa_cold *c = sa_cold(sa);
	bool soft = (c->said & 1u << DP_SA_SOFT) == 0;
	bool first = c->inbound && (c->said & 1u << DP_SA_FIRST) == 0;
	const struct sa_limits *l = sa_limits(sa);
	uint64_t packets = RTE_MIN(l->hard_packets, soft ? l->soft_packets : UINT64_MAX);
	uint64_t bytes = RTE_MIN(l->hard_bytes, soft ? l->soft_bytes : UINT64_MAX);
	uint64_t credit = RTE_MIN(left(packets, sa->packets), left(bytes, sa->bytes) >> 16);
	bool none = sa->takes == SA_TAKES_NONE || first;

	sa->credit = none ? 0 : (uint32_t)RTE_MIN(credit, (uint64_t)UINT32_MAX);
}

void dp_sa_expire(struct worker *w, struct sa *sa)
{
	sa->takes = SA_TAKES_NONE;
	dp_sa_watch(sa);
	dp_sa_event_once(w, sa, DP_SA_HARD);
}

void dp_sa_outer_set(struct sa *sa, const struct sa_outer *outer)
{
	if (sa->takes != SA_TAKES_NONE)
		sa->takes = outer->encap ? PKT_ENCAP : 0;
	if (sa_cold(sa)->inbound) {
		sa_cold(sa)->home = (uint64_t)outer->peer_ip << 16 | outer->peer_port;
		return;
	}
	memcpy(sa->out.tmpl, outer->tmpl, sizeof(outer->tmpl));
	sa->out.tmpl_len = outer->tmpl_len;
	/* The tail is at most padding, its length, the next header, and the ICV. */
	sa->out.around =
	        (uint8_t)(outer->tmpl_len + sa->head + sa->out.tail_max - (sa->out.block - 1 + 2));
}

/* ---- events ---- */

static bool event_put(struct worker *w, const struct sa *sa, enum dp_sa_event e)
{
	uint64_t what = sa_cold(sa)->id << SA_EVENT_BITS | e;

	if (!gcra_take(&w->punt_limit[DP_PUNT_SA], w->now) ||
	    rte_ring_sp_enqueue(w->punt[DP_PUNT_SA], (void *)(uintptr_t)what) != 0)
		return false;
	w->st.punt[DP_PUNT_SA]++;
	w->punted = true;
	return true;
}

static void raise_event(struct worker *w, struct sa *sa, enum dp_sa_event e)
{
	struct sa_cold *c = sa_cold(sa);

	if (event_put(w, sa, e))
		return;
	if (c->pending == 0) {
		c->next_event = w->sa_events;
		w->sa_events = sa;
	}
	c->pending |= (uint8_t)(1u << e);
}

void dp_sa_event_once(struct worker *w, struct sa *sa, enum dp_sa_event e)
{
	if (sa_cold(sa)->said & 1u << e)
		return;
	sa_cold(sa)->said |= (uint8_t)(1u << e);
	raise_event(w, sa, e);
}

void dp_sa_moved(struct worker *w, struct sa *sa, uint64_t mapping)
{
	__atomic_store_n(&sa_cold(sa)->mapping, mapping, __ATOMIC_RELEASE);
	if (mapping != 0)
		raise_event(w, sa, DP_SA_MAPPING);
}

void dp_sa_timer(struct worker *w)
{
	struct sa *sa = w->sa_events, *next;

	w->sa_events = NULL;
	for (; sa != NULL; sa = next) {
		uint8_t pending = sa_cold(sa)->pending;

		next = sa_cold(sa)->next_event;
		sa_cold(sa)->pending = 0;
		for (uint8_t e = 0; e <= DP_SA_FIRST; e++) {
			if (pending & 1u << e)
				raise_event(w, sa, (enum dp_sa_event)e);
		}
	}
}

static void events_forget(struct worker *w, const struct sa *sa)
{
	struct sa **at = &w->sa_events;

	if (sa_cold(sa)->pending == 0)
		return;
	while (*at != sa)
		at = &sa_cold(*at)->next_event;
	*at = sa_cold(sa)->next_event;
}

/* ---- what came to nothing ---- */

struct sa_drops *dp_sa_drops(struct worker *w, const struct sa *sa)
{
	struct sa_drops *d = &w->dp->sa_drops[spi_slot(esp_sa_spi(esp_of(sa)))];

	if (d->of != sa_cold(sa)->id) {
		*d = (struct sa_drops){0};
		__atomic_store_n(&d->of, sa_cold(sa)->id, __ATOMIC_RELEASE);
	}
	return d;
}

/* ---- which outbound SA a child uses ---- */

static void child_switch(struct dp *dp, struct child *c, struct sa *sa)
{
	dp->child_out[c - dp->child] = sa;
	c->out_peer_ip = sa != NULL ? sa_peer_ip(sa) : 0;
	c->out_tunnel_mode = sa != NULL && sa->tunnel_mode;
	__atomic_store_n(&c->out, sa, __ATOMIC_RELAXED);
}

static struct sa *by_id(struct sa *list, dp_sa_id id)
{
	while (list != NULL && sa_cold(list)->id != id)
		list = sa_cold(list)->next;
	return list;
}

/* The peer has shown that it has the new keys: our own packets change over. */
void dp_sa_first(struct worker *w, struct sa *sa)
{
	struct child *c = &w->dp->child[sa->in.child];

	for (struct sa *out = c->outs; out != NULL; out = sa_cold(out)->next) {
		if (sa_cold(out)->pair == sa_cold(sa)->id) {
			child_switch(w->dp, c, out);
			break;
		}
	}
	dp_sa_event_once(w, sa, DP_SA_FIRST);
}

/* ---- orders ---- */

static void add_in(struct worker *w, struct child *c, struct sa *sa)
{
	uint32_t spi = esp_sa_spi(esp_of(sa));

	sa_cold(sa)->next = c->ins;
	c->ins = sa;
	w->dp->spi[spi_slot(spi)].sa = sa;
	dp_esp_held_release(w, spi);
}

static void add_out(struct worker *w, struct child *c, struct sa *sa)
{
	const dp_sa_id pair = sa_cold(sa)->pair;
	const struct sa *in = pair != 0 ? by_id(c->ins, pair) : NULL;

	sa_cold(sa)->next = c->outs;
	c->outs = sa;
	if (c->out == NULL || (in != NULL && sa_cold(in)->said & 1u << DP_SA_FIRST))
		child_switch(w->dp, c, sa);
}

void dp_sa_order_add(struct worker *w, struct sa *sa)
{
	struct child *c = &w->dp->child[sa_cold(sa)->child];

	if (sa_cold(sa)->inbound)
		add_in(w, c, sa);
	else
		add_out(w, c, sa);
}

void dp_sa_order_update(struct worker *w, struct sa *sa, const struct sa_outer *outer)
{
	struct child *c = &w->dp->child[sa_cold(sa)->child];

	dp_sa_outer_set(sa, outer);
	if (c->out == sa)
		child_switch(w->dp, c, sa);
}

void dp_sa_order_use(struct worker *w, struct sa *sa)
{
	child_switch(w->dp, &w->dp->child[sa_cold(sa)->child], sa);
}

void dp_sa_order_del(struct worker *w, struct sa *sa)
{
	struct child *c = &w->dp->child[sa_cold(sa)->child];
	struct sa **at = sa_cold(sa)->inbound ? &c->ins : &c->outs;

	while (*at != sa)
		at = &sa_cold(*at)->next;
	*at = sa_cold(sa)->next;
	if (sa_cold(sa)->inbound)
		w->dp->spi[spi_slot(esp_sa_spi(esp_of(sa)))].sa = NULL;
	else if (c->out == sa)
		child_switch(w->dp, c, c->outs);
	events_forget(w, sa);
}
