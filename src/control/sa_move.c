/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Where an SA's peer is: as charon says, or, while there is no charon to ask, as its newest packet says.
 * charon goes on to name an outbound SA by the address that it has said last.
 */
#include "control/ipsec_int.h"

#include <errno.h>
#include <stdlib.h>

#define MOVED_AGAIN 1000 /* the same news of a move at most so often */

/* Outer addresses and ports. */
struct place {
	struct endpoint local, peer;
	bool encap;
};

const struct endpoint *sa_local(const struct sa *sa)
{
	return sa->moves != NULL && sa->moves->apart ? &sa->moves->local : &sa->conn->local;
}

const struct endpoint *sa_peer(const struct sa *sa)
{
	return sa->moves != NULL && sa->moves->apart ? &sa->moves->peer : &sa->conn->peer;
}

const struct endpoint *sa_said_local(const struct sa *sa)
{
	return sa->moves != NULL && sa->moves->own ? &sa->moves->said_local : sa_local(sa);
}

const struct endpoint *sa_said_peer(const struct sa *sa)
{
	return sa->moves != NULL && sa->moves->own ? &sa->moves->said_peer : sa_peer(sa);
}

struct sa_moves *sa_moves(struct sa *sa)
{
	if (sa->moves == NULL)
		sa->moves = calloc(1, sizeof(*sa->moves));
	return sa->moves;
}

static struct place place_of(const struct sa *sa)
{
	return (struct place){*sa_local(sa), *sa_peer(sa), sa->encap};
}

static struct place place_said(const struct sa *sa)
{
	bool own = sa->moves != NULL && sa->moves->own;

	return (struct place){*sa_said_local(sa), *sa_said_peer(sa),
	                      own ? sa->moves->said_encap : sa->encap};
}

static struct place place_to(bool inbound, const struct endpoint *src, const struct endpoint *dst,
                             bool encap)
{
	return (struct place){inbound ? *dst : *src, inbound ? *src : *dst, encap};
}

static bool same_place(const struct place *a, const struct place *b)
{
	return endpoint_eq(&a->local, &b->local) && endpoint_eq(&a->peer, &b->peer) &&
	       a->encap == b->encap;
}

static bool is_possible(const struct place *to)
{
	return ipaddr_to_v4(&to->local.addr) != 0 && ipaddr_to_v4(&to->peer.addr) != 0 &&
	       (!to->encap || (to->local.port != 0 && to->peer.port != 0));
}

int sa_order_update(struct sa *sa)
{
	int ret = dp_sa_update(sa_ctl(sa)->dp, sa->id, sa_local(sa), sa_peer(sa), sa->encap);

	sa->again = ret == -EAGAIN;
	if (ret == -EAGAIN)
		sa_wait(sa);
	else
		sa_answer(sa, ret == 0 ? SSLINK_OK : SSLINK_REFUSED);
	return ret;
}

/* False: no memory, and it stays where it is. */
static bool move(struct sa *sa, const struct place *to)
{
	struct conn *k = sa->child->conn;

	if (!conn_move(k, &to->local, &to->peer))
		return false;
	if (sa->moves != NULL)
		sa->moves->apart = false;
	sa->encap = to->encap;
	k->encap = to->encap;
	return true;
}

static void count_move(struct sa *sa)
{
	sa_ctl(sa)->ipsec->st.nat_moves++;
	conn_count(sa->conn, CONN_NAT_MOVES);
}

/* What charon says is so. False: no memory. */
static bool follow(struct sa *sa, const struct place *to)
{
	struct place was = place_of(sa);

	if (!move(sa, to))
		return false;
	if (sa->moves != NULL)
		sa->moves->own = false;
	if (sa->inbound && !same_place(&was, to))
		count_move(sa);
	return true;
}

/* What charon says, while it is known better here. */
static void say(struct sa *sa, const struct place *said)
{
	struct place here = place_of(sa);

	sa->moves->own = !same_place(&here, said);
	sa->moves->said_local = said->local;
	sa->moves->said_peer = said->peer;
	sa->moves->said_encap = said->encap;
}

/*
 * charon names a peer's SA by what the peer chooses, SPI and address: with the same SPI one may have got in
 * another's way. Ours are unique, and charon moves the inbound SA of a CHILD_SA first.
 */
static bool is_meant(const struct sa *sa, const struct place *to)
{
	const struct sa *in;
	struct place said;

	if (sa->inbound || !sa_shares_spi(sa))
		return true;
	SA_FOREACH (in, sa->child) {
		said = place_said(in);
		if (in->inbound && same_place(&said, to))
			return true;
	}
	return false;
}

