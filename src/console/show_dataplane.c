/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* show dataplane, show dataplane distribution, show dataplane drops */
#include "console/commands.h"
#include "dataplane/dp.h"
#include "ports/ports.h"

#include <inttypes.h>

static uint64_t sum(const uint64_t *v, unsigned int n)
{
	uint64_t s = 0;

	while (n--)
		s += *v++;
	return s;
}

static void print_counter(struct cli *cli, const char *name, uint64_t n)
{
	cli_printf(cli, "  %-24s %20" PRIu64 "\n", name, n);
}

/* rx + injected + fragments made = tx + punts + drops + fragments merged + held, when at rest. */
static void print_totals(struct cli *cli, const struct dp_stats *st)
{
	unsigned int i;

	cli_printf(cli, "Packets\n");
	print_counter(cli, "Received", st->rx);
	print_counter(cli, "Injected by control", st->injected);
	print_counter(cli, "Fragments made", st->fragments_made);
	print_counter(cli, "Transmitted", st->tx);
	print_counter(cli, "Punted to control", st->punts);
	print_counter(cli, "Dropped", sum(st->drop, DP_DROP_MAX));
	print_counter(cli, "Fragments merged", st->fragments_merged);
	print_counter(cli, "Held", st->held);
	print_counter(cli, "Handed to their owner", st->handed_off);
	cli_printf(cli, "Punts by class\n");
	for (i = 0; i < DP_PUNT_MAX; i++)
		print_counter(cli, dp_punt_name(i), st->punt[i]);
	cli_printf(cli, "%-6s %8s %16s %16s %12s %8s %6s %7s\n", "Worker", "Sessions", "Received",
	           "Transmitted", "Drops", "Busy 5 s", "1 min", "Vector");
}

/* A context is the next worker. */
static enum cli_step dataplane_start(struct cli *cli, void *ctx, const struct cli_args *args)
{
	struct dp_stats st;

	dp_stats_get(console_env(cli)->dp, -1, &st);
	print_totals(cli, &st);
	return CLI_MORE;
}

static enum cli_step dataplane_print(struct cli *cli, void *ctx)
{
	struct dp *dp = console_env(cli)->dp;
	uint16_t *w = ctx;
	struct dp_stats st;
	struct dp_load now, minute;

	if (*w >= dp_n_workers(dp))
		return CLI_DONE;
	dp_stats_get(dp, *w, &st);
	dp_load_get(dp, *w, 5, &now);
	dp_load_get(dp, *w, 60, &minute);
	cli_printf(cli,
	           "%-6u %8" PRIu32 " %16" PRIu64 " %16" PRIu64 " %12" PRIu64
	           " %7.1f%% %5.1f%% %7.1f\n",
	           *w, dp_worker_sessions(dp, *w), st.rx, st.tx, sum(st.drop, DP_DROP_MAX),
	           now.busy_permille / 10.0, minute.busy_permille / 10.0,
	           st.vectors ? (double)st.rx / (double)st.vectors : 0);
	(*w)++;
	return CLI_MORE;
}

/* ---- distribution ---- */

#define MINUTE 60

struct dist_cursor {
	uint32_t port;
	uint16_t worker;
};

static void print_port(struct cli *cli, const struct ports_dist_info *d)
{
	cli_printf(cli, "Port %s (%s): %u receive queue%s, %u flow rule%s\n", d->name, d->driver,
	           d->n_rxq, console_s(d->n_rxq), d->n_rules, console_s(d->n_rules));
	for (unsigned int i = 0; i < PORTS_DIST_ROWS; i++) {
		cli_printf(cli, "  %-11s %s\n", d->row[i].traffic, d->row[i].how);
		if (d->row[i].why[0] != '\0')
			cli_printf(cli, "              (%s)\n", d->row[i].why);
	}
}

/* The most that one worker received, in units of what each would have with all equal. */
static double imbalance(uint64_t most, uint64_t all, uint16_t n_workers)
{
	return all > 0 ? (double)most * n_workers / (double)all : 0;
}

static void print_balance(struct cli *cli, const char *when, uint64_t most,
                          const struct dp_load *all, uint16_t n_workers)
{
	if (all->rx == 0) {
		cli_printf(cli, "%-20s nothing received\n", when);
		return;
	}
	cli_printf(cli, "%-20s imbalance %.2f, %.1f%% handed to their owner\n", when,
	           imbalance(most, all->rx, n_workers),
	           100 * (double)all->handed_off / (double)all->rx);
}

