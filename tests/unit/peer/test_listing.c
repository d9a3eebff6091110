/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "peer/listing.h"

static struct sn_mp_registries *registries;

static void note(struct sn_str href, void *ctx)
{
	assert_int_equal(href.p[href.n], '\0');
	sn_buf_addf(ctx, "%.*s|", (int)href.n, href.p);
}

static void assert_links(const char *html, const char *expected)
{
	struct sn_buf seen = {0};

	sn_peer_links(sn_str(html), 100, note, &seen);
	assert_string_equal(sn_buf_cstr(&seen), expected);
	sn_buf_finish(&seen);
}

static void links_are_found_however_they_are_written(void **state SN_UNUSED)
{
	assert_links("<a href='/capability/1'>1</a><br/><A HREF=\"/b\">", "/capability/1|/b|");
	assert_links("<a class=x href=/bare>x</a>", "/bare|");
	assert_links("<a\n\thref = '/blanks'>", "/blanks|");
	assert_links("<a href='/first' href='/second'>", "/first|");
	assert_links("<p><a href='  /trimmed\n'>", "/trimmed|");
	assert_links("<a href='/?a=1&amp;b=2&#38;c&#x26;d'>", "/?a=1&b=2&c&d|");
	assert_links("<a data-x='>' href='/quoted'>", "/quoted|");
}

static void what_is_no_link_is_passed_over(void **state SN_UNUSED)
{
	assert_links("", "");
	assert_links("<", "");
	assert_links("<a", "");
	assert_links("<a href", "");
	assert_links("<a href=", "");
	assert_links("<a href='", "");
	assert_links("<a href=''>", "");
	assert_links("<a href='/not closed", "");
	assert_links("<a href='a b'>", "");
	assert_links("<abbr href='/x'><link href='/y'><!-- <a href='/z'> --><a name=q>", "");
	assert_links("<!-- <a href='/never ends'>", "");
	assert_links("<a =x ==y href='/odd'>", "/odd|");
	assert_links("<a href='/a&unknown;b&'>", "/a&unknown;b&|");
	assert_links("<a href='/&#0;'><a href='/&#999999999999;'>", "/&#0;|/&#999999999999;|");
	assert_links("<a / / href='/slashes'/>", "/slashes|");
}

static void no_more_links_are_taken_than_wanted(void **state SN_UNUSED)
{
	const char *html = "<a href=1></a><a href=2></a><a href=3></a>";
	struct sn_buf seen = {0};

	sn_peer_links(sn_str(html), 2, note, &seen);
	assert_string_equal(sn_buf_cstr(&seen), "1|2|");
	sn_buf_finish(&seen);
}

static void a_link_has_a_limit(void **state SN_UNUSED)
{
	struct sn_buf html = {0}, seen = {0};

	for (size_t size = SN_PEER_LINK_MAX; size <= SN_PEER_LINK_MAX + 1; size++) {
		sn_buf_adds(&html, "<a href='");
		for (size_t i = 0; i < size; i++)
			sn_buf_addc(&html, 'x');
		sn_buf_adds(&html, "'>");
	}
	sn_peer_links(sn_buf_str(&html), 100, note, &seen);
	assert_int_equal(seen.n, SN_PEER_LINK_MAX + 1);
	sn_buf_finish(&html);
	sn_buf_finish(&seen);
}

static void assert_resolved(const char *base, const char *link, int rc, const char *expected)
{
	struct sn_buf url = {0};

	assert_int_equal(sn_peer_link_resolve(base, link, &url), rc);
	assert_string_equal(sn_buf_cstr(&url), expected);
	sn_buf_finish(&url);
}

static void links_are_resolved_on_their_page(void **state SN_UNUSED)
{
	const char *base = "http://192.0.2.1:8890/capability/x";

	assert_resolved(base, "/capability/t", 0, "http://192.0.2.1:8890/capability/t");
	assert_resolved(base, "t", 0, "http://192.0.2.1:8890/capability/t");
	assert_resolved(base, "../t#part", 0, "http://192.0.2.1:8890/t");
	assert_resolved(base, "?q", 0, "http://192.0.2.1:8890/capability/x?q");
	assert_resolved(base, "http://192.0.2.1:8890/a", 0, "http://192.0.2.1:8890/a");
	assert_resolved(base, "mplane-http://192.0.2.1:8890/a", 0, "http://192.0.2.1:8890/a");
	assert_resolved("https://x.example", "https://x.example:443/a", 0,
			"https://x.example:443/a");
}

