/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The listener and the link. What a plugin sends is as hostile as what comes from the network: charon
 * reads IKE messages of strangers, and its process is another than ours for that reason.
 */
#include "ike/internal.h"
#include "ike/swanctl.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MESSAGES_A_TURN 8
/* Answers to a charon with all its SAs: a burst of them must fit while charon is busy. */
#define SEND_BUFFER (1 << 20)
/* Of all connections of a full machine the end may be due at once: four times as many, and no limit in sight. */
#define OUT_MAX 262144
#define STUCK_S 10 /* a charon that takes nothing for so long is dead */

struct charon_out {
	STAILQ_ENTRY(charon_out) link;
	size_t len;
	uint8_t bytes[];
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void out_free(struct charon *k)
{
	struct charon_out *o;

	while ((o = STAILQ_FIRST(&k->out)) != NULL) {
		STAILQ_REMOVE_HEAD(&k->out, link);
		free(o);
	}
	k->n_out = 0;
}

static void drop_link(struct charon *k)
{
	if (k->write != NULL)
		event_free(k->write);
	k->write = NULL;
	out_free(k);
	if (k->read != NULL)
		event_free(k->read);
	k->read = NULL;
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
	k->stats.up = false;
}

static void lose_link(struct charon *k, const char *why)
{
	if (k->fd < 0)
		return;
	log_warning(k->log, "event=charon-disconnected reason=\"%s\"", why);
	drop_link(k);
	load_stop(k);
	k->ops->link_down(k->ctx);
}

/* Of a profile's connections control knows the profile: what is before the '@' (ike/swanctl.h). */
static void name_profile(struct sslink_msg *m)
{
	struct sslink_ike *ike = m->type == SSLINK_GET_SPI  ? &m->get_spi.ike
	                         : m->type == SSLINK_ADD_SA ? &m->add_sa.ike
	                         : m->type == SSLINK_IKE_UP ? &m->ike_up
	                                                    : NULL;

	if (ike != NULL)
		ike->connection[strcspn(ike->connection, "@")] = '\0';
}

/* Decodes and hands on. False when the link is to end. */
static bool take(struct charon *k, const uint8_t *buf, size_t len)
{
	struct sslink_msg m;
	int ret = sslink_decode(buf, len, &m);

	if (ret == 0) {
		k->stats.rx++;
		name_profile(&m);
		k->ops->rx(k->ctx, &m);
	} else {
		k->stats.bad_messages++;
		if (ret == -EPROTONOSUPPORT && m.type == SSLINK_HELLO)
			log_error(k->log,
			          "event=ike-bad-message reason=\"the plugin speaks version %u, we "
			          "speak %u: build both from one tree\"",
			          m.hello.version, SSLINK_VERSION);
		else
			log_error(k->log, "event=ike-bad-message length=%zu error=\"%s\"", len,
			          strerror(-ret));
	}
	sslink_wipe(&m, sizeof(m));
	return ret == 0;
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
	struct charon *k = arg;
	/* One byte more than the longest message: a longer one is seen to be too long. */
	uint8_t buf[SSLINK_MSG_MAX + 1];
	const char *why = NULL;

	(void)what;
	for (int i = 0; i < MESSAGES_A_TURN && why == NULL && k->fd == fd; i++) {
		ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0)
			why = strerror(errno);
		else if (n == 0) /* the codec knows no empty message: this is the end */
			why = "closed by charon";
		else if (!take(k, buf, (size_t)n))
			why = "not a message";
	}
	sslink_wipe(buf, sizeof(buf));
	if (why != NULL)
		lose_link(k, why);
}

static void on_failed(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	lose_link(arg, "charon does not read");
}

