/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Prints what config_load says of the files named: for the eye, and for scripts. */
#include "config/config.h"

#include <stdio.h>
#include <string.h>

static void print(void *ctx, bool warning, const char *file, unsigned int line, const char *text)
{
	(void)ctx;
	printf("%s:%u: %s%s\n", file, line, warning ? "warning: " : "", text);
}

int main(int argc, char **argv)
{
	int bad = 0;

	for (int i = 1; i < argc; i++) {
		struct config *c = config_load(argv[i], print, NULL);

		bad += c == NULL;
		config_free(c);
	}
	if (argc == 1)
		config_describe(stdout);
	return bad != 0;
}
