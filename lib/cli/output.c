/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * What commands write, on its way out: lines wait in pending, pass the filters and are counted by the
 * pager. Pending holds what one call of print wrote, no more: print is called when it is empty.
 */
#include "cli/internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT_MAX 4096 /* bytes of one cli_printf that need no allocation */

static const char more_text[] = "--More--";
static const char more_erase[] = "\r        \r";

static bool pending_grow(struct cli *cli, size_t n)
{
	size_t size = cli->pending_size ? cli->pending_size : 1024;
	char *p;

	if (cli->pending_len + n > CLI_PENDING_MAX)
		return false;
	while (size < cli->pending_len + n)
		size *= 2;
	if (size == cli->pending_size)
		return true;
	p = realloc(cli->pending, size);
	if (!p)
		return false;
	cli->pending = p;
	cli->pending_size = size;
	return true;
}

static void pending_add(struct cli *cli, const char *text, size_t n)
{
	size_t i;

	if (!pending_grow(cli, n)) {
		cli->overflow = true;
		return;
	}
	for (i = 0; i < n; i++) {
		char c = text[i];

		/* Names come from strangers: nothing may steer the operator's terminal. */
		if (c != '\n' && (c < 0x20 || c > 0x7e))
			c = '.';
		cli->pending[cli->pending_len++] = c;
	}
}

void cli_printf(struct cli *cli, const char *fmt, ...)
{
	char buf[FORMAT_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(buf)) {
		char *big = malloc((size_t)n + 1);

		if (!big) {
			cli->overflow = true;
			return;
		}
		va_start(ap, fmt);
		vsnprintf(big, (size_t)n + 1, fmt, ap);
		va_end(ap);
		pending_add(cli, big, (size_t)n);
		free(big);
		return;
	}
	pending_add(cli, buf, (size_t)n);
}

const char *cli_clean(char *buf, size_t size, const char *text)
{
	size_t i;

	for (i = 0; i + 1 < size && text[i]; i++)
		buf[i] = text[i] < 0x20 || text[i] > 0x7e ? '.' : text[i];
	if (size)
		buf[i] = '\0';
	return buf;
}

/* A text is looked for as it stands: no pattern of a user can cost more than its line's length. */
static bool contains(const char *line, size_t n, const char *text)
{
	return memmem(line, n, text, strlen(text)) != NULL;
}

/* True when the line is to be shown. */
static bool filter_line(struct cli *cli, const char *line, size_t n)
{
	unsigned int i;

	for (i = 0; i < cli->n_filters; i++) {
		struct cli_filter *f = &cli->filter[i];
		bool hit = !f->text || contains(line, n, f->text);

		switch (f->kind) {
		case CLI_INCLUDE:
			if (!hit)
				return false;
			break;
		case CLI_EXCLUDE:
			if (hit)
				return false;
			break;
		case CLI_BEGIN:
			f->begun |= hit;
			if (!f->begun)
				return false;
			break;
		case CLI_COUNT:
			f->count += hit;
			return false;
		case CLI_N_FILTERS:
			break;
		}
	}
	return true;
}

static unsigned int rows_of(const struct cli *cli, size_t n)
{
	if (!cli->columns || n == 0)
		return 1;
	return (unsigned int)((n + cli->columns - 1) / cli->columns);
}

/* False when the page is full: the user is asked, and the line waits. */
static bool page_line(struct cli *cli, size_t n)
{
	unsigned int rows = rows_of(cli, n);

	/* A line taller than the screen goes out whole on a fresh page. */
	if (cli->rows && cli->page_rows && cli->page_rows + rows > cli->page_limit) {
		cli->pager = CLI_PAGE_ASK;
		cli_puts(cli, more_text);
		return false;
	}
	cli->page_rows += rows;
	return true;
}

/* Writes out what is pending, whole lines first. False when it must stop before the end. */
bool cli_out_flush(struct cli *cli, unsigned int *budget)
{
	while (cli->pending_pos < cli->pending_len) {
		const char *line = cli->pending + cli->pending_pos;
		size_t left = cli->pending_len - cli->pending_pos;
		const char *nl = memchr(line, '\n', left);
		size_t n = nl ? (size_t)(nl - line) : left;

		/* The rest of the line may come with the next call of print. */
		if (!nl && cli->printing) {
			memmove(cli->pending, line, left);
			cli->pending_len = left;
			cli->pending_pos = 0;
			return true;
		}
		if (*budget == 0 || cli->conf.room(cli->conf.owner) == 0)
			return false;
		if (filter_line(cli, line, n)) {
			if (!page_line(cli, n))
				return false;
			cli_write(cli, line, n);
			cli_puts(cli, "\r\n");
		}
		(*budget)--;
		cli->pending_pos += n + (nl ? 1 : 0);
	}
	cli->pending_pos = cli->pending_len = 0;
	return true;
}

/* After the last line: the counts, which are lines like any other to the filters behind them. */
void cli_out_end(struct cli *cli)
{
	unsigned int i;

	if (cli->overflow) {
		cli->overflow = false;
		cli_puts(cli, "% Output was cut: too much for one step\r\n");
	}
	for (i = 0; i < cli->n_filters; i++) {
		char text[48];

		if (cli->filter[i].kind != CLI_COUNT)
			continue;
		snprintf(text, sizeof(text), "%" PRIu64 " lines\r\n", cli->filter[i].count);
		cli_puts(cli, text);
		break; /* a count lets nothing through: what stands behind it saw no line */
	}
	cli->n_filters = 0;
}

void cli_out_reset(struct cli *cli)
{
	cli->pending_pos = cli->pending_len = 0;
	cli->overflow = false;
	cli->n_filters = 0;
	cli->pager = CLI_PAGE_RUN;
	cli->page_rows = 0;
	cli->page_limit = cli->rows > 1 ? cli->rows - 1 : 1;
	/* A single call with very much to say should not hold its memory for ever. */
	if (cli->pending_size > 16384) {
		free(cli->pending);
		cli->pending = NULL;
		cli->pending_size = 0;
	}
}

void cli_page_key(struct cli *cli, unsigned char key)
{
	if (key == ' ') {
		cli->page_rows = 0;
		cli->page_limit = cli->rows > 1 ? cli->rows - 1 : 1;
	} else if (key == '\r') {
		/* One more line, however tall, and then ask again. */
		cli->page_rows = 0;
		cli->page_limit = 1;
	} else {
		return;
	}
	cli->pager = CLI_PAGE_RUN;
	cli_puts(cli, more_erase);
}
