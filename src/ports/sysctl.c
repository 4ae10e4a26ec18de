/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "ports/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int sysctl_if_set(const char *family, const char *ifname, const char *key, int value)
{
	char path[256], text[16] = "";
	ssize_t n;
	int fd, len, old;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, ifname, key);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0) {
		old = -errno;
		close(fd);
		return old;
	}
	old = atoi(text);
	if (old != value) {
		len = snprintf(text, sizeof(text), "%d\n", value);
		if (pwrite(fd, text, (size_t)len, 0) != len)
			old = errno != 0 ? -errno : -EIO;
	}
	close(fd);
	return old;
}
