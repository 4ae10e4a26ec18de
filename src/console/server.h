/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * A telnet server for command lines of lib/cli, on the control thread's event loop. It knows no
 * command. Nothing here blocks, and a client that does not read stops only itself.
 *
 * There is no password: whoever reaches the address is the operator. So it listens on a loopback
 * address unless the configuration says otherwise.
 */
#pragma once

#include "base/log.h"
#include "cli/cli.h"
#include "config/config.h"

#include <stdint.h>

struct server;
struct event_base;

/*
 * Starts to listen. With conf->netns the listening socket lives in that network namespace, and what
 * connects to it there is served here; the calling thread is back in its own namespace on return.
 * host (for the prompt) is copied; root and user (for the commands) must outlive the server. Returns
 * NULL with errno set, after it has logged why. The process must ignore SIGPIPE.
 */
struct server *server_new(struct event_base *base, const struct cfg_console *conf, const char *host,
                          struct log *log, const struct cli_mode *root, void *user);
/* Closes every connection without waiting for what it has not read. srv may be NULL. */
void server_free(struct server *srv);

/* The port it listens on (useful when the configured one is 0); connections open now. */
uint16_t server_port(const struct server *srv);
uint32_t server_connections(const struct server *srv);
