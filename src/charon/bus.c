/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * What happens to IKE_SAs, as charon's bus tells it: the daemon follows a connection through
 * rekeying and renewal, and no request of the kernel interface would show those.
 */
#include "charon/convert.h"
#include "charon/sallyport.h"

#include <stddef.h>
#include <string.h>

static struct sallyport *instance_of(listener_t *listener)
{
	return (struct sallyport *)((char *)listener - offsetof(struct sallyport, listener));
}

static void down(struct sallyport *s, ike_sa_t *sa, bool gone)
{
	struct sslink_msg m = {.type = SSLINK_IKE_DOWN};

	m.ike_rekey.old_id = sa->get_unique_id(sa);
	if (table_ike_down(s->table, m.ike_rekey.old_id, gone))
		link_event(s->link, &m);
}

static bool ike_updown(listener_t *listener, ike_sa_t *sa, bool up)
{
	struct sallyport *s = instance_of(listener);
	struct sslink_msg m = {.type = SSLINK_IKE_UP};

	if (!up) {
		down(s, sa, false);
		return TRUE;
	}
	ike_of(sa, &m.ike_up);
	table_ike_seen(s->table, &m.ike_up);
	link_event(s->link, &m);
	return TRUE;
}

/* Many an IKE_SA goes without a word: half-open, given up, destroyed by its peer. */
static bool ike_state_change(listener_t *listener, ike_sa_t *sa, ike_sa_state_t state)
{
	if (state == IKE_DESTROYING)
		down(instance_of(listener), sa, true);
	return TRUE;
}

/*
 * charon keeps a renewed IKE_SA until its peer deletes it, or for its lifetime. That it ignores requests over it
 * meanwhile is charon's own care: another renewal would give an IKE_SA that nobody has authenticated for (E1).
 */
static bool ike_rekey(listener_t *listener, ike_sa_t *old, ike_sa_t *new)
{
	struct sallyport *s = instance_of(listener);
	struct sslink_msg m = {.type = SSLINK_IKE_REKEY};
	struct sslink_ike now;

	ike_of(new, &now);
	m.ike_rekey.old_id = old->get_unique_id(old);
	m.ike_rekey.new_id = now.id;
	switch (table_ike_rekeyed(s->table, m.ike_rekey.old_id, &now,
	                          old->get_state(old) == IKE_REKEYED)) {
	case RENEWAL_GOOD:
		link_event(s->link, &m);
		break;
	case RENEWAL_SPENT:
		DBG1(DBG_KNL, "sallyport: IKE_SA %u was renewed before, terminating %u",
		     m.ike_rekey.old_id, now.id);
		order_terminate_ike(now.id, TRUE);
		break;
	case RENEWAL_UNKNOWN:
		break;
	}
	return TRUE;
}

/* Not told: UPDATE_SA tells what the daemon needs. What is replayed has to be right, though. */
static bool ike_update(listener_t *listener, ike_sa_t *sa, host_t *local, host_t *remote)
{
	struct endpoint l = endpoint_of(local), r = endpoint_of(remote);

	table_ike_moved(instance_of(listener)->table, sa->get_unique_id(sa), &l, &r);
	return TRUE;
}

static bool child_rekey(listener_t *listener, ike_sa_t *sa, child_sa_t *old, child_sa_t *new)
{
	struct sallyport *s = instance_of(listener);
	struct sslink_msg m = {.type = SSLINK_CHILD_REKEY};

	m.child_rekey.ike_id = sa->get_unique_id(sa);
	m.child_rekey.old_spi_in = ntohl(old->get_spi(old, TRUE));
	m.child_rekey.new_spi_in = ntohl(new->get_spi(new, TRUE));
	link_event(s->link, &m);
	return TRUE;
}

/* The table moves SAs of either direction; the daemon knows the outbound one by its inbound one. */
static void migrate(struct sallyport *s, struct sslink_msg *m, const uint32_t *out)
{
	struct sslink_ike_rekey *r = &m->ike_rekey;

	if (r->n_spis == 0)
		return;
	table_ike_migrated(s->table, r->old_id, r->new_id, r->spis, out, r->n_spis);
	link_event(s->link, m);
	r->n_spis = 0;
}

/*
 * Called for the old IKE_SA, with the new one's id, while the children are still with it; and then
 * for the new one, with 0. By then nothing tells which of its children are adopted ones.
 */
static bool children_migrate(listener_t *listener, ike_sa_t *sa, ike_sa_id_t *new, uint32_t unique)
{
	struct sallyport *s = instance_of(listener);
	struct sslink_msg m = {.type = SSLINK_CHILDREN_MIGRATE};
	struct sslink_ike_rekey *r = &m.ike_rekey;
	uint32_t out[SSLINK_SPIS_MAX];
	enumerator_t *e;
	child_sa_t *child;

	if (sa == NULL || new == NULL || unique == 0)
		return TRUE;
	r->old_id = sa->get_unique_id(sa);
	r->new_id = unique;
	e = sa->create_child_sa_enumerator(sa);
	while (e->enumerate(e, &child)) {
		out[r->n_spis] = ntohl(child->get_spi(child, FALSE));
		r->spis[r->n_spis++] = ntohl(child->get_spi(child, TRUE));
		if (r->n_spis == SSLINK_SPIS_MAX)
			migrate(s, &m, out);
	}
	e->destroy(e);
	migrate(s, &m, out);
	return TRUE;
}

void bus_init(struct sallyport *s)
{
	s->listener = (listener_t){
	        .ike_updown = ike_updown,
	        .ike_state_change = ike_state_change,
	        .ike_rekey = ike_rekey,
	        .ike_update = ike_update,
	        .child_rekey = child_rekey,
	        .children_migrate = children_migrate,
	};
}
