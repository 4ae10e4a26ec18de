/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 Sallyport contributors */
/* kernel_ipsec_t: what charon would ask of a kernel, asked of the daemon. */
#include "charon/convert.h"
#include "charon/sallyport.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* SPIs below are reserved (RFC 4303 section 2.1). */
#define SPI_FIRST 256

static struct sallyport *instance_of(kernel_ipsec_t *ipsec)
{
	return (struct sallyport *)((char *)ipsec - offsetof(struct sallyport, ipsec));
}

static const char *reason(int r, const struct sslink_answer *a)
{
	if (r == -ENOTCONN)
		return "there is no link to the daemon";
	if (r == -ETIMEDOUT)
		return "the daemon has not answered in time";
	if (r == -EBUSY)
		return "the daemon is being told of all SAs";
	if (r < 0)
		return "it cannot be said to the daemon";
	switch (a->status) {
	case SSLINK_REFUSED:
		return "the daemon refuses it";
	case SSLINK_BUSY:
		return "the daemon is not ready";
	case SSLINK_UNSUPPORTED:
		return "the daemon does not support it";
	default:
		return "the daemon has no room";
	}
}

/* Sends a request that succeeds or fails; a failure costs one line of the log. */
static status_t ask(struct sallyport *s, struct sslink_msg *m, uint32_t spi,
                    struct sslink_answer *a, int *error)
{
	int r = link_request(s->link, m, a);

	if (error != NULL)
		*error = r;
	if (r == -EINPROGRESS || (r == 0 && a->status == SSLINK_OK))
		return SUCCESS;
	DBG1(DBG_KNL, "sallyport: %s of SPI %08x failed: %s", sslink_type_name(m->type), spi,
	     reason(r, a));
	return FAILED;
}

static kernel_feature_t get_features(kernel_ipsec_t *ipsec)
{
	/* Without KERNEL_ESP_V3_TFC the peer is told to send no TFC padding. */
	return KERNEL_NO_POLICY_UPDATES;
}

/* A renewed IKE_SA, or what its peer makes of it, has nobody's authentication of its own (E1); see bus.c. */
static bool is_spent(struct sallyport *s, const struct sslink_ike *ike)
{
	ike_sa_t *sa = charon->bus->get_sa(charon->bus);

	if (!table_ike_spent(s->table, ike->id) && (sa == NULL || sa->get_state(sa) != IKE_REKEYED))
		return false;
	DBG1(DBG_KNL, "sallyport: IKE_SA %u was renewed, it gets no SA", ike->id);
	return true;
}

static status_t get_spi(kernel_ipsec_t *ipsec, host_t *src, host_t *dst, uint8_t protocol,
                        uint32_t *spi)
{
	struct sallyport *s = instance_of(ipsec);
	struct sslink_msg m = {.type = SSLINK_GET_SPI};
	struct sslink_answer a;
	struct sa_key k;

	if (protocol != IPPROTO_ESP)
		return NOT_SUPPORTED;
	ike_of_thread(&m.get_spi.ike);
	if (is_spent(s, &m.get_spi.ike))
		return FAILED;
	m.get_spi.src = ipaddr_of(src);
	m.get_spi.dst = ipaddr_of(dst);
	table_ike_seen(s->table, &m.get_spi.ike);
	if (ask(s, &m, 0, &a, NULL) != SUCCESS)
		return FAILED;
	k = (struct sa_key){.spi = a.spi, .dst = m.get_spi.dst};
	if (a.spi < SPI_FIRST || !table_allocated(s->table, &k, &m.get_spi.ike)) {
		DBG1(DBG_KNL, "sallyport: the daemon gave SPI %08x, which %s", a.spi,
		     a.spi < SPI_FIRST ? "is reserved" : "is in use");
		return FAILED;
	}
	*spi = htonl(a.spi);
	return SUCCESS;
}

static status_t get_cpi(kernel_ipsec_t *ipsec, host_t *src, host_t *dst, uint16_t *cpi)
{
	return NOT_SUPPORTED;
}

/* ---- add_sa ---- */

static bool single_ts(linked_list_t *list, struct sslink_ts *out)
{
	traffic_selector_t *ts;

	return list->get_count(list) == 1 && list->get_first(list, (void **)&ts) == SUCCESS &&
	       ts_of(ts, out);
}

static bool copy_key(chunk_t key, uint8_t *out, uint16_t *len)
{
	if (key.len > SSLINK_KEY_MAX)
		return false;
	memcpy(out, key.ptr, key.len);
	*len = (uint16_t)key.len;
	return true;
}

/*
 * charon subtracts a random part from the time to rekey, also from a rekey_time of 0 (never): then
 * it is negative.
 */
