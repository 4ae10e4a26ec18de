/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Connections: bytes go from the socket's buffer through libtelnet into a command line, and back.
 * What is taken in is limited by what the command line has room for, what it puts out by the output
 * buffer's high-water mark; below the low-water mark it goes on. Every turn is short: the rest of the
 * work comes with the next round of the event loop.
 */
#include "console/server.h"
#include "console/socket.h"

#include <errno.h>
#include <libtelnet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#define OUT_HIGH       16384 /* bytes that wait for the client: no more is printed */
#define OUT_LOW        4096
#define IN_HIGH        4096 /* bytes that the client sent and nobody took: no more is read */
#define FEED           256 /* bytes given to telnet at once; bounds what an answer can amount to */
#define LINGER_S       5 /* for the client to read the last words */
#define ACCEPT_PAUSE_S 1 /* after accept has failed, for want of descriptors as a rule */
#define BACKLOG        16
#define INTERRUPT      "\003" /* what lib/cli takes for "stop" */

struct conn {
	LIST_ENTRY(conn) link;
	struct server *server;
	struct bufferevent *bev;
	telnet_t *telnet;
	struct cli *cli;
	struct event *again; /* the rest of a turn */
	struct event *idle; /* nobody types; or, when closing, nobody reads */
	bool eof; /* the client will send no more */
	bool broken; /* it does not speak telnet as we do: end it */
	bool closing;
	char peer[ENDPOINT_STRLEN];
};

struct server {
	struct event_base *base;
	struct evconnlistener *listener;
	struct event *resume; /* listens again after a failed accept */
	struct log *log;
	const struct cli_mode *root;
	void *user;
	char host[CFG_NAME_MAX];
	uint32_t max_connections, n;
	uint32_t idle_timeout_s;
	uint16_t port;
	LIST_HEAD(, conn) conns;
};

static void conn_free(struct conn *c)
{
	struct server *srv = c->server;

	log_info(srv->log, "event=console-closed peer=%s", c->peer);
	LIST_REMOVE(c, link);
	srv->n--;
	cli_free(c->cli);
	if (c->telnet)
		telnet_free(c->telnet);
	if (c->again)
		event_free(c->again);
	if (c->idle)
		event_free(c->idle);
	bufferevent_free(c->bev);
	free(c);
}

static size_t out_len(const struct conn *c)
{
	return evbuffer_get_length(bufferevent_get_output(c->bev));
}

static void cli_to_telnet(void *owner, const char *bytes, size_t n)
{
	struct conn *c = owner;

	telnet_send(c->telnet, bytes, n);
}

static size_t cli_out_room(void *owner)
{
	size_t n = out_len(owner);

	return n < OUT_HIGH ? OUT_HIGH - n : 0;
}

/* NAWS: columns and rows, 16 bits each, in network order (RFC 1073). */
static void take_window(struct conn *c, const char *bytes, size_t n)
{
	const unsigned char *p = (const unsigned char *)bytes;

	if (n == 4)
		cli_set_window(c->cli, p[0] << 8 | p[1], p[2] << 8 | p[3]);
}

static void on_telnet(telnet_t *telnet, telnet_event_t *ev, void *arg)
{
	struct conn *c = arg;

	switch (ev->type) {
	case TELNET_EV_DATA:
		cli_input(c->cli, ev->data.buffer, ev->data.size);
		break;
	case TELNET_EV_SEND:
		bufferevent_write(c->bev, ev->data.buffer, ev->data.size);
		break;
	case TELNET_EV_IAC:
		if (ev->iac.cmd == TELNET_IP || ev->iac.cmd == TELNET_BREAK)
			cli_input(c->cli, INTERRUPT, 1);
		else if (ev->iac.cmd == TELNET_AYT) /* wants a visible answer (RFC 854) */
			cli_to_telnet(c, "\r\n[yes]\r\n", 9);
		break;
	case TELNET_EV_SUBNEGOTIATION:
		if (ev->sub.telopt == TELNET_TELOPT_NAWS)
			take_window(c, ev->sub.buffer, ev->sub.size);
		break;
	case TELNET_EV_COMPRESS:
		/* libtelnet inflates without asking whether we agreed: a few bytes would be much. */
	case TELNET_EV_ERROR:
		c->broken = true;
		break;
	default:
		break;
	}
}

static void rearm_idle(struct conn *c)
{
	struct timeval tv = {.tv_sec = c->server->idle_timeout_s};

	if (tv.tv_sec && !c->closing)
		event_add(c->idle, &tv);
}

