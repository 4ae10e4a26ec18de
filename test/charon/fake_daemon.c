/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* fake_daemon SOCKET INSTANCE FIRST-SPI [UID]: numbers in hex, the user in decimal. See fake.h. */
#include "fake.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void fake_listen(struct fake *f)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	if (f->listener >= 0)
		return;
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", f->path);
	unlink(f->path);
	f->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (f->listener < 0 || bind(f->listener, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
	    chmod(f->path, 0777) < 0 || listen(f->listener, 4) < 0)
		err(1, "%s", f->path);
	fake_log("listening");
}

void fake_hang_up(struct fake *f)
{
	if (f->link >= 0)
		close(f->link);
	f->link = -1;
	f->synced = false;
}

void fake_leave(struct fake *f)
{
	fake_hang_up(f);
	if (f->listener >= 0)
		close(f->listener);
	f->listener = -1;
	unlink(f->path);
}

void fake_forget(struct fake *f)
{
	memset(f->sas, 0, sizeof(f->sas));
}

void fake_send(struct fake *f, const void *p, size_t len)
{
	if (f->link < 0 || send(f->link, p, len, MSG_NOSIGNAL) < 0)
		fake_log("not-sent");
}

void fake_send_msg(struct fake *f, const struct sslink_msg *m)
{
	uint8_t buf[SSLINK_MSG_MAX];
	int n = sslink_encode(m, buf, sizeof(buf));

	if (n < 0)
		errx(1, "%s cannot be encoded: %s", sslink_type_name(m->type), strerror(-n));
	fake_send(f, buf, (size_t)n);
}

/* ---- SAs ---- */

static struct fake_sa *sa_find(struct fake *f, uint32_t spi, const struct ipaddr *dst)
{
	size_t i;

	for (i = 0; i < FAKE_SAS_MAX; i++) {
		if (f->sas[i].spi == spi && (spi == 0 || ipaddr_eq(&f->sas[i].dst, dst)))
			return &f->sas[i];
	}
	return NULL;
}

static uint8_t sa_add(struct fake *f, const struct sslink_add_sa *a)
{
	struct fake_sa *s = sa_find(f, a->spi, &a->dst.addr);

	if (a->resync)
		return s != NULL ? SSLINK_OK : SSLINK_REFUSED;
	if (s == NULL)
		s = sa_find(f, 0, NULL);
	if (s == NULL)
		return SSLINK_NO_RESOURCES;
	*s = (struct fake_sa){a->spi, a->inbound, a->dst.addr};
	return SSLINK_OK;
}

static uint8_t sa_update(struct fake *f, const struct sslink_update_sa *u)
{
	struct fake_sa *s = sa_find(f, u->spi, &u->dst.addr);

	if (s == NULL || s->inbound != u->inbound)
		return SSLINK_REFUSED;
	s->dst = u->new_dst.addr;
	return SSLINK_OK;
}

static uint8_t sa_remove(struct fake *f, const struct sslink_sa_id *id)
{
	struct fake_sa *s = sa_find(f, id->spi, &id->dst);

	if (s == NULL || s->inbound != id->inbound)
		return SSLINK_REFUSED;
	s->spi = 0;
	return SSLINK_OK;
}

static uint8_t sa_query(struct fake *f, const struct sslink_sa_id *id, struct sslink_answer *a)
{
	const struct fake_sa *s = sa_find(f, id->spi, &id->dst);

	if (s == NULL || s->inbound != id->inbound)
		return SSLINK_REFUSED;
	a->a = s->inbound ? 111000 : 222000;
	a->b = s->inbound ? 111 : 222;
	a->c = s->inbound ? 7 : UINT64_MAX;
	return SSLINK_OK;
}

/* ---- messages ---- */

