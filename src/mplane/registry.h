/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry: element registries: which names exist and of which type they are.
 *
 * The core registry and the known extensions are shipped as JSON files (registry/
 * of the source tree, format "mplane-0") and built into the library, because their
 * public hosts are gone; nothing is ever fetched.  Further files can be added.
 * Sonde's own registry (SN_MP_REGISTRY_SONDE) is made from the declarations of
 * methods and datasets, see mplane/offer.h.
 *
 * Names are opaque, case-sensitive texts of [A-Za-z0-9._-].  A lookup asks the
 * registry of the message and what it includes, then all others in load order; a
 * name that nobody knows is kept as a string element (the caller may be strict).
 *
 * A file whose URI is there already is put over it: it adds names and redefines those
 * that it has, the others stay.  That is how the enlarged copies of the core registry
 * work that components were shipped with, and it happens only to who adds one.
 *
 * A registry set is immutable after loading and may be shared; elements live as
 * long as it.
 */
#ifndef SONDE_MPLANE_REGISTRY_H
#define SONDE_MPLANE_REGISTRY_H

#include "mplane/value.h"

#define SN_MP_REGISTRY_CORE "http://ict-mplane.eu/registry/core"
#define SN_MP_REGISTRY_TSTAT                                                                       \
	"https://raw.githubusercontent.com/fp7mplane/components/master/tstat/tstat-registry.json"
#define SN_MP_REGISTRY_SONDE "urn:sonde:registry"

#define SN_MP_REGISTRIES_MAX 64
#define SN_MP_ELEMENTS_MAX   8192 /* of one registry */
#define SN_MP_NAME_MAX       128  /* bytes of an element's name */
#define SN_MP_REGISTRY_BYTES (4 * 1024 * 1024)

struct sn_mp_element {
	const char *name;
	enum sn_mp_prim prim;
	const char *desc; /* may be "" */
};

struct sn_mp_registries;

/* With everything that is built in. Never fails. */
struct sn_mp_registries *sn_mp_registries_create(void);
void sn_mp_registries_destroy(struct sn_mp_registries *registries);
/*
 * One more, as JSON text; entries "COMMENT:..." are passed over; "aliases" may list URIs under
 * which it was published, too.  -EINVAL with the reason; -ENOENT names an include that is not
 * loaded; -ERANGE: a limit.  On failure the set is as it was.
 */
int sn_mp_registries_add(struct sn_mp_registries *registries, struct sn_str json,
			 struct sn_err *err);

size_t sn_mp_registries_count(const struct sn_mp_registries *registries);
const char *sn_mp_registries_uri(const struct sn_mp_registries *registries, size_t i);
bool sn_mp_registries_know(const struct sn_mp_registries *registries, const char *uri);
/* The registry as JSON of format mplane-0, appended; -ENOENT. */
int sn_mp_registries_print(const struct sn_mp_registries *registries, const char *uri,
			   struct sn_buf *out);

bool sn_mp_name_is_good(struct sn_str name);
/* A qualified name (uri#name) counts as its part behind '#'. NULL when nobody knows it. */
const struct sn_mp_element *sn_mp_element_find(const struct sn_mp_registries *registries,
					       const char *uri, const char *name);

#endif
