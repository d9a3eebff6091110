/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kml: where a node was, and what its modems saw there, as KML (OGC 12-007r2)
 * for maps.
 *
 * Rows are those of MONROE's tables monroe_meta_device_gps and
 * monroe_meta_device_modem of one node, in the order of time.  Of the receiver's
 * sentences only RMC ones are taken, as each fix gives one of them; a row without a
 * sentence is a fix.  A place's description says what is known and leaves out what is not.
 *
 * A track has a placemark per fix and, for each stretch without a gap, a line.  Coverage has one
 * per fix and modem, with what the modem told last, and one per record of a modem, with the last
 * fix; its style follows from the mode of the modem and refers to an image beside the file
 * (sn_kml_mark()).
 */
#ifndef SONDE_EXCHANGE_KML_H
#define SONDE_EXCHANGE_KML_H

#include <stdint.h>

#include "base/buf.h"
#include "data/columns.h"

/* That are known at a time; a further one replaces the most silent. */
#define SN_KML_MODEMS_MAX 16
#define SN_KML_LINE_MAX   10000 /* fixes of a line; a longer one goes on as another */

struct sn_kml_options {
	const char *node;    /* its name; copied */
	bool coverage;       /* with styles for modes of modems */
	int64_t min_gap_ns;  /* fixes nearer to the one before are left out; 0: none */
	int64_t split_ns;    /* of a track: a line ends where no fix came for longer; 0: no lines */
	const char *network; /* records of modems in this operator's network only; NULL: all */
};

struct sn_kml;
struct sn_kml *sn_kml_create(const struct sn_kml_options *options);
void sn_kml_destroy(struct sn_kml *kml);

/*
 * "206_1480464000_1480550400.kml": times in whole seconds; what a file's name should not have
 * in the node's is '_'.
 */
void sn_kml_name(const char *node, int64_t since_ns, int64_t until_ns, struct sn_buf *out);

void sn_kml_begin(const struct sn_kml *kml, struct sn_buf *out);
/* As often as there are rows; each call goes on where the one before ended. */
void sn_kml_track(struct sn_kml *kml, const struct sn_columns *fixes, struct sn_buf *out);
/* Both of the same span of time. */
void sn_kml_coverage(struct sn_kml *kml, const struct sn_columns *fixes,
		     const struct sn_columns *modems, struct sn_buf *out);
void sn_kml_end(struct sn_kml *kml, struct sn_buf *out);
const char *sn_kml_node(const struct sn_kml *kml);
size_t sn_kml_places(const struct sn_kml *kml); /* so far */

/* The images that coverage refers to: the name of the file, NULL behind the last one. */
const char *sn_kml_mark_name(unsigned i);
void sn_kml_mark(unsigned i, struct sn_buf *out); /* the file: PNG */

#endif