void sa_on_update(struct ctl *c, const struct sslink_msg *m)
{
	const struct sslink_update_sa *u = &m->update_sa;
	struct place said, to = place_to(u->inbound, &u->new_src, &u->new_dst, u->encap);
	struct sa *sa = sa_find(c, u->spi, u->inbound, &u->dst.addr);
	struct sa *there = sa_find(c, u->spi, u->inbound, &u->new_dst.addr);

	if (there != NULL && there != sa) {
		/* A replay has said so before this; or it is another peer's, which is not touched. */
		said = place_said(there);
		if (same_place(&said, &to))
			ipsec_answer(c, m->seq, SSLINK_OK);
		else
			ipsec_refuse(c, m, NULL, NULL, SSLINK_REFUSED,
			             "another SA toward this peer has the SPI");
		return;
	}
	if (sa == NULL || sa->state != SA_LIVE || !is_meant(sa, &to)) {
		ipsec_refuse(c, m, NULL, NULL, SSLINK_REFUSED, "no such SA");
		return;
	}
	if (!is_possible(&to)) {
		ipsec_refuse(c, m, NULL, sa->conn, SSLINK_UNSUPPORTED, "address or port");
		return;
	}
	sa_answer(sa, SSLINK_REFUSED); /* an older update that never fitted is overtaken */
	if (!follow(sa, &to)) {
		ipsec_refuse(c, m, NULL, sa->conn, SSLINK_NO_RESOURCES, "no memory");
		return;
	}
	sa->moved = false;
	sa->answer_seq = m->seq;
	sa->answer_link = c->ipsec->link_no;
	sa_order_update(sa);
}

const char *sa_replayed(struct sa *sa, const struct sslink_add_sa *a)
{
	struct place to = place_to(a->inbound, &a->src, &a->dst, a->encap);
	struct place said = place_said(sa);
	const struct ctl *c = sa_ctl(sa);
	const struct sa *there;

	if (sa->state != SA_LIVE)
		return NULL;
	if (!same_place(&said, &to)) {
		/* An UPDATE_SA was lost with the link, or is behind the replay. */
		there = a->inbound ? sa : sa_find(c, a->spi, false, &to.peer.addr);
		if (there != NULL && there != sa && there->seen == c->ipsec->link_no)
			return "another SA toward this peer has the SPI";
		if (!is_possible(&to))
			return "address or port";
		if (sa->moves != NULL && sa->moves->own)
			say(sa,
			    &to); /* the worker's news are newer: what it is told next says so */
		else if (follow(sa, &to))
			sa_order_update(sa);
		else
			return "no memory";
	}
	if (sa->moved && endpoint_eq(&sa->moves->to, &to.peer))
		sa->moved = false;
	return NULL;
}

/* ---- the workers' news ---- */

/* Until charon has answered the news may be lost, with the link or on it. */
void sa_tell_move(struct sa *sa)
{
	struct sslink_msg m = {
	        .type = SSLINK_MAPPING,
	        .mapping = {.spi = sa->spi, .local = *sa_said_local(sa), .remote = sa->moves->to},
	};

	sa->moved = true;
	if (sa_ctl(sa)->ipsec->link == LINK_UP)
		ipsec_send(sa_ctl(sa), &m);
}

static void move_alone(struct sa *sa, const struct place *to)
{
	struct place said = place_said(sa);

	if (sa_moves(sa) == NULL || !move(sa, to))
		return;
	say(sa, &said);
	sa_order_update(sa);
}

/*
 * The peer's newest authenticated packet came from elsewhere (RFC 3948 5.2). charon decides, and
 * answers with UPDATE_SA for both SAs; while there is none, what is known here must do.
 */
void sa_moved(struct sa *sa, const struct endpoint *to)
{
	struct ctl *c = sa_ctl(sa);
	struct place at;
	struct sa *other;

	if (sa_moves(sa) == NULL)
		return; /* it will be said again */
	if (endpoint_eq(&sa->moves->to, to) && c->now_ms < sa->moves->ms + MOVED_AGAIN)
		return;
	sa->moves->to = *to;
	sa->moves->ms = c->now_ms;
	sa_tell_move(sa);
	if (c->ipsec->link != LINK_DOWN || !sa->encap)
		return;
	count_move(sa);
	at = (struct place){*sa_local(sa), *to, true};
	SA_FOREACH (other, sa->child)
		if (other->state == SA_LIVE && endpoint_eq(sa_local(other), &at.local))
			move_alone(other, &at);
}
