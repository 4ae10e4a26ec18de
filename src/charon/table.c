/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 Sallyport contributors */
#include "charon/table.h"

#include <collections/hashtable.h>
#include <library.h>
#include <threading/mutex.h>

#include <string.h>
#include <sys/queue.h>

struct sa {
	struct sa_key key;
	enum sa_state state;
	bool inbound;
	struct sslink_add_sa add; /* its ike is that of the struct ike */
	struct ike *ike; /* never NULL */
	LIST_ENTRY(sa) of_ike;
	unsigned int round; /* of the last replay that had it */
	bool contested; /* another peer has chosen its name */
};

struct ike {
	struct sslink_ike info;
	bool down; /* told */
	bool gone; /* waits for its SAs */
	bool doomed; /* it, and all that comes of it, must end */
	bool spent; /* renewed, or of one that was renewed before */
	bool hearsay; /* known as who has adopted children, and may be gone already */
	bool missed; /* charon did not find it */
	LIST_HEAD(, sa) sas;
};

struct table {
	mutex_t *lock; /* of all below */
	hashtable_t *sas; /* by struct sa_key */
	hashtable_t *ikes; /* by id; 0 is the owner of what no IKE_SA was named for */
};

static u_int key_hash(const void *key)
{
	const struct sa_key *k = key;
	struct endpoint e = {.addr = k->dst};

	return (u_int)endpoint_hash(&e, k->spi);
}

static bool key_equals(const void *a, const void *b)
{
	const struct sa_key *x = a, *y = b;

	return x->spi == y->spi && ipaddr_eq(&x->dst, &y->dst);
}

static u_int id_hash(const void *key)
{
	return *(const uint32_t *)key * 2654435761u;
}

static bool id_equals(const void *a, const void *b)
{
	return *(const uint32_t *)a == *(const uint32_t *)b;
}

struct table *table_create(void)
{
	struct table *t;

	INIT(t, .lock = mutex_create(MUTEX_TYPE_DEFAULT),
	     .sas = hashtable_create(key_hash, key_equals, 64),
	     .ikes = hashtable_create(id_hash, id_equals, 64));
	return t;
}

static struct ike *ike_get(struct table *t, uint32_t id)
{
	return t->ikes->get(t->ikes, &id);
}

static struct ike *ike_note(struct table *t, const struct sslink_ike *info)
{
	struct ike *i = ike_get(t, info->id);

	if (i != NULL) {
		i->info = *info;
		i->down = i->hearsay = i->missed = false;
		return i;
	}
	INIT(i, .info = *info);
	LIST_INIT(&i->sas);
	t->ikes->put(t->ikes, &i->info.id, i);
	return i;
}

static void ike_free(struct table *t, struct ike *i)
{
	t->ikes->remove(t->ikes, &i->info.id);
	free(i);
}

static struct sa *sa_get(struct table *t, const struct sa_key *k)
{
	return t->sas->get(t->sas, k);
}

/*
 * An outbound SA's name is for its peer to choose, SPI and address, and behind one NAT two may choose the same. The
 * second one gets no SA; but charon deletes what it has failed to add, by that name. So a contested name is the
 * SA's of whose IKE_SA the thread has (0: it has none).
 */
static struct sa *sa_named(struct table *t, const struct sa_key *k, uint32_t ike_id)
{
	struct sa *s = sa_get(t, k);
	struct ike *i;

	if (s == NULL || !s->contested || ike_id == 0 || s->ike->info.id == ike_id)
		return s;
	i = ike_get(t, ike_id);
	s = i != NULL ? LIST_FIRST(&i->sas) : NULL;
	while (s != NULL && (s->inbound || s->key.spi != k->spi))
		s = LIST_NEXT(s, of_ike);
	return s;
}

static void sa_give(struct sa *s, struct ike *i)
{
	if (s->ike != NULL)
		LIST_REMOVE(s, of_ike);
	s->ike = i;
	LIST_INSERT_HEAD(&i->sas, s, of_ike);
}

