/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* show ipsec transport interface. An interface is one transport connection (E1). */
#include "console/commands.h"
#include "control/ctl.h"
#include "control/ipsec.h"

#include <inttypes.h>
#include <stdio.h>

#define COUNT_STEP 16 /* connections counted in one call */

struct cursor {
	uint32_t slot, found;
	uint64_t id; /* 0: all */
	bool detail;
};

const char *console_single_shot(char *buf, size_t size, const struct ctl_conn_view *v)
{
	if (v->fired)
		snprintf(buf, size, "fired (%s, %" PRIu64 " s ago)",
		         ss_reason_name(v->fired_reason), v->fired_ago_s);
	else if (v->used_by_single_shot && v->tunnel_id)
		snprintf(buf, size, "in use (tunnel %u)", v->tunnel_id);
	else if (v->used_by_single_shot)
		snprintf(buf, size, "in use");
	else if (v->used_by_tunnel)
		snprintf(buf, size, "no (standard tunnels)");
	else
		snprintf(buf, size, "unused");
	return buf;
}

/* The same in one word, for a column. */
static const char *single_shot_word(const struct ctl_conn_view *v)
{
	if (v->fired)
		return "fired";
	if (v->used_by_single_shot)
		return "in-use";
	return v->used_by_tunnel ? "no" : "unused";
}

static const char *auth_name(enum sslink_auth a)
{
	switch (a) {
	case SSLINK_AUTH_PSK:
		return "a pre-shared key";
	case SSLINK_AUTH_PUBKEY:
		return "a certificate";
	case SSLINK_AUTH_EAP:
		return "EAP";
	case SSLINK_AUTH_UNKNOWN:
		break;
	}
	return "an unknown method";
}

/* An outer address; with the port of UDP encapsulation, where there is one. */
const char *console_outer(char *buf, size_t size, const struct endpoint *e)
{
	return e->port != 0 ? endpoint_str(e, buf, size) : ipaddr_str(&e->addr, buf, size);
}

static const char *left(char *buf, uint64_t seconds)
{
	if (seconds == UINT64_MAX)
		snprintf(buf, CONSOLE_TIME_MAX, "unlimited");
	else
		console_time(buf, seconds);
	return buf;
}

static void print_row(struct cli *cli, const struct ctl_conn_view *v)
{
	char id[64], peer[ENDPOINT_STRLEN], profile[33], age[CONSOLE_TIME_MAX];

	cli_printf(cli, "%-8" PRIu64 " %-13s %-16s %-21s %-11s %7u %-16s %s\n", v->id,
	           ctl_conn_state_name(v->state), cli_clean(profile, sizeof(profile), v->profile),
	           console_outer(peer, sizeof(peer), &v->peer), single_shot_word(v), v->tunnels,
	           console_time(age, v->uptime_s),
	           v->remote_id[0] ? cli_clean(id, sizeof(id), v->remote_id) : "-");
}

static void print_address(struct cli *cli, const struct ctl_conn_view *v)
{
	char addr[ENDPOINT_STRLEN];

	cli_printf(cli, "  Transport address\n");
	cli_printf(cli, "    Application l2tp\n");
	cli_printf(cli, "    Local address %s\n", console_outer(addr, sizeof(addr), &v->local));
	cli_printf(cli, "    Remote address %s\n", console_outer(addr, sizeof(addr), &v->peer));
	cli_printf(cli, "    NAT-T %s, NAT moves %" PRIu64 "\n",
	           v->encap ? "in use: ESP in UDP" : "not in use", v->nat_moves);
}

static void print_ike(struct cli *cli, const struct ctl_conn_view *v)
{
	char id[SSLINK_ID_MAX], profile[SSLINK_NAME_MAX];

	cli_printf(cli, "  Configuration\n");
	cli_printf(cli, "    %s is %s\n",
	           v->is_static ? "Security association of the configuration"
	                        : "IPsec transport profile",
	           cli_clean(profile, sizeof(profile), v->profile));
	if (v->is_static)
		return;
	cli_printf(cli, "  IKE\n");
	cli_printf(cli, "    IKE version %u, IKE_SA %" PRIu32 ", rekeyed %" PRIu64 " time%s\n",
	           v->ike_version, v->ike_id, v->ike_rekeys, console_s(v->ike_rekeys));
	cli_printf(cli, "    Remote identity %s\n",
	           v->remote_id[0] ? cli_clean(id, sizeof(id), v->remote_id) : "-");
	cli_printf(cli, "    Authenticated by %s\n", auth_name(v->auth));
}

