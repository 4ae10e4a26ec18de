/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Lines of "time type name=value ..", values without blanks, for the test to read. */
#include "fake.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void begin(const char *word)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	printf("%ld.%06ld %s", (long)t.tv_sec, t.tv_nsec / 1000, word);
}

static void end(void)
{
	printf("\n");
	fflush(stdout);
}

void fake_log(const char *format, ...)
{
	va_list ap;

	begin("");
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	end();
}

static void put_text(const char *name, const char *s)
{
	printf(" %s=", name);
	for (; *s != '\0'; s++)
		putchar(*s == ' ' ? '_' : *s);
}

static void put_addr(const char *name, const struct ipaddr *a)
{
	char s[IPADDR_STRLEN];

	put_text(name, ipaddr_str(a, s, sizeof(s)));
}

static void put_endpoint(const char *name, const struct endpoint *e)
{
	char s[ENDPOINT_STRLEN];

	put_text(name, endpoint_str(e, s, sizeof(s)));
}

static void put_ts(const char *name, const struct sslink_ts *ts)
{
	char a[IPADDR_STRLEN], b[IPADDR_STRLEN];

	printf(" %s=%s-%s/%u/%u-%u", name, ipaddr_str(&ts->first, a, sizeof(a)),
	       ipaddr_str(&ts->last, b, sizeof(b)), ts->proto, ts->port_first, ts->port_last);
}

static void put_digest(const char *name, const uint8_t *key, size_t len)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int n = 0, i;

	printf(" %s=", name);
	if (EVP_Digest(key, len, md, &n, EVP_sha256(), NULL) != 1)
		printf("failed");
	for (i = 0; i < n; i++)
		printf("%02x", md[i]);
}

static void put_ike(const struct sslink_ike *i)
{
	printf(" ike=%" PRIu32 " version=%u auth=%u", i->id, i->version, i->auth);
	put_endpoint("ike_local", &i->local);
	put_endpoint("ike_remote", &i->remote);
	put_text("connection", i->connection);
	put_text("id", i->remote_id);
}

static void put_add_sa(const struct sslink_add_sa *a)
{
	printf(" spi=%08" PRIx32 " inbound=%d resync=%d encap=%d esn=%d tunnel=%d update=%d",
	       a->spi, a->inbound, a->resync, a->encap, a->esn, a->tunnel_mode, a->update);
	put_endpoint("src", &a->src);
	put_endpoint("dst", &a->dst);
	printf(" enc=%u enc_len=%u int=%u int_len=%u", a->enc_alg, a->enc_key_len, a->auth_alg,
	       a->auth_key_len);
	put_digest("enc_sha256", a->enc_key, a->enc_key_len);
	put_digest("int_sha256", a->auth_key, a->auth_key_len);
	printf(" replay=%" PRIu32 " reqid=%" PRIu32 " soft=%" PRIu64 " hard=%" PRIu64,
	       a->replay_window, a->reqid, a->life.soft_s, a->life.hard_s);
	put_ts("local_ts", &a->local_ts);
	put_ts("remote_ts", &a->remote_ts);
	put_ike(&a->ike);
}

static void put_update_sa(const struct sslink_update_sa *u)
{
	printf(" spi=%08" PRIx32 " inbound=%d encap=%d", u->spi, u->inbound, u->encap);
	put_endpoint("src", &u->src);
	put_endpoint("dst", &u->dst);
	put_endpoint("new_src", &u->new_src);
	put_endpoint("new_dst", &u->new_dst);
}

static void put_rekey(const struct sslink_ike_rekey *r)
{
	unsigned int i;

	printf(" ike=%" PRIu32 " new=%" PRIu32 " spis=", r->old_id, r->new_id);
	for (i = 0; i < r->n_spis; i++)
		printf("%s%08" PRIx32, i > 0 ? "," : "", r->spis[i]);
}

void fake_log_msg(const struct sslink_msg *m)
{
	begin(sslink_type_name(m->type));
	switch (m->type) {
	case SSLINK_HELLO:
		printf(" instance=%016" PRIx64 " pid=%" PRIu32, m->hello.instance, m->hello.pid);
		break;
	case SSLINK_SYNC_END:
		printf(" n=%" PRIu32, m->sync_end);
		break;
	case SSLINK_GET_SPI:
		put_addr("src", &m->get_spi.src);
		put_addr("dst", &m->get_spi.dst);
		put_ike(&m->get_spi.ike);
		break;
	case SSLINK_ADD_SA:
		put_add_sa(&m->add_sa);
		break;
	case SSLINK_UPDATE_SA:
		put_update_sa(&m->update_sa);
		break;
	case SSLINK_QUERY_SA:
	case SSLINK_DEL_SA:
		printf(" spi=%08" PRIx32 " inbound=%d", m->sa_id.spi, m->sa_id.inbound);
		put_addr("dst", &m->sa_id.dst);
		break;
	case SSLINK_IKE_UP:
		put_ike(&m->ike_up);
		break;
	case SSLINK_IKE_DOWN:
	case SSLINK_IKE_REKEY:
	case SSLINK_CHILDREN_MIGRATE:
		put_rekey(&m->ike_rekey);
		break;
	case SSLINK_CHILD_REKEY:
		printf(" ike=%" PRIu32 " old=%08" PRIx32 " new=%08" PRIx32, m->child_rekey.ike_id,
		       m->child_rekey.old_spi_in, m->child_rekey.new_spi_in);
		break;
	default:
		break;
	}
	end();
}
