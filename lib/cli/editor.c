/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The line under the user's hands. A line wider than the screen scrolls sideways, so that it always
 * stays one row and a redraw needs only CR and "erase to the end of the line" of a VT100.
 */
#include "cli/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CTRL(c) ((c)&0x1f)

/* Escape sequences longer than this are not ones that a keyboard sends. */
#define ESCAPE_MAX 16

static void bell(struct cli *cli)
{
	cli_write(cli, "\a", 1);
}

/* Columns for the line itself; one is left free for the cursor behind its end. */
static unsigned int room_for_line(const struct cli *cli, size_t prompt)
{
	if (!cli->columns)
		return CLI_LINE_MAX + 1;
	return cli->columns > prompt + 8 ? cli->columns - (unsigned int)prompt - 1 : 8;
}

void cli_edit_show(struct cli *cli)
{
	struct cli_editor *e = &cli->editor;
	char prompt[CLI_PROMPT_MAX], move[24];
	size_t n = cli_prompt(cli, prompt, sizeof(prompt));
	unsigned int room = room_for_line(cli, n), shown;

	if (e->cursor < e->offset)
		e->offset = e->cursor;
	if (e->cursor >= e->offset + room)
		e->offset = e->cursor - room + 1;
	if (e->len < room)
		e->offset = 0;
	shown = e->len - e->offset < room ? e->len - e->offset : room;
	cli_write(cli, "\r", 1);
	cli_write(cli, prompt, n);
	cli_write(cli, e->line + e->offset, shown);
	cli_puts(cli, "\033[K");
	if (e->offset + shown > e->cursor) {
		snprintf(move, sizeof(move), "\033[%uD", e->offset + shown - e->cursor);
		cli_puts(cli, move);
	}
}

void cli_edit_insert(struct cli *cli, const char *text, size_t n)
{
	struct cli_editor *e = &cli->editor;
	char prompt[CLI_PROMPT_MAX];
	unsigned int room = room_for_line(cli, cli_prompt(cli, prompt, sizeof(prompt)));
	bool at_end = e->cursor == e->len;

	if (e->len + n > CLI_LINE_MAX) {
		bell(cli);
		return;
	}
	memmove(e->line + e->cursor + n, e->line + e->cursor, e->len - e->cursor);
	memcpy(e->line + e->cursor, text, n);
	e->len += (unsigned int)n;
	e->cursor += (unsigned int)n;
	e->line[e->len] = '\0';
	if (at_end && e->cursor < e->offset + room)
		cli_write(cli, text, n); /* the usual case needs no redraw */
	else
		cli_edit_show(cli);
}

void cli_edit_clear(struct cli *cli)
{
	struct cli_editor *e = &cli->editor;

	e->len = e->cursor = e->offset = 0;
	e->line[0] = '\0';
	e->recall = e->n_history;
}

static void cut(struct cli *cli, unsigned int from, unsigned int to)
{
	struct cli_editor *e = &cli->editor;

	if (from == to) {
		bell(cli);
		return;
	}
	memmove(e->line + from, e->line + to, e->len - to + 1);
	e->len -= to - from;
	e->cursor = from;
	cli_edit_show(cli);
}

static void move_to(struct cli *cli, unsigned int cursor)
{
	cli->editor.cursor = cursor;
	cli_edit_show(cli);
}

static void move_by(struct cli *cli, int by)
{
	struct cli_editor *e = &cli->editor;

	if (by < 0 ? e->cursor == 0 : e->cursor == e->len)
		bell(cli);
	else
		move_to(cli, e->cursor + (unsigned int)by);
}

/* Where the word before the cursor starts. */
static unsigned int word_start(const struct cli_editor *e)
{
	unsigned int i = e->cursor;

	while (i > 0 && e->line[i - 1] == ' ')
		i--;
	while (i > 0 && e->line[i - 1] != ' ')
		i--;
	return i;
}

static void recall(struct cli *cli, int by)
{
	struct cli_editor *e = &cli->editor;

	if (by < 0 ? e->recall == 0 : e->recall >= e->n_history) {
		bell(cli);
		return;
	}
	if (e->recall == e->n_history)
		memcpy(e->draft, e->line, sizeof(e->draft));
	e->recall += (unsigned int)by;
	snprintf(e->line, sizeof(e->line), "%s",
	         e->recall == e->n_history ? e->draft : e->history[e->recall]);
	e->len = e->cursor = (unsigned int)strlen(e->line);
	e->offset = 0;
	cli_edit_show(cli);
}

void cli_remember(struct cli_editor *e)
{
	char *copy;

	if (e->n_history && strcmp(e->history[e->n_history - 1], e->line) == 0)
		return;
	copy = strdup(e->line);
	if (!copy)
		return; /* history is a comfort: do without */
	if (e->n_history == CLI_HISTORY) {
		free(e->history[0]);
		memmove(e->history, e->history + 1, sizeof(e->history[0]) * (CLI_HISTORY - 1));
		e->n_history--;
	}
	e->history[e->n_history++] = copy;
}

