/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The telnet server over the loopback interface: real sockets, one thread. */
#include "console/server.h"

#include <CUnit/Basic.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#define IAC  "\377"
#define ROWS 64000

struct rows {
	unsigned int next;
};

struct counts {
	unsigned int prints, releases;
	unsigned int columns;
};

static enum cli_step rows_start(struct cli *cli, void *ctx, const struct cli_args *args)
{
	return CLI_MORE;
}

static enum cli_step rows_print(struct cli *cli, void *ctx)
{
	struct counts *n = cli_user(cli);
	struct rows *r = ctx;

	n->prints++;
	cli_printf(cli, "row %u of a table that is longer than any buffer\n", ++r->next);
	return r->next < ROWS ? CLI_MORE : CLI_DONE;
}

static void rows_release(struct cli *cli, void *ctx)
{
	struct counts *n = cli_user(cli);

	n->releases++;
}

static enum cli_step say_width(struct cli *cli, void *ctx, const struct cli_args *args)
{
	cli_printf(cli, "width %u\n", cli_width(cli));
	return CLI_DONE;
}

static enum cli_step say_text(struct cli *cli, void *ctx, const struct cli_args *args)
{
	cli_printf(cli, "text %s\n", cli_arg(args, "TEXT")->text);
	return CLI_DONE;
}

static enum cli_step leave(struct cli *cli, void *ctx, const struct cli_args *args)
{
	cli_leave(cli);
	return CLI_DONE;
}

static const struct cli_command commands[] = {
        {.tokens = {CLI_KW("rows", "A long table")},
         .ctx_size = sizeof(struct rows),
         .start = rows_start,
         .print = rows_print,
         .release = rows_release},
        {.tokens = {CLI_KW("width", "The terminal's")}, .start = say_width},
        {.tokens = {CLI_KW("say", "Say"), {.type = CLI_WORD, .name = "TEXT", .help = "What"}},
         .start = say_text},
        {.tokens = {CLI_KW("exit", "End")}, .start = leave},
};
static const struct cli_table table = {commands, 4};
static const struct cli_table *const tables[] = {&table};
static const struct cli_mode root = {.prompt = ">", .tables = tables, .n_tables = 1};

static struct event_base *base;
static struct server *server;
static struct counts counts;
static char got[1 << 16];
static size_t n_got;
static unsigned int warnings, errors;

static void count_log(struct log *log, enum log_level level, const char *line)
{
	warnings += level == LOG_LVL_WARNING;
	errors += level == LOG_LVL_ERROR;
}

static struct log sink = {.level = LOG_LVL_DEBUG, .sink = count_log};

static void start(uint16_t max, uint32_t idle_s)
{
	struct cfg_console conf = {.max_connections = max, .idle_timeout_s = idle_s};

	ipaddr_parse("127.0.0.1", &conf.listen.addr);
	memset(&counts, 0, sizeof(counts));
	warnings = errors = 0;
	base = event_base_new();
	server = server_new(base, &conf, "lns", &sink, &root, &counts);
	CU_ASSERT_PTR_NOT_NULL_FATAL(server);
}

static void stop(void)
{
	server_free(server);
	event_base_free(base);
}

static int dial(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(server_port(server))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, "127.0.0.1", &sin.sin_addr);
	CU_ASSERT_FATAL(connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0);
	n_got = 0;
	got[0] = '\0';
	return fd;
}

/* Reads what is there; false at the end of the connection. got keeps the last bytes. */
static bool take(int fd)
{
	ssize_t n;

	if (n_got > sizeof(got) / 2) {
		memmove(got, got + n_got - 4096, 4096);
		n_got = 4096;
	}
	n = recv(fd, got + n_got, sizeof(got) - 1 - n_got, MSG_DONTWAIT);
	if (n > 0) {
		n_got += (size_t)n;
		got[n_got] = '\0';
	}
	return n > 0 || (n < 0 && errno == EAGAIN);
}

static bool until(int fd, const char *text)
{
	time_t end = time(NULL) + 10;

	while (time(NULL) < end) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		if (!take(fd))
			return text == NULL;
		if (text && memmem(got, n_got, text, strlen(text)))
			return true;
		if (!text)
			poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 1);
	}
	return false;
}