static uint64_t soft_limit(uint64_t v)
{
	return v > INT64_MAX ? 0 : v;
}

static void copy_lifetime(const lifetime_cfg_t *in, struct sslink_lifetime *out)
{
	out->soft_s = soft_limit(in->time.rekey);
	out->hard_s = in->time.life;
	out->soft_bytes = soft_limit(in->bytes.rekey);
	out->hard_bytes = in->bytes.life;
	out->soft_packets = soft_limit(in->packets.rekey);
	out->hard_packets = in->packets.life;
}

/* NULL, or what there is about the SA that the link cannot say. */
static const char *describe_sa(const kernel_ipsec_sa_id_t *id, const kernel_ipsec_add_sa_t *d,
                               struct sslink_add_sa *out)
{
	if (id->proto != IPPROTO_ESP)
		return "the protocol is not ESP";
	if (d->mode != MODE_TRANSPORT && d->mode != MODE_TUNNEL)
		return "the mode is neither transport nor tunnel";
	if (d->ipcomp != IPCOMP_NONE)
		return "it has IPComp";
	if (d->tfc != 0)
		return "it has TFC padding";
	if (!single_ts(d->inbound ? d->dst_ts : d->src_ts, &out->local_ts) ||
	    !single_ts(d->inbound ? d->src_ts : d->dst_ts, &out->remote_ts))
		return "its selectors are not one range each";
	if (!copy_key(d->enc_key, out->enc_key, &out->enc_key_len) ||
	    !copy_key(d->int_key, out->auth_key, &out->auth_key_len))
		return "its keys are too long";
	out->spi = ntohl(id->spi);
	out->inbound = d->inbound;
	out->encap = d->encap;
	out->esn = d->esn;
	out->tunnel_mode = d->mode == MODE_TUNNEL;
	out->update = d->update;
	/* IKEv2 floats to port 4500 in any case: the ports mean something only with encap. */
	out->src.addr = ipaddr_of(id->src);
	out->dst.addr = ipaddr_of(id->dst);
	if (d->encap) {
		out->src.port = id->src->get_port(id->src);
		out->dst.port = id->dst->get_port(id->dst);
	}
	out->enc_alg = d->enc_alg;
	out->auth_alg = d->int_alg;
	out->replay_window = d->replay_window;
	out->reqid = d->reqid;
	copy_lifetime(d->lifetime, &out->life);
	return NULL;
}

static status_t install(struct sallyport *s, struct sslink_msg *m)
{
	struct sa_key k = {.spi = m->add_sa.spi, .dst = m->add_sa.dst.addr};
	struct sslink_answer a;
	status_t status;
	int error;

	if (!table_asked(s->table, &m->add_sa)) {
		DBG1(DBG_KNL, "sallyport: add-sa of SPI %08x failed: it is there already", k.spi);
		return FAILED;
	}
	status = ask(s, m, k.spi, &a, &error);
	/* Without an answer the daemon may have it, so it stays to be deleted. */
	if (error == 0)
		table_answered(s->table, &k, status == SUCCESS);
	return status;
}

static status_t add_sa(kernel_ipsec_t *ipsec, kernel_ipsec_sa_id_t *id, kernel_ipsec_add_sa_t *data)
{
	struct sallyport *s = instance_of(ipsec);
	struct sslink_msg m = {.type = SSLINK_ADD_SA};
	status_t status = NOT_SUPPORTED;
	const char *wrong;

	wrong = describe_sa(id, data, &m.add_sa);
	if (wrong != NULL) {
		DBG1(DBG_KNL, "sallyport: SPI %08x is not supported: %s", ntohl(id->spi), wrong);
	} else {
		ike_of_thread(&m.add_sa.ike);
		status = is_spent(s, &m.add_sa.ike) ? FAILED : install(s, &m);
	}
	sslink_wipe(&m, sizeof(m));
	return status;
}

/* ---- the life of an SA ---- */

static struct sa_key key_of(const kernel_ipsec_sa_id_t *id)
{
	return (struct sa_key){.spi = ntohl(id->spi), .dst = ipaddr_of(id->dst)};
}

/* Of the thread's IKE_SA; 0: it has none. */
static uint32_t ike_id(void)
{
	ike_sa_t *sa = charon->bus->get_sa(charon->bus);

	return sa != NULL ? sa->get_unique_id(sa) : 0;
}

