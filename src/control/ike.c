/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* IKE_SAs, and which connection each stands for (E1, E4, E5). */
#include "control/ipsec_int.h"

#include <stdlib.h>
#include <string.h>

static uint32_t *bucket(const struct ctl *c, uint32_t id)
{
	return &c->ipsec->ikes[id % IKE_BUCKETS];
}

struct ike *ike_find(const struct ctl *c, uint32_t id)
{
	struct ike *e;

	REF_FOREACH (e, *bucket(c, id), next)
		if (e->id == id)
			return e;
	return NULL;
}

static void end(struct ike *e)
{
	struct ctl *c = e->ctl;

	/* Without a link nobody knows what became of the order: it is given again, and E1 not forgotten. */
	if (c->ipsec->link != LINK_UP)
		e->terminate = true;
	else
		ike_on_down(c, e->id);
}

static void end_no_more(struct ike *e)
{
	if (e->ending)
		ref_remove(&e->ctl->ipsec->ike_ending, e, IKE_END);
	e->ending = false;
}

static void arm_end(struct ctl *c)
{
	const struct ike *e = slab_at(c->ipsec->ike_ending.first);

	if (e != NULL)
		timer_set(c->timers, &c->ipsec->ike_end, e->end_ms);
}

/* All have the same time, so the list is in its order. */
static void end_later(struct ike *e)
{
	struct ctl *c = e->ctl;

	end_no_more(e);
	e->ending = true;
	e->end_ms = c->now_ms + TERMINATED_MS;
	ref_append(&c->ipsec->ike_ending, e, IKE_END);
	if (slab_at(c->ipsec->ike_ending.first) == e)
		arm_end(c);
}

void ike_end_due(struct timer *t, uint64_t now_ms)
{
	struct ipsec *p = timer_owner(t, struct ipsec, ike_end);
	struct ctl *c = p->ctl;
	struct ike *e = slab_at(p->ike_ending.first);

	c->now_ms = now_ms;
	if (e != NULL && e->end_ms <= now_ms) {
		end_no_more(e);
		end(e);
	}
	arm_end(c);
}

static struct ike *ike_new(struct ctl *c, uint32_t id, uint16_t worker)
{
	struct ike *e = c->ipsec->st.ike_now < IKE_MAX ? slab_get(&c->ipsec->ike_slab) : NULL;

	if (e == NULL)
		return NULL;
	e->ctl = c;
	e->id = id;
	e->worker = worker;
	ref_push(bucket(c, id), e, IKE_NEXT);
	c->ipsec->load[worker]++;
	c->ipsec->st.ike_sas++;
	c->ipsec->st.ike_now++;
	return e;
}

static void set_text(struct texts *set, const char **at, const char *text)
{
	const char *copy;

	if (*at != NULL && strcmp(*at, text) == 0)
		return;
	copy = texts_get(set, text, strlen(text));
	if (copy == NULL)
		return;
	texts_put(set, *at);
	*at = copy;
}

void ike_describe(const struct ike *e, struct conn *k)
{
	k->ike_id = e->id;
	k->ike_version = e->version;
	k->auth = e->auth;
	if (e->profile != NULL)
		set_text(e->ctl->ipsec->texts, &k->profile, e->profile);
	if (e->remote_id != NULL)
		set_text(e->ctl->ipsec->texts, &k->remote_id, e->remote_id);
}

/* What shows say of a connection: as its IKE_SA was last told of. */
static void learn(struct ike *e, const struct sslink_ike *info)
{
	struct conn *k;

	set_text(e->ctl->ipsec->texts, &e->profile, info->connection);
	set_text(e->ctl->ipsec->texts, &e->remote_id, info->remote_id);
	e->told = true;
	e->version = info->version;
	e->local = info->local.addr;
	if (info->auth != SSLINK_AUTH_UNKNOWN)
		e->auth = info->auth;
	REF_FOREACH (k, e->conns, ike_next)
		ike_describe(e, k);
}

