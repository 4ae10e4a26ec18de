/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The instance: made, stopped and freed; its names. */
#include "dataplane/priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_malloc.h>

#define MBUF_CACHE        256
#define MBUFS_BASE        16384u /* without conf.n_mbufs: this, and so many a worker more: */
#define MBUFS_WORKER      8192
#define LARGE_WORKER      256
#define REASSEMBLY_DFLT   1024
#define REASSEMBLY_BUCKET 16
#define SOURCE_RATE_DFLT  1000 /* half of all, so a LAC with a thousand tunnels is soon back */
/* Who has authenticated forges no address: a city may come back as fast as control can take it. */
#define SA_RATE_DFLT 10000

static const char *const drop_names[DP_DROP_MAX] = {
#define X(sym, name, help) name,
        DP_DROP_LIST(X)
#undef X
};

static const char *const drop_helps[DP_DROP_MAX] = {
#define X(sym, name, help) help,
        DP_DROP_LIST(X)
#undef X
};

/*
 * When thousands of clients dial at once, L2TP and PPP come in bursts. Control sets 20,000 sessions a second
 * up, each of which takes some five messages and seven frames: with less, what is over waits for its
 * sender's timer, of 1 s or 3 s. A request for a tunnel costs control about 20 us, and a forged one some
 * three answers to an innocent address: this many let all clients of a full machine back in within half a
 * minute, and leave control free for the rest.
 */
static const struct {
	const char *name;
	uint32_t rate; /* a second and worker */
	uint32_t ring; /* packets that wait: 7000 in all leave enough buffers to forward with */
} punt_classes[DP_PUNT_MAX] = {
        [DP_PUNT_L2TP] = {"l2tp", 100000, 2048},          [DP_PUNT_PPP] = {"ppp", 150000, 2048},
        [DP_PUNT_L2TP_NEW] = {"l2tp-new", 2000, 1024},    [DP_PUNT_TWIN] = {"twin", 20000, 1024},
        [DP_PUNT_SUBSCRIBER] = {"subscriber", 5000, 512}, [DP_PUNT_ICMP] = {"icmp", 1000, 256},
        [DP_PUNT_NEIGH] = {"neighbour", 500, 256},        [DP_PUNT_SA] = {"sa", 20000, 2048},
};

const char *dp_drop_name(enum dp_drop d)
{
	return (unsigned)d < DP_DROP_MAX ? drop_names[d] : "unknown";
}

const char *dp_drop_help(enum dp_drop d)
{
	return (unsigned)d < DP_DROP_MAX ? drop_helps[d] : "no such reason";
}

const char *dp_punt_name(enum dp_punt_class c)
{
	return (unsigned)c < DP_PUNT_MAX ? punt_classes[c].name : "unknown";
}

/* ---- one worker ---- */

static struct rte_ring *ring_new(const char *name, unsigned esize, unsigned n, int socket)
{
	struct rte_ring *r;
	ssize_t size = rte_ring_get_memsize_elem(esize, n);

	/* Not rte_ring_create: the square of workers would use up EAL's memory zones. */
	r = rte_zmalloc_socket(name, (size_t)size, RTE_CACHE_LINE_SIZE, socket);
	if (r != NULL)
		rte_ring_init(r, name, n, RING_F_SP_ENQ | RING_F_SC_DEQ);
	return r;
}

static int worker_rings(struct worker *w)
{
	struct dp *dp = w->dp;
	int socket = w->node->socket;

	w->fifo = ring_new("dp_fifo", sizeof(struct fifo_msg), FIFO_SIZE, socket);
	if (w->fifo == NULL)
		return -ENOMEM;
	for (int c = 0; c < DP_PUNT_MAX; c++) {
		w->punt[c] = ring_new("dp_punt", sizeof(void *), punt_classes[c].ring, socket);
		if (w->punt[c] == NULL)
			return -ENOMEM;
	}
	w->handoff_to =
	        rte_calloc_socket("dp_handoff", dp->conf.n_workers, sizeof(void *), 0, socket);
	if (w->handoff_to == NULL)
		return -ENOMEM;
	for (uint16_t to = 0; to < dp->conf.n_workers; to++) {
		if (to == w->id)
			continue;
		w->handoff_to[to] = ring_new("dp_handoff", sizeof(uint64_t), HANDOFF_SIZE, socket);
		if (w->handoff_to[to] == NULL)
			return -ENOMEM;
	}
	return 0;
}

