/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The load generator: a LAC with thousands of PPP clients over UDP sockets. Brings tunnels and sessions
 * up as fast as the LNS answers, passes pings through each session, takes all down, and prints how
 * fast that went. Exit status 0 only if all of it happened.
 */
#include "load/lac.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_SOCKETS 16384
#define PING_BYTES  84
#define SETTLE_MS   300

struct opts {
	struct ipaddr local, lns, target;
	uint32_t tunnels, sessions, sockets, addresses, pings, rounds, window, timeout_s, hold_s;
	uint32_t ping_rate, hello_s;
	uint16_t first_port;
	const char *host, *secret, *user, *password;
	uint32_t auth;
	bool abrupt;
};

struct load {
	struct opts o;
	struct lac *lac;
	struct timerq timers;
	struct log log;
	struct endpoint local[MAX_SOCKETS];
	int fd[MAX_SOCKETS];
	int ep;
	uint64_t now_ms;
	uint32_t dialled, pending, tunnels_up, up, gone, failed_tunnels;
	uint64_t pings_tx, pings_rx;
	uint64_t first_ms, all_up_ms;
	struct lac_session **session; /* up now */
	uint32_t n_session;
	bool closing;
};

static uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void on_send(void *ctx, const struct l2tp_path *path, const uint8_t *pkt, size_t len)
{
	struct load *l = ctx;
	uint32_t i = (uint32_t)path->local.port - l->o.first_port;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(path->remote.port)};

	memcpy(&to.sin_addr, path->remote.addr.b, 4);
	/* The path's conn field is not used on plain UDP; the socket follows from port and address. */
	i = i * l->o.addresses + (ipaddr_to_v4(&path->local.addr) - ipaddr_to_v4(&l->o.local));
	if (sendto(l->fd[i], pkt, len, 0, (struct sockaddr *)&to, sizeof(to)) < 0 &&
	    errno != EAGAIN && errno != ENOBUFS && errno != ECONNREFUSED)
		perror("sendto");
}

static uint16_t checksum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* An ICMP echo request from the session's address to the target. */
static void send_ping(struct load *l, struct lac_session *s, uint16_t seq)
{
	uint8_t p[PING_BYTES] = {0x45, 0, 0, PING_BYTES, 0, 0, 0x40, 0, 64, 1};
	struct ppp_info info;
	uint32_t src;

	lac_session_info(s, &info);
	src = htonl(info.local_ip);
	memcpy(p + 12, &src, 4);
	memcpy(p + 16, l->o.target.b, 4);
	put16(p + 10, checksum(p, 20));
	p[20] = 8;
	put16(p + 26, seq);
	put16(p + 22, checksum(p + 20, PING_BYTES - 20));
	if (lac_send_ip(s, p, sizeof(p)))
		l->pings_tx++;
}

static void on_ip(void *ctx, struct lac_session *s, const uint8_t *pkt, size_t len)
{
	struct load *l = ctx;

	if (len == PING_BYTES && pkt[9] == 1 && pkt[20] == 0 &&
	    memcmp(pkt + 12, l->o.target.b, 4) == 0)
		l->pings_rx++;
}

static void on_event(void *ctx, enum lac_event ev, struct lac_tunnel *t, struct lac_session *s)
{
	struct load *l = ctx;
	uint32_t tag;

	switch (ev) {
	case LAC_TUNNEL_UP:
		l->tunnels_up++;
		if (l->o.sessions == 0)
			l->pending--;
		break;
	case LAC_TUNNEL_GONE:
		l->gone++;
		if (!l->closing) {
			l->failed_tunnels++;
			if (l->pending > 0)
				l->pending--;
		}
		break;
	case LAC_NETWORK_UP:
		*lac_session_tag(s) = l->n_session;
		l->session[l->n_session++] = s;
		l->up++;
		/* The window counts tunnels; one is done with its last session. */
		if (l->up % l->o.sessions == 0 && l->pending > 0)
			l->pending--;
		break;
	case LAC_SESSION_GONE:
		tag = *lac_session_tag(s);
		if (tag < l->n_session && l->session[tag] == s) {
			l->session[tag] = l->session[--l->n_session];
			*lac_session_tag(l->session[tag]) = tag;
		}
		break;
	default:
		break;
	}
}

