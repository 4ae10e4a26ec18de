/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* clear l2tp tunnel, clear l2tp session, clear ipsec transport interface */
#include "console/commands.h"
#include "control/ctl.h"
#include "control/ipsec.h"

#include <inttypes.h>

#define STEP 1 /* ended in one call */
#define COST 4 /* .. which takes as long as some lines of a show, and leads to as much again */

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

static enum cli_step clear_interface(struct cli *cli, void *ctx, const struct cli_args *args)
{
	uint64_t id = cli_arg(args, "ID")->number;

	if (ctl_clear_conn(console_env(cli)->ctl, id, console_now_ms()) < 0)
		cli_printf(cli, "%% No IPsec transport interface %" PRIu64 "\n", id);
	return CLI_DONE;
}

static enum cli_step clear_interfaces(struct cli *cli, void *ctx)
{
	struct ctl *ctl = console_env(cli)->ctl;
	struct ctl_conn_view v;
	unsigned int i;

	for (i = 0; i < STEP; i++) {
		if (!ctl_conn_next(ctl, ctx, console_now_ms(), &v))
			return CLI_DONE;
		/* One that has gone meanwhile needs nothing. */
		if (v.state != CTL_CONN_DOWN)
			(void)ctl_clear_conn(ctl, v.id, console_now_ms());
	}
	return CLI_MORE;
}

static const struct cli_command commands[] = {
        {.tokens = {KW_CLEAR, KW_L2TP, KW_TUNNEL, CLI_NUM("ID", 1, 65535, "Local tunnel id")},
         .start = clear_tunnel},
        {.tokens = {KW_CLEAR, KW_L2TP, KW_TUNNEL, CLI_KW("all", "Every tunnel")},
         .ctx_size = sizeof(uint32_t),
         .start = clear_all,
         .print = clear_tunnels,
         .cost = COST},
        {.tokens = {KW_CLEAR, KW_L2TP, KW_SESSION, CLI_NUM("ID", 1, 65535, "Local session id")},
         .start = clear_session},
        {.tokens = {KW_CLEAR, KW_L2TP, KW_SESSION, CLI_KW("all", "Every session")},
         .ctx_size = sizeof(uint32_t),
         .start = clear_all,
         .print = clear_sessions,
         .cost = COST},
        {.tokens = {KW_CLEAR, KW_IPSEC, KW_TRANSPORT, KW_INTERFACE,
                    CLI_NUM("ID", 1, UINT64_MAX, "Number of an interface")},
         .start = clear_interface},
        {.tokens = {KW_CLEAR, KW_IPSEC, KW_TRANSPORT, KW_INTERFACE,
                    CLI_KW("all", "Every interface")},
         .ctx_size = sizeof(uint32_t),
         .start = clear_all,
         .print = clear_interfaces,
         .cost = COST},
};

CONSOLE_TABLE(console_clear, commands);
