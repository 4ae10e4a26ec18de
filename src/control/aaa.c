/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "control/aaa.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define MSCHAP_AUTH_FAILURE 691 /* RFC 2759 6 */

struct aaa_job {
	const struct cfg_user *user;
	char password[256];
	void *owner;
	bool accept;
	bool abandoned; /* the control thread's */
	STAILQ_ENTRY(aaa_job) link;
};

STAILQ_HEAD(job_queue, aaa_job);

struct aaa {
	const struct config *conf;
	struct log *log;
	void (*wake)(void *ctx);
	void *ctx;
	bool started, stop;
	pthread_t thread;
	pthread_mutex_t lock; /* the two queues and stop */
	pthread_cond_t work;
	struct job_queue waiting, done;
	atomic_uint n_done;
};

struct aaa *aaa_new(const struct config *conf, void (*wake)(void *ctx), void *ctx, struct log *log)
{
	struct aaa *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->conf = conf;
	a->log = log;
	a->wake = wake;
	a->ctx = ctx;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->work, NULL);
	STAILQ_INIT(&a->waiting);
	STAILQ_INIT(&a->done);
	return a;
}

static void job_free(struct aaa_job *j)
{
	explicit_bzero(j, sizeof(*j));
	free(j);
}

static void drain(struct job_queue *q)
{
	struct aaa_job *j;

	while ((j = STAILQ_FIRST(q)) != NULL) {
		STAILQ_REMOVE_HEAD(q, link);
		job_free(j);
	}
}

void aaa_free(struct aaa *a)
{
	if (a == NULL)
		return;
	if (a->started) {
		pthread_mutex_lock(&a->lock);
		a->stop = true;
		pthread_cond_signal(&a->work);
		pthread_mutex_unlock(&a->lock);
		pthread_join(a->thread, NULL);
	}
	drain(&a->waiting);
	drain(&a->done);
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->work);
	free(a);
}

static bool crypt_matches(const char *password, const char *hash)
{
	struct crypt_data *d = calloc(1, sizeof(*d));
	const char *h;
	bool same;

	if (d == NULL)
		return false;
	h = crypt_rn(password, hash, d, sizeof(*d));
	same = h != NULL && strlen(h) == strlen(hash) && CRYPTO_memcmp(h, hash, strlen(hash)) == 0;
	explicit_bzero(d, sizeof(*d));
	free(d);
	return same;
}

