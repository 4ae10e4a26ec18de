/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "loop.h"

#include "control/ctl.h"
#include "control/ipsec.h"
#include "dataplane/dp.h"
#include "ports/ports.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define TICK_US      10000
#define SOON_US      1000 /* a worker has done by then what it was ordered */
#define NS_A_S       1000000000ull
#define PUNTS_A_BITE 16
#define PUNTS_NS     500000 /* no further bite in a turn that is as long already */
#define STOP_MS      5000
#define HEAP_REQUEST 65536 /* bytes: more than an object has, less than malloc maps by itself */
#define CONNS_A_TICK 500 /* what charon is sent at once must fit its socket */
/* How long charon gets to tell the peers, and how long its last packet may need through a twin. */
#define TELL_MS   1000
#define LINGER_MS 1000

uint64_t loop_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* The time that passes, which costs no system call: in a step the control lcore waits for nothing. */
uint64_t loop_step_begin(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_A_S + (uint64_t)ts.tv_nsec;
}

void loop_step_end(struct loop *l, enum ctl_step step, uint64_t begin)
{
	l->spent_ns[step] += loop_step_begin() - begin;
}

static void on_punt(void *arg, const struct dp_punt *p)
{
	struct loop *l = arg;

	if (!ports_punt(l->ports, p))
		ctl_punt(l->ctl, p, loop_now_ms());
}

/* A timer, not an activation: the other events get their turn, and this turn has an end. */
static void again(struct event *e)
{
	static const struct timeval now = {0};

	event_add(e, &now);
}

/*
 * Bites, as many as a turn's share of time lets in: what is new, a tunnel say, costs ten times as much as a
 * Hello. Armed only when nothing is left.
 */
static void on_punts(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;
	uint64_t begin = loop_step_begin();
	bool more;

	(void)fd;
	(void)what;
	do
		more = dp_punt_poll(l->dp, on_punt, l, PUNTS_A_BITE) == PUNTS_A_BITE;
	while (more && loop_step_begin() - begin < PUNTS_NS);
	if (more || !dp_arm(l->dp))
		again(l->more_punts);
	loop_step_end(l, CTL_STEP_PUNTS, begin);
}

static void work(struct loop *l)
{
	uint64_t begin = loop_step_begin();

	if (ctl_tick(l->ctl, loop_now_ms()))
		again(l->more_work);
	loop_step_end(l, CTL_STEP_WORK, begin);
}

static void on_more_work(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	work(arg);
}

/*
 * Tunnels are gone; now charon ends their connections, so that peers need not find out by themselves.
 * Its messages go through our ports. True when it is done.
 */
static bool end_connections(struct loop *l, uint64_t now_ms)
{
	struct ctl_ipsec_stats st;
	struct ctl_conn_view v;

	for (uint32_t i = 0; i < CONNS_A_TICK; i++) {
		if (!ctl_conn_next(l->ctl, &l->conn_cursor, now_ms, &v))
			break;
		if (v.state != CTL_CONN_DOWN && ctl_clear_conn(l->ctl, v.id, now_ms) == 0)
			l->linger_until_ms = now_ms + LINGER_MS;
		l->told_at_ms = now_ms;
	}
	ctl_ipsec_stats_get(l->ctl, &st);
	if (st.link_up && st.ike_now > 0 && now_ms < l->told_at_ms + TELL_MS)
		l->linger_until_ms = now_ms + LINGER_MS;
	return now_ms >= l->linger_until_ms;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;
	uint64_t now_ms = loop_now_ms();

	(void)fd;
	(void)what;
	dp_tick(l->dp, now_ms);
	work(l);
	if (l->stop_at_ms == 0)
		return;
	if (now_ms >= l->stop_at_ms || (ctl_is_quiet(l->ctl) && end_connections(l, now_ms)))
		event_base_loopbreak(l->base);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) == sizeof(n))
		work(l);
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct loop *l = arg;

	(void)what;
	if (l->stop_at_ms != 0) {
		event_base_loopbreak(l->base);
		return;
	}
	log_notice(l->log, "event=stopping signal=%d", (int)sig);
	l->stop_at_ms = loop_now_ms() + STOP_MS;
	ctl_shutdown(l->ctl, loop_now_ms());
}

