/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* SPIs and SAs: their tables, lifetimes, changes and removal. Making them is sa_add.c's. */
#include "control/ipsec_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS    10 /* an order that did not fit */
#define MOVED_AGAIN 1000 /* the same news of a move at most so often */

const struct endpoint *sa_local(const struct sa *sa)
{
	return sa->moves != NULL && sa->moves->apart ? &sa->moves->local : &sa->conn->local;
}

const struct endpoint *sa_peer(const struct sa *sa)
{
	return sa->moves != NULL && sa->moves->apart ? &sa->moves->peer : &sa->conn->peer;
}

struct sa_moves *sa_moves(struct sa *sa)
{
	if (sa->moves == NULL)
		sa->moves = calloc(1, sizeof(*sa->moves));
	return sa->moves;
}

static uint32_t *spi_bucket(const struct ctl *c, uint32_t spi)
{
	return &c->ipsec->by_spi[(spi ^ spi >> 16) % SA_BUCKETS];
}

/* Ours are unique; a peer's is so together with its address. */
struct sa *sa_find(const struct ctl *c, uint32_t spi, bool inbound, const struct ipaddr *dst)
{
	struct sa *sa;

	REF_FOREACH (sa, *spi_bucket(c, spi), next_spi)
		if (sa->spi == spi && sa->inbound == inbound &&
		    (inbound || ipaddr_eq(&sa_peer(sa)->addr, dst)))
			return sa;
	return NULL;
}

void sa_answer(struct sa *sa, enum sslink_status status)
{
	struct ctl *c = sa_ctl(sa);

	if (sa->answer_link == c->ipsec->link_no && sa->answer_link != 0)
		ipsec_answer(c, sa->answer_seq, status);
	sa->answer_link = 0;
}

void sa_wait(struct sa *sa)
{
	struct ipsec *p = sa_ctl(sa)->ipsec;

	if (sa->waits)
		return;
	sa->waits = true;
	ref_append(&p->waiting, sa, SA_WAIT);
	p->n_waiting++;
}

static void stop_waiting(struct ctl *c, struct sa *sa)
{
	if (!sa->waits)
		return;
	sa->waits = false;
	ref_remove(&c->ipsec->waiting, sa, SA_WAIT);
	c->ipsec->n_waiting--;
}

void sa_order_free(struct sa *sa)
{
	if (sa->order == NULL)
		return;
	explicit_bzero(sa->order, sizeof(*sa->order));
	free(sa->order);
	sa->order = NULL;
}

struct sa *sa_new(struct ctl *c, uint32_t spi, bool inbound)
{
	struct sa *sa = slab_get(&c->ipsec->sa_slab);

	if (sa == NULL)
		return NULL;
	sa->spi = spi;
	sa->inbound = inbound;
	sa->created_ms = c->now_ms;
	sa->soft_at = sa->hard_at = UINT64_MAX;
	sa->seen = c->ipsec->link_no;
	ref_push(spi_bucket(c, spi), sa, SA_BY_SPI);
	return sa;
}

static void forget(struct ctl *c, struct sa *sa)
{
	sa_larval_unlist(sa);
	ref_unlink(spi_bucket(c, sa->spi), sa, SA_BY_SPI);
}

void sa_free(struct ctl *c, struct sa *sa)
{
	if (sa->state != SA_REMOVING)
		forget(c, sa);
	stop_waiting(c, sa);
	sa_order_free(sa);
	free(sa->moves);
	slab_put(&c->ipsec->sa_slab, sa);
}

struct esp_suite sa_suite(const struct sa *sa)
{
	return (struct esp_suite){
	        .cipher = (enum esp_cipher)sa->cipher,
	        .auth = (enum esp_auth)sa->auth,
	        .key_len = sa->key_len,
	        .icv_len = sa->icv_len,
	};
}

