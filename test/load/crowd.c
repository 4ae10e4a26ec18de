/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * A city dials at once: very many tunnels and sessions over one veth pair, in clear or each through an
 * IPsec connection of its own whose SAs are handed to the daemon as charon's plugin would. When all
 * are up it prints what it took, keeps them, and obeys stdin:
 *
 *   rest SECONDS   counts what goes by meanwhile, and prints it
 *   wait           waits until every tunnel is gone, and prints how long that took
 *
 * Every line of output is a JSON object. Ends with stdin. Exit status 0: all came up.
 */
#include "load/lac.h"
#include "load/plug.h"
#include "load/wire.h"

#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define FIRST_PORT  20000
#define L2TP_PORT   1701
#define UDP_HEADER  8
#define A_TURN      512 /* packets */
#define HELLO_TYPE  6 /* RFC 2661 3.2 */
#define WAIT_MS     60000
#define GATHER_US   250
#define RANDOM_POOL 4096

struct opts {
	struct ipaddr first, gateway, lns;
	uint32_t tunnels, sessions, addresses, window, timeout_s, hello_s;
	const char *device, *link, *profile, *host, *user, *password;
	bool cbc;
};

struct crowd {
	struct opts o;
	struct lac *lac;
	struct timerq timers;
	struct log log;
	struct wire *wire;
	struct esp *esp;
	struct plug *plug; /* NULL: in clear */
	int ep;
	uint64_t now_ms;
	uint32_t dialled, pending, tunnels_up, tunnels_gone, sessions_up, sessions_gone;
	uint64_t hellos, unknown_spi;
	uint8_t random[RANDOM_POOL]; /* the last random_left are fresh */
	size_t random_left;
};

