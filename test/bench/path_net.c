/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* bench_path: the EAL, ports that cost nothing, and a data plane with its sessions and SAs. */
#include "bench/path.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include <rte_eal.h>
#include <rte_errno.h>

#define LAC_GW   0xc00002feu
#define WORLD_US 0xcb007101u
#define WORLD_GW 0xcb0071feu
#define MBUFS    (2 * BATCH_MAX + 1024)
#define REPLAY   1024 /* packets */
#define HUGE_MIN 400 /* free pages of 2 MiB: all tables fit into them, the reference's too */

const char *const suite_names[SUITES] = {"plain", "gcm128", "gcm256", "cbc128_sha1",
                                         "cbc256_sha256"};

const struct esp_suite *suite_esp(enum suite s)
{
	static const struct esp_suite suites[SUITES] = {
	        [GCM128] = {ESP_AES_GCM, ESP_AUTH_AEAD, 16, 16},
	        [GCM256] = {ESP_AES_GCM, ESP_AUTH_AEAD, 32, 16},
	        [CBC128_SHA1] = {ESP_AES_CBC, ESP_HMAC_SHA1_96, 16, 0},
	        [CBC256_SHA256] = {ESP_AES_CBC, ESP_HMAC_SHA256_128, 32, 0},
	};

	return &suites[s];
}

void fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	exit(1);
}

/* ---- EAL and ports ---- */

static unsigned long huge_free(void)
{
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "r");
	unsigned long n = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%lu", &n) != 1)
		n = 0;
	fclose(f);
	return n;
}

/* The last CPU that this process may run on: the first has most of the kernel's work. */
static int last_cpu(void)
{
	int cpu = CPU_SETSIZE - 1;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 0;
	while (cpu > 0 && !CPU_ISSET(cpu, &set))
		cpu--;
	return cpu;
}

const char *eal_start(void)
{
	bool huge = huge_free() >= HUGE_MIN;
	char lcores[16];
	char *argv[] = {"bench_path",
	                "--no-shconf",
	                huge ? "--in-memory" : "--no-huge",
	                "-m",
	                "768",
	                "--no-pci",
	                "--lcores",
	                lcores,
	                "--no-telemetry",
	                "--log-level=error"};

	snprintf(lcores, sizeof(lcores), "0@%d", last_cpu());
	setenv("XDG_RUNTIME_DIR", "/tmp", 0);
	if (rte_eal_init((int)RTE_DIM(argv), argv) < 0)
		fail("The EAL does not start: %s.", rte_strerror(rte_errno));
	return huge ? "2m" : "4k";
}

static uint16_t port_tx(void *queue, struct rte_mbuf **v, uint16_t n)
{
	struct bench_port *p = queue;

	if (p->n + n > BATCH_MAX)
		return 0;
	memcpy(p->sent + p->n, v, n * sizeof(*v));
	p->n += n;
	return n;
}

static uint16_t port_rx(void *queue, struct rte_mbuf **v, uint16_t n)
{
	return 0;
}

/*
 * No ethdev: only the table that rte_eth_tx_burst jumps by. Queue 0 of a port is all that one worker
 * knows of it.
 */
static struct bench_port *ports_new(void)
{
	static void *no_callbacks[RTE_MAX_QUEUES_PER_PORT];
	static void *queues[2][1];
	struct bench_port *p = calloc(2, sizeof(*p));

	if (p == NULL)
		fail("No memory for ports.");
	for (int i = 0; i < 2; i++) {
		struct rte_eth_fp_ops *ops = &rte_eth_fp_ops[i];

		queues[i][0] = &p[i];
		ops->rx_pkt_burst = port_rx;
		ops->tx_pkt_burst = port_tx;
		ops->rxq.data = ops->txq.data = queues[i];
		ops->rxq.clbk = ops->txq.clbk = no_callbacks;
	}
	return p;
}

/* ---- the network ---- */

static void must(int rc, const char *what)
{
	if (rc < 0)
		fail("%s: %s.", what, strerror(-rc));
}

