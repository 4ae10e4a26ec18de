/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The socket and the link: who gets in, what is passed on, and what ends it. */
#include "rig.h"

#include <CUnit/Basic.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

static mode_t mode(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 ? st.st_mode : 0;
}

static void test_listener(void)
{
	struct rig r;

	rig_init(&r);
	umask(0);
	CU_ASSERT_FATAL(rig_start(&r));
	umask(022);
	CU_ASSERT_EQUAL(mode(rig_path(&r, "link")), S_IFDIR | 0700);
	CU_ASSERT_EQUAL(mode(r.conf->ipsec.socket), S_IFSOCK | 0600);
	CU_ASSERT_EQUAL(mode(rig_path(&r, "run/swanctl/swanctl.conf")), S_IFREG | 0600);
	charon_free(r.charon);
	CU_ASSERT_EQUAL(mode(r.conf->ipsec.socket), 0);
	CU_ASSERT_EQUAL(mode(rig_path(&r, "run/swanctl/swanctl.conf")), 0);
	r.charon = NULL;
	rig_fini(&r);
}

/* What a daemon that was killed left behind is replaced; anything else is not ours to remove. */
static void test_stale(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct rig r;
	int fd;

	rig_init(&r);
	mkdir(rig_path(&r, "link"), 0755);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", r.conf->ipsec.socket);
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
	CU_ASSERT_TRUE(rig_start(&r));
	charon_free(r.charon);
	close(open(r.conf->ipsec.socket, O_CREAT | O_WRONLY, 0600));
	CU_ASSERT_FALSE(rig_start(&r));
	CU_ASSERT_EQUAL(errno, EADDRINUSE);
	CU_ASSERT_EQUAL(mode(r.conf->ipsec.socket), S_IFREG | 0600);
	unlink(r.conf->ipsec.socket);
	chmod(rig_path(&r, "link"), 0777);
	CU_ASSERT_FALSE(rig_start(&r));
	CU_ASSERT_EQUAL(errno, EPERM);
	CU_ASSERT_PTR_NOT_NULL(strstr(r.lines, "others may write there"));
	rig_fini(&r);
}

static struct sslink_msg hello(void)
{
	return (struct sslink_msg){.type = SSLINK_HELLO,
	                           .seq = 7,
	                           .hello = {.version = SSLINK_VERSION, .instance = 99, .pid = 5}};
}

static void test_messages(void)
{
	struct sslink_msg m = hello(), answer = {.type = SSLINK_ANSWER, .seq = 7};
	uint8_t buf[SSLINK_MSG_MAX];
	struct charon_stats st;
	struct rig r;
	ssize_t n;
	int fd;

	rig_init(&r);
	CU_ASSERT_FATAL(rig_start(&r));
	CU_ASSERT_EQUAL(charon_send(r.charon, &answer), -ENOTCONN);
	fd = rig_connect(&r);
	rig_until(&r, &r.ups, 1);
	rig_say(fd, &m);
	rig_until(&r, &r.messages, 1);
	CU_ASSERT_EQUAL(r.last.type, SSLINK_HELLO);
	CU_ASSERT_EQUAL(r.last.seq, 7);
	CU_ASSERT_EQUAL(r.last.hello.instance, 99);
	answer.answer.spi = 0xc0000001;
	CU_ASSERT_EQUAL(charon_send(r.charon, &answer), 0);
	n = recv(fd, buf, sizeof(buf), 0);
	CU_ASSERT_FATAL(n > 0);
	CU_ASSERT_EQUAL(sslink_decode(buf, (size_t)n, &m), 0);
	CU_ASSERT_EQUAL(m.answer.spi, 0xc0000001);
	/* What cannot be said does not end the link. */
	answer.type = 0;
	CU_ASSERT_EQUAL(charon_send(r.charon, &answer), -EINVAL);
	rig_run_ms(&r, 20);
	/* More than one turn's worth. */
	m = hello();
	for (int i = 0; i < 200; i++) {
		rig_say(fd, &m);
		event_base_loop(r.base, EVLOOP_NONBLOCK);
	}
	rig_until(&r, &r.messages, 201);
	close(fd);
	rig_until(&r, &r.downs, 1);
	charon_stats_get(r.charon, &st);
	CU_ASSERT_FALSE(st.up);
	CU_ASSERT_EQUAL(st.rx, 201);
	CU_ASSERT_EQUAL(st.tx, 1);
	CU_ASSERT_EQUAL(st.links, 1);
	CU_ASSERT_EQUAL(st.bad_messages, 0);
	rig_fini(&r);
}

