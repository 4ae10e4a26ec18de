/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The text of a configuration: files are read, their includes put in place, and the whole is cut
 * into tokens. libconfig then parses the flat text. The tokens are kept because libconfig 1.5 keeps
 * of an integer only what fits into an int and tells of each value only the line of its key: the
 * literal of every value, and the file and line of every value and key, come from here.
 */
#pragma once

#include "config/report.h"
#include "config/syntax.h"

enum tok_kind {
	TOK_NAME,
	TOK_GROUP,
	TOK_ARRAY,
	TOK_LIST,
	TOK_INT,
	TOK_FLOAT,
	TOK_BOOL,
	TOK_STRING
};

struct tok {
	uint32_t at, len; /* in the flat text */
	uint32_t line; /* of the flat text, from 0 */
	uint8_t kind;
	uint8_t depth; /* brackets around it */
};

struct src_line {
	uint32_t file, line;
};

struct source {
	char **files; /* names for reports; the index is pos.file */
	uint32_t n_files;
	char *text; /* flat, NUL-terminated */
	size_t len, cap;
	struct src_line *lines; /* of the flat text */
	uint32_t n_lines, cap_lines;
	size_t line_start; /* of the last flat line */
	struct tok *toks;
	uint32_t n_toks, cap_toks;
	struct syntax syntax; /* around an included file too */
	bool after_string; /* the next string continues the last one */
};

#define SOURCE_FILE_MAX  (64u << 20) /* bytes of one file, and of all together */
#define SOURCE_DEPTH_MAX SYNTAX_DEPTH_MAX /* of brackets, and of includes */

/*
 * Reads a file, or takes a text that stands for one. dir NULL: includes are refused. Returns 0; or
 * -EINVAL and has added an error; or -ENOMEM. source_free comes after in each case.
 */
int source_load(struct source *s, const char *path, struct findings *f);
int source_load_text(struct source *s, const char *text, const char *name, const char *dir,
                     struct findings *f);
void source_free(struct source *s); /* wipes the text */

/* The position of a flat line (from 0). */
struct pos source_pos(const struct source *s, uint32_t flat_line);

/* Registers a further file for reports. Returns its index, or -ENOMEM. */
int64_t source_add_file(struct source *s, const char *name);

/*
 * Reads a whole file into memory with a NUL behind it. Returns 0 (the caller wipes and frees), or a
 * negative errno (-EFBIG above SOURCE_FILE_MAX).
 */
int source_read_file(const char *path, char **text, size_t *len);

/* name as seen from a directory, on the heap; NULL: no memory. */
char *source_path(const char *dir, const char *name);
/* The directory of a path, on the heap; NULL: no memory. */
char *source_dir(const char *path);