static struct sa *sa_new(struct table *t, const struct sa_key *k, const struct sslink_ike *ike)
{
	struct sa *s;

	INIT(s, .key = *k);
	t->sas->put(t->sas, &s->key, s);
	sa_give(s, ike_note(t, ike));
	return s;
}

static void sa_free(struct table *t, struct sa *s)
{
	struct ike *i = s->ike;

	t->sas->remove(t->sas, &s->key);
	LIST_REMOVE(s, of_ike);
	sslink_wipe(s, sizeof(*s));
	free(s);
	if (LIST_EMPTY(&i->sas) && (i->gone || i->hearsay || i->info.id == 0))
		ike_free(t, i);
}

void table_ike_seen(struct table *t, const struct sslink_ike *ike)
{
	if (ike->id == 0)
		return;
	t->lock->lock(t->lock);
	ike_note(t, ike);
	t->lock->unlock(t->lock);
}

enum ike_renewal table_ike_rekeyed(struct table *t, uint32_t old_id, const struct sslink_ike *now,
                                   bool spent)
{
	enum ike_renewal r = RENEWAL_UNKNOWN;
	struct ike *i, *to;
	struct sa *s;

	t->lock->lock(t->lock);
	i = ike_get(t, old_id);
	spent |= i != NULL && i->spent;
	if (spent || (i != NULL && old_id != now->id)) {
		/* The new one may have asked for an SPI before. */
		to = ike_note(t, now);
		to->spent = spent;
		to->doomed |= i != NULL && i->doomed;
		r = spent ? RENEWAL_SPENT : RENEWAL_GOOD;
	}
	if (r == RENEWAL_GOOD) {
		while ((s = LIST_FIRST(&i->sas)) != NULL)
			sa_give(s, to);
		i->spent = true;
	}
	t->lock->unlock(t->lock);
	return r;
}

bool table_ike_spent(struct table *t, uint32_t id)
{
	struct ike *i;
	bool spent;

	t->lock->lock(t->lock);
	i = ike_get(t, id);
	spent = i != NULL && i->spent;
	t->lock->unlock(t->lock);
	return spent;
}

void table_ike_moved(struct table *t, uint32_t id, const struct endpoint *local,
                     const struct endpoint *remote)
{
	struct ike *i;

	t->lock->lock(t->lock);
	i = ike_get(t, id);
	if (i != NULL) {
		i->info.local = *local;
		i->info.remote = *remote;
	}
	t->lock->unlock(t->lock);
}

static bool among(uint32_t spi, const uint32_t *spis, unsigned int n)
{
	while (n-- > 0) {
		if (spis[n] == spi)
			return true;
	}
	return false;
}

void table_ike_migrated(struct table *t, uint32_t old_id, uint32_t new_id, const uint32_t *in,
                        const uint32_t *out, unsigned int n)
{
	struct sslink_ike info;
	struct ike *from, *to;
	struct sa *s, *next;

	t->lock->lock(t->lock);
	from = ike_get(t, old_id);
	to = ike_get(t, new_id);
	if (from != NULL && to == NULL) {
		/* Not up yet: the same peer, which has yet to authenticate again. */
		info = from->info;
		info.id = new_id;
		info.auth = SSLINK_AUTH_UNKNOWN;
		to = ike_note(t, &info);
		to->hearsay = true;
	}
	if (from != NULL)
		to->doomed |= from->doomed;
	for (s = from != NULL ? LIST_FIRST(&from->sas) : NULL; s != NULL; s = next) {
		next = LIST_NEXT(s, of_ike);
		if (among(s->key.spi, s->inbound ? in : out, n))
			sa_give(s, to);
	}
	t->lock->unlock(t->lock);
}