/* Charon's connections of a profile are one to control. */
static void test_profiles(void)
{
	static const char *const names[][2] = {
	        {"p", "p"}, {"p@1", "p"}, {"a-b_1@12v1nat", "a-b_1"}, {"@", ""}, {"p@1@2", "p"}};
	struct sslink_msg m = {.type = SSLINK_IKE_UP, .ike_up = {.id = 1, .version = 1}};
	struct sslink_msg spi = {.type = SSLINK_GET_SPI, .seq = 1};
	struct rig r;
	int fd;

	rig_init(&r);
	CU_ASSERT_FATAL(rig_start(&r));
	fd = rig_connect(&r);
	m.ike_up.local = m.ike_up.remote = (struct endpoint){ipaddr_v4(0xc0000201), 500};
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		strcpy(m.ike_up.connection, names[i][0]);
		rig_say(fd, &m);
		rig_until(&r, &r.messages, 2 * i + 1);
		CU_ASSERT_EQUAL(r.last.type, SSLINK_IKE_UP);
		CU_ASSERT_STRING_EQUAL(r.last.ike_up.connection, names[i][1]);
		spi.get_spi.ike = m.ike_up;
		spi.get_spi.src = spi.get_spi.dst = m.ike_up.local.addr;
		rig_say(fd, &spi);
		rig_until(&r, &r.messages, 2 * i + 2);
		CU_ASSERT_EQUAL(r.last.type, SSLINK_GET_SPI);
		CU_ASSERT_STRING_EQUAL(r.last.get_spi.ike.connection, names[i][1]);
	}
	close(fd);
	rig_fini(&r);
}

/* Each ends its link, and the next plugin gets in. */
static void test_hostile(void)
{
	static const size_t lengths[] = {
	        1, 4, 16, 100, SSLINK_MSG_MAX, SSLINK_MSG_MAX + 1, SSLINK_MSG_MAX + 500};
	const unsigned int n = sizeof(lengths) / sizeof(lengths[0]);
	uint8_t buf[SSLINK_MSG_MAX + 500];
	struct sslink_msg m = hello();
	struct charon_stats st;
	struct rig r;
	int fd, len;

	rig_init(&r);
	CU_ASSERT_FATAL(rig_start(&r));
	for (unsigned int i = 0; i < n; i++) {
		fd = rig_connect(&r);
		rig_until(&r, &r.ups, i + 1);
		for (size_t j = 0; j < lengths[i]; j++)
			buf[j] = (uint8_t)(j * 31 + i);
		CU_ASSERT_EQUAL(send(fd, buf, lengths[i], 0), (ssize_t)lengths[i]);
		rig_until(&r, &r.downs, i + 1);
		CU_ASSERT_TRUE(rig_closed(&r, fd));
		close(fd);
	}
	/* Another version of the protocol is told apart, for the log. */
	fd = rig_connect(&r);
	m.hello.version = SSLINK_VERSION + 1;
	len = sslink_encode(&m, buf, sizeof(buf));
	CU_ASSERT_FATAL(len > 0);
	CU_ASSERT_EQUAL(send(fd, buf, (size_t)len, 0), len);
	rig_until(&r, &r.downs, n + 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(r.lines, "the plugin speaks version 2, we speak 1"));
	close(fd);
	CU_ASSERT_EQUAL(r.messages, 0);
	charon_stats_get(r.charon, &st);
	CU_ASSERT_EQUAL(st.bad_messages, n + 1);
	rig_fini(&r);
}

static void test_newest(void)
{
	struct sslink_msg m = hello();
	struct rig r;
	int a, b;

	rig_init(&r);
	CU_ASSERT_FATAL(rig_start(&r));
	a = rig_connect(&r);
	rig_until(&r, &r.ups, 1);
	b = rig_connect(&r);
	rig_until(&r, &r.ups, 2);
	CU_ASSERT_TRUE(rig_closed(&r, a));
	CU_ASSERT_EQUAL(r.downs, 0);
	rig_say(b, &m);
	rig_until(&r, &r.messages, 1);
	close(a);
	rig_run_ms(&r, 20);
	CU_ASSERT_EQUAL(r.downs, 0);
	close(b);
	rig_until(&r, &r.downs, 1);
	rig_fini(&r);
}

