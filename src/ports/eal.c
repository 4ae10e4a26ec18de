/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Starts DPDK's environment abstraction layer from the configuration. What usually goes wrong is
 * looked at first, so that the operator reads one sentence of ours and none of EAL's.
 */
#include "ports/devargs.h"
#include "ports/hugepages.h"
#include "ports/ports.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_version.h>

#define HUGEPAGES_DIR "/sys/kernel/mm/hugepages"
#define MAX_CPUS      256

/* What DPDK writes is cut into lines and goes to the program's log. Lives as long as the process. */
struct eal_log {
	struct log *log;
	char line[512];
	size_t len;
	char last_error[512];
};

struct eal_args {
	char **v;
	int n, size;
	bool failed;
};

/* Lines that name no fault: EAL tries every page size, taps try queueing disciplines for flow rules. */
static const char *const harmless[] = {
        "hugepages reported",
        "no mounted hugetlbfs found",
        "multiq qdisc",
        "tap_nl_dump_ext_ack",
        "Disabling rte flow support",
        "req to secondary",
        "bpffs",
};

static void eal_log_line(struct eal_log *e, uint32_t rte_level)
{
	const char *text = e->line;
	enum log_level level = LOG_LVL_INFO;

	e->line[e->len] = '\0';
	e->len = 0;
	if (strncmp(text, "EAL: ", 5) == 0)
		text += 5;
	if (*text == '\0')
		return;
	if (rte_level <= RTE_LOG_ERR) {
		level = LOG_LVL_WARNING;
		snprintf(e->last_error, sizeof(e->last_error), "%s", text);
	}
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (strstr(text, harmless[i]) != NULL)
			level = LOG_LVL_DEBUG;
	log_msg(e->log, level, "dpdk: %s", text);
}

/* stdio holds the stream's lock here, so lines of several threads do not mix. */
static ssize_t eal_log_write(void *cookie, const char *buf, size_t size)
{
	struct eal_log *e = cookie;
	int level = rte_log_cur_msg_loglevel();

	for (size_t i = 0; i < size; i++) {
		if (buf[i] == '\n')
			eal_log_line(e, (uint32_t)level);
		else if (e->len < sizeof(e->line) - 1)
			e->line[e->len++] = buf[i];
	}
	return (ssize_t)size;
}

static int eal_log_close(void *cookie)
{
	free(cookie);
	return 0;
}

/* Threads of DPDK that might write are gone, or were never there. */
static void eal_log_end(void)
{
	FILE *f = rte_log_get_stream();

	if (f == stderr)
		return;
	rte_openlog_stream(NULL);
	fclose(f);
}

static struct eal_log *eal_log_open(struct log *log)
{
	cookie_io_functions_t io = {.write = eal_log_write, .close = eal_log_close};
	struct eal_log *e = calloc(1, sizeof(*e));
	FILE *f;

	if (e == NULL)
		return NULL;
	e->log = log;
	f = fopencookie(e, "w", io);
	if (f == NULL) {
		free(e);
		return NULL;
	}
	setvbuf(f, NULL, _IOLBF, 1024);
	if (rte_openlog_stream(f) != 0) {
		fclose(f);
		return NULL;
	}
	return e;
}

