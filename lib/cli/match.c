/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Words against the tables. All commands of the mode are followed at once, as an automaton: bit i of
 * next[c] says that token i of command c may come next. Optional tokens make several bits.
 */
#include "cli/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct cli_token end_token = {.type = CLI_END};

static const struct cli_token *token_at(const struct cli_command *c, unsigned int i)
{
	return i < CLI_MAX_TOKENS ? &c->tokens[i] : &end_token;
}

/* Token i may come next, and what follows it too as long as tokens may be left out. */
static uint16_t reach(const struct cli_command *c, unsigned int i)
{
	uint16_t bits = (uint16_t)(1u << i);

	while (token_at(c, i)->type != CLI_END && token_at(c, i)->optional)
		bits |= (uint16_t)(1u << ++i);
	return bits;
}

struct walk {
	const struct cli *cli;
	const struct cli_states *states;
	unsigned int command, bit;
};

/* The next token that may come, END included; NULL when all were seen. */
static const struct cli_token *walk_next(struct walk *w)
{
	for (; w->command < w->cli->n_commands; w->command++, w->bit = 0) {
		for (; w->bit <= CLI_MAX_TOKENS; w->bit++) {
			if (w->states->next[w->command] & (1u << w->bit))
				return token_at(w->cli->commands[w->command], w->bit++);
		}
	}
	return NULL;
}

static bool same_token(const struct cli_token *a, const struct cli_token *b)
{
	return a->type == b->type && strcasecmp(a->name, b->name) == 0;
}

void cli_each_next(const struct cli *cli, const struct cli_states *s, cli_token_fn fn, void *arg)
{
	struct walk w = {.cli = cli, .states = s};
	const struct cli_token *t;

	while ((t = walk_next(&w)) != NULL) {
		struct walk before = {.cli = cli, .states = s};
		const struct cli_token *first;

		if (t->type == CLI_END)
			continue;
		/* Shown where it stands first. */
		while ((first = walk_next(&before)) != t) {
			if (first->type != CLI_END && same_token(first, t))
				break;
		}
		if (first == t)
			fn(arg, t);
	}
}

bool cli_state_end(const struct cli *cli, const struct cli_states *s)
{
	struct walk w = {.cli = cli, .states = s};
	const struct cli_token *t;

	while ((t = walk_next(&w)) != NULL) {
		if (t->type == CLI_END)
			return true;
	}
	return false;
}

static bool parse_uint(const struct cli_token *t, const char *text, uint64_t *out)
{
	unsigned long long n;
	char *end;

	if (text[0] < '0' || text[0] > '9') /* strtoull would take blanks and signs */
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *end || n < t->min || n > t->max)
		return false;
	*out = n;
	return true;
}

static bool parse_value(const struct cli_token *t, const char *text, struct cli_value *v)
{
	size_t len;

	v->token = t;
	v->text = text;
	switch (t->type) {
	case CLI_UINT:
		return parse_uint(t, text, &v->number);
	case CLI_WORD:
		len = strlen(text);
		return len >= (t->min ? t->min : 1) && len <= (t->max ? t->max : 255);
	case CLI_ADDRESS:
		return ipaddr_parse(text, &v->addr) == 0;
	case CLI_END:
	case CLI_KEYWORD:
		break;
	}
	return false;
}

static bool token_takes(const struct cli_token *t, const struct cli_word *w, struct cli_value *v)
{
	if (t->type == CLI_END)
		return false;
	if (t->type == CLI_KEYWORD) {
		v->token = t;
		v->text = t->name;
		return w->keyword && strcasecmp(w->keyword, t->name) == 0;
	}
	return !w->keyword && parse_value(t, w->text, v);
}

/* Which keyword the word stands for, if any. */
static enum cli_problem find_keyword(const struct cli *cli, const struct cli_states *s,
                                     struct cli_word *word)
{
	struct walk w = {.cli = cli, .states = s};
	size_t len = strlen(word->text);
	const struct cli_token *t;
	bool ambiguous = false;

	word->keyword = NULL;
	if (word->quoted)
		return CLI_OK;
	while ((t = walk_next(&w)) != NULL) {
		if (t->type != CLI_KEYWORD || strncasecmp(t->name, word->text, len) != 0)
			continue;
		if (t->name[len] == '\0') {
			word->keyword = t->name;
			return CLI_OK;
		}
		if (word->keyword && strcasecmp(word->keyword, t->name) != 0)
			ambiguous = true;
		else
			word->keyword = t->name;
	}
	return ambiguous ? CLI_AMBIGUOUS : CLI_OK;
}

/* Moves all commands over one word. */
static enum cli_problem step(const struct cli *cli, struct cli_states *s, struct cli_word *word)
{
	enum cli_problem problem = find_keyword(cli, s, word);
	struct cli_states to = {0};
	bool any = false, argument = false;
	unsigned int c, i;

	if (problem != CLI_OK)
		return problem;
	for (c = 0; c < cli->n_commands; c++) {
		for (i = 0; i < CLI_MAX_TOKENS; i++) {
			const struct cli_token *t = token_at(cli->commands[c], i);
			struct cli_value v;

			if (!(s->next[c] & (1u << i)))
				continue;
			argument |= t->type != CLI_KEYWORD && t->type != CLI_END;
			if (token_takes(t, word, &v)) {
				to.next[c] |= reach(cli->commands[c], i + 1);
				any = true;
			}
		}
	}
	if (!any)
		return argument ? CLI_BAD_VALUE : CLI_UNKNOWN;
	*s = to;
	return CLI_OK;
}

