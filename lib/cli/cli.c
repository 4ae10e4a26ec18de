/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The life of a command line, its turns, and the running of commands. */
#include "cli/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INTERRUPT   0x03 /* ^C */
#define TURN_BYTES  256 /* typed bytes worked on in one turn */
#define MIN_COLUMNS 20 /* a window smaller than this is not believed */
#define MIN_ROWS    2
#define LENGTH_MAX  512

void cli_write(struct cli *cli, const char *bytes, size_t n)
{
	if (n)
		cli->conf.write(cli->conf.owner, bytes, n);
}

void cli_puts(struct cli *cli, const char *text)
{
	cli_write(cli, text, strlen(text));
}

size_t cli_prompt(const struct cli *cli, char *buf, size_t size)
{
	int n = snprintf(buf, size, "%s%s", cli->host, cli->mode->prompt);

	return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

void *cli_user(const struct cli *cli)
{
	return cli->conf.user;
}

bool cli_enter(struct cli *cli, const struct cli_mode *mode)
{
	const struct cli_command *commands[CLI_MAX_COMMANDS];
	unsigned int n = 0;
	size_t t, i;

	for (t = 0; t < mode->n_tables; t++) {
		for (i = 0; i < mode->tables[t]->n; i++) {
			const struct cli_command *c = &mode->tables[t]->commands[i];

			if (c->level > cli->conf.level)
				continue;
			if (n == CLI_MAX_COMMANDS)
				return false;
			commands[n++] = c;
		}
	}
	memcpy(cli->commands, commands, n * sizeof(commands[0]));
	cli->n_commands = n;
	cli->mode = mode;
	return true;
}

void cli_leave(struct cli *cli)
{
	/* A parent was entered before, so it fits. */
	if (!cli->mode->parent || !cli_enter(cli, cli->mode->parent))
		cli_close(cli);
}

void cli_close(struct cli *cli)
{
	cli->closing = true;
}

struct cli *cli_new(const struct cli_conf *conf)
{
	struct cli *cli = calloc(1, sizeof(*cli));

	if (!cli)
		return NULL;
	cli->conf = *conf;
	cli_clean(cli->host, sizeof(cli->host), conf->host);
	if (!cli_enter(cli, conf->root)) {
		free(cli);
		return NULL;
	}
	return cli;
}

/* The command is over, whether it came to its end or not. */
static void end_command(struct cli *cli)
{
	const struct cli_command *c = cli->command;

	cli->command = NULL;
	cli->printing = false;
	if (c->release)
		c->release(cli, cli->ctx);
	free(cli->ctx);
	cli->ctx = NULL;
	cli_out_reset(cli);
	cli->prompted = false;
}

void cli_free(struct cli *cli)
{
	unsigned int i;

	if (!cli)
		return;
	if (cli->command)
		end_command(cli);
	for (i = 0; i < cli->editor.n_history; i++)
		free(cli->editor.history[i]);
	free(cli->pending);
	free(cli);
}

const char *cli_history(const struct cli *cli, unsigned int n)
{
	return n < cli->editor.n_history ? cli->editor.history[n] : NULL;
}

/* ---- the terminal ---- */

static void apply_size(struct cli *cli)
{
	if (!cli->fixed_columns)
		cli->columns = cli->window_columns;
	if (!cli->fixed_rows)
		cli->rows = cli->window_rows;
}

void cli_set_window(struct cli *cli, unsigned int columns, unsigned int rows)
{
	cli->window_columns = columns >= MIN_COLUMNS && columns <= CLI_MAX_COLUMNS ? columns : 0;
	cli->window_rows = rows >= MIN_ROWS && rows <= LENGTH_MAX ? rows : 0;
	apply_size(cli);
}

void cli_set_length(struct cli *cli, unsigned int rows)
{
	cli->rows = rows == 0 || rows >= MIN_ROWS ? rows : MIN_ROWS;
	cli->fixed_rows = true;
}

void cli_set_width(struct cli *cli, unsigned int columns)
{
	cli->columns = columns == 0 || columns >= MIN_COLUMNS ? columns : MIN_COLUMNS;
	cli->fixed_columns = true;
}

unsigned int cli_width(const struct cli *cli)
{
	return cli->columns;
}

/* ---- a line was entered ---- */

static void start_command(struct cli *cli, const struct cli_command *c)
{
	cli->ctx = calloc(1, c->ctx_size ? c->ctx_size : 1);
	if (!cli->ctx) {
		cli_puts(cli, "% Out of memory\r\n");
		return;
	}
	cli_out_reset(cli);
	memcpy(cli->filter, cli->match.filter, sizeof(cli->filter));
	cli->n_filters = cli->match.n_filters;
	cli->command = c;
	cli->printing = c->start(cli, cli->ctx, &cli->args) == CLI_MORE && c->print;
}

void cli_run_line(struct cli *cli)
{
	struct cli_editor *e = &cli->editor;
	struct cli_match *m = &cli->match;
	const struct cli_command *c;

	cli->prompted = false;
	cli_match_line(cli, m, e->line, e->len, false);
	/* "!" starts a comment, so that a file of commands can be pasted. */
	if (m->line.n == 0 || m->line.word[0].text[0] == '!') {
		cli_edit_clear(cli);
		return;
	}
	cli_remember(e);
	c = cli_match_end(cli, m, &cli->args);
	if (!c)
		cli_report(cli, m, e->offset);
	cli_edit_clear(cli);
	if (c)
		start_command(cli, c);
}

/* ---- turns ---- */

size_t cli_input_room(const struct cli *cli)
{
	return sizeof(cli->typeahead) - (cli->typed - cli->taken);
}

size_t cli_input(struct cli *cli, const void *bytes, size_t n)
{
	size_t room = cli_input_room(cli);

	if (n > room)
		n = room;
	if (n == 0)
		return 0;
	memmove(cli->typeahead, cli->typeahead + cli->taken, cli->typed - cli->taken);
	cli->typed -= cli->taken;
	cli->taken = 0;
	memcpy(cli->typeahead + cli->typed, bytes, n);
	cli->typed += (unsigned int)n;
	return n;
}

/* The next byte that was typed; -1: none. What follows a CR as part of the same Enter is left out. */
static int next_byte(struct cli *cli)
{
	while (cli->taken < cli->typed) {
		unsigned char c = (unsigned char)cli->typeahead[cli->taken++];
		bool after_cr = cli->editor.after_cr;

		cli->editor.after_cr = c == '\r';
		if (after_cr && (c == '\n' || c == '\0'))
			continue;
		return c == '\n' ? '\r' : c;
	}
	return -1;
}

/* ^C anywhere in what was typed ahead: what stands before it was meant to be given up, too. */
static bool interrupted(struct cli *cli)
{
	const char *from = cli->typeahead + cli->taken;
	const char *hit = memrchr(from, INTERRUPT, cli->typed - cli->taken);

	if (!hit)
		return false;
	cli->taken += (unsigned int)(hit - from) + 1;
	cli->editor.after_cr = false;
	return true;
}

static bool room(struct cli *cli)
{
	return cli->conf.room(cli->conf.owner) > 0;
}

/* The keys at --More--. False: the user wants no more. */
static bool ask(struct cli *cli)
{
	while (cli->pager == CLI_PAGE_ASK) {
		int key = next_byte(cli);

		if (key < 0)
			return true;
		if (key == 'q' || key == 'Q')
			return false;
		cli_page_key(cli, (unsigned char)key);
	}
	return true;
}

/* Goes on with the running command. *wait is set when it stops before the end. */
static bool pump_command(struct cli *cli, unsigned int *budget, enum cli_wait *wait)
{
	bool asking = cli->pager == CLI_PAGE_ASK;
	unsigned int cost;

	if (interrupted(cli) || (asking && !ask(cli))) {
		cli_puts(cli, asking ? "\r        \r" : "^C\r\n");
		end_command(cli);
		return true;
	}
	while (cli->pager == CLI_PAGE_RUN) {
		bool through = cli_out_flush(cli, budget);

		if (!through && cli->pager == CLI_PAGE_ASK)
			return pump_command(cli, budget, wait); /* the key may be there already */
		if (through && !cli->printing) {
			cli_out_end(cli);
			end_command(cli);
			return true;
		}
		if (!room(cli)) {
			*wait = CLI_WAIT_ROOM;
			return false;
		}
		if (*budget == 0) {
			*wait = CLI_WAIT_NOTHING;
			return false;
		}
		if (through) {
			cost = cli->command->cost > 0 ? cli->command->cost : 1;
			*budget -= cost < *budget ? cost : *budget;
			cli->printing = cli->command->print(cli, cli->ctx) == CLI_MORE;
		}
	}
	*wait = CLI_WAIT_INPUT;
	return false;
}

static void show_prompt(struct cli *cli)
{
	char prompt[CLI_PROMPT_MAX];

	cli_write(cli, prompt, cli_prompt(cli, prompt, sizeof(prompt)));
	cli->prompted = true;
}

/* Bytes that can make much work or output count as steps. */
static bool is_costly(int byte)
{
	return byte == '\r' || byte == '\t' || byte == '?';
}

enum cli_wait cli_pump(struct cli *cli)
{
	unsigned int steps = CLI_TURN_STEPS, bytes = TURN_BYTES;
	enum cli_wait wait;
	int byte;

	for (;;) {
		if (cli->command && !pump_command(cli, &steps, &wait))
			return wait;
		if (cli->closing)
			return CLI_WAIT_CLOSE;
		if (!room(cli))
			return CLI_WAIT_ROOM;
		if (!cli->prompted)
			show_prompt(cli);
		if (cli->taken == cli->typed)
			return CLI_WAIT_INPUT;
		if (steps == 0 || bytes == 0)
			return CLI_WAIT_NOTHING;
		byte = next_byte(cli);
		if (byte < 0)
			continue;
		bytes--;
		steps -= is_costly(byte);
		cli_edit(cli, (unsigned char)byte);
	}
}
