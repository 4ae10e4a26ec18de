/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Start, supervise, stop. */
#include "config/config.h"
#include "console/console.h"
#include "console/metrics.h"
#include "control/ctl.h"
#include "control/ipsec.h"
#include "dataplane/dp.h"
#include "ike/charon.h"
#include "ike/swanctl.h"
#include "loop.h"
#include "ports/ports.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>

#define NAT_T_PORT 4500 /* RFC 3948 */
#define HEAP_STEP  (1 << 20) /* bytes by which the heap grows */

enum exit_code { EXIT_OK, EXIT_USAGE = 1, EXIT_CONFIG = 2, EXIT_START = 3 };

struct app {
	struct config *conf;
	struct log log;
	struct loop loop;
	struct dp *dp;
	struct ports *ports;
	struct ctl *ctl;
	struct charon *charon; /* NULL without transport profiles */
	struct console *console;
	struct metrics *metrics; /* NULL: off */
	struct dp_worker_arg worker[DP_MAX_WORKERS];
	bool eal, workers;
};

static void report(void *ctx, bool warning, const char *file, unsigned int line, const char *text)
{
	(void)ctx;
	fprintf(stderr, "%s:%u: %s%s\n", file, line, warning ? "warning: " : "", text);
}

static void get_random(void *ctx, uint8_t *buf, size_t len)
{
	(void)ctx;
	while (len > 0) {
		ssize_t n = getrandom(buf, len, 0);

		if (n < 0 && errno != EINTR)
			abort(); /* without unpredictable bytes nothing here is safe */
		if (n > 0) {
			buf += n;
			len -= (size_t)n;
		}
	}
}

static void wake(void *ctx)
{
	loop_wake(&((struct app *)ctx)->loop);
}

static int to_charon(void *ctx, const struct sslink_msg *m)
{
	struct app *a = ctx;

	return a->charon != NULL ? charon_send(a->charon, m) : -ENOTCONN;
}

static const struct ctl_ops ctl_ops = {
        .ike_send = to_charon,
        .wake = wake,
        .random = get_random,
};

static void on_charon_up(void *ctx)
{
	ctl_ike_link_up(((struct app *)ctx)->ctl, loop_now_ms());
}

static void on_charon(void *ctx, const struct sslink_msg *m)
{
	struct app *a = ctx;
	uint64_t begin = loop_step_begin();

	ctl_ike_rx(a->ctl, m, loop_now_ms());
	loop_step_end(&a->loop, CTL_STEP_IKE, begin);
}

static void on_charon_down(void *ctx)
{
	ctl_ike_link_down(((struct app *)ctx)->ctl, loop_now_ms());
}

static const struct charon_ops charon_ops = {
        .link_up = on_charon_up,
        .rx = on_charon,
        .link_down = on_charon_down,
};

static int fail(struct app *a, const char *what, int err)
{
	log_error(&a->log, "event=start-failed what=\"%s\" error=\"%s\"", what, strerror(err));
	return -err;
}

static int make_dataplane(struct app *a)
{
	const struct cfg_system *s = &a->conf->system;
	struct dp_conf dc = {
	        .n_workers = s->workers,
	        .vector = s->vector,
	        .hold_packets = 16,
	        .verify_l2tp_checksum = a->conf->l2tp.verify_checksum,
	        .idle = s->idle == CFG_IDLE_SPIN    ? DP_IDLE_SPIN
	                : s->idle == CFG_IDLE_PAUSE ? DP_IDLE_PAUSE
	                                            : DP_IDLE_SLEEP,
	        .idle_sleep_us = s->idle_sleep_us,
	        .socket = (int)rte_lcore_to_socket_id(1),
	};

	for (uint16_t w = 0; w < s->workers; w++)
		dc.worker_socket[w] = (int)rte_lcore_to_socket_id(w + 1u);

	a->dp = dp_new(&dc, &a->log);
	if (a->dp == NULL)
		return fail(a,
		            errno == ENOMEM ? "data plane: system.memory is too small"
		                            : "data plane",
		            errno);
	for (uint32_t i = 0; i < a->conf->n_pools; i++) {
		uint32_t first = ipaddr_to_v4(&a->conf->pools[i].first);
		uint32_t last = ipaddr_to_v4(&a->conf->pools[i].last);
		int ret = dp_pool_add(a->dp, first, last - first + 1);

		if (ret < 0)
			return fail(a, "address pool", -ret);
	}
	return 0;
}

