/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* show l2tp destination profile. The lines are JunosE's; each appears only when it is set. */
#include "console/commands.h"
#include "control/ctl.h"

#include <string.h>

/* Secrets are never shown, not even their length. */
#define MASK "********"

struct cursor {
	uint32_t profile, host;
	bool one; /* a single profile, by name */
	bool begun; /* its head is printed */
};

static void complete_profile(void *user, const char *prefix, struct cli_choices *out)
{
	const struct console_env *env = user;
	uint32_t i;

	for (i = 0; i < env->conf->n_dest_profiles; i++) {
		if (!cli_choice(out, env->conf->dest_profiles[i].name))
			return;
	}
}

static enum cli_step profile_start(struct cli *cli, void *ctx, const struct cli_args *args)
{
	const struct config *conf = console_env(cli)->conf;
	const struct cli_value *name = cli_arg(args, "NAME");
	struct cursor *c = ctx;

	if (!name)
		return CLI_MORE;
	c->one = true;
	while (c->profile < conf->n_dest_profiles &&
	       strcmp(conf->dest_profiles[c->profile].name, name->text) != 0)
		c->profile++;
	if (c->profile < conf->n_dest_profiles)
		return CLI_MORE;
	cli_printf(cli, "%% No L2TP destination profile %s\n", name->text);
	return CLI_DONE;
}

static void print_head(struct cli *cli, const struct cfg_dest_profile *p, uint32_t sessions)
{
	char addr[IPADDR_STRLEN];

	cli_printf(cli, "L2TP destination profile %s\n", p->name);
	cli_printf(cli, "Configuration\n");
	cli_printf(cli, "  Destination address\n");
	cli_printf(cli, "    Transport ipUdp\n");
	cli_printf(cli, "    Virtual router default\n");
	cli_printf(cli, "    Peer address %s\n", ipaddr_str(&p->address, addr, sizeof(addr)));
	if (p->max_sessions)
		cli_printf(cli, "  Destination profile maximum sessions is %u\n", p->max_sessions);
	cli_printf(cli, "Statistics\n");
	cli_printf(cli, "  Destination profile current session count is %u\n", sessions);
	cli_printf(cli, "Host profile attributes\n");
}

static void print_host_settings(struct cli *cli, const struct cfg_host *h)
{
	char addr[IPADDR_STRLEN];

	if (h->tunnel_password[0])
		cli_printf(cli, "      Tunnel password is %s\n", MASK);
	if (h->local_host[0])
		cli_printf(cli, "      Local host name is %s\n", h->local_host);
	if (h->local_ip.family)
		cli_printf(cli, "      Local ip address is %s\n",
		           ipaddr_str(&h->local_ip, addr, sizeof(addr)));
	if (h->disconnect_cause)
		cli_printf(cli, "      Disconnect-cause avp is enabled\n");
	if (h->single_shot_tunnel)
		cli_printf(cli, "      Tunnels are single-shot\n");
	if (h->session_out_of_resource_result_code_override)
		cli_printf(cli, "      Override out-of-resource-result-code is enabled\n");
	if (h->enable_ipsec_transport)
		cli_printf(cli, "      Ipsec transport is enabled\n");
	if (h->interface_profile[0])
		cli_printf(cli, "      Interface profile is %s\n", h->interface_profile);
	if (h->max_sessions)
		cli_printf(cli, "      Maximum sessions is %u\n", h->max_sessions);
	if (h->receive_window)
		cli_printf(cli, "      Receive window size is %u\n", h->receive_window);
	if (h->enable_proxy_authenticate)
		cli_printf(cli, "      Proxy authenticate is enabled\n");
	if (h->disable_proxy_lcp)
		cli_printf(cli, "      Proxy lcp is disabled\n");
	if (h->hide_avps)
		cli_printf(cli, "      Avp hiding is enabled\n");
	if (h->data_sequencing)
		cli_printf(cli, "      Data sequencing is enabled\n");
	if (h->data_length_bit)
		cli_printf(cli, "      Data length field is enabled\n");
}

static void print_host(struct cli *cli, const struct cfg_host *h, uint32_t sessions)
{
	cli_printf(cli, "  Remote host is %s\n", h->name);
	cli_printf(cli, "    Configuration\n");
	print_host_settings(cli, h);
	cli_printf(cli, "    Statistics\n");
	cli_printf(cli, "      Current session count is %u\n", sessions);
}

static enum cli_step print_one(struct cli *cli, struct cursor *c)
{
	const struct console_env *env = console_env(cli);
	const struct cfg_dest_profile *p = &env->conf->dest_profiles[c->profile];

	if (!c->begun) {
		print_head(cli, p, ctl_profile_sessions(env->ctl, c->profile));
		c->begun = true;
	} else if (c->host < p->n_hosts) {
		print_host(cli, &p->hosts[c->host],
		           ctl_host_sessions(env->ctl, c->profile, c->host));
		c->host++;
	} else {
		cli_printf(cli, "%u L2TP host profile%s found\n", p->n_hosts,
		           console_s(p->n_hosts));
		return CLI_DONE;
	}
	return CLI_MORE;
}

static enum cli_step profile_print(struct cli *cli, void *ctx)
{
	const struct config *conf = console_env(cli)->conf;
	struct cursor *c = ctx;

	if (c->one)
		return print_one(cli, c);
	if (c->profile == conf->n_dest_profiles) {
		cli_printf(cli, "%u L2TP destination profile%s found\n", conf->n_dest_profiles,
		           console_s(conf->n_dest_profiles));
		return CLI_DONE;
	}
	cli_printf(cli, "L2TP destination profile %s\n", conf->dest_profiles[c->profile++].name);
	return CLI_MORE;
}

static const struct cli_command commands[] = {
        {.tokens = {KW_SHOW,
                    KW_L2TP,
                    CLI_KW("destination", "L2TP destinations"),
                    CLI_KW("profile", "Destination profiles and their remote hosts"),
                    {.type = CLI_WORD,
                     .optional = true,
                     .name = "NAME",
                     .max = CFG_NAME_MAX - 1,
                     .help = "Name of a destination profile",
                     .complete = complete_profile}},
         .ctx_size = sizeof(struct cursor),
         .start = profile_start,
         .print = profile_print},
};

CONSOLE_TABLE(console_show_l2tp_profile, commands);
