/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* show ip pool */
#include "console/commands.h"
#include "control/ctl.h"

/* A context is a cursor. */
static enum cli_step pool_start(struct cli *cli, void *ctx, const struct cli_args *args)
{
	cli_printf(cli, "%-20s %-15s %-15s %8s %8s %8s %8s\n", "Pool", "First", "Last", "Size",
	           "Used", "Reserved", "Free");
	return CLI_MORE;
}

static enum cli_step pool_print(struct cli *cli, void *ctx)
{
	char first[IPADDR_STRLEN], last[IPADDR_STRLEN];
	struct ctl_pool_view v;
	uint32_t *cursor = ctx;

	if (!ctl_pool_next(console_env(cli)->ctl, cursor, &v)) {
		cli_printf(cli, "%u address pool%s found\n", *cursor, console_s(*cursor));
		return CLI_DONE;
	}
	cli_printf(cli, "%-20s %-15s %-15s %8u %8u %8u %8u\n", v.name,
	           console_ip(first, sizeof(first), v.first),
	           console_ip(last, sizeof(last), v.last), v.size, v.used, v.reserved,
	           v.size - v.used - v.reserved);
	return CLI_MORE;
}

static const struct cli_command commands[] = {
        {.tokens = {KW_SHOW, CLI_KW("ip", "IP addresses"),
                    CLI_KW("pool", "Pools of subscriber addresses")},
         .ctx_size = sizeof(uint32_t),
         .start = pool_start,
         .print = pool_print},
};

CONSOLE_TABLE(console_show_ip, commands);
