/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* show l2tp session. A row is one record: a live session, or one in its destruct period. */
#include "console/commands.h"
#include "control/ctl.h"

#include <inttypes.h>

struct cursor {
	uint32_t slot, found;
	uint16_t id; /* 0: all */
	bool detail;
};

static const char *state_name(const struct ctl_session_view *v)
{
	if (v->destructing)
		return "Down";
	if (v->closing)
		return "Disconnecting";
	switch (v->call.state) {
	case L2TP_CS_IDLE:
	case L2TP_CS_CLOSED:
		return "Idle";
	case L2TP_CS_WAIT_TUNNEL:
	case L2TP_CS_WAIT_REPLY:
	case L2TP_CS_WAIT_CONNECT:
		return "Connecting";
	case L2TP_CS_ESTABLISHED:
		return "Up";
	}
	return "Idle";
}

static void print_line(struct cli *cli, const struct ctl_session_view *v)
{
	char user[64], ip[IPADDR_STRLEN];

	cli_printf(cli, "L2TP session %s/%u/%u is %s, user %s, address %s\n", v->profile,
	           v->tunnel_id, v->id, state_name(v),
	           v->user[0] ? cli_clean(user, sizeof(user), v->user) : "-",
	           console_ip(ip, sizeof(ip), v->peer_ip));
}

static void print_settings(struct cli *cli, const struct ctl_session_view *v)
{
	cli_printf(cli, "  Configuration\n");
	cli_printf(cli, "    Remote host profile is %s\n", v->host);
	cli_printf(cli, "    Interface profile is %s\n", v->interface_profile);
	if (v->peer_ip)
		cli_printf(cli, "    Address is from %s%s\n",
		           v->pool ? "pool " : "the user's entry", v->pool ? v->pool : "");
}

static void print_status(struct cli *cli, const struct ctl_session_view *v)
{
	char up[CONSOLE_TIME_MAX];

	cli_printf(cli, "  Session status\n");
	cli_printf(cli, "    State %s, call type %s\n", l2tp_call_state_name(v->call.state),
	           v->call.lns ? "lnsIncoming" : "lacIncoming");
	cli_printf(cli, "    Local session id %u, remote session id %u\n", v->id, v->call.peer_id);
	cli_printf(cli, "    Established time %s\n", console_time(up, v->uptime_s));
	cli_printf(cli, "    Owner worker %u, MTU %u\n", v->worker, v->mtu);
	if (v->reason != L2TP_R_NONE || v->ppp_reason != PPP_R_NONE)
		cli_printf(cli, "    Terminate reason %s\n", ctl_session_reason_name(v));
	if (v->destructing)
		cli_printf(cli, "    Destruct time remaining %u seconds\n", v->destruct_left_s);
}

static void print_call(struct cli *cli, const struct l2tp_call_info *i)
{
	char text[sizeof(i->calling_number)];

	cli_printf(cli, "  Call\n");
	cli_printf(cli, "    Call serial number %u, physical channel id %u\n", i->serial,
	           i->physical_channel);
	cli_printf(cli, "    Bearer type 0x%x, framing type 0x%x\n", i->bearer_type,
	           i->framing_type);
	cli_printf(cli, "    Tx connect speed %u, rx connect speed %u\n", i->tx_speed,
	           i->rx_speed ? i->rx_speed : i->tx_speed);
	if (i->called_number[0])
		cli_printf(cli, "    Called number %s\n",
		           cli_clean(text, sizeof(text), i->called_number));
	if (i->calling_number[0])
		cli_printf(cli, "    Calling number %s\n",
		           cli_clean(text, sizeof(text), i->calling_number));
	if (i->sub_address[0])
		cli_printf(cli, "    Sub-address %s\n",
		           cli_clean(text, sizeof(text), i->sub_address));
	if (i->private_group[0])
		cli_printf(cli, "    Private group id %s\n",
		           cli_clean(text, sizeof(text), i->private_group));
	cli_printf(cli, "    Sequencing is %s\n",
	           !i->sequencing           ? "disabled"
	           : i->sequencing_required ? "required by the peer"
	                                    : "enabled");
}

static void print_statistics(struct cli *cli, const struct dp_session_stats *s)
{
	cli_printf(cli, "  Statistics %21s %20s %12s\n", "packets", "octets", "discards");
	cli_printf(cli, "    Data rx %22" PRIu64 " %20" PRIu64 " %12" PRIu64 "\n", s->rx_packets,
	           s->rx_bytes, s->rx_discards);
	cli_printf(cli, "    Data tx %22" PRIu64 " %20" PRIu64 " %12" PRIu64 "\n", s->tx_packets,
	           s->tx_bytes, s->tx_discards);
	cli_printf(cli, "    Rx out-of-sequence %" PRIu64 ", lost %" PRIu64 ", Ns %u, Nr %u\n",
	           s->rx_out_of_sequence, s->rx_lost, s->ns, s->nr);
}

static void print_session(struct cli *cli, struct cursor *c, const struct ctl_session_view *v)
{
	c->found++;
	print_line(cli, v);
	if (!c->detail)
		return;
	print_settings(cli, v);
	print_status(cli, v);
	print_call(cli, &v->call);
	print_statistics(cli, &v->stats);
}

static enum cli_step session_start(struct cli *cli, void *ctx, const struct cli_args *args)
{
	const struct cli_value *id = cli_arg(args, "ID");
	struct cursor *c = ctx;

	c->id = id ? (uint16_t)id->number : 0;
	c->detail = cli_arg(args, "detail") != NULL;
	return CLI_MORE;
}

static enum cli_step session_print(struct cli *cli, void *ctx)
{
	struct ctl_session_view v;
	struct cursor *c = ctx;

	if (ctl_session_next(console_env(cli)->ctl, &c->slot, console_now_ms(), &v)) {
		if (!c->id || c->id == v.id)
			print_session(cli, c, &v);
		return CLI_MORE;
	}
	if (c->id && !c->found)
		cli_printf(cli, "%% No L2TP session %u\n", c->id);
	else
		cli_printf(cli, "%u L2TP session%s found\n", c->found, console_s(c->found));
	return CLI_DONE;
}

static const struct cli_command commands[] = {
        {.tokens = {KW_SHOW, KW_L2TP, KW_SESSION, CLI_OPT_NUM("ID", 1, 65535, "Local session id"),
                    KW_DETAIL},
         .ctx_size = sizeof(struct cursor),
         .start = session_start,
         .print = session_print},
};

CONSOLE_TABLE(console_show_l2tp_session, commands);
