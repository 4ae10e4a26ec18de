/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* show l2tp: what is configured for all, and the counters. */
#include "console/commands.h"
#include "control/ctl.h"
#include "dataplane/dp.h"

#include <inttypes.h>
#include <stdio.h>

static const char *enabled(bool on)
{
	return on ? "enabled" : "disabled";
}

static void print_settings(struct cli *cli, const struct cfg_l2tp *c)
{
	cli_printf(cli, "Configuration\n");
	cli_printf(cli, "  Dynamic interface destruct timeout is %u seconds\n",
	           c->destruct_timeout_s);
	cli_printf(cli, "  Data packet checksums are %s\n", enabled(c->data_checksum));
	cli_printf(cli, "  Data packet checksum verification is %s\n", enabled(c->verify_checksum));
	cli_printf(cli, "  Receive data sequencing is %s\n",
	           c->ignore_receive_data_sequencing ? "ignored" : "not ignored");
	cli_printf(cli, "  Retransmission retries for established tunnels is %u\n",
	           c->retransmission_established);
	cli_printf(cli, "  Retransmission retries for not-established tunnels is %u\n",
	           c->retransmission_not_established);
	cli_printf(cli, "  Retransmission interval is %u milliseconds\n",
	           c->retransmit_interval_ms);
	cli_printf(cli, "  Hello interval is %u seconds\n", c->hello_interval_s);
	cli_printf(cli, "  Tunnel idle timeout is %u seconds\n", c->idle_timeout_s);
	cli_printf(cli, "  Single-shot first session timeout is %u seconds\n",
	           c->first_session_timeout_s);
	cli_printf(cli, "  Linger timeout is %u seconds\n", c->linger_timeout_s);
	cli_printf(cli, "  Tunnel authentication challenge is %s\n",
	           enabled(!c->disable_challenge));
	cli_printf(cli, "  Disconnect cause avp is %s\n", enabled(c->disconnect_cause));
	if (c->default_receive_window)
		cli_printf(cli, "  Default receive window size is %u\n", c->default_receive_window);
	else
		cli_printf(cli, "  Default receive window size is chosen by the system\n");
	cli_printf(cli, "  Destination lockout timeout is %u seconds\n",
	           c->destination_lockout_timeout_s);
	cli_printf(cli, "  Failover resync is %s\n",
	           c->failover_protocol ? "failover-protocol" : "silent-failover");
	cli_printf(cli, "  Short drain timeout is %u seconds\n", c->short_drain_timeout_s);
}

static void print_row(struct cli *cli, const char *name, const struct ctl_count *n)
{
	cli_printf(cli, "  %-14s %12" PRIu64 " %8u %12" PRIu64 " %12" PRIu64 "\n", name, n->total,
	           n->active, n->failed, n->auth_errors);
}

static void print_counts(struct cli *cli, const struct ctl_stats *st)
{
	cli_printf(cli, "%-16s %12s %8s %12s %12s\n", "Sub-interfaces", "total", "active", "failed",
	           "auth-errors");
	print_row(cli, "Destinations", &st->destinations);
	print_row(cli, "Tunnels", &st->tunnels);
	print_row(cli, "Sessions", &st->sessions);
}

static void print_number(struct cli *cli, const char *name, uint64_t n)
{
	cli_printf(cli, "  %-40s %16" PRIu64 "\n", name, n);
}

static void print_single_shot(struct cli *cli, const struct ctl_stats *st)
{
	char name[64];
	struct dp_stats packets;
	unsigned int i;

	dp_stats_get(console_env(cli)->dp, -1, &packets);
	cli_printf(cli, "Single-shot\n");
	print_number(cli, "Tunnels accepted", st->ss_tunnels);
	print_number(cli, "Tunnel requests refused", st->ss_refused_sccrq);
	print_number(cli, "Session requests refused", st->ss_refused_icrq);
	print_number(cli, "Packets dropped after firing", packets.drop[DP_DROP_SS_FIRED]);
	print_number(cli, "IPsec connections told to disconnect", st->ipsec_disconnects);
	for (i = SS_NONE + 1; i < SS_REASON_MAX; i++) {
		if (!st->ss_fired[i])
			continue;
		snprintf(name, sizeof(name), "Fired: %s", ss_reason_name(i));
		print_number(cli, name, st->ss_fired[i]);
	}
}

static void print_refusals(struct cli *cli, const struct ctl_stats *st)
{
	cli_printf(cli, "Admission\n");
	print_number(cli, "Half-open tunnels", st->half_open);
	print_number(cli, "Half-open tunnel limit", st->half_open_limit);
	print_number(cli, "Half-open tunnels evicted", st->half_open_evicted);
	print_number(cli, "Tunnel ids in use", st->tunnel_ids_used);
	print_number(cli, "Session ids in use", st->session_ids_used);
	print_number(cli, "Records reclaimed early", st->records_reclaimed);
	print_number(cli, "Requests without a profile", st->sccrq_no_profile);
	print_number(cli, "Requests without required IPsec", st->sccrq_needs_ipsec);
	print_number(cli, "PPP credentials judged", st->ppp_auths);
	print_number(cli, "PPP credentials refused", st->ppp_auth_failures);
}

static void print_control(struct cli *cli, const struct ctl_stats *st)
{
	const struct l2tp_stats *l = &st->l2tp;

	cli_printf(cli, "Control channel\n");
	print_number(cli, "Messages received", l->rx);
	print_number(cli, "Messages transmitted", l->tx);
	print_number(cli, "Receive ZLB", l->rx_zlb);
	print_number(cli, "Transmit ZLB", l->tx_zlb);
	print_number(cli, "Retransmissions", l->retransmits);
	print_number(cli, "Receive duplicates", l->rx_duplicate);
	print_number(cli, "Receive out-of-sequence", l->rx_out_of_order);
	print_number(cli, "Receive out-of-window", l->rx_out_of_window);
	print_number(cli, "Receive malformed", l->rx_malformed);
	print_number(cli, "Receive unknown tunnel", l->rx_unknown_tunnel);
	print_number(cli, "Receive wrong path", l->rx_wrong_path);
	print_number(cli, "Tunnels refused", l->tunnels_refused);
	print_number(cli, "Calls refused", l->calls_refused);
	print_number(cli, "Stale punts", st->stale_punts);
}

static enum cli_step show_l2tp(struct cli *cli, void *ctx, const struct cli_args *args)
{
	const struct console_env *env = console_env(cli);
	struct ctl_stats st;

	ctl_stats_get(env->ctl, &st);
	print_settings(cli, &env->conf->l2tp);
	print_counts(cli, &st);
	if (cli_arg(args, "detail")) {
		print_single_shot(cli, &st);
		print_refusals(cli, &st);
		print_control(cli, &st);
	}
	return CLI_DONE;
}

static const struct cli_command commands[] = {
        {.tokens = {KW_SHOW, KW_L2TP, CLI_OPT_KW("detail", "Also the counters of refusals")},
         .start = show_l2tp},
};

CONSOLE_TABLE(console_show_l2tp, commands);