/* The server hears of the end of its connections, which a busy kernel may tell it a little later. */
static bool all_gone(void)
{
	for (int i = 0; i < 3000 && server_connections(server) > 0; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		poll(NULL, 0, 1);
	}
	return server_connections(server) == 0;
}

static void put(int fd, const void *bytes, size_t n)
{
	CU_ASSERT_FATAL(send(fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n);
}

static void type(int fd, const char *text)
{
	put(fd, text, strlen(text));
}

static void test_session(void)
{
	int fd;

	start(2, 600);
	fd = dial();
	CU_ASSERT(until(fd, "lns>"));
	CU_ASSERT(memmem(got, n_got, IAC "\373\001", 3) != NULL); /* WILL ECHO */
	CU_ASSERT(memmem(got, n_got, IAC "\373\003", 3) != NULL); /* WILL SGA */
	CU_ASSERT(memmem(got, n_got, IAC "\375\037", 3) != NULL); /* DO NAWS */
	put(fd, IAC "\373\037" IAC "\372\037\000\120\000\000" IAC "\360", 12);
	type(fd, "wid\r\n");
	CU_ASSERT(until(fd, "width 80\r\nlns>"));
	put(fd, "say a\r\0say b\r\0", 14);
	CU_ASSERT(until(fd, "text a\r\nlns>say b\r\ntext b\r\nlns>"));
	put(fd, IAC IAC IAC "\366", 4); /* a byte 255, Are You There */
	CU_ASSERT(until(fd, "[yes]"));
	type(fd, "exit\r\n");
	CU_ASSERT(until(fd, NULL));
	CU_ASSERT_EQUAL(server_connections(server), 0);
	close(fd);
	stop();
	CU_ASSERT_EQUAL(warnings + errors, 0);
}

/* Commands and the end of the stream in one go, as from a script. */
static void test_half_close(void)
{
	int fd;

	start(2, 600);
	fd = dial();
	type(fd, "rows | include 64000\nsay last\n");
	shutdown(fd, SHUT_WR);
	CU_ASSERT(until(fd, NULL));
	CU_ASSERT(memmem(got, n_got, "row 64000 of", 12) != NULL);
	CU_ASSERT(memmem(got, n_got, "text last", 9) != NULL);
	CU_ASSERT_EQUAL(counts.releases, 1);
	close(fd);
	stop();
}

/* A client that does not read stops its table, not the loop; when it reads, all of it comes. */
static void test_backpressure(void)
{
	unsigned int i, before;
	int fd;

	start(2, 600);
	fd = dial();
	CU_ASSERT(until(fd, "lns>"));
	type(fd, "rows\r");
	do {
		before = counts.prints;
		for (i = 0; i < 200; i++)
			event_base_loop(base, EVLOOP_NONBLOCK);
	} while (counts.prints != before);
	/* what the two sockets hold was printed, no more */
	if (counts.prints < ROWS)
		CU_ASSERT_EQUAL(counts.releases, 0);
	CU_ASSERT(until(fd, "row 64000 of"));
	CU_ASSERT(until(fd, "lns>"));
	CU_ASSERT_EQUAL(counts.releases, 1);
	close(fd);
	stop();
}

static void test_gone_midway(void)
{
	struct linger hard = {.l_onoff = 1};
	int fd;

	start(2, 600);
	fd = dial();
	CU_ASSERT(until(fd, "lns>"));
	type(fd, "rows\r");
	CU_ASSERT(until(fd, "row 100 of"));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
	CU_ASSERT(all_gone());
	CU_ASSERT_EQUAL(counts.releases, 1);
	stop();
}

static void test_interrupt_process(void)
{
	int fd;

	start(2, 600);
	fd = dial();
	CU_ASSERT(until(fd, "lns>"));
	type(fd, "rows\r");
	CU_ASSERT(until(fd, "row 10 of"));
	put(fd, IAC "\364", 2);
	CU_ASSERT(until(fd, "^C\r\nlns>"));
	CU_ASSERT(counts.prints < ROWS);
	close(fd);
	stop();
	CU_ASSERT_EQUAL(counts.releases, 1);
}

static void test_limit(void)
{
	int a, b;

	start(1, 600);
	a = dial();
	CU_ASSERT(until(a, "lns>"));
	b = dial();
	CU_ASSERT(until(b, "Too many connections"));
	CU_ASSERT(until(b, NULL));
	CU_ASSERT_EQUAL(warnings, 1);
	close(a);
	CU_ASSERT_EQUAL(server_connections(server), 1);
	CU_ASSERT(all_gone());
	close(b);
	stop();
}

static void test_idle(void)
{
	int fd;

	start(1, 1);
	fd = dial();
	CU_ASSERT(until(fd, NULL));
	CU_ASSERT(memmem(got, n_got, "% Idle timeout", 14) != NULL);
	close(fd);
	stop();
}

/* libtelnet would inflate whatever follows: that is the end. */
static void test_uninvited_compression(void)
{
	int fd;

	start(1, 600);
	fd = dial();
	CU_ASSERT(until(fd, "lns>"));
	put(fd, IAC "\372\126" IAC "\360rest", 9);
	CU_ASSERT(until(fd, NULL));
	close(fd);
	stop();
}

static void test_flood(void)
{
	unsigned char bytes[65536];
	unsigned int i;
	int fd;

	srand(2);
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i % 3 ? rand() : 255);
	start(1, 600);
	fd = dial();
	for (i = 0; i < sizeof(bytes) && server_connections(server) <= 1;) {
		ssize_t n = send(fd, bytes + i, sizeof(bytes) - i, MSG_DONTWAIT | MSG_NOSIGNAL);

		event_base_loop(base, EVLOOP_NONBLOCK);
		if (!take(fd))
			break;
		if (n < 0 && errno != EAGAIN)
			break;
		i += n > 0 ? (unsigned int)n : 0;
	}
	close(fd);
	stop();
	CU_ASSERT_EQUAL(errors, 0);
}

