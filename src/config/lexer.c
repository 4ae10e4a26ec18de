/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * libconfig's tokens, found once more beside libconfig.
 */
#include "config/lexer.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lexer {
	struct source *s;
	struct findings *f;
	const char *p, *end;
	const char *dir;
	uint32_t file, line;
	unsigned int file_depth;
	bool bol; /* nothing but blanks since the start of the line */
	unsigned int n_open;
	struct {
		char c;
		uint32_t line;
	} open[SOURCE_DEPTH_MAX];
};

static struct pos here(const struct lexer *l, uint32_t line)
{
	return (struct pos){
	        .file = l->file,
	        .line = line,
	        .order = l->s->n_lines,
	};
}

static bool looking_at(const struct lexer *l, const char *what)
{
	size_t n = strlen(what);

	return (size_t)(l->end - l->p) >= n && memcmp(l->p, what, n) == 0;
}

/* Moves n bytes into the flat text, line by line. */
static int take(struct lexer *l, size_t n)
{
	while (n > 0) {
		const char *nl = memchr(l->p, '\n', n);
		size_t part = nl != NULL ? (size_t)(nl - l->p) + 1 : n;
		int ret = source_append(l->s, l->p, part);

		if (ret == -EFBIG) {
			found_error(l->f, here(l, l->line),
			            "the configuration is larger than %u MB",
			            SOURCE_FILE_MAX >> 20);
			return -EINVAL;
		}
		if (ret == 0 && nl != NULL)
			ret = source_start_line(l->s, l->file, ++l->line);
		if (ret < 0)
			return ret;
		l->p += part;
		n -= part;
	}
	return 0;
}

/* No finding quotes a word or a string: either may be a secret, in quotes or without. */
static int expect(struct lexer *l, enum syntax_class c)
{
	const char *want = syntax_step(&l->s->syntax, c), *got;
	char other[32];

	if (want == NULL)
		return 0;
	switch (c) {
	case SYN_NAME:
		got = "a word (text stands in double quotes)";
		break;
	case SYN_SCALAR:
		got = *l->p == '"' ? "a string" : "a value";
		break;
	case SYN_END:
		got = "the end of the text";
		break;
	default:
		got = other;
		snprintf(other, sizeof(other), isprint((unsigned char)*l->p) ? "'%c'" : "byte %02x",
		         (unsigned char)*l->p);
	}
	found_error(l->f, here(l, l->line), "expected %s, found %s", want, got);
	return -EINVAL;
}

/* A token that leaves no trace but its step. */
static int punctuation(struct lexer *l, enum syntax_class c)
{
	int ret = expect(l, c);

	l->s->after_string = false;
	return ret < 0 ? ret : take(l, 1);
}

static int token(struct lexer *l, enum tok_kind kind, size_t n)
{
	static const uint8_t class_of[] = {
	        [TOK_NAME] = SYN_NAME,        [TOK_GROUP] = SYN_OPEN_GROUP,
	        [TOK_ARRAY] = SYN_OPEN_ARRAY, [TOK_LIST] = SYN_OPEN_LIST,
	        [TOK_INT] = SYN_SCALAR,       [TOK_FLOAT] = SYN_SCALAR,
	        [TOK_BOOL] = SYN_SCALAR,      [TOK_STRING] = SYN_SCALAR};
	struct source *s = l->s;
	uint8_t depth = s->syntax.depth;
	int ret;

	if (kind == TOK_STRING && s->after_string)
		return take(l, n);
	ret = expect(l, class_of[kind]);
	if (ret < 0)
		return ret;
	if (s->n_toks == s->cap_toks) {
		uint32_t cap = s->cap_toks != 0 ? s->cap_toks * 2 : 256;
		struct tok *v = reallocarray(s->toks, cap, sizeof(*v));

		if (v == NULL)
			return -ENOMEM;
		s->toks = v;
		s->cap_toks = cap;
	}
	s->toks[s->n_toks++] = (struct tok){.at = (uint32_t)s->len,
	                                    .len = (uint32_t)n,
	                                    .line = s->n_lines - 1,
	                                    .kind = kind,
	                                    .depth = depth};
	l->s->after_string = kind == TOK_STRING;
	return take(l, n);
}

static size_t span_digits(const char *p, const char *end)
{
	size_t n = 0;

	while (p + n < end && isdigit((unsigned char)p[n]))
		n++;
	return n;
}

