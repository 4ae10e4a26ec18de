/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* A console without a socket, over the tables of fake_ctl.h. */
#pragma once

#include "cli/cli.h"
#include "config/config.h"

extern struct cli *cli;
extern struct config conf; /* two destination profiles, "boston" with one host and "any" */
extern struct cfg_host hosts[2];
extern struct cfg_dest_profile profiles[2];
extern char out[65536]; /* of the last run */
extern size_t most; /* bytes that waited at once */
extern unsigned int turns; /* that it took */

/* Empty tables, and a new console; ended by cli_free(cli). */
void open_console(void);
/* Runs a line; out holds what followed it, or its last part when that is very long. */
void run(const char *line);
bool has(const char *text);