static void links_that_lead_away_are_not_followed(void **state SN_UNUSED)
{
	const char *base = "http://192.0.2.1:8890/";

	assert_resolved(base, "http://192.0.2.2:8890/a", -EXDEV, "");
	assert_resolved(base, "http://192.0.2.1:8891/a", -EXDEV, "");
	assert_resolved(base, "https://192.0.2.1:8890/a", -EXDEV, "");
	assert_resolved(base, "//evil.example/a", -EXDEV, "");
	assert_resolved(base, "http://u:p@192.0.2.1:8890/a", 0, "http://192.0.2.1:8890/a");
	assert_resolved(base, "javascript:alert(1)", -EINVAL, "");
	assert_resolved(base, "file:///etc/passwd", -EINVAL, "");
	assert_resolved(base, "mailto:a@b", -EINVAL, "");
}

#define CAPABILITY                                                                                 \
	"{\"capability\":\"measure\",\"version\":1,"                                               \
	"\"registry\":\"http://ict-mplane.eu/registry/core\",\"label\":\"ping\","                  \
	"\"token\":\"t1\",\"when\":\"now ... future\",\"parameters\":{\"source.ip4\":\"*\"},"      \
	"\"results\":[\"delay.twoway.icmp.us\"]}"

static void assert_read(const char *json, size_t expected)
{
	struct sn_err err = {0};
	sn_automp struct sn_mp_message *list =
		sn_peer_listing_read(registries, json, strlen(json), NULL, &err);

	if (list == NULL)
		fail_msg("%s: %s", json, err.text);
	assert_int_equal(list->kind, SN_MP_ENVELOPE);
	assert_int_equal(list->content_count, expected);
	for (size_t i = 0; i < expected; i++)
		assert_string_equal(list->contents[i]->label, "ping");
}

static void capabilities_are_read_in_every_form(void **state SN_UNUSED)
{
	assert_read(CAPABILITY, 1);
	assert_read("[" CAPABILITY "," CAPABILITY "]", 2);
	assert_read("[]", 0);
	assert_read("{\"envelope\":\"message\",\"version\":1,\"contents\":[" CAPABILITY
		    ",{\"envelope\":\"capability\",\"contents\":[" CAPABILITY "]}]}",
		    2);
	assert_read("{\"probe7.example.net\":[" CAPABILITY "],\"probe8\":" CAPABILITY "}", 2);
	assert_read("{}", 0);
}

static void what_is_no_good_does_not_hide_the_rest(void **state SN_UNUSED)
{
	const char *json = "{\"a\":[{\"capability\":\"measure\",\"when\":\"tomorrow\"}," CAPABILITY
			   "],\"b\":7}";
	struct sn_buf skipped = {0};
	struct sn_mp_message *list =
		sn_peer_listing_read(registries, json, strlen(json), &skipped, NULL);

	assert_non_null(list);
	assert_int_equal(list->content_count, 1);
	assert_non_null(strstr(sn_buf_cstr(&skipped), "'b'"));
	sn_mp_message_destroy(list);
	sn_buf_finish(&skipped);
}

static void what_is_no_list_is_refused(void **state SN_UNUSED)
{
	static const char *const texts[] = {"", "7", "\"x\"", "<html>", "[", "{\"capability\":1}"};

	for (size_t i = 0; i < SN_COUNT(texts); i++) {
		struct sn_err err = {0};

		assert_null(
			sn_peer_listing_read(registries, texts[i], strlen(texts[i]), NULL, &err));
		assert_true(err.code < 0 && err.text[0] != '\0');
	}
}

static int setup(void **state SN_UNUSED)
{
	registries = sn_mp_registries_create();
	return 0;
}

static int teardown(void **state SN_UNUSED)
{
	sn_mp_registries_destroy(registries);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_are_found_however_they_are_written),
		cmocka_unit_test(what_is_no_link_is_passed_over),
		cmocka_unit_test(no_more_links_are_taken_than_wanted),
		cmocka_unit_test(a_link_has_a_limit),
		cmocka_unit_test(links_are_resolved_on_their_page),
		cmocka_unit_test(links_that_lead_away_are_not_followed),
		cmocka_unit_test(capabilities_are_read_in_every_form),
		cmocka_unit_test(what_is_no_good_does_not_hide_the_rest),
		cmocka_unit_test(what_is_no_list_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
