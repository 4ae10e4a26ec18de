/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 Sallyport contributors */
#include "charon/link.h"
#include "charon/kept.h"

#include <daemon.h>
#include <processing/jobs/callback_job.h>
#include <threading/condvar.h>
#include <threading/mutex.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RECONNECT_MS 300
/* So many requests in a row without an answer, and the daemon counts as gone. */
#define LATE_MAX 2

enum link_state {
	LINK_DOWN, /* no socket, or HELLO is not settled */
	LINK_SYNC, /* being replayed to */
	LINK_UP,
};

/* A thread that waits for its answer; on that thread's stack. */
struct waiting {
	LIST_ENTRY(waiting) entry;
	uint32_t seq;
	uint64_t behind; /* kept.n_sent: who answers has read those */
	bool done, lost;
	struct sslink_answer answer;
};

struct link {
	const struct link_ops *ops;
	void *ctx;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	unsigned int answer_ms;
	bool complained; /* reader's: of a daemon that is not there */

	mutex_t *order; /* who sends or drops what was kept: one at a time. Before tx. */
	mutex_t *tx; /* one message at a time; the socket is closed with it held. Before lock. */
	mutex_t *lock; /* of all below */
	condvar_t *changed;
	enum link_state state;
	bool stop;
	int fd;
	uint32_t seq;
	unsigned int late;
	LIST_HEAD(, waiting) waiters;
	struct kept kept;
	unsigned int n_links; /* that have ended */
	bool overflow; /* one was not kept */
};

struct link *link_create(const struct link_ops *ops, void *ctx, const char *path,
                         unsigned int answer_ms)
{
	struct link *l;

	if (strlen(path) >= sizeof(l->path))
		return NULL;
	INIT(l, .ops = ops, .ctx = ctx, .answer_ms = answer_ms,
	     .order = mutex_create(MUTEX_TYPE_DEFAULT), .tx = mutex_create(MUTEX_TYPE_DEFAULT),
	     .lock = mutex_create(MUTEX_TYPE_DEFAULT),
	     .changed = condvar_create(CONDVAR_TYPE_DEFAULT), .fd = -1);
	snprintf(l->path, sizeof(l->path), "%s", path);
	LIST_INIT(&l->waiters);
	kept_init(&l->kept);
	return l;
}

void link_destroy(struct link *l)
{
	link_forget_missed(l);
	if (l->fd >= 0)
		close(l->fd);
	l->changed->destroy(l->changed);
	l->lock->destroy(l->lock);
	l->tx->destroy(l->tx);
	l->order->destroy(l->order);
	free(l);
}

static void deadline(timeval_t *end, unsigned int ms)
{
	time_monotonic(end);
	timeval_add_ms(end, ms);
}

/* Called locked. The reader sees the end of the socket and closes it. */
static void hang_up(struct link *l)
{
	if (l->fd >= 0)
		shutdown(l->fd, SHUT_RDWR);
}

/* ---- sending ---- */

static uint32_t next_seq(struct link *l)
{
	if (++l->seq == 0)
		l->seq = 1;
	return l->seq;
}

/*
 * By the link that was there when so many had ended. A send that finds the daemon's queue full waits as long as
 * an answer may take (SO_SNDTIMEO).
 */