static void print_status(struct cli *cli, const struct ctl_conn_view *v)
{
	char text[96], up[CONSOLE_TIME_MAX];

	cli_printf(cli, "  Interface status\n");
	cli_printf(cli, "    Single-shot: %s\n", console_single_shot(text, sizeof(text), v));
	cli_printf(cli, "    Tunnels %u, in their destruct period %u\n", v->tunnels, v->records);
	cli_printf(cli,
	           "    Refused tunnels %" PRIu64 ", sessions %" PRIu64
	           ", security associations %" PRIu64 "\n",
	           v->refused_sccrq, v->refused_icrq, v->refused_sas);
	cli_printf(cli, "    Children %u, security associations %u, rekeyed %" PRIu64 " time%s\n",
	           v->n_children, v->n_sas, v->rekeys, console_s(v->rekeys));
	cli_printf(cli, "    Owner worker %u\n", v->worker);
	cli_printf(cli, "    Age %s\n", console_time(up, v->uptime_s));
}

static void print_sa_path(struct cli *cli, const struct ctl_sa_view *s)
{
	char local[ENDPOINT_STRLEN], peer[ENDPOINT_STRLEN], port[8] = "any";

	if (s->peer_port)
		snprintf(port, sizeof(port), "%u", s->peer_port);
	cli_printf(cli, "    Local %s, remote %s, selector port %s\n",
	           console_outer(local, sizeof(local), &s->local),
	           console_outer(peer, sizeof(peer), &s->peer), port);
}

static void print_sa(struct cli *cli, const struct ctl_sa_view *s)
{
	char suite[40], age[CONSOLE_TIME_MAX], soft[CONSOLE_TIME_MAX], hard[CONSOLE_TIME_MAX];
	const struct dp_sa_stats *n = &s->stats;

	cli_printf(cli, "  %s spi 0x%08" PRIx32 ", %s, %s mode%s%s%s\n",
	           s->inbound ? "Inbound" : "Outbound", s->spi,
	           esp_suite_name(&s->suite, suite, sizeof(suite)),
	           s->tunnel_mode ? "tunnel" : "transport", s->encap ? ", in UDP" : "",
	           s->esn ? ", ESN" : "", n->in_use && !s->inbound ? ", in use" : "");
	print_sa_path(cli, s);
	cli_printf(cli, "    Age %s, lifetime left %s, rekeying %s%s\n",
	           console_time(age, s->age_s), left(hard, s->hard_left_s),
	           s->soft_left_s == UINT64_MAX ? "" : "in ",
	           s->soft_left_s == UINT64_MAX ? "is the peer's" : left(soft, s->soft_left_s));
	if (s->inbound)
		cli_printf(cli,
		           "    Replay window %" PRIu32 ", highest sequence number %" PRIu64 "\n",
		           s->replay_window, n->seq);
	else
		cli_printf(cli, "    Last sequence number %" PRIu64 "\n", n->seq);
	cli_printf(cli, "    Packets %" PRIu64 ", octets %" PRIu64 "\n", n->packets, n->bytes);
	if (s->inbound)
		cli_printf(cli,
		           "    Auth errors %" PRIu64 ", replay errors %" PRIu64
		           ", pad errors %" PRIu64 ", policy errors %" PRIu64
		           ", single-shot fired %" PRIu64 "\n",
		           n->auth_errors, n->replays, n->pad_errors, n->selector_errors,
		           n->latched);
}

static void print_detail(struct cli *cli, const struct ctl_conn_view *v)
{
	uint32_t i;

	cli_printf(cli, "IPsec transport interface %" PRIu64 " is %s\n", v->id,
	           ctl_conn_state_name(v->state));
	print_ike(cli, v);
	print_address(cli, v);
	print_status(cli, v);
	for (i = 0; i < v->n_sas && i < CTL_CONN_SAS_MAX; i++)
		print_sa(cli, &v->sas[i]);
	if (v->n_sas > CTL_CONN_SAS_MAX)
		cli_printf(cli, "  %u older security associations are not listed\n",
		           v->n_sas - CTL_CONN_SAS_MAX);
}

static enum cli_step interface_start(struct cli *cli, void *ctx, const struct cli_args *args)
{
	const struct cli_value *id = cli_arg(args, "ID");
	struct ctl_conn_view v;
	struct cursor *c = ctx;