static const struct {
	const char *name, *help;
} filters[CLI_N_FILTERS] = {
        [CLI_INCLUDE] = {"include", "Only lines that contain a text"},
        [CLI_EXCLUDE] = {"exclude", "Only lines that do not contain a text"},
        [CLI_BEGIN] = {"begin", "From the first line that contains a text"},
        [CLI_COUNT] = {"count", "The number of lines, or of those that contain a text"},
};

const char *cli_filter_name(enum cli_filter_kind k)
{
	return filters[k].name;
}

const char *cli_filter_help(enum cli_filter_kind k)
{
	return filters[k].help;
}

static bool open_filter(struct cli_match *m, const struct cli_word *w)
{
	unsigned int k;

	if (m->n_filters == CLI_MAX_FILTERS || w->quoted || w->pipe)
		return false;
	for (k = 0; k < CLI_N_FILTERS; k++) {
		if (strncasecmp(filters[k].name, w->text, strlen(w->text)) == 0)
			break;
	}
	if (k == CLI_N_FILTERS)
		return false;
	m->filter[m->n_filters++] = (struct cli_filter){.kind = k};
	m->place = k == CLI_COUNT ? CLI_AT_COUNT_TEXT : CLI_AT_FILTER_TEXT;
	return true;
}

static enum cli_problem take_word(struct cli *cli, struct cli_match *m, struct cli_word *w)
{
	switch (m->place) {
	case CLI_AT_TOKEN:
		if (!w->pipe) {
			m->n_command_words++;
			return step(cli, &m->states, w);
		}
		if (!cli_state_end(cli, &m->states))
			return CLI_INCOMPLETE;
		m->place = CLI_AT_FILTER;
		return CLI_OK;
	case CLI_AT_FILTER:
		return open_filter(m, w) ? CLI_OK : CLI_BAD_FILTER;
	case CLI_AT_FILTER_TEXT:
	case CLI_AT_COUNT_TEXT:
		if (!w->pipe) {
			m->filter[m->n_filters - 1].text = w->text;
			m->place = CLI_AT_FILTER_END;
			return CLI_OK;
		}
		if (m->place == CLI_AT_FILTER_TEXT)
			return CLI_BAD_FILTER;
		m->place = CLI_AT_FILTER;
		return CLI_OK;
	case CLI_AT_FILTER_END:
		if (!w->pipe)
			return CLI_BAD_FILTER;
		m->place = CLI_AT_FILTER;
		return CLI_OK;
	}
	return CLI_BAD_FILTER;
}

static void set_problem(struct cli_match *m, enum cli_problem p, const struct cli_word *w,
                        size_t column)
{
	m->problem = p;
	m->bad = w;
	m->column = (uint16_t)column;
	m->bad_states = m->states;
}

void cli_match_line(struct cli *cli, struct cli_match *m, const char *text, size_t len,
                    bool up_to_cursor)
{
	unsigned int i, n;

	memset(m, 0, sizeof(*m));
	cli_lex(&m->line, text, len);
	for (i = 0; i < cli->n_commands; i++)
		m->states.next[i] = reach(cli->commands[i], 0);
	n = m->line.n;
	if (up_to_cursor && m->line.open_word)
		n--;
	for (i = 0; i < n; i++) {
		struct cli_word *w = &m->line.word[i];
		enum cli_problem p = take_word(cli, m, w);

		if (p != CLI_OK) {
			set_problem(m, p, w, w->start);
			return;
		}
	}
	if (m->line.too_many)
		set_problem(m, CLI_TOO_MANY, NULL, m->line.word[CLI_MAX_WORDS - 1].end);
	else if (m->line.open_quote && !up_to_cursor)
		set_problem(m, CLI_OPEN_QUOTE, NULL, m->line.word[m->line.n - 1].start);
}

/* Gives each word of the command its token. Depth is bounded by the tokens of a command. */
static bool bind_words(const struct cli_command *c, unsigned int token, const struct cli_word *w,
                       unsigned int n, struct cli_args *args)
{
	const struct cli_token *t = token_at(c, token);

	if (t->type == CLI_END)
		return n == 0;
	if (n > 0 && token_takes(t, w, &args->value[token]) &&
	    bind_words(c, token + 1, w + 1, n - 1, args))
		return true;
	args->value[token] = (struct cli_value){0};
	return t->optional && bind_words(c, token + 1, w, n, args);
}

const struct cli_command *cli_match_end(struct cli *cli, struct cli_match *m, struct cli_args *args)
{
	unsigned int i;

	if (m->problem != CLI_OK)
		return NULL;
	if (m->place == CLI_AT_FILTER || m->place == CLI_AT_FILTER_TEXT) {
		set_problem(m, CLI_BAD_FILTER, NULL, m->line.word[m->line.n - 1].end);
		return NULL;
	}
	memset(args, 0, sizeof(*args));
	for (i = 0; i < cli->n_commands; i++) {
		const struct cli_command *c = cli->commands[i];

		if (m->states.next[i] && bind_words(c, 0, m->line.word, m->n_command_words, args))
			return c;
	}
	set_problem(m, CLI_INCOMPLETE, NULL,
	            m->n_command_words ? m->line.word[m->n_command_words - 1].end : 0);
	return NULL;
}

const struct cli_value *cli_arg(const struct cli_args *args, const char *name)
{
	unsigned int i;

	for (i = 0; i < CLI_MAX_TOKENS; i++) {
		const struct cli_value *v = &args->value[i];

		if (v->token && strcmp(v->token->name, name) == 0)
			return v;
	}
	return NULL;
}
