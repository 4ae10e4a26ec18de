/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The operator's own session: leaving, the terminal, history. */
#include "console/commands.h"

static enum cli_step leave(struct cli *cli, void *ctx, const struct cli_args *args)
{
	cli_leave(cli);
	return CLI_DONE;
}

static enum cli_step set_length(struct cli *cli, void *ctx, const struct cli_args *args)
{
	cli_set_length(cli, (unsigned int)cli_arg(args, "LINES")->number);
	return CLI_DONE;
}

static enum cli_step set_width(struct cli *cli, void *ctx, const struct cli_args *args)
{
	cli_set_width(cli, (unsigned int)cli_arg(args, "COLUMNS")->number);
	return CLI_DONE;
}

static enum cli_step show_history(struct cli *cli, void *ctx, const struct cli_args *args)
{
	const char *line;
	unsigned int i;

	for (i = 0; (line = cli_history(cli, i)) != NULL; i++)
		cli_printf(cli, "%s\n", line);
	return CLI_DONE;
}

#define KW_TERMINAL CLI_KW("terminal", "Settings of this terminal")

static const struct cli_command commands[] = {
        {.tokens = {KW_SHOW, CLI_KW("history", "Lines entered in this session")},
         .start = show_history},
        {.tokens = {KW_TERMINAL, CLI_KW("length", "Lines of a page"),
                    CLI_NUM("LINES", 0, 512, "0: no paging")},
         .start = set_length},
        {.tokens = {KW_TERMINAL, CLI_KW("width", "Columns of the screen"),
                    CLI_NUM("COLUMNS", 20, CLI_MAX_COLUMNS, "Columns")},
         .start = set_width},
        {.tokens = {CLI_KW("exit", "Leave the console")}, .start = leave},
        {.tokens = {CLI_KW("quit", "Leave the console")}, .start = leave},
};

CONSOLE_TABLE(console_session, commands);
