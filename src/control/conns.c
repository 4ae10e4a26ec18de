/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The connections: their table, the events of their latch, and their end. */
#include "control/ipsec_int.h"

#include <stdlib.h>
#include <string.h>

int conns_init(struct conns *t)
{
	slab_init(&t->slab, sizeof(struct conn));
	t->bucket = calloc(CONN_BUCKETS, sizeof(*t->bucket));
	t->slot = calloc(CONN_SLOTS, sizeof(*t->slot));
	t->free_slot = calloc(CONN_SLOTS, sizeof(*t->free_slot));
	return t->bucket == NULL || t->slot == NULL || t->free_slot == NULL ? -1 : 0;
}

static void conn_free(struct ctl *c, struct conn *k)
{
	texts_put(c->ipsec->texts, k->profile);
	texts_put(c->ipsec->texts, k->remote_id);
	conn_fini(k);
	slab_put(&c->conns.slab, k);
}

void conns_fini(struct ctl *c)
{
	struct conns *t = &c->conns;

	for (uint32_t i = 0; t->slot != NULL && i < t->n_slots; i++) {
		struct conn *k = t->slot[i];
		struct child *ch;

		if (k == NULL)
			continue;
		while ((ch = slab_at(k->children.first)) != NULL) {
			struct sa *sa;

			while ((sa = slab_at(ch->sas)) != NULL) {
				sa_leave_child(sa);
				sa_free(c, sa);
			}
			ref_remove(&k->children, ch, CHILD_LINK);
			early_forget(ch);
			slab_put(&c->ipsec->child_slab, ch);
		}
		conn_free(c, k);
	}
	free(t->bucket);
	free(t->slot);
	free(t->free_slot);
}

struct conn *ctl_conn_find(const struct ctl *c, uint64_t id)
{
	struct conn *k;

	if (id == 0)
		return (struct conn *)&c->udp;
	REF_FOREACH (k, c->conns.bucket[id % CONN_BUCKETS], next)
		if (k->id == id)
			break;
	return k;
}

const struct conn *ctl_conn(const struct ctl *c, uint64_t conn)
{
	return ctl_conn_find(c, conn);
}

struct conn *conn_make(struct ctl *c)
{
	struct conns *t = &c->conns;
	struct conn *k;

	if (t->n_free == 0 && t->n_slots == CONN_SLOTS)
		return NULL;
	k = slab_get(&t->slab);
	if (k == NULL)
		return NULL;
	conn_init(k, ++t->last_id, CONN_IPSEC);
	k->ctl = c;
	k->created_ms = c->now_ms;
	k->slot = t->n_free > 0 ? t->free_slot[--t->n_free] : t->n_slots++;
	t->slot[k->slot] = k;
	ref_push(&t->bucket[k->id % CONN_BUCKETS], k, CONN_NEXT);
	c->ipsec->st.conns_total++;
	c->ipsec->st.conns_now++;
	return k;
}

uint16_t ctl_pick_worker(struct ctl *c)
{
	return dp_owner_pick(c->dp, c->ipsec->load);
}

uint64_t ctl_conn_open(struct ctl *c)
{
	struct conn *k = conn_make(c);
	struct child_key any = {0};
	struct child *ch;

	if (k == NULL)
		return 0;
	k->worker = ctl_pick_worker(c);
	c->ipsec->load[k->worker]++;
	ch = child_new(c, k, &any);
	if (ch == NULL) {
		k->down = true;
		ctl_conn_release(c, k);
		return 0;
	}
	ch->any = true;
	return k->id;
}

void ctl_conn_release(struct ctl *c, struct conn *k)
{
	struct conns *t = &c->conns;

	if (k->kind == CONN_UDP || !k->down || k->ending || k->tunnels != 0 || k->records != 0 ||
	    k->n_children != 0 || k->n_leaving != 0 || k->n_removing != 0)
		return;
	ref_unlink(&t->bucket[k->id % CONN_BUCKETS], k, CONN_NEXT);
	t->slot[k->slot] = NULL;
	t->free_slot[t->n_free++] = k->slot;
	c->ipsec->load[k->worker]--;
	c->ipsec->st.conns_now--;
	c->ipsec->st.orphans_now -= k->orphan;
	conn_free(c, k);
}

bool ctl_conn_fire(struct ctl *c, struct conn *k, enum ss_reason r)
{
	struct child *ch;

	if (!conn_fire(k, r, c->now_ms))
		return false;
	c->st.ss_fired[r]++;
	CHILD_FOREACH (ch, k)
		child_latch(c, ch);
	return true;
}

void ctl_conn_disconnect(struct ctl *c, struct conn *k)
{
	if (!conn_take_disconnect(k))
		return;
	c->st.ipsec_disconnects++;
	c->ipsec->st.disconnects++;
	if (c->ops->ipsec_disconnect != NULL)
		c->ops->ipsec_disconnect(c->ops_ctx, k->id);
	if (k->ike != NULL || k->orphan || k->is_static || k->n_sas != 0)
		conn_end(c, k);
}

static void settle_later(struct ctl *c, struct conn *k)
{
	if (k->settling)
		return;
	k->settling = true;
	ref_append(&c->ipsec->ending, k, CONN_END);
}