static void on_random(void *ctx, uint8_t *buf, size_t len)
{
	if (getrandom(buf, len, 0) != (ssize_t)len)
		abort();
}

static const struct lac_ops ops = {
        .send = on_send,
        .event = on_event,
        .ip = on_ip,
        .random = on_random,
};

static int open_sockets(struct load *l)
{
	struct rlimit rl = {MAX_SOCKETS + 64, MAX_SOCKETS + 64};
	uint32_t n = l->o.sockets * l->o.addresses;
	int size = 4 << 20;

	if (n > MAX_SOCKETS) {
		fprintf(stderr, "at most %d sockets\n", MAX_SOCKETS);
		return -1;
	}
	setrlimit(RLIMIT_NOFILE, &rl);
	l->ep = epoll_create1(0);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t ip = ipaddr_to_v4(&l->o.local) + i % l->o.addresses;
		struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip)};
		struct epoll_event ev = {.events = EPOLLIN, .data.u32 = i};

		l->local[i] = (struct endpoint){ipaddr_v4(ip),
		                                (uint16_t)(l->o.first_port + i / l->o.addresses)};
		at.sin_port = htons(l->local[i].port);
		l->fd[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		if (l->fd[i] < 0 || bind(l->fd[i], (struct sockaddr *)&at, sizeof(at)) < 0) {
			perror("bind");
			return -1;
		}
		setsockopt(l->fd[i], SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
		setsockopt(l->fd[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
		epoll_ctl(l->ep, EPOLL_CTL_ADD, l->fd[i], &ev);
	}
	return 0;
}

static void receive(struct load *l, uint32_t i)
{
	struct l2tp_path path = {.local = l->local[i]};
	uint8_t pkt[4096];

	for (int n = 0; n < 64; n++) {
		struct sockaddr_in from;
		socklen_t flen = sizeof(from);
		ssize_t len =
		        recvfrom(l->fd[i], pkt, sizeof(pkt), 0, (struct sockaddr *)&from, &flen);

		if (len < 0)
			return;
		path.remote.addr = ipaddr_v4(ntohl(from.sin_addr.s_addr));
		path.remote.port = ntohs(from.sin_port);
		lac_rx(l->lac, &path, pkt, (size_t)len, l->now_ms);
	}
}

static void turn(struct load *l)
{
	struct epoll_event ev[256];
	int n = epoll_wait(l->ep, ev, 256, 1);

	l->now_ms = clock_ms();
	for (int i = 0; i < n; i++)
		receive(l, ev[i].data.u32);
	lac_tick(l->lac, l->now_ms);
}

static void dial_more(struct load *l)
{
	while (l->dialled < l->o.tunnels && l->pending < l->o.window) {
		struct l2tp_path path = {
		        .local = l->local[l->dialled % (l->o.sockets * l->o.addresses)],
		        .remote = {l->o.lns, L2TP_PORT},
		};
		struct lac_dial d = {
		        .host_name = l->o.host,
		        .secret = l->o.secret,
		        .user = l->o.user,
		        .password = l->o.password,
		        .auth_methods = l->o.auth,
		        .sessions = l->o.sessions,
		        .hello_ms = l->o.hello_s * 1000,
		};

		if (lac_dial(l->lac, &path, &d, l->now_ms) == NULL)
			return;
		l->dialled++;
		l->pending++;
	}
}

static bool bring_up(struct load *l)
{
	uint64_t end = clock_ms() + l->o.timeout_s * 1000ull;
	uint32_t want = l->o.tunnels * l->o.sessions;

	l->first_ms = l->now_ms = clock_ms();
	while (l->now_ms < end) {
		dial_more(l);
		turn(l);
		if (l->tunnels_up == l->o.tunnels && l->n_session >= want)
			break;
		if (l->failed_tunnels > 0 && l->dialled == l->o.tunnels && l->pending == 0)
			break;
	}
	l->all_up_ms = l->now_ms;
	/* The LNS opens a session when our last Configure-Ack has come, which is still on its way. */
	while (l->now_ms < l->all_up_ms + SETTLE_MS)
		turn(l);
	return l->tunnels_up == l->o.tunnels && l->n_session == want;
}

/* Those on their way get three seconds. */
static bool wait_pings(struct load *l)
{
	uint64_t end = clock_ms() + 3000;

	while (l->pings_rx < l->pings_tx && l->now_ms < end)
		turn(l);
	return l->pings_rx == l->pings_tx;
}

static bool pass_data(struct load *l)
{

	for (uint32_t k = 0; k < l->o.pings; k++) {
		for (uint32_t i = 0; i < l->n_session; i++) {
			send_ping(l, l->session[i], (uint16_t)k);
			if (i % 32 == 31)
				turn(l);
			/* No more on their way than what ports and sockets hold for sure. */
			for (int n = 0; n < 200 && l->pings_tx - l->pings_rx >= 256; n++)
				turn(l);
		}
	}
	return wait_pings(l);
}

static bool take_down(struct load *l)
{
	uint64_t end = clock_ms() + l->o.timeout_s * 1000ull;
	uint32_t n = 0;

	l->closing = true;
	for (uint32_t id = 1; id < 65536; id++) {
		struct l2tp_tunnel *t = l2tp_tunnel_by_id(lac_engine(l->lac), (uint16_t)id);

		if (t == NULL)
			continue;
		lac_close(l2tp_tunnel_user(t), l->now_ms);
		if (++n % 64 == 0)
			turn(l);
	}
	while (lac_tunnels(l->lac) > 0 && l->now_ms < end)
		turn(l);
	l->closing = false;
	return lac_tunnels(l->lac) == 0;
}

/* Stays up, with a steady stream of pings over the sessions in turn. */
static bool hold(struct load *l)
{
	uint64_t start = clock_ms(), end = start + l->o.hold_s * 1000ull, n = 0;

	l->now_ms = start;
	l->pings_tx = l->pings_rx = 0;
	while (l->now_ms < end) {
		while (l->n_session > 0 && n < (l->now_ms - start) * l->o.ping_rate / 1000) {
			send_ping(l, l->session[n % l->n_session], (uint16_t)(n / l->n_session));
			n++;
		}
		turn(l);
	}
	return l->o.ping_rate == 0 || wait_pings(l);
}

static bool one_round(struct load *l, uint32_t k)
{
	uint32_t want = l->o.tunnels * l->o.sessions;
	uint64_t down_ms;
	bool up, data, down;
	double secs;

	l->dialled = l->pending = l->tunnels_up = l->up = l->failed_tunnels = 0;
	l->pings_tx = l->pings_rx = 0;
	up = bring_up(l);
	secs = (double)(l->all_up_ms - l->first_ms) / 1000;
	printf("round %u: %u of %u tunnels, %u of %u sessions up in %.2f s: %.0f session set-ups a "
	       "second\n",
	       k, l->tunnels_up, l->o.tunnels, l->n_session, want, secs,
	       secs > 0 ? (l->o.sessions > 0 ? l->n_session : l->tunnels_up) / secs : 0);
	fflush(stdout);
	data = l->o.pings == 0 || pass_data(l);
	if (l->o.pings > 0)
		printf("round %u: %lu of %lu pings answered\n", k, l->pings_rx, l->pings_tx);
	fflush(stdout);
	data = hold(l) && data;
	if (l->o.ping_rate > 0)
		printf("round %u: %lu of %lu pings of the stream answered\n", k, l->pings_rx,
		       l->pings_tx);
	if (up && l->n_session != want) {
		printf("round %u: %u sessions were lost\n", k, want - l->n_session);
		up = false;
	}
	if (l->o.abrupt) {
		fflush(stdout);
		_exit(up && data ? 0 : 1);
	}
	down_ms = clock_ms();
	down = take_down(l);
	printf("round %u: %s down in %.2f s\n", k, down ? "all" : "NOT all",
	       (double)(clock_ms() - down_ms) / 1000);
	fflush(stdout);
	return up && data && down;
}

static int usage(void)
{
	fprintf(stderr, "usage: load -l LOCAL -r LNS [-t TUNNELS] [-s SESSIONS A TUNNEL] [-p "
	                "PORTS] [-A ADDRESSES]\n"
	                "  [-f FIRST PORT] [-H HOST NAME] [-S SECRET] [-u USER] [-w PASSWORD] [-a "
	                "pap|chap|mschapv2]\n"
	                "  [-g PING TARGET] [-n PINGS A SESSION] [-R ROUNDS] [-W TUNNELS UNDER "
	                "WAY] [-T SECONDS]\n"
	                "  [-h HOLD SECONDS] [-q PINGS A SECOND MEANWHILE] [-i HELLO SECONDS] "
	                "[-x (exit without a word when up)] [-v]\n");
	return 2;
}

static uint32_t auth_of(const char *name)
{
	return strcmp(name, "pap") == 0        ? PPP_AUTH_PAP
	       : strcmp(name, "chap") == 0     ? PPP_AUTH_CHAP_MD5
	       : strcmp(name, "mschapv2") == 0 ? PPP_AUTH_MSCHAPV2
	                                       : 0;
}

static int parse(struct load *l, int argc, char **argv)
{
	struct opts *o = &l->o;
	int opt;

	*o = (struct opts){
	        .tunnels = 1,
	        .sessions = 1,
	        .sockets = 1,
	        .addresses = 1,
	        .rounds = 1,
	        .window = 200,
	        .timeout_s = 60,
	        .hello_s = 60,
	        .first_port = 20000,
	        .host = "load",
	        .user = "user1",
	        .password = "pass1",
	        .auth = PPP_AUTH_CHAP_MD5,
	};
	while ((opt = getopt(argc, argv, "l:r:t:s:p:A:f:H:S:u:w:a:g:n:R:W:T:h:q:i:xv")) != -1) {
		switch (opt) {
		case 'l':
			if (ipaddr_parse(optarg, &o->local) < 0)
				return -1;
			break;
		case 'r':
			if (ipaddr_parse(optarg, &o->lns) < 0)
				return -1;
			break;
		case 'g':
			if (ipaddr_parse(optarg, &o->target) < 0)
				return -1;
			break;
		case 't':
			o->tunnels = (uint32_t)atoi(optarg);
			break;
		case 's':
			o->sessions = (uint32_t)atoi(optarg);
			break;
		case 'p':
			o->sockets = (uint32_t)atoi(optarg);
			break;
		case 'A':
			o->addresses = (uint32_t)atoi(optarg);
			break;
		case 'f':
			o->first_port = (uint16_t)atoi(optarg);
			break;
		case 'H':
			o->host = optarg;
			break;
		case 'S':
			o->secret = optarg;
			break;
		case 'u':
			o->user = optarg;
			break;
		case 'w':
			o->password = optarg;
			break;
		case 'a':
			o->auth = auth_of(optarg);
			break;
		case 'n':
			o->pings = (uint32_t)atoi(optarg);
			break;
		case 'R':
			o->rounds = (uint32_t)atoi(optarg);
			break;
		case 'W':
			o->window = (uint32_t)atoi(optarg);
			break;
		case 'T':
			o->timeout_s = (uint32_t)atoi(optarg);
			break;
		case 'h':
			o->hold_s = (uint32_t)atoi(optarg);
			break;
		case 'q':
			o->ping_rate = (uint32_t)atoi(optarg);
			break;
		case 'i':
			o->hello_s = (uint32_t)atoi(optarg);
			break;
		case 'x':
			o->abrupt = true;
			break;
		case 'v':
			l->log.level = LOG_LVL_DEBUG;
			break;
		default:
			return -1;
		}
	}
	return o->local.family == AF_INET && o->lns.family == AF_INET && o->auth != 0 &&
	                       o->sockets > 0 && o->addresses > 0 &&
	                       ((o->pings == 0 && o->ping_rate == 0) || o->target.family == AF_INET)
	               ? 0
	               : -1;
}

int main(int argc, char **argv)
{
	struct load *l = calloc(1, sizeof(*l));
	bool ok = true;

	if (l == NULL)
		return 2;
	l->log = (struct log){.level = LOG_LVL_ERROR, .sink = log_sink_stderr};
	if (parse(l, argc, argv) < 0)
		return usage();
	l->session = calloc((size_t)l->o.tunnels * l->o.sessions + 1, sizeof(*l->session));
	l->lac = lac_new(&ops, l, &l->timers, &l->log);
	if (l->session == NULL || l->lac == NULL || open_sockets(l) < 0)
		return 2;
	for (uint32_t k = 1; k <= l->o.rounds; k++)
		ok = one_round(l, k) && ok;
	lac_free(l->lac);
	free(l->session);
	free(l);
	return ok ? 0 : 1;
}
