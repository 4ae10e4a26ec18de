/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The charon of the simulation, which lives a life of its own, and its link to the daemon. */
#include "ipsec.h"

#include <CUnit/CUnit.h>
#include <stdlib.h>

/* Its answer. Workers that make one wait are given their time: charon waits, too. */
static uint8_t ask(struct world *w, struct sslink_msg *m)
{
	struct rig *r = w->r;
	uint8_t status = rig_ask(r, m);

	if (status != RIG_NONE || !w->linked)
		return status;
	r->hold_tickets = r->fifo_full = false;
	ctl_tick(r->ctl, r->now_ms);
	ctl_tick(r->ctl, r->now_ms);
	CU_ASSERT_TRUE(r->charon.answered || r->charon.stuck);
	return r->charon.answered ? r->charon.answer.status : RIG_NONE;
}

static struct sslink_ike ike_of(const struct peer *p)
{
	struct sslink_ike e = rig_ike(p->ike);

	e.version = p->v1 ? 1 : 2;
	return e;
}

static uint8_t add_sa(struct world *w, struct peer *p, const struct rig_pair *pair, bool inbound,
                      bool resync)
{
	struct sslink_msg m = rig_add_msg(pair, inbound);

	m.add_sa.ike = ike_of(p);
	m.add_sa.resync = resync;
	return ask(w, &m);
}

static void delete_sa(struct world *w, const struct rig_pair *pair, bool inbound)
{
	struct sslink_msg m = {
	        .type = SSLINK_DEL_SA,
	        .sa_id = {.spi = inbound ? pair->spi_in : pair->spi_out,
	                  .inbound = inbound,
	                  .dst = inbound ? ipaddr_v4(RIG_LNS) : pair->peer.addr},
	};

	ask(w, &m);
	/* Whatever it was known by it is gone: at once, or at the end of a replay that did not name it. */
	if (w->linked && !w->r->fifo_full && !rig_ipsec_stats(w->r).syncing) {
		CU_ASSERT_EQUAL(rig_sa_id(w->r, m.sa_id.spi, inbound), 0);
	}
}

void delete_pair(struct world *w, struct peer *p, unsigned i)
{
	struct rig_pair gone = p->pairs[i];

	p->pairs[i] = p->pairs[--p->n_pairs];
	delete_sa(w, &gone, false);
	delete_sa(w, &gone, true);
}

bool make_child(struct world *w, struct peer *p, uint16_t port)
{
	struct sslink_msg m = {
	        .type = SSLINK_GET_SPI,
	        .get_spi = {.src = ipaddr_v4(RIG_PEER), .dst = ipaddr_v4(RIG_LNS)},
	};
	struct rig_pair pair = {
	        .ike = p->ike, .spi_out = 0x10000 + ++w->next_out, .port = port, .peer = p->at};
	bool ok;

	if (p->n_pairs == PAIRS || p->ike == 0)
		return false;
	if (chance(w, 30))
		pair.life = (struct sslink_lifetime){.soft_s = 5 + pick(w, 40)};
	if (pair.life.soft_s != 0)
		pair.life.hard_s = pair.life.soft_s + 1 + pick(w, 20);
	m.get_spi.ike = ike_of(p);
	if (ask(w, &m) != SSLINK_OK)
		return false;
	pair.spi_in = w->r->charon.answer.spi;
	ok = !chance(w, 4) && add_sa(w, p, &pair, true, false) == SSLINK_OK && !chance(w, 4) &&
	     add_sa(w, p, &pair, false, false) == SSLINK_OK;
	if (!ok) {
		delete_sa(w, &pair, false);
		delete_sa(w, &pair, true);
		return false;
	}
	p->conn = rig_conn_of(w->r, pair.spi_in);
	p->pairs[p->n_pairs++] = pair;
	return true;
}

