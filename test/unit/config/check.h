/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Loading texts and files, and comparing all that was reported with what should have been. */
#pragma once

#include "config/config.h"

#include <stddef.h>

#define REPORTS_MAX 65536

struct reports {
	char text[REPORTS_MAX]; /* "file:line: text\n", warnings as "file:line: warning: text\n" */
	size_t len;
	unsigned int errors, warnings;
};

void collect(void *ctx, bool warning, const char *file, unsigned int line, const char *text);

/*
 * Loads text as file "t" and compares the reports with want (NULL: not compared). Returns the
 * configuration, which the caller frees, or NULL.
 */
struct config *load(const char *text, const char *want);

/* load, and it must be refused, or accepted; frees the result. */
void refused(const char *text, const char *want);
void accepted(const char *text, const char *want);

/* Compares and prints both when they differ. */
void same_reports(const struct reports *r, const char *want);

/* A folder for files; NULL when there is none. write_file puts text into dir/name. */
char *make_folder(char *buf, size_t size);
void write_file(const char *dir, const char *name, const char *text);
void remove_folder(const char *dir);

/* Stanzas that make the rest of a text complete, without a newline. */
#define T_PORT    "ports = ({name=\"wan\"; device=\"net_tap0\"; addresses=(\"192.0.2.1/24\");});"
#define T_POOL    "pools = ({name=\"p\"; first=\"10.0.0.2\"; last=\"10.0.0.9\";});"
#define T_PROFILE "interface-profiles = ({name=\"ppp\"; local-address=\"10.0.0.1\"; pool=\"p\";});"
#define T_DEST                                                                                     \
	"destination-profiles = ({name=\"any\"; hosts=({name=\"default\"; "                        \
	"interface-profile=\"ppp\";});});"

void register_errors(void);
void register_rules(void);
void register_files(void);
void register_values(void);
void register_ipsec(void);
