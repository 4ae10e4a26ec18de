/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * What happens between HELLO and SYNC_END. A daemon that is the one we know gets its SAs replayed. To
 * another one nothing of the old may reach: it would number packets, and nonces, from the start under
 * keys that were used before. So every IKE_SA ends first.
 */
#include "charon/sallyport.h"

#include <processing/jobs/callback_job.h>

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* Without progress for so long, the link is given up and all is tried again. */
#define PURGE_STALL_MS 5000
#define PURGE_STEP_MS  20
#define PURGE_AGAIN_MS 200

/* Terminations under way; lives until the last job and the reader are done with it. */
struct purge {
	struct table *table;
	refcount_t refs;
	refcount_t jobs; /* not done yet */
	refcount_t victims;
};

struct victim {
	struct purge *purge;
	uint32_t ike_id; /* 0: the job that finds the others */
};

static void purge_put(struct purge *p)
{
	if (ref_put(&p->refs))
		free(p);
}

static job_requeue_t purge_job(void *data);

/* Also when charon ends before the job has run. */
static void purge_job_done(void *data)
{
	struct victim *v = data;

	ignore_result(ref_put(&v->purge->jobs));
	purge_put(v->purge);
	free(v);
}

static void queue_purge_job(struct purge *p, uint32_t ike_id)
{
	struct victim *v;

	ref_get(&p->refs);
	ref_get(&p->jobs);
	INIT(v, .purge = p, .ike_id = ike_id);
	lib->processor->queue_job(
	        lib->processor, (job_t *)callback_job_create_with_prio(purge_job, v, purge_job_done,
	                                                               NULL, JOB_PRIO_HIGH));
}

static void find_victims(struct purge *p)
{
	enumerator_t *e;
	ike_sa_t *sa;

	/* All that exist now: those that a thread is busy with are waited for. */
	e = charon->ike_sa_manager->create_enumerator(charon->ike_sa_manager, TRUE);
	while (e->enumerate(e, &sa)) {
		ref_get(&p->victims);
		queue_purge_job(p, sa->get_unique_id(sa));
	}
	e->destroy(e);
}

static job_requeue_t purge_job(void *data)
{
	struct victim *v = data;

	/* Forced: the delete is sent, and nobody waits for its answer. */
	if (v->ike_id == 0)
		find_victims(v->purge);
	else if (charon->controller->terminate_ike(charon->controller, v->ike_id, TRUE, NULL, NULL,
	                                           0) == NOT_FOUND)
		table_ike_missing(v->purge->table, v->ike_id);
	return JOB_REQUEUE_NONE;
}

/*
 * How many doomed ones there are still. What an IKE_SA has become by the time that its job comes is among them:
 * such get jobs of their own.
 */
static unsigned int left(struct purge *p, bool again)
{
	unsigned int i, n;
	uint32_t *ids = table_doomed(p->table, &n);

	if (ids == NULL)
		return 1;
	for (i = 0; again && i < n; i++)
		queue_purge_job(p, ids[i]);
	free(ids);
	return n;
}

/* Until all jobs are done, and neither SA nor doomed IKE_SA is left, while there is progress. 0, or -errno. */
static int purge_wait(struct link *l, struct purge *p)
{
	unsigned int jobs, sas, ikes, least = UINT_MAX, stalled = 0;

	for (;;) {
		jobs = ref_cur(&p->jobs);
		sas = table_count(p->table);
		ikes = left(p, jobs == 0 && stalled > 0 && stalled % PURGE_AGAIN_MS == 0);
		if (jobs == 0 && sas == 0 && ikes == 0)
			return 0;
		stalled += PURGE_STEP_MS;
		if (jobs + sas + ikes < least) {
			least = jobs + sas + ikes;
			stalled = 0;
		}
		/* An SA without an IKE_SA is nothing to wait for any longer. */
		if (stalled >= PURGE_STALL_MS)
			return jobs == 0 && ikes == 0 ? 0 : -ETIMEDOUT;
		if (link_pause(l, PURGE_STEP_MS))
			return -ESHUTDOWN;
	}
}

