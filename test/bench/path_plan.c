/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* bench_path: the command line, and the rows that it asks for. */
#include "bench/path.h"

#include <fnmatch.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define SIZE_LEAST   28
#define SIZE_LARGEST 1400 /* with the longest headers it is still no more than a link takes */
#define WINDOWS_EACH 400 /* of a row */

/* How long rows wait for quiet windows: all of them together, and each. */
#define PATIENCE_S       240
#define PATIENCE_QUICK_S 8
#define PATIENCE_WINDOW  0.01 /* seconds for each of its windows */

/* What there is a choice of; 0 ends a list. */
struct choice {
	bool quick;
	int checksum, ff03; /* -1: both */
	uint32_t sizes[4], vectors[4], sessions[4];
};

static const struct choice full = {.checksum = -1,
                                   .ff03 = -1,
                                   .sizes = {64, 512, 1400},
                                   .vectors = {8, 32, 64},
                                   .sessions = {1, 1000, SUBS_MAX}};
static const struct choice quick = {.quick = true,
                                    .checksum = -1,
                                    .ff03 = -1,
                                    .sizes = {64, 1400},
                                    .vectors = {32},
                                    .sessions = {1000}};

void path_name(const struct spec *s, char name[ROW_NAME])
{
	snprintf(name, ROW_NAME, "path.%s.%s", s->dir == UP ? "up" : "down", suite_names[s->suite]);
}

void ref_name(const struct spec *s, char name[ROW_NAME])
{
	if (s->suite == PLAIN)
		snprintf(name, ROW_NAME, "ref.ip4");
	else
		snprintf(name, ROW_NAME, "crypto.%s", suite_names[s->suite]);
}

bool plan_prints(const struct plan *p, const char *name)
{
	return p->only == NULL || fnmatch(p->only, name, 0) == 0;
}

uint32_t plan_sessions(const struct plan *p, enum suite s)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		if (p->v[i].suite == s)
			most = RTE_MAX(most, p->v[i].sessions);
	}
	return most;
}

double plan_row_patience(const struct plan *p)
{
	return PATIENCE_WINDOW * p->windows;
}

/* The product of all choices would take an hour and tell no more. */
static bool worth(const struct choice *c, const struct spec *s)
{
	bool usual = s->vector == 32 || c->vectors[1] == 0;

	if (s->suite != PLAIN && (s->checksum || s->ff03)) /* an SA's ICV covers the data */
		return false;
	if (c->quick && (s->suite == GCM256 || s->suite == CBC256_SHA256 || s->checksum || s->ff03))
		return false;
	if ((c->checksum >= 0 && s->checksum != c->checksum) ||
	    (c->ff03 >= 0 && s->ff03 != c->ff03))
		return false;
	if (s->ff03 && s->size != c->sizes[0])
		return false;
	return usual || (!s->ff03 && (s->sessions == 1000 || c->sessions[1] == 0));
}

static void add(struct plan *p, const struct choice *c, const struct spec *s)
{
	char path[ROW_NAME], ref[ROW_NAME];

	path_name(s, path);
	ref_name(s, ref);
	if (!worth(c, s) || (!plan_prints(p, path) && !plan_prints(p, ref)))
		return;
	if (p->n == SPECS_MAX)
		fail("There are too many rows.");
	p->v[p->n++] = *s;
}

/* Every choice of sizes and vectors for what else is set in s. */
static void add_all(struct plan *p, const struct choice *c, struct spec s)
{
	for (const uint32_t *size = c->sizes; *size != 0; size++) {
		for (const uint32_t *vector = c->vectors; *vector != 0; vector++) {
			for (int dir = UP; dir <= DOWN; dir++) {
				s.size = (uint16_t)*size;
				s.vector = (uint16_t)*vector;
				s.dir = (enum dir)dir;
				add(p, c, &s);
			}
		}
	}
}

static void plan_make(struct plan *p, const struct choice *c)
{
	for (int suite = 0; suite < SUITES; suite++) {
		for (int flags = 0; flags < 4; flags++) {
			for (const uint32_t *n = c->sessions; *n != 0; n++)
				add_all(p, c,
				        (struct spec){.suite = (enum suite)suite,
				                      .sessions = *n,
				                      .checksum = (flags & 1) != 0,
				                      .ff03 = (flags & 2) != 0});
		}
	}
	if (p->n == 0)
		fail("No row has a name like %s.", p->only);
}

static void help(void)
{
	fprintf(stderr,
	        "usage: bench_path [--quick] [--only PATTERN] [--size N] [--sessions N]\n"
	        "                  [--vector N] [--checksum 0|1] [--ff03 0|1] [--windows N]\n"
	        "                  [--stages]\n"
	        "Rows as JSON lines. PATTERN is a shell pattern of their names, like 'path.up.*'.\n"
	        "--stages prints a table of the ticks that each stage takes instead.\n");
	exit(2);
}

static uint32_t number(const char *text, uint32_t min, uint32_t max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n < min || n > max)
		fail("%s is not a number from %u to %u.", text, min, max);
	return (uint32_t)n;
}

/* What was asked for takes the place of the whole list. */
static void merge(uint32_t list[4], const uint32_t asked[4])
{
	if (asked[0] != 0)
		memcpy(list, asked, 4 * sizeof(*list));
}

/* Fills in what was asked for, and only that. */
static void options_read(struct plan *p, struct choice *c, int argc, char **argv)
{
	static const struct option options[] = {
	        {"quick", no_argument, NULL, 'q'},
	        {"only", required_argument, NULL, 'o'},
	        {"size", required_argument, NULL, 'z'},
	        {"sessions", required_argument, NULL, 'n'},
	        {"vector", required_argument, NULL, 'v'},
	        {"checksum", required_argument, NULL, 'c'},
	        {"ff03", required_argument, NULL, 'f'},
	        {"windows", required_argument, NULL, 'w'},
	        {"stages", no_argument, NULL, 's'},
	        {"help", no_argument, NULL, 'h'},
	        {NULL, 0, NULL, 0},
	};
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'q')
			c->quick = true;
		else if (o == 'o')
			p->only = optarg;
		else if (o == 'z')
			c->sizes[0] = number(optarg, SIZE_LEAST, SIZE_LARGEST);
		else if (o == 'n')
			c->sessions[0] = number(optarg, 1, SUBS_MAX);
		else if (o == 'v')
			c->vectors[0] = number(optarg, 1, VEC_MAX);
		else if (o == 'c')
			c->checksum = (int)number(optarg, 0, 1);
		else if (o == 'f')
			c->ff03 = (int)number(optarg, 0, 1);
		else if (o == 'w')
			p->windows = number(optarg, 1, 1000000);
		else if (o == 's')
			p->stages = true;
		else
			help();
	}
	if (optind != argc)
		help();
}

void plan_read(struct plan *p, int argc, char **argv)
{
	struct choice asked = {.checksum = -1, .ff03 = -1}, c;

	memset(p, 0, sizeof(*p));
	options_read(p, &asked, argc, argv);
	c = asked.quick ? quick : full;
	merge(c.sizes, asked.sizes);
	merge(c.vectors, asked.vectors);
	merge(c.sessions, asked.sessions);
	if (p->windows == 0)
		p->windows = WINDOWS_EACH;
	p->patience = asked.quick ? PATIENCE_QUICK_S : PATIENCE_S;
	c.checksum = asked.checksum;
	c.ff03 = asked.ff03;
	plan_make(p, &c);
}
