/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/kml.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "base/util.h"
#include "data/scalar.h"

#define KMH_PER_KNOT 1.852

struct fix {
	bool known;
	int64_t time;
	double latitude, longitude, altitude, knots; /* the last two: NAN if not told */
	int64_t satellites;                          /* -1: not told */
};

struct modem { /* what it told last */
	char *iccid;
	int64_t time;
	unsigned mode;
	struct sn_buf text; /* lines of a description */
};

struct sn_kml {
	char *node, *network;
	bool coverage;
	int64_t min_gap_ns, split_ns;
	struct sn_buf line; /* coordinates of the stretch at hand */
	size_t line_fixes;
	int64_t line_time; /* of its last fix */
	struct fix fix;
	struct modem modems[SN_KML_MODEMS_MAX];
	size_t modem_count, places;
};

static const struct mode {
	const char *name, *style;
} modes[] = {
	/* by DeviceMode */
	{"unknown", "IconUnknown"},
	{"disconnected", "IconDisconnected"},
	{"no service", "IconNoService"},
	{"2G", "Icon2G"},
	{"3G", "Icon3G"},
	{"LTE", "IconLTE"},
};
static const char *const submodes[] = {
	"unknown",     "UMTS",    "WCDMA",       "EVDO",      "HSPA",
	"HSPA+",       "DC HSPA", "DC HSPA+",    "HSDPA",     "HSUPA",
	"HSDPA+HSUPA", "HSDPA+",  "HSDPA+HSUPA", "DC HSDPA+", "DC HSDPA+HSUPA",
};
static const char *const states[] = {
	"unknown", "registered", "unregistered", "connected", "disconnected",
};

/* Texts -------------------------------------------------------------------- */

/* XML 1.0 has no way to write most control characters, not even escaped. */
static void add_char(struct sn_buf *out, const char *p, size_t length)
{
	static const struct {
		char c;
		const char *name;
	} entities[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}};

	for (size_t i = 0; i < SN_COUNT(entities); i++)
		if (*p == entities[i].c) {
			sn_buf_adds(out, entities[i].name);
			return;
		}
	if (length == 0 || (length == 1 && (uint8_t)*p < ' ') || *p == 0x7f ||
	    (length == 3 && memcmp(p, "\xef\xbf", 2) == 0 && (uint8_t)p[2] >= 0xbe))
		sn_buf_adds(out, "\xef\xbf\xbd");
	else
		sn_buf_add(out, p, length);
}

static void add_text(struct sn_buf *out, struct sn_str text)
{
	for (size_t i = 0; i < text.n;) {
		size_t length = sn_utf8_length(text.p + i, text.n - i);

		add_char(out, text.p + i, length);
		i += length > 0 ? length : 1;
	}
}

static void add_line(struct sn_buf *out, const char *name, struct sn_str value)
{
	sn_buf_addf(out, "%s: ", name);
	add_text(out, value);
	sn_buf_adds(out, "<br/>\n");
}

static void add_number(struct sn_buf *out, const char *name, double value, const char *unit)
{
	if (isnan(value))
		return;
	sn_buf_addf(out, "%s: ", name);
	sn_scalar_add_f64(out, value);
	sn_buf_addf(out, "%s<br/>\n", unit);
}

/* Rows --------------------------------------------------------------------- */

static struct sn_value value_of(const struct sn_columns *columns, size_t row, const char *name)
{
	int column = sn_dataset_column(sn_columns_dataset(columns), name);
	struct sn_vector vector;

	assert(column >= 0);
	vector = sn_columns_vector(columns, column);
	return sn_vector_value(&vector, row);
}

static double number_of(const struct sn_columns *columns, size_t row, const char *name)
{
	struct sn_value value = value_of(columns, row, name);

	return value.type == SN_TYPE_NULL ? NAN : value.f;
}

static int64_t integer_of(const struct sn_columns *columns, size_t row, const char *name)
{
	struct sn_value value = value_of(columns, row, name);

	return value.type == SN_TYPE_NULL ? -1 : value.i;
}

static int64_t time_of(const struct sn_columns *columns, size_t row)
{
	return value_of(columns, row, "time").i;
}

