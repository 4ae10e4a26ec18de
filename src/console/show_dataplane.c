/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* show dataplane, show dataplane drops */
#include "console/commands.h"
#include "dataplane/dp.h"

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
        {.tokens = {KW_SHOW, KW_DATAPLANE, CLI_KW("drops", "Dropped packets by reason"),
                    CLI_OPT_KW("all", "Also reasons that never occurred")},
         .start = drops_start},
};

CONSOLE_TABLE(console_show_dataplane, commands);