static uint64_t us_of(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t clock_us(void)
{
	return us_of(CLOCK_MONOTONIC);
}

static uint64_t clock_ms(void)
{
	return clock_us() / 1000;
}

/* ---- out ---- */

static void on_send(void *ctx, const struct l2tp_path *path, const uint8_t *pkt, size_t len)
{
	struct crowd *c = ctx;
	uint8_t buf[ESP_NET_PAYLOAD_MAX + 256];
	struct plug_peer *p;
	uint32_t from = ipaddr_to_v4(&path->local.addr);

	if (path->conn == 0) {
		wire_send_udp(c->wire, from, path->local.port, L2TP_PORT, pkt, len);
		return;
	}
	p = plug_peer(c->plug, (uint32_t)path->conn - 1);
	pkt = esp_wrap(c->esp, &p->path, pkt, len, buf, &len);
	if (pkt != NULL)
		wire_send(c->wire, from, IPPROTO_ESP, pkt, len);
}

static void on_event(void *ctx, enum lac_event ev, struct lac_tunnel *t, struct lac_session *s)
{
	struct crowd *c = ctx;

	switch (ev) {
	case LAC_TUNNEL_UP:
		c->tunnels_up++;
		break;
	case LAC_TUNNEL_GONE:
		c->tunnels_gone++;
		break;
	case LAC_NETWORK_UP:
		/* The window counts sessions: all of a tunnel are dialled together. */
		c->sessions_up++;
		c->pending--;
		break;
	case LAC_SESSION_GONE:
		c->sessions_gone++;
		break;
	default:
		break;
	}
}

static void on_random(void *ctx, uint8_t *buf, size_t len)
{
	struct crowd *c = ctx;

	if (len > sizeof(c->random))
		abort();
	if (len > c->random_left) {
		if (getrandom(c->random, sizeof(c->random), 0) != (ssize_t)sizeof(c->random))
			abort();
		c->random_left = sizeof(c->random);
	}
	c->random_left -= len;
	memcpy(buf, c->random + c->random_left, len);
}

static const struct lac_ops lac_ops = {
        .send = on_send,
        .event = on_event,
        .random = on_random,
};

/* ---- in ---- */

static void on_l2tp(struct crowd *c, const struct l2tp_path *path, const uint8_t *p, size_t len)
{
	c->hellos += len >= 20 && (p[0] & 0x80) != 0 && p[18] == 0 && p[19] == HELLO_TYPE;
	lac_rx(c->lac, path, p, len, c->now_ms);
}

static void on_esp(struct crowd *c, uint8_t *p, size_t len)
{
	struct plug_peer *peer;
	struct l2tp_path path;
	const uint8_t *payload;
	uint32_t spi;

	if (len < sizeof(spi))
		return;
	memcpy(&spi, p, sizeof(spi));
	peer = c->plug != NULL ? plug_of_spi(c->plug, ntohl(spi)) : NULL;
	if (peer == NULL) {
		c->unknown_spi++;
		return;
	}
	payload = esp_unwrap(c->esp, &peer->path, p, len, &len);
	if (payload == NULL)
		return;
	path = (struct l2tp_path){peer->path.from, peer->path.to, peer->number + 1};
	on_l2tp(c, &path, payload, len);
}

static void on_packet(void *ctx, uint32_t from, uint32_t to, uint8_t proto, uint8_t *p, size_t len)
{
	struct crowd *c = ctx;
	struct l2tp_path path = {.local.addr = ipaddr_v4(to), .remote.addr = ipaddr_v4(from)};
	size_t n;

	if (proto == IPPROTO_ESP) {
		on_esp(c, p, len);
		return;
	}
	if (proto != IPPROTO_UDP || len < UDP_HEADER)
		return;
	path.remote.port = (uint16_t)(p[0] << 8 | p[1]);
	path.local.port = (uint16_t)(p[2] << 8 | p[3]);
	n = (size_t)(p[4] << 8 | p[5]);
	if (n >= UDP_HEADER && n <= len)
		on_l2tp(c, &path, p + UDP_HEADER, n - UDP_HEADER);
}

/* ---- dialling ---- */

static void dial(struct crowd *c, const struct l2tp_path *path)
{
	struct lac_dial d = {
	        .host_name = c->o.host,
	        .user = c->o.user,
	        .password = c->o.password,
	        .auth_methods = PPP_AUTH_CHAP_MD5,
	        .sessions = c->o.sessions,
	        .hello_ms = c->o.hello_s * 1000,
	};

	if (lac_dial(c->lac, path, &d, c->now_ms) == NULL)
		fprintf(stderr, "no id or no memory for a tunnel\n");
}

static void on_peer_up(void *ctx, struct plug_peer *p)
{
	struct l2tp_path path = {p->path.from, p->path.to, p->number + 1};

	dial(ctx, &path);
}

static void on_peer_down(void *ctx, struct plug_peer *p)
{
}

static const struct plug_ops plug_ops = {.up = on_peer_up, .down = on_peer_down};

/* In clear, clients share the addresses; through IPsec each has its own. */
static bool dial_next(struct crowd *c)
{
	uint32_t i = c->dialled, first = ipaddr_to_v4(&c->o.first);
	struct l2tp_path path = {
	        .local = {ipaddr_v4(first + i % c->o.addresses),
	                  (uint16_t)(FIRST_PORT + i / c->o.addresses)},
	        .remote = {c->o.lns, L2TP_PORT},
	};
	struct ipaddr own = ipaddr_v4(first + i);

	if (c->plug != NULL)
		return plug_dial(c->plug, i, &own, &c->o.lns);
	dial(c, &path);
	return true;
}

static void link_lost(void)
{
	fprintf(stderr, "the daemon has closed its socket\n");
	exit(1);
}

/*
 * As an interrupt of a network card would, what comes first waits for more: thousands of clients are not
 * in a hurry, and one who wakes up for every packet has little time for any.
 */
static void turn(struct crowd *c)
{
	struct epoll_event ev[4];
	int n;

	usleep(GATHER_US);
	n = epoll_wait(c->ep, ev, 4, 1);

	c->now_ms = clock_ms();
	for (int i = 0; i < n; i++) {
		if (ev[i].data.fd == wire_fd(c->wire)) {
			wire_receive(c->wire, A_TURN);
		} else if (c->plug != NULL && ev[i].data.fd == plug_fd(c->plug) &&
		           !plug_receive(c->plug)) {
			link_lost();
		}
	}
	lac_tick(c->lac, c->now_ms);
	while (c->dialled < c->o.tunnels && c->pending + c->o.sessions <= c->o.window &&
	       dial_next(c)) {
		c->dialled++;
		c->pending += c->o.sessions;
	}
	wire_flush(c->wire);
	if (c->plug != NULL && !plug_flush(c->plug))
		link_lost();
}

static uint64_t repeated(const struct crowd *c)
{
	struct l2tp_stats st;

	l2tp_stats_get(lac_engine(c->lac), &st);
	return st.retransmits;
}

static bool bring_up(struct crowd *c)
{
	uint64_t begin = clock_us(), end = begin + c->o.timeout_s * 1000000ull;
	uint64_t cpu = us_of(CLOCK_PROCESS_CPUTIME_ID);
	uint32_t want = c->o.tunnels * c->o.sessions;

	while (c->sessions_up < want && c->sessions_gone + c->tunnels_gone == 0 && clock_us() < end)
		turn(c);
	printf("{\"tunnels\": %u, \"sessions\": %u, \"seconds\": %.4f, \"cpu\": %.4f, "
	       "\"retransmissions\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"rx\": %" PRIu64
	       ", \"tx\": %" PRIu64 ", \"hellos\": %" PRIu64 ", \"refused\": %u, \"gone\": %u}\n",
	       c->tunnels_up, c->sessions_up, (double)(clock_us() - begin) / 1e6,
	       (double)(us_of(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e6, repeated(c),
	       wire_lost(c->wire), wire_rx_count(c->wire), wire_tx_count(c->wire), c->hellos,
	       c->plug != NULL ? plug_refused(c->plug) : 0, c->sessions_gone + c->tunnels_gone);
	fflush(stdout);
	return c->sessions_up == want;
}

/* ---- what stdin asks for ---- */

static void rest(struct crowd *c, double seconds)
{
	uint64_t rx = wire_rx_count(c->wire), tx = wire_tx_count(c->wire), hellos = c->hellos;
	uint64_t again = repeated(c), begin = clock_us();
	uint32_t gone = c->tunnels_gone;
	double took;

	while ((took = (double)(clock_us() - begin) / 1e6) < seconds)
		turn(c);
	printf("{\"seconds\": %.3f, \"rx\": %" PRIu64 ", \"tx\": %" PRIu64 ", \"hellos\": %" PRIu64
	       ", \"retransmissions\": %" PRIu64 ", \"gone\": %u, \"lost\": %" PRIu64 "}\n",
	       took, wire_rx_count(c->wire) - rx, wire_tx_count(c->wire) - tx, c->hellos - hellos,
	       repeated(c) - again, c->tunnels_gone - gone, wire_lost(c->wire));
	fflush(stdout);
}

static void wait_gone(struct crowd *c)
{
	uint64_t begin = clock_ms();

	while (c->tunnels_gone < c->tunnels_up && clock_ms() < begin + WAIT_MS)
		turn(c);
	printf("{\"seconds\": %.3f, \"gone\": %u}\n", (double)(clock_ms() - begin) / 1e3,
	       c->tunnels_gone);
	fflush(stdout);
}

/* One line of stdin, while packets are served. False: there are no more. */
static bool obey(struct crowd *c)
{
	char line[64] = "";
	size_t n = 0;
	ssize_t got;

	while (n + 1 < sizeof(line)) {
		fd_set in;
		struct timeval tv = {0};

		FD_ZERO(&in);
		FD_SET(0, &in);
		if (select(1, &in, NULL, NULL, &tv) == 0) {
			turn(c);
			continue;
		}
		got = read(0, line + n, 1);
		if (got <= 0)
			return false;
		if (line[n++] == '\n')
			break;
	}
	if (strncmp(line, "rest ", 5) == 0)
		rest(c, atof(line + 5));
	else if (strcmp(line, "wait\n") == 0)
		wait_gone(c);
	return true;
}

/* ---- start ---- */

static void watch(struct crowd *c, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	epoll_ctl(c->ep, EPOLL_CTL_ADD, fd, &ev);
}

static int start(struct crowd *c)
{
	char why[256] = "";

	c->now_ms = clock_ms();
	c->ep = epoll_create1(EPOLL_CLOEXEC);
	c->wire = wire_open(c->o.device, ipaddr_to_v4(&c->o.gateway), ipaddr_to_v4(&c->o.lns),
	                    on_packet, c);
	c->lac = lac_new(&lac_ops, c, &c->timers, &c->log);
	if (c->wire == NULL || c->lac == NULL)
		return -1;
	watch(c, wire_fd(c->wire));
	if (c->o.link == NULL)
		return 0;
	c->esp = esp_new(why, sizeof(why));
	if (c->esp == NULL) {
		fprintf(stderr, "%s\n", why);
		return -1;
	}
	c->plug = plug_open(c->o.link, c->o.profile, c->esp, c->o.cbc, c->o.tunnels, &plug_ops, c);
	if (c->plug == NULL)
		return -1;
	watch(c, plug_fd(c->plug));
	return 0;
}

static int usage(void)
{
	fprintf(stderr,
	        "usage: crowd -d DEVICE -g OUR GATEWAY ADDRESS -r LNS -l FIRST CLIENT [-A "
	        "ADDRESSES]\n"
	        "  [-k IKE SOCKET OF THE DAEMON [-P TRANSPORT PROFILE] [-c (AES-CBC, not "
	        "GCM)]]\n"
	        "  [-t TUNNELS] [-s SESSIONS A TUNNEL] [-W SESSIONS UNDER WAY] [-T SECONDS] "
	        "[-i HELLO SECONDS]\n"
	        "  [-H HOST NAME] [-u USER] [-w PASSWORD]\n");
	return 2;
}

static int parse(struct opts *o, int argc, char **argv)
{
	int opt;

	*o = (struct opts){
	        .tunnels = 1,
	        .sessions = 1,
	        .addresses = 1,
	        .window = 500,
	        .timeout_s = 60,
	        .hello_s = 60,
	        .profile = "access",
	        .host = "crowd",
	        .user = "user1",
	        .password = "pass1",
	};
	while ((opt = getopt(argc, argv, "d:g:r:l:A:k:P:ct:s:W:T:i:H:u:w:")) != -1) {
		switch (opt) {
		case 'd':
			o->device = optarg;
			break;
		case 'g':
			if (ipaddr_parse(optarg, &o->gateway) < 0)
				return -1;
			break;
		case 'r':
			if (ipaddr_parse(optarg, &o->lns) < 0)
				return -1;
			break;
		case 'l':
			if (ipaddr_parse(optarg, &o->first) < 0)
				return -1;
			break;
		case 'A':
			o->addresses = (uint32_t)atoi(optarg);
			break;
		case 'k':
			o->link = optarg;
			break;
		case 'P':
			o->profile = optarg;
			break;
		case 'c':
			o->cbc = true;
			break;
		case 't':
			o->tunnels = (uint32_t)atoi(optarg);
			break;
		case 's':
			o->sessions = (uint32_t)atoi(optarg);
			break;
		case 'W':
			o->window = (uint32_t)atoi(optarg);
			break;
		case 'T':
			o->timeout_s = (uint32_t)atoi(optarg);
			break;
		case 'i':
			o->hello_s = (uint32_t)atoi(optarg);
			break;
		case 'H':
			o->host = optarg;
			break;
		case 'u':
			o->user = optarg;
			break;
		case 'w':
			o->password = optarg;
			break;
		default:
			return -1;
		}
	}
	return o->device != NULL && o->first.family == AF_INET && o->lns.family == AF_INET &&
	                       o->gateway.family == AF_INET && o->addresses > 0 && o->tunnels > 0 &&
	                       o->sessions > 0
	               ? 0
	               : -1;
}

int main(int argc, char **argv)
{
	struct crowd *c = calloc(1, sizeof(*c));
	bool ok;

	if (c == NULL)
		return 2;
	c->log = (struct log){.level = LOG_LVL_ERROR, .sink = log_sink_stderr};
	if (parse(&c->o, argc, argv) < 0)
		return usage();
	if (c->o.window < c->o.sessions)
		c->o.window = c->o.sessions;
	if (start(c) < 0)
		return 2;
	ok = bring_up(c);
	while (obey(c))
		;
	lac_free(c->lac);
	if (c->plug != NULL)
		plug_close(c->plug);
	if (c->esp != NULL)
		esp_free(c->esp);
	wire_close(c->wire);
	free(c);
	return ok ? 0 : 1;
}
