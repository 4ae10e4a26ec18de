/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * What the daemon wants done. Everything here becomes a job: to do it would call back into the
 * kernel interface, and that waits for answers which only the calling thread reads.
 */
#include "charon/convert.h"
#include "charon/sallyport.h"

#include <processing/jobs/callback_job.h>
#include <processing/jobs/delete_child_sa_job.h>

static void expire(const struct sslink_expire *e)
{
	host_t *dst = host_of(&e->dst, 0);

	if (dst == NULL)
		return;
	charon->kernel->expire(charon->kernel, IPPROTO_ESP, htonl(e->spi), dst, e->hard);
	dst->destroy(dst);
}

void order_delete_child(uint32_t spi, const struct ipaddr *dst)
{
	host_t *h = host_of(dst, 0);

	if (h == NULL)
		return;
	lib->processor->queue_job(lib->processor, (job_t *)delete_child_sa_job_create(
	                                                  PROTO_ESP, htonl(spi), h, FALSE));
	h->destroy(h);
}

static job_requeue_t terminate(void *data)
{
	const struct sslink_terminate *t = data;

	charon->controller->terminate_ike(charon->controller, t->ike_id, t->force, NULL, NULL, 0);
	return JOB_REQUEUE_NONE;
}

void order_terminate_ike(uint32_t id, bool force)
{
	struct sslink_terminate *t;

	INIT(t, .ike_id = id, .force = force);
	lib->processor->queue_job(lib->processor,
	                          (job_t *)callback_job_create(terminate, t, free, NULL));
}

static void mapping(const struct sslink_mapping *m)
{
	host_t *local = host_of(&m->local.addr, m->local.port);
	host_t *remote = host_of(&m->remote.addr, m->remote.port);

	if (local != NULL && remote != NULL)
		charon->kernel->mapping(charon->kernel, IPPROTO_ESP, htonl(m->spi), local, remote);
	DESTROY_IF(local);
	DESTROY_IF(remote);
}

void carry_out_order(void *ctx, const struct sslink_msg *m)
{
	char line[512];

	DBG2(DBG_KNL, "sallyport: order %s", sslink_describe(m, line, sizeof(line)));
	switch (m->type) {
	case SSLINK_EXPIRE:
		expire(&m->expire);
		break;
	case SSLINK_DELETE_CHILD:
		order_delete_child(m->sa_id.spi, &m->sa_id.dst);
		break;
	case SSLINK_TERMINATE_IKE:
		order_terminate_ike(m->terminate.ike_id, m->terminate.force);
		break;
	case SSLINK_MAPPING:
		mapping(&m->mapping);
		break;
	default:
		break;
	}
}
