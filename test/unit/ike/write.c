/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Writes charon's configuration of the file named, as the daemon does at its start. */
#include "config/config.h"
#include "ike/swanctl.h"

#include <stdio.h>
#include <string.h>

static void print(void *ctx, bool warning, const char *file, unsigned int line, const char *text)
{
	(void)ctx;
	printf("%s:%u: %s%s\n", file, line, warning ? "warning: " : "", text);
}

int main(int argc, char **argv)
{
	struct config *c = argc == 2 ? config_load(argv[1], print, NULL) : NULL;
	const char *what = "";
	int ret = c != NULL ? swanctl_write(c, &what) : -1;

	if (c != NULL && ret < 0)
		printf("%s: %s\n", what, strerror(-ret));
	config_free(c);
	return ret != 0;
}
