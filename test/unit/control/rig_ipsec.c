/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "control/rig_ipsec.h"

#include <CUnit/CUnit.h>
#include <errno.h>

void rig_note(struct rig *r, enum rig_op op, uint32_t child, uint16_t type)
{
	r->events[r->n_events++ % RIG_EVENTS] =
	        (struct rig_event){.op = op, .child = child, .type = type};
}

/* ---- the data plane's functions ---- */

int dp_child_add(struct dp *dp, const struct dp_child *c, uint32_t *child)
{
	struct rig *r = rig_of(dp);

	CU_ASSERT_NOT_EQUAL(c->conn, 0);
	CU_ASSERT_TRUE(c->worker < RIG_WORKERS);
	for (uint32_t i = 1; i < RIG_CHILDREN; i++) {
		if (r->child[i].used)
			continue;
		r->child[i] = (struct rig_child){.c = *c, .used = true};
		r->n_children++;
		*child = i;
		return 0;
	}
	return -ENOSPC;
}

int dp_child_del(struct dp *dp, uint32_t child)
{
	struct rig *r = rig_of(dp);

	CU_ASSERT_TRUE(r->child[child].used);
	CU_ASSERT_EQUAL(r->child[child].n_in + r->child[child].n_out, 0);
	CU_ASSERT_EQUAL(r->child[child].n_sessions, 0);
	r->child[child].used = false;
	r->n_children--;
	return 0;
}

void dp_child_latch(struct dp *dp, uint32_t child)
{
	struct rig *r = rig_of(dp);

	CU_ASSERT_TRUE(r->child[child].used);
	r->child[child].latched = true;
	rig_note(r, RIG_LATCH, child, 0);
}

uint16_t dp_spi_worker(uint32_t spi)
{
	return spi & 63;
}

int dp_spi_get(struct dp *dp, uint16_t worker, uint32_t *spi)
{
	struct rig *r = rig_of(dp);

	for (uint32_t i = 0; i < RIG_SPIS; i++) {
		uint32_t n = r->next_spi++ % RIG_SPIS;

		if (r->spi_used[n])
			continue;
		r->spi_used[n] = true;
		r->n_spis++;
		*spi = 0xc0000000u | n << 6 | worker;
		return 0;
	}
	return -ENOSPC;
}

static uint32_t spi_index(uint32_t spi)
{
	return (spi >> 6) % RIG_SPIS;
}

int dp_spi_take(struct dp *dp, uint32_t spi)
{
	struct rig *r = rig_of(dp);

	if (r->spi_used[spi_index(spi)])
		return -EBUSY;
	r->spi_used[spi_index(spi)] = true;
	r->n_spis++;
	return 0;
}

void dp_spi_put(struct dp *dp, uint32_t spi)
{
	struct rig *r = rig_of(dp);

	CU_ASSERT_TRUE(r->spi_used[spi_index(spi)]);
	r->spi_used[spi_index(spi)] = false;
	r->n_spis--;
}

static struct rig_sa *sa_of(struct rig *r, dp_sa_id id)
{
	struct rig_sa *s = &r->sa[id % RIG_SAS];

	return id != 0 && s->id == id ? s : NULL;
}

int dp_sa_add(struct dp *dp, const struct dp_sa *sa, dp_sa_id *id, uint64_t *ticket)
{
	struct rig *r = rig_of(dp);
	struct rig_child *ch = &r->child[sa->child];

	if (r->fifo_full)
		return -EAGAIN;
	if (r->sa_limit != 0 && r->n_sas >= r->sa_limit)
		return -ENOSPC;
	CU_ASSERT_TRUE(ch->used && !ch->latched);
	if (sa->inbound) {
		CU_ASSERT_TRUE(r->spi_used[spi_index(sa->spi)]);
		CU_ASSERT_EQUAL(dp_spi_worker(sa->spi), ch->c.worker);
		CU_ASSERT_EQUAL(sa->pair, 0);
	} else if (sa->pair != 0) {
		CU_ASSERT_PTR_NOT_NULL(sa_of(r, sa->pair));
	}
	do
		r->next_sa++;
	while (r->sa[r->next_sa % RIG_SAS].id != 0);
	r->sa[r->next_sa % RIG_SAS] = (struct rig_sa){.s = *sa, .id = r->next_sa};
	r->n_sas++;
	ch->n_in += sa->inbound;
	ch->n_out += !sa->inbound;
	*id = r->next_sa;
	if (ticket != NULL)
		*ticket = ++r->tickets;
	rig_note(r, RIG_SA_ADD, sa->child, 0);
	return 0;
}