bool table_ike_down(struct table *t, uint32_t id, bool gone)
{
	struct ike *i;
	bool tell;

	t->lock->lock(t->lock);
	i = id != 0 ? ike_get(t, id) : NULL;
	tell = i != NULL && !i->down && !i->spent;
	if (i != NULL) {
		i->down = true;
		i->gone = gone;
		if (gone && LIST_EMPTY(&i->sas))
			ike_free(t, i);
	}
	t->lock->unlock(t->lock);
	return tell;
}

void table_doom(struct table *t)
{
	enumerator_t *e;
	struct ike *i;

	t->lock->lock(t->lock);
	e = t->ikes->create_enumerator(t->ikes);
	while (e->enumerate(e, NULL, &i))
		i->doomed = true;
	e->destroy(e);
	t->lock->unlock(t->lock);
}

uint32_t *table_doomed(struct table *t, unsigned int *n)
{
	enumerator_t *e;
	uint32_t *ids;
	struct ike *i;

	*n = 0;
	t->lock->lock(t->lock);
	ids = calloc(t->ikes->get_count(t->ikes) + 1, sizeof(*ids));
	e = t->ikes->create_enumerator(t->ikes);
	while (ids != NULL && e->enumerate(e, NULL, &i)) {
		if (i->doomed && !i->gone && i->info.id != 0)
			ids[(*n)++] = i->info.id;
	}
	e->destroy(e);
	t->lock->unlock(t->lock);
	return ids;
}

void table_ike_missing(struct table *t, uint32_t id)
{
	struct ike *i;
	bool again;

	t->lock->lock(t->lock);
	i = ike_get(t, id);
	again = i != NULL && i->missed;
	if (i != NULL)
		i->missed = true;
	t->lock->unlock(t->lock);
	if (again)
		table_ike_down(t, id, true);
}

bool table_allocated(struct table *t, const struct sa_key *k, const struct sslink_ike *ike)
{
	struct sa *s = NULL;

	t->lock->lock(t->lock);
	if (sa_get(t, k) == NULL) {
		s = sa_new(t, k, ike);
		s->state = SA_ALLOCATED;
		s->inbound = true;
	}
	t->lock->unlock(t->lock);
	return s != NULL;
}

bool table_asked(struct table *t, const struct sslink_add_sa *a)
{
	struct sa_key k = {.spi = a->spi, .dst = a->dst.addr};
	struct sa *s;

	t->lock->lock(t->lock);
	s = sa_get(t, &k);
	if (s != NULL && s->state != SA_ALLOCATED) {
		s->contested = true;
		t->lock->unlock(t->lock);
		return false;
	}
	if (s == NULL)
		s = sa_new(t, &k, &a->ike);
	else
		sa_give(s, ike_note(t, &a->ike)); /* a task may have moved since the SPI */
	s->add = *a;
	s->inbound = a->inbound;
	s->state = SA_ASKED;
	t->lock->unlock(t->lock);
	return true;
}

void table_answered(struct table *t, const struct sa_key *k, bool installed)
{
	struct sa *s;

	t->lock->lock(t->lock);
	s = sa_get(t, k);
	if (s != NULL && s->state == SA_ASKED) {
		if (installed) {
			s->state = SA_INSTALLED;
		} else if (s->add.update) {
			sslink_wipe(&s->add, sizeof(s->add));
			s->state = SA_ALLOCATED;
		} else {
			sa_free(t, s);
		}
	}
	t->lock->unlock(t->lock);
}

/* A selector of the host itself, as transport mode has it, moves with it; charon does the same. */
static void move_ts(struct sslink_ts *ts, const struct ipaddr *old, const struct ipaddr *new)
{
	if (ipaddr_eq(&ts->first, old) && ipaddr_eq(&ts->last, old))
		ts->first = ts->last = *new;
}

