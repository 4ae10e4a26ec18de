/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * A new link to charon: its snapshot against what is known here. What it does not have any more is an
 * orphan (DESIGN section 5): a fired connection loses its SAs at once, another lives until the hard
 * lifetime of its SAs or the end of its tunnels.
 */
#include "control/ipsec_int.h"

static void orphan(struct ctl *c, struct conn *k)
{
	struct child *ch;
	struct sa *sa;

	ike_detach(k);
	if (k->down)
		return;
	if (!k->orphan) {
		c->ipsec->st.orphans++;
		c->ipsec->st.orphans_now++;
		log_notice(c->log, "event=ipsec-orphan conn=%lu ike=%u tunnels=%u", k->id,
		           k->ike_id, k->tunnels);
	}
	k->orphan = true;
	if (k->fired || k->disconnecting || k->n_sas == 0) {
		ctl_conn_closed(c, k->id, c->now_ms);
		return;
	}
	if (k->tunnels != 0)
		return;
	CHILD_FOREACH (ch, k)
		SA_FOREACH (sa, ch)
			if (sa->hard_at == UINT64_MAX) {
				sa->hard_at = c->now_ms + ORPHAN_LIFE_MS;
				sa_arm(sa);
			}
}

static void forget_ike(struct ike *e)
{
	struct conn *k;

	while ((k = slab_at(e->conns)) != NULL)
		orphan(e->ctl, k);
}

void sync_forget(struct ctl *c)
{
	struct ike *e;

	for (uint32_t i = 0; i < IKE_BUCKETS; i++)
		while ((e = slab_at(c->ipsec->ikes[i])) != NULL) {
			forget_ike(e);
			ike_free(e);
		}
}

/*
 * The connection may have moved while there was no link to hear of it (E4). With IKEv1 the new IKE_SA is
 * a new authentication, which does not take over a connection that has fired; and the old one lives on for
 * a while, to ask for children that it must not get.
 */
static bool belongs(struct ctl *c, struct conn *k, const struct sslink_ike *info)
{
	bool elsewhere = k->ike != NULL && k->ike->id != info->id;
	struct ike *e;

	if (elsewhere && info->version == 1 && (k->fired || k->disconnecting))
		return false;
	if (elsewhere && info->version != 1)
		ike_on_rekey(c, k->ike->id, info->id);
	e = ike_get(c, info);
	if (e == NULL)
		return false;
	e->seen = c->ipsec->link_no;
	e->up = true;
	if (elsewhere && info->version == 1)
		ike_adopt(e, k);
	return k->ike == e;
}

/*
 * An outbound SA's name is its peer's address, which may have changed unheard; then it is one of the same
 * IKE_SA. And another peer's may have had that name before, and its SPI, which are for the peers to choose:
 * so one by name alone is that of an IKE_SA which has nothing here yet, by a renewal unheard, and has not moved.
 */
static struct sa *find(const struct ctl *c, const struct sslink_add_sa *a, const struct ike *e)
{
	struct sa *sa = NULL;

	if (a->inbound)
		return sa_find(c, a->spi, true, NULL);
	if (e != NULL)
		sa = sa_find_replayed(e, a->spi, &a->dst.addr);
	if (sa != NULL || (e != NULL && e->conns != 0))
		return sa;
	sa = sa_find(c, a->spi, false, &a->dst.addr);
	if (sa == NULL || sa->seen == c->ipsec->link_no || !endpoint_eq(sa_said_peer(sa), &a->dst))
		return NULL;
	return sa;
}

void sync_on_sa(struct ctl *c, const struct sslink_msg *m)
{
	const struct sslink_add_sa *a = &m->add_sa;
	struct ike *e = ike_find(c, a->ike.id);
	struct sa *sa = find(c, a, e);
	const char *why;

	if (c->ipsec->link != LINK_SYNC) {
		ipsec_answer(c, m->seq, SSLINK_BUSY);
		return;
	}
	if (e != NULL) {
		e->seen = c->ipsec->link_no;
		e->up = true;
	}
	if (sa == NULL || sa->child == NULL || a->ike.id == 0 || sa->conn->is_static ||
	    !belongs(c, sa->conn, &a->ike)) {
		ipsec_refuse(c, m, &a->ike, NULL, SSLINK_REFUSED, "not known here");
		return;
	}
	why = sa_replayed(sa, a);
	if (why != NULL) {
		ipsec_refuse(c, m, &a->ike, sa->conn, SSLINK_REFUSED, why);
		return;
	}
	sa->seen = c->ipsec->link_no;
	ipsec_answer(c, m->seq, SSLINK_OK);
}

/* SAs of a connection that lives which charon has deleted meanwhile; and what it must hear. */
static void check_conn(struct ctl *c, struct conn *k)
{
	struct child *ch, *next_child;
	struct sa *sa, *next;

	for (ch = slab_at(k->children.first); ch != NULL; ch = next_child) {
		next_child = slab_at(ch->link.next);
		for (sa = slab_at(ch->sas); sa != NULL; sa = next) {
			next = slab_at(sa->next);
			if (sa->seen != c->ipsec->link_no)
				sa_remove(sa);
			else
				sa_tell(sa);
		}
		child_check(c, ch); /* with the last one the connection may go */
	}
}

static void check_ike(struct ike *e)
{
	struct ctl *c = e->ctl;
	bool used = e->conns != 0;
	struct conn *k, *next;

	if (e->seen == c->ipsec->link_no) {
		for (k = slab_at(e->conns); k != NULL; k = next) {
			next = slab_at(k->ike_next);
			check_conn(c, k);
		}
		if (e->terminate || e->ending)
			ike_terminate(e);
		return;
	}
	/*
	 * It is gone, or has no child: if it were left to open another, that would belong to a new
	 * connection of an old authentication (E1).
	 */
	forget_ike(e);
	if (used || e->retired)
		ike_terminate(e);
	else
		ike_free(e);
}

void sync_end(struct ctl *c)
{
	struct ike *e, *next;

	c->ipsec->link = LINK_UP;
	for (uint32_t i = 0; i < IKE_BUCKETS; i++)
		for (e = slab_at(c->ipsec->ikes[i]); e != NULL; e = next) {
			next = slab_at(e->next);
			check_ike(e);
		}
	log_info(c->log, "event=ike-synced ike-sas=%u connections=%u orphans=%u",
	         c->ipsec->st.ike_now, c->ipsec->st.conns_now, c->ipsec->st.orphans_now);
}
