/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Guesses passwords through L2TP/IPsec, for tests inside namespaces of their own. A charon with the
 * project's plugin dials, this is the data plane behind it. One guess an IKE connection, or many at
 * once on one. Prints what was tried and what was judged. Exit status 0: the guesses were made,
 * whatever came of them.
 */
#include "load/guess.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINK_MS 10000

static uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void guess_random(void *ctx, uint8_t *buf, size_t len)
{
	if (getrandom(buf, len, 0) != (ssize_t)len)
		abort();
}

void guess_password(void *ctx, uint32_t n, char *buf, size_t size)
{
	const struct guess_opts *o = &((struct guess *)ctx)->o;

	if ((o->honest || n + 1 == o->guesses) && o->password != NULL)
		snprintf(buf, size, "%s", o->password);
	else
		snprintf(buf, size, "guess-%u", n);
}

/* ---- what charon says ---- */

bool guess_ike_up(const struct guess *g, uint32_t id)
{
	return (g->ike_is_up[id / 8 % sizeof(g->ike_is_up)] >> id % 8 & 1) != 0;
}

static void set_ike(struct guess *g, uint32_t id, bool up)
{
	uint8_t *b = &g->ike_is_up[id / 8 % sizeof(g->ike_is_up)];

	*b = (uint8_t)(up ? *b | 1u << id % 8 : *b & ~(1u << id % 8));
}

static void on_ike_up(void *ctx, uint32_t id)
{
	struct guess *g = ctx;

	g->ike_ups++;
	set_ike(g, id, true);
}

static void on_ike_down(void *ctx, uint32_t id)
{
	struct guess *g = ctx;

	g->ike_downs++;
	set_ike(g, id, false);
}

static void on_child_up(void *ctx, struct ike_child *c)
{
	struct guess *g = ctx;

	g->child_up(g, c);
}

static void on_child_deleted(void *ctx, struct ike_child *c)
{
}

static const struct ike_ops ike_ops = {
        .ike_up = on_ike_up,
        .ike_down = on_ike_down,
        .child_up = on_child_up,
        .child_deleted = on_child_deleted,
};

/* ---- packets ---- */

static struct esp_path *path_of(void *ctx, uint32_t spi)
{
	struct guess *g = ctx;
	struct ike_child *c = ike_child_of_spi(g->ike, spi);

	return c != NULL && c->up ? &c->path : NULL;
}

static void on_payload(void *ctx, struct esp_path *p, const uint8_t *payload, size_t len)
{
	struct guess *g = ctx;

	g->rx(g, (struct ike_child *)p, payload, len);
}

bool guess_turn(struct guess *g, int wait_ms)
{
	struct epoll_event ev[8];
	int n = epoll_wait(g->ep, ev, 8, wait_ms);
	bool ok = true;

	g->now_ms = clock_ms();
	for (int i = 0; i < n; i++) {
		if (ev[i].data.fd == g->net.fd)
			esp_net_receive(&g->net, path_of, on_payload, g);
		else if (ev[i].data.fd == g->vici.fd)
			ok = vici_receive(&g->vici) == 0 && ok;
		else
			ike_receive(g->ike);
	}
	timerq_run(&g->timers, g->now_ms, 0);
	return ok;
}

void guess_probe_answer(struct guess_result *res, const uint8_t *pkt, size_t len)
{
	struct l2tp_msg m;

	if (l2tp_msg_parse(pkt, len, NULL, 0, &m, NULL) != L2TP_MSG_OK || m.hdr.data_len == 0)
		return;
	if (m.type == L2TP_SCCRP || m.type == L2TP_ICRP)
		res->probes_accepted++;
	else
		res->probes_refused++;
}

/* ---- start ---- */

static void watch(struct guess *g, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	epoll_ctl(g->ep, EPOLL_CTL_ADD, fd, &ev);
}

static int start(struct guess *g)
{
	uint64_t end = clock_ms() + LINK_MS;
	char why[256] = "";

	g->ep = epoll_create1(EPOLL_CLOEXEC);
	if (esp_net_open(&g->net, &g->o.local, why, sizeof(why)) < 0) {
		fprintf(stderr, "%s\n", why);
		return -1;
	}
	if (vici_open(&g->vici, g->o.vici) < 0) {
		perror(g->o.vici);
		return -1;
	}
	g->ike = ike_new(g->o.sslink, g->net.esp, &ike_ops, g);
	if (g->ike == NULL)
		return -1;
	watch(g, g->net.fd);
	watch(g, g->vici.fd);
	watch(g, ike_fd(g->ike));
	while (!ike_ready(g->ike)) {
		if (!guess_turn(g, 50) || g->now_ms > end) {
			fprintf(stderr, "charon's plugin does not come\n");
			return -1;
		}
	}
	return 0;
}