static void net_up(struct dp *dp)
{
	static const uint8_t lac_gw[6] = {2, 0xaa, 0, 0, 0, 0xfe};
	static const uint8_t world_gw[6] = {2, 0xcc, 0, 0, 0, 0xfe};
	const struct dp_if_conf ifs[] = {
	        {.port_id = LAC_PORT, .mac = {2, 0, 0, 0, 0, 1}, .mtu = 1500, .name = "lac"},
	        {.port_id = WORLD_PORT, .mac = {2, 0, 0, 0, 0, 2}, .mtu = 1500, .name = "world"},
	};
	const struct dp_route routes[] = {
	        {LNS_IP, 32, DP_RT_LOCAL, 0, 0},
	        {LNS_IP & ~0xffu, 24, DP_RT_CONNECTED, 0, 0},
	        {WORLD_US, 32, DP_RT_LOCAL, 1, 0},
	        {WORLD_US & ~0xffu, 24, DP_RT_CONNECTED, 1, 0},
	        {sub_ip(0) - 1, 16, DP_RT_SUBSCRIBER, 0, 0},
	        {peer_ip(0) - 1, 16, DP_RT_VIA, 0, LAC_GW},
	        {0, 0, DP_RT_VIA, 1, WORLD_GW},
	};

	for (size_t i = 0; i < RTE_DIM(ifs); i++) {
		must(dp_if_add(dp, &ifs[i]), "An interface");
		must(dp_port_add(dp, ifs[i].port_id, 1, 1), "A port");
	}
	for (size_t i = 0; i < RTE_DIM(routes); i++)
		must(dp_route_set(dp, &routes[i]), "A route");
	must(dp_pool_add(dp, sub_ip(0), SUBS_MAX), "The pool");
	must(dp_neigh_set(dp, 0, LAC_GW, lac_gw), "A neighbour");
	must(dp_neigh_set(dp, 1, WORLD_GW, world_gw), "A neighbour");
}

static void no_punt(void *ctx, const struct dp_punt *p)
{
	if (p->class != DP_PUNT_SA)
		fail("A packet went to control, class %s.", dp_punt_name(p->class));
}

void world_settle(struct world *w)
{
	while (dp_worker_poll(w->dp, 0) > 0 || dp_punt_poll(w->dp, no_punt, NULL, 64) > 0)
		;
}

uint64_t drops(const struct world *w)
{
	struct dp_stats s;
	uint64_t n = 0;

	dp_stats_get(w->dp, -1, &s);
	for (int i = 0; i < DP_DROP_MAX; i++)
		n += s.drop[i];
	return n;
}

/* ---- sessions ---- */

static struct endpoint end(uint32_t ip, uint16_t port)
{
	return (struct endpoint){ipaddr_v4(ip), port};
}

static struct dp_session session(const struct world *w, uint32_t who, uint32_t child)
{
	return (struct dp_session){
	        .session_id = sid_of(who),
	        .tunnel_id = sid_of(who),
	        .peer_session_id = peer_sid(who),
	        .peer_tunnel_id = peer_tid(who),
	        .gen = who + 1,
	        .local = end(LNS_IP, L2TP_PORT),
	        .peer = end(peer_ip(who), L2TP_PORT),
	        .conn = child == 0 ? 0 : who + 1,
	        .child = child,
	        .open = true,
	        .udp_checksum = w->checksum,
	        .tx_acfc = !w->ff03,
	        .mtu = 1460,
	        .peer_ip = sub_ip(who),
	};
}

/* A splitmix64 of a random seed: keys need no room, and both ends can be made at any time. */
void sub_keys(const struct world *w, uint32_t who, bool inbound, uint8_t keys[KEY_BYTES])
{
	uint64_t x = w->seed + ((uint64_t)who << 8 | (uint64_t)inbound << 7);

	for (int i = 0; i < KEY_BYTES / 8; i++) {
		uint64_t z = x += 0x9e3779b97f4a7c15ull;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
		z = (z ^ z >> 27) * 0x94d049bb133111ebull;
		z ^= z >> 31;
		memcpy(keys + 8 * i, &z, 8);
	}
}