void connect_peer(struct world *w, struct peer *p)
{
	*p = (struct peer){
	        .ike = ++w->next_ike,
	        .v1 = chance(w, 40),
	        .std = !w->pure && chance(w, 40),
	        .port = chance(w, 50) ? 0 : 1701,
	        .at = {ipaddr_v4(RIG_PEER), 4500},
	};
	p->told = p->ike;
	w->auths++;
	say(w, "connect ike", p->ike);
	if (chance(w, 80)) {
		rig_ike_up(w->r, p->ike);
		make_child(w, p, p->port);
	} else { /* the child comes with the authentication, and is heard of first */
		make_child(w, p, p->port);
		rig_ike_up(w->r, p->ike);
	}
}

void end_ike(struct world *w, struct peer *p)
{
	uint32_t ike = p->ike;
	bool first = chance(w, 50);

	say(w, "ike down", ike);
	if (first)
		rig_ike_down(w->r, ike);
	while (p->n_pairs > 0)
		delete_pair(w, p, 0);
	if (!first)
		rig_ike_down(w->r, ike);
	p->ike = 0;
}

/*
 * Who has lost its children lives on for a while, but gets no other (E1, E4). One of which nothing was heard
 * in its time has had none, and may.
 */
static void ask_by_old(struct world *w, uint32_t ike)
{
	struct sslink_msg m = {
	        .type = SSLINK_GET_SPI,
	        .get_spi = {.ike = rig_ike(ike),
	                    .src = ipaddr_v4(RIG_PEER),
	                    .dst = ipaddr_v4(RIG_LNS)},
	};

	m.get_spi.ike.version = 1;
	CU_ASSERT_NOT_EQUAL(ask(w, &m), SSLINK_OK);
}

/* Each renewal by itself, as it was. Only of children that there are charon has anything to tell. */
static void tell_adoptions(struct world *w, struct peer *p)
{
	uint32_t spis[PAIRS], next;

	for (unsigned i = 0; i < p->n_pairs; i++)
		spis[i] = p->pairs[i].spi_in;
	for (unsigned i = 0; i < p->n_was; i++) {
		next = i + 1 < p->n_was ? p->was[i + 1] : p->ike;
		if (p->n_pairs > 0) {
			rig_migrate(w->r, p->was[i], next, spis, (uint16_t)p->n_pairs);
			if (i == 0)
				ask_by_old(w, p->was[i]);
		}
		rig_ike_down(w->r, p->was[i]);
	}
	p->n_was = 0;
	p->told = p->ike;
}

/* What was sent, and the link broke with it unread: the replay alone shows it. */
static void lose_adoptions(struct world *w, struct peer *p)
{
	struct rig *r = w->r;

	for (unsigned i = 0; i < p->n_pairs; i++)
		r->conn_renewals[rig_conn_of(r, p->pairs[i].spi_in) % RIG_CONNS]++;
	if (p->n_pairs == 0)
		p->n_was = 0;
	p->told = p->ike;
}

static void end_lost(struct world *w, struct peer *p)
{
	for (unsigned i = 0; i < p->n_was; i++) {
		if (i == 0 && p->n_pairs > 0)
			ask_by_old(w, p->was[i]);
		rig_ike_down(w->r, p->was[i]);
	}
	p->n_was = 0;
}

/* The IKE_SA goes on as another; what could not be told is told when there is a link again. */
static void tell_new_id(struct world *w, struct peer *p)
{
	for (unsigned i = 0; i < p->n_pairs; i++)
		p->pairs[i].ike = p->ike;
	if (!w->linked || p->told == p->ike)
		return;
	if (p->v1) {
		tell_adoptions(w, p);
		return;
	}
	rig_ike_rekey(w->r, p->told, p->ike);
	rig_ike_down(w->r, p->told);
	p->told = p->ike;
}

void renew_ike(struct world *w, struct peer *p)
{
	if (p->v1 && p->n_was < RENEWED)
		p->was[p->n_was++] = p->ike;
	p->ike = ++w->next_ike;
	w->auths += p->v1; /* a main mode of its own; IKEv2 rekeys on the old authentication */
	say(w, p->v1 ? "phase 1 renewed as" : "ike rekey to", p->ike);
	if (p->v1 || chance(w, 30))
		rig_ike_up(w->r, p->ike);
	tell_new_id(w, p);
}

