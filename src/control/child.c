/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Children: what tunnels and sessions are carried by, whichever SAs that takes over time. */
#include "control/ipsec_int.h"

#include <errno.h>
#include <stdlib.h>

#define CHILDREN_A_TURN 32

static bool same_key(const struct child *ch, const struct child_key *key)
{
	return ch->tunnel_mode == key->tunnel_mode && ch->local.port == key->local.port &&
	       ch->peer.port == key->peer.port;
}

/* An SA of the child has followed its peer to this address. */
static bool has_moved_to(const struct child *ch, const struct ipaddr *addr)
{
	const struct sa *sa;

	SLIST_FOREACH (sa, &ch->sas, link)
		if (ipaddr_eq(&sa_peer(sa)->addr, addr))
			return true;
	return false;
}

void child_arm(struct child *ch)
{
	struct timerq *timers = ch->conn->ctl->timers;
	uint64_t at = UINT64_MAX;
	const struct sa *sa;

	SLIST_FOREACH (sa, &ch->sas, link)
		if (sa_due(sa) < at)
			at = sa_due(sa);
	if (at == UINT64_MAX)
		timer_cancel(timers, &ch->timer);
	else if (!ch->timer.queued || ch->timer.at_ms != at)
		timer_set(timers, &ch->timer, at);
}

/* One of its SAs at a time: with the last one it may go. */
static void on_timer(struct timer *t, uint64_t now_ms)
{
	struct child *ch = timer_owner(t, struct child, timer);
	struct sa *sa, *first = NULL;

	ch->conn->ctl->now_ms = now_ms;
	SLIST_FOREACH (sa, &ch->sas, link)
		if (sa_due(sa) <= now_ms && (first == NULL || sa_due(sa) <= sa_due(first)))
			first = sa;
	if (first != NULL)
		sa_do(first);
	else
		child_arm(ch);
}

struct child *child_find(const struct conn *k, const struct child_key *key)
{
	struct child *ch;

	TAILQ_FOREACH (ch, &k->children, link)
		if (same_key(ch, key) && ipaddr_eq(&ch->local.addr, &key->local.addr) &&
		    ipaddr_eq(&ch->peer.addr, &key->peer.addr))
			return ch;
	/*
	 * In transport mode the selectors name the outer address, so after a move behind a NAT those
	 * of a rekeyed SA differ (E8). What is inside goes on under the old one.
	 */
	if (key->tunnel_mode)
		return NULL;
	TAILQ_FOREACH (ch, &k->children, link)
		if (same_key(ch, key) && has_moved_to(ch, &key->peer.addr))
			return ch;
	return NULL;
}

struct child *child_new(struct ctl *c, struct conn *k, const struct child_key *key)
{
	struct dp_child order = {
	        .conn = k->id,
	        .worker = k->worker,
	        .local = key->local,
	        .peer = key->peer,
	};
	struct child *ch;
	int ret;

