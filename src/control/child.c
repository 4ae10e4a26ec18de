/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Children: what tunnels and sessions are carried by, whichever SAs that takes over time. */
#include "control/ipsec_int.h"

#include <errno.h>
#include <stdlib.h>

#define CHILDREN_A_TURN 32
#define MOVES_A_TURN    64 /* sessions, each an order; or tunnels */
#define SLOTS_A_TURN    1024 /* looked at */

static bool same_key(const struct child *ch, const struct child_key *key)
{
	return ch->tunnel_mode == key->tunnel_mode && ch->local.port == key->local.port &&
	       ch->peer.port == key->peer.port;
}

/* An SA of the child has followed its peer to this address. */
static bool has_moved_to(const struct child *ch, const struct ipaddr *addr)
{
	const struct sa *sa;

	SA_FOREACH (sa, ch)
		if (ipaddr_eq(&sa_peer(sa)->addr, addr) || ipaddr_eq(&sa_said_peer(sa)->addr, addr))
			return true;
	return false;
}

void child_arm(struct child *ch)
{
	struct timerq *timers = ch->conn->ctl->timers;
	uint64_t at = UINT64_MAX;
	const struct sa *sa;

	SA_FOREACH (sa, ch)
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
	SA_FOREACH (sa, ch)
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

	CHILD_FOREACH (ch, k)
		if (same_key(ch, key) && ipaddr_eq(&ch->local.addr, &key->local.addr) &&
		    ipaddr_eq(&ch->peer.addr, &key->peer.addr))
			return ch;
	/*
	 * In transport mode the selectors name the outer address, so after a move behind a NAT those
	 * of a rekeyed SA differ (E8). What is inside goes on under the old one.
	 */
	if (key->tunnel_mode)
		return NULL;
	CHILD_FOREACH (ch, k)
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
	ref_prepend(&k->children, ch, CHILD_LINK);
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

/* ---- its sessions find another child, or their tunnel ends as if IPsec had (E17) ---- */

static void give_up(struct tunnel *tn)
{
	static const struct l2tp_result why = {.result = 1, .reason = L2TP_R_TUNNEL_TRANSPORT_DOWN};

	l2tp_tunnel_abort(tunnel_engine(tn), &why, tunnel_ctl(tn)->now_ms);
}

/* True: another child carries the tunnel; false: none does, and it has ended. */
static bool keep_tunnel(struct tunnel *tn)
{
	if (ipsec_child_of(tn->conn, &tunnel_path(tn)->local, &tunnel_path(tn)->remote) != NULL)
		return true;
	give_up(tn);
	return false;
}

/* 0: it is no more the leaving child's to care for; else why it still is. */
static int move(struct session *s, const struct child *gone)
{
	if (s->phase != SESSION_LIVE || s->child != gone || s->tunnel->went_down)
		return 0;
	return session_change_child(s);
}

/* A few of them at once, which are most often all. False: there are more, or the FIFO is full. */
static bool move_at_once(struct child *gone)
{
	struct tunnel *tn, *next;
	struct session *s;
	uint32_t n = 0;
	int ret = 0;

	/* Only the tunnel itself leaves the list when it ends. */
	for (tn = tunnel_first(gone->conn); tn != NULL; tn = next) {
		next = tunnel_next(tn);
		if (n++ == MOVES_A_TURN)
			return false;
		if (!keep_tunnel(tn))
			continue;
		for (s = session_first(tn); s != NULL && gone->n_sessions > 0 && ret == 0;
		     s = session_next(s)) {
			if (n++ == MOVES_A_TURN)
				return false;
			ret = move(s, gone);
		}
		if (ret == -EAGAIN)
			return false;
		if (ret < 0)
			give_up(tn);
		ret = 0;
	}
	return true;
}

/*
 * A place of those that are gone through when there are many: first tunnels, then sessions, by slot, so that
 * what comes and goes meanwhile does no harm. False: the FIFO is full.
 */
static bool move_slot(struct ctl *c, const struct child *gone, uint32_t i, uint32_t *moves)
{
	struct tunnel *tn = i < N_SLOTS ? tunnel_at(c, (uint16_t)i) : NULL;
	struct session *s = i >= N_SLOTS ? session_at(c, (uint16_t)(i - N_SLOTS)) : NULL;
	int ret = 0;

	if (tn != NULL && tn->live && tn->conn == gone->conn) {
		(*moves)++;
		keep_tunnel(tn);
	}
	if (s != NULL && s->child == gone) {
		(*moves)++;
		ret = move(s, gone);
	}
	if (ret < 0 && ret != -EAGAIN)
		give_up(s->tunnel);
	return ret != -EAGAIN;
}

/* Who has nothing left to be ordered away goes with the next turn. */
static void check_left(struct ctl *c, struct child *ch)
{
	if (!ch->leaving || ch->moving || ch->left || ch->n_orders != 0 || ch->n_sessions != 0)
		return;
	ch->left = true;
	ref_remove(&c->ipsec->leaving, ch, CHILD_LINK);
	ref_append(&c->ipsec->left, ch, CHILD_LINK);
}

/* Nobody is left who could find another one. */
static bool has_moved(const struct ipsec *p, const struct child *ch)
{
	return p->move_at == 2 * N_SLOTS || ch->conn->live.first == 0 ||
	       (p->move_at >= N_SLOTS && ch->n_sessions == 0);
}

bool child_move(struct ctl *c)
{
	struct ipsec *p = c->ipsec;
	struct child *ch = slab_at(p->moving.first);
	uint32_t moves = 0;

	for (uint32_t n = 0; ch != NULL && n < SLOTS_A_TURN && moves < MOVES_A_TURN; n++) {
		if (has_moved(p, ch)) {
			p->move_at = 0;
			ch->moving = false;
			ref_remove(&p->moving, ch, CHILD_LINK);
			ref_append(&p->leaving, ch, CHILD_LINK);
			check_left(c, ch);
			ch = slab_at(p->moving.first);
		} else if (move_slot(c, ch, p->move_at, &moves)) {
			p->move_at++;
		} else {
			return false;
		}
	}
	return ch != NULL;
}

void child_leave(struct ctl *c, struct child *ch)
{
	struct conn *k = ch->conn;

	/* Its orders may still wait for room; whatever fires meanwhile must not wait for them. */
	child_latch(c, ch);
	ref_remove(&k->children, ch, CHILD_LINK);
	k->n_children--;
	k->n_leaving++;
	ch->leaving = true;
	ch->moving = true; /* it stays where it is while its last session goes */
	ref_append(&c->ipsec->moving, ch, CHILD_LINK);
	if (!move_at_once(ch))
		return;
	ch->moving = false;
	ref_remove(&c->ipsec->moving, ch, CHILD_LINK);
	ref_append(&c->ipsec->leaving, ch, CHILD_LINK);
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

	if (ch->sas != 0 || ch->any)
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
	else if (k->ike != NULL && !k->ike->told)
		ctl_conn_disconnect(c, k); /* its end may have been told before it was known */
}

/* Indices of the data plane whose SAs and sessions have been ordered away. */
bool child_poll(struct ctl *c)
{
	struct child *ch, *first_kept = NULL;
	int ret;

	for (uint32_t n = 0; n < CHILDREN_A_TURN; n++) {
		struct conn *k;

		ch = slab_at(c->ipsec->left.first);
		if (ch == NULL || ch == first_kept)
			return false;
		k = ch->conn;
		ref_remove(&c->ipsec->left, ch, CHILD_LINK);
		ret = dp_child_del(c->dp, ch->index);
		if (ret == -EAGAIN || ret == -EBUSY) {
			ref_append(&c->ipsec->left, ch, CHILD_LINK);
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

	CHILD_FOREACH (ch, k) {
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