static void test_refusals(void)
{
	struct cfg_console conf = {.max_connections = 1};

	start(1, 600);
	conf.listen.port = server_port(server);
	ipaddr_parse("127.0.0.1", &conf.listen.addr);
	CU_ASSERT_PTR_NULL(server_new(base, &conf, "lns", &sink, &root, NULL)); /* in use */
	conf.listen.port = 0;
	strcpy(conf.netns, "/nowhere/at/all");
	CU_ASSERT_PTR_NULL(server_new(base, &conf, "lns", &sink, &root, NULL));
	strcpy(conf.netns, "/dev/null");
	CU_ASSERT_PTR_NULL(server_new(base, &conf, "lns", &sink, &root, NULL));
	CU_ASSERT_EQUAL(errors, 3);
	stop();
}

/* In a child: a new namespace of its own, and a console that answers in the one it came from. */
static int serve_from_elsewhere(void)
{
	struct cfg_console conf = {.max_connections = 1, .idle_timeout_s = 600};
	int origin = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	struct stat before, after;
	int fd;

	if (origin < 0 || unshare(CLONE_NEWNET) < 0)
		return 77;
	ipaddr_parse("127.0.0.1", &conf.listen.addr);
	snprintf(conf.netns, sizeof(conf.netns), "/proc/self/fd/%d", origin);
	base = event_base_new();
	if (stat("/proc/thread-self/ns/net", &before) < 0)
		return 1;
	server = server_new(base, &conf, "lns", &sink, &root, &counts);
	if (!server || stat("/proc/thread-self/ns/net", &after) < 0 ||
	    before.st_ino != after.st_ino)
		return 2;
	if (setns(origin, CLONE_NEWNET) < 0)
		return 3;
	fd = dial();
	if (!until(fd, "lns>"))
		return 4;
	close(fd);
	stop();
	close(origin);
	return 0;
}

static void test_netns(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(serve_from_elsewhere());
	CU_ASSERT_FATAL(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		printf(" (left out: not allowed to make a namespace) ");
	else
		CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
}

int main(void)
{
	unsigned int failures;
	CU_pSuite s;

	signal(SIGPIPE, SIG_IGN);
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	s = CU_add_suite("console", NULL, NULL);
	CU_ADD_TEST(s, test_session);
	CU_ADD_TEST(s, test_half_close);
	CU_ADD_TEST(s, test_backpressure);
	CU_ADD_TEST(s, test_gone_midway);
	CU_ADD_TEST(s, test_interrupt_process);
	CU_ADD_TEST(s, test_limit);
	CU_ADD_TEST(s, test_idle);
	CU_ADD_TEST(s, test_uninvited_compression);
	CU_ADD_TEST(s, test_flood);
	CU_ADD_TEST(s, test_refusals);
	CU_ADD_TEST(s, test_netns);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures ? 1 : 0;
}
