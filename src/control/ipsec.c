/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The IPsec side's entry: the link to charon's plugin, and whom each message is for. */
#include "control/ipsec_int.h"

#include <stdlib.h>

/* E32: StopCCNs to refused SCCRQs of one connection. */
#define ANSWER_EVERY_MS 1000
#define ANSWER_BURST    5

/* SAs looked after in one turn of the event loop, and beside one message of charon's. */
#define SAS_A_TURN    32
#define SAS_A_MESSAGE 8

static bool poll_some(struct ctl *c, uint32_t sas);

int ipsec_init(struct ctl *c)
{
	struct ipsec *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -1;
	c->ipsec = p;
	p->ctl = c;
	timer_init(&p->ike_end, ike_end_due);
	timer_init(&p->larval_end, sa_larval_due);
	p->texts = texts_new();
	slab_init(&p->ike_slab, sizeof(struct ike));
	slab_init(&p->child_slab, sizeof(struct child));
	slab_init(&p->sa_slab, sizeof(struct sa));
	p->limit_refused = (struct log_limit){.every_ms = 1000, .burst = 10};
	p->ikes = calloc(IKE_BUCKETS, sizeof(*p->ikes));
	p->by_spi = calloc(SA_BUCKETS, sizeof(*p->by_spi));
	do
		c->ops->random(c->ops_ctx, (uint8_t *)&p->instance, sizeof(p->instance));
	while (p->instance == 0);
	return p->texts == NULL || p->ikes == NULL || p->by_spi == NULL ? -1 : 0;
}

static void children_free(struct ipsec *p, struct ref_list *l)
{
	struct child *ch;

	while ((ch = slab_at(l->first)) != NULL) {
		ref_remove(l, ch, CHILD_LINK);
		early_forget(ch);
		slab_put(&p->child_slab, ch);
	}
}

/* Connections, with the SAs that are theirs, have gone before. */
void ipsec_fini(struct ctl *c)
{
	struct ipsec *p = c->ipsec;
	struct sa *sa;
	struct ike *e;

	if (p == NULL)
		return;
	while ((sa = slab_at(p->waiting.first)) != NULL)
		sa_free(c, sa);
	children_free(p, &p->moving);
	children_free(p, &p->leaving);
	children_free(p, &p->left);
	for (uint32_t i = 0; p->ikes != NULL && i < IKE_BUCKETS; i++)
		while ((e = slab_at(p->ikes[i])) != NULL) {
			while ((sa = slab_at(e->spis)) != NULL)
				sa_free(c, sa);
			e->conns = 0;
			ike_free(e);
		}
	timer_cancel(c->timers, &p->ike_end);
	timer_cancel(c->timers, &p->larval_end);
	texts_free(p->texts);
	slab_fini(&p->sa_slab);
	slab_fini(&p->child_slab);
	slab_fini(&p->ike_slab);
	free(p->ikes);
	free(p->by_spi);
	free(p);
	c->ipsec = NULL;
}

/* ---- sending ---- */

bool ipsec_send(struct ctl *c, struct sslink_msg *m)
{
	struct ipsec *p = c->ipsec;

	if (p->link == LINK_DOWN || c->ops->ike_send == NULL)
		return false;
	if (c->ops->ike_send(c->ops_ctx, m) == 0)
		return true;
	/* Who does not read is as good as dead; the socket's owner will hear of it too. */
	if (p->link != LINK_DOWN) {
		p->link = LINK_DOWN;
		p->st.link_losses++;
		log_warning(c->log, "event=ike-link-stuck");
	}
	return false;
}

void ipsec_answer(struct ctl *c, uint32_t seq, enum sslink_status status)
{
	struct sslink_msg m = {.type = SSLINK_ANSWER, .seq = seq, .answer = {.status = status}};

	if (status != SSLINK_OK)
		c->ipsec->st.refused[status]++;
	ipsec_send(c, &m);
}

