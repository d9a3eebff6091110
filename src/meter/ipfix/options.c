/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/ipfix/options.h"

#include <assert.h>
#include <unistd.h>

#include "base/util.h"
#include "meter/ipfix/wire.h"

#define FIELDS_MAX 8

/* Templates --------------------------------------------------------------- */

struct field {
	uint16_t id, length;
};

/* Scope fields first. */
static const struct options_template {
	uint16_t id, scopes, count;
	struct field fields[FIELDS_MAX];
} templates[] = {
	{SN_IPFIX_OPTIONS_TYPES,
	 2,
	 7,
	 {{303, 2},                   /* informationElementId */
	  {346, 4},                   /* privateEnterpriseNumber */
	  {339, 1},                   /* informationElementDataType */
	  {344, 1},                   /* informationElementSemantics */
	  {345, 2},                   /* informationElementUnits */
	  {341, SN_IPFIX_VARIABLE},   /* informationElementName */
	  {340, SN_IPFIX_VARIABLE}}}, /* informationElementDescription */
	{SN_IPFIX_OPTIONS_ANONYMISED,
	 3,
	 5,
	 {{145, 2},   /* templateId */
	  {303, 2},   /* informationElementId */
	  {346, 4},   /* privateEnterpriseNumber */
	  {285, 2},   /* anonymizationFlags */
	  {286, 2}}}, /* anonymizationTechnique */
	{SN_IPFIX_OPTIONS_SOURCES,
	 1,
	 2,
	 {{138, 4},                  /* observationPointId */
	  {82, SN_IPFIX_VARIABLE}}}, /* interfaceName */
	{SN_IPFIX_OPTIONS_EXPORTED,
	 1,
	 4,
	 {{149, 4},  /* observationDomainId */
	  {41, 8},   /* exportedMessageTotalCount */
	  {42, 8},   /* exportedFlowRecordTotalCount */
	  {40, 8}}}, /* exportedOctetTotalCount */
	{SN_IPFIX_OPTIONS_IGNORED,
	 1,
	 2,
	 {{149, 4},   /* observationDomainId */
	  {164, 8}}}, /* ignoredPacketTotalCount */
	{SN_IPFIX_OPTIONS_NOT_SENT,
	 1,
	 4,
	 {{144, 4},   /* exportingProcessId */
	  {166, 8},   /* notSentFlowTotalCount */
	  {167, 8},   /* notSentPacketTotalCount */
	  {168, 8}}}, /* notSentOctetTotalCount */
};
_Static_assert(SN_COUNT(templates) == SN_IPFIX_OPTIONS_END - SN_IPFIX_OPTIONS_TYPES,
	       "every number has its template");

/* Options template record (RFC 7011, section 3.4.2.2). */
static void put_template(struct sn_buf *out, const struct options_template *template)
{
	put_u16(out, template->id);
	put_u16(out, template->count);
	put_u16(out, template->scopes);
	for (size_t i = 0; i < template->count; i++)
		sn_ipfix_put_field(out, template->fields[i].id, template->fields[i].length, 0);
}

/* Takes the record out of `record` and empties it. */
static int add(struct sn_ipfix_packer *packer, uint16_t set_id, struct sn_buf *record)
{
	int result = sn_ipfix_packer_add(packer, set_id, sn_buf_str(record));

	sn_buf_clear(record);
	return result;
}

int sn_ipfix_add_options_templates(struct sn_ipfix_packer *packer)
{
	struct sn_buf record = {0};
	int result = 0;

	for (size_t i = 0; result == 0 && i < SN_COUNT(templates); i++) {
		put_template(&record, &templates[i]);
		result = add(packer, SN_IPFIX_OPTIONS_SET, &record);
	}
	sn_buf_finish(&record);
	return result;
}

/* Types of our own elements ------------------------------------------------- */

static void put_type(struct sn_buf *out, const struct sn_ipfix_element *element, bool reverse,
		     uint32_t enterprise)
{
	struct sn_buf name = {0};

	/* RFC 5103, section 6: "reverse" and the first letter capital. */
	if (reverse)
		sn_buf_addf(&name, "reverse%c%s", element->name[0] - 'a' + 'A', element->name + 1);
	else
		sn_buf_adds(&name, element->name);
	put_u16(out, reverse ? element->id | SN_IPFIX_REVERSE_BIT : element->id);
	put_u32(out, enterprise);
	put_u8(out, element->type);
	put_u8(out, element->semantics);
	put_u16(out, element->units);
	sn_ipfix_put_text(out, sn_buf_str(&name), SN_IPFIX_TEXT_MAX);
	sn_ipfix_put_text(out, sn_str(element->help), SN_IPFIX_TEXT_MAX);
	sn_buf_finish(&name);
}

