/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The server. libevent's evhttp reads requests and writes answers; it limits neither how many clients
 * there are nor how long one may take in all, so both are done here: every connection has a slot and
 * a deadline, and while all slots are taken nothing is accepted. evhttp tells nobody that a connection
 * has ended, but takes its callbacks off the bufferevent then; a look every SWEEP_US finds that.
 */
#include "console/metrics.h"
#include "console/socket.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>

#define SLOTS_MAX   16 /* what the schema allows */
#define BACKLOG     16
#define HEADERS_MAX 4096 /* bytes of a request's line and headers */
#define SILENCE_S   2 /* longest wait for the client to send or take something */
#define DEADLINE_MS 5000 /* from accept to close */
#define SWEEP_US    100000

#define METHODS                                                                                    \
	(EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | \
	 EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH)

struct slot {
	struct bufferevent *bev; /* NULL: free. We hold a reference */
	uint64_t deadline_ms;
};

struct metrics {
	struct evhttp *http;
	struct evconnlistener *listener;
	struct event *sweep;
	struct ctl *ctl;
	struct dp *dp;
	struct log *log;
	struct slot slots[SLOTS_MAX];
	uint32_t max, n;
	uint16_t port;
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- connections ---- */

static void let_go(struct metrics *m, struct slot *s)
{
	bufferevent_decref(s->bev); /* the last reference: the socket is closed */
	s->bev = NULL;
	m->n--;
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct metrics *m = arg;
	uint64_t now = now_ms();

	for (uint32_t i = 0; i < m->max; i++) {
		bufferevent_event_cb used = NULL;
		struct slot *s = &m->slots[i];

		if (s->bev == NULL)
			continue;
		bufferevent_getcb(s->bev, NULL, NULL, &used, NULL);
		if (used == NULL)
			let_go(m, s);
		else if (now >= s->deadline_ms)
			shutdown(bufferevent_getfd(s->bev), SHUT_RDWR); /* evhttp sees the end */
	}
	if (m->n < m->max)
		evconnlistener_enable(m->listener);
}

/* evhttp has accepted a connection and wants what it will read and write it by. */
static struct bufferevent *on_accept(struct event_base *base, void *arg)
{
	struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	struct metrics *m = arg;
	struct slot *s = m->slots;

	if (bev == NULL)
		return NULL; /* evhttp tries the same, and gives up too */
	assert(m->n < m->max);
	while (s->bev != NULL)
		s++;
	bufferevent_incref(bev);
	*s = (struct slot){.bev = bev, .deadline_ms = now_ms() + DEADLINE_MS};
	if (++m->n == m->max)
		evconnlistener_disable(m->listener);
	return bev;
}

/* For want of descriptors as a rule, and it would be reported again at once: the sweep goes on. */
static void on_accept_error(struct evconnlistener *l, void *arg)
{
	evconnlistener_disable(l);
}

/* ---- requests ---- */

static void answer(struct evhttp_request *req, int code, const char *reason, struct evbuffer *body)
{
	struct evkeyvalq *h = evhttp_request_get_output_headers(req);

	evhttp_add_header(h, "Connection", "close");
	evhttp_add_header(h, "Content-Type",
	                  code == HTTP_OK ? "text/plain; version=0.0.4; charset=utf-8"
	                                  : "text/plain; charset=utf-8");
	evhttp_send_reply(req, code, reason, body);
}

static void on_metrics(struct evhttp_request *req, void *arg)
{
	struct metrics *m = arg;
	struct evbuffer *body;

	if (evhttp_request_get_command(req) != EVHTTP_REQ_GET) {
		evhttp_add_header(evhttp_request_get_output_headers(req), "Allow", "GET");
		answer(req, HTTP_BADMETHOD, "Method Not Allowed", NULL);
		return;
	}
	body = evbuffer_new();
	if (body == NULL) {
		answer(req, HTTP_SERVUNAVAIL, "Service Unavailable", NULL);
		return;
	}
	metrics_text(body, m->ctl, m->dp);
	answer(req, HTTP_OK, "OK", body);
	evbuffer_free(body);
}

static void on_other(struct evhttp_request *req, void *arg)
{
	answer(req, HTTP_NOTFOUND, "Not Found", NULL);
}

/* ---- life ---- */

static uint16_t bound_port(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return 0;
	/* The port stands at the same place in both families. */
	return ntohs(((struct sockaddr_in *)&ss)->sin_port);
}

static int start_listening(struct metrics *m, const struct cfg_metrics *conf)
{
	int fd = console_listen(&conf->listen, conf->netns, BACKLOG, "metrics", m->log);
	struct evhttp_bound_socket *bound;

	if (fd < 0)
		return fd;
	m->port = bound_port(fd);
	bound = evhttp_accept_socket_with_handle(m->http, fd);
	if (bound == NULL) {
		close(fd);
		return -ENOMEM;
	}
	m->listener = evhttp_bound_socket_get_listener(bound);
	evconnlistener_set_error_cb(m->listener, on_accept_error);
	return 0;
}

static int start(struct metrics *m, struct event_base *base, const struct cfg_metrics *conf)
{
	static const struct timeval period = {.tv_usec = SWEEP_US};

	m->http = evhttp_new(base);
	m->sweep = event_new(base, -1, EV_PERSIST, on_sweep, m);
	if (m->http == NULL || m->sweep == NULL)
		return -ENOMEM;
	evhttp_set_max_headers_size(m->http, HEADERS_MAX);
	evhttp_set_max_body_size(m->http, 0);
	evhttp_set_timeout(m->http, SILENCE_S);
	evhttp_set_allowed_methods(m->http, METHODS); /* so that they come here for their 405 */
	evhttp_set_bevcb(m->http, on_accept, m);
	evhttp_set_gencb(m->http, on_other, m);
	if (evhttp_set_cb(m->http, "/metrics", on_metrics, m) != 0 ||
	    event_add(m->sweep, &period) != 0)
		return -ENOMEM;
	return start_listening(m, conf);
}

struct metrics *metrics_new(struct event_base *base, const struct cfg_metrics *conf,
                            struct ctl *ctl, struct dp *dp, struct log *log)
{
	struct metrics *m = calloc(1, sizeof(*m));
	int ret = -ENOMEM;

	if (m != NULL) {
		m->ctl = ctl;
		m->dp = dp;
		m->log = log;
		m->max = conf->max_connections < SLOTS_MAX ? conf->max_connections : SLOTS_MAX;
		ret = start(m, base, conf);
		if (ret == 0)
			return m;
	}
	if (ret == -ENOMEM)
		log_error(log, "event=metrics-failed error=\"out of memory\"");
	metrics_free(m);
	errno = -ret;
	return NULL;
}

void metrics_free(struct metrics *m)
{
	if (m == NULL)
		return;
	if (m->http != NULL)
		evhttp_free(m->http); /* and the listener */
	for (uint32_t i = 0; i < m->max; i++)
		if (m->slots[i].bev != NULL)
			let_go(m, &m->slots[i]);
	if (m->sweep != NULL)
		event_free(m->sweep);
	free(m);
}

uint16_t metrics_port(const struct metrics *m)
{
	return m->port;
}

uint32_t metrics_connections(const struct metrics *m)
{
	return m->n;
}