struct ike *ike_get(struct ctl *c, const struct sslink_ike *info)
{
	struct ike *e = ike_find(c, info->id);

	if (e == NULL)
		e = ike_new(c, info->id, ctl_pick_worker(c));
	if (e != NULL)
		learn(e, info);
	return e;
}

void ike_free(struct ike *e)
{
	struct ctl *c = e->ctl;
	struct sa *sa;
	struct conn *k;

	while ((sa = slab_at(e->spis)) != NULL)
		sa_larval_free(sa);
	while ((k = slab_at(e->conns)) != NULL)
		ike_detach(k);
	end_no_more(e);
	ref_unlink(bucket(c, e->id), e, IKE_NEXT);
	c->ipsec->load[e->worker]--;
	c->ipsec->st.ike_now--;
	texts_put(c->ipsec->texts, e->profile);
	texts_put(c->ipsec->texts, e->remote_id);
	slab_put(&c->ipsec->ike_slab, e);
}

void ike_maybe_free(struct ike *e)
{
	if (!e->up && e->spis == 0 && e->conns == 0)
		ike_free(e);
}

const char *ike_objection(struct ctl *c, const struct ike *e)
{
	struct conn *k = e->conn;

	if (c->closing)
		return "shutting down";
	if (k == NULL || (!k->fired && !k->disconnecting && !k->down && !k->ending))
		return e->retired ? "adopted by another IKE_SA, or terminated" : NULL;
	c->ipsec->st.refused_latched++;
	conn_count(k, CONN_REFUSED_SAS);
	return k->fired ? "single-shot tunnel already fired" : "disconnecting";
}

struct conn *ike_conn(struct ike *e)
{
	struct ctl *c = e->ctl;
	struct conn *k = e->conn;

	if (k != NULL)
		return k;
	k = conn_make(c);
	if (k == NULL)
		return NULL;
	/* Who has no CHILD_SA before he is authenticated is up, be the news of that late or lost (E1). */
	e->up = true;
	k->worker = e->worker;
	c->ipsec->load[k->worker]++;
	ike_attach(e, k, true);
	return k;
}

void ike_attach(struct ike *e, struct conn *k, bool primary)
{
	if (k->ike != NULL)
		ike_detach(k);
	k->ike = e;
	ref_push(&e->conns, k, CONN_IKE);
	if (primary)
		e->conn = k;
	ike_describe(e, k);
}

void ike_detach(struct conn *k)
{
	struct ike *e = k->ike;

	if (e == NULL)
		return;
	ref_unlink(&k->ike->conns, k, CONN_IKE);
	k->ike = NULL;
	if (e->conn == k)
		e->conn = NULL;
}

/* Without waiting for the peer (E31), nor for charon: its SAs are gone here already. */
void ike_terminate(struct ike *e)
{
	struct ctl *c = e->ctl;
	struct sslink_msg m = {
	        .type = SSLINK_TERMINATE_IKE,
	        .terminate = {.ike_id = e->id, .force = true},
	};

	e->retired = true;
	e->terminate = c->ipsec->link != LINK_UP || !ipsec_send(c, &m);
	if (!e->terminate)
		end_later(e);
}

void ike_on_up(struct ctl *c, const struct sslink_ike *info)
{
	struct ike *e = info->id != 0 ? ike_get(c, info) : NULL;

	if (e == NULL)
		return;
	e->up = true;
	log_info(c->log, "event=ike-up ike=%u id=\"%s\" profile=%s version=%u", e->id,
	         info->remote_id, info->connection, info->version);
}

void ike_on_down(struct ctl *c, uint32_t id)
{
	struct ike *e = ike_find(c, id);
	struct conn *k;

	if (e == NULL)
		return;
	log_info(c->log, "event=ike-down ike=%u id=\"%s\"", e->id,
	         e->remote_id != NULL ? e->remote_id : "");
	while ((k = slab_at(e->conns)) != NULL) {
		if (k->down)
			ike_detach(k);
		else
			ctl_conn_closed(c, k->id, c->now_ms);
	}
	ike_free(e);
}

