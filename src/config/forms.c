/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What strings may look like, and which word a misspelt one was meant to be. */
#include "config/schema.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define CPU_MAX  1023 /* the most that a cpu_set_t of glibc names */
#define WORD_MAX 48 /* longer words are not compared */

const char *form_text(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
		if (*p < 0x20 || *p == 0x7f)
			return "text without control characters";
	return NULL;
}

const char *form_word(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
		if (*p <= 0x20 || *p == 0x7f || *p == '"')
			return "one word without blanks and quotes";
	return NULL;
}

const char *form_ifname(const char *text)
{
	/* What Linux takes as the name of a network device, without the ':' of aliases. */
	if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return "a device name";
	for (const char *p = text; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("._-", *p) == NULL)
			return "letters, digits, '.', '_' and '-'";
	return NULL;
}

/* Consumes up to max hex digits; true when there were at least min. */
static bool hex_digits(const char **p, int min, int max)
{
	int n = 0;

	while (n < max && isxdigit((unsigned char)**p)) {
		(*p)++;
		n++;
	}
	return n >= min;
}

static bool is_pci(const char *p)
{
	const char *start = p;

	if (!hex_digits(&p, 4, 4) || *p != ':')
		p = start; /* without the domain */
	else
		p++;
	return hex_digits(&p, 2, 2) && *p++ == ':' && hex_digits(&p, 2, 2) && *p++ == '.' &&
	       *p >= '0' && *p <= '7' && (p[1] == '\0' || p[1] == ',');
}

const char *form_device(const char *text)
{
	static const char want[] =
	        "a PCI address such as 0000:03:00.0, or a driver with its arguments such as "
	        "net_af_packet0,iface=wan0";
	const char *p = text;

	if (form_word(text) != NULL)
		return want;
	if (is_pci(text))
		return NULL;
	if (strncmp(p, "net_", 4) != 0 && strncmp(p, "eth_", 4) != 0)
		return want;
	p += 4;
	if (!isalpha((unsigned char)*p))
		return want;
	while (isalnum((unsigned char)*p) || *p == '_')
		p++;
	return *p == '\0' || *p == ',' ? NULL : want;
}

static bool cpu_number(const char **p, unsigned int *n)
{
	*n = 0;
	if (!isdigit((unsigned char)**p))
		return false;
	for (; isdigit((unsigned char)**p); (*p)++) {
		*n = *n * 10 + (unsigned int)(**p - '0');
		if (*n > CPU_MAX)
			return false;
	}
	return true;
}

unsigned int form_cpus_count(const char *text)
{
	uint8_t seen[CPU_MAX + 1] = {0};
	unsigned int count = 0;

	for (const char *p = text;; p++) {
		unsigned int a, b;

		if (!cpu_number(&p, &a))
			return 0;
		b = a;
		if (*p == '-') {
			p++;
			if (!cpu_number(&p, &b) || b < a)
				return 0;
		}
		for (; a <= b; a++) {
			if (seen[a])
				return 0;
			seen[a] = 1;
			count++;
		}
		if (*p == '\0')
			return count;
		if (*p != ',')
			return 0;
	}
}

const char *form_cpus(const char *text)
{
	return form_cpus_count(text) > 0 ? NULL
	                                 : "a list of different CPU numbers and ranges such as "
	                                   "\"0,2-3\"";
}

const char *form_path(const char *text)
{
	return text[0] == '/' && form_text(text) == NULL ? NULL : "a path that begins with '/'";
}

const char *form_file(const char *text)
{
	/* Lists of swanctl.conf are split at commas. */
	return form_path(text) == NULL && strpbrk(text, ",\"\\") == NULL
	               ? NULL
	               : "a path that begins with '/', without commas, quotes and backslashes";
}

const char *form_connection(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && (p == text || strchr("_-", *p) == NULL))
			return "letters, digits, '_' and '-'";
	return NULL;
}

const char *form_remote_identity(const char *text)
{
	return form_text(text) == NULL && strpbrk(text, "\"\\") == NULL && text[0] != ' '
	               ? NULL
	               : "an identity without control characters, quotes and backslashes";
}

const char *form_identity(const char *text)
{
	if (form_remote_identity(text) != NULL)
		return form_remote_identity(text);
	return text[0] != '%' ? NULL : "one identity (for any peer there is group-pre-shared-key)";
}

static int same(char a, char b)
{
	if (a == '_')
		a = '-';
	if (b == '_')
		b = '-';
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static unsigned int min2(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Edits (change, leave out, put in, swap neighbours) that make b of a. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int la = (unsigned int)strlen(a), lb = (unsigned int)strlen(b);
	unsigned int d[3][WORD_MAX + 1];

	for (unsigned int j = 0; j <= lb; j++)
		d[0][j] = j;
	for (unsigned int i = 1; i <= la; i++) {
		unsigned int *cur = d[i % 3], *prev = d[(i + 2) % 3], *prev2 = d[(i + 1) % 3];

		cur[0] = i;
		for (unsigned int j = 1; j <= lb; j++) {
			unsigned int best = prev[j - 1] + !same(a[i - 1], b[j - 1]);

			best = min2(best, min2(prev[j], cur[j - 1]) + 1);
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
				best = min2(best, prev2[j - 2] + 1);
			cur[j] = best;
		}
	}
	return d[la % 3][lb];
}

const char *nearest_word(const char *word, const char *(*next)(const void *arg, unsigned int i),
                         const void *arg)
{
	size_t len = strlen(word);
	const char *best = NULL, *part = NULL, *w;
	unsigned int least = (unsigned int)len / 4 + 1; /* more edits make another word */

	if (len > WORD_MAX)
		return NULL;
	for (unsigned int i = 0; (w = next(arg, i)) != NULL; i++) {
		unsigned int d;

		if (strlen(w) > WORD_MAX)
			continue;
		d = distance(word, w);
		/* An edit of every letter likens any two words. */
		if (d < len && (d < least || (d == least && best == NULL))) {
			least = d;
			best = w;
		}
		/* "idle-timeout" for "tunnel-idle-timeout" */
		if (len >= 4 && part == NULL && strcasestr(w, word) != NULL)
			part = w;
	}
	return best != NULL && (least <= 2 || part == NULL) ? best : part;
}
