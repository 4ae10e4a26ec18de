/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The root of the console: which tables there are, and what their commands share. */
#include "console/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* In the order in which help lists them. */
static const struct cli_table *const tables[] = {
        &console_show_l2tp,
        &console_show_l2tp_tunnel,
        &console_show_l2tp_session,
        &console_show_l2tp_profile,
        &console_show_ipsec,
        &console_show_ipsec_sa,
        &console_show_ppp,
        &console_show_ip,
        &console_show_ports,
        &console_show_dataplane,
        &console_show_control,
        &console_show_version,
        &console_clear,
        &console_session,
};

const struct cli_mode console_root = {
        .prompt = ">",
        .tables = tables,
        .n_tables = sizeof(tables) / sizeof(tables[0]),
};

uint64_t console_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

struct console_env *console_env(const struct cli *cli)
{
	return cli_user(cli);
}

const char *console_time(char *buf, uint64_t seconds)
{
	uint64_t days = seconds / 86400;
	unsigned int rest = (unsigned int)(seconds % 86400);
	int n = 0;

	if (days)
		n = snprintf(buf, CONSOLE_TIME_MAX, "%" PRIu64 " day%s ", days, console_s(days));
	snprintf(buf + n, CONSOLE_TIME_MAX - (size_t)n, "%02u:%02u:%02u", rest / 3600,
	         rest / 60 % 60, rest % 60);
	return buf;
}

const char *console_s(uint64_t n)
{
	return n == 1 ? "" : "s";
}

const char *console_ip(char *buf, size_t size, uint32_t ip)
{
	struct ipaddr a = ipaddr_v4(ip);

	if (ip == 0)
		snprintf(buf, size, "-");
	else
		ipaddr_str(&a, buf, size);
	return buf;
}