static bool in_a_pool(const struct config *c, uint32_t ip)
{
	for (uint32_t i = 0; i < c->n_pools; i++)
		if (ip >= ipaddr_to_v4(&c->pools[i].first) && ip <= ipaddr_to_v4(&c->pools[i].last))
			return true;
	return false;
}

static int make_ports(struct app *a)
{
	int ret;

	a->ports = ports_new(a->conf, a->dp, a->loop.base, &a->log);
	if (a->ports == NULL)
		return fail(a, "ports", errno);
	ret = ports_start(a->ports);
	if (ret < 0)
		return fail(a, "ports", -ret);
	for (uint32_t i = 0; i < a->conf->n_users; i++) {
		uint32_t ip = ipaddr_to_v4(&a->conf->users[i].address);

		if (ip == 0 || in_a_pool(a->conf, ip))
			continue;
		ret = ports_framed_route_add(a->ports, ip, 32);
		if (ret < 0)
			return fail(a, "route of a framed address", -ret);
	}
	return 0;
}

static void set_if_address(void *ctx, uint16_t ifidx, uint32_t ip)
{
	ctl_set_if_address(ctx, ifidx, ip);
}

static int make_control(struct app *a)
{
	a->ctl = ctl_new(a->conf, &ctl_ops, a, a->dp, &a->loop.timers, &a->log, loop_now_ms());
	if (a->ctl == NULL)
		return fail(a, "control", ENOMEM);
	ports_each_address(a->ports, set_if_address, a->ctl);
	a->loop.dp = a->dp;
	a->loop.ctl = a->ctl;
	a->loop.ports = a->ports;
	return loop_start(&a->loop);
}

/* Worker w is lcore w + 1 (ports_eal_init). */
static int launch_workers(struct app *a)
{
	for (uint16_t w = 0; w < a->conf->system.workers; w++) {
		int ret;

		a->worker[w] = (struct dp_worker_arg){.dp = a->dp, .worker = w};
		ret = rte_eal_remote_launch(dp_worker_main, &a->worker[w], w + 1u);
		if (ret < 0)
			return fail(a, "worker", -ret);
		a->workers = true;
	}
	return 0;
}

static int add_static_sas(struct app *a)
{
	for (uint32_t i = 0; i < a->conf->n_static_sas; i++) {
		const struct cfg_static_sa *s = &a->conf->static_sas[i];
		struct ctl_static_sa o = {
		        .name = s->name,
		        .spi_in = s->spi_in,
		        .spi_out = s->spi_out,
		        .local = {s->local, s->encapsulation ? NAT_T_PORT : 0},
		        .peer = {s->peer, s->encapsulation ? s->peer_port : 0},
		        .suite = s->suite,
		        .enc_key_in = s->enc_key_in,
		        .auth_key_in = s->auth_key_in,
		        .enc_key_out = s->enc_key_out,
		        .auth_key_out = s->auth_key_out,
		        .encap = s->encapsulation,
		        .replay_window = s->replay_window,
		};
		int ret = ctl_static_sa_add(a->ctl, &o, loop_now_ms());

		if (ret < 0) {
			log_error(&a->log, "event=static-sa-failed name=\"%s\" error=\"%s\"",
			          s->name, strerror(-ret));
			return ret;
		}
	}
	return 0;
}

/* Workers run: what charon or the configuration asks for is answered when they have done it. */
static int start_ipsec(struct app *a)
{
	int ret = add_static_sas(a);

	if (ret < 0 || a->conf->n_ipsec_profiles == 0)
		return ret;
	a->charon = charon_new(a->loop.base, a->conf, &charon_ops, a, &a->log);
	return a->charon != NULL ? 0 : -errno;
}

