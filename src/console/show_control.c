/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* show control, clear control turns: how long the control lcore is away from everything else. */
#include "console/commands.h"
#include "control/ctl.h"

#include <inttypes.h>

#define NS_A_US 1000

static enum cli_step show_control(struct cli *cli, void *ctx, const struct cli_args *args)
{
	struct ctl_stats st;

	ctl_stats_get(console_env(cli)->ctl, &st);
	cli_printf(cli, "Event loop\n");
	cli_printf(cli, "  %-48s %10" PRIu64 "\n", "Turns", st.turns);
	cli_printf(cli, "  %-48s %10" PRIu64 "\n", "CPU time, us", st.turns_ns / NS_A_US);
	cli_printf(cli, "  %-48s %10" PRIu64 "\n", "Turns of more than 5 ms", st.turns_long);
	cli_printf(cli, "  %-48s %10" PRIu64 "\n", "Longest turn since it was cleared, us",
	           st.turn_longest_ns / NS_A_US);
	cli_printf(cli, "  %-48s %10s\n", "Most of it went into",
	           ctl_step_name(ctl_turn_longest(console_env(cli)->ctl)));
	return CLI_DONE;
}

static enum cli_step clear_turns(struct cli *cli, void *ctx, const struct cli_args *args)
{
	ctl_clear_turns(console_env(cli)->ctl);
	return CLI_DONE;
}

#define KW_CONTROL CLI_KW("control", "The control lcore")

static const struct cli_command commands[] = {
        {.tokens = {KW_SHOW, KW_CONTROL}, .start = show_control},
        {.tokens = {KW_CLEAR, KW_CONTROL, CLI_KW("turns", "The longest turn so far")},
         .start = clear_turns},
};

CONSOLE_TABLE(console_show_control, commands);