static void arg(struct eal_args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void arg(struct eal_args *a, const char *fmt, ...)
{
	va_list ap;

	if (a->n == a->size) {
		int size = a->size + 16;
		char **v = realloc(a->v, ((size_t)size + 1) * sizeof(*v));

		if (v == NULL) {
			a->failed = true;
			return;
		}
		a->v = v;
		a->size = size;
	}
	va_start(ap, fmt);
	if (vasprintf(&a->v[a->n], fmt, ap) < 0)
		a->failed = true;
	else
		a->v[++a->n] = NULL;
	va_end(ap);
}

static void args_free(struct eal_args *a)
{
	for (int i = 0; i < a->n; i++)
		free(a->v[i]);
	free(a->v);
}

static int allowed_cpus(uint16_t *cpus, int max)
{
	cpu_set_t set;
	int n = 0;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return -errno;
	for (int i = 0; i < CPU_SETSIZE && n < max; i++)
		if (CPU_ISSET(i, &set))
			cpus[n++] = (uint16_t)i;
	return n;
}

static int add_cpus(const struct config *c, struct eal_args *a, struct log *log)
{
	const struct cfg_system *s = &c->system;
	uint16_t cpus[MAX_CPUS], allowed[MAX_CPUS];
	char text[2048];
	bool shared;
	int n, n_allowed = allowed_cpus(allowed, MAX_CPUS);

	if (n_allowed <= 0)
		return n_allowed == 0 ? -EINVAL : n_allowed;
	memcpy(cpus, allowed, sizeof(cpus));
	n = n_allowed;
	if (s->cpus[0] != '\0') {
		n = cpulist_parse(s->cpus, cpus, MAX_CPUS);
		if (n < 0) {
			log_error(log, "system.cpus: \"%s\" is no CPU list such as \"0,2-3\"",
			          s->cpus);
			return n;
		}
	}
	for (int i = 0; i < n; i++) {
		int j = 0;

		while (j < n_allowed && allowed[j] != cpus[i])
			j++;
		if (j == n_allowed) {
			log_error(log, "system.cpus: CPU %u is not there or not allowed to us",
			          cpus[i]);
			return -EINVAL;
		}
	}
	if (lcores_text(cpus, n, s->workers, text, sizeof(text), &shared) != 0)
		return -ENAMETOOLONG;
	if (shared)
		log_warning(log,
		            "%u workers and control share %d CPUs: fine for a trial, slow in "
		            "service (give system.cpus %u CPUs)",
		            s->workers, n, s->workers + 1U);
	arg(a, "--lcores=%s", text);
	arg(a, "--main-lcore=0");
	return 0;
}

static int check_hugepages(uint32_t need_mb, struct log *log)
{
	struct hugepages h;
	int ret = hugepages_read(HUGEPAGES_DIR, &h);

	if (ret != 0 || h.size_kb == 0) {
		log_error(log, "this kernel has no hugepages: set system.hugepages = false");
		return ret != 0 ? ret : -ENOTSUP;
	}
	if (h.free_mb >= need_mb)
		return 0;
	log_error(log,
	          "hugepages: %u MB wanted, %" PRIu64 " MB free, %" PRIu64
	          " MB short: run 'echo %" PRIu64
	          " > %s/hugepages-%ukB/nr_hugepages', or lower system.memory, or set "
	          "system.hugepages = false",
	          need_mb, h.free_mb, need_mb - h.free_mb, hugepages_wanted(&h, need_mb),
	          HUGEPAGES_DIR, h.size_kb);
	return -ENOMEM;
}

static int add_memory(const struct config *c, struct eal_args *a, struct log *log)
{
	const struct cfg_system *s = &c->system;
	int ret;

	if (s->hugepages) {
		ret = check_hugepages(s->memory_mb, log);
		if (ret != 0)
			return ret;
		/* Nothing on disk: what a crash leaves behind cannot stop the next start. */
		arg(a, "--in-memory");
	} else {
		arg(a, "--no-huge");
		arg(a, "--no-shconf");
		arg(a, "--file-prefix=sallyport-%d", (int)getpid());
	}
	arg(a, "-m");
	arg(a, "%u", s->memory_mb);
	return 0;
}

static int check_kernel_device(const struct cfg_port *port, struct log *log)
{
	char ifname[64];

	if (!devargs_is_driver(port->device, "net_af_packet") &&
	    !devargs_is_driver(port->device, "net_af_xdp"))
		return 0;
	if (!devargs_get(port->device, "iface", ifname, sizeof(ifname))) {
		log_error(log, "port %s: device \"%s\" names no iface=", port->name, port->device);
		return -EINVAL;
	}
	if (if_nametoindex(ifname) == 0) {
		log_error(log, "port %s: there is no interface %s in this network namespace",
		          port->name, ifname);
		return -ENODEV;
	}
	if (strcmp(ifname, port->name) == 0) {
		log_error(log, "port %s: the twin would have the name of the device: rename one",
		          port->name);
		return -EEXIST;
	}
	return 0;
}

static int add_devices(const struct config *c, struct eal_args *a, struct log *log)
{
	uint32_t n_pci = 0;
	int ret;

	/* Virtual devices follow in port_open, when what lies beneath them has been prepared. */
	for (uint32_t i = 0; i < c->n_ports; i++) {
		const struct cfg_port *port = &c->ports[i];

		if (devargs_is_pci(port->device)) {
			arg(a, "-a");
			arg(a, "%s", port->device);
			n_pci++;
			continue;
		}
		ret = check_kernel_device(port, log);
		if (ret != 0)
			return ret;
	}
	/* Without a list EAL would take every PCI device that it can. */
	if (n_pci == 0)
		arg(a, "--no-pci");
	return 0;
}

static void log_args(const struct eal_args *a, struct log *log)
{
	char text[900];
	size_t n = 0;

	for (int i = 1; i < a->n && n < sizeof(text) - 1; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " %s", a->v[i]);
	log_debug(log, "starting %s with%s", rte_version(), text);
}

/* EAL moves the pointers about in the vector it gets, so it gets one of its own. */
static int eal_start(const struct eal_args *a)
{
	char **v = malloc(((size_t)a->n + 1) * sizeof(*v));
	int ret = 0;

	if (v == NULL)
		return -ENOMEM;
	memcpy(v, a->v, ((size_t)a->n + 1) * sizeof(*v));
	if (rte_eal_init(a->n, v) < 0)
		ret = rte_errno != 0 ? -rte_errno : -EIO;
	free(v);
	return ret;
}

int ports_eal_init(const struct config *c, struct log *log)
{
	struct eal_args a = {0};
	struct eal_log *e;
	int ret;

	arg(&a, "sallyport");
	arg(&a, "--no-telemetry");
	arg(&a, "--log-level=*:warning");
	ret = add_cpus(c, &a, log);
	if (ret == 0)
		ret = add_memory(c, &a, log);
	if (ret == 0)
		ret = add_devices(c, &a, log);
	if (ret == 0 && a.failed)
		ret = -ENOMEM;
	if (ret != 0)
		goto out;

	e = eal_log_open(log);
	if (e == NULL) {
		ret = -ENOMEM;
		goto out;
	}
	log_args(&a, log);
	rte_log_set_global_level(RTE_LOG_WARNING);
	ret = eal_start(&a);
	if (ret != 0) {
		log_error(log, "DPDK does not start: %s (%s)",
		          e->last_error[0] != '\0' ? e->last_error : "no reason given",
		          rte_strerror(-ret));
		eal_log_end();
		goto out;
	}
	log_info(log, "%s is up: %u workers, %u MB of %s", rte_version(), c->system.workers,
	         c->system.memory_mb, c->system.hugepages ? "hugepages" : "ordinary pages");
out:
	args_free(&a);
	return ret;
}

void ports_eal_cleanup(void)
{
	char path[64];

	rte_eal_cleanup();
	eal_log_end();
	/* Without hugepages EAL makes an empty run-time directory and forgets it. */
	snprintf(path, sizeof(path), "/var/run/dpdk/sallyport-%d", (int)getpid());
	(void)rmdir(path);
}