static int send_bytes(struct link *l, unsigned int links, const uint8_t *bytes, size_t n)
{
	int fd, r = 0;

	l->tx->lock(l->tx);
	l->lock->lock(l->lock);
	fd = links == l->n_links ? l->fd : -1;
	l->lock->unlock(l->lock);
	if (fd < 0) {
		r = -ENOTCONN;
	} else if (send(fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n) {
		r = -ENOTCONN;
		l->lock->lock(l->lock);
		hang_up(l); /* the same one: it is closed with tx held */
		l->lock->unlock(l->lock);
	}
	l->tx->unlock(l->tx);
	return r;
}

static int transmit(struct link *l, unsigned int links, const struct sslink_msg *m)
{
	uint8_t buf[SSLINK_MSG_MAX];
	int r;

	r = sslink_encode(m, buf, sizeof(buf));
	if (r >= 0)
		r = send_bytes(l, links, buf, (size_t)r);
	sslink_wipe(buf, sizeof(buf));
	return r;
}

/* Called locked. */
static bool wait_until_up(struct link *l)
{
	timeval_t end;

	deadline(&end, l->answer_ms);
	while (l->state == LINK_SYNC && !l->stop) {
		if (l->changed->timed_wait_abs(l->changed, l->lock, end))
			break;
	}
	return l->state == LINK_UP;
}

/* Called locked. */
static int wait_for_answer(struct link *l, struct waiting *w)
{
	timeval_t end;

	deadline(&end, l->answer_ms);
	while (!w->done && !w->lost) {
		if (l->changed->timed_wait_abs(l->changed, l->lock, end))
			break;
	}
	if (w->done) {
		l->late = 0;
		return 0;
	}
	if (w->lost)
		return -ENOTCONN;
	if (++l->late >= LATE_MAX) {
		DBG1(DBG_KNL, "sallyport: the daemon does not answer, dropping the link");
		hang_up(l);
	}
	return -ETIMEDOUT;
}

/*
 * Which IKE_SA has become which cannot be seen afterwards; all else the replay shows. To hear of it twice changes
 * nothing.
 */
static bool to_keep(const struct sslink_msg *m)
{
	return m->type == SSLINK_IKE_REKEY || m->type == SSLINK_CHILDREN_MIGRATE;
}

/* By the link that was up when so many had ended; 0, or -errno. */
static int send_kept(struct link *l, unsigned int links)
{
	struct kept_msg *e;
	int r = 0;

	l->order->lock(l->order);
	l->lock->lock(l->lock);
	while (r == 0 && links == l->n_links && (e = kept_next(&l->kept)) != NULL) {
		l->lock->unlock(l->lock);
		r = send_bytes(l, links, e->bytes, e->len);
		l->lock->lock(l->lock);
		if (r == 0)
			kept_taken(&l->kept, e);
	}
	if (links != l->n_links)
		r = -ENOTCONN;
	l->lock->unlock(l->lock);
	l->order->unlock(l->order);
	return r;
}

static unsigned int links_ended(struct link *l)
{
	unsigned int links;

	l->lock->lock(l->lock);
	links = l->n_links;
	l->lock->unlock(l->lock);
	return links;
}

int link_send_missed(struct link *l)
{
	return send_kept(l, links_ended(l));
}

bool link_missed_some(struct link *l)
{
	bool overflow;

	l->lock->lock(l->lock);
	overflow = l->overflow;
	l->lock->unlock(l->lock);
	return overflow;
}

void link_forget_missed(struct link *l)
{
	l->order->lock(l->order);
	l->lock->lock(l->lock);
	kept_clear(&l->kept);
	l->overflow = FALSE;
	l->lock->unlock(l->lock);
	l->order->unlock(l->order);
}

/*
 * What a synchronisation under way means to a request. Called locked. 0: it waits for the end of that;
 * -EINPROGRESS: it was kept; -EBUSY: it is not worth waiting for.
 */
static int while_syncing(struct link *l, struct sslink_msg *m)
{
	if (l->state != LINK_SYNC)
		return 0;
	if (m->type == SSLINK_QUERY_SA)
		return -EBUSY;
	if (m->type != SSLINK_DEL_SA && m->type != SSLINK_UPDATE_SA)
		return 0;
	m->seq = next_seq(l);
	return kept_add(&l->kept, m, KEPT_LINK) ? -EINPROGRESS : 0;
}

/*
 * 0 when the link is up, and what was kept has gone before: a request for an IKE_SA under its new id comes
 * behind the news of that. *links is how many have ended before it.
 */
static int up_and_told(struct link *l, struct sslink_msg *m, unsigned int *links)
{
	bool kept;
	int r;

	l->lock->lock(l->lock);
	r = while_syncing(l, m);
	if (r == 0 && !wait_until_up(l))
		r = -ENOTCONN;
	*links = l->n_links;
	kept = kept_next(&l->kept) != NULL;
	l->lock->unlock(l->lock);
	return r == 0 && kept ? send_kept(l, *links) : r;
}

int link_request(struct link *l, struct sslink_msg *m, struct sslink_answer *a)
{
	struct waiting w = {0};
	unsigned int links;
	int r;

	r = up_and_told(l, m, &links);
	if (r < 0)
		return r;
	l->lock->lock(l->lock);
	if (links != l->n_links) {
		l->lock->unlock(l->lock);
		return -ENOTCONN;
	}
	w.seq = m->seq = next_seq(l);
	w.behind = l->kept.n_sent;
	LIST_INSERT_HEAD(&l->waiters, &w, entry);
	l->lock->unlock(l->lock);
	r = transmit(l, links, m);
	l->lock->lock(l->lock);
	if (r == 0)
		r = wait_for_answer(l, &w);
	LIST_REMOVE(&w, entry);
	l->lock->unlock(l->lock);
	*a = w.answer;
	return r;
}

void link_event(struct link *l, struct sslink_msg *m)
{
	unsigned int links;
	bool up, kept, later;

	m->seq = 0;
	l->lock->lock(l->lock);
	later = l->state == LINK_SYNC;
	/* What happens during a replay, the replay may not show. */
	kept = (to_keep(m) || later) && kept_add(&l->kept, m, to_keep(m) ? KEPT_READ : KEPT_LINK);
	l->overflow |= to_keep(m) && !kept;
	later &= kept;
	up = !later && wait_until_up(l);
	links = l->n_links;
	l->lock->unlock(l->lock);
	if (later || (up && send_kept(l, links) == 0 && (kept || transmit(l, links, m) == 0)))
		return;
	if (!kept)
		DBG1(DBG_KNL, "sallyport: %s could not be sent", sslink_type_name(m->type));
}

/* ---- receiving: the reader's thread ---- */

static void answered(struct link *l, const struct sslink_msg *m)
{
	struct waiting *w;

	l->lock->lock(l->lock);
	LIST_FOREACH (w, &l->waiters, entry) {
		if (w->seq == m->seq) {
			w->answer = m->answer;
			w->done = true;
			kept_read(&l->kept, w->behind);
			l->changed->broadcast(l->changed);
			break;
		}
	}
	/* Else its request has given up: late, but not wrong. */
	l->lock->unlock(l->lock);
}

/* One message, within ms (-1: whenever). 1, 0 when none came, or -errno: the link is lost. */
static int receive(struct link *l, int ms, struct sslink_msg *m)
{
	uint8_t buf[SSLINK_MSG_MAX];
	struct pollfd p = {.fd = l->fd, .events = POLLIN};
	ssize_t n;
	int r;

	r = poll(&p, 1, ms);
	if (r <= 0)
		return r < 0 && errno != EINTR ? -errno : 0;
	/* MSG_TRUNC gives the true length, so that one too long is seen as such. */
	n = recv(p.fd, buf, sizeof(buf), MSG_TRUNC | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	if ((size_t)n > sizeof(buf))
		return -EMSGSIZE;
	r = sslink_decode(buf, (size_t)n, m);
	return r < 0 ? r : 1;
}

static bool is_order(enum sslink_type t)
{
	return t == SSLINK_EXPIRE || t == SSLINK_DELETE_CHILD || t == SSLINK_TERMINATE_IKE ||
	       t == SSLINK_MAPPING;
}

/* -EPROTO when a daemon does not send such a message. */
static int handle(struct link *l, const struct sslink_msg *m)
{
	if (m->type == SSLINK_ANSWER)
		answered(l, m);
	else if (is_order(m->type))
		l->ops->order(l->ctx, m);
	else
		return -EPROTO;
	return 0;
}

int link_converse(struct link *l, struct sslink_msg *m, struct sslink_answer *a)
{
	struct sslink_msg in;
	timeval_t now, end;
	unsigned int links;
	uint64_t behind;
	int r, left;

	l->lock->lock(l->lock);
	m->seq = next_seq(l);
	behind = l->kept.n_sent;
	links = l->n_links;
	l->lock->unlock(l->lock);
	r = transmit(l, links, m);
	deadline(&end, l->answer_ms);
	while (r >= 0) {
		time_monotonic(&now);
		left = (int)((end.tv_sec - now.tv_sec) * 1000 + (end.tv_usec - now.tv_usec) / 1000);
		if (left <= 0)
			return -ETIMEDOUT;
		r = receive(l, left, &in);
		if (r == 1 && in.type == SSLINK_ANSWER && in.seq == m->seq) {
			*a = in.answer;
			l->lock->lock(l->lock);
			kept_read(&l->kept, behind);
			l->lock->unlock(l->lock);
			return 0;
		}
		if (r == 1)
			r = handle(l, &in);
	}
	return r;
}

static void set_state(struct link *l, enum link_state state)
{
	l->lock->lock(l->lock);
	l->state = state;
	l->late = 0;
	l->changed->broadcast(l->changed);
	l->lock->unlock(l->lock);
}

void link_opened(struct link *l)
{
	set_state(l, LINK_SYNC);
}

bool link_pause(struct link *l, unsigned int ms)
{
	timeval_t end;
	bool stop;

	deadline(&end, ms);
	l->lock->lock(l->lock);
	while (!l->stop) {
		if (l->changed->timed_wait_abs(l->changed, l->lock, end))
			break;
	}
	stop = l->stop;
	l->lock->unlock(l->lock);
	return stop;
}

/* Keys go over this socket: only to root, or to whom charon itself runs as. */
static bool trusted(int fd)
{
	struct ucred c;
	socklen_t len = sizeof(c);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &len) < 0)
		return false;
	if (c.uid == 0 || c.uid == geteuid())
		return true;
	DBG1(DBG_KNL, "sallyport: the socket belongs to a process of user %u, refusing it", c.uid);
	return false;
}

