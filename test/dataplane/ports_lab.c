/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * src/ports with the simplest data plane there can be, for test/interop/ports: every frame that a port
 * receives goes to the twin, what a twin sends leaves by its port, and each order that ports gives is
 * printed as a line. Commands on standard input: "resolve IFIDX ADDRESS", "routes FIRST LAST",
 * "noroutes FIRST LAST", "info", "quit".
 *
 * usage: ports_lab [-w WORKERS] -p NAME=DEVICE [-m MTU] [-a ADDRESS/LEN].. [-v VLAN [-a ADDRESS/LEN]..]..
 *                  [-r PREFIX/LEN,GATEWAY].. [-P FIRST,LAST].. [-L LOCAL]
 */
#include "ports/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#define MAX_ADDRESSES 8
#define MAX_SUBIFS    4
#define BURST         32
#define N_MBUFS       8192
#define POLL_US       200

struct dp {
	struct ports *ports;
	struct rte_mempool *pool;
	struct dp_if_conf ifs[DP_MAX_IFS];
	uint16_t n_ifs, n_rxq, n_workers;
};

struct lab {
	struct config config;
	struct cfg_port port;
	struct cfg_subif subifs[MAX_SUBIFS];
	struct ipprefix addresses[1 + MAX_SUBIFS][MAX_ADDRESSES];
	struct cfg_route routes[4];
	struct cfg_pool pools[4];
	struct cfg_interface_profile profile;
	struct dp dp;
	struct event_base *base;
	struct log log;
};

static const char *const kinds[] = {"local", "connected", "via", "subscriber", "blackhole"};

static const char *ip_text(uint32_t ip, char *buf)
{
	struct ipaddr a = ipaddr_v4(ip);

	return ipaddr_str(&a, buf, IPADDR_STRLEN);
}

static const char *if_text(const struct dp *dp, uint16_t ifidx)
{
	return ifidx < dp->n_ifs ? dp->ifs[ifidx].name : "-";
}

/* ---- what ports calls ---- */

uint16_t dp_n_workers(const struct dp *dp)
{
	return dp->n_workers;
}

int dp_port_add(struct dp *dp, uint16_t port_id, uint16_t n_rxq, uint16_t n_txq)
{
	printf("port %u rxq %u txq %u\n", port_id, n_rxq, n_txq);
	dp->n_rxq = n_rxq;
	return 0;
}

int dp_queue_worker(const struct dp *dp, uint16_t port_id, uint16_t queue)
{
	(void)port_id;
	return queue % dp->n_workers;
}

struct rte_mempool *dp_mbuf_pool(struct dp *dp)
{
	return dp->pool;
}

struct rte_mempool *dp_mbuf_pool_on(struct dp *dp, int socket)
{
	(void)socket;
	return dp->pool;
}

int dp_if_add(struct dp *dp, const struct dp_if_conf *conf)
{
	if (dp->n_ifs == DP_MAX_IFS)
		return -ENOSPC;
	dp->ifs[dp->n_ifs] = *conf;
	printf("if %u %s vlan %u mtu %u\n", dp->n_ifs, conf->name, conf->vlan, conf->mtu);
	return dp->n_ifs++;
}

int dp_route_set(struct dp *dp, const struct dp_route *r)
{
	char prefix[IPADDR_STRLEN], gateway[IPADDR_STRLEN];

	printf("route %s/%u %s %s", ip_text(r->prefix, prefix), r->len, kinds[r->kind],
	       if_text(dp, r->ifidx));
	if (r->kind == DP_RT_VIA)
		printf(" %s", ip_text(r->gateway, gateway));
	printf("\n");
	return 0;
}

int dp_route_del(struct dp *dp, uint32_t prefix, uint8_t len)
{
	char text[IPADDR_STRLEN];

	printf("noroute %s/%u\n", ip_text(prefix, text), len);
	return 0;
}

int dp_neigh_set(struct dp *dp, uint16_t ifidx, uint32_t ip, const uint8_t *mac)
{
	char text[IPADDR_STRLEN];

	printf("neigh %s %s", if_text(dp, ifidx), ip_text(ip, text));
	if (mac == NULL)
		printf(" none\n");
	else
		printf(" %02x:%02x:%02x:%02x:%02x:%02x\n", mac[0], mac[1], mac[2], mac[3], mac[4],
		       mac[5]);
	return 0;
}

int dp_send_frame(struct dp *dp, uint16_t ifidx, const uint8_t *frame, size_t len)
{
	const struct dp_if_conf *ifc = &dp->ifs[ifidx];
	struct rte_mbuf *m = rte_pktmbuf_alloc(dp->pool);
	char *data;

	if (m == NULL)
		return -EAGAIN;
	data = rte_pktmbuf_append(m, (uint16_t)len);
	if (data == NULL) {
		rte_pktmbuf_free(m);
		return -EMSGSIZE;
	}
	memcpy(data, frame, len);
	if (ifc->vlan != 0) {
		m->vlan_tci = ifc->vlan;
		if (rte_vlan_insert(&m) != 0) {
			rte_pktmbuf_free(m);
			return -EAGAIN;
		}
	}
	if (rte_eth_tx_burst(ifc->port_id, 0, &m, 1) == 1)
		return 0;
	rte_pktmbuf_free(m);
	return -EAGAIN;
}