/* The caller's keys, which the result points to. */
static struct esp_sa_conf end_conf(const struct world *w, uint32_t spi, bool inbound,
                                   const uint8_t *keys)
{
	const struct esp_suite *s = suite_esp(w->suite);

	return (struct esp_sa_conf){
	        .spi = spi,
	        .inbound = inbound,
	        .suite = *s,
	        .enc_key = keys,
	        .auth_key = keys + AUTH_KEY,
	        .enc_key_len = esp_suite_enc_key_len(s),
	        .auth_key_len = esp_suite_auth_key_len(s),
	        .replay_window = inbound ? REPLAY : 0,
	};
}

/* Bytes of one of the reference's. */
static size_t ref_size(const struct world *w, bool inbound)
{
	const uint8_t keys[KEY_BYTES] = {0};
	const struct esp_sa_conf c = end_conf(w, ESP_SPI_MIN, inbound, keys);

	return RTE_ALIGN(esp_sa_size(w->peer, &c), RTE_CACHE_LINE_SIZE);
}

/* In pages as those of the data plane's SAs are: the reference gains or loses nothing by its pages. */
static void refs_new(struct world *w)
{
	w->refs_size = w->n_subs * (ref_size(w, true) + ref_size(w, false));
	w->refs = dp_table_new("bench_refs", w->refs_size, SOCKET_ID_ANY);
	if (w->refs == NULL)
		fail("No memory for the reference's keys.");
}

static struct esp_sa *ref_end(struct world *w, uint32_t spi, bool inbound, const uint8_t *keys)
{
	const struct esp_sa_conf c = end_conf(w, spi, inbound, keys);
	struct esp_sa *sa = esp_sa_place(w->peer, &c, w->refs + w->refs_used);

	if (sa == NULL)
		fail("No random numbers for the reference.");
	w->refs_used += ref_size(w, inbound);
	return sa;
}

static const struct esp_sa *our_sa(struct world *w, uint32_t who, uint32_t child, uint32_t spi,
                                   bool inbound, dp_sa_id *pair)
{
	const struct esp_suite *s = suite_esp(w->suite);
	uint8_t keys[KEY_BYTES];
	struct dp_sa c = {
	        .spi = spi,
	        .child = child,
	        .inbound = inbound,
	        .local = end(LNS_IP, 0),
	        .peer = end(peer_ip(who), 0),
	        .suite = *s,
	        .enc_key = keys,
	        .auth_key = keys + AUTH_KEY,
	        .enc_key_len = esp_suite_enc_key_len(s),
	        .auth_key_len = esp_suite_auth_key_len(s),
	        .replay_window = inbound ? REPLAY : 0,
	        .pair = *pair,
	};
	dp_sa_id id;
	int rc;

	sub_keys(w, who, inbound, keys);
	while ((rc = dp_sa_add(w->dp, &c, &id, NULL)) == -EAGAIN)
		world_settle(w);
	must(rc, "A security association");
	*pair = id;
	return esp_of(dp_sa_find(w->dp, id));
}

static uint32_t sub_esp(struct world *w, uint32_t who)
{
	const struct dp_child child_conf = {
	        .conn = who + 1,
	        .local = end(LNS_IP, L2TP_PORT),
	        .peer = end(peer_ip(who), L2TP_PORT),
	};
	struct sub *u = &w->subs[who];
	dp_sa_id pair = 0;
	uint8_t keys[KEY_BYTES];
	struct esp_sa_conf c;
	uint32_t child;

	must(dp_child_add(w->dp, &child_conf, &child), "A child");
	must(dp_spi_get(w->dp, 0, &u->spi_in), "An SPI");
	u->spi_out = 0xc0000000u + who;
	u->in = our_sa(w, who, child, u->spi_in, true, &pair);
	u->out = our_sa(w, who, child, u->spi_out, false, &pair);
	sub_keys(w, who, true, keys);
	c = end_conf(w, u->spi_in, false, keys);
	u->tx = esp_sa_new(w->peer, &c);
	if (u->tx == NULL)
		fail("No memory for a security association.");
	u->ref_in = ref_end(w, u->spi_in, true, keys);
	sub_keys(w, who, false, keys);
	u->ref_out = ref_end(w, u->spi_out, false, keys);
	u->ref_out->iv_seed = u->out->iv_seed;
	return child;
}