/* The exponent of a float: its length, or 0. */
static size_t span_exponent(const char *p, const char *end)
{
	size_t n = 1, digits;

	if (p >= end || (*p != 'e' && *p != 'E'))
		return 0;
	if (p + n < end && (p[n] == '-' || p[n] == '+'))
		n++;
	digits = span_digits(p + n, end);
	return digits > 0 ? n + digits : 0;
}

static size_t span_suffix(const char *p, const char *end)
{
	size_t n = 0;

	while (n < 2 && p + n < end && p[n] == 'L')
		n++;
	return n;
}

/* A number at the lexer: its length and kind, or 0. */
static size_t span_number(const struct lexer *l, enum tok_kind *kind)
{
	const char *p = l->p, *end = l->end;
	size_t sign = *p == '-' || *p == '+', digits, n, e;

	if (end - p > 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X') &&
	    isxdigit((unsigned char)p[2])) {
		for (n = 3; p + n < end && isxdigit((unsigned char)p[n]);)
			n++;
		*kind = TOK_INT;
		return n + span_suffix(p + n, end);
	}
	digits = span_digits(p + sign, end);
	n = sign + digits;
	*kind = TOK_FLOAT;
	if (p + n < end && p[n] == '.') {
		n++;
		n += span_digits(p + n, end);
		return n + span_exponent(p + n, end);
	}
	if (digits == 0)
		return 0;
	e = span_exponent(p + n, end);
	if (e > 0)
		return n + e;
	*kind = TOK_INT;
	return n + span_suffix(p + n, end);
}

static int lex_string(struct lexer *l)
{
	const char *p = l->p + 1;

	for (; p < l->end && *p != '"'; p++) {
		if (*p != '\\' || p + 1 >= l->end)
			continue;
		if ((p[1] == 'x' || p[1] == 'X') && l->end - p > 3 && p[2] == '0' && p[3] == '0') {
			found_error(l->f, here(l, l->line), "a string cannot hold the byte \\x00");
			return -EINVAL;
		}
		if (p[1] == '"' || p[1] == '\\')
			p++;
	}
	if (p >= l->end) {
		found_error(l->f, here(l, l->line), "the string that begins here has no end");
		return -EINVAL;
	}
	return token(l, TOK_STRING, (size_t)(p + 1 - l->p));
}

static int lex_comment(struct lexer *l)
{
	const char *e;

	if (!looking_at(l, "/*")) {
		e = memchr(l->p, '\n', (size_t)(l->end - l->p));
		return take(l, (size_t)((e != NULL ? e : l->end) - l->p));
	}
	e = memmem(l->p + 2, (size_t)(l->end - l->p - 2), "*/", 2);
	if (e == NULL) {
		found_error(l->f, here(l, l->line), "the comment that begins here has no end");
		return -EINVAL;
	}
	return take(l, (size_t)(e + 2 - l->p));
}

static int lex_open(struct lexer *l)
{
	char c = *l->p;
	enum tok_kind kind = c == '{' ? TOK_GROUP : c == '(' ? TOK_LIST : TOK_ARRAY;
	int ret;

	if (l->s->syntax.depth == SOURCE_DEPTH_MAX) {
		found_error(l->f, here(l, l->line), "brackets are nested more than %d deep",
		            SOURCE_DEPTH_MAX);
		return -EINVAL;
	}
	l->open[l->n_open].c = c;
	l->open[l->n_open].line = l->line;
	ret = token(l, kind, 1);
	l->n_open++;
	return ret;
}

static char closer(char c)
{
	return c == '{' ? '}' : c == '(' ? ')' : ']';
}

static int lex_close(struct lexer *l)
{
	char c = *l->p;

	if (l->n_open == 0) {
		found_error(l->f, here(l, l->line), "'%c' closes nothing", c);
		return -EINVAL;
	}
	l->n_open--;
	if (closer(l->open[l->n_open].c) != c) {
		found_error(l->f, here(l, l->line),
		            "'%c' where the '%c' of line %u must be closed by '%c'", c,
		            l->open[l->n_open].c, l->open[l->n_open].line,
		            closer(l->open[l->n_open].c));
		return -EINVAL;
	}
	return punctuation(l, SYN_CLOSE);
}