void loop_wake(struct loop *l)
{
	uint64_t one = 1;

	/* A full counter is a wake-up too. */
	if (write(l->wake_fd, &one, sizeof(one)) < 0)
		return;
}

int loop_init(struct loop *l, struct log *log)
{
	*l = (struct loop){.log = log, .wake_fd = -1};
	l->base = event_base_new();
	if (l->base == NULL)
		return -ENOMEM;
	l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return l->wake_fd < 0 ? -errno : 0;
}

int loop_start(struct loop *l)
{
	static const struct timeval tick = {.tv_usec = TICK_US};

	l->punts = event_new(l->base, dp_event_fd(l->dp), EV_READ | EV_PERSIST, on_punts, l);
	l->more_punts = evtimer_new(l->base, on_punts, l);
	l->more_work = evtimer_new(l->base, on_more_work, l);
	l->tick = event_new(l->base, -1, EV_PERSIST, on_tick, l);
	l->woken = event_new(l->base, l->wake_fd, EV_READ | EV_PERSIST, on_wake, l);
	l->sigint = evsignal_new(l->base, SIGINT, on_signal, l);
	l->sigterm = evsignal_new(l->base, SIGTERM, on_signal, l);
	if (l->punts == NULL || l->more_punts == NULL || l->more_work == NULL || l->tick == NULL ||
	    l->woken == NULL || l->sigint == NULL || l->sigterm == NULL)
		return -ENOMEM;
	event_add(l->punts, NULL);
	event_add(l->tick, &tick);
	event_add(l->woken, NULL);
	event_add(l->sigint, NULL);
	event_add(l->sigterm, NULL);
	again(l->more_punts);
	return 0;
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_A_S + (uint64_t)ts.tv_nsec;
}

/* The turn is over. */
static void account(struct loop *l, uint64_t cpu)
{
	enum ctl_step most = CTL_STEP_OTHER;
	uint64_t rest = cpu;

	for (enum ctl_step s = 0; s < CTL_STEP_MAX; s++)
		rest -= l->spent_ns[s] < rest ? l->spent_ns[s] : rest;
	l->spent_ns[CTL_STEP_OTHER] = rest;
	for (enum ctl_step s = 0; s < CTL_STEP_MAX; s++) {
		if (l->spent_ns[s] > l->spent_ns[most])
			most = s;
	}
	ctl_turn(l->ctl, cpu, most);
	memset(l->spent_ns, 0, sizeof(l->spent_ns));
}

/*
 * malloc puts what was freed on one list, and sorts it when it finds nothing better: 10,000 chunks in one
 * call, which is 2 ms, when very many sessions have ended. A request that nothing on the list can serve
 * has it sort them now, those of one turn.
 */
static void sort_heap(void)
{
	void *volatile p = malloc(HEAP_REQUEST);

	free(p);
}

void loop_run(struct loop *l)
{
	static const struct timeval soon = {.tv_usec = SOON_US};
	uint64_t before = cpu_ns(), now;

	/* One turn: a wait, then every event that is due; nothing that it leads to. */
	while (event_base_loop(l->base, EVLOOP_ONCE) == 0 && !event_base_got_break(l->base)) {
		sort_heap();
		now = cpu_ns();
		account(l, now - before);
		before = now;
		if (ctl_waits(l->ctl) && !event_pending(l->more_work, EV_TIMEOUT, NULL))
			event_add(l->more_work, &soon);
	}
}

void loop_fini(struct loop *l)
{
	struct event *events[] = {l->punts, l->more_punts, l->more_work, l->tick,
	                          l->woken, l->sigint,     l->sigterm};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i] != NULL)
			event_free(events[i]);
	if (l->base != NULL)
		event_base_free(l->base);
	if (l->wake_fd >= 0)
		close(l->wake_fd);
}
