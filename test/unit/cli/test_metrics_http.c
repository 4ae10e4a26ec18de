/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The metrics over HTTP on the loopback interface: real sockets, one thread, rude clients. */
#include "console/metrics.h"
#include "fake_ctl.h"
#include "suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#define MAX 4

static struct event_base *base;
static struct metrics *m;
static char got[1 << 16];
static size_t n_got;
static unsigned int errors;

static void count_log(struct log *log, enum log_level level, const char *line)
{
	errors += level == LOG_LVL_ERROR && strstr(line, "event=metrics-failed") != NULL;
}

static struct log sink = {.level = LOG_LVL_DEBUG, .sink = count_log};

static void start(void)
{
	struct cfg_metrics conf = {.max_connections = MAX};

	memset(&fake, 0, sizeof(fake));
	ipaddr_parse("127.0.0.1", &conf.listen.addr);
	errors = 0;
	base = event_base_new();
	m = metrics_new(base, &conf, NULL, NULL, &sink);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT(metrics_port(m) != 0);
}

static void stop(void)
{
	metrics_free(m);
	event_base_free(base);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int dial(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(metrics_port(m))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, "127.0.0.1", &sin.sin_addr);
	CU_ASSERT_FATAL(connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

static void wait_ms(uint64_t ms)
{
	uint64_t end = now_ms() + ms;

	while (now_ms() < end) {
		turn();
		poll(NULL, 0, 1);
	}
}

/* The server has forgotten all connections, within a time. */
static bool all_gone(uint64_t ms)
{
	uint64_t end = now_ms() + ms;

	while (metrics_connections(m) > 0 && now_ms() < end)
		wait_ms(5);
	return metrics_connections(m) == 0;
}

/* The server knows n connections, and on fd so many bytes wait to be read, within 3 s. */
static bool comes(unsigned int n, int fd, int bytes)
{
	uint64_t end = now_ms() + 3000;
	int there = 0;

	while (now_ms() < end) {
		if (fd >= 0 && ioctl(fd, FIONREAD, &there) != 0)
			return false;
		if (metrics_connections(m) == n && there >= bytes)
			return true;
		wait_ms(5);
	}
	return false;
}

/* Reads into got until the server has closed; false when it has not after a time. */
static bool read_all(int fd, uint64_t ms)
{
	uint64_t end = now_ms() + ms;

	n_got = 0;
	while (now_ms() < end) {
		ssize_t n = recv(fd, got + n_got, sizeof(got) - 1 - n_got, 0);

		if (n > 0) {
			n_got += (size_t)n;
			CU_ASSERT_FATAL(n_got < sizeof(got) - 1);
		} else if (n == 0 || errno != EAGAIN) {
			got[n_got] = '\0';
			return true;
		}
		wait_ms(1);
	}
	got[n_got] = '\0';
	return false;
}

/* Sends a request on a connection of its own; true when it was answered and closed. */
static bool ask(const char *request)
{
	int fd = dial();
	bool closed;

	CU_ASSERT(send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request));
	closed = read_all(fd, 4000);
	close(fd);
	return closed;
}

static bool status_is(const char *status)
{
	return strncmp(got, "HTTP/1.1 ", 9) == 0 && strncmp(got + 9, status, strlen(status)) == 0;
}

/* Any refusal: the client's fault, or something that is not done here. */
static bool refused(void)
{
	return n_got == 0 || status_is("4") || status_is("501");
}

static bool works(void)
{
	return ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") && status_is("200 ");
}

static void test_get(void)
{
	struct evbuffer *b = evbuffer_new();
	const char *body;
	char length[64];
	size_t len;

	start();
	fake.stats.ss_tunnels = 42;
	metrics_text(b, NULL, NULL);
	len = evbuffer_get_length(b);
	CU_ASSERT(ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"));
	CU_ASSERT(status_is("200 OK\r\n"));
	CU_ASSERT_PTR_NOT_NULL(
	        strstr(got, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	snprintf(length, sizeof(length), "\r\nContent-Length: %zu\r\n", len);
	CU_ASSERT_PTR_NOT_NULL(strstr(got, length));
	body = strstr(got, "\r\n\r\n");
	CU_ASSERT_PTR_NOT_NULL_FATAL(body);
	CU_ASSERT_EQUAL(strlen(body + 4), len);
	CU_ASSERT(memcmp(body + 4, evbuffer_pullup(b, -1), len) == 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(body, "\nsallyport_ss_tunnels_total 42\n"));
	evbuffer_free(b);
	/* Whatever the client says, an answer is the last on its connection. */
	CU_ASSERT(ask("GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n"));
	CU_ASSERT(status_is("200 "));
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "\r\nConnection: close\r\n"));
	CU_ASSERT(ask("GET /metrics HTTP/1.0\r\n\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(got, " 200 OK\r\n"));
	CU_ASSERT(all_gone(1000));
	stop();
}

static void test_refusals(void)
{
	static const char *const paths[] = {"/", "/metrics/", "/metricsx", "/../metrics",
	                                    "/METRICS"};
	static const char *const methods[] = {"POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"};
	char request[128];

	start();
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", paths[i]);
		CU_ASSERT(ask(request));
		CU_ASSERT(status_is("404 "));
		CU_ASSERT_PTR_NULL(strstr(got, "sallyport"));
	}
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		snprintf(request, sizeof(request),
		         "%s /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
		         methods[i]);
		CU_ASSERT(ask(request));
		CU_ASSERT(status_is("405 "));
		CU_ASSERT_PTR_NOT_NULL(strstr(got, "\r\nAllow: GET\r\n"));
		CU_ASSERT_PTR_NULL(strstr(got, "sallyport"));
	}
	CU_ASSERT(ask("BREW /metrics HTTP/1.1\r\nHost: x\r\n\r\n"));
	CU_ASSERT(refused());
	CU_ASSERT_PTR_NULL(strstr(got, "sallyport"));
	CU_ASSERT(works());
	stop();
}

/* A request that is larger than any of ours is not read to its end. */
static void test_oversized(void)
{
	static char big[16384];
	int n = snprintf(big, sizeof(big), "GET /metrics HTTP/1.1\r\nHost: x\r\nX: ");

	start();
	CU_ASSERT(ask("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"));
	CU_ASSERT(status_is("413 "));
	CU_ASSERT(ask("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: "
	              "9223372036854775807\r\n\r\nx"));
	CU_ASSERT(status_is("413 "));
	CU_ASSERT(ask("POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	              "5\r\nhello\r\n0\r\n\r\n"));
	CU_ASSERT(refused());
	memset(big + n, 'a', sizeof(big) - 1 - (size_t)n);
	CU_ASSERT(ask(big)); /* a header without an end */
	CU_ASSERT(refused());
	memcpy(big + sizeof(big) - 5, "\r\n\r\n", 4);
	CU_ASSERT(ask(big));
	CU_ASSERT(refused());
	memset(big, 'G', sizeof(big) - 1); /* a first line without an end */
	CU_ASSERT(ask(big));
	CU_ASSERT(refused());
	for (n = 0; n + 8 < (int)sizeof(big);)
		n += sprintf(big + n, n ? "a: b\r\n" : "GET /metrics HTTP/1.1\r\n");
	CU_ASSERT(ask(big)); /* short headers, many */
	CU_ASSERT(refused());
	CU_ASSERT(works());
	stop();
}

static void test_garbage(void)
{
	static const char *const bytes[] = {
	        "\r\n\r\n",
	        "GET\r\n\r\n",
	        "GET /metrics\r\n\r\n",
	        "GET /metrics HTTP/9.9\r\n\r\n",
	        "GET /metrics HTTP/1.1\r\nno colon\r\n\r\n",
	        "GET /metrics HTTP/1.1\r\n: empty\r\n folded\r\n\r\n",
	        "GET http://[::1/metrics HTTP/1.1\r\n\r\n",
	        "GET /%zz%00 HTTP/1.1\r\n\r\n",
	        "CONNECT x:1 HTTP/1.1\r\n\r\n",
	        "POST /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
	        "POST /metrics HTTP/1.1\r\nContent-Length: x\r\nContent-Length: 3\r\n\r\n",
	        "\xff\xfe\x01\x02 \x80\r\n\r\n",
	        "\x16\x03\x01\x02\x01\x01 a ClientHello\r\n\r\n",
	};
	static const struct linger reset = {.l_onoff = 1};
	int fd;

	start();
	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		fd = dial();
		CU_ASSERT(send(fd, bytes[i], strlen(bytes[i]), MSG_NOSIGNAL) > 0);
		shutdown(fd, SHUT_WR);
		CU_ASSERT(read_all(fd, 4000));
		close(fd);
	}
	/* Resets: before the request, in its middle, and with the answer unread. */
	for (int i = 0; i < 3; i++) {
		static const char *const some[] = {"", "GET /met",
		                                   "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"};

		fd = dial();
		wait_ms(5);
		(void)!send(fd, some[i], strlen(some[i]), MSG_NOSIGNAL);
		wait_ms(20);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
	}
	CU_ASSERT(all_gone(1000));
	CU_ASSERT(works());
	stop();
}

/* Whoever holds a connection open gets it closed; meanwhile no more than the maximum are accepted. */
static void test_slow(void)
{
	int silent[MAX - 1], slow, waiting;
	uint64_t begin, closed = 0, served = 0;
	unsigned int sent = 0;

	start();
	begin = now_ms();
	for (int i = 0; i < MAX - 1; i++)
		silent[i] = dial();
	slow = dial();
	waiting = dial(); /* all at once: the listener must stop in its stride */
	wait_ms(50);
	CU_ASSERT_EQUAL(metrics_connections(m), MAX);
	(void)!send(waiting, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 35, MSG_NOSIGNAL);
	wait_ms(300);
	CU_ASSERT_EQUAL(metrics_connections(m), MAX);
	CU_ASSERT(recv(waiting, got, 1, 0) < 0 && errno == EAGAIN);
	/* A byte now and then: never silent for long, and never done. */
	while (!closed && now_ms() < begin + 9000) {
		wait_ms(100);
		if (send(slow, sent < 5 ? &"GET /"[sent] : "a", 1, MSG_NOSIGNAL) < 0)
			closed = now_ms();
		sent++;
		if (!served && recv(waiting, got, 1, MSG_PEEK) == 1)
			served = now_ms();
	}
	CU_ASSERT(sent > 30);
	CU_ASSERT(served > begin && served < begin + 3500); /* when the silent ones were gone */
	CU_ASSERT(closed >= begin + 4000 && closed < begin + 7000);
	CU_ASSERT(read_all(waiting, 1000));
	CU_ASSERT(status_is("200 "));
	for (int i = 0; i < MAX - 1; i++) {
		CU_ASSERT(read_all(silent[i], 100));
		CU_ASSERT(refused());
		close(silent[i]);
	}
	close(slow);
	close(waiting);
	CU_ASSERT(all_gone(1000));
	CU_ASSERT(works());
	stop();
}

/* An answer that nobody reads, larger than what the kernel takes; and one that is read to its half. */
static void test_no_reader(void)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
	static const struct linger reset = {.l_onoff = 1};
	uint64_t begin;
	int fd[2];

	start();
	fake.n_pools = 100000;
	for (int i = 0; i < 2; i++) {
		fd[i] = dial();
		CU_ASSERT(send(fd[i], request, sizeof(request) - 1, MSG_NOSIGNAL) > 0);
	}
	begin = now_ms();
	CU_ASSERT(comes(2, fd[1], 4096));
	CU_ASSERT(recv(fd[1], got, 4096, 0) == 4096);
	setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd[1]);
	CU_ASSERT(comes(1, -1, 0));
	CU_ASSERT(all_gone(7000));
	CU_ASSERT(now_ms() < begin + 6000);
	close(fd[0]);
	fake.n_pools = 0;
	CU_ASSERT(works());
	stop();
}

/* It stops with clients in every state, and says why it cannot start. */
static void test_life(void)
{
	struct cfg_metrics conf = {.max_connections = MAX};
	int fd[3];

	start();
	fake.n_pools = 100000;
	for (int i = 0; i < 3; i++)
		fd[i] = dial();
	(void)!send(fd[1], "GET /metr", 9, MSG_NOSIGNAL);
	(void)!send(fd[2], "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 35, MSG_NOSIGNAL);
	wait_ms(100);
	CU_ASSERT_EQUAL(metrics_connections(m), 3);
	ipaddr_parse("127.0.0.1", &conf.listen.addr);
	conf.listen.port = metrics_port(m);
	errno = 0;
	CU_ASSERT_PTR_NULL(metrics_new(base, &conf, NULL, NULL, &sink));
	CU_ASSERT_EQUAL(errno, EADDRINUSE);
	CU_ASSERT_EQUAL(errors, 1);
	conf.listen.port = 0;
	strcpy(conf.netns, "/nowhere/at/all");
	CU_ASSERT_PTR_NULL(metrics_new(base, &conf, NULL, NULL, &sink));
	CU_ASSERT_EQUAL(errno, ENOENT);
	CU_ASSERT_EQUAL(errors, 2);
	stop();
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	metrics_free(NULL);
}

/* In a child: a namespace of its own, and metrics that are read in the one it came from. */
static int serve_elsewhere(void)
{
	struct cfg_metrics conf = {.max_connections = 1};
	int origin = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (origin < 0 || unshare(CLONE_NEWNET) < 0)
		return 77;
	ipaddr_parse("127.0.0.1", &conf.listen.addr);
	snprintf(conf.netns, sizeof(conf.netns), "/proc/self/fd/%d", origin);
	base = event_base_new();
	m = metrics_new(base, &conf, NULL, NULL, &sink);
	if (m == NULL)
		return 1;
	if (setns(origin, CLONE_NEWNET) < 0)
		return 2;
	if (!works())
		return 3;
	stop();
	close(origin);
	return 0;
}

static void test_netns(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(serve_elsewhere());
	CU_ASSERT_FATAL(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		puts("not allowed to make a network namespace");
	else
		CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
}

/* Without descriptors nothing is accepted, and nothing spins; then it goes on. */
static void test_no_descriptors(void)
{
	struct rlimit had, none;
	unsigned int turns = 0;
	uint64_t end;
	int fd;

	start();
	fd = dial();
	CU_ASSERT(send(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 35, MSG_NOSIGNAL) == 35);
	getrlimit(RLIMIT_NOFILE, &had);
	none = had;
	none.rlim_cur = (rlim_t)fd + 1;
	CU_ASSERT(setrlimit(RLIMIT_NOFILE, &none) == 0);
	for (end = now_ms() + 500; now_ms() < end; turns++)
		event_base_loop(base, EVLOOP_ONCE); /* sleeps until something happens */
	CU_ASSERT(turns < 50);
	CU_ASSERT_EQUAL(metrics_connections(m), 0);
	setrlimit(RLIMIT_NOFILE, &had);
	CU_ASSERT(read_all(fd, 2000));
	CU_ASSERT(status_is("200 "));
	close(fd);
	stop();
}

/* A client a moment, for long: no descriptor and no slot is lost. */
static void test_many(void)
{
	int before, after;

	start();
	CU_ASSERT(works());
	CU_ASSERT(all_gone(1000));
	before = dup(0);
	close(before);
	for (int i = 0; i < 100; i++)
		CU_ASSERT(works());
	CU_ASSERT(all_gone(1000));
	after = dup(0);
	close(after);
	CU_ASSERT_EQUAL(before, after);
	stop();
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"get", test_get},
	        {"refusals", test_refusals},
	        {"oversized", test_oversized},
	        {"slow", test_slow},
	        {"no reader", test_no_reader},
	        {"garbage", test_garbage},
	        {"life", test_life},
	        {"many", test_many},
	        {"no descriptors", test_no_descriptors},
	        {"netns", test_netns},
	        CU_TEST_INFO_NULL,
	};

	signal(SIGPIPE, SIG_IGN);
	return run_suite("metrics over HTTP", tests);
}