int sn_ipfix_add_types(struct sn_ipfix_packer *packer, const struct sn_ipfix_style *style)
{
	struct sn_buf record = {0};
	int result = 0;

	for (size_t i = 0; result == 0 && i < 2 * sn_ipfix_element_count; i++) {
		const struct sn_ipfix_element *element = &sn_ipfix_elements[i / 2];
		bool reverse = i % 2 == 1;

		if (!element->own || (reverse && (!element->both || style->uniflow)))
			continue;
		put_type(&record, element, reverse, style->enterprise);
		result = add(packer, SN_IPFIX_OPTIONS_TYPES, &record);
	}
	sn_buf_finish(&record);
	return result;
}

/* What was done to addresses and names -------------------------------------- */

static enum sn_privacy_mode mode_of(const struct sn_ipfix_shape *shape,
				    const struct sn_ipfix_element *element,
				    const struct sn_ipfix_modes *modes)
{
	unsigned from = shape->from;

	switch (element->privacy) {
	case SN_IPFIX_SOURCE:
		return modes->address[from][shape->internal[from]];
	case SN_IPFIX_DESTINATION:
		return modes->address[!from][shape->internal[!from]];
	case SN_IPFIX_NAME:
		return modes->name;
	default:
		return SN_PRIVACY_KEEP;
	}
}

/* anonymizationTechnique (RFC 6235, section 7.2.2). */
static uint16_t technique_of(enum sn_privacy_mode mode, uint8_t privacy)
{
	enum { UNDEFINED, NONE, TRUNCATION, PERMUTATION = 5, STRUCTURED_PERMUTATION };

	switch (mode) {
	case SN_PRIVACY_KEEP:
		return NONE;
	case SN_PRIVACY_TRUNCATE:
		return TRUNCATION;
	case SN_PRIVACY_HASH:
		return PERMUTATION;
	case SN_PRIVACY_CRYPTOPAN: /* names are encrypted as a whole */
		return privacy == SN_IPFIX_NAME ? PERMUTATION : STRUCTURED_PERMUTATION;
	default:
		return UNDEFINED;
	}
}

int sn_ipfix_add_anonymised(struct sn_ipfix_packer *packer, uint16_t number,
			    const struct sn_ipfix_style *style, const struct sn_ipfix_modes *modes)
{
	struct sn_ipfix_shape shape;
	struct sn_buf record = {0};
	int result = 0;

	sn_ipfix_shape_read(number, &shape);
	for (size_t i = 0; result == 0 && i < sn_ipfix_element_count; i++) {
		const struct sn_ipfix_element *element = &sn_ipfix_elements[i];
		enum sn_privacy_mode mode = mode_of(&shape, element, modes);

		if (mode == SN_PRIVACY_KEEP || !sn_ipfix_has(&shape, style, element))
			continue;
		put_u16(&record, (uint16_t)(SN_IPFIX_TEMPLATES + number));
		put_u16(&record, element->id);
		put_u32(&record, element->own ? style->enterprise : 0);
		put_u16(&record, 0); /* how long a mapping holds is not told */
		put_u16(&record, technique_of(mode, element->privacy));
		result = add(packer, SN_IPFIX_OPTIONS_ANONYMISED, &record);
	}
	sn_buf_finish(&record);
	return result;
}

/* Where, and how much -------------------------------------------------------- */

int sn_ipfix_add_source(struct sn_ipfix_packer *packer, uint16_t number, const char *name)
{
	struct sn_buf record = {0};
	int result;

	put_u32(&record, number + 1U);
	sn_ipfix_put_text(&record, sn_str(name), SN_IPFIX_TEXT_MAX);
	result = add(packer, SN_IPFIX_OPTIONS_SOURCES, &record);
	sn_buf_finish(&record);
	return result;
}

static int add_numbers(struct sn_ipfix_packer *packer, uint16_t template, uint32_t scope,
		       const uint64_t *numbers, size_t count)
{
	struct sn_buf record = {0};
	int result;

	put_u32(&record, scope);
	for (size_t i = 0; i < count; i++)
		put_u64(&record, numbers[i]);
	result = add(packer, template, &record);
	sn_buf_finish(&record);
	return result;
}

int sn_ipfix_add_counts(struct sn_ipfix_packer *packer, uint32_t domain,
			const struct sn_ipfix_counts *counts)
{
	const uint64_t exported[] = {counts->messages, counts->records, counts->octets};
	const uint64_t not_sent[] = {counts->lost_flows, counts->lost_packets, counts->lost_octets};
	int result;

	result = add_numbers(packer, SN_IPFIX_OPTIONS_EXPORTED, domain, exported,
			     SN_COUNT(exported));
	if (result == 0)
		result = add_numbers(packer, SN_IPFIX_OPTIONS_IGNORED, domain,
				     &counts->ignored_packets, 1);
	if (result == 0)
		result = add_numbers(packer, SN_IPFIX_OPTIONS_NOT_SENT, (uint32_t)getpid(),
				     not_sent, SN_COUNT(not_sent));
	return result;
}