static void change_worker(struct ike *e, uint16_t worker)
{
	e->ctl->ipsec->load[e->worker]--;
	e->worker = worker;
	e->ctl->ipsec->load[worker]++;
}

/* The connection of an IKE_SA that has become another (E4). */
static void move_conns(struct ike *from, struct ike *to)
{
	struct conn *k = from->conn, *other = to->conn;

	if (other != NULL && other != k && (k != NULL || from->retired)) {
		/* One authentication, one connection: the elder one, be it gone already (E1). */
		conn_strip(to->ctl, other, true);
		ctl_conn_disconnect(to->ctl, other);
		to->conn = NULL;
	}
	if (k != NULL) {
		change_worker(to, k->worker);
		ike_attach(to, k, true);
	}
	while ((k = slab_at(from->conns)) != NULL)
		ike_attach(to, k, false);
}

void ike_on_rekey(struct ctl *c, uint32_t old_id, uint32_t new_id)
{
	struct ike *old = ike_find(c, old_id), *e = ike_find(c, new_id);
	struct conn *k;
	struct sa *sa;

	if (old == NULL || old_id == new_id || new_id == 0)
		return;
	c->ipsec->st.ike_rekeys++;
	if (old->conn != NULL)
		conn_count(old->conn, CONN_IKE_REKEYS);
	log_debug(c->log, "event=ike-rekey ike=%u new=%u", old_id, new_id);
	if (e == NULL) {
		ref_unlink(bucket(c, old_id), old, IKE_NEXT);
		old->id = new_id;
		ref_push(bucket(c, new_id), old, IKE_NEXT);
		REF_FOREACH (k, old->conns, ike_next)
			ike_describe(old, k);
		/* The order to terminate it has crossed this news, and found the old one only. */
		if (old->ending || old->terminate)
			ike_terminate(old);
		return;
	}
	e->up |= old->up;
	e->retired |= old->retired;
	move_conns(old, e);
	while ((sa = slab_at(old->spis)) != NULL) {
		old->spis = sa->next;
		ref_push(&e->spis, sa, SA_NEXT);
		sa->ike = e;
		e->n_spis++;
		old->n_spis--;
	}
	if (old->ending || old->terminate)
		ike_terminate(e);
	ike_free(old);
}

void ike_adopt(struct ike *e, struct conn *k)
{
	struct ctl *c = e->ctl;
	struct ike *old = k->ike;

	/*
	 * A main mode authenticates the peer; IKEv2 renews an IKE_SA without that. It counts for one
	 * connection: not when it has had one, and for one of several. And not before it is over: where charon
	 * renews, the news of the adoption come first.
	 */
	k->renewed = e->version == 1 && e->told && e->auth != SSLINK_AUTH_UNKNOWN &&
	             e->conn == NULL && !e->retired && !e->terminate && !e->ending;
	if (e->conn == NULL)
		change_worker(e, k->worker);
	ike_attach(e, k, e->conn == NULL);
	c->ipsec->st.orphans_now -= k->orphan;
	k->orphan = false;
	if (old != NULL)
		old->retired = true;
	c->ipsec->st.migrations++;
	conn_count(k, CONN_IKE_REKEYS);
	log_info(c->log, "event=ipsec-migrated conn=%lu old=%u ike=%u", k->id,
	         old != NULL ? old->id : 0, e->id);
}

void ipsec_began_anew(struct ctl *c, const struct conn *k)
{
	c->ipsec->st.ike_auths++;
	log_notice(c->log,
	           "event=ipsec-anew conn=%lu ike=%u text=\"the client has authenticated anew and "
	           "asks for a tunnel: what it had ends\"",
	           k->id, k->ike_id);
}