static void sub_new(struct world *w, uint32_t who)
{
	struct dp_session s = session(w, who, w->suite == PLAIN ? 0 : sub_esp(w, who));
	int rc;

	while ((rc = dp_session_add(w->dp, &s)) == -EAGAIN)
		world_settle(w);
	must(rc, "A session");
}

void world_set(struct world *w, bool checksum, bool ff03)
{
	if (w->checksum == checksum && w->ff03 == ff03)
		return;
	w->checksum = checksum;
	w->ff03 = ff03;
	for (uint32_t i = 0; i < w->n_subs; i++) {
		struct dp_session s = session(w, i, w->dp->ctl[sid_of(i)].child);
		int rc;

		while ((rc = dp_session_update(w->dp, &s)) == -EAGAIN)
			world_settle(w);
		must(rc, "A session");
	}
	world_settle(w);
}

/* ---- the world ---- */

static struct rte_lpm *lpm_new(void)
{
	struct rte_lpm_config c = {.max_rules = 64, .number_tbl8s = 16};
	struct rte_lpm *lpm = rte_lpm_create("bench_ip4", SOCKET_ID_ANY, &c);

	if (lpm == NULL || rte_lpm_add(lpm, sub_ip(0) - 1, 16, HOP_LAC) != 0 ||
	    rte_lpm_add(lpm, LNS_IP & ~0xffu, 24, HOP_LAC) != 0 ||
	    rte_lpm_add(lpm, LNS_IP, 32, HOP_WORLD) != 0)
		fail("No memory for the reference's routes.");
	return lpm;
}

struct world *world_new(enum suite s, uint32_t n_subs)
{
	struct dp_conf conf = {
	        .n_workers = 1,
	        .n_mbufs = MBUFS,
	        .vector = VEC_MAX,
	        .verify_l2tp_checksum = true,
	};
	struct world *w = calloc(1, sizeof(*w));
	char why[128] = "no memory";

	/* The first packet of each SA is an event: a rate of a dial-in would hold them up. */
	conf.punt_rate[DP_PUNT_SA] = 100000000;
	if (w == NULL || getrandom(&w->seed, sizeof(w->seed), 0) != sizeof(w->seed))
		fail("No memory, or no random numbers.");
	w->suite = s;
	w->n_subs = n_subs;
	w->ports = ports_new();
	w->dp = dp_new(&conf, NULL);
	w->peer = w->dp == NULL ? NULL : esp_new(why, sizeof(why));
	w->subs = calloc(n_subs, sizeof(*w->subs));
	if (w->peer == NULL || w->subs == NULL)
		fail("No data plane: %s, %s.", strerror(errno), why);
	w->w = w->dp->workers[0];
	w->lpm = lpm_new();
	net_up(w->dp);
	world_settle(w);
	if (s != PLAIN)
		refs_new(w);
	for (uint32_t i = 0; i < n_subs; i++)
		sub_new(w, i);
	world_settle(w);
	return w;
}

void world_free(struct world *w)
{
	for (uint32_t i = 0; i < w->n_subs; i++)
		esp_sa_free(w->subs[i].tx);
	if (w->refs != NULL)
		explicit_bzero(w->refs, w->refs_size);
	dp_table_free(w->refs, w->refs_size);
	dp_free(w->dp);
	esp_free(w->peer);
	rte_lpm_free(w->lpm);
	free(w->ports);
	free(w->subs);
	free(w);
}