void sa_set_suite(struct sa *sa, const struct esp_suite *s)
{
	sa->cipher = (uint8_t)s->cipher;
	sa->auth = (uint8_t)s->auth;
	sa->key_len = (uint8_t)s->key_len;
	sa->icv_len = (uint8_t)s->icv_len;
}

void sa_leave_child(struct sa *sa)
{
	struct child *ch = sa->child;
	struct conn *k = ch->conn;

	ref_unlink(&ch->sas, sa, SA_NEXT);
	child_arm(ch);
	if (sa->inbound)
		ch->n_in--;
	else
		ch->n_out--;
	k->ctl->ipsec->st.sas_now--;
	if (--k->n_sas == 0)
		k->ctl->ipsec->st.conns_up--;
}

uint64_t sa_due(const struct sa *sa)
{
	uint64_t at = sa->hard_at < sa->soft_at ? sa->hard_at : sa->soft_at;

	if (sa->state != SA_LIVE)
		return UINT64_MAX;
	return sa->use_due && sa->use_at < at ? sa->use_at : at;
}

void sa_arm(struct sa *sa)
{
	child_arm(sa->child);
}

/* ---- SPIs without an SA ---- */

static void arm_larval(struct ipsec *p)
{
	const struct sa *sa = slab_at(p->larval.first);

	if (sa != NULL)
		timer_set(p->ctl->timers, &p->larval_end, sa->hard_at);
}

/* All have the same time, so the list is in its order. */
void sa_larval_list(struct sa *sa)
{
	struct ipsec *p = sa->ike->ctl->ipsec;

	sa->listed = true;
	sa->hard_at = p->ctl->now_ms + LARVAL_MS;
	ref_append(&p->larval, sa, SA_WAIT);
	if (slab_at(p->larval.first) == sa)
		arm_larval(p);
	ref_push(&sa->ike->spis, sa, SA_NEXT);
	sa->ike->n_spis++;
}

void sa_larval_unlist(struct sa *sa)
{
	if (!sa->listed)
		return;
	sa->listed = false;
	ref_remove(&sa->ike->ctl->ipsec->larval, sa, SA_WAIT);
	ref_unlink(&sa->ike->spis, sa, SA_NEXT);
	sa->ike->n_spis--;
}

void sa_larval_free(struct sa *sa)
{
	struct ctl *c = sa->ike->ctl;

	dp_spi_put(c->dp, sa->spi);
	sa_free(c, sa);
}

void sa_larval_due(struct timer *t, uint64_t now_ms)
{
	struct ipsec *p = timer_owner(t, struct ipsec, larval_end);
	struct sa *sa = slab_at(p->larval.first);
	struct ike *e;

	p->ctl->now_ms = now_ms;
	if (sa != NULL && sa->hard_at <= now_ms) {
		e = sa->ike;
		sa_larval_free(sa);
		ike_maybe_free(e);
	}
	arm_larval(p);
}

void sa_on_get_spi(struct ctl *c, const struct sslink_msg *m)
{
	const struct sslink_ike *info = &m->get_spi.ike;
	struct ike *e = info->id != 0 ? ike_get(c, info) : NULL;
	struct sslink_msg ok = {.type = SSLINK_ANSWER, .seq = m->seq};
	const char *why;
	struct sa *sa;

	if (e == NULL) {
		ipsec_refuse(c, m, info, NULL, info->id != 0 ? SSLINK_NO_RESOURCES : SSLINK_REFUSED,
		             info->id != 0 ? "no memory" : "no IKE_SA");
		return;
	}
	why = ike_objection(c, e);
	if (why != NULL) {
		ipsec_refuse(c, m, info, e->conn, SSLINK_REFUSED, why);
		ike_maybe_free(e);
		return;
	}
	if (e->n_spis >= CHILDREN_MAX ||
	    dp_spi_get(c->dp, e->conn != NULL ? e->conn->worker : e->worker, &ok.answer.spi) < 0) {
		ipsec_refuse(c, m, info, e->conn, SSLINK_NO_RESOURCES, "no SPI");
		ike_maybe_free(e);
		return;
	}
	sa = sa_new(c, ok.answer.spi, true);
	if (sa == NULL) {
		dp_spi_put(c->dp, ok.answer.spi);
		ipsec_refuse(c, m, info, e->conn, SSLINK_NO_RESOURCES, "no memory");
		ike_maybe_free(e);
		return;
	}
	sa->state = SA_LARVAL;
	sa->worker = (uint8_t)(e->conn != NULL ? e->conn->worker : e->worker);
	sa->ike = e;
	sa_larval_list(sa);
	ipsec_send(c, &ok);
}