int dp_send_ip(struct dp *dp, const uint8_t *packet, size_t len)
{
	char text[IPADDR_STRLEN];
	uint32_t dst;

	(void)dp;
	if (len < 20 || packet[0] >> 4 != 4)
		return -EINVAL;
	memcpy(&dst, packet + 16, sizeof(dst));
	printf("ip to %s length %zu\n", ip_text(ntohl(dst), text), len);
	return 0;
}

/* ---- the worker ---- */

static void receive(struct dp *dp, struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	struct dp_punt punt = {.class = DP_PUNT_TWIN};
	uint16_t vlan = 0;

	if (m->pkt_len >= sizeof(*eth) + 4 && eth->ether_type == htons(RTE_ETHER_TYPE_VLAN)) {
		rte_vlan_strip(m);
		vlan = m->vlan_tci & 0xfff;
	}
	for (uint16_t i = 0; i < dp->n_ifs; i++) {
		if (dp->ifs[i].port_id != m->port || dp->ifs[i].vlan != vlan)
			continue;
		punt.ifidx = i;
		punt.data = rte_pktmbuf_mtod(m, const uint8_t *);
		punt.len = m->pkt_len;
		(void)ports_punt(dp->ports, &punt);
	}
	rte_pktmbuf_free(m);
}

static void on_poll(evutil_socket_t fd, short what, void *arg)
{
	struct lab *lab = arg;
	struct rte_mbuf *m[BURST];

	(void)fd;
	(void)what;
	for (uint16_t q = 0; q < lab->dp.n_rxq; q++) {
		uint16_t n = rte_eth_rx_burst(lab->dp.ifs[0].port_id, q, m, BURST);

		for (uint16_t i = 0; i < n; i++)
			receive(&lab->dp, m[i]);
	}
}

/* ---- commands ---- */

static uint32_t ip_of(const char *text)
{
	struct ipaddr a = {0};

	return text != NULL && ipaddr_parse(text, &a) == 0 ? ipaddr_to_v4(&a) : 0;
}

static void info(struct lab *lab)
{
	struct ports_info i;
	struct ports_twin_info t;
	struct ports_kernel_info k;
	struct ports_dist_info d;

	if (ports_get_info(lab->dp.ports, 0, &i) == 0)
		printf("info %s %s driver %s link %s queues %u rx %lu tx %lu\n", i.name, i.device,
		       i.driver, i.link_up ? "up" : "down", i.n_rxq, i.rx_packets, i.tx_packets);
	for (uint32_t n = 0; ports_get_dist_info(lab->dp.ports, 0, &d) == 0 && n < PORTS_DIST_ROWS;
	     n++)
		printf("spread %s: %s: %s (%s), %u rules\n", d.name, d.row[n].traffic, d.row[n].how,
		       d.row[n].why, d.n_rules);
	for (uint32_t n = 0; ports_get_twin_info(lab->dp.ports, n, &t) == 0; n++)
		printf("twin %s port %s vlan %u %s to %lu from %lu\n", t.name, t.port, t.vlan,
		       t.up ? "up" : "down", t.to_kernel, t.from_kernel);
	ports_get_kernel_info(lab->dp.ports, &k);
	printf("kernel routes %u neighbours %u refused %u resyncs %lu resolves %lu\n", k.routes,
	       k.neighbours, k.routes_refused, k.resyncs, k.resolves);
}

static void command(struct lab *lab, char *line)
{
	char *save = NULL, *word = strtok_r(line, " \n", &save);
	char *a = strtok_r(NULL, " \n", &save), *b = strtok_r(NULL, " \n", &save);
	struct dp_punt punt = {.class = DP_PUNT_NEIGH};

	if (word == NULL)
		return;
	if (strcmp(word, "resolve") == 0 && b != NULL) {
		punt.ifidx = (uint16_t)atoi(a);
		punt.next_hop = ip_of(b);
		(void)ports_punt(lab->dp.ports, &punt);
	} else if (strcmp(word, "routes") == 0) {
		(void)ports_pool_route_add(lab->dp.ports, ip_of(a), ip_of(b));
	} else if (strcmp(word, "noroutes") == 0) {
		(void)ports_pool_route_del(lab->dp.ports, ip_of(a), ip_of(b));
	} else if (strcmp(word, "info") == 0) {
		info(lab);
	} else if (strcmp(word, "quit") == 0) {
		event_base_loopbreak(lab->base);
	}
	printf("done %s\n", word);
}