void ipsec_refuse(struct ctl *c, const struct sslink_msg *m, const struct sslink_ike *ike,
                  struct conn *k, enum sslink_status status, const char *why)
{
	static const char *const names[SSLINK_STATUS_MAX] = {
	        [SSLINK_REFUSED] = "refused",
	        [SSLINK_BUSY] = "busy",
	        [SSLINK_UNSUPPORTED] = "unsupported",
	        [SSLINK_NO_RESOURCES] = "no-resources",
	};
	char a[ENDPOINT_STRLEN];
	uint64_t skipped;

	if (log_limit_ok(&c->ipsec->limit_refused, c->now_ms, &skipped))
		log_notice(c->log,
		           "event=ipsec-refused conn=%lu ike=%u peer=%s id=\"%s\" request=%d "
		           "status=%s reason=\"%s\" suppressed=%lu",
		           k != NULL ? k->id : 0, ike != NULL ? ike->id : 0,
		           ike != NULL ? endpoint_str(&ike->remote, a, sizeof(a)) : "-",
		           ike != NULL ? ike->remote_id : "", m->type, names[status], why, skipped);
	ipsec_answer(c, m->seq, status);
}

/* ---- the link ---- */

void ctl_ike_link_up(struct ctl *c, uint64_t now_ms)
{
	struct ipsec *p = c->ipsec;

	if (p->link != LINK_DOWN)
		ctl_ike_link_down(c, now_ms);
	c->now_ms = now_ms;
	p->link = LINK_HELLO;
	p->link_no++;
	p->st.links++;
	log_info(c->log, "event=ike-link-up");
}

void ctl_ike_link_down(struct ctl *c, uint64_t now_ms)
{
	struct ipsec *p = c->ipsec;

	c->now_ms = now_ms;
	if (p->link == LINK_DOWN)
		return;
	p->link = LINK_DOWN;
	p->st.link_losses++;
	log_warning(c->log, "event=ike-link-down connections=%u", p->st.conns_up);
}

static void on_hello(struct ctl *c, const struct sslink_msg *m)
{
	struct ipsec *p = c->ipsec;
	struct sslink_msg ok = {.type = SSLINK_ANSWER, .seq = m->seq, .answer.a = p->instance};

	if (p->link != LINK_HELLO) {
		p->st.bad_messages++;
		ipsec_answer(c, m->seq, SSLINK_BUSY);
		return;
	}
	if (m->hello.version != SSLINK_VERSION) {
		log_error(c->log, "event=ike-link-version theirs=%u ours=%d", m->hello.version,
		          SSLINK_VERSION);
		p->st.bad_messages++;
		ipsec_answer(c, m->seq, SSLINK_UNSUPPORTED);
		return;
	}
	if (m->hello.instance != p->charon)
		sync_forget(c);
	p->charon = m->hello.instance;
	p->link = LINK_SYNC;
	log_info(c->log, "event=ike-hello pid=%u", m->hello.pid);
	ipsec_send(c, &ok);
}

/* Every SA that came by this link, or by an earlier one. */
static void on_flush(struct ctl *c, const struct sslink_msg *m)
{
	for (uint32_t i = 0; i < c->conns.n_slots; i++) {
		struct conn *k = c->conns.slot[i];

		if (k != NULL && !k->is_static && (k->ike != NULL || k->orphan))
			ctl_conn_closed(c, k->id, c->now_ms);
	}
	ipsec_answer(c, m->seq, SSLINK_OK);
}