static uint8_t carry_out(struct fake *f, const struct sslink_msg *m, struct sslink_answer *a)
{
	switch (m->type) {
	case SSLINK_HELLO:
		a->a = f->instance;
		return SSLINK_OK;
	case SSLINK_SYNC_END:
		f->synced = true;
		return SSLINK_OK;
	case SSLINK_GET_SPI:
		a->spi = f->next_spi++;
		return SSLINK_OK;
	case SSLINK_ADD_SA:
		return sa_add(f, &m->add_sa);
	case SSLINK_UPDATE_SA:
		return sa_update(f, &m->update_sa);
	case SSLINK_QUERY_SA:
		return sa_query(f, &m->sa_id, a);
	case SSLINK_DEL_SA:
		return sa_remove(f, &m->sa_id);
	default:
		fake_forget(f);
		return SSLINK_OK;
	}
}

static bool is_request(enum sslink_type t)
{
	return t >= SSLINK_HELLO && t <= SSLINK_FLUSH_SAS;
}

static bool before_sync_end(const struct sslink_msg *m)
{
	return m->type == SSLINK_HELLO || m->type == SSLINK_SYNC_END ||
	       (m->type == SSLINK_ADD_SA && m->add_sa.resync);
}

static void take(struct fake *f, const struct sslink_msg *m)
{
	struct sslink_msg a = {.type = SSLINK_ANSWER, .seq = m->seq};

	fake_log_msg(m);
	if (f->mute || !is_request(m->type))
		return;
	if (!f->synced && !before_sync_end(m)) {
		fake_log("too-early");
		a.answer.status = SSLINK_BUSY;
	} else if (f->verdict[m->type] != SSLINK_OK) {
		a.answer.status = f->verdict[m->type];
	} else {
		a.answer.status = carry_out(f, m, &a.answer);
	}
	if (!f->synced)
		usleep(f->slow_ms * 1000);
	fake_send_msg(f, &a);
}

static void link_readable(struct fake *f)
{
	uint8_t buf[SSLINK_MSG_MAX];
	struct sslink_msg m;
	ssize_t n = recv(f->link, buf, sizeof(buf), MSG_TRUNC);
	int r;

	if (n <= 0) {
		fake_log("link-lost");
		fake_hang_up(f);
		return;
	}
	r = sslink_decode(buf, (size_t)n < sizeof(buf) ? (size_t)n : sizeof(buf), &m);
	if (r < 0)
		fake_log("malformed error=%s", strerror(-r));
	else
		take(f, &m);
	sslink_wipe(&m, sizeof(m));
	sslink_wipe(buf, sizeof(buf));
}

static void listener_readable(struct fake *f)
{
	int fd = accept(f->listener, NULL, NULL);

	if (fd < 0)
		return;
	fake_log("accepted");
	fake_hang_up(f);
	f->link = fd;
}

static bool stdin_readable(struct fake *f)
{
	char line[32768];

	if (fgets(line, sizeof(line), stdin) == NULL)
		return false;
	/* Written first: what charon sends because of it comes later in the log. */
	fake_log("order text=%.12s", strtok(strdupa(line), " \n") ?: "");
	if (!fake_order(f, line))
		errx(1, "not an order: %s", line);
	return true;
}

int main(int argc, char **argv)
{
	struct fake *f = calloc(1, sizeof(*f));

	if (argc < 4 || f == NULL)
		errx(2, "fake_daemon SOCKET INSTANCE FIRST-SPI [UID]");
	setvbuf(stdin, NULL, _IONBF, 0);
	f->path = argv[1];
	f->instance = strtoull(argv[2], NULL, 16);
	f->next_spi = (uint32_t)strtoul(argv[3], NULL, 16);
	f->listener = f->link = -1;
	if (argc > 4 && setuid((uid_t)atoi(argv[4])) < 0)
		err(1, "setuid");
	fake_listen(f);
	for (;;) {
		struct pollfd p[] = {{.fd = STDIN_FILENO, .events = POLLIN},
		                     {.fd = f->listener, .events = POLLIN},
		                     {.fd = f->link, .events = POLLIN}};

		if (poll(p, 3, -1) < 0 && errno != EINTR)
			err(1, "poll");
		/* The old link before a new one: charon has given it up. */
		if (p[2].revents != 0)
			link_readable(f);
		if (p[1].revents != 0)
			listener_readable(f);
		if (p[0].revents != 0 && !stdin_readable(f))
			return 0;
	}
}