static void on_stdin(evutil_socket_t fd, short what, void *arg)
{
	struct lab *lab = arg;
	char line[256], *save = NULL, *one;
	ssize_t n = read(fd, line, sizeof(line) - 1);

	(void)what;
	if (n <= 0) {
		event_base_loopbreak(lab->base);
		return;
	}
	line[n] = '\0';
	for (one = strtok_r(line, "\n", &save); one != NULL; one = strtok_r(NULL, "\n", &save))
		command(lab, one);
}

/* ---- start ---- */

static int pair(char *text, char sep, char **second)
{
	char *at = strchr(text, sep);

	if (at == NULL)
		return -EINVAL;
	*at = '\0';
	*second = at + 1;
	return 0;
}

static int option(struct lab *lab, int opt, char *text)
{
	struct config *c = &lab->config;
	struct cfg_subif *sub;
	char *second;

	switch (opt) {
	case 'w':
		c->system.workers = (uint16_t)atoi(text);
		return 0;
	case 'p':
		if (pair(text, '=', &second) != 0)
			return -EINVAL;
		snprintf(lab->port.name, sizeof(lab->port.name), "%s", text);
		snprintf(lab->port.device, sizeof(lab->port.device), "%s", second);
		return 0;
	case 'm':
		lab->port.mtu = (uint16_t)atoi(text);
		return 0;
	case 'a':
		if (lab->port.n_subifs == 0)
			return ipprefix_parse(text, &lab->addresses[0][lab->port.n_addresses++]);
		sub = &lab->subifs[lab->port.n_subifs - 1];
		return ipprefix_parse(text, &sub->addresses[sub->n_addresses++]);
	case 'v':
		sub = &lab->subifs[lab->port.n_subifs];
		sub->vlan = (uint16_t)atoi(text);
		sub->mtu = 1500;
		snprintf(sub->name, sizeof(sub->name), "%.9s.%u", lab->port.name, sub->vlan % 4095);
		sub->addresses = lab->addresses[++lab->port.n_subifs];
		return 0;
	case 'r':
		if (pair(text, ',', &second) != 0 ||
		    ipaddr_parse(second, &lab->routes[c->n_routes].via) != 0)
			return -EINVAL;
		return ipprefix_parse(text, &lab->routes[c->n_routes++].prefix);
	case 'P':
		if (pair(text, ',', &second) != 0 ||
		    ipaddr_parse(second, &lab->pools[c->n_pools].last) != 0)
			return -EINVAL;
		return ipaddr_parse(text, &lab->pools[c->n_pools++].first);
	case 'L':
		c->n_interface_profiles = 1;
		return ipaddr_parse(text, &lab->profile.local_address);
	default:
		return -EINVAL;
	}
}

static int run(struct lab *lab)
{
	const struct timeval tv = {.tv_usec = POLL_US};
	struct event *poll = event_new(lab->base, -1, EV_PERSIST, on_poll, lab);
	struct event *in = event_new(lab->base, STDIN_FILENO, EV_READ | EV_PERSIST, on_stdin, lab);

	event_add(poll, &tv);
	event_add(in, NULL);
	printf("ready\n");
	event_base_dispatch(lab->base);
	event_free(poll);
	event_free(in);
	return 0;
}

int main(int argc, char **argv)
{
	struct lab *lab = calloc(1, sizeof(*lab));
	struct config *c = &lab->config;
	int opt, ret = EXIT_FAILURE;

	setvbuf(stdout, NULL, _IOLBF, 0);
	lab->log = (struct log){.level = LOG_LVL_DEBUG, .sink = log_sink_stderr};
	c->system = (struct cfg_system){.workers = 1, .memory_mb = 128};
	lab->port.mtu = 1500;
	lab->port.rx_descriptors = lab->port.tx_descriptors = 256;
	lab->port.addresses = lab->addresses[0];
	lab->port.subifs = lab->subifs;
	c->ports = &lab->port;
	c->n_ports = 1;
	c->routes = lab->routes;
	c->pools = lab->pools;
	c->interface_profiles = &lab->profile;
	while ((opt = getopt(argc, argv, "w:p:m:a:v:r:P:L:")) != -1) {
		if (option(lab, opt, optarg) != 0) {
			fprintf(stderr, "bad argument of -%c: %s\n", opt, optarg);
			return EXIT_FAILURE;
		}
	}
	if (ports_eal_init(c, &lab->log) != 0)
		goto out;
	lab->dp.n_workers = c->system.workers;
	lab->dp.pool = rte_pktmbuf_pool_create("lab", N_MBUFS, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	lab->base = event_base_new();
	lab->dp.ports = ports_new(c, &lab->dp, lab->base, &lab->log);
	if (lab->dp.pool == NULL || lab->dp.ports == NULL)
		goto out;
	if (ports_start(lab->dp.ports) == 0)
		ret = run(lab) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	ports_free(lab->dp.ports);
	event_base_free(lab->base);
	rte_mempool_free(lab->dp.pool);
	ports_eal_cleanup();
out:
	free(lab);
	return ret;
}
