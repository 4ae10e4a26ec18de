/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* show l2tp tunnel. A row is one record: a live tunnel, or one in its destruct period. */
#include "console/commands.h"
#include "control/ctl.h"
#include "control/ipsec.h"

#include <inttypes.h>

struct cursor {
	uint32_t slot, found;
	uint16_t id; /* 0: all */
	bool detail;
};

/* JunosE's four states, and that of a record. */
static const char *state_name(const struct ctl_tunnel_view *v)
{
	if (v->destructing)
		return "Down";
	switch (v->info.state) {
	case L2TP_TS_IDLE:
	case L2TP_TS_CLOSED:
		return "Idle";
	case L2TP_TS_WAIT_CTL_REPLY:
	case L2TP_TS_WAIT_CTL_CONN:
		return "Connecting";
	case L2TP_TS_ESTABLISHED:
		return "Up";
	case L2TP_TS_DISCONNECTING:
		return "Disconnecting";
	}
	return "Idle";
}

static const char *single_shot_name(enum ctl_ss_state s)
{
	switch (s) {
	case CTL_SS_UNUSED:
		return "unused";
	case CTL_SS_CARRYING:
		return "carrying session";
	case CTL_SS_FIRED:
		return "fired";
	case CTL_SS_NONE:
		break;
	}
	return "off";
}

static void print_line(struct cli *cli, const struct ctl_tunnel_view *v)
{
	char host[64], peer[ENDPOINT_STRLEN];

	cli_printf(cli, "L2TP tunnel %s/%u is %s with %u active session%s, peer %s%s%s\n",
	           v->profile, v->id, state_name(v), v->sessions, console_s(v->sessions),
	           endpoint_str(&v->path.remote, peer, sizeof(peer)),
	           v->info.peer_host[0] ? " " : "",
	           cli_clean(host, sizeof(host), v->info.peer_host));
}

static void print_settings(struct cli *cli, const struct ctl_tunnel_view *v)
{
	cli_printf(cli, "  Configuration\n");
	cli_printf(cli, "    Remote host profile is %s\n", v->host);
	if (v->single_shot != CTL_SS_NONE)
		cli_printf(cli, "    Tunnel is single-shot: %s\n",
		           single_shot_name(v->single_shot));
}

static void print_address(struct cli *cli, const struct ctl_tunnel_view *v,
                          const struct ctl_conn_view *k)
{
	char addr[IPADDR_STRLEN], text[96];

	cli_printf(cli, "  Tunnel address\n");
	cli_printf(cli, "    Transport ipUdp\n");
	cli_printf(cli, "    Local address %s port %u\n",
	           ipaddr_str(&v->path.local.addr, addr, sizeof(addr)), v->path.local.port);
	cli_printf(cli, "    Peer address %s port %u\n",
	           ipaddr_str(&v->path.remote.addr, addr, sizeof(addr)), v->path.remote.port);
	if (v->conn)
		cli_printf(cli, "    IPsec transport connection %" PRIu64 "\n", v->conn);
	if (k)
		cli_printf(cli, "    IPsec transport connection is %s, single-shot %s\n",
		           ctl_conn_state_name(k->state),
		           k->fired ? "fired" : console_single_shot(text, sizeof(text), k));
}

/* The latch of the connection below, which outlives the tunnel's own record. */
static void print_latch(struct cli *cli, const struct ctl_conn_view *k)
{
	char ago[CONSOLE_TIME_MAX];

	if (k && k->fired)
		cli_printf(cli, "    IPsec transport connection fired %s ago: %s\n",
		           console_time(ago, k->fired_ago_s), ss_reason_name(k->fired_reason));
}

static void print_status(struct cli *cli, const struct ctl_tunnel_view *v,
                         const struct ctl_conn_view *k)
{
	const struct l2tp_tunnel_info *i = &v->info;
	char text[sizeof(v->message)], up[CONSOLE_TIME_MAX];

	cli_printf(cli, "  Tunnel status\n");
	cli_printf(cli, "    State %s, initiated %s\n", l2tp_tunnel_state_name(i->state),
	           i->initiated_by_us ? "locally" : "remotely");
	cli_printf(cli, "    Local tunnel id %u, remote tunnel id %u\n", v->id, i->peer_id);
	cli_printf(cli, "    Established time %s\n", console_time(up, v->uptime_s));
	cli_printf(cli, "    Peer is %s\n",
	           i->authenticated ? "authenticated" : "not authenticated");
	if (v->reason != L2TP_R_NONE) {
		cli_printf(cli, "    Terminate reason %s\n", l2tp_reason_name(v->reason));
		cli_printf(cli, "    Last result code %u, error code %u%s%s\n", v->result, v->error,
		           v->message[0] ? ", message " : "",
		           cli_clean(text, sizeof(text), v->message));
	}
	if (v->destructing)
		cli_printf(cli, "    Destruct time remaining %u seconds\n", v->destruct_left_s);
	print_latch(cli, k);
}

