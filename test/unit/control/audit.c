/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Everything that control keeps a number of, counted again. */
#include "control/scene.h"

#include "control/ipsec_int.h"

#include <string.h>

struct tally {
	uint32_t live, active, ids, in_dp; /* sessions */
	uint32_t tunnels, tunnels_active, half_open;
	uint32_t user[8], host[4];
	uint32_t address[8]; /* users' own in use */
	uint32_t pool;
	uint32_t of_tunnel[N_SLOTS];
	uint32_t of_child[RIG_CHILDREN]; /* sessions, by the data plane's index */
	uint32_t conns, conns_up, orphans, sas, children;
	uint32_t load[DP_MAX_WORKERS];
};

static void count_session(const struct ctl *c, const struct session *s, struct tally *t)
{
	bool live = s->phase == SESSION_LIVE;

	t->ids += s->phase != SESSION_RECORD;
	t->in_dp += live || s->phase == SESSION_ENDED;
	t->pool += s->peer_ip != 0 && !s->framed && s->phase != SESSION_RECORD;
	if (s->child != NULL)
		t->of_child[s->child->index]++;
	if (s->framed && s->phase != SESSION_RECORD)
		t->address[s->user - 1]++;
	CU_ASSERT_EQUAL(live, session_engine(s) != NULL);
	if (!live)
		return;
	CU_ASSERT_EQUAL(s->established, s->ppp != NULL);
	t->live++;
	t->active += s->established;
	t->host[s->tunnel->host]++;
	t->of_tunnel[table_number(&c->tunnels, s->tunnel)]++;
	if (s->user != 0)
		t->user[s->user - 1]++;
}

static void audit_sessions(struct rig *r, struct tally *t)
{
	const struct ctl *c = r->ctl;

	for (uint32_t i = 1; i <= c->sessions.highest; i++)
		if (session_at(c, (uint16_t)i) != NULL)
			count_session(c, session_at(c, (uint16_t)i), t);
	CU_ASSERT_EQUAL(c->st.sessions.live, t->live);
	CU_ASSERT_EQUAL(c->st.sessions.active, t->active);
	CU_ASSERT_EQUAL(c->session_ids->n_used, t->ids);
	CU_ASSERT_EQUAL(r->n_dps, t->in_dp);
	CU_ASSERT_EQUAL(c->pools[0].used, t->pool);
	for (uint32_t i = 0; i < c->conf->n_users; i++) {
		CU_ASSERT_EQUAL(c->users[i].sessions, t->user[i]);
		CU_ASSERT_EQUAL(c->users[i].address, t->address[i]);
	}
	for (uint32_t i = 0; i < r->profile.n_hosts; i++)
		CU_ASSERT_EQUAL(c->hosts[i].sessions, t->host[i]);
	CU_ASSERT_EQUAL(c->profile_sessions[0], t->live);
}

static void audit_tunnels(struct rig *r, struct tally *t)
{
	const struct ctl *c = r->ctl;

	for (uint32_t i = 1; i <= c->tunnels.highest; i++) {
		const struct tunnel *tn = tunnel_at(c, (uint16_t)i);

		if (tn == NULL)
			continue;
		CU_ASSERT_EQUAL(tn->n_live, t->of_tunnel[i]);
		CU_ASSERT_EQUAL(tn->live, tunnel_engine(tn) != NULL);
		/* The latch of whatever single-shot tunnel has ended */
		if (tn->single_shot && tn->went_down && tn->conn->kind != CONN_UDP)
			CU_ASSERT_TRUE(tn->conn->fired);
		t->tunnels += tn->live;
		t->tunnels_active += tn->live && tn->established && !tn->went_down;
		t->half_open += tn->live && tn->half_open != NULL;
	}
	CU_ASSERT_EQUAL(c->st.tunnels.live, t->tunnels);
	CU_ASSERT_EQUAL(c->st.tunnels.active, t->tunnels_active);
	CU_ASSERT_EQUAL(c->tunnel_ids->n_used, t->tunnels);
	CU_ASSERT_EQUAL(halfopen_count(c->half_open), t->half_open);
}

/* Where control thinks that it is, and where the worker sends to. */
static void audit_place(const struct rig *r, const struct sa *sa)
{
	const struct dp_sa *s = &r->sa[sa->id % RIG_SAS].s;

	if (sa->state != SA_LIVE || sa->again)
		return;
	CU_ASSERT_EQUAL(r->sa[sa->id % RIG_SAS].id, sa->id);
	CU_ASSERT_TRUE(endpoint_eq(sa_local(sa), &s->local) && endpoint_eq(sa_peer(sa), &s->peer));
	CU_ASSERT_EQUAL(sa->encap, s->encap);
}