static int start(struct app *a)
{
	int ret = loop_init(&a->loop, &a->log);

	if (ret < 0)
		return fail(a, "event loop", -ret);
	ret = ports_eal_init(a->conf, &a->log);
	if (ret < 0)
		return ret; /* it has said why */
	a->eal = true;
	if (a->conf->log.target == CFG_LOG_SYSLOG)
		openlog("sallyport", LOG_PID, LOG_DAEMON);
	ret = make_dataplane(a);
	if (ret == 0)
		ret = make_ports(a);
	if (ret == 0)
		ret = make_control(a);
	if (ret < 0)
		return ret;
	a->console = console_new(a->loop.base, a->conf, a->ctl, a->dp, a->ports, &a->log);
	if (a->console == NULL)
		return -errno;
	if (a->conf->metrics.listen.addr.family != 0) {
		a->metrics = metrics_new(a->loop.base, &a->conf->metrics, a->ctl, a->dp, &a->log);
		if (a->metrics == NULL)
			return -errno;
	}
	ret = launch_workers(a);
	return ret < 0 ? ret : start_ipsec(a);
}

static void stop(struct app *a)
{
	metrics_free(a->metrics);
	console_free(a->console);
	/* Charon's plugin holds out for the next daemon, which has it end what is left. */
	charon_free(a->charon);
	a->charon = NULL;
	if (a->workers) {
		dp_stop(a->dp);
		rte_eal_mp_wait_lcore();
	}
	if (a->ports != NULL)
		ports_stop(a->ports);
	ctl_free(a->ctl);
	ports_free(a->ports);
	if (a->dp != NULL)
		dp_free(a->dp);
	loop_fini(&a->loop);
	if (a->eal)
		ports_eal_cleanup();
}

static int run(struct config *conf)
{
	struct app *a = calloc(1, sizeof(*a));
	int ret = EXIT_START;

	if (a == NULL)
		return EXIT_START;
	/*
	 * Freed memory is merged at once, and kept for the next sessions: what thousands of them have
	 * left would else be merged, or given back, in one go of some 60 ms.
	 */
	mallopt(M_MXFAST, 0);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	mallopt(M_TOP_PAD, HEAP_STEP);
	signal(SIGPIPE, SIG_IGN);
	a->conf = conf;
	a->log.level = conf->log.level;
	a->log.sink = conf->log.target == CFG_LOG_SYSLOG ? log_sink_syslog : log_sink_stderr;
	if (start(a) == 0) {
		log_notice(&a->log, "event=ready workers=%u ports=%u", conf->system.workers,
		           conf->n_ports);
		loop_run(&a->loop);
		ret = EXIT_OK;
	}
	stop(a);
	if (ret == EXIT_OK)
		log_notice(&a->log, "event=stopped");
	free(a);
	return ret;
}

static int usage(FILE *to, int code)
{
	fprintf(to,
	        "usage: sallyport -c FILE [-t] [-N NETNS] [--print-ports | --print-system |\n"
	        "                 --print-ipsec | --print-swanctl]\n"
	        "       sallyport --describe | --version | --help\n"
	        "  -c FILE        configuration\n"
	        "  -t             check the configuration and exit\n"
	        "  -N NETNS       listen for console and metrics in this network namespace (a "
	        "path)\n"
	        "  --print-ports  print the name and device of each configured port and exit\n"
	        "  --print-system print workers, hugepages (yes or no) and memory in MB, and exit\n"
	        "  --print-ipsec  print charon's settings and the paths of its files, one "
	        "KEY=VALUE a line,\n"
	        "                 and exit; nothing without transport profiles\n"
	        "  --print-swanctl print charon's configuration without its keys, and exit\n"
	        "  --describe     print every stanza and key of the configuration\n");
	return code;
}

static int check_only(struct config *conf)
{
	(void)conf;
	return EXIT_OK;
}

static int print_ports(struct config *conf)
{
	for (uint32_t i = 0; i < conf->n_ports; i++)
		printf("%s %s\n", conf->ports[i].name, conf->ports[i].device);
	return EXIT_OK;
}