static status_t update_sa(kernel_ipsec_t *ipsec, kernel_ipsec_sa_id_t *id,
                          kernel_ipsec_update_sa_t *data)
{
	struct sallyport *s = instance_of(ipsec);
	struct sslink_msg m = {.type = SSLINK_UPDATE_SA};
	struct sslink_update_sa *u = &m.update_sa;
	struct sa_key k = key_of(id);
	struct sslink_answer a;

	if (id->proto != IPPROTO_ESP || data->cpi != 0)
		return NOT_SUPPORTED;
	if (table_find(s->table, &k, ike_id(), &u->inbound) == SA_NONE)
		return NOT_FOUND;
	u->spi = k.spi;
	u->encap = data->new_encap;
	u->src = endpoint_of(id->src);
	u->dst = endpoint_of(id->dst);
	u->dst.addr = k.dst;
	u->new_src = endpoint_of(data->new_src);
	u->new_dst = endpoint_of(data->new_dst);
	if (!data->encap)
		u->src.port = u->dst.port = 0;
	if (!data->new_encap)
		u->new_src.port = u->new_dst.port = 0;
	/* charon goes on with the new addresses, whatever comes of it: so does what is replayed. */
	table_updated(s->table, &k, u);
	return ask(s, &m, k.spi, &a, NULL);
}

static status_t query_sa(kernel_ipsec_t *ipsec, kernel_ipsec_sa_id_t *id,
                         kernel_ipsec_query_sa_t *data, uint64_t *bytes, uint64_t *packets,
                         time_t *used)
{
	struct sallyport *s = instance_of(ipsec);
	struct sslink_msg m = {.type = SSLINK_QUERY_SA};
	struct sa_key k = key_of(id);
	struct sslink_answer a;

	if (table_find(s->table, &k, ike_id(), &m.sa_id.inbound) == SA_NONE)
		return NOT_FOUND;
	m.sa_id.spi = k.spi;
	m.sa_id.dst = k.dst;
	if (ask(s, &m, k.spi, &a, NULL) != SUCCESS)
		return FAILED;
	if (bytes != NULL)
		*bytes = a.a;
	if (packets != NULL)
		*packets = a.b;
	if (used != NULL)
		*used = a.c == UINT64_MAX ? 0 : time_monotonic(NULL) - (time_t)a.c;
	return SUCCESS;
}

static status_t del_sa(kernel_ipsec_t *ipsec, kernel_ipsec_sa_id_t *id, kernel_ipsec_del_sa_t *data)
{
	struct sallyport *s = instance_of(ipsec);
	struct sslink_msg m = {.type = SSLINK_DEL_SA};
	struct sa_key k = key_of(id);
	struct sslink_answer a;

	/* Out of the table first: it must not be replayed any more. */
	if (table_remove(s->table, &k, ike_id(), &m.sa_id.inbound) == SA_NONE)
		return SUCCESS;
	m.sa_id.spi = k.spi;
	m.sa_id.dst = k.dst;
	/* The daemon may have removed it of its own accord; without a link it will be told by HELLO. */
	link_request(s->link, &m, &a);
	return SUCCESS;
}

static status_t flush_sas(kernel_ipsec_t *ipsec)
{
	struct sallyport *s = instance_of(ipsec);
	struct sslink_msg m = {.type = SSLINK_FLUSH_SAS};
	struct sslink_answer a;

	table_clear(s->table);
	return ask(s, &m, 0, &a, NULL);
}

/* ---- policies: the daemon takes selectors from the SAs, charon's sockets need no exception ---- */

static status_t manage_policy(kernel_ipsec_t *ipsec, kernel_ipsec_policy_id_t *id,
                              kernel_ipsec_manage_policy_t *data)
{
	return SUCCESS;
}

static status_t query_policy(kernel_ipsec_t *ipsec, kernel_ipsec_policy_id_t *id,
                             kernel_ipsec_query_policy_t *data, time_t *used)
{
	*used = 0;
	return SUCCESS;
}

static status_t flush_policies(kernel_ipsec_t *ipsec)
{
	return SUCCESS;
}

static bool bypass_socket(kernel_ipsec_t *ipsec, int fd, int family)
{
	return TRUE;
}

static bool enable_udp_decap(kernel_ipsec_t *ipsec, int fd, int family, uint16_t port)
{
	return TRUE;
}

/* It is a part of the instance, which plugin.c ends. */
static void destroy(kernel_ipsec_t *ipsec)
{
}

void ipsec_init(struct sallyport *s)
{
	s->ipsec = (kernel_ipsec_t){
	        .get_features = get_features,
	        .get_spi = get_spi,
	        .get_cpi = get_cpi,
	        .add_sa = add_sa,
	        .update_sa = update_sa,
	        .query_sa = query_sa,
	        .del_sa = del_sa,
	        .flush_sas = flush_sas,
	        .add_policy = manage_policy,
	        .query_policy = query_policy,
	        .del_policy = manage_policy,
	        .flush_policies = flush_policies,
	        .bypass_socket = bypass_socket,
	        .enable_udp_decap = enable_udp_decap,
	        .destroy = destroy,
	};
}
