/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* show ppp: the links of live sessions. */
#include "console/commands.h"
#include "control/ctl.h"

#include <inttypes.h>

struct cursor {
	uint32_t slot, found;
};

static void print_row(struct cli *cli, const struct ctl_session_view *v)
{
	char user[33], ip[IPADDR_STRLEN], up[CONSOLE_TIME_MAX];

	cli_printf(cli, "%-7u %-24s %-12s %-9s %-15s %5u %s\n", v->id,
	           v->user[0] ? cli_clean(user, sizeof(user), v->user) : "-",
	           ppp_phase_name(v->ppp.phase),
	           v->ppp.authenticated ? ppp_auth_method_name(v->ppp.auth) : "-",
	           console_ip(ip, sizeof(ip), v->ppp.peer_ip), v->mtu,
	           console_time(up, v->uptime_s));
}

static enum cli_step ppp_start_all(struct cli *cli, void *ctx, const struct cli_args *args)
{
	cli_printf(cli, "%-7s %-24s %-12s %-9s %-15s %5s %s\n", "Session", "User", "Phase", "Auth",
	           "Address", "MTU", "Up");
	return CLI_MORE;
}

static enum cli_step ppp_print_all(struct cli *cli, void *ctx)
{
	struct ctl_session_view v;
	struct cursor *c = ctx;

	if (ctl_session_next(console_env(cli)->ctl, &c->slot, console_now_ms(), &v)) {
		if (!v.destructing && !v.closing) {
			print_row(cli, &v);
			c->found++;
		}
		return CLI_MORE;
	}
	cli_printf(cli, "%u PPP link%s found\n", c->found, console_s(c->found));
	return CLI_DONE;
}

static void print_lcp(struct cli *cli, const struct ppp_info *i)
{
	cli_printf(cli, "  LCP\n");
	cli_printf(cli, "    State %s%s\n", i->lcp_state ? i->lcp_state : "-",
	           i->lcp_proxied ? ", opened by proxy" : "");
	cli_printf(cli, "    Local MRU %u, peer MRU %u\n", i->mru, i->peer_mru);
	cli_printf(cli, "    Local magic number 0x%08x, peer magic number 0x%08x\n", i->magic,
	           i->peer_magic);
	cli_printf(cli, "    Transmit ACCM 0x%08x, receive ACCM 0x%08x\n", i->tx_accm, i->rx_accm);
	cli_printf(cli, "    Transmit ACFC %s, PFC %s; receive ACFC %s, PFC %s\n",
	           i->tx_acfc ? "on" : "off", i->tx_pfc ? "on" : "off", i->rx_acfc ? "on" : "off",
	           i->rx_pfc ? "on" : "off");
}

static void print_rest(struct cli *cli, const struct ppp_info *i)
{
	char local[IPADDR_STRLEN], peer[IPADDR_STRLEN], user[sizeof(i->user)];

	cli_printf(cli, "  Authentication\n");
	cli_printf(cli, "    Method %s, user %s, %s\n", ppp_auth_method_name(i->auth),
	           i->user[0] ? cli_clean(user, sizeof(user), i->user) : "-",
	           i->authenticated ? "authenticated" : "not authenticated");
	cli_printf(cli, "  IPCP\n");
	cli_printf(cli, "    State %s\n", i->ipcp_state ? i->ipcp_state : "-");
	cli_printf(cli, "    Local address %s, peer address %s\n",
	           console_ip(local, sizeof(local), i->local_ip),
	           console_ip(peer, sizeof(peer), i->peer_ip));
	cli_printf(cli, "  Statistics\n");
	cli_printf(cli, "    Frames received %" PRIu64 ", transmitted %" PRIu64 "\n", i->rx_frames,
	           i->tx_frames);
	cli_printf(cli, "    Bad %" PRIu64 ", unknown protocol %" PRIu64 "\n", i->rx_bad,
	           i->rx_unknown_protocol);
	cli_printf(cli, "    Echo requests sent %" PRIu64 ", echo replies received %" PRIu64 "\n",
	           i->echo_tx, i->echo_rx);
}

static enum cli_step ppp_start_one(struct cli *cli, void *ctx, const struct cli_args *args)
{
	uint16_t id = (uint16_t)cli_arg(args, "ID")->number;
	struct ctl_session_view v;

	if (!ctl_session_get(console_env(cli)->ctl, id, console_now_ms(), &v)) {
		cli_printf(cli, "%% No L2TP session %u\n", id);
		return CLI_DONE;
	}
	cli_printf(cli, "PPP link of L2TP session %s/%u/%u is in phase %s\n", v.profile,
	           v.tunnel_id, v.id, ppp_phase_name(v.ppp.phase));
	print_lcp(cli, &v.ppp);
	print_rest(cli, &v.ppp);
	return CLI_DONE;
}

#define KW_PPP CLI_KW("ppp", "PPP links")

static const struct cli_command commands[] = {
        {.tokens = {KW_SHOW, KW_PPP},
         .ctx_size = sizeof(struct cursor),
         .start = ppp_start_all,
         .print = ppp_print_all},
        {.tokens = {KW_SHOW, KW_PPP, CLI_KW("session", "The link of one L2TP session"),
                    CLI_NUM("ID", 1, 65535, "Local session id")},
         .start = ppp_start_one},
};

CONSOLE_TABLE(console_show_ppp, commands);