/* Takes no more, and ends when the client has read what there is, or has had the time to. */
static void conn_close(struct conn *c)
{
	struct timeval tv = {.tv_sec = LINGER_S};

	if (c->closing)
		return;
	c->closing = true;
	bufferevent_disable(c->bev, EV_READ);
	bufferevent_setwatermark(c->bev, EV_WRITE, 0, 0);
	event_add(c->idle, &tv);
}

/* Moves typed bytes to the command line while it has room. */
static void feed(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	char bytes[FEED];

	while (!c->broken && out_len(c) < OUT_HIGH) {
		size_t room = cli_input_room(c->cli);
		int n = evbuffer_remove(in, bytes, room < FEED ? room : FEED);

		if (n <= 0)
			return;
		telnet_recv(c->telnet, bytes, (size_t)n);
	}
}

/* One turn. c may be gone when it returns. */
static void conn_work(struct conn *c)
{
	static const struct timeval now = {0};
	bool more = false;

	if (!c->closing) {
		feed(c);
		switch (cli_pump(c->cli)) {
		case CLI_WAIT_INPUT:
			more = evbuffer_get_length(bufferevent_get_input(c->bev)) > 0;
			if (c->eof && !more)
				conn_close(c);
			break;
		case CLI_WAIT_NOTHING:
			more = true;
			break;
		case CLI_WAIT_ROOM:
			break;
		case CLI_WAIT_CLOSE:
			conn_close(c);
			break;
		}
	}
	if (c->broken || (c->closing && out_len(c) == 0))
		conn_free(c);
	else if (more)
		event_add(c->again, &now); /* a timer: other descriptors get their turn first */
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	conn_work(arg);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	rearm_idle(arg);
	conn_work(arg);
}