/* "$GPRMC,..." and the same of receivers for other satellites; or a row without any sentence. */
static bool is_fix(const struct sn_columns *columns, size_t row)
{
	struct sn_value nmea = value_of(columns, row, "nmea");

	return nmea.type == SN_TYPE_NULL ||
	       (nmea.s.n > 6 && nmea.s.p[0] == '$' && memcmp(nmea.s.p + 3, "RMC", 3) == 0);
}

/* Makes a row the last fix; false if it is none, or too near to the one before. */
static bool take_fix(struct sn_kml *kml, const struct sn_columns *fixes, size_t row)
{
	struct fix fix = {
		.known = true,
		.time = time_of(fixes, row),
		.latitude = number_of(fixes, row, "latitude"),
		.longitude = number_of(fixes, row, "longitude"),
		.altitude = number_of(fixes, row, "altitude"),
		.knots = number_of(fixes, row, "speed"),
		.satellites = integer_of(fixes, row, "satellitecount"),
	};

	/* A comparison with NAN is false, too. */
	if (!is_fix(fixes, row) || !(fabs(fix.latitude) <= 90) || !(fabs(fix.longitude) <= 180))
		return false;
	if (kml->fix.known && kml->min_gap_ns > 0 && fix.time - kml->fix.time < kml->min_gap_ns)
		return false;
	kml->fix = fix;
	return true;
}

/* Placemarks --------------------------------------------------------------- */

static void describe_fix(const struct fix *fix, struct sn_buf *out)
{
	add_number(out, "Latitude", fabs(fix->latitude), fix->latitude < 0 ? " S" : " N");
	add_number(out, "Longitude", fabs(fix->longitude), fix->longitude < 0 ? " W" : " E");
	add_number(out, "Altitude", fix->altitude, " m");
	if (!isnan(fix->knots))
		sn_buf_addf(out, "Speed: %.1f km/h<br/>\n", fix->knots * KMH_PER_KNOT);
	if (fix->satellites >= 0)
		sn_buf_addf(out, "Satellites: %lld<br/>\n", (long long)fix->satellites);
}

static void add_coordinates(const struct fix *fix, struct sn_buf *out)
{
	sn_scalar_add_f64(out, fix->longitude);
	sn_buf_addc(out, ',');
	sn_scalar_add_f64(out, fix->latitude);
	sn_buf_addc(out, ',');
	sn_scalar_add_f64(out, isnan(fix->altitude) ? 0 : fix->altitude);
}

/* Without the zeros that most times end with. */
static void format_when(int64_t time, char when[SN_TIME_TEXT_MAX])
{
	size_t n;

	sn_format_time(time, when, SN_TIME_TEXT_MAX);
	n = strlen(when) - 1; /* the Z */
	while (n > 0 && when[n - 1] == '0' && strchr(when, '.') != NULL)
		n--;
	if (n > 0 && when[n - 1] == '.')
		n--;
	when[n] = 'Z';
	when[n + 1] = '\0';
}

static void add_place(struct sn_kml *kml, int64_t time, const struct modem *modem,
		      struct sn_buf *out)
{
	char when[SN_TIME_TEXT_MAX];

	format_when(time, when);
	sn_buf_adds(out, "<Placemark>\n<description><![CDATA[");
	add_line(out, "Node", sn_str(kml->node));
	add_line(out, "Time", sn_str(when));
	describe_fix(&kml->fix, out);
	if (modem != NULL)
		sn_buf_add(out, modem->text.p, modem->text.n);
	sn_buf_adds(out, "]]></description>\n");
	sn_buf_addf(out, "<TimeStamp><when>%s</when></TimeStamp>\n", when);
	if (modem != NULL)
		sn_buf_addf(out, "<styleUrl>#%s</styleUrl>\n", modes[modem->mode].style);
	sn_buf_adds(out, "<Point><coordinates>");
	add_coordinates(&kml->fix, out);
	sn_buf_adds(out, "</coordinates></Point>\n</Placemark>\n");
	kml->places++;
}

/* Lines of tracks ----------------------------------------------------------- */