void rekey_child(struct world *w, struct peer *p, unsigned i)
{
	struct sslink_msg m = {.type = SSLINK_CHILD_REKEY};
	struct rig_pair old = p->pairs[i];

	if (!make_child(w, p, old.port))
		return;
	say(w, "child rekey of ike", p->ike);
	m.child_rekey.ike_id = p->ike;
	m.child_rekey.old_spi_in = old.spi_in;
	m.child_rekey.new_spi_in = p->pairs[p->n_pairs - 1].spi_in;
	rig_tell(w->r, &m);
	if (chance(w, 70))
		delete_pair(w, p, i);
}

static struct peer *peer_of_spi(struct world *w, uint32_t spi_in, unsigned *at)
{
	for (struct peer *p = w->peers; p < w->peers + PEERS; p++)
		for (unsigned i = 0; i < p->n_pairs; i++)
			if (p->pairs[i].spi_in == spi_in) {
				*at = i;
				return p;
			}
	return NULL;
}

static void update_pair(struct world *w, const struct rig_pair *pair, const struct endpoint *was)
{
	struct endpoint us = {ipaddr_v4(RIG_LNS), 4500}, them = *was;
	const struct endpoint *to = &pair->peer;

	for (int inbound = 1; inbound >= 0; inbound--) {
		struct sslink_msg m = {.type = SSLINK_UPDATE_SA};
		bool there = rig_sa_id(w->r, inbound ? pair->spi_in : pair->spi_out, inbound) != 0;
		uint8_t status;

		m.update_sa = (struct sslink_update_sa){
		        .spi = inbound ? pair->spi_in : pair->spi_out,
		        .inbound = inbound,
		        .encap = true,
		        .src = inbound ? them : us,
		        .dst = inbound ? us : them,
		        .new_src = inbound ? *to : us,
		        .new_dst = inbound ? us : *to,
		};
		status = ask(w, &m);
		if (there && w->linked && !w->r->fifo_full) {
			CU_ASSERT_EQUAL(status, SSLINK_OK);
		}
	}
}

/* Without a link nobody hears of it. */
void move_peer(struct world *w, struct peer *p, const struct endpoint *to)
{
	struct endpoint was = p->at;

	say(w, "moves, ike", p->ike);
	p->at = *to;
	if (!w->linked && p->was_at.addr.family == 0)
		p->was_at = was;
	for (unsigned i = 0; i < p->n_pairs; i++) {
		p->pairs[i].peer = *to;
		if (w->linked)
			update_pair(w, &p->pairs[i], &was);
	}
}

void errand_free(struct errand *d)
{
	timer_cancel(&d->w->r->lac_timers, &d->timer);
	*d->at = d->next;
	if (d->next != NULL)
		d->next->at = d->at;
	free(d);
}

static void do_it(struct timer *t, uint64_t now_ms)
{
	struct errand *e = timer_owner(t, struct errand, timer), d = *e;
	struct world *w = d.w;
	struct peer *p;
	unsigned i = 0;

	(void)now_ms;
	errand_free(e);
	if (d.kind == TODO_END_IKE) {
		for (p = w->peers; p < w->peers + PEERS; p++)
			if (p->ike == d.what)
				end_ike(w, p);
		return;
	}
	p = peer_of_spi(w, d.what, &i);
	if (p == NULL)
		return;
	if (d.kind == TODO_DELETE)
		delete_pair(w, p, i);
	else if (d.kind == TODO_REKEY)
		rekey_child(w, p, i);
	else
		move_peer(w, p, &d.to);
}

static void plan(struct world *w, enum errand_kind kind, uint32_t what, const struct endpoint *to)
{
	struct errand *d = calloc(1, sizeof(*d));

	d->w = w;
	d->kind = kind;
	d->what = what;
	if (to != NULL)
		d->to = *to;
	d->next = w->errands;
	d->at = &w->errands;
	if (d->next != NULL)
		d->next->at = &d->next;
	w->errands = d;
	timer_init(&d->timer, do_it);
	timer_set(&w->r->lac_timers, &d->timer, w->r->now_ms + 1 + pick(w, 60));
}

