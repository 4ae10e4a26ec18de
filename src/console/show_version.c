/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "console/commands.h"
#include "dataplane/dp.h"

static enum cli_step show_version(struct cli *cli, void *ctx, const struct cli_args *args)
{
	const struct console_env *env = console_env(cli);
	char up[CONSOLE_TIME_MAX];
	uint16_t n = dp_n_workers(env->dp);

	cli_printf(cli, "Sallyport %s, L2TP network server\n", SALLYPORT_VERSION);
	cli_printf(cli, "Host name is %s\n", env->conf->system.host_name);
	cli_printf(cli, "%u data plane worker%s\n", n, console_s(n));
	cli_printf(cli, "Up for %s\n",
	           console_time(up, (console_now_ms() - env->started_ms) / 1000));
	return CLI_DONE;
}

static const struct cli_command commands[] = {
        {.tokens = {KW_SHOW, CLI_KW("version", "Version and time since the start")},
         .start = show_version},
};

CONSOLE_TABLE(console_show_version, commands);
