/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* A command line whose output lands in memory, and a small tree of commands for it. */
#pragma once

#include "cli/cli.h"

struct bench {
	struct cli *cli;
	char out[65536]; /* all that was written, NUL-terminated */
	size_t len;
	size_t high_water; /* 0: none; room is what is left of it */
	enum cli_wait wait; /* the last answer of cli_pump */
	unsigned int pumps; /* turns since the last bench_type */
	unsigned int releases, starts, prints;
	uint64_t id; /* the last arguments seen */
	bool has_id, detail;
	char text[300];
	struct ipaddr addr;
};

void bench_open(struct bench *b);
void bench_open_level(struct bench *b, uint8_t level);
void bench_close(struct bench *b);
void bench_clear(struct bench *b);
/* Types text and pumps until the engine waits for something from outside. */
void bench_type(struct bench *b, const char *text);
void bench_bytes(struct bench *b, const void *bytes, size_t n);
void bench_pump(struct bench *b);
bool bench_has(const struct bench *b, const char *text);
unsigned int bench_count(const struct bench *b, const char *text);

void add_match_tests(void);
void add_editor_tests(void);
void add_output_tests(void);
