/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Cuts one file into tokens of the source; between lexer.c and source.c only. */
#pragma once

#include "config/source.h"

/*
 * Appends a file's text to the flat text and its tokens to the token list; an include is put in its
 * place. depth counts the files around this one. Returns 0, -EINVAL (an error was added) or -ENOMEM.
 */
int lexer_run(struct source *s, uint32_t file, const char *text, size_t len, const char *dir,
              unsigned int depth, struct findings *f);

/* Appends bytes to the flat text. 0, -ENOMEM, or -EFBIG when it would grow above the limit. */
int source_append(struct source *s, const char *p, size_t n);

/* What follows in the flat text stands in that line of that file. 0 or -ENOMEM. */
int source_start_line(struct source *s, uint32_t file, uint32_t line);

/* Reads path and appends it; errors are told of position from. As lexer_run. */
int source_include(struct source *s, const char *path, struct pos from, unsigned int depth,
                   struct findings *f);