/*
 * A part of the class for one sender, but never so little that a dial-in would feel it. A tunnel may carry
 * many calls.
 */
#define L2TP_PARTS 16
#define PPP_PARTS  192
#define SENDER_MIN 64 /* a second */

static void sender_init(struct worker *w, enum dp_punt_class class, uint32_t parts)
{
	uint32_t rate = RTE_MAX(w->dp->conf.punt_rate[class] / parts, (uint32_t)SENDER_MIN);
	struct gcra g;

	gcra_init(&g, w->dp->tsc_hz, rate, rate / 5 + 1);
	w->sender[class].cost = g.cost;
	w->sender[class].burst = g.burst;
}

static int worker_limits(struct worker *w, uint32_t seed)
{
	const struct dp_conf *conf = &w->dp->conf;

	for (int c = 0; c < DP_PUNT_MAX; c++)
		gcra_init(&w->punt_limit[c], w->dp->tsc_hz, conf->punt_rate[c],
		          conf->punt_rate[c] / 5 + 1);
	gcra_init(&w->twin_ip_limit, w->dp->tsc_hz, conf->punt_rate[DP_PUNT_TWIN] / 2 + 1,
	          conf->punt_rate[DP_PUNT_TWIN] / 10 + 1);
	gcra_init(&w->ike_limit, w->dp->tsc_hz, conf->punt_rate[DP_PUNT_TWIN] / 2 + 1,
	          conf->punt_rate[DP_PUNT_TWIN] / 10 + 1);
	w->newtun = newtun_new(w->dp->tsc_hz, conf->punt_rate[DP_PUNT_L2TP_NEW],
	                       conf->new_tunnel_source_rate, seed, w->node->socket);
	w->newtun_sa = newtun_new(w->dp->tsc_hz, conf->new_tunnel_sa_rate,
	                          conf->new_tunnel_source_rate, seed, w->node->socket);
	sender_init(w, DP_PUNT_L2TP, L2TP_PARTS);
	sender_init(w, DP_PUNT_PPP, PPP_PARTS);
	return w->newtun == NULL || w->newtun_sa == NULL ? -ENOMEM : 0;
}

static int worker_new(struct dp *dp, uint16_t id, uint32_t seed)
{
	int socket = dp->worker_node[id]->socket;
	struct worker *w;
	uint32_t entries = dp->conf.reassembly_entries;

	w = rte_zmalloc_socket("dp_worker", sizeof(*w), RTE_CACHE_LINE_SIZE, socket);
	dp->workers[id] = w;
	if (w == NULL)
		return -ENOMEM;
	w->dp = dp;
	w->node = dp->worker_node[id];
	w->id = id;
	w->ip_id = id;
	w->vector = dp->conf.vector;
	w->tx = rte_calloc_socket("dp_tx", RTE_MAX_ETHPORTS, sizeof(*w->tx), 0, socket);
	w->handoff =
	        rte_calloc_socket("dp_handoff", dp->conf.n_workers, sizeof(*w->handoff), 0, socket);
	w->rxq = rte_calloc_socket("dp_rxq", RTE_MAX_ETHPORTS * RTE_MAX_QUEUES_PER_PORT,
	                           sizeof(*w->rxq), 0, socket);
	w->holds =
	        rte_calloc_socket("dp_holds", HOLD_SETS * HOLD_WAYS, sizeof(*w->holds), 0, socket);
	w->esp_holds = rte_calloc_socket("dp_esp_holds", ESP_HOLD_SETS * ESP_HOLD_WAYS,
	                                 sizeof(*w->esp_holds), 0, socket);
	w->dead_frags = rte_zmalloc_socket("dp_frags", sizeof(*w->dead_frags), 0, socket);
	w->reass = rte_ip_frag_table_create(entries / REASSEMBLY_BUCKET + 1, REASSEMBLY_BUCKET,
	                                    entries, dp->tsc_hz * REASSEMBLY_MS / 1000, socket);
	if (w->tx == NULL || w->handoff == NULL || w->rxq == NULL || w->holds == NULL ||
	    w->esp_holds == NULL || w->dead_frags == NULL || w->reass == NULL ||
	    worker_limits(w, seed) != 0)
		return -ENOMEM;
	return worker_rings(w);
}

