/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Any text as a configuration. It is refused with an error or accepted without one; what our grammar
 * takes libconfig takes too, into a tree that agrees with our tokens; no report holds a control byte.
 */
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(void *ctx, bool warning, const char *file, unsigned int line, const char *text)
{
	unsigned int *errors = ctx;

	(void)file;
	(void)line;
	*errors += !warning;
	if (strncmp(text, "cannot make out", 15) == 0 || strncmp(text, "syntax error", 12) == 0)
		abort();
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int errors = 0;
	char *text = malloc(size + 1);
	struct config *c;

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	c = config_load_text(text, "fuzz", NULL, check, &errors);
	if ((c == NULL) != (errors > 0))
		abort();
	config_free(c);
	free(text);
	return 0;
}