/* A charon that does not read is as good as dead, and control hears of it after its own turn. */
static void test_not_reading(void)
{
	struct sslink_msg m = {.type = SSLINK_TERMINATE_IKE, .terminate = {.ike_id = 1}};
	struct charon_stats st;
	struct rig r;
	int fd, ret = 0, sent = 0;

	rig_init(&r);
	CU_ASSERT_FATAL(rig_start(&r));
	fd = rig_connect(&r);
	rig_until(&r, &r.ups, 1);
	while (ret == 0 && sent < 1000000) {
		r.in_send = true;
		ret = charon_send(r.charon, &m);
		r.in_send = false;
		sent += ret == 0;
	}
	CU_ASSERT_EQUAL(ret, -EAGAIN);
	CU_ASSERT(sent > 1000);
	CU_ASSERT_EQUAL(r.downs, 0);
	rig_until(&r, &r.downs, 1);
	CU_ASSERT_FALSE(r.down_in_send);
	CU_ASSERT_EQUAL(charon_send(r.charon, &m), -ENOTCONN);
	charon_stats_get(r.charon, &st);
	CU_ASSERT_EQUAL(st.tx, (uint64_t)sent);
	CU_ASSERT_EQUAL(st.tx_failures, 1);
	close(fd);
	/* One that is gone between our turns. */
	fd = rig_connect(&r);
	rig_until(&r, &r.ups, 2);
	close(fd);
	CU_ASSERT_EQUAL(charon_send(r.charon, &m), -EPIPE);
	rig_until(&r, &r.downs, 2);
	rig_run_ms(&r, 20);
	CU_ASSERT_EQUAL(r.downs, 2);
	rig_fini(&r);
}

/* What the socket has no room for waits, and comes in order when charon reads again. */
static void test_slow_reader(void)
{
	struct sslink_msg m = {.type = SSLINK_TERMINATE_IKE}, got;
	uint8_t buf[SSLINK_MSG_MAX];
	uint32_t next = 1, n = 100000;
	struct charon_stats st;
	struct rig r;
	ssize_t len;
	int fd;

	rig_init(&r);
	CU_ASSERT_FATAL(rig_start(&r));
	fd = rig_connect(&r);
	rig_until(&r, &r.ups, 1);
	for (uint32_t i = 1; i <= n; i++) {
		m.terminate.ike_id = i;
		CU_ASSERT_EQUAL_FATAL(charon_send(r.charon, &m), 0);
	}
	for (int turns = 0; next <= n && turns < 100000; turns++) {
		rig_run_ms(&r, 1);
		while ((len = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
			CU_ASSERT_EQUAL_FATAL(sslink_decode(buf, (size_t)len, &got), 0);
			CU_ASSERT_EQUAL_FATAL(got.terminate.ike_id, next);
			next++;
		}
	}
	CU_ASSERT_EQUAL(next, n + 1);
	CU_ASSERT_EQUAL(r.downs, 0);
	charon_stats_get(r.charon, &st);
	CU_ASSERT_EQUAL(st.tx, n);
	CU_ASSERT_EQUAL(st.tx_failures, 0);
	close(fd);
	rig_fini(&r);
}

/* Connects as nobody, who found the folder and the socket open; true when it was let go. */
static bool nobody_is_refused(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	char c;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0 ||
	    connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return false;
	return recv(fd, &c, 1, 0) == 0;
}

static void test_credentials(void)
{
	struct charon_stats st = {0};
	struct rig r;
	int status = 1;
	pid_t pid;

	if (geteuid() != 0)
		return; /* one user cannot play two */
	rig_init(&r);
	CU_ASSERT_FATAL(rig_start(&r));
	chmod(r.dir, 0755);
	chmod(rig_path(&r, "link"), 0755);
	chmod(r.conf->ipsec.socket, 0666);
	pid = fork();
	if (pid == 0)
		_exit(nobody_is_refused(r.conf->ipsec.socket) ? 0 : 1);
	for (int i = 0; i < 5000 && waitpid(pid, &status, WNOHANG) == 0; i++)
		rig_run_ms(&r, 1);
	CU_ASSERT_TRUE(WIFEXITED(status));
	CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
	charon_stats_get(r.charon, &st);
	CU_ASSERT_EQUAL(st.refused_peers, 1);
	CU_ASSERT_EQUAL(st.links, 0);
	CU_ASSERT_EQUAL(r.ups, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(r.lines, "event=charon-refused uid=65534"));
	rig_fini(&r);
}

void register_link(void)
{
	CU_pSuite s = CU_add_suite("ike: link", NULL, NULL);

	CU_add_test(s, "listener", test_listener);
	CU_add_test(s, "stale socket", test_stale);
	CU_add_test(s, "messages", test_messages);
	CU_add_test(s, "connections of a profile", test_profiles);
	CU_add_test(s, "hostile bytes", test_hostile);
	CU_add_test(s, "the newest plugin", test_newest);
	CU_add_test(s, "a plugin that does not read", test_not_reading);
	CU_add_test(s, "a plugin that reads late", test_slow_reader);
	CU_add_test(s, "credentials", test_credentials);
}
