/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Findings about a configuration. They are collected while it is read and checked, in whatever order
 * the checks run, and given out in the order of the text, so that a file can be mended from its top
 * to its bottom. No finding ever holds a secret.
 */
#pragma once

#include "config/config.h"

#include <stddef.h>

/* Where something stands. order sorts positions of several files; file is an index of the source. */
struct pos {
	uint32_t file, line;
	uint64_t order;
};

struct finding {
	struct pos pos;
	uint32_t serial; /* keeps findings of one line in the order of the checks */
	bool warning;
	char *text;
};

struct findings {
	struct finding *v;
	uint32_t n, cap;
	uint32_t errors;
	bool no_memory;
};

/* Adds one; control bytes in the text become '?'. The text is cut at 1,023 bytes. */
void found_error(struct findings *f, struct pos pos, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
void found_warning(struct findings *f, struct pos pos, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

/* Hands all out in order; files[pos.file] names the file. report may be NULL. */
void findings_deliver(struct findings *f, char *const *files, config_report_fn report, void *ctx);
void findings_free(struct findings *f);
