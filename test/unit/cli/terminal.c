/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "terminal.h"
#include "console/commands.h"
#include "fake_ctl.h"

#include <CUnit/CUnit.h>

#include <string.h>

char out[65536];
size_t most;
unsigned int turns;
struct cli *cli;
struct config conf;
struct cfg_host hosts[2];
struct cfg_dest_profile profiles[2];

static size_t len;
static struct console_env env;

static void out_write(void *owner, const char *bytes, size_t n)
{
	CU_ASSERT_FATAL(len + n < sizeof(out));
	memcpy(out + len, bytes, n);
	len += n;
	out[len] = '\0';
}

static size_t out_room(void *owner)
{
	return len < 16384 ? 16384 - len : 0;
}

void run(const char *line)
{
	enum cli_wait w;

	len = most = turns = 0;
	cli_input(cli, line, strlen(line));
	cli_pump(cli);
	len = 0;
	cli_input(cli, "\r", 1);
	while ((w = cli_pump(cli)) == CLI_WAIT_ROOM || w == CLI_WAIT_NOTHING) {
		turns++;
		most = len > most ? len : most;
		if (w == CLI_WAIT_ROOM)
			len = 0;
	}
}

bool has(const char *text)
{
	return strstr(out, text) != NULL;
}

void open_console(void)
{
	struct cli_conf cc = {
	        .root = &console_root,
	        .host = "lns",
	        .level = CLI_LEVEL_MAX,
	        .user = &env,
	        .write = out_write,
	        .room = out_room,
	};

	memset(&fake, 0, sizeof(fake));
	memset(&conf, 0, sizeof(conf));
	memset(hosts, 0, sizeof(hosts));
	memset(profiles, 0, sizeof(profiles));
	strcpy(conf.system.host_name, "lns");
	strcpy(profiles[0].name, "boston");
	strcpy(profiles[1].name, "any");
	ipaddr_parse("10.10.76.12", &profiles[0].address);
	ipaddr_parse("0.0.0.0", &profiles[1].address);
	profiles[0].hosts = hosts;
	profiles[0].n_hosts = 1;
	strcpy(hosts[0].name, "LAC");
	strcpy(hosts[0].tunnel_password, "TunnelPass");
	strcpy(hosts[0].local_host, "LNS");
	ipaddr_parse("46.1.1.2", &hosts[0].local_ip);
	hosts[0].disconnect_cause = true;
	hosts[0].single_shot_tunnel = true;
	hosts[0].session_out_of_resource_result_code_override = true;
	conf.dest_profiles = profiles;
	conf.n_dest_profiles = 2;
	fake.tunnel = (struct ctl_tunnel_view){.profile = "boston", .host = "LAC"};
	fake.session = (struct ctl_session_view){
	        .profile = "boston", .host = "LAC", .interface_profile = "ppp", .tunnel_id = 4};
	env = (struct console_env){.conf = &conf, .started_ms = console_now_ms()};
	cli = cli_new(&cc);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cli);
	cli_pump(cli);
}