	if (id) {
		if (ctl_conn_get(console_env(cli)->ctl, id->number, console_now_ms(), &v))
			print_detail(cli, &v);
		else
			cli_printf(cli, "%% No IPsec transport interface %" PRIu64 "\n",
			           id->number);
		return CLI_DONE;
	}
	c->detail = cli_arg(args, "detail") != NULL;
	if (!c->detail)
		cli_printf(cli, "%-8s %-13s %-16s %-21s %-11s %7s %-16s %s\n", "Id", "State",
		           "Profile", "Peer", "Single-shot", "Tunnels", "Age", "Identity");
	return CLI_MORE;
}

static enum cli_step interface_print(struct cli *cli, void *ctx)
{
	struct ctl_conn_view v;
	struct cursor *c = ctx;

	if (!ctl_conn_next(console_env(cli)->ctl, &c->slot, console_now_ms(), &v)) {
		cli_printf(cli, "%u IPsec transport interface%s found\n", c->found,
		           console_s(c->found));
		return CLI_DONE;
	}
	c->found++;
	if (c->detail)
		print_detail(cli, &v);
	else
		print_row(cli, &v);
	return CLI_MORE;
}

/* ---- summary ---- */

struct summary {
	uint32_t slot, total;
	uint32_t state[CTL_CONN_DOWN + 1];
	uint32_t unused, in_use, fired, standard;
	uint32_t encap;
};

static void count(struct summary *s, const struct ctl_conn_view *v)
{
	s->total++;
	s->state[v->state]++;
	s->encap += v->encap;
	if (v->fired)
		s->fired++;
	else if (v->used_by_single_shot)
		s->in_use++;
	else if (v->used_by_tunnel)
		s->standard++;
	else
		s->unused++;
}

static enum cli_step summary_start(struct cli *cli, void *ctx, const struct cli_args *args)
{
	return CLI_MORE;
}

static enum cli_step summary_print(struct cli *cli, void *ctx)
{
	struct summary *s = ctx;
	struct ctl_conn_view v;
	unsigned int i;

	for (i = 0; i < COUNT_STEP; i++) {
		if (!ctl_conn_next(console_env(cli)->ctl, &s->slot, console_now_ms(), &v))
			break;
		count(s, &v);
	}
	if (i == COUNT_STEP)
		return CLI_MORE;
	cli_printf(cli, "Operational status\n");
	cli_printf(cli, "  %-20s %8u\n", "total", s->total);
	for (i = CTL_CONN_UP; i <= CTL_CONN_DOWN; i++)
		cli_printf(cli, "  %-20s %8u\n", ctl_conn_state_name(i), s->state[i]);
	cli_printf(cli, "Single-shot\n");
	cli_printf(cli, "  %-20s %8u\n", "unused", s->unused);
	cli_printf(cli, "  %-20s %8u\n", "in use", s->in_use);
	cli_printf(cli, "  %-20s %8u\n", "fired", s->fired);
	cli_printf(cli, "  %-20s %8u\n", "standard tunnels", s->standard);
	cli_printf(cli, "NAT-T\n");
	cli_printf(cli, "  %-20s %8u\n", "in use", s->encap);
	return CLI_DONE;
}

static const struct cli_command commands[] = {
        {.tokens = {KW_SHOW, KW_IPSEC, KW_TRANSPORT, KW_INTERFACE, KW_DETAIL,
                    CLI_OPT_NUM("ID", 1, UINT64_MAX, "Number of an interface")},
         .ctx_size = sizeof(struct cursor),
         .start = interface_start,
         .print = interface_print},
        {.tokens = {KW_SHOW, KW_IPSEC, KW_TRANSPORT, KW_INTERFACE,
                    CLI_NUM("ID", 1, UINT64_MAX, "Number of an interface"),
                    CLI_KW("detail", "All that is known of each")},
         .ctx_size = sizeof(struct cursor),
         .start = interface_start,
         .print = interface_print},
        {.tokens = {KW_SHOW, KW_IPSEC, KW_TRANSPORT, KW_INTERFACE,
                    CLI_KW("summary", "How many there are in each state")},
         .ctx_size = sizeof(struct summary),
         .start = summary_start,
         .print = summary_print},
};

CONSOLE_TABLE(console_show_ipsec, commands);
