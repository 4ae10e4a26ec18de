/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* A line becomes words: blanks part them, double quotes keep blanks, "|" stands alone. */
#include "cli/internal.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Copies one word from *pos on; returns the end of what was written. */
static char *lex_word(struct cli_line *l, struct cli_word *w, const char *text, size_t len,
                      size_t *pos, char *out)
{
	bool quote = false;
	size_t i = *pos;

	for (; i < len; i++) {
		char c = text[i];

		if (c == '"') {
			quote = !quote;
			w->quoted = true;
		} else if (quote && c == '\\' && i + 1 < len &&
		           (text[i + 1] == '"' || text[i + 1] == '\\')) {
			*out++ = text[++i];
		} else if (!quote && (is_blank(c) || c == '|')) {
			break;
		} else {
			*out++ = c;
		}
	}
	l->open_quote = quote;
	*pos = i;
	return out;
}

void cli_lex(struct cli_line *l, const char *text, size_t len)
{
	char *out = l->text;
	size_t i = 0;

	l->n = 0;
	l->open_word = l->open_quote = l->too_many = false;
	for (;;) {
		struct cli_word *w = &l->word[l->n];

		while (i < len && is_blank(text[i]))
			i++;
		if (i >= len)
			return;
		if (l->n == CLI_MAX_WORDS) {
			l->too_many = true;
			return;
		}
		*w = (struct cli_word){.text = out, .start = (uint16_t)i};
		if (text[i] == '|') {
			w->pipe = true;
			*out++ = text[i++];
		} else {
			out = lex_word(l, w, text, len, &i, out);
			l->open_word = i == len;
		}
		*out++ = '\0';
		w->end = (uint16_t)i;
		l->n++;
	}
}