/* Ends all IKE_SAs. 0, or -errno when that did not come about. */
static int purge(struct sallyport *s, struct link *l)
{
	struct purge *p;
	int r;

	INIT(p, .table = s->table, .refs = 1);
	table_doom(s->table);
	queue_purge_job(p, 0);
	r = purge_wait(l, p);
	if (r == 0) {
		table_clear(s->table);
		DBG1(DBG_KNL,
		     "sallyport: the daemon is another one, or has missed too much; terminated %u "
		     "IKE_SAs",
		     ref_cur(&p->victims));
	}
	purge_put(p);
	return r;
}

/* -errno of an answer that is not OK. */
static int verdict(const struct sslink_msg *m, int r, const struct sslink_answer *a)
{
	if (r == 0 && a->status != SSLINK_OK) {
		DBG1(DBG_KNL, "sallyport: the daemon has refused %s (status %u)",
		     sslink_type_name(m->type), a->status);
		r = -ECONNREFUSED;
	}
	return r;
}

/* What there is, but for what has been replayed already; *more: there was something. 0, or -errno. */
static int replay_some(struct sallyport *s, struct link *l, unsigned int *replayed, bool *more)
{
	struct sslink_msg m = {.type = SSLINK_ADD_SA};
	struct sslink_answer a;
	struct sa_key *keys;
	unsigned int i, n;
	int r = 0;

	*more = false;
	keys = table_installed(s->table, &n);
	for (i = 0; i < n && r == 0; i++) {
		if (!table_replay(s->table, &keys[i], s->round, &m.add_sa))
			continue; /* deleted meanwhile, or its name has changed */
		*more = true;
		r = link_converse(l, &m, &a);
		if (r == 0 && a.status == SSLINK_OK) {
			(*replayed)++;
		} else if (r == 0) {
			DBG1(DBG_KNL, "sallyport: the daemon has lost SPI %08x, deleting it",
			     keys[i].spi);
			order_delete_child(keys[i].spi, &keys[i].dst);
		}
	}
	sslink_wipe(&m, sizeof(m));
	free(keys);
	return r;
}

/* Until there is nothing that was not replayed: a peer may move meanwhile, and that is another name of its SA. */
static int replay(struct sallyport *s, struct link *l, unsigned int *replayed)
{
	bool more = true;
	int r = 0;

	*replayed = 0;
	s->round++;
	while (r == 0 && more)
		r = replay_some(s, l, replayed, &more);
	return r;
}

int sync_link(void *ctx, struct link *l)
{
	struct sallyport *s = ctx;
	struct sslink_msg m = {.type = SSLINK_HELLO};
	struct sslink_answer a;
	unsigned int n;
	int r;

	m.hello.version = SSLINK_VERSION;
	m.hello.instance = s->instance;
	m.hello.pid = (uint32_t)getpid();
	r = verdict(&m, link_converse(l, &m, &a), &a);
	if (r == 0 && s->daemon != 0 && (a.a != s->daemon || link_missed_some(l))) {
		r = purge(s, l);
		if (r == 0)
			link_forget_missed(l);
	}
	if (r < 0)
		return r;
	s->daemon = a.a;
	link_opened(l);
	r = link_send_missed(l);
	if (r < 0)
		return r;
	r = replay(s, l, &n);
	if (r == 0 && link_missed_some(l))
		r = -ENOBUFS; /* since then; the next link starts with a purge */
	if (r < 0)
		return r;
	memset(&m, 0, sizeof(m));
	m.type = SSLINK_SYNC_END;
	m.sync_end = n;
	r = verdict(&m, link_converse(l, &m, &a), &a);
	if (r == 0 && n > 0)
		DBG1(DBG_KNL, "sallyport: %u SAs were replayed", n);
	return r;
}