static int usage(void)
{
	fprintf(stderr,
	        "usage: guess -v VICI SOCKET -k SSLINK SOCKET -l LOCAL -r LNS -c CONNECTION -C "
	        "CHILD\n"
	        "  -m serial|burst -n GUESSES [-H HOST NAME] [-S SECRET] [-u USER] [-w PASSWORD "
	        "(the "
	        "last guess)]\n"
	        "  [-a pap|chap|mschapv2] [-W CONNECTIONS AT A TIME] [-K CHILDREN (CHILD0, CHILD1, "
	        "..)]\n"
	        "  [-s CALLS A TUNNEL] [-b UNANSWERED AT ONCE] [-T SECONDS] [-O (honest: all "
	        "right)] [-d]\n");
	return 2;
}

static uint32_t auth_of(const char *name)
{
	return strcmp(name, "pap") == 0        ? PPP_AUTH_PAP
	       : strcmp(name, "chap") == 0     ? PPP_AUTH_CHAP_MD5
	       : strcmp(name, "mschapv2") == 0 ? PPP_AUTH_MSCHAPV2
	                                       : 0;
}

static int parse(struct guess *g, int argc, char **argv, bool *serial)
{
	struct guess_opts *o = &g->o;
	const char *mode = "";
	int opt;

	*o = (struct guess_opts){
	        .host = "guess",
	        .user = "user1",
	        .window = 4,
	        .calls = 1,
	        .timeout_s = 120,
	        .auth = PPP_AUTH_CHAP_MD5,
	};
	while ((opt = getopt(argc, argv, "v:k:l:r:c:C:m:n:H:S:u:w:a:W:K:s:b:T:dO")) != -1) {
		switch (opt) {
		case 'v':
			o->vici = optarg;
			break;
		case 'k':
			o->sslink = optarg;
			break;
		case 'l':
			if (ipaddr_parse(optarg, &o->local) < 0)
				return -1;
			break;
		case 'r':
			if (ipaddr_parse(optarg, &o->lns) < 0)
				return -1;
			break;
		case 'c':
			o->connection = optarg;
			break;
		case 'C':
			o->child = optarg;
			break;
		case 'm':
			mode = optarg;
			break;
		case 'n':
			o->guesses = (uint32_t)atoi(optarg);
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
		case 'W':
			o->window = (uint32_t)atoi(optarg);
			break;
		case 'K':
			o->children = (uint32_t)atoi(optarg);
			break;
		case 's':
			o->calls = (uint32_t)atoi(optarg);
			break;
		case 'b':
			o->at_once = (uint32_t)atoi(optarg);
			break;
		case 'T':
			o->timeout_s = (uint32_t)atoi(optarg);
			break;
		case 'O':
			o->honest = true;
			break;
		case 'd':
			g->log.level = LOG_LVL_DEBUG;
			break;
		default:
			return -1;
		}
	}
	*serial = strcmp(mode, "serial") == 0;
	return o->vici != NULL && o->sslink != NULL && o->local.family == AF_INET &&
	                       o->lns.family == AF_INET && o->connection != NULL &&
	                       o->child != NULL && o->guesses > 0 && o->auth != 0 &&
	                       o->window > 0 && o->calls > 0 && o->guesses % o->calls == 0 &&
	                       (*serial || strcmp(mode, "burst") == 0)
	               ? 0
	               : -1;
}

static void print(const struct guess *g, const struct guess_result *r, uint64_t ms)
{
	printf("guesses %u\n", r->tried);
	printf("ike-authentications %u\n", g->ike_ups);
	printf("judged %u\n", r->rejected + r->let_in);
	printf("rejected %u\n", r->rejected);
	printf("let-in %u\n", r->let_in);
	printf("undecided %u\n", r->undecided);
	printf("dials-failed %u\n", r->dials_failed);
	printf("probes %u\n", r->probes);
	printf("probes-refused %u\n", r->probes_refused);
	printf("probes-accepted %u\n", r->probes_accepted);
	printf("not-disconnected %u\n", r->not_disconnected);
	printf("unknown-spi %lu\n", g->net.unknown_spi);
	printf("bad-messages %u\n", ike_bad(g->ike));
	printf("seconds %.2f\n", (double)ms / 1000);
}

int main(int argc, char **argv)
{
	struct guess *g = calloc(1, sizeof(*g));
	struct guess_result res = {0};
	uint64_t begin;
	bool serial, ok;

	if (g == NULL)
		return 2;
	g->log = (struct log){.level = LOG_LVL_ERROR, .sink = log_sink_stderr};
	if (parse(g, argc, argv, &serial) < 0)
		return usage();
	if (start(g) < 0)
		return 2;
	begin = clock_ms();
	ok = serial ? guess_serial(g, &res) : guess_burst(g, &res);
	print(g, &res, clock_ms() - begin);
	ike_free(g->ike);
	vici_close(&g->vici);
	esp_net_close(&g->net);
	free(g);
	return ok ? 0 : 1;
}