/* ---- removal ---- */

static bool order_delete(struct sa *sa)
{
	int ret = dp_sa_del(sa_ctl(sa)->dp, sa->id, &sa->ticket);

	sa->again = ret == -EAGAIN;
	if (sa->again)
		return false;
	if (ret < 0)
		sa->ticket = 0;
	child_ordered(sa->child);
	return true;
}

void sa_remove(struct sa *sa)
{
	struct ctl *c = sa_ctl(sa);

	if (sa->answer_link != 0)
		sa_answer(sa, SSLINK_REFUSED); /* what was to be answered has come to nothing */
	sa_leave_child(sa);
	if (sa->id == 0) { /* its order waited for room and never was given */
		if (sa->inbound)
			dp_spi_put(c->dp, sa->spi);
		sa_free(c, sa);
		return;
	}
	forget(c, sa);
	sa->state = SA_REMOVING;
	sa->use_due = false;
	sa->child->n_orders++;
	sa->conn->n_removing++;
	order_delete(sa);
	sa_wait(sa);
}

static void removed(struct sa *sa)
{
	struct conn *k = sa->conn;
	struct ctl *c = sa_ctl(sa);

	sa_answer(sa, SSLINK_OK);
	sa_free(c, sa);
	conn_removed_sa(c, k);
}

void sa_on_del(struct ctl *c, const struct sslink_msg *m)
{
	struct sa *sa = sa_find(c, m->sa_id.spi, m->sa_id.inbound, &m->sa_id.dst);
	struct ike *e;
	struct child *ch;

	if (sa == NULL) { /* what is wanted is so: it was removed here first (E31) */
		ipsec_answer(c, m->seq, SSLINK_OK);
		return;
	}
	if (sa->state == SA_LARVAL) {
		e = sa->ike;
		sa_larval_free(sa);
		ike_maybe_free(e);
		ipsec_answer(c, m->seq, SSLINK_OK);
		return;
	}
	ch = sa->child;
	if (sa->id == 0) {
		sa_remove(sa);
		ipsec_answer(c, m->seq, SSLINK_OK);
	} else {
		sa_remove(sa);
		sa->answer_seq = m->seq;
		sa->answer_link = c->ipsec->link_no;
	}
	child_check(c, ch);
}

/* ---- lifetimes ---- */

static void tell_expire(struct sa *sa, bool hard)
{
	struct sslink_msg m = {
	        .type = SSLINK_EXPIRE,
	        .expire = {.spi = sa->spi,
	                   .inbound = sa->inbound,
	                   .hard = hard,
	                   .dst = sa->inbound ? sa_local(sa)->addr : sa_peer(sa)->addr},
	};
	bool told = sa_ctl(sa)->ipsec->link == LINK_UP && ipsec_send(sa_ctl(sa), &m);

	if (!hard)
		sa->soft_due = !told;
}

static void tell_move(struct sa *sa)
{
	struct sslink_msg m = {
	        .type = SSLINK_MAPPING,
	        .mapping = {.spi = sa->spi, .local = *sa_local(sa), .remote = sa->moves->to},
	};

	sa->moved = sa_ctl(sa)->ipsec->link != LINK_UP || !ipsec_send(sa_ctl(sa), &m);
}

void sa_tell(struct sa *sa)
{
	if (sa->soft_due)
		tell_expire(sa, false);
	if (sa->moved)
		tell_move(sa);
}