/* Packets of subscribers to each other may be handed over twice, so that the share may pass 100 %. */
static void print_balances(struct cli *cli, struct dp *dp)
{
	uint16_t n = dp_n_workers(dp);
	uint64_t most = 0, most_minute = 0;
	struct dp_load all, one;
	struct dp_stats st;

	for (uint16_t w = 0; w < n; w++) {
		dp_stats_get(dp, w, &st);
		dp_load_get(dp, w, MINUTE, &one);
		most = st.rx > most ? st.rx : most;
		most_minute = one.rx > most_minute ? one.rx : most_minute;
	}
	dp_load_get(dp, -1, MINUTE, &all);
	print_balance(cli, "In the last minute:", most_minute, &all, n);
	dp_stats_get(dp, -1, &st);
	all = (struct dp_load){.rx = st.rx, .handed_off = st.handed_off};
	print_balance(cli, "Since the start:", most, &all, n);
	cli_printf(cli, "Imbalance is the most that one worker receives over the mean of all.\n");
}

static void print_worker(struct cli *cli, struct dp *dp, uint16_t w)
{
	struct dp_stats st;
	struct dp_load l;

	dp_stats_get(dp, w, &st);
	dp_load_get(dp, w, MINUTE, &l);
	cli_printf(cli,
	           "%-6u %6" PRIu32 " %8" PRIu32 " %16" PRIu64 " %14" PRIu64 " %14" PRIu64
	           " %12" PRIu64 "\n",
	           w, dp_worker_queues(dp, w), dp_worker_sessions(dp, w), st.rx, st.handed_off,
	           st.taken_over, l.rx);
}

static enum cli_step dist_start(struct cli *cli, void *ctx, const struct cli_args *args)
{
	return CLI_MORE;
}

static enum cli_step dist_print(struct cli *cli, void *ctx)
{
	struct console_env *env = console_env(cli);
	struct dist_cursor *c = ctx;
	struct ports_dist_info d;

	if (ports_get_dist_info(env->ports, c->port, &d) == 0) {
		c->port++;
		print_port(cli, &d);
		return CLI_MORE;
	}
	if (c->worker == 0)
		cli_printf(cli, "%-6s %6s %8s %16s %14s %14s %12s\n", "Worker", "Queues",
		           "Sessions", "Received", "Handed off", "Taken over", "1 min");
	if (c->worker < dp_n_workers(env->dp)) {
		print_worker(cli, env->dp, c->worker++);
		return CLI_MORE;
	}
	print_balances(cli, env->dp);
	return CLI_DONE;
}

static enum cli_step drops_start(struct cli *cli, void *ctx, const struct cli_args *args)
{
	struct dp_stats st;
	unsigned int i;

	dp_stats_get(console_env(cli)->dp, -1, &st);
	cli_printf(cli, "%-24s %20s  %s\n", "Reason", "Packets", "Meaning");
	for (i = DP_DROP_NONE + 1; i < DP_DROP_MAX; i++) {
		if (st.drop[i] || cli_arg(args, "all"))
			cli_printf(cli, "%-24s %20" PRIu64 "  %s\n", dp_drop_name(i), st.drop[i],
			           dp_drop_help(i));
	}
	cli_printf(cli, "%-24s %20" PRIu64 "\n", "total", sum(st.drop, DP_DROP_MAX));
	return CLI_DONE;
}

#define KW_DATAPLANE CLI_KW("dataplane", "Packets and workers")

static const struct cli_command commands[] = {
        {.tokens = {KW_SHOW, KW_DATAPLANE},
         .ctx_size = sizeof(uint16_t),
         .start = dataplane_start,
         .print = dataplane_print},
        {.tokens = {KW_SHOW, KW_DATAPLANE,
                    CLI_KW("distribution", "How packets come to the workers, and how evenly")},
         .ctx_size = sizeof(struct dist_cursor),
         .start = dist_start,
         .print = dist_print},
        {.tokens = {KW_SHOW, KW_DATAPLANE, CLI_KW("drops", "Dropped packets by reason"),
                    CLI_OPT_KW("all", "Also reasons that never occurred")},
         .start = drops_start},
};

CONSOLE_TABLE(console_show_dataplane, commands);
