/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "config/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(struct findings *f, struct pos pos, bool warning, const char *fmt, va_list ap)
{
	char line[1024];

	if (!warning)
		f->errors++;
	if (f->n == f->cap) {
		uint32_t cap = f->cap != 0 ? f->cap * 2 : 16;
		struct finding *v = reallocarray(f->v, cap, sizeof(*v));

		if (v == NULL) {
			f->no_memory = true;
			return;
		}
		f->v = v;
		f->cap = cap;
	}
	vsnprintf(line, sizeof(line), fmt, ap);
	for (unsigned char *p = (unsigned char *)line; *p != '\0'; p++)
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
	f->v[f->n] = (struct finding){.pos = pos, .serial = f->n, .warning = warning};
	f->v[f->n].text = strdup(line);
	if (f->v[f->n].text == NULL)
		f->no_memory = true;
	else
		f->n++;
}

void found_error(struct findings *f, struct pos pos, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(f, pos, false, fmt, ap);
	va_end(ap);
}

void found_warning(struct findings *f, struct pos pos, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(f, pos, true, fmt, ap);
	va_end(ap);
}

static int by_place(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	if (x->pos.order != y->pos.order)
		return x->pos.order < y->pos.order ? -1 : 1;
	return x->serial < y->serial ? -1 : 1;
}

void findings_deliver(struct findings *f, char *const *files, config_report_fn report, void *ctx)
{
	if (report == NULL)
		return;
	if (f->n > 1)
		qsort(f->v, f->n, sizeof(*f->v), by_place);
	for (uint32_t i = 0; i < f->n; i++)
		report(ctx, f->v[i].warning, files[f->v[i].pos.file], f->v[i].pos.line,
		       f->v[i].text);
	if (f->no_memory)
		report(ctx, false, "configuration", 0, "not enough memory to read it");
}

void findings_free(struct findings *f)
{
	for (uint32_t i = 0; i < f->n; i++)
		free(f->v[i].text);
	free(f->v);
	*f = (struct findings){0};
}