/* One fix is no line. */
static void end_line(struct sn_kml *kml, struct sn_buf *out)
{
	if (kml->line_fixes > 1) {
		sn_buf_adds(out,
			    "<Placemark>\n<LineString><tessellate>1</tessellate><coordinates>\n");
		sn_buf_add(out, kml->line.p, kml->line.n);
		sn_buf_adds(out, "</coordinates></LineString>\n</Placemark>\n");
	}
	sn_buf_clear(&kml->line);
	kml->line_fixes = 0;
}

static void extend_line(struct sn_kml *kml, struct sn_buf *out)
{
	bool full = kml->line_fixes == SN_KML_LINE_MAX;
	struct fix last = kml->fix;

	if (kml->split_ns == 0)
		return;
	if (kml->line_fixes > 0 && last.time - kml->line_time > kml->split_ns)
		end_line(kml, out);
	add_coordinates(&last, &kml->line);
	sn_buf_addc(&kml->line, '\n');
	kml->line_fixes++;
	kml->line_time = last.time;
	if (full) {
		end_line(kml, out);
		extend_line(kml, out); /* the next one begins where this one ends */
	}
}

/* Modems ------------------------------------------------------------------- */

static void describe_code(struct sn_buf *out, const char *name, int64_t code,
			  const char *const *names, size_t count)
{
	if (code >= 0 && (size_t)code < count)
		add_line(out, name, sn_str(names[code]));
	else if (code >= 0)
		sn_buf_addf(out, "%s: %lld<br/>\n", name, (long long)code);
}

static void describe_modem(const struct sn_columns *modems, size_t row, unsigned mode,
			   struct sn_buf *out)
{
	/* Columns under the names of a description; those of modes are told in words. */
	static const struct {
		const char *name, *column;
	} lines[] = {
		{"ICCID", "iccid"},
		{"Band", "band"},
		{"Frequency", "frequency"},
		{"Interface", "interfacename"},
		{"Internal interface", "internalinterface"},
		{"LAC", "lac"},
		{"Operator", "operator"},
		{"PCI", "pci"},
		{"RSCP", "rscp"},
		{"RSRP", "rsrp"},
		{"RSSI", "rssi"},
	};

	sn_buf_clear(out);
	add_line(out, "Mode", sn_str(modes[mode].name));
	describe_code(out, "Submode", integer_of(modems, row, "devicesubmode"), submodes,
		      SN_COUNT(submodes));
	describe_code(out, "State", integer_of(modems, row, "devicestate"), states,
		      SN_COUNT(states));
	for (size_t i = 0; i < SN_COUNT(lines); i++) {
		struct sn_value value = value_of(modems, row, lines[i].column);

		if (value.type == SN_TYPE_TEXT)
			add_line(out, lines[i].name, value.s);
		else if (value.type == SN_TYPE_I64)
			sn_buf_addf(out, "%s: %lld<br/>\n", lines[i].name, (long long)value.i);
	}
}

/* The entry of a SIM card, a new one if need be. */
static struct modem *find_modem(struct sn_kml *kml, struct sn_str iccid)
{
	struct modem *modem = &kml->modems[0];

	for (size_t i = 0; i < kml->modem_count; i++) {
		if (sn_str_eqc(iccid, kml->modems[i].iccid))
			return &kml->modems[i];
		if (kml->modems[i].time < modem->time)
			modem = &kml->modems[i];
	}
	if (kml->modem_count < SN_KML_MODEMS_MAX)
		modem = &kml->modems[kml->modem_count++];
	free(modem->iccid);
	modem->iccid = sn_xstrndup(iccid.p, iccid.n);
	return modem;
}

static struct modem *take_modem(struct sn_kml *kml, const struct sn_columns *modems, size_t row)
{
	struct sn_value iccid = value_of(modems, row, "iccid");
	struct sn_value network = value_of(modems, row, "operator");
	int64_t mode = integer_of(modems, row, "devicemode");
	struct modem *modem;

	if (kml->network != NULL &&
	    (network.type == SN_TYPE_NULL || !sn_str_eqc(network.s, kml->network)))
		return NULL;
	modem = find_modem(kml, iccid.type == SN_TYPE_TEXT ? iccid.s : SN_STR(""));
	modem->time = time_of(modems, row);
	modem->mode = mode > 0 && (size_t)mode < SN_COUNT(modes) ? (unsigned)mode : 0;
	describe_modem(modems, row, modem->mode, &modem->text);
	return modem;
}

