/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* show ports, show interfaces */
#include "console/commands.h"
#include "ports/ports.h"

#include <inttypes.h>
#include <stdio.h>

struct cursor {
	uint32_t next;
	bool detail;
};

static const char *speed_name(char *buf, size_t size, const struct ports_info *p)
{
	if (p->speed_mbps)
		snprintf(buf, size, "%" PRIu32 " Mb/s", p->speed_mbps);
	else
		snprintf(buf, size, "-");
	return buf;
}

static void print_port(struct cli *cli, const struct ports_info *p)
{
	char speed[24];

	cli_printf(cli, "%-15s %-5s %-12s %5u  %02x:%02x:%02x:%02x:%02x:%02x  %s\n", p->name,
	           p->link_up ? "up" : "down", speed_name(speed, sizeof(speed), p), p->mtu,
	           p->mac[0], p->mac[1], p->mac[2], p->mac[3], p->mac[4], p->mac[5], p->device);
}

static void print_port_detail(struct cli *cli, const struct ports_info *p)
{
	cli_printf(cli, "  Driver %s%s%s, NUMA node %d\n", p->driver,
	           p->kernel_device[0] ? " over " : "", p->kernel_device, p->socket);
	cli_printf(cli, "  Queues: %u receive, %u transmit\n", p->n_rxq, p->n_txq);
	cli_printf(cli, "  Received    %20" PRIu64 " packets %20" PRIu64 " octets\n", p->rx_packets,
	           p->rx_bytes);
	cli_printf(cli, "  Transmitted %20" PRIu64 " packets %20" PRIu64 " octets\n", p->tx_packets,
	           p->tx_bytes);
	cli_printf(cli,
	           "  Receive missed %" PRIu64 ", errors %" PRIu64 ", no buffer %" PRIu64
	           "; transmit errors %" PRIu64 "\n",
	           p->rx_missed, p->rx_errors, p->rx_no_buffer, p->tx_errors);
}

static enum cli_step ports_start_show(struct cli *cli, void *ctx, const struct cli_args *args)
{
	struct cursor *c = ctx;

	c->detail = cli_arg(args, "detail") != NULL;
	cli_printf(cli, "%-15s %-5s %-12s %5s  %-17s  %s\n", "Port", "Link", "Speed", "MTU",
	           "Address", "Device");
	return CLI_MORE;
}

static enum cli_step ports_print(struct cli *cli, void *ctx)
{
	struct cursor *c = ctx;
	struct ports_info p;

	if (ports_get_info(console_env(cli)->ports, c->next, &p) < 0) {
		cli_printf(cli, "%u port%s found\n", c->next, console_s(c->next));
		return CLI_DONE;
	}
	c->next++;
	print_port(cli, &p);
	if (c->detail)
		print_port_detail(cli, &p);
	return CLI_MORE;
}

static enum cli_step interfaces_start(struct cli *cli, void *ctx, const struct cli_args *args)
{
	cli_printf(cli, "%-15s %-15s %5s %-5s %14s %10s %14s %10s\n", "Interface", "Port", "VLAN",
	           "State", "To kernel", "dropped", "From kernel", "dropped");
	return CLI_MORE;
}

static void print_twin(struct cli *cli, const struct ports_twin_info *t)
{
	char vlan[8] = "-";

	if (t->vlan)
		snprintf(vlan, sizeof(vlan), "%u", t->vlan);
	cli_printf(cli,
	           "%-15s %-15s %5s %-5s %14" PRIu64 " %10" PRIu64 " %14" PRIu64 " %10" PRIu64 "\n",
	           t->name, t->port[0] ? t->port : "subscribers", vlan, t->up ? "up" : "down",
	           t->to_kernel, t->to_kernel_dropped, t->from_kernel, t->from_kernel_dropped);
}

static enum cli_step interfaces_print(struct cli *cli, void *ctx)
{
	const struct ports *ports = console_env(cli)->ports;
	struct ports_kernel_info k;
	struct ports_twin_info t;
	struct cursor *c = ctx;

	if (ports_get_twin_info(ports, c->next, &t) == 0) {
		c->next++;
		print_twin(cli, &t);
		return CLI_MORE;
	}
	ports_get_kernel_info(ports, &k);
	cli_printf(cli, "%u interface%s found\n", c->next, console_s(c->next));
	cli_printf(cli,
	           "Copied from the kernel: %" PRIu32 " route%s (%" PRIu32 " refused), %" PRIu32
	           " neighbour%s\n",
	           k.routes, console_s(k.routes), k.routes_refused, k.neighbours,
	           console_s(k.neighbours));
	cli_printf(cli, "Full readings %" PRIu64 ", next hops asked for %" PRIu64 "\n", k.resyncs,
	           k.resolves);
	return CLI_DONE;
}

static const struct cli_command commands[] = {
        {.tokens = {KW_SHOW, CLI_KW("ports", "Ethernet devices of the data plane"), KW_DETAIL},
         .ctx_size = sizeof(struct cursor),
         .start = ports_start_show,
         .print = ports_print},
        {.tokens = {KW_SHOW, CLI_KW("interfaces", "Interfaces and their kernel twins")},
         .ctx_size = sizeof(struct cursor),
         .start = interfaces_start,
         .print = interfaces_print},
};

CONSOLE_TABLE(console_show_ports, commands);
