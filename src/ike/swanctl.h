/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Charon's configuration, made of the transport profiles: connections of swanctl.conf(5) for peers
 * that call us (IKE responder, ESP transport mode, our UDP port 1701), and the keys. A profile's
 * connection has its name; those of single peers' keys are NAME@1, NAME@1v1 and so on. Whatever the configuration holds, it cannot say more than it is meant to:
 * text is quoted, keys are base64.
 */
#pragma once

#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Makes the text; with hide, "***" stands in place of each key. Returns 0 and a text of *len bytes
 * and a NUL, which the caller gives to swanctl_text_free; or -ENOMEM, or -EINVAL: a name, identity or
 * path has what no quoting can hold, which config_load does not let through.
 */
int swanctl_render(const struct config *c, bool hide, char **text, size_t *len);
/* Wipes and frees. NULL is nothing. */
void swanctl_text_free(char *text, size_t len);

/* Paths in the run directory; return buf. */
const char *swanctl_dir(const struct config *c, char *buf, size_t size); /* SWANCTL_DIR */
const char *swanctl_file(const struct config *c, char *buf, size_t size); /* in it */

/*
 * Makes a folder with the mode 0700, and those above it. 0 when it is there and nobody but us and
 * root can write to it; -EPERM when somebody can; or -errno.
 */
int swanctl_make_dir(const char *path);

/*
 * Writes the file (mode 0600, the old one stays until the new one is whole) and links to the private
 * keys into the run directory. 0, or -errno; *what says of what, for the log.
 */
int swanctl_write(const struct config *c, const char **what);
/* Removes all of that again: when nobody is left to give the keys to charon, they need not lie about. */
void swanctl_remove(const struct config *c);