void table_updated(struct table *t, const struct sa_key *k, const struct sslink_update_sa *u)
{
	struct sa_key now = {.spi = k->spi, .dst = u->new_dst.addr};
	struct sa *s, *there;

	t->lock->lock(t->lock);
	s = sa_get(t, k);
	there = sa_get(t, &now);
	if (there != NULL && there != s)
		there->contested = true;
	else if (s != NULL) {
		t->sas->remove(t->sas, k);
		s->key = now;
		move_ts(s->inbound ? &s->add.remote_ts : &s->add.local_ts, &s->add.src.addr,
		        &u->new_src.addr);
		move_ts(s->inbound ? &s->add.local_ts : &s->add.remote_ts, &s->add.dst.addr,
		        &u->new_dst.addr);
		s->add.src = u->new_src;
		s->add.dst = u->new_dst;
		s->add.encap = u->encap;
		t->sas->put(t->sas, &s->key, s);
	}
	t->lock->unlock(t->lock);
}

static enum sa_state find(struct table *t, struct sa_key *k, uint32_t ike_id, bool *inbound,
                          bool forget)
{
	enum sa_state state = SA_NONE;
	struct sa *s;

	t->lock->lock(t->lock);
	s = sa_named(t, k, ike_id);
	if (s != NULL) {
		state = s->state;
		*k = s->key;
		*inbound = s->inbound;
		if (forget)
			sa_free(t, s);
	}
	t->lock->unlock(t->lock);
	return state;
}

enum sa_state table_find(struct table *t, struct sa_key *k, uint32_t ike_id, bool *inbound)
{
	return find(t, k, ike_id, inbound, false);
}

enum sa_state table_remove(struct table *t, struct sa_key *k, uint32_t ike_id, bool *inbound)
{
	return find(t, k, ike_id, inbound, true);
}

unsigned int table_count(struct table *t)
{
	unsigned int n;

	t->lock->lock(t->lock);
	n = t->sas->get_count(t->sas);
	t->lock->unlock(t->lock);
	return n;
}

/* All of one kind, or any kind (SA_NONE); called locked. */
static struct sa_key *keys(struct table *t, enum sa_state state, unsigned int *n)
{
	unsigned int room = t->sas->get_count(t->sas);
	struct sa_key *k = room > 0 ? calloc(room, sizeof(*k)) : NULL;
	enumerator_t *e;
	struct sa *s;

	*n = 0;
	if (k == NULL)
		return NULL;
	e = t->sas->create_enumerator(t->sas);
	while (e->enumerate(e, NULL, &s)) {
		if (state == SA_NONE || s->state == state)
			k[(*n)++] = s->key;
	}
	e->destroy(e);
	return k;
}

struct sa_key *table_installed(struct table *t, unsigned int *n)
{
	struct sa_key *k;

	t->lock->lock(t->lock);
	k = keys(t, SA_INSTALLED, n);
	t->lock->unlock(t->lock);
	return k;
}

bool table_replay(struct table *t, const struct sa_key *k, unsigned int round,
                  struct sslink_add_sa *out)
{
	struct sa *s;
	bool there;

	t->lock->lock(t->lock);
	s = sa_get(t, k);
	there = s != NULL && s->state == SA_INSTALLED && s->round != round && !s->ike->down;
	if (there) {
		s->round = round;
		*out = s->add;
		out->ike = s->ike->info;
		out->resync = true;
	}
	t->lock->unlock(t->lock);
	return there;
}

void table_clear(struct table *t)
{
	struct sa_key *k;
	unsigned int n, i;

	t->lock->lock(t->lock);
	k = keys(t, SA_NONE, &n);
	for (i = 0; i < n; i++)
		sa_free(t, sa_get(t, &k[i]));
	free(k);
	t->lock->unlock(t->lock);
}

void table_destroy(struct table *t)
{
	enumerator_t *e;
	struct ike *i;

	table_clear(t);
	e = t->ikes->create_enumerator(t->ikes);
	while (e->enumerate(e, NULL, &i))
		free(i);
	e->destroy(e);
	t->ikes->destroy(t->ikes);
	t->sas->destroy(t->sas);
	t->lock->destroy(t->lock);
	free(t);
}
