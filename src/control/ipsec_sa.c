/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* SPIs and SAs: their tables, lifetimes and removal. Making them is sa_add.c's, moving them sa_move.c's. */
#include "control/ipsec_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 10 /* an order that did not fit */

static uint32_t *spi_bucket(const struct ctl *c, uint32_t spi)
{
	return &c->ipsec->by_spi[(spi ^ spi >> 16) % SA_BUCKETS];
}

static bool has_name(const struct sa *sa, const struct ipaddr *dst)
{
	return ipaddr_eq(&sa_said_peer(sa)->addr, dst);
}

/*
 * Ours are unique; a peer's is so together with its address, as charon has that. While it replays, names of
 * those that are still to come may be old: one that was heard of since comes first.
 */
struct sa *sa_find(const struct ctl *c, uint32_t spi, bool inbound, const struct ipaddr *dst)
{
	uint32_t now = c->ipsec->link_no;
	struct sa *sa, *found = NULL;

	REF_FOREACH (sa, *spi_bucket(c, spi), next_spi) {
		if (sa->spi != spi || sa->inbound != inbound || (!inbound && !has_name(sa, dst)))
			continue;
		if (found == NULL || now - sa->seen < now - found->seen)
			found = sa;
	}
	return found;
}

struct sa *sa_find_replayed(const struct ike *e, uint32_t spi, const struct ipaddr *dst)
{
	const struct ctl *c = e->ctl;
	struct sa *sa, *found = NULL;
	uint32_t n = 0;

	REF_FOREACH (sa, *spi_bucket(c, spi), next_spi) {
		if (sa->spi != spi || sa->inbound || sa->conn->ike != e)
			continue;
		if (has_name(sa, dst))
			return sa;
		if (sa->seen == c->ipsec->link_no)
			continue; /* it was replayed by its own name */
		found = sa;
		n++;
	}
	return n == 1 ? found : NULL;
}

bool sa_shares_spi(const struct sa *sa)
{
	const struct sa *other;

	REF_FOREACH (other, *spi_bucket(sa_ctl(sa), sa->spi), next_spi)
		if (other->spi == sa->spi && !other->inbound && other->conn != sa->conn)
			return true;
	return false;
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
	                   .dst = sa->inbound ? sa_said_local(sa)->addr : sa_said_peer(sa)->addr},
	};
	bool told = sa_ctl(sa)->ipsec->link == LINK_UP && ipsec_send(sa_ctl(sa), &m);

	if (!hard)
		sa->soft_due = !told;
}

void sa_tell(struct sa *sa)
{
	if (sa->soft_due)
		tell_expire(sa, false);
	if (sa->moved)
		sa_tell_move(sa);
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
			sa_moved(sa, &p->src);
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
			sa_order_update(sa);
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