static void *helper(void *arg)
{
	struct aaa *a = arg;

	pthread_mutex_lock(&a->lock);
	for (;;) {
		struct aaa_job *j = STAILQ_FIRST(&a->waiting);

		if (a->stop)
			break;
		if (j == NULL) {
			pthread_cond_wait(&a->work, &a->lock);
			continue;
		}
		STAILQ_REMOVE_HEAD(&a->waiting, link);
		pthread_mutex_unlock(&a->lock);
		j->accept = crypt_matches(j->password, j->user->crypt);
		pthread_mutex_lock(&a->lock);
		STAILQ_INSERT_TAIL(&a->done, j, link);
		atomic_fetch_add(&a->n_done, 1);
		if (a->wake != NULL)
			a->wake(a->ctx);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

static struct aaa_job *start_job(struct aaa *a, const struct ppp_auth_request *req,
                                 const struct cfg_user *u, void *owner)
{
	struct aaa_job *j = calloc(1, sizeof(*j));

	if (j == NULL || req->password_len >= sizeof(j->password)) {
		free(j);
		return NULL;
	}
	j->user = u;
	j->owner = owner;
	memcpy(j->password, req->password, req->password_len);
	pthread_mutex_lock(&a->lock);
	if (!a->started && pthread_create(&a->thread, NULL, helper, a) == 0)
		a->started = true;
	if (a->started) {
		STAILQ_INSERT_TAIL(&a->waiting, j, link);
		pthread_cond_signal(&a->work);
	}
	pthread_mutex_unlock(&a->lock);
	if (!a->started) {
		log_error(a->log, "aaa: no helper thread for password hashes");
		job_free(j);
		return NULL;
	}
	return j;
}

static bool same_bytes(const void *a, size_t alen, const void *b, size_t blen)
{
	return alen == blen && CRYPTO_memcmp(a, b, alen) == 0;
}

static bool pap_matches(const struct cfg_user *u, const struct ppp_auth_request *req)
{
	char text[256];
	uint8_t hash[16];
	bool same = false;

	if (u->password[0] != '\0')
		return same_bytes(u->password, strlen(u->password), req->password,
		                  req->password_len);
	if (!u->has_nt_hash || req->password_len >= sizeof(text))
		return false;
	memcpy(text, req->password, req->password_len);
	text[req->password_len] = '\0';
	if (ppp_nt_hash(text, hash) == 0)
		same = CRYPTO_memcmp(hash, u->nt_hash, sizeof(hash)) == 0;
	explicit_bzero(text, sizeof(text));
	explicit_bzero(hash, sizeof(hash));
	return same;
}

/* RFC 2759 4: the user's name may carry a domain, which takes no part in the response. */
static const char *without_domain(const char *name)
{
	const char *slash = strrchr(name, '\\');

	return slash != NULL ? slash + 1 : name;
}

static bool mschapv2_matches(const struct cfg_user *u, const struct ppp_auth_request *req,
                             char success[41])
{
	uint8_t hash[16];
	bool ok;

	if (req->challenge_len != 16 || req->response_len != 49)
		return false;
	if (u->has_nt_hash)
		memcpy(hash, u->nt_hash, sizeof(hash));
	else if (u->password[0] == '\0' || ppp_nt_hash(u->password, hash) < 0)
		return false;
	ok = ppp_mschapv2_verify(hash, without_domain(req->user), req->challenge, req->response,
	                         success);
	explicit_bzero(hash, sizeof(hash));
	return ok;
}

struct aaa_job *aaa_check(struct aaa *a, const struct ppp_auth_request *req, void *owner,
                          struct ppp_auth_reply *reply, const struct cfg_user **user)
{
	const struct cfg_user *u = config_user(a->conf, req->user);

	*reply = (struct ppp_auth_reply){.mschapv2_error = MSCHAP_AUTH_FAILURE};
	*user = NULL;
	if (u == NULL && req->method == PPP_AUTH_MSCHAPV2)
		u = config_user(a->conf, without_domain(req->user));
	if (u == NULL)
		return NULL;
	switch (req->method) {
	case PPP_AUTH_PAP:
		if (u->crypt[0] != '\0' && u->password[0] == '\0' && !u->has_nt_hash)
			return start_job(a, req, u, owner);
		reply->accept = pap_matches(u, req);
		break;
	case PPP_AUTH_CHAP_MD5:
		reply->accept = u->password[0] != '\0' && req->response_len == 16 &&
		                ppp_chap_md5_verify(req->chap_id, (const uint8_t *)u->password,
		                                    strlen(u->password), req->challenge,
		                                    req->challenge_len, req->response);
		break;
	case PPP_AUTH_MSCHAPV2:
		reply->accept = mschapv2_matches(u, req, reply->mschapv2_success);
		break;
	default:
		break;
	}
	if (reply->accept)
		*user = u;
	return NULL;
}

void aaa_abandon(struct aaa *a, struct aaa_job *job)
{
	(void)a;
	job->abandoned = true;
}

void aaa_poll(struct aaa *a, void (*done)(void *owner, const struct ppp_auth_reply *reply,
                                          const struct cfg_user *user))
{
	struct job_queue q = STAILQ_HEAD_INITIALIZER(q);
	struct aaa_job *j;

	if (atomic_load(&a->n_done) == 0)
		return;
	pthread_mutex_lock(&a->lock);
	STAILQ_CONCAT(&q, &a->done);
	atomic_store(&a->n_done, 0);
	pthread_mutex_unlock(&a->lock);
	while ((j = STAILQ_FIRST(&q)) != NULL) {
		struct ppp_auth_reply reply = {.accept = j->accept};

		STAILQ_REMOVE_HEAD(&q, link);
		if (!j->abandoned)
			done(j->owner, &reply, j->accept ? j->user : NULL);
		job_free(j);
	}
}