static void soft(struct sa *sa)
{
	sa->soft_at = UINT64_MAX;
	if (sa->soft_told)
		return;
	sa->soft_told = true;
	sa_ctl(sa)->ipsec->st.soft_expires++;
	tell_expire(sa, false);
}

/*
 * The end of its keys: nothing may pass it, whether charon lives or not (E31). charon deletes the
 * CHILD_SA on the news, and finds it gone.
 */
static void hard(struct sa *sa)
{
	struct ctl *c = sa_ctl(sa);
	struct child *ch = sa->child;

	c->ipsec->st.hard_expires++;
	log_info(c->log, "event=ipsec-expired conn=%lu spi=%08x direction=%s", ch->conn->id,
	         sa->spi, sa->inbound ? "in" : "out");
	tell_expire(sa, true);
	sa_remove(sa);
	child_check(c, ch);
}

void sa_do(struct sa *sa)
{
	struct ctl *c = sa_ctl(sa);

	if (sa->hard_at <= c->now_ms) {
		hard(sa);
		return;
	}
	if (sa->use_due && sa->use_at <= c->now_ms) {
		sa->use_due = dp_sa_use(c->dp, sa->id) == -EAGAIN;
		sa->use_at = c->now_ms + RETRY_MS;
	}
	if (sa->soft_at <= c->now_ms)
		soft(sa);
	sa_arm(sa);
}

/* ---- changes ---- */

void sa_on_query(struct ctl *c, const struct sslink_msg *m)
{
	struct sa *sa = sa_find(c, m->sa_id.spi, m->sa_id.inbound, &m->sa_id.dst);
	struct sslink_msg ok = {.type = SSLINK_ANSWER, .seq = m->seq};
	struct dp_sa_stats st;

	if (sa == NULL || sa->id == 0 || dp_sa_stats(c->dp, sa->id, &st) < 0) {
		ipsec_answer(c, m->seq, SSLINK_REFUSED);
		return;
	}
	ok.answer.a = st.bytes;
	ok.answer.b = st.packets;
	ok.answer.c = st.used ? st.idle_ms / 1000 : UINT64_MAX;
	ipsec_send(c, &ok);
}

/* 0, or -EAGAIN: it is tried again. */
static int order_update(struct sa *sa)
{
	int ret = dp_sa_update(sa_ctl(sa)->dp, sa->id, sa_local(sa), sa_peer(sa), sa->encap);

	sa->again = ret == -EAGAIN;
	if (ret == -EAGAIN)
		sa_wait(sa);
	else
		sa_answer(sa, ret == 0 ? SSLINK_OK : SSLINK_REFUSED);
	return ret;
}

/* False: no memory, and it stays where it is. */
static bool move(struct sa *sa, const struct endpoint *local, const struct endpoint *peer,
                 bool encap)
{
	struct conn *k = sa->child->conn;

	if (!conn_move(k, local, peer))
		return false;
	if (sa->moves != NULL)
		sa->moves->apart = false;
	sa->encap = encap;
	sa->moved = false;
	k->encap = encap;
	if (sa->state == SA_ADDING && sa->order != NULL) {
		sa->order->sa.local = *local;
		sa->order->sa.peer = *peer;
		sa->order->sa.encap = encap;
	}
	return true;
}