int dp_sa_update(struct dp *dp, dp_sa_id id, const struct endpoint *local,
                 const struct endpoint *peer, bool encap)
{
	struct rig *r = rig_of(dp);
	struct rig_sa *s = sa_of(r, id);

	if (r->fifo_full)
		return -EAGAIN;
	if (s == NULL)
		return -ENOENT;
	s->s.local = *local;
	s->s.peer = *peer;
	s->s.encap = encap;
	return 0;
}

int dp_sa_use(struct dp *dp, dp_sa_id id)
{
	struct rig *r = rig_of(dp);
	struct rig_sa *s = sa_of(r, id);

	if (r->fifo_full)
		return -EAGAIN;
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_FALSE(s->s.inbound);
	rig_note(r, RIG_SA_USE, s->s.child, 0);
	return 0;
}

int dp_sa_del(struct dp *dp, dp_sa_id id, uint64_t *ticket)
{
	struct rig *r = rig_of(dp);
	struct rig_sa *s = sa_of(r, id);

	if (r->fifo_full)
		return -EAGAIN;
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	rig_note(r, RIG_SA_DEL, s->s.child, 0);
	r->child[s->s.child].n_in -= s->s.inbound;
	r->child[s->s.child].n_out -= !s->s.inbound;
	if (s->s.inbound)
		dp_spi_put(dp, s->s.spi);
	s->id = 0;
	r->n_sas--;
	*ticket = ++r->tickets;
	return 0;
}

void *dp_sa_user(const struct dp *dp, dp_sa_id id)
{
	const struct rig_sa *s = sa_of(rig_of((struct dp *)(uintptr_t)dp), id);

	return s != NULL ? s->s.user : NULL;
}

int dp_sa_stats(struct dp *dp, dp_sa_id id, struct dp_sa_stats *out)
{
	struct rig_sa *s = sa_of(rig_of(dp), id);

	if (s == NULL)
		return -ENOENT;
	*out = (struct dp_sa_stats){.packets = 3, .bytes = 300, .used = true, .idle_ms = 7000};
	return 0;
}

/* ---- the model ---- */

static bool is_any(const struct rig_child *ch)
{
	return ch->c.peer.addr.family == 0; /* made without IKE */
}

bool rig_child_sends(const struct rig *r, uint32_t child)
{
	const struct rig_child *ch = &r->child[child];

	return ch->used && (is_any(ch) || ch->n_out > 0);
}

static struct rig_child *child_of(struct rig *r, const struct l2tp_path *path)
{
	struct rig_child *found = NULL;

	for (uint32_t i = 1, n = r->n_children; n > 0 && i < RIG_CHILDREN; i++) {
		struct rig_child *ch = &r->child[i];

		if (!ch->used)
			continue;
		n--;
		if (ch->c.conn != path->conn)
			continue;
		if (is_any(ch) || (ch->n_in > 0 && ch->c.peer.port == path->remote.port))
			return ch;
		if (ch->n_in > 0 && ch->c.peer.port == 0)
			found = ch;
	}
	return found;
}