/* The last byte of a cursor key's or editing key's sequence. */
static void edit_escape(struct cli *cli, unsigned char byte)
{
	struct cli_editor *e = &cli->editor;

	if (byte == '~') {
		static const char keys[] = {[1] = 'H', [3] = 'x', [4] = 'F', [7] = 'H', [8] = 'F'};

		byte = e->escape_number < sizeof(keys) ? (unsigned char)keys[e->escape_number] : 0;
	}
	switch (byte) {
	case 'A':
		recall(cli, -1);
		break;
	case 'B':
		recall(cli, 1);
		break;
	case 'C':
		move_by(cli, 1);
		break;
	case 'D':
		move_by(cli, -1);
		break;
	case 'H':
		move_to(cli, 0);
		break;
	case 'F':
		move_to(cli, e->len);
		break;
	case 'x':
		cut(cli, e->cursor, e->cursor + (e->cursor < e->len));
		break;
	}
}

/* ESC [ n ; m X and ESC O X; the rest is swallowed (ECMA-48 5.4: final bytes are 0x40 to 0x7e). */
static void take_escape(struct cli *cli, unsigned char byte)
{
	struct cli_editor *e = &cli->editor;

	if (e->escape == CLI_ESC_START) {
		e->escape_number = e->escape_len = 0;
		if (byte == 033) /* Alt and a key that is a sequence itself */
			return;
		e->escape = byte == '[' ? CLI_ESC_CSI : byte == 'O' ? CLI_ESC_SS3 : CLI_ESC_NONE;
		return;
	}
	if (byte >= '0' && byte <= '9' && e->escape_number < 100)
		e->escape_number = e->escape_number * 10 + (byte - '0');
	if (byte >= 0x40 && byte <= 0x7e) {
		e->escape = CLI_ESC_NONE;
		edit_escape(cli, byte);
	} else if (byte < 0x20 || byte > 0x7e || ++e->escape_len > ESCAPE_MAX) {
		e->escape = CLI_ESC_NONE;
	}
}

static void clear_screen(struct cli *cli)
{
	cli_puts(cli, "\033[H\033[2J");
	cli_edit_show(cli);
}

/* ^C: the line is given up, a new prompt comes. */
static void give_up(struct cli *cli)
{
	cli_puts(cli, "^C\r\n");
	cli_edit_clear(cli);
	cli->prompted = false;
}

/* ^D: on an empty line the user has left. */
static void delete_or_leave(struct cli *cli)
{
	struct cli_editor *e = &cli->editor;

	if (e->len == 0) {
		cli_puts(cli, "\r\n");
		cli_leave(cli);
		cli->prompted = false;
		return;
	}
	cut(cli, e->cursor, e->cursor + (e->cursor < e->len));
}

static bool edit_move(struct cli *cli, unsigned char byte)
{
	struct cli_editor *e = &cli->editor;

	switch (byte) {
	case CTRL('A'):
		move_to(cli, 0);
		return true;
	case CTRL('E'):
		move_to(cli, e->len);
		return true;
	case CTRL('B'):
		move_by(cli, -1);
		return true;
	case CTRL('F'):
		move_by(cli, 1);
		return true;
	case CTRL('P'):
		recall(cli, -1);
		return true;
	case CTRL('N'):
		recall(cli, 1);
		return true;
	case CTRL('L'):
		clear_screen(cli);
		return true;
	}
	return false;
}

static bool edit_cut(struct cli *cli, unsigned char byte)
{
	struct cli_editor *e = &cli->editor;

	switch (byte) {
	case CTRL('H'):
	case 0x7f:
		cut(cli, e->cursor - (e->cursor > 0), e->cursor);
		return true;
	case CTRL('D'):
		delete_or_leave(cli);
		return true;
	case CTRL('K'):
		cut(cli, e->cursor, e->len);
		return true;
	case CTRL('U'):
		cut(cli, 0, e->cursor);
		return true;
	case CTRL('W'):
		cut(cli, word_start(e), e->cursor);
		return true;
	case CTRL('C'):
		give_up(cli);
		return true;
	}
	return false;
}

void cli_edit(struct cli *cli, unsigned char byte)
{
	struct cli_editor *e = &cli->editor;
	char c = (char)byte;

	if (e->escape != CLI_ESC_NONE) {
		take_escape(cli, byte);
	} else if (byte == 033) {
		e->escape = CLI_ESC_START;
	} else if (byte == '\r') {
		cli_puts(cli, "\r\n");
		cli_run_line(cli);
	} else if (byte == '\t') {
		cli_complete(cli);
	} else if (byte == '?') {
		cli_help(cli);
	} else if (byte >= 0x20 && byte <= 0x7e) {
		cli_edit_insert(cli, &c, 1);
	} else if (!edit_move(cli, byte) && !edit_cut(cli, byte) && byte != 0) {
		bell(cli);
	}
}
