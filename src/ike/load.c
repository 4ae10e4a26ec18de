/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Runs swanctl, so that charon has the connections and keys of the transport profiles. A charon that
 * has just started has none, and its plugin connects at once: the link is the moment to load. Nothing
 * waits here: the child's end comes as SIGCHLD, a retry by a timer.
 */
#include "ike/internal.h"
#include "ike/swanctl.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define FIRST_RETRY_MS 200
#define LAST_RETRY_MS  5000
#define OVERDUE_MS     20000

static void set_timer(struct charon *k, uint32_t ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};

	event_add(k->timer, &tv);
}

/* The child gets no descriptor of ours: DPDK opens some without O_CLOEXEC. */
static int spawn(struct charon *k, char *const *argv, char *const *envp, const char *output)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int ret;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	ret = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	if (ret == 0)
		ret = posix_spawn_file_actions_addopen(
		        &files, 1, output, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
	if (ret == 0)
		ret = posix_spawn_file_actions_adddup2(&files, 1, 2);
	if (ret == 0)
		ret = posix_spawn_file_actions_addclosefrom_np(&files, 3);
	if (ret == 0)
		ret = posix_spawn(&k->child, argv[0], &files, &attr, argv, envp);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	if (ret != 0)
		k->child = 0;
	return -ret;
}

static void failed(struct charon *k, const char *why)
{
	k->stats.load_failures++;
	log_warning(
	        k->log,
	        "event=ike-load-failed reason=\"%s\" retry_ms=%u details=\"%s/swanctl/load.log\"",
	        why, k->retry_ms, k->conf->ipsec.run_directory);
	set_timer(k, k->retry_ms);
	k->retry_ms = k->retry_ms * 2 < LAST_RETRY_MS ? k->retry_ms * 2 : LAST_RETRY_MS;
}

static void run(struct charon *k)
{
	char dir[CHARON_PATH_MAX], file[CHARON_PATH_MAX], output[CHARON_PATH_MAX];
	char uri[CFG_SOCKET_MAX + 8], env_dir[CHARON_PATH_MAX + 16];
	/* The host's own charon has a swanctl.conf and keys as well: these are not for us. */
	char *const envp[] = {env_dir, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	char *const argv[] = {(char *)(uintptr_t)k->conf->ipsec.swanctl,
	                      "--load-all",
	                      "--clear",
	                      "--noprompt",
	                      "--file",
	                      file,
	                      "--uri",
	                      uri,
	                      NULL};
	int ret;

	swanctl_dir(k->conf, dir, sizeof(dir));
	swanctl_file(k->conf, file, sizeof(file));
	snprintf(env_dir, sizeof(env_dir), "SWANCTL_DIR=%s", dir);
	snprintf(uri, sizeof(uri), "unix://%s", k->conf->ipsec.vici_socket);
	snprintf(output, sizeof(output), "%.480s/load.log", dir);
	k->overdue = false;
	ret = spawn(k, argv, envp, output);
	if (ret < 0) {
		failed(k, strerror(-ret));
		return;
	}
	k->stats.loads++;
	set_timer(k, OVERDUE_MS);
}

/* Time for a run; or the run is overdue. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct charon *k = arg;

	(void)fd;
	(void)what;
	if (k->child == 0) {
		run(k);
		return;
	}
	k->overdue = true;
	kill(k->child, SIGKILL); /* on_child follows */
}

static void ended(struct charon *k, int status)
{
	char why[64];

	if (k->again) {
		k->again = false;
		run(k);
		return;
	}
	if (k->fd < 0)
		return;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		k->stats.loaded = true;
		k->retry_ms = FIRST_RETRY_MS;
		log_notice(k->log, "event=ike-loaded profiles=%u", k->conf->n_ipsec_profiles);
		return;
	}
	if (k->overdue)
		snprintf(why, sizeof(why), "it took more than %u s", OVERDUE_MS / 1000);
	else if (WIFEXITED(status))
		snprintf(why, sizeof(why), "exit code %d", WEXITSTATUS(status));
	else
		snprintf(why, sizeof(why), "signal %d", WTERMSIG(status));
	failed(k, why);
}

static void on_child(evutil_socket_t sig, short what, void *arg)
{
	struct charon *k = arg;
	int status;

	(void)sig;
	(void)what;
	if (k->child == 0 || waitpid(k->child, &status, WNOHANG) != k->child)
		return;
	k->child = 0;
	event_del(k->timer);
	ended(k, status);
}

int load_init(struct charon *k)
{
	k->retry_ms = FIRST_RETRY_MS;
	k->timer = event_new(k->base, -1, 0, on_timer, k);
	k->sigchld = evsignal_new(k->base, SIGCHLD, on_child, k);
	if (k->timer == NULL || k->sigchld == NULL || event_add(k->sigchld, NULL) < 0)
		return -ENOMEM;
	return 0;
}

void load_start(struct charon *k)
{
	k->stats.loaded = false;
	k->retry_ms = FIRST_RETRY_MS;
	k->again = k->child != 0;
	if (k->child != 0)
		return; /* what it did was perhaps for the charon before */
	event_del(k->timer);
	run(k);
}

void load_stop(struct charon *k)
{
	k->stats.loaded = false;
	k->again = false;
	if (k->child == 0)
		event_del(k->timer);
}

void load_fini(struct charon *k)
{
	int status;

	if (k->child != 0) {
		kill(k->child, SIGKILL);
		waitpid(k->child, &status, 0);
		k->child = 0;
	}
	if (k->timer != NULL)
		event_free(k->timer);
	if (k->sigchld != NULL)
		event_free(k->sigchld);
	k->timer = k->sigchld = NULL;
}