void heard(struct rig *r, const struct sslink_msg *m)
{
	struct world *w = r->user;

	switch (m->type) {
	case SSLINK_TERMINATE_IKE:
		say(w, "told to terminate ike", m->terminate.ike_id);
		for (unsigned i = 0; i < w->n_terminated; i++)
			CU_ASSERT_NOT_EQUAL(w->terminated[i], m->terminate.ike_id);
		if (w->n_terminated < 256)
			w->terminated[w->n_terminated++] = m->terminate.ike_id;
		plan(w, TODO_END_IKE, m->terminate.ike_id, NULL);
		break;
	case SSLINK_DELETE_CHILD:
		plan(w, TODO_DELETE, m->sa_id.spi, NULL);
		break;
	case SSLINK_EXPIRE:
		if (m->expire.inbound)
			plan(w, m->expire.hard ? TODO_DELETE : TODO_REKEY, m->expire.spi, NULL);
		break;
	case SSLINK_MAPPING:
		plan(w, TODO_UPDATE, m->mapping.spi, &m->mapping.remote);
		break;
	default:
		break;
	}
}

/* ---- the link ---- */

void lose_link(struct world *w)
{
	say(w, "link lost", 0);
	ctl_ike_link_down(w->r->ctl, w->r->now_ms);
	w->linked = false;
	while (w->errands != NULL && chance(w, 80)) /* some had been read, some had not */
		errand_free(w->errands);
}

/* Both its SAs are here, of a connection of an IKE_SA that may go on: then the replay finds them. */
static bool is_whole(const struct world *w, const struct peer *p, const struct rig_pair *pair)
{
	const struct rig *r = w->r;
	const struct conn *k = ctl_conn(r->ctl, rig_conn_of(r, pair->spi_in));

	return !r->fifo_full && k != NULL && k->id != 0 && !k->fired && !k->disconnecting &&
	       !k->down && !k->ending && k->ike_id == p->told && !k->orphan &&
	       rig_sa_id(r, pair->spi_out, false) != 0;
}

/* As the plugin does: hello, its SAs, the end; what the daemon does not know is deleted. */
void find_link(struct world *w)
{
	say(w, "link found, instance", w->instance);
	w->linked = true;
	w->n_terminated = 0;
	rig_link_hello(w->r, w->instance);
	for (struct peer *p = w->peers; p < w->peers + PEERS; p++) {
		if (p->ike == 0 || p->told == p->ike)
			continue;
		if (!p->v1 || chance(w, 40))
			tell_new_id(w, p);
		else if (chance(w, 50))
			lose_adoptions(w, p);
	}
	for (struct peer *p = w->peers; p < w->peers + PEERS; p++)
		for (unsigned i = 0; i < p->n_pairs;) {
			bool whole = is_whole(w, p, &p->pairs[i]);
			bool in = add_sa(w, p, &p->pairs[i], true, true) == SSLINK_OK;
			bool out = add_sa(w, p, &p->pairs[i], false, true) == SSLINK_OK;

			CU_ASSERT(!whole || (in && out));

			if (in && out)
				i++;
			else
				delete_pair(w, p, i);
		}
	CU_ASSERT_EQUAL(rig_sync_end(w->r), SSLINK_OK);
	/* .. and what the replay has overtaken. */
	for (struct peer *p = w->peers; p < w->peers + PEERS; p++) {
		for (unsigned i = 0; p->was_at.addr.family != 0 && i < p->n_pairs; i++)
			if (chance(w, 50))
				update_pair(w, &p->pairs[i], &p->was_at);
		p->was_at = (struct endpoint){0};
	}
	for (struct peer *p = w->peers; p < w->peers + PEERS; p++)
		if (p->ike != 0 && p->told == p->ike)
			end_lost(w, p);
		else if (p->ike != 0)
			tell_new_id(w, p);
}

void restart_charon(struct world *w)
{
	say(w, "charon restarts", 0);
	if (w->linked)
		lose_link(w);
	while (w->errands != NULL)
		errand_free(w->errands);
	w->r->charon.n_ikes = 0;
	for (struct peer *p = w->peers; p < w->peers + PEERS; p++) {
		p->ike = 0;
		p->n_pairs = 0;
	}
	if (chance(w, 50))
		w->next_ike = 0; /* it counts anew */
	w->instance++;
}
