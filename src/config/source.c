/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "config/source.h"

#include "config/lexer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int64_t source_add_file(struct source *s, const char *name)
{
	char **files = reallocarray(s->files, s->n_files + 1, sizeof(*files));

	if (files == NULL)
		return -ENOMEM;
	s->files = files;
	files[s->n_files] = strdup(name);
	if (files[s->n_files] == NULL)
		return -ENOMEM;
	return s->n_files++;
}

struct pos source_pos(const struct source *s, uint32_t flat_line)
{
	if (s->n_lines == 0)
		return (struct pos){0};
	if (flat_line >= s->n_lines)
		flat_line = s->n_lines - 1;
	return (struct pos){.file = s->lines[flat_line].file,
	                    .line = s->lines[flat_line].line,
	                    .order = flat_line};
}

/* realloc would leave a copy of the secrets behind. */
static char *grow_wiped(char *old, size_t used, size_t cap)
{
	char *p = malloc(cap);

	if (p != NULL && used > 0)
		memcpy(p, old, used);
	if (p != NULL && old != NULL) {
		explicit_bzero(old, used);
		free(old);
	}
	return p;
}

int source_append(struct source *s, const char *p, size_t n)
{
	if (n > SOURCE_FILE_MAX - s->len)
		return -EFBIG;
	if (s->len + n + 1 > s->cap) {
		size_t cap = (s->len + n + 1) * 2;
		char *t = grow_wiped(s->text, s->len, cap);

		if (t == NULL)
			return -ENOMEM;
		s->text = t;
		s->cap = cap;
	}
	memcpy(s->text + s->len, p, n);
	s->len += n;
	s->text[s->len] = '\0';
	return 0;
}

int source_start_line(struct source *s, uint32_t file, uint32_t line)
{
	if (s->n_lines == 0 || s->len != s->line_start) {
		if (s->n_lines == s->cap_lines) {
			uint32_t cap = s->cap_lines != 0 ? s->cap_lines * 2 : 256;
			struct src_line *v = reallocarray(s->lines, cap, sizeof(*v));

			if (v == NULL)
				return -ENOMEM;
			s->lines = v;
			s->cap_lines = cap;
		}
		s->n_lines++;
		s->line_start = s->len;
	}
	s->lines[s->n_lines - 1] = (struct src_line){file, line};
	return 0;
}

int source_read_file(const char *path, char **text, size_t *len)
{
	size_t cap = 65536, n = 0;
	char *buf = malloc(cap);
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	ssize_t got;

	if (fd < 0 || buf == NULL) {
		err = fd < 0 ? -errno : -ENOMEM;
		goto out;
	}
	while ((got = read(fd, buf + n, cap - n - 1)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			err = -errno;
			goto out;
		}
		n += (size_t)got;
		if (n > SOURCE_FILE_MAX) {
			err = -EFBIG;
			goto out;
		}
		if (cap - n < 4096) {
			char *p = grow_wiped(buf, n, cap * 2);

			if (p == NULL) {
				err = -ENOMEM;
				goto out;
			}
			buf = p;
			cap *= 2;
		}
	}
	buf[n] = '\0';
	*text = buf;
	*len = n;
	close(fd);
	return 0;
out:
	if (buf != NULL)
		explicit_bzero(buf, n);
	free(buf);
	if (fd >= 0)
		close(fd);
	return err;
}

char *source_path(const char *dir, const char *name)
{
	char *p;

	if (name[0] == '/' || strcmp(dir, ".") == 0)
		return strdup(name);
	return asprintf(&p, "%s/%s", dir, name) < 0 ? NULL : p;
}

char *source_dir(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return strdup(".");
	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

int source_include(struct source *s, const char *path, struct pos from, unsigned int depth,
                   struct findings *f)
{
	char *text = NULL, *dir = NULL;
	int64_t file;
	size_t len;
	int ret;

	ret = source_read_file(path, &text, &len);
	if (ret == -EFBIG)
		found_error(f, from, "%s is larger than %u MB", path, SOURCE_FILE_MAX >> 20);
	else if (ret < 0 && ret != -ENOMEM)
		found_error(f, from, "cannot read %s: %s", path, strerror(-ret));
	if (ret < 0)
		return ret == -ENOMEM ? ret : -EINVAL;
	file = source_add_file(s, path);
	dir = source_dir(path);
	ret = file < 0 || dir == NULL ? -ENOMEM
	                              : lexer_run(s, (uint32_t)file, text, len, dir, depth, f);
	explicit_bzero(text, len);
	free(text);
	free(dir);
	return ret;
}

int source_load(struct source *s, const char *path, struct findings *f)
{
	/* Should the file not open, that is said of its own name. */
	int64_t file = source_add_file(s, path);

	if (file < 0)
		return -ENOMEM;
	return source_include(s, path, (struct pos){.file = (uint32_t)file}, 0, f);
}

int source_load_text(struct source *s, const char *text, const char *name, const char *dir,
                     struct findings *f)
{
	int64_t file = source_add_file(s, name);

	if (file < 0)
		return -ENOMEM;
	return lexer_run(s, (uint32_t)file, text, strlen(text), dir, 0, f);
}

void source_free(struct source *s)
{
	if (s->text != NULL)
		explicit_bzero(s->text, s->len);
	free(s->text);
	for (uint32_t i = 0; i < s->n_files; i++)
		free(s->files[i]);
	free(s->files);
	free(s->lines);
	free(s->toks);
	*s = (struct source){0};
}
