/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What the files with commands share. Each gives one table; commands.c lists them. */
#pragma once

#include "base/addr.h"
#include "cli/cli.h"
#include "config/config.h"

#include <stdint.h>

struct ctl;
struct ctl_conn_view;
struct dp;
struct ports;

/* What commands work on: the user pointer of every command line. */
struct console_env {
	const struct config *conf;
	struct ctl *ctl;
	struct dp *dp;
	struct ports *ports;
	uint64_t started_ms;
};

extern const struct cli_mode console_root;

extern const struct cli_table console_clear;
extern const struct cli_table console_session; /* the command line's own session */
extern const struct cli_table console_show_control;
extern const struct cli_table console_show_dataplane;
extern const struct cli_table console_show_ip;
extern const struct cli_table console_show_ipsec;
extern const struct cli_table console_show_ipsec_sa;
extern const struct cli_table console_show_l2tp;
extern const struct cli_table console_show_l2tp_profile;
extern const struct cli_table console_show_l2tp_session;
extern const struct cli_table console_show_l2tp_tunnel;
extern const struct cli_table console_show_ports;
extern const struct cli_table console_show_ppp;
extern const struct cli_table console_show_version;

#define CONSOLE_TABLE(name, commands)                                                              \
	const struct cli_table name = {commands, sizeof(commands) / sizeof(commands[0])}

/* Words that stand in several tables, so that their help is the same everywhere. */
#define KW_CLEAR     CLI_KW("clear", "End tunnels, sessions or IPsec transport interfaces; reset")
#define KW_SHOW      CLI_KW("show", "Show configuration, state and counters")
#define KW_L2TP      CLI_KW("l2tp", "L2TP destinations, tunnels and sessions")
#define KW_TUNNEL    CLI_KW("tunnel", "L2TP tunnels")
#define KW_SESSION   CLI_KW("session", "L2TP sessions")
#define KW_IPSEC     CLI_KW("ipsec", "IPsec transport interfaces and their security associations")
#define KW_TRANSPORT CLI_KW("transport", "IPsec that carries L2TP")
#define KW_INTERFACE CLI_KW("interface", "One authentication of a peer, and what is under it")
#define KW_DETAIL    CLI_OPT_KW("detail", "All that is known of each")

/* The monotonic clock, which is the time of all engines. */
uint64_t console_now_ms(void);

struct console_env *console_env(const struct cli *cli);

/* "3 days 02:10:05", "00:00:07" */
#define CONSOLE_TIME_MAX 40
const char *console_time(char *buf, uint64_t seconds);

/* "" for one, "s" for any other number. */
const char *console_s(uint64_t n);

/* "unused", "in use (tunnel 7)", "fired (ppp-auth-failed, 3 s ago)": an IPsec connection's latch. */
const char *console_single_shot(char *buf, size_t size, const struct ctl_conn_view *v);

/* "192.0.2.1", or "192.0.2.1:4500" when it has a port: an outer address of an SA. */
const char *console_outer(char *buf, size_t size, const struct endpoint *e);

/* An IPv4 address in host order; "-" for 0. */
const char *console_ip(char *buf, size_t size, uint32_t ip);
