/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* "?", TAB, and what is said about a line that does not fit. */
#include "cli/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NAME_COLUMN 20

bool cli_choice(struct cli_choices *out, const char *value)
{
	if (strncasecmp(value, out->prefix, out->prefix_len) != 0 ||
	    strlen(value) >= sizeof(out->value[0]))
		return true;
	if (out->n == CLI_MAX_VALUES) {
		out->more = true;
		return false;
	}
	cli_clean(out->value[out->n], sizeof(out->value[0]), value);
	out->n++;
	return true;
}

struct gather {
	struct cli *cli;
	struct cli_choices *out;
	bool keywords; /* not only values */
};

static void gather_token(void *arg, const struct cli_token *t)
{
	struct gather *g = arg;

	if (t->type == CLI_KEYWORD && g->keywords)
		cli_choice(g->out, t->name);
	else if (t->complete)
		t->complete(g->cli->conf.user, g->out->prefix, g->out);
}

/* What the word under the cursor may become: keywords and values, or values alone. */
static void gather(struct cli *cli, const struct cli_match *m, const char *prefix, bool keywords,
                   struct cli_choices *out)
{
	struct gather g = {.cli = cli, .out = out, .keywords = keywords};
	unsigned int k;

	out->prefix = prefix;
	out->prefix_len = strlen(prefix);
	out->n = 0;
	out->more = false;
	if (m->place == CLI_AT_TOKEN)
		cli_each_next(cli, &m->states, gather_token, &g);
	for (k = 0; m->place == CLI_AT_FILTER && k < CLI_N_FILTERS; k++)
		cli_choice(out, cli_filter_name(k));
}

/* Names in columns. */
static void list(struct cli *cli, const struct cli_choices *c)
{
	unsigned int i, col = 0, width = cli->columns ? cli->columns : 80;

	for (i = 0; i < c->n; i++) {
		unsigned int n = (unsigned int)strlen(c->value[i]) + 2;

		if (col && col + n > width) {
			cli_puts(cli, "\r\n");
			col = 0;
		}
		cli_puts(cli, "  ");
		cli_puts(cli, c->value[i]);
		col += n;
	}
	cli_puts(cli, c->more ? "  ...\r\n" : "\r\n");
}

static void explain(struct cli *cli, const char *name, const char *text)
{
	char line[256];

	snprintf(line, sizeof(line), "  %-*s %s\r\n", NAME_COLUMN, name, text);
	cli_puts(cli, line);
}

static void explain_token(void *arg, const struct cli_token *t)
{
	char name[64];

	if (t->type == CLI_UINT)
		snprintf(name, sizeof(name), "%s <%" PRIu64 "-%" PRIu64 ">", t->name, t->min,
		         t->max);
	else
		snprintf(name, sizeof(name), "%s", t->name);
	explain(arg, name, t->help);
}

/* What may follow a blank. */
static void explain_next(struct cli *cli, const struct cli_match *m)
{
	struct cli_choices values;
	unsigned int k;

	switch (m->place) {
	case CLI_AT_TOKEN:
		cli_each_next(cli, &m->states, explain_token, cli);
		gather(cli, m, "", false, &values);
		if (values.n)
			list(cli, &values);
		break;
	case CLI_AT_FILTER:
		for (k = 0; k < CLI_N_FILTERS; k++)
			explain(cli, cli_filter_name(k), cli_filter_help(k));
		return;
	case CLI_AT_FILTER_TEXT:
		explain(cli, "TEXT", "Text to look for; double quotes around blanks");
		return;
	case CLI_AT_COUNT_TEXT:
		explain(cli, "TEXT", "Text to look for; double quotes around blanks");
		break;
	case CLI_AT_FILTER_END:
		break;
	}
	if (m->place != CLI_AT_TOKEN || (m->n_command_words && cli_state_end(cli, &m->states))) {
		explain(cli, "|", "Filter the output");
		explain(cli, "<cr>", "Run the command");
	}
}

/* A copy of the word under the cursor, "" behind a blank. False when help has nothing to say. */
static bool at_cursor(struct cli *cli, char *prefix, size_t size)
{
	struct cli_editor *e = &cli->editor;
	struct cli_match *m = &cli->match;

	cli_match_line(cli, m, e->line, e->cursor, true);
	snprintf(prefix, size, "%s", m->line.open_word ? m->line.word[m->line.n - 1].text : "");
	return m->problem == CLI_OK;
}

void cli_help(struct cli *cli)
{
	struct cli_match *m = &cli->match;
	char prefix[CLI_LINE_MAX + 1];
	bool ok = at_cursor(cli, prefix, sizeof(prefix));
	struct cli_choices c;

	if (m->line.open_quote) {
		cli_edit_insert(cli, "?", 1); /* part of a quoted text */
		return;
	}
	cli_puts(cli, "?\r\n");
	if (!ok) {
		cli_report(cli, m, cli->editor.offset);
	} else if (!m->line.open_word) {
		explain_next(cli, m);
	} else {
		gather(cli, m, prefix, true, &c);
		if (c.n)
			list(cli, &c);
		else if (m->place == CLI_AT_TOKEN)
			cli_each_next(cli, &m->states, explain_token, cli);
	}
	cli_edit_show(cli);
}

