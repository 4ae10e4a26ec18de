/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Texts that thousands of objects have alike, such as names of profiles and of peers: each is kept once,
 * for as long as somebody refers to it.
 */
#pragma once

#include <stddef.h>

struct texts;

/* NULL: no memory. */
struct texts *texts_new(void);
/* With whatever is still referred to. NULL is fine. */
void texts_free(struct texts *set);

/*
 * A reference to the text of len bytes, up to a NUL when there is one before. The caller's until texts_put.
 * NULL: no memory.
 */
const char *texts_get(struct texts *set, const char *text, size_t len);
/* Ends a reference; NULL is fine. */
void texts_put(struct texts *set, const char *text);
