/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * sim_l2tp [-s SEED] [-n COUNT] [-v]: runs COUNT worlds from SEED on and holds each to the promises
 * of the engine. sim_l2tp -t TUNNELS instead opens and drops so many tunnels three times in a row.
 */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* SplitMix64: one state word, any seed is good. */
uint32_t sim_random(struct sim *s, uint32_t below)
{
	uint64_t z = (s->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return (uint32_t)((z >> 32) * below >> 32);
}

bool sim_chance(struct sim *s, unsigned percent)
{
	return sim_random(s, 100) < percent;
}

void sim_log(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (!s->verbose)
		return;
	printf("%8.3f ", (double)s->now / 1000);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

void sim_fail(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (!s->failed)
		printf("seed %llu failed; again with: sim_l2tp -s %llu -n 1 -v\n",
		       (unsigned long long)s->seed, (unsigned long long)s->seed);
	s->failed = true;
	printf("%8.3f FAIL ", (double)s->now / 1000);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

bool sim_reliable(const struct sim *s)
{
	return s->calm && s->now - s->calm_since > 20000;
}

static void on_script(struct timer *timer, uint64_t now_ms)
{
	struct sim *s = timer_owner(timer, struct sim, script);

	if (now_ms >= s->script_end)
		return;
	if (sim_chance(s, 85))
		lac_act(&s->lacs[sim_random(s, s->n_lacs)]);
	else
		lns_act(s);
	timer_set(&s->world_timers, &s->script,
	          now_ms + sim_random(s, sim_chance(s, 12) ? 8000 : 300));
}

static void run_until(struct sim *s, uint64_t end)
{
	while (!s->failed) {
		uint64_t a = timerq_next(&s->engine_timers), b = timerq_next(&s->world_timers);

		if (a > end && b > end)
			break;
		s->now = a < b ? a : b;
		if (a <= b)
			timerq_run(&s->engine_timers, s->now, 1);
		else
			timerq_run(&s->world_timers, s->now, 1);
	}
	s->now = end;
}

/* At rest both sides believe the same. */
static void check_lac_side(struct sim *s, struct lac *lac)
{
	for (int i = 0; i < SIM_TUNNELS; i++) {
		const struct lac_tunnel *t = &lac->tunnels[i];
		const struct own_tunnel *o =
		        t->peer_tid <= SIM_IDS ? s->tunnels[t->peer_tid] : NULL;
		unsigned up = 0;

		if (t->state == LT_DIALING || t->state == LT_STOPPING)
			sim_fail(s, "lac%d: tunnel %u hangs", lac->index, t->tid);
		if (t->state != LT_UP)
			continue;
		if (o == NULL || !o->up || o->down || o->lac != lac || o->peer_tid != t->tid) {
			sim_fail(s, "lac%d: tunnel %u is up, but not at the LNS", lac->index,
			         t->tid);
			continue;
		}
		for (int j = 0; j < SIM_CALLS; j++) {
			const struct lac_call *c = &t->calls[j];

			if (c->state == LC_REQUEST)
				sim_fail(s, "lac%d: call %u hangs", lac->index, c->sid);
			up += c->state == LC_UP;
			if (c->state == LC_UP &&
			    (s->calls[c->peer_sid] == NULL || s->calls[c->peer_sid]->on != o))
				sim_fail(s, "lac%d: call %u is up, but not at the LNS", lac->index,
				         c->sid);
		}
		if (up != o->up_calls || up != o->live_calls)
			sim_fail(s, "tunnel %u: %u calls at the LAC, %u of %u up at the LNS", o->id,
			         up, o->up_calls, o->live_calls);
	}
}

static void check_lns_side(struct sim *s)
{
	const struct own_tunnel *o;

	LIST_FOREACH (o, &s->own_tunnels, link) {
		const struct lac_tunnel *t = lac_tunnel_by_id(o->lac, o->peer_tid);

		if (!o->up || o->down)
			sim_fail(s, "tunnel %u hangs", o->id);
		else if (t == NULL || t->state != LT_UP || t->peer_tid != o->id)
			sim_fail(s, "tunnel %u is up, but not at its LAC", o->id);
	}
}

static void world(struct sim *s)
{
	static const unsigned losses[] = {0, 2, 10, 25, 40};

	s->loss = losses[sim_random(s, 5)];
	s->duplication = sim_chance(s, 50) ? sim_random(s, 20) : 0;
	s->delay_ms = 1 + sim_random(s, 60);
	s->jitter_ms = sim_chance(s, 50) ? sim_random(s, 600) : 0;
	s->refuse_calls = sim_chance(s, 30) ? 20 : 0;
	s->drop_calls = sim_chance(s, 30) ? 20 : 0;
	s->n_lacs = 1 + sim_random(s, SIM_LACS);
	s->script_end = 5000 + sim_random(s, 90000);
	LIST_INIT(&s->own_tunnels);
	LIST_INIT(&s->own_calls);
	lns_boot(s);
	for (unsigned i = 0; i < s->n_lacs; i++) {
		lac_init(&s->lacs[i], s, (int)i);
		lac_dial(&s->lacs[i]);
	}
	timer_init(&s->script, on_script);
	timer_set(&s->world_timers, &s->script, sim_random(s, 1000));

	run_until(s, s->script_end);
	/* The net becomes good; within two Hello rounds everyone knows what is and what is not. */
	s->calm = true;
	s->calm_since = s->now;
	run_until(s, s->now + 200000);
	for (unsigned i = 0; i < s->n_lacs && !s->failed; i++)
		check_lac_side(s, &s->lacs[i]);
	if (!s->failed)
		check_lns_side(s);
	/* The end of everything, from one side, from the other, or from both. */
	if (sim_chance(s, 60))
		lns_close_all(s);
	for (unsigned i = 0; i < s->n_lacs && (s->own_tunnels.lh_first != NULL); i++)
		lac_close_all(&s->lacs[i]);
	run_until(s, s->now + 100000);
	if (!s->failed)
		lns_check_quiet(s);
	if (!s->failed && s->on_the_way > 0)
		sim_fail(s, "%u datagrams still on the way", s->on_the_way);
}

int main(int argc, char **argv)
{
	uint64_t seed = 1, count = 10000, failed = 0, up = 0, calls = 0, datagrams = 0, crashes = 0;
	unsigned scale = 0;
	bool verbose = false;
	struct sim *s;
	int opt;

	while ((opt = getopt(argc, argv, "s:n:t:v")) != -1) {
		if (opt == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (opt == 'n')
			count = strtoull(optarg, NULL, 0);
		else if (opt == 't')
			scale = (unsigned)strtoul(optarg, NULL, 0);
		else if (opt == 'v')
			verbose = true;
		else
			return 2;
	}
	if (scale > 0)
		return sim_scale(scale, verbose);
	s = malloc(sizeof(*s));
	for (uint64_t i = 0; i < count && failed < 10; i++) {
		memset(s, 0, sizeof(*s));
		s->seed = s->random = seed + i;
		s->verbose = verbose;
		world(s);
		failed += s->failed;
		up += s->tunnels_up;
		calls += s->calls_up;
		datagrams += s->datagrams;
		crashes += s->crashes;
	}
	free(s);
	printf("%llu seeds from %llu: %llu failed; %llu tunnels, %llu calls, %llu datagrams, "
	       "%llu crashes\n",
	       (unsigned long long)count, (unsigned long long)seed, (unsigned long long)failed,
	       (unsigned long long)up, (unsigned long long)calls, (unsigned long long)datagrams,
	       (unsigned long long)crashes);
	return failed > 0;
}