static void ring_free_mbufs(struct rte_ring *r)
{
	void *m;

	while (r != NULL && rte_ring_sc_dequeue(r, &m) == 0)
		rte_pktmbuf_free(m);
	rte_free(r);
}

static void fifo_free(struct rte_ring *r)
{
	struct fifo_msg msg;

	while (r != NULL && rte_ring_sc_dequeue_elem(r, &msg, sizeof(msg)) == 0) {
		if (msg.op >= FIFO_SEND_PPP)
			rte_pktmbuf_free(msg.m);
	}
	rte_free(r);
}

static void worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	for (uint32_t i = 0; w->holds != NULL && i < HOLD_SETS * HOLD_WAYS; i++)
		rte_pktmbuf_free_bulk(w->holds[i].pkt, w->holds[i].n);
	for (uint32_t i = 0; w->esp_holds != NULL && i < ESP_HOLD_SETS * ESP_HOLD_WAYS; i++)
		rte_pktmbuf_free_bulk(w->esp_holds[i].pkt, w->esp_holds[i].n);
	for (int c = 0; c < DP_PUNT_MAX; c++) {
		if (c == DP_PUNT_NEIGH || c == DP_PUNT_SA)
			rte_free(w->punt[c]);
		else
			ring_free_mbufs(w->punt[c]);
	}
	dp_handoff_free(w);
	if (w->order_waits) /* only what has a packet waits */
		rte_pktmbuf_free(w->order.m);
	fifo_free(w->fifo);
	if (w->reass != NULL)
		rte_ip_frag_table_destroy(w->reass);
	newtun_free(w->newtun);
	newtun_free(w->newtun_sa);
	if (w->esp_engine != NULL)
		esp_free(w->esp_engine);
	rte_free(w->dead_frags);
	rte_free(w->esp_holds);
	rte_free(w->holds);
	rte_free(w->rxq);
	rte_free(w->handoff);
	rte_free(w->tx);
	rte_free(w);
}

/* ---- the instance ---- */

static void conf_defaults(struct dp_conf *c)
{
	c->vector = RTE_MAX(8, RTE_MIN(c->vector, VEC_MAX));
	c->hold_packets = RTE_MIN(c->hold_packets, HOLD_MAX);
	if (c->new_tunnel_source_rate == 0)
		c->new_tunnel_source_rate = SOURCE_RATE_DFLT;
	if (c->new_tunnel_sa_rate == 0)
		c->new_tunnel_sa_rate = SA_RATE_DFLT;
	if (c->reassembly_entries == 0)
		c->reassembly_entries = REASSEMBLY_DFLT;
	for (int i = 0; i < DP_PUNT_MAX; i++) {
		if (c->punt_rate[i] == 0)
			c->punt_rate[i] = punt_classes[i].rate;
	}
}