/*
 * Put off to the end of the call from outside: an answer to what brought this about may still have to
 * leave through the SAs that go here (E14, E19).
 */
void conn_end(struct ctl *c, struct conn *k)
{
	struct child *ch;

	if (k->ending)
		return;
	CHILD_FOREACH (ch, k)
		child_latch(c, ch);
	k->ending = true;
	k->stripped = false;
	settle_later(c, k);
}

void conn_removed_sa(struct ctl *c, struct conn *k)
{
	k->n_removing--;
	if (k->ending && k->stripped && k->n_removing == 0)
		settle_later(c, k);
	ctl_conn_release(c, k);
}

/* An SA has a place of its own when that is not its connection's. */
static void forget_same(struct conn *k)
{
	struct child *ch;
	struct sa *sa;

	CHILD_FOREACH (ch, k)
		SA_FOREACH (sa, ch)
			if (sa->moves != NULL && endpoint_eq(&sa->moves->local, &k->local) &&
			    endpoint_eq(&sa->moves->peer, &k->peer))
				sa->moves->apart = false;
}

bool conn_move(struct conn *k, const struct endpoint *local, const struct endpoint *peer)
{
	struct child *ch;
	struct sa *sa;

	if (endpoint_eq(&k->local, local) && endpoint_eq(&k->peer, peer))
		return true;
	CHILD_FOREACH (ch, k)
		SA_FOREACH (sa, ch) {
			if (sa->moves != NULL && sa->moves->apart)
				continue;
			if (sa_moves(sa) == NULL)
				return false;
			sa->moves->apart = true;
			sa->moves->local = k->local;
			sa->moves->peer = k->peer;
		}
	k->local = *local;
	k->peer = *peer;
	forget_same(k);
	return true;
}

void conn_strip(struct ctl *c, struct conn *k, bool tell)
{
	struct child *ch;
	struct sa *sa;

	while ((ch = slab_at(k->children.first)) != NULL) {
		while ((sa = slab_at(ch->sas)) != NULL) {
			struct sslink_msg m = {
			        .type = SSLINK_DELETE_CHILD,
			        .sa_id = {.spi = sa->spi,
			                  .inbound = true,
			                  .dst = sa_said_local(sa)->addr},
			};

			if (tell && sa->inbound)
				ipsec_send(c, &m);
			sa_remove(sa);
		}
		child_leave(c, ch);
	}
}

/* An IKE_SA that carries another connection's children too is left to that one (E4, E5). */
static bool is_alone(const struct conn *k)
{
	const struct ike *e = k->ike;

	return e != NULL && e->conn == k && slab_at(e->conns) == k && k->ike_next == 0;
}

/* All orders to remove its SAs have taken effect. */
static void ended(struct ctl *c, struct conn *k)
{
	struct ike *e = k->ike;
	struct conn *other;

	k->ending = false;
	if (k->down) {
		ctl_conn_release(c, k);
	} else if (is_alone(k)) {
		ike_terminate(e); /* its end will be told */
	} else if (e == NULL || e->conn != k) {
		ctl_conn_closed(c, k->id, c->now_ms);
		other = e != NULL ? e->conn : NULL;
		if (other != NULL && other->disconnecting && !other->ending && is_alone(other))
			ike_terminate(e);
	}
}

/*
 * What conn_end has put off. IKE's delete is sent when the workers have removed the SAs, so it cannot
 * overtake the StopCCN, or its acknowledgement, that they sent before (RFC 3193 3.1).
 */
void conns_settle(struct ctl *c)
{
	struct conn *k;

	while ((k = slab_at(c->ipsec->ending.first)) != NULL) {
		ref_remove(&c->ipsec->ending, k, CONN_END);
		k->settling = false;
		if (!k->stripped) {
			k->stripped = true;
			conn_strip(c, k, k->ike != NULL && !is_alone(k));
		}
		if (k->n_removing == 0)
			ended(c, k); /* else conn_removed_sa brings it back */
	}
}

void ctl_conn_closed(struct ctl *c, uint64_t conn, uint64_t now_ms)
{
	static const struct l2tp_result why = {.result = 1, .reason = L2TP_R_TUNNEL_TRANSPORT_DOWN};
	struct conn *k = ctl_conn_find(c, conn);
	struct tunnel *tn, *next;

	if (k == NULL || k->kind == CONN_UDP || k->down)
		return;
	c->now_ms = now_ms;
	k->down = true;
	k->down_ms = now_ms;
	if (k->announced)
		log_info(c->log, "event=ipsec-down conn=%lu ike=%u", k->id, k->ike_id);
	for (tn = tunnel_first(k); tn != NULL; tn = next) {
		next = tunnel_next(tn);
		l2tp_tunnel_abort(tunnel_engine(tn), &why, now_ms);
	}
	conn_strip(c, k, false);
	if (k->ike != NULL && k->ike->conn == k)
		k->ike->retired = true; /* its authentication has had its connection (E1) */
	ike_detach(k);
	if (k->n_leaving == 0)
		ctl_conn_release(c, k);
	else
		child_poll(c);
}

void conn_tunnel_gone(struct ctl *c, struct conn *k)
{
	if (k->orphan && !k->down && k->tunnels == 0)
		conn_end(c, k);
}
