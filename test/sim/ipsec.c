/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * test_ipsec_seeds [-s SEED] [-n COUNT] [-v]: worlds of control, a charon that lives its own life, a
 * link between them that breaks, and clients that dial, guess and misbehave over a bad network. What
 * must never be is asserted by the rig at each order to the data plane, and here after each step.
 */
#include "control/rig_ipsec.h"

#include <CUnit/Basic.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEERS    6
#define PAIRS    4
#define OBJECTS  64
#define FIRST_ID 1

/* A client's IPsec, as charon has it. */
struct peer {
	uint32_t ike; /* 0: none */
	uint32_t told; /* .. by which id the daemon knows it */
	uint64_t conn; /* where its packets arrive */
	bool v1, std;
	uint16_t port;
	unsigned n_pairs;
	struct rig_pair pairs[PAIRS];
};

enum todo_kind { TODO_END_IKE, TODO_DELETE, TODO_REKEY, TODO_UPDATE };

/* What charon will do in a moment, because the daemon asked for it. */
struct todo {
	struct world *w;
	enum todo_kind kind;
	uint32_t what; /* IKE_SA or inbound SPI */
	struct endpoint to;
	struct timer timer;
	struct todo *next, **at;
};

struct world {
	struct rig *r;
	uint64_t seed, random;
	bool verbose, linked, calm;
	struct peer peers[PEERS];
	struct todo *todos;
	struct lac_tunnel *tunnels[OBJECTS];
	struct lac_session *sessions[OBJECTS];
	unsigned n_tunnels, n_sessions;
	uint32_t next_ike, next_out;
	uint32_t terminated[256]; /* on this link */
	unsigned n_terminated;
	bool pure; /* single-shot hosts only */
	uint64_t auths; /* of IKE, as charon did them */
	uint64_t instance;
};

struct totals {
	uint64_t conns, fired, signals, ppp_auths, forwarded, orphans, migrations, losses, rekeys;
};

static struct options {
	uint64_t seed, count;
	bool verbose;
} options = {.seed = 1, .count = 1000};

static uint32_t pick(struct world *w, uint32_t below)
{
	uint64_t z = (w->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return (uint32_t)((z >> 32) * below >> 32);
}

static bool chance(struct world *w, uint32_t percent)
{
	return pick(w, 100) < percent;
}

static void say(struct world *w, const char *what, uint64_t n)
{
	if (w->verbose)
		fprintf(stderr, "%10.3f %s %lu\n", (double)w->r->now_ms / 1000, what, n);
}

/* ---- charon ---- */

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

static void delete_sa(struct world *w, uint32_t spi, bool inbound)
{
	struct sslink_msg m = {
	        .type = SSLINK_DEL_SA,
	        .sa_id = {.spi = spi,
	                  .inbound = inbound,
	                  .dst = ipaddr_v4(inbound ? RIG_LNS : RIG_PEER)},
	};

	ask(w, &m);
}

static void delete_pair(struct world *w, struct peer *p, unsigned i)
{
	struct rig_pair gone = p->pairs[i];

	p->pairs[i] = p->pairs[--p->n_pairs];
	delete_sa(w, gone.spi_out, false);
	delete_sa(w, gone.spi_in, true);
}

static bool make_child(struct world *w, struct peer *p, uint16_t port)
{
	struct sslink_msg m = {
	        .type = SSLINK_GET_SPI,
	        .get_spi = {.src = ipaddr_v4(RIG_PEER), .dst = ipaddr_v4(RIG_LNS)},
	};
	struct rig_pair pair = {.ike = p->ike, .spi_out = 0x10000 + ++w->next_out, .port = port};
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
		delete_sa(w, pair.spi_out, false);
		delete_sa(w, pair.spi_in, true);
		return false;
	}
	p->conn = rig_conn_of(w->r, pair.spi_in);
	p->pairs[p->n_pairs++] = pair;
	return true;
}

