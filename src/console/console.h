/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The operator's console: the telnet server of console/server.h with the commands of Sallyport. */
#pragma once

#include "base/log.h"
#include "config/config.h"

struct console;
struct ctl;
struct dp;
struct event_base;
struct ports;

/*
 * Starts to listen as conf->console says. All arguments must outlive the console. Returns NULL with
 * errno set, after it has logged why. The process must ignore SIGPIPE.
 */
struct console *console_new(struct event_base *base, const struct config *conf, struct ctl *ctl,
                            struct dp *dp, struct ports *ports, struct log *log);
/* Closes every connection. c may be NULL. */
void console_free(struct console *c);