/* What charon could not take at once; it takes it now, or has not taken anything for long. */
static void on_write(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval stuck = {.tv_sec = STUCK_S};
	struct charon *k = arg;
	struct charon_out *o;

	if ((what & EV_TIMEOUT) != 0) {
		lose_link(k, "charon does not read");
		return;
	}
	for (int i = 0; i < MESSAGES_A_TURN && (o = STAILQ_FIRST(&k->out)) != NULL; i++) {
		if (send(fd, o->bytes, o->len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
			if (errno == EAGAIN || errno == EINTR)
				break;
			lose_link(k, strerror(errno));
			return;
		}
		STAILQ_REMOVE_HEAD(&k->out, link);
		k->n_out--;
		free(o);
	}
	if (!STAILQ_EMPTY(&k->out))
		event_add(k->write, &stuck);
}

static int put_out(struct charon *k, const uint8_t *bytes, size_t len)
{
	static const struct timeval stuck = {.tv_sec = STUCK_S};
	struct charon_out *o = k->n_out < OUT_MAX ? malloc(sizeof(*o) + len) : NULL;

	if (o == NULL)
		return -EAGAIN;
	o->len = len;
	memcpy(o->bytes, bytes, len);
	if (STAILQ_EMPTY(&k->out))
		event_add(k->write, &stuck);
	STAILQ_INSERT_TAIL(&k->out, o, link);
	k->n_out++;
	return 0;
}

/* Only root, or who runs the daemon, may be charon. */
static bool may_connect(struct charon *k, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	uint64_t skipped;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	    (peer.uid == 0 || peer.uid == geteuid()))
		return true;
	k->stats.refused_peers++;
	if (log_limit_ok(&k->refused_log, now_ms(), &skipped))
		log_warning(k->log, "event=charon-refused uid=%u pid=%d suppressed=%lu", peer.uid,
		            (int)peer.pid, (unsigned long)skipped);
	return false;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct charon *k = arg;
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), size = SEND_BUFFER;

	(void)what;
	if (peer < 0)
		return;
	if (!may_connect(k, peer)) {
		close(peer);
		return;
	}
	/* A charon that died may leave a descriptor behind; the newest is the one that lives. */
	if (k->fd >= 0)
		log_notice(k->log, "event=charon-replaced");
	drop_link(k);
	k->read = event_new(k->base, peer, EV_READ | EV_PERSIST, on_read, k);
	k->write = event_new(k->base, peer, EV_WRITE, on_write, k);
	if (k->read == NULL || k->write == NULL || event_add(k->read, NULL) < 0) {
		drop_link(k);
		close(peer);
		return;
	}
	/* More than net.core.wmem_max needs a privilege that we may lack: the usual one does. */
	if (setsockopt(peer, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(peer, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	k->fd = peer;
	k->stats.up = true;
	k->stats.links++;
	log_notice(k->log, "event=charon-connected");
	k->ops->link_up(k->ctx);
	load_start(k);
}

int charon_send(struct charon *k, const struct sslink_msg *m)
{
	uint8_t buf[SSLINK_MSG_MAX];
	int len, ret = 0;

	if (k->fd < 0)
		return -ENOTCONN;
	len = sslink_encode(m, buf, sizeof(buf));
	if (len < 0) {
		log_error(k->log, "event=ike-send type=%s error=\"%s\"", sslink_type_name(m->type),
		          strerror(-len));
		return -EINVAL;
	}
	if (!STAILQ_EMPTY(&k->out))
		ret = put_out(k, buf, (size_t)len); /* in order */
	else if (send(k->fd, buf, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		ret = errno == EAGAIN ? put_out(k, buf, (size_t)len) : -errno;
	sslink_wipe(buf, sizeof(buf));
	if (ret == 0) {
		k->stats.tx++;
		return 0;
	}
	k->stats.tx_failures++;
	/* A message lost is a state unknown. Control is told when it is done with what it is at. */
	event_active(k->failed, EV_TIMEOUT, 0);
	return ret;
}

static int fail(struct charon *k, const char *what, const char *path, int err)
{
	log_error(k->log, "event=start-failed what=\"%s\" path=\"%s\" error=\"%s\"", what, path,
	          err == EPERM ? "others may write there" : strerror(err));
	return -err;
}

/* The folder of the socket; the run directory itself is made with charon's configuration. */
static int make_socket_dir(struct charon *k)
{
	char dir[CFG_SOCKET_MAX], *slash;

	snprintf(dir, sizeof(dir), "%s", k->conf->ipsec.socket);
	slash = strrchr(dir, '/');
	if (slash == NULL || slash == dir)
		return 0;
	*slash = '\0';
	return swanctl_make_dir(dir);
}

static int listen_at(struct charon *k)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	const char *path = k->conf->ipsec.socket;
	struct stat st;
	mode_t mask;
	int ret;

	ret = make_socket_dir(k);
	if (ret < 0)
		return fail(k, "folder of the IKE socket", path, -ret);
	/* What an earlier daemon left. Anything but a socket is somebody's file. */
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	k->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (k->listen_fd < 0)
		return fail(k, "IKE socket", path, errno);
	mask = umask(0177); /* 0600 from its first moment on */
	ret = bind(k->listen_fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
	umask(mask);
	if (ret == 0 && listen(k->listen_fd, 4) < 0)
		ret = -errno;
	return ret < 0 ? fail(k, "IKE socket", path, -ret) : 0;
}

static int start(struct charon *k)
{
	const char *what;
	int ret = swanctl_write(k->conf, &what);

	if (ret < 0)
		return fail(k, what, k->conf->ipsec.run_directory, -ret);
	ret = listen_at(k);
	if (ret < 0)
		return ret;
	ret = load_init(k);
	if (ret < 0)
		return fail(k, "IKE events", k->conf->ipsec.socket, -ret);
	k->failed = event_new(k->base, -1, 0, on_failed, k);
	k->accept = event_new(k->base, k->listen_fd, EV_READ | EV_PERSIST, on_accept, k);
	if (k->failed == NULL || k->accept == NULL || event_add(k->accept, NULL) < 0)
		return fail(k, "IKE events", k->conf->ipsec.socket, ENOMEM);
	log_info(k->log, "event=ike-listening path=\"%s\"", k->conf->ipsec.socket);
	return 0;
}

struct charon *charon_new(struct event_base *base, const struct config *conf,
                          const struct charon_ops *ops, void *ctx, struct log *log)
{
	struct charon *k = calloc(1, sizeof(*k));
	int ret;

	if (k == NULL)
		return NULL;
	*k = (struct charon){
	        .base = base,
	        .conf = conf,
	        .ops = ops,
	        .ctx = ctx,
	        .log = log,
	        .listen_fd = -1,
	        .fd = -1,
	        .refused_log = {.every_ms = 1000, .burst = 5},
	};
	STAILQ_INIT(&k->out);
	ret = start(k);
	if (ret == 0)
		return k;
	charon_free(k);
	errno = -ret;
	return NULL;
}

void charon_free(struct charon *k)
{
	if (k == NULL)
		return;
	load_fini(k);
	drop_link(k);
	if (k->failed != NULL)
		event_free(k->failed);
	if (k->accept != NULL) {
		event_free(k->accept);
		unlink(k->conf->ipsec.socket);
		swanctl_remove(k->conf);
	}
	if (k->listen_fd >= 0)
		close(k->listen_fd);
	free(k);
}

void charon_stats_get(const struct charon *k, struct charon_stats *out)
{
	*out = k->stats;
}