static void connect_peer(struct world *w, struct peer *p)
{
	*p = (struct peer){
	        .ike = ++w->next_ike,
	        .v1 = chance(w, 40),
	        .std = !w->pure && chance(w, 40),
	        .port = chance(w, 50) ? 0 : 1701,
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

static void end_ike(struct world *w, struct peer *p)
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

/* The IKE_SA goes on as another; what could not be told is told when there is a link again. */
static void tell_new_id(struct world *w, struct peer *p)
{
	uint32_t spis[PAIRS];

	for (unsigned i = 0; i < p->n_pairs; i++) {
		spis[i] = p->pairs[i].spi_in;
		p->pairs[i].ike = p->ike;
	}
	if (!w->linked || p->told == p->ike)
		return;
	if (p->v1)
		rig_migrate(w->r, p->told, p->ike, spis, (uint16_t)p->n_pairs);
	else
		rig_ike_rekey(w->r, p->told, p->ike);
	rig_ike_down(w->r, p->told);
	p->told = p->ike;
}

static void renew_ike(struct world *w, struct peer *p)
{
	p->ike = ++w->next_ike;
	w->auths += p->v1; /* a main mode of its own; IKEv2 rekeys on the old authentication */
	say(w, p->v1 ? "phase 1 renewed as" : "ike rekey to", p->ike);
	if (p->v1 || chance(w, 30))
		rig_ike_up(w->r, p->ike);
	tell_new_id(w, p);
}

/* Make before break. */
static void rekey_child(struct world *w, struct peer *p, unsigned i)
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

static void update_pair(struct world *w, const struct rig_pair *pair, const struct endpoint *to)
{
	struct endpoint us = {ipaddr_v4(RIG_LNS), 4500}, them = {ipaddr_v4(RIG_PEER), 4500};

	for (int inbound = 0; inbound < 2; inbound++) {
		struct sslink_msg m = {.type = SSLINK_UPDATE_SA};

		m.update_sa = (struct sslink_update_sa){
		        .spi = inbound ? pair->spi_in : pair->spi_out,
		        .inbound = inbound,
		        .encap = true,
		        .src = inbound ? them : us,
		        .dst = inbound ? us : them,
		        .new_src = inbound ? *to : us,
		        .new_dst = inbound ? us : *to,
		};
		ask(w, &m);
	}
}

static void todo_free(struct todo *d)
{
	timer_cancel(&d->w->r->lac_timers, &d->timer);
	*d->at = d->next;
	if (d->next != NULL)
		d->next->at = d->at;
	free(d);
}

static void do_it(struct timer *t, void *arg, uint64_t now_ms)
{
	struct todo d = *(struct todo *)arg;
	struct world *w = d.w;
	struct peer *p;
	unsigned i = 0;

	(void)t;
	(void)now_ms;
	todo_free(arg);
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
		update_pair(w, &p->pairs[i], &d.to);
}

static void plan(struct world *w, enum todo_kind kind, uint32_t what, const struct endpoint *to)
{
	struct todo *d = calloc(1, sizeof(*d));

	d->w = w;
	d->kind = kind;
	d->what = what;
	if (to != NULL)
		d->to = *to;
	d->next = w->todos;
	d->at = &w->todos;
	if (d->next != NULL)
		d->next->at = &d->next;
	w->todos = d;
	timer_init(&d->timer, do_it, d);
	timer_set(&w->r->lac_timers, &d->timer, w->r->now_ms + 1 + pick(w, 60));
}

/* The daemon has said something. E18: to end an IKE_SA once, on one link. */
static void heard(struct rig *r, const struct sslink_msg *m)
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

static void lose_link(struct world *w)
{
	say(w, "link lost", 0);
	ctl_ike_link_down(w->r->ctl, w->r->now_ms);
	w->linked = false;
	while (w->todos != NULL && chance(w, 80)) /* some had been read, some had not */
		todo_free(w->todos);
}

/* As the plugin does: hello, its SAs, the end; what the daemon does not know is deleted. */
static void find_link(struct world *w)
{
	say(w, "link found, instance", w->instance);
	w->linked = true;
	w->n_terminated = 0;
	rig_link_hello(w->r, w->instance);
	for (struct peer *p = w->peers; p < w->peers + PEERS; p++)
		if (p->ike != 0)
			tell_new_id(w, p);
	for (struct peer *p = w->peers; p < w->peers + PEERS; p++)
		for (unsigned i = 0; i < p->n_pairs;) {
			bool in = add_sa(w, p, &p->pairs[i], true, true) == SSLINK_OK;
			bool out = add_sa(w, p, &p->pairs[i], false, true) == SSLINK_OK;

			if (in && out)
				i++;
			else
				delete_pair(w, p, i);
		}
	CU_ASSERT_EQUAL(rig_sync_end(w->r), SSLINK_OK);
}

static void restart_charon(struct world *w)
{
	say(w, "charon restarts", 0);
	if (w->linked)
		lose_link(w);
	while (w->todos != NULL)
		todo_free(w->todos);
	w->r->charon.n_ikes = 0;
	for (struct peer *p = w->peers; p < w->peers + PEERS; p++) {
		p->ike = 0;
		p->n_pairs = 0;
	}
	if (chance(w, 50))
		w->next_ike = 0; /* it counts anew */
	w->instance++;
}

/* ---- clients ---- */

static void remove_tunnel(struct world *w, const struct lac_tunnel *t)
{
	for (unsigned i = 0; i < w->n_tunnels; i++)
		if (w->tunnels[i] == t)
			w->tunnels[i] = w->tunnels[--w->n_tunnels];
}

static void lac_event(struct rig *r, enum lac_event ev, struct lac_tunnel *t, struct lac_session *s)
{
	struct world *w = r->user;

	if (ev == LAC_TUNNEL_GONE)
		remove_tunnel(w, t);
	if (ev == LAC_CALL_UP && w->n_sessions < OBJECTS)
		w->sessions[w->n_sessions++] = s;
	if (ev == LAC_SESSION_GONE)
		for (unsigned i = 0; i < w->n_sessions; i++)
			if (w->sessions[i] == s)
				w->sessions[i] = w->sessions[--w->n_sessions];
}

static void dial(struct world *w, const struct peer *p)
{
	static const char *const names[] = {"ss-ipsec", "ss", "std-ipsec", "std"};
	const char *host = names[2 * p->std + chance(w, 20)];
	struct lac_tunnel *t;

	if (p->conn == 0 || w->n_tunnels == OBJECTS)
		return;
	if (!w->pure && chance(w, 10))
		host = names[pick(w, 4)];
	if (chance(w, 3))
		host = "nobody";
	t = rig_dial(w->r, host, p->port != 0 ? p->port : (uint16_t)(1701 + pick(w, 2)), p->conn,
	             pick(w, 3) != 0 ? 1 : pick(w, 4), chance(w, 60) ? "pass1" : "wrong");
	say(w, "dial on conn", p->conn);
	if (t != NULL)
		w->tunnels[w->n_tunnels++] = t;
}

/* Every session's user goes on sending, whatever becomes of the session meanwhile. */
static void traffic(struct world *w)
{
	static const uint8_t ip[40] = {0x45, 0, 0, 40};

	for (unsigned i = 0; i < w->n_sessions; i++)
		lac_send_ip(w->sessions[i], ip, sizeof(ip));
}

static void client_acts(struct world *w)
{
	if (w->n_sessions > 0 && chance(w, 30)) {
		struct lac_session *s = w->sessions[pick(w, w->n_sessions)];

		if (chance(w, 50))
			lac_hangup(s, w->r->now_ms);
		else
			lac_drop(s, w->r->now_ms);
	} else if (w->n_tunnels > 0) {
		struct lac_tunnel *t = w->tunnels[pick(w, w->n_tunnels)];

		if (chance(w, 60))
			lac_call(t, "user2", chance(w, 50) ? "pass2" : "wrong", w->r->now_ms);
		else
			lac_close(t, w->r->now_ms);
	}
}

/* ---- the operator, the workers, the network ---- */

static void operator_acts(struct world *w)
{
	struct ctl *c = w->r->ctl;
	uint64_t conns = rig_ipsec_stats(w->r).conns_total;
	struct ctl_session_view s;
	uint32_t cursor = 0;

	if (chance(w, 40) && conns > 0) {
		uint64_t id = 1 + pick(w, (uint32_t)conns);

		say(w, "clear conn", id);
		ctl_clear_conn(c, id, w->r->now_ms);
	} else if (ctl_session_next(c, &cursor, w->r->now_ms, &s)) {
		if (chance(w, 50))
			ctl_clear_session(c, s.id, w->r->now_ms);
		else
			ctl_clear_tunnel(c, s.tunnel_id, w->r->now_ms);
	}
}

static void worker_acts(struct world *w, struct peer *p)
{
	struct endpoint to = {ipaddr_v4(RIG_PEER), (uint16_t)(4500 + pick(w, 9))};
	struct rig_pair *pair;
	uint32_t what = pick(w, 6);

	if (what == 0)
		w->r->hold_tickets = !w->r->hold_tickets;
	if (what == 1)
		w->r->fifo_full = !w->r->fifo_full;
	if (what < 2 || p->n_pairs == 0)
		return;
	pair = &p->pairs[pick(w, p->n_pairs)];
	if (what == 2)
		rig_sa_event(w->r, pair->spi_in, true, DP_SA_MAPPING, &to);
	else if (what == 3)
		rig_sa_event(w->r, pair->spi_out, false, DP_SA_SOFT, NULL);
	else if (what == 4)
		rig_sa_event(w->r, pair->spi_in, true, DP_SA_SOFT, NULL);
	else
		rig_sa_event(w->r, pair->spi_in, chance(w, 50), DP_SA_HARD, NULL);
}

static void charon_acts(struct world *w, struct peer *p)
{
	switch (pick(w, 8)) {
	case 0:
		end_ike(w, p);
		break;
	case 1:
		if (p->n_pairs > 0)
			delete_pair(w, p, pick(w, p->n_pairs));
		break;
	case 2:
	case 3:
		renew_ike(w, p);
		break;
	case 4:
		make_child(w, p, (uint16_t)(1701 + pick(w, 3)));
		break;
	default:
		if (p->n_pairs > 0)
			rekey_child(w, p, pick(w, p->n_pairs));
		break;
	}
}

static void link_acts(struct world *w)
{
	if (!w->linked)
		find_link(w);
	else if (chance(w, 50))
		lose_link(w);
	else
		restart_charon(w);
}

static void act(struct world *w)
{
	struct peer *p = &w->peers[pick(w, PEERS)];
	uint32_t what = pick(w, 100);

	if (p->ike == 0 && what < 50)
		connect_peer(w, p);
	else if (what < 35)
		dial(w, p);
	else if (what < 65)
		client_acts(w);
	else if (what < 80 && p->ike != 0)
		charon_acts(w, p);
	else if (what < 86)
		worker_acts(w, p);
	else if (what < 90)
		operator_acts(w);
	else if (what < 94)
		link_acts(w);
	else if (what < 96)
		w->r->cut = !w->r->cut;
}

/* ---- what must hold ---- */

/* settled: control has had its turn since the workers had room. */
static void check_conn(struct world *w, const struct conn *k, bool settled)
{
	const struct rig *r = w->r;

	if (k->used_by_single_shot)
		CU_ASSERT_TRUE(k->tunnels + k->records <= 1);
	if (k->fired && k->tunnels == 0) {
		CU_ASSERT_TRUE(k->disconnecting || k->down);
	}
	for (uint32_t i = 1, n = r->n_children; n > 0 && i < RIG_CHILDREN; i++) {
		n -= r->child[i].used;
		if (!r->child[i].used || r->child[i].c.conn != k->id)
			continue;
		CU_ASSERT_TRUE(!k->fired || r->child[i].latched);
		if (k->disconnecting && settled && !r->fifo_full)
			CU_ASSERT_EQUAL(r->child[i].n_in + r->child[i].n_out, 0);
	}
}

static void check(struct world *w, bool settled)
{
	struct ctl_ipsec_stats st = rig_ipsec_stats(w->r);
	struct ctl_stats ctl;

	for (uint64_t id = 1; id <= st.conns_total; id++) {
		const struct conn *k = ctl_conn(w->r->ctl, id);

		if (k != NULL)
			check_conn(w, k, settled);
	}
	ctl_stats_get(w->r->ctl, &ctl);
	CU_ASSERT_EQUAL(st.link_up, w->linked);
	if (w->pure)
		CU_ASSERT_TRUE(ctl.ppp_auths <= w->auths);
	CU_ASSERT_TRUE(st.ike_auths <= w->auths);
	CU_ASSERT_EQUAL(st.bad_messages, 0);
}

static void begin(struct world *w, uint64_t seed)
{
	static const uint32_t losses[] = {0, 0, 5, 20, 40};
	struct rig *r = w->r = rig_new();

	w->seed = w->random = seed;
	w->verbose = options.verbose;
	w->pure = chance(w, 60);
	w->instance = 1;
	r->seed ^= seed * 2654435761u;
	r->user = w;
	r->on_lac = lac_event;
	r->charon.hook = heard;
	r->loss_percent = losses[pick(w, 5)];
	r->dup_percent = chance(w, 50) ? pick(w, 25) : 0;
	r->jitter_ms = chance(w, 50) ? 1 + pick(w, 400) : 0;
	r->pool.last = ipaddr_v4(ipaddr_to_v4(&r->pool.first) + 99);
	r->conf.l2tp.idle_timeout_s = 5 + pick(w, 60);
	r->conf.l2tp.destruct_timeout_s = 10 + pick(w, 60);
	r->conf.l2tp.first_session_timeout_s = 10 + pick(w, 20);
	r->conf.l2tp.hello_interval_s = 10;
	if (options.verbose)
		r->log = (struct log){.level = LOG_LVL_INFO, .sink = log_sink_stderr};
	rig_start(r);
	find_link(w);
}

static void count(struct world *w, struct totals *t)
{
	struct ctl_ipsec_stats st = rig_ipsec_stats(w->r);
	struct ctl_stats ctl;

	ctl_stats_get(w->r->ctl, &ctl);
	t->conns += st.conns_total;
	t->signals += st.disconnects;
	t->orphans += st.orphans;
	t->migrations += st.migrations;
	t->losses += st.link_losses;
	t->rekeys += st.child_rekeys + st.ike_rekeys;
	t->ppp_auths += ctl.ppp_auths;
	t->forwarded += w->r->forwarded;
	for (int i = 0; i < SS_REASON_MAX; i++)
		t->fired += ctl.ss_fired[i];
}

static void world(uint64_t seed, struct totals *t)
{
	struct world w = {0};
	struct rig *r;
	unsigned steps;

	begin(&w, seed);
	r = w.r;
	steps = 20 + pick(&w, 80);
	while (steps-- > 0) {
		act(&w);
		traffic(&w);
		check(&w, false);
		rig_run(r, pick(&w, chance(&w, 10) ? 8000 : 300));
		check(&w, true);
	}
	/* Calm: everything comes to an end, and rig_free looks for what is left. */
	r->loss_percent = r->dup_percent = r->jitter_ms = 0;
	r->cut = r->hold_tickets = r->fifo_full = false;
	if (!w.linked)
		find_link(&w);
	rig_run(r, 2000);
	check(&w, true);
	count(&w, t);
	while (w.todos != NULL)
		todo_free(w.todos);
	r->on_lac = NULL;
	r->charon.hook = NULL;
	rig_free(r);
}

static void test_seeds(void)
{
	struct totals t = {0};
	uint64_t failed = 0;

	for (uint64_t i = 0; i < options.count && failed < 5; i++) {
		unsigned before = CU_get_run_summary()->nAssertsFailed;

		world(options.seed + i, &t);
		if (CU_get_run_summary()->nAssertsFailed == before)
			continue;
		failed++;
		printf("seed %lu failed; again with: test_ipsec_seeds -s %lu -n 1 -v\n",
		       options.seed + i, options.seed + i);
	}
	printf("%lu seeds from %lu: %lu failed; %lu connections, %lu fired, %lu disconnect "
	       "signals, "
	       "%lu PPP authentications, %lu packets forwarded, %lu rekeys, %lu adopted, %lu links "
	       "lost, %lu orphans\n",
	       options.count, options.seed, failed, t.conns, t.fired, t.signals, t.ppp_auths,
	       t.forwarded, t.rekeys, t.migrations, t.losses, t.orphans);
	/* A world where nothing happens proves nothing. */
	if (options.count >= 1000) {
		CU_ASSERT_TRUE(t.fired > options.count);
		CU_ASSERT_TRUE(t.forwarded > options.count);
		CU_ASSERT_TRUE(t.orphans > 0 && t.migrations > 0 && t.rekeys > options.count);
	}
}

int main(int argc, char **argv)
{
	CU_pSuite s;
	unsigned failures;
	int opt;

	while ((opt = getopt(argc, argv, "s:n:v")) != -1) {
		if (opt == 's')
			options.seed = strtoull(optarg, NULL, 0);
		else if (opt == 'n')
			options.count = strtoull(optarg, NULL, 0);
		else if (opt == 'v')
			options.verbose = true;
		else
			return 2;
	}
	/* The tables of a world are large and mostly stay zero: the kernel's zero pages, no memset. */
	mallopt(M_MMAP_THRESHOLD, 1 << 17);
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 2;
	s = CU_add_suite("ipsec", NULL, NULL);
	CU_add_test(s, "seeds", test_seeds);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
