/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "control/scene.h"
#include "must.h"
#include "nomem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEW_PORT  2001 /* of a subscriber who comes when all is over */
#define NEW_IKE   900
#define GIVEN_UP  300000 /* ms; by then every timer has given up on what is dead */
#define EVERY_MAX 13

static void count_line(struct log *log, enum log_level level, const char *line)
{
	struct play *p = log->arg;

	if (getenv("RIG_LOG") != NULL)
		log_sink_stderr(log, level, line);
	p->sessions_up += strncmp(line, "event=session-up ", 17) == 0;
	p->tunnels_up += strncmp(line, "event=tunnel-up ", 16) == 0;
}

static void on_lac(struct rig *r, enum lac_event ev, struct lac_tunnel *t, struct lac_session *s)
{
	struct play *p = r->user;

	for (uint32_t i = 0; i < p->n_dials; i++) {
		struct scene_dial *d = &p->dial[i];

		if (ev == LAC_CALL_UP && d->t == t)
			d->s = s;
		if (ev == LAC_SESSION_GONE && d->s == s)
			d->s = NULL;
		if (ev == LAC_TUNNEL_GONE && d->t == t)
			*d = (struct scene_dial){0};
	}
}

uint32_t scene_dial(struct play *p, const char *host, uint16_t port, uint64_t conn, uint32_t n,
                    const char *password)
{
	uint32_t i = p->n_dials++;

	CU_ASSERT_TRUE_FATAL(i < SCENE_DIALS);
	p->dial[i].t = rig_dial(p->r, host, port, conn, n, password);
	return i;
}

/* A call that is counted as up, and one that was turned away, are all that there ever were. */
static void audit_totals(struct play *p)
{
	const struct ctl_stats st = must_stats(p->r);

	CU_ASSERT_EQUAL(st.sessions.total, st.sessions.failed + p->sessions_up + st.sessions.live -
	                                           st.sessions.active);
	CU_ASSERT_TRUE(st.tunnels.total >= st.tunnels.failed + p->tunnels_up);
}

void scene_step(struct play *p, uint64_t ms)
{
	rig_run(p->r, ms);
	audit(p->r);
	audit_totals(p);
	if (p->until_step && nomem_failed() > 0)
		nomem_disarm();
}

/* He may be here but once, so nobody's session may be counted as his any more. */
static void newcomer(struct rig *r, const char *host, uint64_t conn)
{
	uint32_t up = r->networks_up;
	struct lac_tunnel *t = rig_dial(r, host, NEW_PORT, conn, 1, "pass1");

	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, up + 1);
	if (r->networks_up > up)
		lac_close(t, r->now_ms);
	rig_run(r, UP_MS);
}

/* Memory is back: what a scene has left ends, and whoever comes now is served. */
static void finish(struct play *p)
{
	struct rig *r = p->r;
	struct ctl_stats st;

	r->hold_tickets = r->fifo_full = r->cut = false;
	r->loss_percent = r->dup_percent = r->jitter_ms = 0;
	for (uint32_t i = 0; i < p->n_dials; i++)
		if (p->dial[i].t != NULL)
			lac_close(p->dial[i].t, r->now_ms);
	scene_step(p, 5000);
	while (r->charon.n_ikes > 0)
		rig_ike_down(r, r->charon.ikes[0]);
	scene_step(p, GIVEN_UP);
	st = must_stats(r);
	CU_ASSERT_EQUAL(st.tunnels.live, 0);
	CU_ASSERT_EQUAL(st.sessions.live, 0);
	CU_ASSERT_EQUAL(r->n_dps, 0);
	CU_ASSERT_EQUAL(lac_tunnels(r->lac), 0);
	if (r->charon.instance != 0) {
		CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_now, 0);
		CU_ASSERT_EQUAL(rig_ipsec_stats(r).sas_now, 0);
		CU_ASSERT_EQUAL(r->n_children, 0);
		CU_ASSERT_EQUAL(r->n_spis, 0);
	}
	newcomer(r, "std", 0);
	if (r->charon.instance != 0)
		newcomer(r, "ss-ipsec", rig_connect(r, NEW_IKE, 0, NULL));
	audit(r);
	audit_totals(p);
}

/* How many allocations failed. */
static uint32_t play_once(const struct scene *s, struct nomem_plan plan, bool until_step)
{
	struct play p = {.r = rig_new(), .until_step = until_step};
	struct rig *r = p.r;
	uint32_t failed;
	int objects = nomem_objects();

	r->log = (struct log){.level = LOG_LVL_INFO, .sink = count_line, .arg = &p};
	r->user = &p;
	r->on_lac = on_lac;
	r->users[0].max_sessions = 1;
	if (s->conf != NULL)
		s->conf(r);
	rig_start(r);
	nomem_arm(plan);
	s->run(&p);
	nomem_disarm();
	failed = nomem_failed();
	finish(&p);
	rig_free(r);
	CU_ASSERT_EQUAL(nomem_objects(), objects);
	return failed;
}

/* Returns how many failed; says which one did not go well. */
static uint32_t try_it(const struct scene *s, struct nomem_plan plan, bool until_step)
{
	unsigned int failures = CU_get_number_of_failures();
	uint32_t failed = play_once(s, plan, until_step);

	if (CU_get_number_of_failures() != failures)
		printf("\n%s: from %u, every %u%s\n", s->name, plan.from, plan.every,
		       until_step ? ", to the end of the step" : "");
	return failed;
}

static uint32_t number_of(const char *name)
{
	const char *value = getenv(name);

	return value != NULL ? (uint32_t)strtoul(value, NULL, 10) : 0;
}

void scene_play(const struct scene *s)
{
	struct nomem_plan only = {.from = number_of("NOMEM_FROM"),
	                          .every = number_of("NOMEM_EVERY")};
	uint32_t n = 1;

	if (only.from != 0) {
		try_it(s, only, number_of("NOMEM_UNTIL") != 0);
		return;
	}
	/* The first play in which none fails has been through them all. */
	while (try_it(s, (struct nomem_plan){.from = n}, false) > 0)
		n++;
	CU_ASSERT_TRUE(n > 10);
	n = 1;
	while (try_it(s, (struct nomem_plan){.from = n, .every = 1}, true) > 0)
		n++;
	for (n = 1; n <= EVERY_MAX; n++)
		for (uint32_t from = 1; from <= n && from <= 3; from++)
			try_it(s, (struct nomem_plan){.from = from, .every = n}, false);
}
