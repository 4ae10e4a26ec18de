/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The generator of the peer benchmark: dials sessions to an LNS as a LAC and its clients (PAP), then
 * sends data through them as raw frames on both sides of the LNS. Driven by lines on stdin, answers
 * each by one line of JSON on stdout:
 *
 *   dial N                          {"up": N}        once: N sessions in a tunnel
 *   verify up|down SIZE N           {"right": N}     a packet through each of N sessions, compared
 *                                                    byte for byte with what went in
 *   run up|down SIZE N RATE MS      {"sent": .., "ns": ..}   RATE 0: as fast as they go
 *
 * SIZE is that of the inner IPv4 packet. Between commands the LAC answers what the LNS asks.
 */
#include "bench/peer_gen.h"
#include "load/lac.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LAC_PORT    20000
#define HOST_PORT   9 /* discard, both ends of the inner packets */
#define MAX_SESSION 1000
#define DIAL_MS     20000
#define SETTLE_MS   300
#define HANG_UP_MS  1000
#define ETH_LEN     14
#define DOWN_TRAIN  8 /* packets to one subscriber before the next one's turn */

struct gen {
	struct wire wan, core; /* toward the LNS from the LAC, and from the hosts behind */
	struct lac *lac;
	struct lac_tunnel *tunnel;
	struct timerq timers;
	struct log log;
	int fd, host_fd; /* the LAC's, and a host's behind the LNS */
	uint64_t now_ms;
	const char *user, *password;
	struct lac_session *session[MAX_SESSION];
	uint32_t n_session;
	bool lost;
	struct frame frame[MAX_SESSION];
	/* What the LAC would send while a frame is made; NULL: it goes to the socket. */
	struct frame *capture;
	/* The client's packet that came down last. */
	struct lac_session *got;
	uint8_t ip[FRAME_MAX];
	size_t ip_len;
};

static uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void on_send(void *ctx, const struct l2tp_path *path, const uint8_t *pkt, size_t len)
{
	struct gen *g = ctx;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(path->remote.port)};

	if (g->capture != NULL) {
		uint8_t ip[FRAME_MAX];
		uint16_t n = udp4_make(ip, g->wan.ip, g->wan.peer_ip, LAC_PORT, L2TP_PORT, pkt,
		                       (uint16_t)len);

		frame_make(&g->wan, g->capture, ip, n);
		return;
	}
	to.sin_addr.s_addr = htonl(g->wan.peer_ip);
	if (sendto(g->fd, pkt, len, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		perror("sendto");
}

static void on_ip(void *ctx, struct lac_session *s, const uint8_t *pkt, size_t len)
{
	struct gen *g = ctx;

	g->got = s;
	g->ip_len = len < sizeof(g->ip) ? len : sizeof(g->ip);
	memcpy(g->ip, pkt, g->ip_len);
}

static void on_event(void *ctx, enum lac_event ev, struct lac_tunnel *t, struct lac_session *s)
{
	struct gen *g = ctx;

	if (ev == LAC_NETWORK_UP && g->n_session < MAX_SESSION)
		g->session[g->n_session++] = s;
	else if (ev == LAC_SESSION_GONE || ev == LAC_TUNNEL_GONE)
		g->lost = true;
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

static void path_of(const struct gen *g, struct l2tp_path *path)
{
	*path = (struct l2tp_path){
	        .local = {ipaddr_v4(g->wan.ip), LAC_PORT},
	        .remote = {ipaddr_v4(g->wan.peer_ip), L2TP_PORT},
	};
}

/* Waits up to ms for something from the LNS, or on fd; true: fd can be read. */
static bool turn(struct gen *g, int fd, int ms)
{
	struct pollfd p[2] = {{.fd = g->fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
	struct l2tp_path path;
	uint8_t pkt[4096];
	ssize_t len;

	poll(p, 2, ms);
	path_of(g, &path);
	g->now_ms = clock_ms();
	while ((len = recv(g->fd, pkt, sizeof(pkt), MSG_DONTWAIT)) >= 0)
		lac_rx(g->lac, &path, pkt, (size_t)len, g->now_ms);
	lac_tick(g->lac, g->now_ms);
	return (p[1].revents & (POLLIN | POLLHUP)) != 0;
}

static int dial(struct gen *g, uint32_t n)
{
	uint64_t end = clock_ms() + DIAL_MS;
	struct l2tp_path path;
	struct lac_dial d = {
	        .host_name = "bench",
	        .user = g->user,
	        .password = g->password,
	        .auth_methods = PPP_AUTH_PAP,
	        .sessions = n,
	        .hello_ms = 60000,
	};

	if (n > MAX_SESSION || g->tunnel != NULL)
		return -1;
	path_of(g, &path);
	g->tunnel = lac_dial(g->lac, &path, &d, clock_ms());
	if (g->tunnel == NULL)
		return -1;
	while (g->n_session < n && !g->lost && clock_ms() < end)
		turn(g, -1, 1);
	/* The LNS opens a session when our last Configure-Ack has come, which is still on its way. */
	end = clock_ms() + SETTLE_MS;
	while (clock_ms() < end)
		turn(g, -1, 1);
	printf("{\"up\": %u}\n", g->n_session);
	return g->n_session == n && !g->lost ? 0 : -1;
}

/* In good order, so that the LNS ends at once when it is told to. */
static void hang_up(struct gen *g)
{
	uint64_t end = clock_ms() + HANG_UP_MS;

	if (g->tunnel != NULL && !g->lost)
		lac_close(g->tunnel, clock_ms());
	while (lac_tunnels(g->lac) > 0 && clock_ms() < end)
		turn(g, -1, 1);
}

/* The inner packet of a session, as its sender makes it. */
static void inner(struct gen *g, bool up, uint16_t size, uint32_t i, uint8_t *ip)
{
	uint8_t payload[FRAME_MAX];
	struct ppp_info info;

	lac_session_info(g->session[i], &info);
	for (uint16_t k = 0; k < size; k++)
		payload[k] = (uint8_t)(k * 7 + i);
	udp4_make(ip, up ? info.local_ip : g->core.ip, up ? g->core.ip : info.local_ip, HOST_PORT,
	          HOST_PORT, payload, size - 28);
}

static int make_frames(struct gen *g, bool up, uint16_t size, uint32_t n)
{
	uint8_t ip[FRAME_MAX];

	if (n == 0 || n > g->n_session || size < 28 || size > 1460)
		return -1;
	for (uint32_t i = 0; i < n; i++) {
		inner(g, up, size, i, ip);
		if (!up) {
			frame_make(&g->core, &g->frame[i], ip, size);
			continue;
		}
		g->capture = &g->frame[i];
		if (!lac_send_ip(g->session[i], ip, size))
			return -1;
		g->capture = NULL;
	}
	return 0;
}

/* An IPv4 packet that should be the sent one with a TTL one less. */
static bool is_routed(const uint8_t *got, size_t len, const uint8_t *sent, uint16_t size)
{
	return len == size && udp4_check(got, len) && got[8] == sent[8] - 1 &&
	       memcmp(got, sent, 4) == 0 && memcmp(got + 12, sent + 12, (size_t)size - 12) == 0;
}

/* True: the frame that was received carries the packet of session i. */
static bool is_right(struct gen *g, bool up, const uint8_t *f, size_t len, const uint8_t *sent,
                     uint16_t size, uint32_t i)
{
	const struct wire *to = up ? &g->core : &g->wan;
	struct l2tp_path path;
	size_t ip_len;

	if (len < ETH_LEN + 28 || memcmp(f, to->mac, 6) != 0 || f[12] != 0x08 || f[13] != 0)
		return false;
	ip_len = (size_t)(f[ETH_LEN + 2] << 8 | f[ETH_LEN + 3]); /* short frames are padded */
	f += ETH_LEN;
	if (ip_len > len - ETH_LEN)
		return false;
	if (up)
		return is_routed(f, ip_len, sent, size);
	if (!udp4_check(f, ip_len) || f[20] != L2TP_PORT >> 8 || f[21] != (L2TP_PORT & 0xff))
		return false;
	path_of(g, &path);
	g->got = NULL;
	lac_rx(g->lac, &path, f + 28, ip_len - 28, clock_ms());
	return g->got == g->session[i] && is_routed(g->ip, g->ip_len, sent, size);
}

/* Sends the packet of session i once and waits for it at the other side. */
static bool verify_one(struct gen *g, int tap, bool up, uint16_t size, uint32_t i)
{
	uint64_t end = clock_ms() + 300;
	uint8_t ip[FRAME_MAX], f[2048];
	struct flood x = {.f = &g->frame[i], .n = 1, .repeat = 1};
	uint64_t sent, ns;

	inner(g, up, size, i, ip);
	x.fd = up ? g->wan.fd : g->core.fd;
	if (!flood(&x, 1000, 2, &sent, &ns))
		return false;
	while (clock_ms() < end) {
		ssize_t len;

		turn(g, tap, 10);
		while ((len = recv(tap, f, sizeof(f), MSG_DONTWAIT)) > 0) {
			if (is_right(g, up, f, (size_t)len, ip, size, i))
				return true;
		}
	}
	return false;
}

static int verify(struct gen *g, bool up, uint16_t size, uint32_t n)
{
	int tap = wire_tap(up ? &g->core : &g->wan);
	uint32_t right = 0;

	if (tap < 0 || make_frames(g, up, size, n) < 0)
		return -1;
	for (uint32_t i = 0; i < n; i++) {
		bool ok = false;

		/* Both sides may have to find each other by ARP first. */
		for (int k = 0; k < 5 && !ok; k++)
			ok = verify_one(g, tap, up, size, i);
		right += ok;
		if (!ok)
			break;
	}
	close(tap);
	printf("{\"right\": %u}\n", right);
	return right == n ? 0 : -1;
}

static int run(struct gen *g, bool up, uint16_t size, uint32_t n, uint32_t rate, uint32_t ms)
{
	struct flood x = {.f = g->frame, .n = n, .repeat = up || n == 1 ? 1 : DOWN_TRAIN};
	uint64_t sent, ns;

	if (make_frames(g, up, size, n) < 0)
		return -1;
	x.fd = up ? g->fd : g->host_fd;
	x.segments = true;
	if (!flood(&x, rate, ms, &sent, &ns)) {
		x.fd = up ? g->wan.fd : g->core.fd;
		x.segments = false;
		if (!flood(&x, rate, ms, &sent, &ns))
			return -1;
	}
	printf("{\"sent\": %lu, \"ns\": %lu}\n", sent, ns);
	return g->lost ? -1 : 0;
}

static int command(struct gen *g, const char *line)
{
	uint32_t size, n, rate, ms;
	char dir[8];

	if (sscanf(line, "dial %u", &n) == 1)
		return dial(g, n);
	if (sscanf(line, "verify %7s %u %u", dir, &size, &n) == 3)
		return verify(g, strcmp(dir, "up") == 0, (uint16_t)size, n);
	if (sscanf(line, "run %7s %u %u %u %u", dir, &size, &n, &rate, &ms) == 5)
		return run(g, strcmp(dir, "up") == 0, (uint16_t)size, n, rate, ms);
	return -1;
}

static int loop(struct gen *g)
{
	char line[128];

	for (;;) {
		if (g->lost) {
			fprintf(stderr, "peer_gen: a session was lost\n");
			return 1;
		}
		if (!turn(g, STDIN_FILENO, 10))
			continue;
		if (fgets(line, sizeof(line), stdin) == NULL)
			return 0;
		if (command(g, line) < 0) {
			fprintf(stderr, "peer_gen: failed: %s", line);
			return 1;
		}
		fflush(stdout);
	}
}

static bool parse_ip(const char *text, uint32_t *ip)
{
	struct ipaddr a;

	if (ipaddr_parse(text, &a) < 0 || a.family != AF_INET)
		return false;
	*ip = ipaddr_to_v4(&a);
	return true;
}

static int udp_socket(uint32_t ip, uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	int size = 8 << 20, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(ip);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		perror("UDP socket");
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return fd;
}

static int usage(void)
{
	fprintf(stderr, "usage: peer_gen WAN-DEVICE LNS-MAC LAC-ADDRESS LNS-ADDRESS CORE-DEVICE "
	                "GATEWAY-MAC HOST-ADDRESS USER PASSWORD\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct gen *g = calloc(1, sizeof(*g));
	int ret;

	if (g == NULL || argc != 10 || !parse_ip(argv[3], &g->wan.ip) ||
	    !parse_ip(argv[4], &g->wan.peer_ip) || !parse_ip(argv[7], &g->core.ip))
		return usage();
	if (wire_open(&g->wan, argv[1], argv[2]) < 0 || wire_open(&g->core, argv[5], argv[6]) < 0)
		return 1;
	g->user = argv[8];
	g->password = argv[9];
	g->log = (struct log){.level = LOG_LVL_ERROR, .sink = log_sink_stderr};
	g->lac = lac_new(&ops, g, &g->timers, &g->log);
	g->fd = udp_socket(g->wan.ip, LAC_PORT);
	g->host_fd = udp_socket(g->core.ip, HOST_PORT);
	if (g->lac == NULL || g->fd < 0 || g->host_fd < 0)
		return 1;
	setvbuf(stdin, NULL, _IONBF, 0);
	ret = loop(g);
	hang_up(g);
	lac_free(g->lac);
	free(g);
	return ret;
}