/* @include "file", which libconfig knows at the start of a line only. */
static int lex_include(struct lexer *l)
{
	const char *p = l->p + strlen("@include"), *quote;
	bool blank = p < l->end && (*p == ' ' || *p == '\t');
	char *name, *path;
	uint32_t line = l->line;
	int ret;

	while (p < l->end && (*p == ' ' || *p == '\t'))
		p++;
	quote = p < l->end && *p == '"' ? memchr(p + 1, '"', (size_t)(l->end - p - 1)) : NULL;
	if (!l->bol || !blank || quote == NULL || memchr(p, '\n', (size_t)(quote - p)) != NULL) {
		found_error(l->f, here(l, line),
		            "@include stands at the start of a line, before a file name in double "
		            "quotes");
		return -EINVAL;
	}
	if (l->dir == NULL || l->file_depth + 1 >= SOURCE_DEPTH_MAX) {
		found_error(l->f, here(l, line),
		            l->dir == NULL ? "files cannot be included here"
		                           : "includes are nested too deep: does a file include "
		                             "itself?");
		return -EINVAL;
	}
	name = strndup(p + 1, (size_t)(quote - p - 1));
	path = name != NULL ? source_path(l->dir, name) : NULL;
	free(name);
	if (path == NULL)
		return -ENOMEM;
	ret = source_include(l->s, path, here(l, line), l->file_depth + 1, l->f);
	free(path);
	l->p = quote + 1;
	l->bol = false;
	return ret < 0 ? ret : source_start_line(l->s, l->file, l->line);
}

static size_t span_name(const struct lexer *l)
{
	const char *p = l->p;

	if (!isalpha((unsigned char)*p) && *p != '*')
		return 0;
	while (p < l->end && (isalnum((unsigned char)*p) || strchr("-_*", *p) != NULL))
		p++;
	return (size_t)(p - l->p);
}

static int lex_other(struct lexer *l)
{
	enum tok_kind kind = TOK_NAME;
	size_t n = span_name(l);

	if (n == 0)
		n = span_number(l, &kind);
	else if ((n == 4 && strncasecmp(l->p, "true", 4) == 0) ||
	         (n == 5 && strncasecmp(l->p, "false", 5) == 0))
		kind = TOK_BOOL;
	if (n > 0)
		return token(l, kind, n);
	return punctuation(l, SYN_OTHER);
}

static int lex_one(struct lexer *l)
{
	switch (*l->p) {
	case '\n':
		l->bol = true;
		return take(l, 1);
	case ' ':
	case '\t':
		/* The blanks before an include must leave no line of their own. */
		if (l->bol) {
			l->p++;
			return 0;
		}
		return take(l, 1);
	case '\r':
	case '\f':
		l->bol = false;
		return take(l, 1);
	case '\0':
		found_error(l->f, here(l, l->line), "a NUL byte: this is not a text file");
		return -EINVAL;
	case '@':
		return lex_include(l);
	}
	l->bol = false;
	switch (*l->p) {
	case '"':
		return lex_string(l);
	case '(':
	case '[':
	case '{':
		return lex_open(l);
	case ')':
	case ']':
	case '}':
		return lex_close(l);
	case '=':
	case ':':
		return punctuation(l, SYN_EQUALS);
	case ',':
		return punctuation(l, SYN_COMMA);
	case ';':
		return punctuation(l, SYN_SEMICOLON);
	}
	if (*l->p == '#' || looking_at(l, "//") || looking_at(l, "/*"))
		return lex_comment(l);
	return lex_other(l);
}

int lexer_run(struct source *s, uint32_t file, const char *text, size_t len, const char *dir,
              unsigned int depth, struct findings *f)
{
	struct lexer l = {.s = s,
	                  .f = f,
	                  .p = text,
	                  .end = text + len,
	                  .dir = dir,
	                  .file = file,
	                  .line = 1,
	                  .file_depth = depth,
	                  .bol = true};
	int ret = source_start_line(s, file, 1);

	while (ret == 0 && l.p < l.end)
		ret = lex_one(&l);
	if (ret == 0 && l.n_open > 0) {
		found_error(f, here(&l, l.open[l.n_open - 1].line), "this '%c' is never closed",
		            l.open[l.n_open - 1].c);
		ret = -EINVAL;
	}
	if (ret == 0 && depth == 0)
		ret = expect(&l, SYN_END);
	/* libconfig needs the newline behind a comment in the last line. */
	return ret < 0 ? ret : source_append(s, "\n", 1);
}