/* A connected socket, or -errno. */
static int dial(struct link *l)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct timeval tv = {l->answer_ms / 1000, l->answer_ms % 1000 * 1000};
	int fd, r = 0;

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	memcpy(sun.sun_path, l->path, sizeof(sun.sun_path));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0 ||
	    connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		r = -errno;
	else if (!trusted(fd))
		r = -EPERM;
	if (r < 0)
		close(fd);
	return r < 0 ? r : fd;
}

/* False when charon ends meanwhile: then fd is closed. */
static bool take_socket(struct link *l, int fd)
{
	bool stop;

	l->lock->lock(l->lock);
	stop = l->stop;
	if (!stop)
		l->fd = fd;
	l->lock->unlock(l->lock);
	if (stop)
		close(fd);
	return !stop;
}

static void drop_socket(struct link *l)
{
	struct waiting *w;

	l->order->lock(l->order);
	l->tx->lock(l->tx);
	l->lock->lock(l->lock);
	LIST_FOREACH (w, &l->waiters, entry)
		w->lost = !w->done;
	kept_unsent(&l->kept);
	l->n_links++;
	l->state = LINK_DOWN;
	close(l->fd);
	l->fd = -1;
	l->changed->broadcast(l->changed);
	l->lock->unlock(l->lock);
	l->tx->unlock(l->tx);
	l->order->unlock(l->order);
}