static void audit_child(struct rig *r, const struct child *ch, struct tally *t)
{
	uint32_t in = 0, out = 0;
	const struct sa *sa;

	t->children++;
	SA_FOREACH (sa, ch) {
		in += sa->inbound;
		out += !sa->inbound;
		audit_place(r, sa);
		/* Its order has been given, or will be. */
		CU_ASSERT_TRUE(sa->state != SA_ADDING || sa->waits);
	}
	CU_ASSERT_EQUAL(ch->n_in, in);
	CU_ASSERT_EQUAL(ch->n_out, out);
	t->sas += in + out;
	CU_ASSERT_EQUAL(ch->n_sessions, t->of_child[ch->index]);
	CU_ASSERT_EQUAL(ch->latched, r->child[ch->index].latched);
	CU_ASSERT_EQUAL(ch->n_sessions, r->child[ch->index].n_sessions);
}

static void audit_conn(struct rig *r, const struct conn *k, struct tally *t)
{
	uint32_t before = t->sas, children = t->children;
	const struct child *ch;

	CHILD_FOREACH (ch, k) {
		audit_child(r, ch, t);
		CU_ASSERT_TRUE(!k->fired || ch->latched);
	}
	CU_ASSERT_EQUAL(k->n_sas, t->sas - before);
	CU_ASSERT_EQUAL(k->n_children, t->children - children);
	CU_ASSERT_EQUAL(k->live.first != 0, k->tunnels != 0);
	t->conns++;
	t->conns_up += k->n_sas != 0;
	t->orphans += k->orphan;
	t->load[k->worker]++;
}

static void audit_list(struct rig *r, const struct ref_list *l, struct tally *t)
{
	const struct child *ch;

	REF_FOREACH (ch, l->first, link.next)
		audit_child(r, ch, t);
}

static void audit_ipsec(struct rig *r, struct tally *t)
{
	const struct ctl *c = r->ctl;
	const struct ipsec *p = c->ipsec;
	const struct ike *e;
	uint32_t ikes = 0;

	for (uint32_t i = 0; i < c->conns.n_slots; i++)
		if (c->conns.slot[i] != NULL)
			audit_conn(r, c->conns.slot[i], t);
	audit_list(r, &p->moving, t);
	audit_list(r, &p->leaving, t);
	audit_list(r, &p->left, t);
	for (uint32_t i = 0; p->st.ike_now != 0 && i < IKE_BUCKETS; i++)
		REF_FOREACH (e, p->ikes[i], next) {
			const struct sa *sa;
			uint32_t spis = 0;

			REF_FOREACH (sa, e->spis, next)
				spis++;
			CU_ASSERT_EQUAL(e->n_spis, spis);
			/* Of one that never was up and has nothing nobody would tell the end. */
			CU_ASSERT_TRUE(e->up || spis != 0 || e->conns != 0);
			t->load[e->worker]++;
			ikes++;
		}
	CU_ASSERT_EQUAL(p->st.ike_now, ikes);
	CU_ASSERT_EQUAL(p->st.conns_now, t->conns);
	CU_ASSERT_EQUAL(p->st.conns_up, t->conns_up);
	CU_ASSERT_EQUAL(p->st.orphans_now, t->orphans);
	CU_ASSERT_EQUAL(p->st.sas_now, t->sas);
	CU_ASSERT_EQUAL(p->st.children_now, t->children);
	CU_ASSERT_EQUAL(r->n_children, t->children);
	CU_ASSERT_EQUAL(memcmp(p->load, t->load, sizeof(t->load)), 0);
}

/* What the console shows: of whatever there was no memory for as well. */
static void look(struct rig *r)
{
	static struct ctl_tunnel_view tv;
	static struct ctl_session_view sv;
	static struct ctl_conn_view cv;
	uint32_t cursor = 0;

	while (ctl_tunnel_next(r->ctl, &cursor, r->now_ms, &tv))
		CU_ASSERT_TRUE(tv.uptime_s <= r->now_ms / 1000);
	for (cursor = 0; ctl_session_next(r->ctl, &cursor, r->now_ms, &sv);)
		CU_ASSERT_TRUE(sv.uptime_s <= r->now_ms / 1000);
	for (cursor = 0; ctl_conn_next(r->ctl, &cursor, r->now_ms, &cv);)
		CU_ASSERT_TRUE(cv.uptime_s <= r->now_ms / 1000);
}

void audit(struct rig *r)
{
	static struct tally t;

	t = (struct tally){0};
	audit_sessions(r, &t);
	audit_tunnels(r, &t);
	audit_ipsec(r, &t);
	look(r);
}
