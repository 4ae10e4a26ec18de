/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* clear l2tp tunnel, clear l2tp session */
#include "console/commands.h"
#include "control/ctl.h"

#include <inttypes.h>

#define STEP 32 /* ended in one call */

static enum cli_step clear_tunnel(struct cli *cli, void *ctx, const struct cli_args *args)
{
	uint16_t id = (uint16_t)cli_arg(args, "ID")->number;

	if (ctl_clear_tunnel(console_env(cli)->ctl, id, console_now_ms()) < 0)
		cli_printf(cli, "%% No L2TP tunnel %u\n", id);
	return CLI_DONE;
}

static enum cli_step clear_session(struct cli *cli, void *ctx, const struct cli_args *args)
{
	uint16_t id = (uint16_t)cli_arg(args, "ID")->number;

	if (ctl_clear_session(console_env(cli)->ctl, id, console_now_ms()) < 0)
		cli_printf(cli, "%% No L2TP session %u\n", id);
	return CLI_DONE;
}

/* A context is a cursor. */
static enum cli_step clear_all(struct cli *cli, void *ctx, const struct cli_args *args)
{
	return CLI_MORE;
}

static enum cli_step clear_tunnels(struct cli *cli, void *ctx)
{
	return ctl_clear_tunnels(console_env(cli)->ctl, ctx, STEP, console_now_ms()) ? CLI_DONE
	                                                                             : CLI_MORE;
}

static enum cli_step clear_sessions(struct cli *cli, void *ctx)
{
	return ctl_clear_sessions(console_env(cli)->ctl, ctx, STEP, console_now_ms()) ? CLI_DONE
	                                                                              : CLI_MORE;
}

static const struct cli_command commands[] = {
        {.tokens = {KW_CLEAR, KW_L2TP, KW_TUNNEL, CLI_NUM("ID", 1, 65535, "Local tunnel id")},
         .start = clear_tunnel},
        {.tokens = {KW_CLEAR, KW_L2TP, KW_TUNNEL, CLI_KW("all", "Every tunnel")},
         .ctx_size = sizeof(uint32_t),
         .start = clear_all,
         .print = clear_tunnels},
        {.tokens = {KW_CLEAR, KW_L2TP, KW_SESSION, CLI_NUM("ID", 1, 65535, "Local session id")},
         .start = clear_session},
        {.tokens = {KW_CLEAR, KW_L2TP, KW_SESSION, CLI_KW("all", "Every session")},
         .ctx_size = sizeof(uint32_t),
         .start = clear_all,
         .print = clear_sessions},
};

CONSOLE_TABLE(console_clear, commands);