/* From connecting to the end of the socket. */
static void one_link(struct link *l)
{
	struct sslink_msg m;
	int r = dial(l);

	if (r < 0) {
		if (!l->complained)
			DBG1(DBG_KNL, "sallyport: no daemon at %s (%s); all SAs are refused",
			     l->path, strerror(-r));
		l->complained = true;
		return;
	}
	if (!take_socket(l, r))
		return;
	l->complained = false;
	DBG1(DBG_KNL, "sallyport: connected to %s", l->path);
	r = l->ops->sync(l->ctx, l);
	if (r == 0) {
		set_state(l, LINK_UP);
		r = link_send_missed(l);
	}
	if (r == 0)
		DBG1(DBG_KNL, "sallyport: the link is up");
	while (r >= 0) {
		r = receive(l, -1, &m);
		if (r == 1)
			r = handle(l, &m);
	}
	drop_socket(l);
	DBG1(DBG_KNL, "sallyport: the link is lost (%s)", strerror(-r));
}

static job_requeue_t reader(void *data)
{
	struct link *l = data;

	do
		one_link(l);
	while (!link_pause(l, RECONNECT_MS));
	return JOB_REQUEUE_NONE;
}

/* charon waits for the job's end, so everything the reader may wait for has to wake. */
static bool reader_cancel(void *data)
{
	struct link *l = data;

	l->lock->lock(l->lock);
	l->stop = true;
	hang_up(l);
	l->changed->broadcast(l->changed);
	l->lock->unlock(l->lock);
	return TRUE;
}

void link_start(struct link *l)
{
	lib->processor->queue_job(lib->processor,
	                          (job_t *)callback_job_create_with_prio(
	                                  reader, l, NULL, reader_cancel, JOB_PRIO_CRITICAL));
}