void sa_on_update(struct ctl *c, const struct sslink_msg *m)
{
	const struct sslink_update_sa *u = &m->update_sa;
	struct sa *sa = sa_find(c, u->spi, u->inbound, &u->dst.addr);
	const struct endpoint *local = u->inbound ? &u->new_dst : &u->new_src;
	const struct endpoint *peer = u->inbound ? &u->new_src : &u->new_dst;

	if (sa == NULL || sa->state != SA_LIVE) {
		ipsec_refuse(c, m, NULL, NULL, SSLINK_REFUSED, "no such SA");
		return;
	}
	if (ipaddr_to_v4(&local->addr) == 0 || ipaddr_to_v4(&peer->addr) == 0 ||
	    (u->encap && (local->port == 0 || peer->port == 0))) {
		ipsec_refuse(c, m, NULL, sa->child->conn, SSLINK_UNSUPPORTED, "address or port");
		return;
	}
	sa_answer(sa, SSLINK_REFUSED); /* an older update that never fitted is overtaken */
	if (!move(sa, local, peer, u->encap)) {
		ipsec_refuse(c, m, NULL, sa->child->conn, SSLINK_NO_RESOURCES, "no memory");
		return;
	}
	if (sa->inbound) {
		c->ipsec->st.nat_moves++;
		conn_count(sa->child->conn, CONN_NAT_MOVES);
	}
	sa->answer_seq = m->seq;
	sa->answer_link = c->ipsec->link_no;
	order_update(sa);
}

/*
 * The peer's newest authenticated packet came from elsewhere (RFC 3948 5.2). charon decides, and
 * answers with UPDATE_SA for both SAs; while there is none, what is known here must do.
 */
static void moved(struct sa *sa, const struct endpoint *to)
{
	struct ctl *c = sa_ctl(sa);
	struct endpoint local;
	struct sa *other;

	if (sa_moves(sa) == NULL)
		return; /* it will be said again */
	if (endpoint_eq(&sa->moves->to, to) && c->now_ms < sa->moves->ms + MOVED_AGAIN)
		return;
	sa->moves->to = *to;
	sa->moves->ms = c->now_ms;
	tell_move(sa);
	if (c->ipsec->link != LINK_DOWN || !sa->encap)
		return;
	c->ipsec->st.nat_moves++;
	conn_count(sa->child->conn, CONN_NAT_MOVES);
	local = *sa_local(sa);
	SA_FOREACH (other, sa->child) {
		if (other->state != SA_LIVE || !endpoint_eq(sa_local(other), &local))
			continue;
		if (move(other, &local, to, true))
			order_update(other);
	}
	sa->moved = true;
}

void sa_event(struct ctl *c, const struct dp_punt *p)
{
	struct sa *sa = dp_sa_user(c->dp, p->sa);

	if (sa == NULL || sa->state == SA_REMOVING) {
		c->st.stale_punts++;
		return;
	}
	switch (p->sa_event) {
	case DP_SA_SOFT:
		soft(sa);
		sa_arm(sa);
		break;
	case DP_SA_HARD:
		hard(sa);
		break;
	case DP_SA_MAPPING:
		if (sa->inbound)
			moved(sa, &p->src);
		break;
	case DP_SA_FIRST:
		log_debug(c->log, "event=ipsec-used conn=%lu spi=%08x", sa->child->conn->id,
		          sa->spi);
		break;
	}
}

/* ---- what waits for the workers ---- */

/* Whoever has to wait on goes to the queue's end again. */
static void turn(struct sa *sa)
{
	struct ctl *c = sa_ctl(sa);

	stop_waiting(c, sa);
	switch (sa->state) {
	case SA_ADDING:
		if (sa->order != NULL && !sa_order_again(sa))
			return;
		if (dp_applied(c->dp, sa->ticket))
			sa_applied(sa);
		else
			sa_wait(sa);
		break;
	case SA_LIVE:
		if (sa->again)
			order_update(sa);
		break;
	case SA_REMOVING:
		if ((sa->again && !order_delete(sa)) ||
		    (sa->ticket != 0 && !dp_applied(c->dp, sa->ticket)))
			sa_wait(sa);
		else
			removed(sa);
		break;
	default:
		break;
	}
}

void sa_poll(struct ctl *c, uint32_t most)
{
	uint32_t n = c->ipsec->n_waiting < most ? c->ipsec->n_waiting : most;

	/* What a turn frees is out of the queue, and then fewer are left. */
	for (; n > 0 && c->ipsec->waiting.first != 0; n--)
		turn(slab_at(c->ipsec->waiting.first));
}