bool rig_comes_in(struct rig *r, const struct l2tp_path *path, const struct l2tp_hdr *h)
{
	const struct rig_child *ch = child_of(r, path);

	if (ch == NULL) {
		r->no_sa_drops++;
		return false;
	}
	/* Of those without IKE the tests want to see what control itself does. */
	if (!ch->latched || is_any(ch))
		return true;
	if (h->t && h->tunnel_id != 0 && r->tunnel_known[h->tunnel_id] &&
	    r->tunnel_conn[h->tunnel_id] == path->conn)
		return true;
	/* A frame of PPP's own is no forwarded packet, but a latched child lets no data in at all. */
	r->latched_drops++;
	return false;
}

void rig_check_tunnel(const struct rig *r, uint64_t conn)
{
	const struct conn *k = ctl_conn(r->ctl, conn);

	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	CU_ASSERT_FALSE(k->used_by_single_shot || k->fired || k->disconnecting || k->down);
}

void rig_check_session(struct rig *r, const struct dp_session *s)
{
	const struct conn *k = ctl_conn(r->ctl, s->conn);

	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	CU_ASSERT_FALSE(k->fired || k->disconnecting || k->down);
	if (!k->used_by_single_shot)
		return;
	/*
	 * One a peer authentication (E1). A standard tunnel may have had many in the same connection, before
	 * its client authenticated anew.
	 */
	CU_ASSERT_TRUE(r->conn_sessions[s->conn % RIG_CONNS] <=
	               r->conn_renewals[s->conn % RIG_CONNS]);
	r->conn_sessions[s->conn % RIG_CONNS]++;
}

void rig_forward(struct rig *r, const struct dp_session *s)
{
	const struct conn *k = ctl_conn(r->ctl, s->conn);

	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	CU_ASSERT_FALSE(k->fired);
	CU_ASSERT_FALSE(s->conn != 0 && r->conn_goodbye[s->conn % RIG_CONNS]);
	r->forwarded++;
}

void rig_session_child(struct rig *r, const struct dp_session *s, int change)
{
	CU_ASSERT_EQUAL(s->child != 0, s->conn != 0);
	if (s->child == 0)
		return;
	CU_ASSERT_TRUE(r->child[s->child].used);
	CU_ASSERT_EQUAL(r->child[s->child].c.conn, s->conn);
	CU_ASSERT_EQUAL(r->child[s->child].c.worker, s->worker);
	r->child[s->child].n_sessions += (uint32_t)change;
}

void rig_check_send(struct rig *r, uint32_t child, const uint8_t *p, size_t len)
{
	const struct rig_child *ch = &r->child[child];
	const struct conn *k = ctl_conn(r->ctl, ch->c.conn);
	static struct l2tp_msg m;
	uint16_t bad;

	if (l2tp_msg_parse(p, len, NULL, 0, &m, &bad) != L2TP_MSG_OK) {
		rig_note(r, RIG_SEND, child, 0);
		return;
	}
	rig_note(r, RIG_SEND, child, m.hdr.data_len != 0 ? m.type : 0);
	if (m.hdr.data_len == 0 || k == NULL)
		return;
	if (m.type == L2TP_CDN && l2tp_msg_has(&m, L2TP_AVP_ASSIGNED_SESSION_ID)) {
		const struct rig_dps *d = &r->dps[m.assigned_session_id];

		CU_ASSERT_FALSE(d->used && d->s.conn == ch->c.conn && d->s.open);
		if (d->deleted && d->s.conn == ch->c.conn && k->used_by_single_shot) {
			CU_ASSERT_TRUE(ch->latched);
			r->conn_goodbye[k->id % RIG_CONNS] = true;
		}
	}
	if (m.type == L2TP_STOPCCN && l2tp_msg_has(&m, L2TP_AVP_ASSIGNED_TUNNEL_ID) &&
	    r->tunnel_known[m.assigned_tunnel_id] &&
	    r->tunnel_conn[m.assigned_tunnel_id] == ch->c.conn && k->used_by_single_shot) {
		CU_ASSERT_TRUE(ch->latched);
		r->conn_goodbye[k->id % RIG_CONNS] = true;
	}
}
