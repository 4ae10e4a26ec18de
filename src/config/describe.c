/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The manual of the configuration, printed from the schema. */
#include "config/schema.h"

#include <stdio.h>
#include <string.h>

#define WIDTH 100

/* Prints text, indented, broken between words; lines but the first are indented by hang. */
static void print_text(FILE *f, int indent, int hang, const char *text)
{
	int col = 0;

	while (*text != '\0') {
		int len = (int)strcspn(text, " ");

		if (col > 0 && col + 1 + len > WIDTH) {
			fputc('\n', f);
			col = 0;
			indent = hang;
		}
		col += fprintf(f, "%*s%.*s", col == 0 ? indent : 1, "", len, text);
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', f);
}

static void print_stanza(FILE *f, const struct cfg_stanza *s, int indent);

static void print_key(FILE *f, const struct cfg_key *k, int indent)
{
	char allowed[256], head[1024];

	snprintf(head, sizeof(head), "%s: %s%s%s%s%s%s%s%s%s", k->name,
	         cfg_allowed(k, allowed, sizeof(allowed)),
	         k->flags & CFG_REQUIRED ? "; required" : "",
	         k->flags & CFG_UNIQUE ? "; different in each" : "",
	         k->deflt != NULL ? "; default " : "", k->deflt != NULL ? k->deflt : "",
	         k->deflt_note != NULL ? "; default: " : "",
	         k->deflt_note != NULL ? k->deflt_note : "",
	         k->ref != CFG_REF_NONE ? "; names " : "",
	         k->ref == CFG_REF_NONE   ? ""
	         : k->ref == CFG_REF_POOL ? "a pool"
	                                  : "an interface profile");
	print_text(f, indent, indent + 4, head);
	print_text(f, indent + 8, indent + 8, k->help);
	if (k->stanza != NULL) {
		fputc('\n', f);
		print_stanza(f, k->stanza, indent + 4);
	}
}

static void print_stanza(FILE *f, const struct cfg_stanza *s, int indent)
{
	for (const struct cfg_key *k = s->keys; k->name != NULL; k++)
		print_key(f, k, indent);
	fputc('\n', f);
}

void config_describe(void *file)
{
	FILE *f = file;

	fputs("The configuration is libconfig text: key = value; with strings in double quotes,\n"
	      "groups in braces and lists in parentheses. # starts a comment. A line\n"
	      "@include \"FILE\" puts a file in its place, found from the including file's "
	      "folder.\n\n",
	      f);
	print_stanza(f, &cfg_root, 0);
}
