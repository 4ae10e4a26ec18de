/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* show ipsec security-associations, ike-sa and statistics. */
#include "console/commands.h"
#include "control/ctl.h"
#include "control/ipsec.h"

#include <inttypes.h>
#include <stdio.h>

struct cursor {
	uint32_t slot, found;
};

static const char *left(char *buf, size_t size, uint64_t seconds)
{
	if (seconds == UINT64_MAX)
		snprintf(buf, size, "-");
	else
		snprintf(buf, size, "%" PRIu64, seconds);
	return buf;
}

static void print_sa(struct cli *cli, const struct ctl_conn_view *v, const struct ctl_sa_view *s)
{
	char suite[40], peer[ENDPOINT_STRLEN], hard[24];

	cli_printf(cli,
	           "0x%08" PRIx32 " %-3s %-9" PRIu64 " %-17s %-21s %14" PRIu64 " %16" PRIu64
	           " %9s\n",
	           s->spi, s->inbound ? "in" : "out", v->id,
	           esp_suite_name(&s->suite, suite, sizeof(suite)),
	           console_outer(peer, sizeof(peer), &s->peer), s->stats.packets, s->stats.bytes,
	           left(hard, sizeof(hard), s->hard_left_s));
}

static enum cli_step sa_start(struct cli *cli, void *ctx, const struct cli_args *args)
{
	cli_printf(cli, "%-10s %-3s %-9s %-17s %-21s %14s %16s %9s\n", "SPI", "Dir", "Interface",
	           "Suite", "Peer", "Packets", "Octets", "Seconds");
	return CLI_MORE;
}

/* One connection a call: a few lines. */
static enum cli_step sa_print(struct cli *cli, void *ctx)
{
	struct ctl_conn_view v;
	struct cursor *c = ctx;
	uint32_t i;

	if (!ctl_conn_next(console_env(cli)->ctl, &c->slot, console_now_ms(), &v)) {
		cli_printf(cli, "%u security association%s found\n", c->found, console_s(c->found));
		return CLI_DONE;
	}
	c->found += v.n_sas;
	for (i = 0; i < v.n_sas && i < CTL_CONN_SAS_MAX; i++)
		print_sa(cli, &v, &v.sas[i]);
	if (v.n_sas > CTL_CONN_SAS_MAX)
		cli_printf(cli, "%u older ones of interface %" PRIu64 " are not listed\n",
		           v.n_sas - CTL_CONN_SAS_MAX, v.id);
	return CLI_MORE;
}

static const char *auth_name(enum sslink_auth a)
{
	switch (a) {
	case SSLINK_AUTH_PSK:
		return "psk";
	case SSLINK_AUTH_PUBKEY:
		return "pubkey";
	case SSLINK_AUTH_EAP:
		return "eap";
	case SSLINK_AUTH_UNKNOWN:
		break;
	}
	return "-";
}

static const char *link_state(const struct ctl_ipsec_stats *st)
{
	if (!st->link_up)
		return "down";
	return st->syncing ? "up, replaying its SAs" : "up";
}

static enum cli_step ike_start(struct cli *cli, void *ctx, const struct cli_args *args)
{
	cli_printf(cli, "%-10s %-3s %-6s %-21s %-5s %7s %-9s %s\n", "IKE_SA", "Ver", "Auth", "Peer",
	           "NAT-T", "Rekeyed", "Interface", "Identity");
	return CLI_MORE;
}

static void print_ike_totals(struct cli *cli)
{
	struct ctl_ipsec_stats st;

	ctl_ipsec_stats_get(console_env(cli)->ctl, &st);
	cli_printf(cli,
	           "IKE_SAs now %" PRIu32 ", in all %" PRIu64 ", authenticated %" PRIu64
	           ", rekeyed %" PRIu64 "\n",
	           st.ike_now, st.ike_sas, st.ike_auths, st.ike_rekeys);
	cli_printf(cli, "Link to charon is %s\n", link_state(&st));
}

/* An IKE_SA without a connection has no row: it is counted. */
static enum cli_step ike_print(struct cli *cli, void *ctx)
{
	char id[64], peer[ENDPOINT_STRLEN];
	struct ctl_conn_view v;
	struct cursor *c = ctx;