	ch = slab_get(&c->ipsec->child_slab);
	if (ch == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	ch->conn = k;
	ch->local = key->local;
	ch->peer = key->peer;
	ch->tunnel_mode = key->tunnel_mode;
	timer_init(&ch->timer, on_timer);
	ret = dp_child_add(c->dp, &order, &ch->index);
	if (ret < 0) {
		slab_put(&c->ipsec->child_slab, ch);
		errno = -ret;
		return NULL;
	}
	TAILQ_INSERT_HEAD(&k->children, ch, link);
	k->n_children++;
	c->ipsec->st.children_total++;
	c->ipsec->st.children_now++;
	return ch;
}

void child_latch(struct ctl *c, struct child *ch)
{
	if (!ch->latched)
		dp_child_latch(c->dp, ch->index);
	ch->latched = true;
}

/* Sessions find another child, or their tunnel ends as if IPsec had (E17). */
static void rehome(struct ctl *c, struct tunnel *tn, struct child *gone)
{
	static const struct l2tp_result why = {.result = 1, .reason = L2TP_R_TUNNEL_TRANSPORT_DOWN};
	bool ok =
	        ipsec_child_of(tn->conn, &tunnel_path(tn)->local, &tunnel_path(tn)->remote) != NULL;
	struct session *s;

	TAILQ_FOREACH (s, &tn->sessions, link)
		if (ok && !tn->went_down && s->phase == SESSION_LIVE && s->child == gone)
			ok = session_change_child(s);
	if (!ok)
		l2tp_tunnel_abort(tunnel_engine(tn), &why, c->now_ms);
}

/* Who has nothing left to be ordered away goes with the next turn. */
static void check_left(struct ctl *c, struct child *ch)
{
	if (!ch->leaving || ch->left || ch->n_orders != 0 || ch->n_sessions != 0)
		return;
	ch->left = true;
	TAILQ_REMOVE(&c->ipsec->leaving, ch, link);
	TAILQ_INSERT_TAIL(&c->ipsec->left, ch, link);
}

void child_leave(struct ctl *c, struct child *ch)
{
	struct conn *k = ch->conn;
	struct tunnel *tn, *next;

	/* Its orders may still wait for room; whatever fires meanwhile must not wait for them. */
	child_latch(c, ch);
	TAILQ_REMOVE(&k->children, ch, link);
	k->n_children--;
	k->n_leaving++;
	ch->leaving = true;
	TAILQ_INSERT_TAIL(&c->ipsec->leaving, ch, link);
	/* Only the tunnel itself leaves the list when it ends. */
	for (tn = LIST_FIRST(&k->live); tn != NULL; tn = next) {
		next = LIST_NEXT(tn, conn_link);
		rehome(c, tn, ch);
	}
	check_left(c, ch);
}

void child_ordered(struct child *ch)
{
	ch->n_orders--;
	check_left(ch->conn->ctl, ch);
}

void child_check(struct ctl *c, struct child *ch)
{
	struct conn *k = ch->conn;

	if (!SLIST_EMPTY(&ch->sas) || ch->any)
		return;
	child_leave(c, ch);
	if (k->n_sas != 0 || k->down || k->ending)
		return;
	if (k->announced)
		log_info(c->log, "event=ipsec-no-sa conn=%lu ike=%u", k->id, k->ike_id);
	/* Its IKE_SA may have another child (E5); without one there is nobody to tell of the end. */
	if (k->ike == NULL && !k->is_static)
		ctl_conn_closed(c, k->id, c->now_ms);
	else if (k->ike != NULL && k->ike->conn != k)
		conn_end(
		        c,
		        k); /* new ones would be another connection's; that one may wait for it (E5) */
}

/* Indices of the data plane whose SAs and sessions have been ordered away. */
bool child_poll(struct ctl *c)
{
	struct child *ch, *first_kept = NULL;
	int ret;

	for (uint32_t n = 0; n < CHILDREN_A_TURN; n++) {
		struct conn *k;

		ch = TAILQ_FIRST(&c->ipsec->left);
		if (ch == NULL || ch == first_kept)
			return false;
		k = ch->conn;
		TAILQ_REMOVE(&c->ipsec->left, ch, link);
		ret = dp_child_del(c->dp, ch->index);
		if (ret == -EAGAIN || ret == -EBUSY) {
			TAILQ_INSERT_TAIL(&c->ipsec->left, ch, link);
			if (first_kept == NULL)
				first_kept = ch;
			continue;
		}
		k->n_leaving--;
		c->ipsec->st.children_now--;
		early_forget(ch);
		slab_put(&c->ipsec->child_slab, ch);
		ctl_conn_release(c, k);
	}
	return true;
}

/* ---- for tunnels and sessions ---- */

struct child *ipsec_child_of(const struct conn *k, const struct endpoint *local,
                             const struct endpoint *peer)
{
	struct child *ch, *found = NULL;

	TAILQ_FOREACH (ch, &k->children, link) {
		if (ch->any)
			return ch;
		if (!ipaddr_eq(&ch->local.addr, &local->addr) ||
		    !ipaddr_eq(&ch->peer.addr, &peer->addr) || ch->local.port != local->port)
			continue;
		if (ch->peer.port == peer->port)
			return ch;
		if (ch->peer.port == 0 && found == NULL)
			found = ch;
	}
	return found;
}

void ipsec_child_hold(struct child *ch)
{
	ch->n_sessions++;
}

void ipsec_child_put(struct child *ch)
{
	ch->n_sessions--;
	check_left(ch->conn->ctl, ch);
}

uint32_t ipsec_child_index(const struct child *ch)
{
	return ch->index;
}

bool ipsec_child_tunnel_mode(const struct child *ch)
{
	return ch->tunnel_mode;
}
