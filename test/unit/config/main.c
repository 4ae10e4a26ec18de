/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "check.h"

#include <CUnit/Basic.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void collect(void *ctx, bool warning, const char *file, unsigned int line, const char *text)
{
	struct reports *r = ctx;

	if (r->len < sizeof(r->text))
		r->len += (size_t)snprintf(r->text + r->len, sizeof(r->text) - r->len,
		                           "%s:%u: %s%s\n", file, line, warning ? "warning: " : "",
		                           text);
	if (warning)
		r->warnings++;
	else
		r->errors++;
}

void same_reports(const struct reports *r, const char *want)
{
	CU_ASSERT_STRING_EQUAL(r->text, want);
	if (strcmp(r->text, want) != 0)
		fprintf(stderr, "\nwanted:\n%s\ngot:\n%s\n", want, r->text);
}

struct config *load(const char *text, const char *want)
{
	struct reports *r = calloc(1, sizeof(*r));
	struct config *c = config_load_text(text, "t", NULL, collect, r);

	CU_ASSERT_EQUAL(c == NULL, r->errors > 0);
	if (want != NULL)
		same_reports(r, want);
	free(r);
	return c;
}

void refused(const char *text, const char *want)
{
	struct config *c = load(text, want);

	CU_ASSERT_PTR_NULL(c);
	config_free(c);
}

void accepted(const char *text, const char *want)
{
	struct config *c = load(text, want);

	CU_ASSERT_PTR_NOT_NULL(c);
	config_free(c);
}

char *make_folder(char *buf, size_t size)
{
	snprintf(buf, size, "/tmp/sallyport-config-XXXXXX");
	return mkdtemp(buf);
}

void write_file(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs(text, f);
	fclose(f);
}

void remove_folder(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[512];

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_type == DT_DIR)
			remove_folder(path);
		else
			unlink(path);
	}
	if (d != NULL)
		closedir(d);
	rmdir(dir);
}

int main(void)
{
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	register_errors();
	register_rules();
	register_files();
	register_values();
	register_ipsec();
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
