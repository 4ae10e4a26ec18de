/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * charon has no plugin ABI: its objects are structures of function pointers that change with every
 * release, and no symbol tells the release. The daemon prints it, though, so the text stands among
 * the constants of the program.
 */
#include "charon/abi.h"

#include <daemon.h>

#include <ctype.h>
#include <dlfcn.h>
#include <link.h>
#include <string.h>

/* Of Debian's build, with ME (compat.h). */
_Static_assert(sizeof(ike_sa_t) == 728, "the layout of ike_sa_t is not that of Debian's charon");
_Static_assert(sizeof(daemon_t) == 176, "the layout of daemon_t is not that of Debian's charon");

/* True when the text v, with its NUL, is a constant of its own in p: "5.9.8", not "15.9.8". */
static bool holds_text(const char *p, size_t len, const char *v)
{
	size_t size = strlen(v) + 1;
	const char *start = p, *hit;

	while ((hit = memmem(p, len, v, size)) != NULL) {
		if (hit == start || !(isalnum((unsigned char)hit[-1]) || hit[-1] == '.'))
			return true;
		len -= (size_t)(hit + 1 - p);
		p = hit + 1;
	}
	return false;
}

/* The first object is the program itself: 1, or 2 when it is of another version. */
static int program_version(struct dl_phdr_info *info, size_t size, void *data)
{
	unsigned int i;

	for (i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_R) || (ph->p_flags & PF_W))
			continue;
		if (holds_text((const char *)info->dlpi_addr + ph->p_vaddr, ph->p_memsz, data))
			return 1;
	}
	return 2;
}

bool abi_check(void)
{
	static const char version[] = STRONGSWAN_VERSION;

	if (dl_iterate_phdr(program_version, (void *)version) != 1) {
		DBG1(DBG_LIB,
		     "sallyport: built for strongSwan %s, which this charon is not; build the "
		     "plugin "
		     "again with scripts/charon-plugin",
		     version);
		return false;
	}
	/* A function that exists only in a libcharon with mediation. */
	if (dlsym(RTLD_DEFAULT, "connect_manager_create") == NULL) {
		DBG1(DBG_LIB, "sallyport: built for a charon with mediation (--enable-mediation), "
		              "which this one is not; use Debian's packages");
		return false;
	}
	return true;
}