static size_t common_prefix(const struct cli_choices *c)
{
	size_t n = strlen(c->value[0]), k;
	unsigned int i;

	for (i = 1; i < c->n; i++) {
		for (k = 0; k < n && c->value[i][k] == c->value[0][k]; k++)
			;
		n = k;
	}
	return n;
}

void cli_complete(struct cli *cli)
{
	struct cli_match *m = &cli->match;
	char prefix[CLI_LINE_MAX + 1];
	struct cli_choices c;
	size_t n;

	c.n = 0;
	if (at_cursor(cli, prefix, sizeof(prefix)) &&
	    !(m->line.open_word && m->line.word[m->line.n - 1].quoted))
		gather(cli, m, prefix, true, &c);
	if (c.n == 0) {
		cli_puts(cli, "\a");
		return;
	}
	n = common_prefix(&c);
	/* A value that would need quotes is only shown. */
	if ((n > c.prefix_len || c.n == 1) && !strpbrk(c.value[0], " \"\\|")) {
		/* What was typed stays as it was typed; case does not matter. */
		cli_edit_insert(cli, c.value[0] + c.prefix_len, n - c.prefix_len);
		if (c.n == 1)
			cli_edit_insert(cli, " ", 1);
		return;
	}
	cli_puts(cli, "\r\n");
	list(cli, &c);
	cli_edit_show(cli);
}

struct sentence {
	char text[256];
	size_t len;
	const char *prefix; /* only keywords that start so; NULL: all */
	unsigned int n;
	const struct cli_token *only; /* the only argument possible */
	unsigned int n_arguments;
};

static void add_name(struct sentence *s, const char *name)
{
	int n = snprintf(s->text + s->len, sizeof(s->text) - s->len, "%s%s", s->n ? ", " : "",
	                 name);

	s->n++;
	if (n > 0)
		s->len += (size_t)n;
	if (s->len >= sizeof(s->text))
		s->len = sizeof(s->text) - 1;
}

static void add_token(void *arg, const struct cli_token *t)
{
	struct sentence *s = arg;

	if (t->type != CLI_KEYWORD) {
		s->only = t;
		s->n_arguments++;
	}
	if (!s->prefix ||
	    (t->type == CLI_KEYWORD && strncasecmp(t->name, s->prefix, strlen(s->prefix)) == 0))
		add_name(s, t->name);
}

static void describe_value(char *out, size_t size, const struct cli_token *t)
{
	switch (t->type) {
	case CLI_UINT:
		snprintf(out, size, "%s must be a number from %" PRIu64 " to %" PRIu64, t->name,
		         t->min, t->max);
		break;
	case CLI_ADDRESS:
		snprintf(out, size, "%s must be an IPv4 or IPv6 address", t->name);
		break;
	default:
		snprintf(out, size, "%s must have %" PRIu64 " to %" PRIu64 " characters", t->name,
		         t->min ? t->min : 1, t->max ? t->max : 255);
	}
}

static void describe(struct cli *cli, const struct cli_match *m, char *out, size_t size)
{
	struct sentence s = {.prefix = m->problem == CLI_AMBIGUOUS ? m->bad->text : NULL};

	cli_each_next(cli, &m->bad_states, add_token, &s);
	switch (m->problem) {
	case CLI_BAD_VALUE:
		if (s.n_arguments == 1 && s.n == 1)
			describe_value(out, size, s.only);
		else
			snprintf(out, size, "Not one of: %s", s.text);
		break;
	case CLI_UNKNOWN:
		if (s.n)
			snprintf(out, size, "Unknown word; possible here: %s", s.text);
		else
			snprintf(out, size, "The command is complete before this word");
		break;
	case CLI_AMBIGUOUS:
		snprintf(out, size, "Ambiguous: %s", s.text);
		break;
	case CLI_INCOMPLETE:
		snprintf(out, size, "Incomplete; possible here: %s", s.text);
		break;
	case CLI_BAD_FILTER:
		snprintf(out, size,
		         "A filter is: include TEXT, exclude TEXT, begin TEXT, count [TEXT]; at "
		         "most %d",
		         CLI_MAX_FILTERS);
		break;
	case CLI_OPEN_QUOTE:
		snprintf(out, size, "The closing double quote is missing");
		break;
	case CLI_TOO_MANY:
		snprintf(out, size, "Too many words");
		break;
	case CLI_OK:
		out[0] = '\0';
	}
}

/* The caret under the word, as far as the line was shown from that byte on, and the sentence. */
void cli_report(struct cli *cli, const struct cli_match *m, unsigned int shown_from)
{
	char prompt[CLI_PROMPT_MAX], text[384];
	size_t col = cli_prompt(cli, prompt, sizeof(prompt));

	if (m->column >= shown_from) {
		col += m->column - shown_from;
		if (!cli->columns || col < cli->columns) {
			while (col--)
				cli_write(cli, " ", 1);
			cli_puts(cli, "^\r\n");
		}
	}
	describe(cli, m, text, sizeof(text));
	cli_puts(cli, "% ");
	cli_puts(cli, text);
	cli_puts(cli, "\r\n");
}