static int pools_new(struct dp *dp, struct node *node)
{
	const struct dp_conf *c = &dp->conf;
	char name[RTE_MEMPOOL_NAMESIZE];
	unsigned tag = (unsigned)((uintptr_t)node >> 3);
	/* Control's buffers come from the first node. */
	uint32_t n_workers = node->n_workers + (node == &dp->node[0]);
	uint32_t n = c->n_mbufs != 0 ? c->n_mbufs : MBUFS_BASE + MBUFS_WORKER * node->n_workers;

	snprintf(name, sizeof(name), "dp_%x", tag);
	node->pool = rte_pktmbuf_pool_create(name, n, MBUF_CACHE, sizeof(struct pkt_meta),
	                                     RTE_MBUF_DEFAULT_BUF_SIZE, node->socket);
	snprintf(name, sizeof(name), "dp_large_%x", tag);
	node->large = rte_pktmbuf_pool_create(
	        name, n_workers * LARGE_WORKER, 0, sizeof(struct pkt_meta),
	        RTE_PKTMBUF_HEADROOM + LARGE_ROOM + ESP_BEHIND, node->socket);
	if (node->pool == NULL || node->large == NULL)
		return -ENOMEM;
	return dp_handoff_fits(node->pool) && dp_handoff_fits(node->large) ? 0 : -EFAULT;
}

/* The first node there is; others are added where workers run. NULL: one more than there can be. */
static struct node *node_of(struct dp *dp, int socket)
{
	struct node *node;

	for (uint32_t i = 0; i < dp->n_nodes; i++) {
		if (dp->node[i].socket == socket || socket < 0)
			return &dp->node[i];
	}
	if (dp->n_nodes == NODES_MAX)
		return NULL;
	node = &dp->node[dp->n_nodes++];
	node->socket = socket;
	return node;
}

static void to_first_node(struct dp *dp, uint16_t worker)
{
	log_warning(
	        dp->log,
	        "dataplane: NUMA node %d has no memory for worker %u, which takes that of node %d",
	        dp->conf.worker_socket[worker], worker, dp->conf.socket);
	dp->worker_node[worker] = &dp->node[0];
}

static int nodes_new(struct dp *dp)
{
	dp->n_nodes = 1;
	dp->node[0].socket = dp->conf.socket;
	for (uint16_t w = 0; w < dp->conf.n_workers; w++) {
		dp->worker_node[w] = node_of(dp, dp->conf.worker_socket[w]);
		if (dp->worker_node[w] == NULL)
			to_first_node(dp, w);
		dp->worker_node[w]->n_workers++;
	}
	for (uint32_t i = 1; i < dp->n_nodes; i++) {
		if (pools_new(dp, &dp->node[i]) == 0)
			continue;
		for (uint16_t w = 0; w < dp->conf.n_workers; w++) {
			if (dp->worker_node[w] != &dp->node[i])
				continue;
			to_first_node(dp, w);
			dp->node[0].n_workers++;
		}
	}
	if (pools_new(dp, &dp->node[0]) != 0)
		return -ENOMEM;
	dp->pool = dp->node[0].pool;
	dp->large = dp->node[0].large;
	return 0;
}

static int nodes_workers_new(struct dp *dp, uint32_t seed)
{
	int rc = 0;

	for (uint16_t w = 0; w < dp->conf.n_workers && rc == 0; w++) {
		rc = worker_new(dp, w, seed);
		if (rc == 0 || dp->worker_node[w] == &dp->node[0])
			continue;
		worker_free(dp->workers[w]);
		to_first_node(dp, w);
		rc = worker_new(dp, w, seed);
	}
	return rc;
}

static int arrays_new(struct dp *dp)
{
	int s = dp->conf.socket;
	const unsigned line = RTE_CACHE_LINE_SIZE;

	dp->owner = rte_malloc_socket("dp_owner", SESS_IDS, line, s);
	dp->rx = dp_table_new("dp_rx", SESS_IDS * sizeof(*dp->rx), s);
	dp->tx = dp_table_new("dp_tx", SESS_IDS * sizeof(*dp->tx), s);
	dp->ctr = rte_calloc_socket("dp_ctr", SESS_IDS, sizeof(*dp->ctr), line, s);
	dp->gen = rte_calloc_socket("dp_gen", SESS_IDS, sizeof(*dp->gen), line, s);
	dp->tunnels = rte_calloc_socket("dp_tunnels", SESS_IDS, sizeof(*dp->tunnels), line, s);
	dp->ifs = rte_calloc_socket("dp_ifs", DP_MAX_IFS, sizeof(*dp->ifs), line, s);
	dp->ctl = calloc(SESS_IDS, sizeof(*dp->ctl));
	if (dp->owner == NULL || dp->rx == NULL || dp->tx == NULL || dp->ctr == NULL ||
	    dp->gen == NULL || dp->tunnels == NULL || dp->ifs == NULL || dp->ctl == NULL)
		return -ENOMEM;
	memset(dp->owner, SESS_NO_OWNER, SESS_IDS);
	return 0;
}