static void on_drained(struct bufferevent *bev, void *arg)
{
	rearm_idle(arg);
	conn_work(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct conn *c = arg;

	if (what & BEV_EVENT_ERROR) {
		conn_free(c);
	} else if (what & BEV_EVENT_EOF) {
		/* What was sent before the end is still carried out. */
		c->eof = true;
		conn_work(c);
	}
}

static void on_idle(evutil_socket_t fd, short what, void *arg)
{
	static const char text[] = "\r\n% Idle timeout\r\n";
	struct conn *c = arg;

	if (c->closing) {
		conn_free(c);
		return;
	}
	cli_to_telnet(c, text, sizeof(text) - 1);
	conn_close(c);
}

/* ---- new connections ---- */

static bool conn_start(struct conn *c)
{
	static const telnet_telopt_t options[] = {
	        {TELNET_TELOPT_ECHO, TELNET_WILL, TELNET_DONT},
	        {TELNET_TELOPT_SGA, TELNET_WILL, TELNET_DO},
	        {TELNET_TELOPT_NAWS, TELNET_WONT, TELNET_DO},
	        {-1, 0, 0},
	};
	struct server *srv = c->server;
	struct cli_conf conf = {
	        .root = srv->root,
	        .host = srv->host,
	        .level = CLI_LEVEL_MAX,
	        .user = srv->user,
	        .owner = c,
	        .write = cli_to_telnet,
	        .room = cli_out_room,
	};

	c->again = evtimer_new(srv->base, on_again, c);
	c->idle = evtimer_new(srv->base, on_idle, c);
	c->telnet = telnet_init(options, on_telnet, 0, c);
	c->cli = cli_new(&conf);
	if (!c->again || !c->idle || !c->telnet || !c->cli)
		return false;
	bufferevent_setwatermark(c->bev, EV_READ, 0, IN_HIGH);
	bufferevent_setwatermark(c->bev, EV_WRITE, OUT_LOW, 0);
	bufferevent_setcb(c->bev, on_read, on_drained, on_event, c);
	telnet_negotiate(c->telnet, TELNET_WILL, TELNET_TELOPT_ECHO);
	telnet_negotiate(c->telnet, TELNET_WILL, TELNET_TELOPT_SGA);
	telnet_negotiate(c->telnet, TELNET_DO, TELNET_TELOPT_NAWS);
	rearm_idle(c);
	return bufferevent_enable(c->bev, EV_READ | EV_WRITE) == 0;
}

static void conn_new(struct server *srv, evutil_socket_t fd, const struct endpoint *peer)
{
	struct bufferevent *bev = bufferevent_socket_new(srv->base, fd, BEV_OPT_CLOSE_ON_FREE);
	struct conn *c = calloc(1, sizeof(*c));

	if (!bev || !c) {
		log_error(srv->log, "event=console-failed error=\"out of memory\"");
		if (bev)
			bufferevent_free(bev);
		else
			close(fd);
		free(c);
		return;
	}
	c->server = srv;
	c->bev = bev;
	endpoint_str(peer, c->peer, sizeof(c->peer));
	LIST_INSERT_HEAD(&srv->conns, c, link);
	srv->n++;
	log_info(srv->log, "event=console-connected peer=%s", c->peer);
	if (conn_start(c))
		conn_work(c);
	else
		conn_free(c);
}

static struct endpoint from_sockaddr(const struct sockaddr *sa)
{
	struct endpoint e = {0};

	e.addr.family = (uint8_t)sa->sa_family;
	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)sa;

		memcpy(e.addr.b, &sin6->sin6_addr, 16);
		e.port = ntohs(sin6->sin6_port);
	} else {
		const struct sockaddr_in *sin = (const struct sockaddr_in *)sa;

		memcpy(e.addr.b, &sin->sin_addr, 4);
		e.port = ntohs(sin->sin_port);
	}
	return e;
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len,
                      void *arg)
{
	static const char full[] = "% Too many connections\r\n";
	struct server *srv = arg;
	struct endpoint peer = from_sockaddr(sa);
	char text[ENDPOINT_STRLEN];
	int on = 1;

	if (srv->n >= srv->max_connections) {
		log_warning(srv->log, "event=console-refused peer=%s connections=%u",
		            endpoint_str(&peer, text, sizeof(text)), srv->n);
		(void)!send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	conn_new(srv, fd, &peer);
}

/* The listener would report the same failure again at once, for ever. */
static void on_accept_error(struct evconnlistener *l, void *arg)
{
	struct timeval tv = {.tv_sec = ACCEPT_PAUSE_S};
	struct server *srv = arg;

	log_warning(srv->log, "event=console-accept-failed error=\"%s\"",
	            strerror(EVUTIL_SOCKET_ERROR()));
	evconnlistener_disable(l);
	event_add(srv->resume, &tv);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct server *srv = arg;

	evconnlistener_enable(srv->listener);
}

static bool is_loopback(const struct ipaddr *a)
{
	static const uint8_t one[16] = {[15] = 1};

	return a->family == AF_INET6 ? memcmp(a->b, one, 16) == 0 : a->b[0] == 127;
}

static void note_port(struct server *srv, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
		srv->port = from_sockaddr((struct sockaddr *)&ss).port;
}

static int start_listening(struct server *srv, const struct cfg_console *conf)
{
	char text[ENDPOINT_STRLEN];
	int fd = console_listen(&conf->listen, conf->netns, BACKLOG, "console", srv->log);

	if (fd < 0)
		return fd;
	note_port(srv, fd);
	srv->resume = evtimer_new(srv->base, on_resume, srv);
	/* backlog 0: it listens already */
	srv->listener = evconnlistener_new(srv->base, on_accept, srv,
	                                   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!srv->listener)
		close(fd);
	if (!srv->listener || !srv->resume) {
		log_error(srv->log, "event=console-failed error=\"out of memory\"");
		return -ENOMEM;
	}
	evconnlistener_set_error_cb(srv->listener, on_accept_error);
	if (!is_loopback(&conf->listen.addr))
		log_warning(srv->log,
		            "event=console-exposed listen=%s warning=\"not a loopback address, and "
		            "the console "
		            "asks for no password\"",
		            endpoint_str(&conf->listen, text, sizeof(text)));
	return 0;
}

struct server *server_new(struct event_base *base, const struct cfg_console *conf, const char *host,
                          struct log *log, const struct cli_mode *root, void *user)
{
	struct server *srv = calloc(1, sizeof(*srv));
	int ret;

	if (!srv) {
		log_error(log, "event=console-failed error=\"out of memory\"");
		errno = ENOMEM;
		return NULL;
	}
	srv->base = base;
	srv->log = log;
	srv->root = root;
	srv->user = user;
	srv->max_connections = conf->max_connections;
	srv->idle_timeout_s = conf->idle_timeout_s;
	LIST_INIT(&srv->conns);
	strncpy(srv->host, host, sizeof(srv->host) - 1);
	ret = start_listening(srv, conf);
	if (ret < 0) {
		server_free(srv);
		errno = -ret;
		return NULL;
	}
	return srv;
}

void server_free(struct server *srv)
{
	if (!srv)
		return;
	while (!LIST_EMPTY(&srv->conns))
		conn_free(LIST_FIRST(&srv->conns));
	if (srv->listener)
		evconnlistener_free(srv->listener);
	if (srv->resume)
		event_free(srv->resume);
	free(srv);
}

uint16_t server_port(const struct server *srv)
{
	return srv->port;
}

uint32_t server_connections(const struct server *srv)
{
	return srv->n;
}