/* Documents ---------------------------------------------------------------- */

struct sn_kml *sn_kml_create(const struct sn_kml_options *options)
{
	struct sn_kml *kml = sn_new(struct sn_kml);

	kml->node = sn_xstrdup(options->node);
	kml->network = options->network != NULL ? sn_xstrdup(options->network) : NULL;
	kml->coverage = options->coverage;
	kml->min_gap_ns = options->min_gap_ns;
	kml->split_ns = options->split_ns;
	return kml;
}

void sn_kml_destroy(struct sn_kml *kml)
{
	if (kml == NULL)
		return;
	for (size_t i = 0; i < kml->modem_count; i++) {
		free(kml->modems[i].iccid);
		sn_buf_finish(&kml->modems[i].text);
	}
	sn_buf_finish(&kml->line);
	free(kml->node);
	free(kml->network);
	free(kml);
}

void sn_kml_name(const char *node, int64_t since_ns, int64_t until_ns, struct sn_buf *out)
{
	for (const char *p = node; *p != '\0'; p++) {
		bool plain = (*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') ||
			     (*p >= 'a' && *p <= 'z') || *p == '-' || (*p == '.' && p > node);

		sn_buf_addc(out, plain ? *p : '_');
	}
	sn_buf_addf(out, "_%lld_%lld.kml", (long long)(since_ns / SN_NS_PER_S),
		    (long long)(until_ns / SN_NS_PER_S));
}

void sn_kml_begin(const struct sn_kml *kml, struct sn_buf *out)
{
	sn_buf_adds(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
			 "<kml xmlns=\"http://www.opengis.net/kml/2.2\">\n<Document>\n<name>");
	add_text(out, sn_str(kml->node));
	sn_buf_adds(out, "</name>\n");
	for (unsigned i = 0; kml->coverage && i < SN_COUNT(modes); i++)
		sn_buf_addf(out,
			    "<Style id=\"%s\"><IconStyle><Icon><href>%s</href></Icon></IconStyle>"
			    "</Style>\n",
			    modes[i].style, sn_kml_mark_name(i));
}

void sn_kml_track(struct sn_kml *kml, const struct sn_columns *fixes, struct sn_buf *out)
{
	for (size_t row = 0; row < sn_columns_rows(fixes); row++)
		if (take_fix(kml, fixes, row)) {
			add_place(kml, kml->fix.time, NULL, out);
			extend_line(kml, out);
		}
}

static void cover_fix(struct sn_kml *kml, const struct sn_columns *fixes, size_t row,
		      struct sn_buf *out)
{
	if (!take_fix(kml, fixes, row))
		return;
	for (size_t i = 0; i < kml->modem_count; i++)
		add_place(kml, kml->fix.time, &kml->modems[i], out);
}

static void cover_modem(struct sn_kml *kml, const struct sn_columns *modems, size_t row,
			struct sn_buf *out)
{
	const struct modem *modem = take_modem(kml, modems, row);

	if (modem != NULL && kml->fix.known)
		add_place(kml, modem->time, modem, out);
}

void sn_kml_coverage(struct sn_kml *kml, const struct sn_columns *fixes,
		     const struct sn_columns *modems, struct sn_buf *out)
{
	size_t fix = 0, modem = 0;

	while (fix < sn_columns_rows(fixes) || modem < sn_columns_rows(modems)) {
		bool fix_is_next = modem == sn_columns_rows(modems) ||
				   (fix < sn_columns_rows(fixes) &&
				    time_of(fixes, fix) <= time_of(modems, modem));

		if (fix_is_next)
			cover_fix(kml, fixes, fix++, out);
		else
			cover_modem(kml, modems, modem++, out);
	}
}

void sn_kml_end(struct sn_kml *kml, struct sn_buf *out)
{
	end_line(kml, out);
	sn_buf_adds(out, "</Document>\n</kml>\n");
}

const char *sn_kml_node(const struct sn_kml *kml)
{
	return kml->node;
}

size_t sn_kml_places(const struct sn_kml *kml)
{
	return kml->places;
}