static void inherit(const struct ike *from, struct ike *to)
{
	to->version = from->version;
	to->auth = from->auth;
	to->local = from->local;
	if (from->profile != NULL)
		set_text(to->ctl->ipsec->texts, &to->profile, from->profile);
	if (from->remote_id != NULL)
		set_text(to->ctl->ipsec->texts, &to->remote_id, from->remote_id);
}

/* Of those that are not known the connection is no more: what was adopted is a husk. */
static void disown(struct ctl *c, const struct sslink_ike_rekey *m, const struct ike *e)
{
	for (uint16_t i = 0; i < m->n_spis && i < SSLINK_SPIS_MAX; i++) {
		struct sslink_msg gone = {
		        .type = SSLINK_DELETE_CHILD,
		        .sa_id = {.spi = m->spis[i], .inbound = true},
		};

		if (sa_find(c, m->spis[i], true, NULL) != NULL)
			continue;
		if (e != NULL)
			gone.sa_id.dst = e->local;
		ipsec_send(c, &gone);
	}
}

/* Who has adopted; made when nobody has told of it before. NULL: no memory. */
static struct ike *adopter(struct ctl *c, uint32_t id, const struct ike *old)
{
	struct ike *e = ike_find(c, id);

	if (e == NULL)
		e = ike_new(c, id, old != NULL ? old->worker : ctl_pick_worker(c));
	if (e == NULL)
		return NULL;
	e->up = true;
	if (old != NULL && e->profile == NULL)
		inherit(old, e);
	return e;
}

/* One connection of which children were adopted. */
static void adopted(struct ctl *c, const struct sslink_ike_rekey *m, struct conn *k)
{
	struct ike *e = NULL;

	if (k->down || k->ike_id == m->new_id)
		return;
	if (k->ike_id != m->old_id) {
		/* A replay has shown where it is now: this is what was before that. */
		c->ipsec->st.stale_migrations++;
		log_info(c->log, "event=ipsec-migrated-before conn=%lu old=%u new=%u ike=%u", k->id,
		         m->old_id, m->new_id, k->ike_id);
		return;
	}
	if (k->fired || k->disconnecting) {
		log_notice(c->log,
		           "event=ipsec-refused conn=%lu ike=%u reason=\"adopted children of a "
		           "fired connection\"",
		           k->id, m->new_id);
		conn_count(k, CONN_REFUSED_SAS);
		c->ipsec->st.refused_latched++;
	} else {
		e = adopter(c, m->new_id, ike_find(c, m->old_id));
	}
	/* Without memory for who has adopted them they end as well, and at charon: the old one goes soon. */
	if (e != NULL)
		ike_adopt(e, k);
	else
		conn_strip(c, k, true);
}

void ike_on_migrate(struct ctl *c, const struct sslink_ike_rekey *m)
{
	struct ike *old = ike_find(c, m->old_id), *e = ike_find(c, m->new_id);

	if (m->old_id == 0 || m->new_id == 0 || m->old_id == m->new_id)
		return;
	if (e != NULL)
		e->up = true;
	disown(c, m, e != NULL ? e : old);
	for (uint16_t i = 0; i < m->n_spis && i < SSLINK_SPIS_MAX; i++) {
		struct sa *sa = sa_find(c, m->spis[i], true, NULL);

		if (sa != NULL && sa->child != NULL)
			adopted(c, m, sa->child->conn);
	}
	/* All its children have left it, here or there: it gets no other (E4). */
	if (old != NULL)
		old->retired = true;
}

void ike_on_child_rekey(struct ctl *c, const struct sslink_child_rekey *m)
{
	struct sa *sa = sa_find(c, m->new_spi_in, true, NULL);

	c->ipsec->st.child_rekeys++;
	if (sa != NULL && sa->child != NULL)
		conn_count(sa->child->conn, CONN_REKEYS);
}