/* Requests that make or change; while the link synchronises nothing new is made. */
static bool on_request(struct ctl *c, const struct sslink_msg *m)
{
	bool up = c->ipsec->link == LINK_UP;

	switch (m->type) {
	case SSLINK_ADD_SA:
		if (m->add_sa.resync)
			sync_on_sa(c, m);
		else if (up)
			sa_on_add(c, m);
		break;
	case SSLINK_GET_SPI:
		if (up)
			sa_on_get_spi(c, m);
		break;
	case SSLINK_FLUSH_SAS:
		if (up)
			on_flush(c, m);
		break;
	case SSLINK_DEL_SA:
		sa_on_del(c, m);
		return true;
	case SSLINK_QUERY_SA:
		sa_on_query(c, m);
		return true;
	case SSLINK_UPDATE_SA:
		sa_on_update(c, m);
		return true;
	default:
		return false;
	}
	if (!up && !(m->type == SSLINK_ADD_SA && m->add_sa.resync))
		ipsec_answer(c, m->seq, SSLINK_BUSY);
	return true;
}

static void on_notice(struct ctl *c, const struct sslink_msg *m)
{
	switch (m->type) {
	case SSLINK_SYNC_END:
		if (c->ipsec->link == LINK_SYNC) {
			sync_end(c);
			ipsec_answer(c, m->seq, SSLINK_OK);
		} else {
			c->ipsec->st.bad_messages++;
			ipsec_answer(c, m->seq, SSLINK_BUSY);
		}
		break;
	case SSLINK_IKE_UP:
		ike_on_up(c, &m->ike_up);
		break;
	case SSLINK_IKE_DOWN:
		ike_on_down(c, m->ike_rekey.old_id);
		break;
	case SSLINK_IKE_REKEY:
		ike_on_rekey(c, m->ike_rekey.old_id, m->ike_rekey.new_id);
		break;
	case SSLINK_CHILDREN_MIGRATE:
		ike_on_migrate(c, &m->ike_rekey);
		break;
	case SSLINK_CHILD_REKEY:
		ike_on_child_rekey(c, &m->child_rekey);
		break;
	default: /* the daemon's own */
		c->ipsec->st.bad_messages++;
		break;
	}
}

static bool is_request(enum sslink_type t)
{
	return t >= SSLINK_SYNC_END && t <= SSLINK_FLUSH_SAS;
}

void ctl_ike_rx(struct ctl *c, const struct sslink_msg *m, uint64_t now_ms)
{
	struct ipsec *p = c->ipsec;

	c->now_ms = now_ms;
	if (p->link == LINK_DOWN)
		return;
	if (m->type == SSLINK_HELLO) {
		on_hello(c, m);
	} else if (p->link == LINK_HELLO) {
		p->st.bad_messages++;
		if (is_request(m->type))
			ipsec_answer(c, m->seq, SSLINK_BUSY);
	} else if (!on_request(c, m)) {
		on_notice(c, m);
	}
	poll_some(c, SAS_A_MESSAGE);
}

/* ---- turns and events ---- */

static bool poll_some(struct ctl *c, uint32_t sas)
{
	bool more;

	conns_settle(c);
	sa_poll(c, sas);
	more = child_move(c);
	more |= child_poll(c);
	conns_settle(c);
	return more;
}

bool ipsec_poll(struct ctl *c)
{
	return poll_some(c, SAS_A_TURN);
}

bool ctl_waits(const struct ctl *c)
{
	return c->ipsec->n_waiting > 0;
}

void ipsec_punt(struct ctl *c, const struct dp_punt *p)
{
	sa_event(c, p);
}

/*
 * A bucket of ANSWER_BURST that fills by one every ANSWER_EVERY_MS: answer_due_ms is when it is full. When it
 * is down nothing could carry an answer.
 */
bool ipsec_may_answer(const struct conn *k, uint64_t now_ms)
{
	return !k->down && k->answer_due_ms <= now_ms + (ANSWER_BURST - 1) * ANSWER_EVERY_MS;
}

void ipsec_answered(struct conn *k, uint64_t now_ms)
{
	if (k == NULL || k->down || (k->ike_id == 0 && !k->is_static))
		return;
	if (k->answer_due_ms < now_ms)
		k->answer_due_ms = now_ms;
	k->answer_due_ms += ANSWER_EVERY_MS;
}