static int dp_build(struct dp *dp)
{
	uint32_t seed;
	int rc;

	dp->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (dp->event_fd < 0)
		return -errno;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return -EIO;
	rc = nodes_new(dp);
	if (rc == 0)
		rc = arrays_new(dp);
	if (rc == 0)
		rc = dp_tables_init(dp);
	if (rc == 0)
		rc = dp_sa_init(dp);
	if (rc == 0)
		rc = dp_load_init(dp);
	return rc == 0 ? nodes_workers_new(dp, seed) : rc;
}

struct dp *dp_new(const struct dp_conf *conf, struct log *log)
{
	struct dp *dp;
	int rc;

	if (conf->n_workers == 0 || conf->n_workers > DP_MAX_WORKERS) {
		errno = EINVAL;
		return NULL;
	}
	dp = rte_zmalloc_socket("dp", sizeof(*dp), RTE_CACHE_LINE_SIZE, conf->socket);
	if (dp == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	dp->conf = *conf;
	dp->log = log;
	dp->tsc_hz = rte_get_tsc_hz();
	dp->event_fd = -1;
	conf_defaults(&dp->conf);
	rc = dp_build(dp);
	if (rc != 0) {
		log_error(log, "dataplane: event=start-failed error=\"%s\"", strerror(-rc));
		dp_free(dp);
		errno = -rc;
		return NULL;
	}
	return dp;
}

void dp_free(struct dp *dp)
{
	if (dp == NULL)
		return;
	for (int i = 0; i < DP_MAX_WORKERS; i++)
		worker_free(dp->workers[i]);
	dp_load_free(dp);
	dp_sa_free(dp);
	dp_tables_free(dp);
	for (int i = 0; i < RTE_MAX_ETHPORTS; i++)
		rte_free(dp->ports[i].vlan_if);
	free(dp->ctl);
	rte_free(dp->ifs);
	rte_free(dp->tunnels);
	rte_free(dp->gen);
	rte_free(dp->ctr);
	dp_table_free(dp->tx, SESS_IDS * sizeof(*dp->tx));
	dp_table_free(dp->rx, SESS_IDS * sizeof(*dp->rx));
	rte_free(dp->owner);
	for (uint32_t i = 0; i < dp->n_nodes; i++) {
		rte_mempool_free(dp->node[i].large);
		rte_mempool_free(dp->node[i].pool);
	}
	if (dp->event_fd >= 0)
		close(dp->event_fd);
	rte_free(dp);
}

uint16_t dp_n_workers(const struct dp *dp)
{
	return dp->conf.n_workers;
}

struct rte_mempool *dp_mbuf_pool(struct dp *dp)
{
	return dp->pool;
}

struct rte_mempool *dp_mbuf_pool_on(struct dp *dp, int socket)
{
	for (uint32_t i = 0; i < dp->n_nodes; i++) {
		if (dp->node[i].socket == socket && dp->node[i].pool != NULL)
			return dp->node[i].pool;
	}
	return dp->pool;
}

struct rte_mbuf *dp_node_alloc(const struct node *node, size_t len)
{
	struct rte_mbuf *m;

	if (len > LARGE_ROOM)
		return NULL;
	m = rte_pktmbuf_alloc(len + ESP_BEHIND <= RTE_MBUF_DEFAULT_DATAROOM ? node->pool
	                                                                    : node->large);
	if (m != NULL)
		*pkt_meta(m) = (struct pkt_meta){.in_if = DP_IF_NONE};
	return m;
}

struct rte_mbuf *dp_alloc(struct dp *dp, size_t len)
{
	return dp_node_alloc(&dp->node[0], len);
}
