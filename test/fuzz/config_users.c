/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Any bytes as a user file, beside a configuration that is right. */
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(void *ctx, bool warning, const char *file, unsigned int line, const char *text)
{
	unsigned int *errors = ctx;

	(void)file;
	(void)line;
	*errors += !warning;
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			abort();
}

static void check_users(const struct config *c)
{
	for (uint32_t i = 0; i < c->n_users; i++) {
		const struct cfg_user *u = &c->users[i];

		if (u->name[0] == '\0' || config_user(c, u->name) != u)
			abort();
		if (u->password[0] == '\0' && u->crypt[0] == '\0' && !u->has_nt_hash)
			abort();
		if (u->pool[0] != '\0' && config_pool(c, u->pool) == NULL)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int errors = 0;
	char text[128];
	struct config *c;
	int fd = memfd_create("users", MFD_CLOEXEC);

	if (fd < 0)
		return 0;
	if (write(fd, data, size) != (ssize_t)size) {
		close(fd);
		return 0;
	}
	snprintf(text, sizeof(text),
	         "pools = ({name=\"p\"; first=\"10.0.0.2\"; last=\"10.0.0.9\";});"
	         "user-files = \"/proc/self/fd/%d\";",
	         fd);
	c = config_load_text(text, "fuzz", ".", check, &errors);
	if ((c == NULL) != (errors > 0))
		abort();
	if (c != NULL)
		check_users(c);
	config_free(c);
	close(fd);
	return 0;
}
