/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Where charon's configuration lies: a folder like /etc/swanctl, of this instance alone. */
#include "ike/swanctl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 512

const char *swanctl_dir(const struct config *c, char *buf, size_t size)
{
	snprintf(buf, size, "%s/swanctl", c->ipsec.run_directory);
	return buf;
}

const char *swanctl_file(const struct config *c, char *buf, size_t size)
{
	snprintf(buf, size, "%s/swanctl/swanctl.conf", c->ipsec.run_directory);
	return buf;
}

static int make_one(const char *path)
{
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int swanctl_make_dir(const char *path)
{
	char part[PATH_SIZE];
	size_t len = strlen(path);
	struct stat st;
	int ret = 0;

	if (len >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= len && ret == 0; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		ret = make_one(part);
	}
	if (ret < 0)
		return ret;
	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if ((st.st_uid != geteuid() && st.st_uid != 0) || st.st_mode & (S_IWGRP | S_IWOTH))
		return -EPERM;
	return 0;
}

static int write_all(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_file(const char *path, const char *text, size_t len)
{
	char tmp[PATH_SIZE];
	int fd, ret;

	snprintf(tmp, sizeof(tmp), "%s.new", path);
	unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	ret = write_all(fd, text, len);
	if (close(fd) < 0 && ret == 0)
		ret = -errno;
	if (ret == 0 && rename(tmp, path) < 0)
		ret = -errno;
	if (ret < 0)
		unlink(tmp);
	return ret;
}

/* The links of an earlier configuration; nothing else is ever put there. */
static void drop_links(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		closedir(d);
}

/* swanctl reads private keys from this folder only. A link makes no second copy of a key. */
static int link_keys(const struct config *c, const char *dir)
{
	char private[PATH_SIZE - 8], path[PATH_SIZE];
	int ret;

	snprintf(private, sizeof(private), "%s/private", dir);
	ret = swanctl_make_dir(private);
	if (ret < 0)
		return ret;
	drop_links(private);
	for (uint32_t i = 0; i < c->n_ipsec_profiles; i++) {
		const struct cfg_ipsec_profile *p = &c->ipsec_profiles[i];

		if (p->private_key[0] == '\0')
			continue;
		snprintf(path, sizeof(path), "%.400s/%.64s", private, p->name);
		if (symlink(p->private_key, path) < 0)
			return -errno;
	}
	return 0;
}

int swanctl_write(const struct config *c, const char **what)
{
	char dir[PATH_SIZE / 2], file[PATH_SIZE / 2], *text = NULL;
	size_t len = 0;
	int ret;

	swanctl_dir(c, dir, sizeof(dir));
	*what = "run directory";
	ret = swanctl_make_dir(c->ipsec.run_directory);
	if (ret == 0)
		ret = swanctl_make_dir(dir);
	if (ret < 0)
		return ret;
	*what = "links to private keys";
	ret = link_keys(c, dir);
	if (ret < 0)
		return ret;
	*what = "swanctl.conf";
	ret = swanctl_render(c, false, &text, &len);
	if (ret == 0)
		ret = write_file(swanctl_file(c, file, sizeof(file)), text, len);
	swanctl_text_free(text, len);
	return ret;
}

void swanctl_remove(const struct config *c)
{
	char dir[PATH_SIZE / 2], path[PATH_SIZE];

	swanctl_dir(c, dir, sizeof(dir));
	unlink(swanctl_file(c, path, sizeof(path)));
	snprintf(path, sizeof(path), "%s/load.log", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/private", dir);
	drop_links(path);
	rmdir(path);
	rmdir(dir);
	rmdir(c->ipsec.run_directory); /* unless charon has files there */
}
