/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "rig.h"

#include <CUnit/Basic.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void on_up(void *ctx)
{
	((struct rig *)ctx)->ups++;
}

static void on_rx(void *ctx, const struct sslink_msg *m)
{
	struct rig *r = ctx;

	r->messages++;
	r->last = *m;
}

static void on_down(void *ctx)
{
	struct rig *r = ctx;

	r->downs++;
	r->down_in_send = r->in_send;
}

static const struct charon_ops ops = {.link_up = on_up, .rx = on_rx, .link_down = on_down};

static void collect(struct log *log, enum log_level level, const char *line)
{
	struct rig *r = log->arg;
	size_t n = strlen(r->lines);

	(void)level;
	snprintf(r->lines + n, sizeof(r->lines) - n, "%s\n", line);
}

void rig_init(struct rig *r)
{
	static const char text[] =
	        "ports = ({name=\"wan\"; device=\"net_tap0\"; addresses=(\"192.0.2.1/24\");});"
	        "ipsec = { run-directory = \"%s/run\"; socket = \"%s/link/ike.sock\"; swanctl = "
	        "\"%s/swanctl\"; };"
	        "ipsec-transport-profiles = ({ name = \"p\"; local-address = \"192.0.2.1\"; "
	        "group-pre-shared-key = \"very secret\"; });";
	char conf[1024];

	*r = (struct rig){.dir = "/tmp/sallyport-ike-XXXXXX"};
	r->log = (struct log){.level = LOG_LVL_DEBUG, .sink = collect, .arg = r};
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(r->dir));
	snprintf(conf, sizeof(conf), text, r->dir, r->dir, r->dir);
	r->conf = config_load_text(conf, "t", NULL, NULL, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(r->conf);
	r->base = event_base_new();
	CU_ASSERT_PTR_NOT_NULL_FATAL(r->base);
	rig_swanctl(r, "exit 0");
}

bool rig_start(struct rig *r)
{
	r->charon = charon_new(r->base, r->conf, &ops, r, &r->log);
	return r->charon != NULL;
}

void rig_fini(struct rig *r)
{
	char cmd[128];

	charon_free(r->charon);
	event_base_free(r->base);
	config_free(r->conf);
	/* Whatever happened, no key is in the log. */
	CU_ASSERT_PTR_NULL(strstr(r->lines, "very secret"));
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", r->dir);
	CU_ASSERT_EQUAL(system(cmd), 0);
}

const char *rig_path(struct rig *r, const char *name)
{
	snprintf(r->path, sizeof(r->path), "%s/%s", r->dir, name);
	return r->path;
}

void rig_swanctl(struct rig *r, const char *script)
{
	FILE *f;

	/* A new file each time: one that runs cannot be written to. */
	unlink(rig_path(r, "swanctl"));
	f = fopen(r->path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fprintf(f, "#!/bin/sh\nD='%s'\n%s\n", r->dir, script);
	fclose(f);
	chmod(r->path, 0755);
}

const char *rig_read(struct rig *r, const char *name, char *buf, size_t size)
{
	FILE *f = fopen(rig_path(r, name), "r");

	buf[0] = '\0';
	if (f != NULL) {
		buf[fread(buf, 1, size - 1, f)] = '\0';
		fclose(f);
	}
	return buf;
}

int rig_connect(struct rig *r)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", r->conf->ipsec.socket);
	CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void turn(struct rig *r)
{
	event_base_loop(r->base, EVLOOP_NONBLOCK);
	usleep(1000);
}

void rig_until(struct rig *r, const unsigned int *n, unsigned int want)
{
	uint64_t end = now_ms() + 5000;

	while (*n != want && now_ms() < end)
		turn(r);
	CU_ASSERT_EQUAL(*n, want);
}

void rig_run_ms(struct rig *r, unsigned int ms)
{
	for (uint64_t end = now_ms() + ms; now_ms() < end;)
		turn(r);
}

bool rig_closed(struct rig *r, int fd)
{
	uint64_t end = now_ms() + 5000;
	uint8_t buf[SSLINK_MSG_MAX];

	while (now_ms() < end) {
		ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			return true;
		turn(r);
	}
	return false;
}

void rig_say(int fd, const struct sslink_msg *m)
{
	uint8_t buf[SSLINK_MSG_MAX];
	int len = sslink_encode(m, buf, sizeof(buf));

	CU_ASSERT_FATAL(len > 0);
	CU_ASSERT_EQUAL(send(fd, buf, (size_t)len, MSG_NOSIGNAL), len);
}

int main(void)
{
	unsigned int failures;

	signal(SIGPIPE, SIG_IGN);
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	register_link();
	register_load();
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