	if (!ctl_conn_next(console_env(cli)->ctl, &c->slot, console_now_ms(), &v)) {
		print_ike_totals(cli);
		return CLI_DONE;
	}
	if (v.is_static || v.state == CTL_CONN_DOWN)
		return CLI_MORE;
	cli_printf(cli, "%-10" PRIu32 " %-3u %-6s %-21s %-5s %7" PRIu64 " %-9" PRIu64 " %s\n",
	           v.ike_id, v.ike_version, auth_name(v.auth),
	           console_outer(peer, sizeof(peer), &v.peer), v.encap ? "yes" : "no", v.ike_rekeys,
	           v.id, v.remote_id[0] ? cli_clean(id, sizeof(id), v.remote_id) : "-");
	return CLI_MORE;
}

static void print_number(struct cli *cli, const char *name, uint64_t n)
{
	cli_printf(cli, "  %-40s %16" PRIu64 "\n", name, n);
}

static void print_now(struct cli *cli, const struct ctl_ipsec_stats *st)
{
	cli_printf(cli, "Link to charon\n");
	cli_printf(cli, "  State is %s\n", link_state(st));
	print_number(cli, "Links", st->links);
	print_number(cli, "Links lost", st->link_losses);
	print_number(cli, "Malformed messages", st->bad_messages);
	cli_printf(cli, "%-16s %12s %12s\n", "Objects", "total", "now");
	cli_printf(cli, "  %-14s %12" PRIu64 " %12" PRIu32 "\n", "IKE_SAs", st->ike_sas,
	           st->ike_now);
	cli_printf(cli, "  %-14s %12" PRIu64 " %12" PRIu32 "\n", "Interfaces", st->conns_total,
	           st->conns_now);
	cli_printf(cli, "  %-14s %12" PRIu64 " %12" PRIu32 "\n", "Children", st->children_total,
	           st->children_now);
	cli_printf(cli, "  %-14s %12" PRIu64 " %12" PRIu32 "\n", "SAs", st->sas_total, st->sas_now);
	print_number(cli, "Interfaces up", st->conns_up);
	print_number(cli, "Interfaces that charon does not know", st->orphans_now);
}

static enum cli_step statistics_start(struct cli *cli, void *ctx, const struct cli_args *args)
{
	struct ctl_ipsec_stats st;

	ctl_ipsec_stats_get(console_env(cli)->ctl, &st);
	print_now(cli, &st);
	cli_printf(cli, "Events\n");
	print_number(cli, "IKE authentications", st.ike_auths);
	print_number(cli, "IKE_SAs rekeyed", st.ike_rekeys);
	print_number(cli, "Children rekeyed", st.child_rekeys);
	print_number(cli, "Children migrated", st.migrations);
	print_number(cli, "  told too late", st.stale_migrations);
	print_number(cli, "Peers moved behind their NAT", st.nat_moves);
	print_number(cli, "Soft lifetimes passed", st.soft_expires);
	print_number(cli, "Hard lifetimes passed", st.hard_expires);
	print_number(cli, "Interfaces told to disconnect", st.disconnects);
	print_number(cli, "Interfaces orphaned", st.orphans);
	cli_printf(cli, "Requests of charon not granted\n");
	print_number(cli, "Refused", st.refused[SSLINK_REFUSED]);
	print_number(cli, "  of them: single-shot fired", st.refused_latched);
	print_number(cli, "Busy", st.refused[SSLINK_BUSY]);
	print_number(cli, "Unsupported", st.refused[SSLINK_UNSUPPORTED]);
	print_number(cli, "No resources", st.refused[SSLINK_NO_RESOURCES]);
	return CLI_DONE;
}

static const struct cli_command commands[] = {
        {.tokens = {KW_SHOW, KW_IPSEC,
                    CLI_KW("security-associations", "Every SA of every interface")},
         .ctx_size = sizeof(struct cursor),
         .start = sa_start,
         .print = sa_print},
        {.tokens = {KW_SHOW, KW_IPSEC, CLI_KW("ike-sa", "IKE_SAs behind the interfaces")},
         .ctx_size = sizeof(struct cursor),
         .start = ike_start,
         .print = ike_print},
        {.tokens = {KW_SHOW, KW_IPSEC, CLI_KW("statistics", "Counters, and the link to charon")},
         .start = statistics_start},
};

CONSOLE_TABLE(console_show_ipsec_sa, commands);