static int print_system(struct config *conf)
{
	printf("%u %s %u\n", conf->system.workers, conf->system.hugepages ? "yes" : "no",
	       conf->system.memory_mb);
	return EXIT_OK;
}

/* For scripts/charon. The values are what the schema lets through: paths and numbers. */
static int print_ipsec(struct config *conf)
{
	const struct cfg_ipsec *ip = &conf->ipsec;

	if (conf->n_ipsec_profiles == 0)
		return EXIT_OK;
	printf("run_directory=%s\nsocket=%s\nvici_socket=%s\n", ip->run_directory, ip->socket,
	       ip->vici_socket);
	printf("charon=%s\nswanctl=%s\n", ip->charon, ip->swanctl);
	printf("charon_log=%s\ncharon_log_level=%u\n", ip->charon_log, ip->charon_log_level);
	printf("charon_threads=%u\nnat_keepalive=%u\n", ip->charon_threads, ip->nat_keepalive_s);
	printf("retransmit_timeout_ms=%u\nretransmit_tries=%u\n", ip->retransmit_timeout_ms,
	       ip->retransmit_tries);
	printf("cookie_threshold=%u\nhalf_open_per_peer=%u\nhalf_open_max=%u\n",
	       ip->cookie_threshold, ip->half_open_per_peer, ip->half_open_max);
	return EXIT_OK;
}

static int print_swanctl(struct config *conf)
{
	char *text;
	size_t len;
	int ret = swanctl_render(conf, true, &text, &len);

	if (ret < 0) {
		fprintf(stderr, "sallyport: swanctl.conf cannot be made: %s\n", strerror(-ret));
		return EXIT_START;
	}
	fwrite(text, 1, len, stdout);
	swanctl_text_free(text, len);
	return EXIT_OK;
}

enum { OPT_PRINT_PORTS = 256, OPT_PRINT_SYSTEM, OPT_PRINT_IPSEC, OPT_PRINT_SWANCTL, OPT_DESCRIBE };

static const struct option options[] = {
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {"print-ports", no_argument, NULL, OPT_PRINT_PORTS},
        {"print-system", no_argument, NULL, OPT_PRINT_SYSTEM},
        {"print-ipsec", no_argument, NULL, OPT_PRINT_IPSEC},
        {"print-swanctl", no_argument, NULL, OPT_PRINT_SWANCTL},
        {"describe", no_argument, NULL, OPT_DESCRIBE},
        {0},
};

int main(int argc, char **argv)
{
	const char *file = NULL, *netns = NULL;
	int (*act)(struct config * conf) = run;
	struct config *conf;
	int opt, ret;

	while ((opt = getopt_long(argc, argv, "c:tN:hV", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			file = optarg;
			break;
		case 't':
			act = check_only;
			break;
		case 'N':
			netns = optarg;
			break;
		case 'h':
			return usage(stdout, EXIT_OK);
		case 'V':
			puts("sallyport " SALLYPORT_VERSION);
			return EXIT_OK;
		case OPT_PRINT_PORTS:
			act = print_ports;
			break;
		case OPT_PRINT_SYSTEM:
			act = print_system;
			break;
		case OPT_PRINT_IPSEC:
			act = print_ipsec;
			break;
		case OPT_PRINT_SWANCTL:
			act = print_swanctl;
			break;
		case OPT_DESCRIBE:
			config_describe(stdout);
			return EXIT_OK;
		default:
			return usage(stderr, EXIT_USAGE);
		}
	}
	if (file == NULL || optind != argc)
		return usage(stderr, EXIT_USAGE);
	conf = config_load(file, report, NULL);
	if (conf == NULL)
		return EXIT_CONFIG;
	if (netns != NULL) {
		snprintf(conf->console.netns, sizeof(conf->console.netns), "%s", netns);
		snprintf(conf->metrics.netns, sizeof(conf->metrics.netns), "%s", netns);
	}
	ret = act(conf);
	config_free(conf);
	return ret;
}