static void print_peer(struct cli *cli, const struct l2tp_tunnel_info *i)
{
	char host[sizeof(i->peer_host)], vendor[sizeof(i->peer_vendor)];

	cli_printf(cli, "  Peer\n");
	cli_printf(cli, "    Host name %s\n", cli_clean(host, sizeof(host), i->peer_host));
	cli_printf(cli, "    Vendor name %s\n", cli_clean(vendor, sizeof(vendor), i->peer_vendor));
	cli_printf(cli, "    Protocol version %u.%u, firmware revision 0x%04x\n", i->peer_version,
	           i->peer_revision, i->peer_firmware);
	cli_printf(cli, "    Framing capabilities 0x%x, bearer capabilities 0x%x\n",
	           i->peer_framing, i->peer_bearer);
}

static void print_channel(struct cli *cli, const struct l2tp_tunnel_info *i)
{
	cli_printf(cli, "  Control channel\n");
	cli_printf(cli, "    Receive window %u, send window %u, congestion window %u\n", i->rws,
	           i->peer_rws, i->cwnd);
	cli_printf(cli,
	           "    Next Ns to send %u, acknowledged by the peer %u, next Ns expected %u\n",
	           i->ns, i->peer_nr, i->nr);
	cli_printf(cli, "    Send queue depth %u\n", i->send_queue);
	cli_printf(cli, "    Retransmissions %" PRIu64 "\n", i->retransmits);
	cli_printf(cli, "    Receive ZLB %" PRIu64 ", transmit ZLB %" PRIu64 "\n", i->rx_zlb,
	           i->tx_zlb);
	cli_printf(cli,
	           "    Receive out-of-sequence %" PRIu64 ", out-of-window %" PRIu64
	           ", duplicates %" PRIu64 "\n",
	           i->rx_out_of_order, i->rx_out_of_window, i->rx_duplicate);
	cli_printf(cli, "  Sessions\n");
	cli_printf(cli, "    Total %u, failed %u, active %u\n", i->calls_total, i->calls_failed,
	           i->calls_established);
}

static void print_tunnel(struct cli *cli, struct cursor *c, const struct ctl_tunnel_view *v)
{
	const struct ctl *ctl = console_env(cli)->ctl;
	const struct ctl_conn_view *k = NULL;
	struct ctl_conn_view conn;

	c->found++;
	print_line(cli, v);
	if (!c->detail)
		return;
	if (v->conn && ctl_conn_get(ctl, v->conn, console_now_ms(), &conn))
		k = &conn;
	print_settings(cli, v);
	print_address(cli, v, k);
	print_status(cli, v, k);
	print_peer(cli, &v->info);
	print_channel(cli, &v->info);
}

static enum cli_step tunnel_start(struct cli *cli, void *ctx, const struct cli_args *args)
{
	const struct cli_value *id = cli_arg(args, "ID");
	struct cursor *c = ctx;

	c->id = id ? (uint16_t)id->number : 0;
	c->detail = cli_arg(args, "detail") != NULL;
	return CLI_MORE;
}

static enum cli_step tunnel_print(struct cli *cli, void *ctx)
{
	struct ctl_tunnel_view v;
	struct cursor *c = ctx;

	if (ctl_tunnel_next(console_env(cli)->ctl, &c->slot, console_now_ms(), &v)) {
		if (!c->id || c->id == v.id)
			print_tunnel(cli, c, &v);
		return CLI_MORE;
	}
	if (c->id && !c->found)
		cli_printf(cli, "%% No L2TP tunnel %u\n", c->id);
	else
		cli_printf(cli, "%u L2TP tunnel%s found\n", c->found, console_s(c->found));
	return CLI_DONE;
}

static const struct cli_command commands[] = {
        {.tokens = {KW_SHOW, KW_L2TP, KW_TUNNEL, CLI_OPT_NUM("ID", 1, 65535, "Local tunnel id"),
                    KW_DETAIL},
         .ctx_size = sizeof(struct cursor),
         .start = tunnel_start,
         .print = tunnel_print},
};

CONSOLE_TABLE(console_show_l2tp_tunnel, commands);
