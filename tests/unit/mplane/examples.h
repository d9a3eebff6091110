/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A measurement from registration to result, and what else peers say, as the written protocol has
 * it.  Single quotes stand for double ones.
 */
#ifndef SONDE_TESTS_MPLANE_EXAMPLES_H
#define SONDE_TESTS_MPLANE_EXAMPLES_H

/* clang-format off */
static const struct {
	const char *name, *json;
} examples[] = {
	{"registration",
	 "{ "
	 "'envelope': 'message', "
	 "'version': 1, "
	 "'contents': [ "
	 "{ 'capability': 'measure', 'version': 1, "
	 "'registry': 'http://ict-mplane.eu/registry/core', "
	 "'label': 'hop-delay-ip4', 'token': '6f1d0c5be2a94c3d8f7e6a5b4c3d2e1f', "
	 "'link': '', 'when': 'now ... future / 2s', "
	 "'parameters': { 'source.ip4': '198.51.100.21', 'destination.ip4': '*', "
	 "'hops.ip': '1 ... 30' }, "
	 "'metadata': { 'System_type': 'sonde-probe', 'System_ID': 'lab-7', "
	 "'measurement.revision': '4' }, "
	 "'results': [ 'time', 'hops.ip', 'intermediate.ip4', 'rtt.us' ] }, "
	 "{ 'capability': 'callback', 'version': 1, "
	 "'registry': 'http://ict-mplane.eu/registry/core', "
	 "'label': 'callback', 'token': 'cb-lab-7', 'when': 'now ... future' } "
	 "] "
	 "} "},
	{"poll",
	 "{ "
	 "'envelope': 'message', 'version': 1, "
	 "'contents': [ "
	 "{ 'specification': 'measure', 'version': 1, "
	 "'registry': 'http://ict-mplane.eu/registry/core', "
	 "'label': 'hop-delay-ip4-12', 'token': '0aa1b2c3d4e5f60718293a4b5c6d7e8f', "
	 "'link': 'https://sup.example.net:8889/register/result', 'when': 'now + 20s / "
	 "2s', "
	 "'parameters': { 'source.ip4': '198.51.100.21', 'destination.ip4': "
	 "'203.0.113.9', 'hops.ip': '12' }, "
	 "'metadata': { 'System_type': 'sonde-probe', 'System_ID': 'lab-7', "
	 "'measurement.revision': '4' }, "
	 "'results': [ 'time', 'hops.ip', 'intermediate.ip4', 'rtt.us' ] }, "
	 "{ 'interrupt': 'measure', 'version': 1, "
	 "'registry': 'http://ict-mplane.eu/registry/core', "
	 "'label': 'hop-delay-ip4-9', 'token': '77e0d1c2b3a495867768594a3b2c1d0e', "
	 "'when': 'now + 1h / 2s', "
	 "'parameters': { 'source.ip4': '198.51.100.21', 'destination.ip4': "
	 "'203.0.113.77', 'hops.ip': '30' }, "
	 "'results': [ 'time', 'hops.ip', 'intermediate.ip4', 'rtt.us' ] }, "
	 "{ 'specification': 'callback', 'version': 1, "
	 "'registry': 'http://ict-mplane.eu/registry/core', "
	 "'label': 'callback', 'token': 'cb-lab-7', 'when': 'now + 15s' } "
	 "] "
	 "} "},
	{"receipt",
	 "{ 'receipt': 'measure', 'version': 1, 'registry': "
	 "'http://ict-mplane.eu/registry/core', "
	 "'label': 'hop-delay-ip4-12', 'token': '0aa1b2c3d4e5f60718293a4b5c6d7e8f', "
	 "'when': 'now + 20s / 2s', "
	 "'parameters': { 'source.ip4': '198.51.100.21', 'destination.ip4': "
	 "'203.0.113.9', 'hops.ip': '12' }, "
	 "'results': [ 'time', 'hops.ip', 'intermediate.ip4', 'rtt.us' ] } "},
	{"result",
	 "{ 'result': 'measure', 'version': 1, 'registry': "
	 "'http://ict-mplane.eu/registry/core', "
	 "'label': 'hop-delay-ip4-12', 'token': '0aa1b2c3d4e5f60718293a4b5c6d7e8f', "
	 "'when': '2031-05-06 10:00:00.120000 ... 2031-05-06 10:00:04.551200', "
	 "'parameters': { 'source.ip4': '198.51.100.21', 'destination.ip4': "
	 "'203.0.113.9', 'hops.ip': '12' }, "
	 "'results': [ 'time', 'hops.ip', 'intermediate.ip4', 'rtt.us' ], "
	 "'resultvalues': [ "
	 "[ '2031-05-06 10:00:00.120000', '1', '198.51.100.1', '412' ], "
	 "[ '2031-05-06 10:00:02.130100', '2', '*', '*' ], "
	 "[ '2031-05-06 10:00:04.551200', '3', '203.0.113.9', '18733' ] ] } "},
	{"specification",
	 "{ 'specification': 'measure', 'version': 1, 'registry': "
	 "'http://ict-mplane.eu/registry/core', "
	 "'label': 'hop-delay-ip4-0', 'token': 'c0ffee00c0ffee00c0ffee00c0ffee00', "
	 "'when': 'now + 20s / 2s', "
	 "'parameters': { 'source.ip4': '198.51.100.21', 'destination.ip4': "
	 "'203.0.113.9', 'hops.ip': '12' }, "
	 "'results': [ 'time', 'hops.ip', 'intermediate.ip4', 'rtt.us' ] } "},
	{"redemption by token",
	 "{ 'redemption': 'measure', 'version': 1, 'token': "
	 "'c0ffee00c0ffee00c0ffee00c0ffee00' } "},
	{"repeated specification",
	 "{ 'specification': 'measure', 'version': 1, 'registry': "
	 "'http://ict-mplane.eu/registry/core', "
	 "'label': 'ping-average-ip4-3', 'token': '5e11ab1e5e11ab1e5e11ab1e5e11ab1e', "
	 "'when': 'repeat 2031-05-06 00:00:00 ... 2031-05-07 00:00:00 cron 0 0,30 8-17 "
	 "* 1-5 * { now + 10s / 1s }', "
	 "'parameters': { 'source.ip4': '198.51.100.21', 'destination.ip4': "
	 "'203.0.113.80' }, "
	 "'results': [ 'delay.twoway.icmp.us.min', 'delay.twoway.icmp.us.max', "
	 "'delay.twoway.icmp.count' ] } "},
	{"envelope of its results",
	 "{ 'envelope': 'message', 'version': 1, 'label': 'ping-average-ip4-3', "
	 "'token': '5e11ab1e5e11ab1e5e11ab1e5e11ab1e', "
	 "'when': '2031-05-06 00:00:00.000000 ... 2031-05-07 00:00:00.000000', "
	 "'contents': [ "
	 "{ 'result': 'measure', 'version': 1, 'registry': "
	 "'http://ict-mplane.eu/registry/core', "
	 "'label': 'ping-average-ip4-3', 'token': '1111aaaa2222bbbb3333cccc4444dddd', "
	 "'when': '2031-05-06 08:00:00.004000 ... 2031-05-06 08:00:09.310000', "
	 "'parameters': { 'source.ip4': '198.51.100.21', 'destination.ip4': "
	 "'203.0.113.80' }, "
	 "'results': [ 'delay.twoway.icmp.us.min', 'delay.twoway.icmp.us.max', "
	 "'delay.twoway.icmp.count' ], "
	 "'resultvalues': [ [ '9120', '10455', '10' ] ] }, "
	 "{ 'exception': '5555eeee6666ffff7777aaaa8888bbbb', 'token': "
	 "'5555eeee6666ffff7777aaaa8888bbbb', "
	 "'message': 'no reply from destination' } ] } "},
	{"exception",
	 "{ 'exception': 'c0ffee00c0ffee00c0ffee00c0ffee00', 'token': "
	 "'c0ffee00c0ffee00c0ffee00c0ffee00', "
	 "'message': 'identity org.example.LAB.Clients.intern may not use "
	 "hop-delay-ip4' } "},
	{"withdrawal",
	 "{ 'withdrawal': 'measure', 'version': 1, 'registry': "
	 "'http://ict-mplane.eu/registry/core', "
	 "'label': 'hop-delay-ip4', 'token': '6f1d0c5be2a94c3d8f7e6a5b4c3d2e1f', "
	 "'when': 'now ... future / 2s', "
	 "'parameters': { 'source.ip4': '198.51.100.21', 'destination.ip4': '*', "
	 "'hops.ip': '1 ... 30' }, "
	 "'results': [ 'time', 'hops.ip', 'intermediate.ip4', 'rtt.us' ] } "},
	{"query",
	 "{ 'specification': 'query', 'version': 1, 'registry': "
	 "'http://ict-mplane.eu/registry/core', "
	 "'label': 'rtt-history-4', 'token': 'abad1deaabad1deaabad1deaabad1dea', "
	 "'when': '2031-04-01 00:00:00 ... 2031-05-01 00:00:00', "
	 "'parameters': { 'destination.ip4': '203.0.113.80' }, "
	 "'results': [ 'time', 'delay.twoway.icmp.us.mean' ] } "},
	{"collector",
	 "{ 'capability': 'collect', 'version': 1, 'registry': "
	 "'http://ict-mplane.eu/registry/core', "
	 "'label': 'rtt-collect', 'token': 'collect-1', 'when': 'past ... future', "
	 "'export': 'mplane-https://repo.example.net:4343/in/9f3c51d2/result', "
	 "'parameters': { 'source.ip4': '*', 'destination.ip4': '*' }, "
	 "'results': [ 'time', 'delay.twoway.icmp.us' ] } "},
	{"indirect export",
	 "{ 'specification': 'measure', 'version': 1, 'registry': "
	 "'http://ict-mplane.eu/registry/core', "
	 "'label': 'rtt-export-0', 'token': 'e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0', 'when': "
	 "'now ... future / 10s', "
	 "'export': 'mplane-https://repo.example.net:4343/in/9f3c51d2/result', "
	 "'parameters': { 'source.ip4': '198.51.100.21', 'destination.ip4': "
	 "'203.0.113.80' }, "
	 "'results': [ 'time', 'delay.twoway.icmp.us' ] } "},
};

/* Of the older dialect: {"<peer>": message or list of messages}. */
static const struct {
	const char *name, *json;
} named_examples[] = {
	{"specification for a component",
	 "{ 'probe7.lab.example.net': { 'specification': 'measure', "
	 "'registry': 'http://ict-mplane.eu/registry/core', 'label': 'pinger_lab', "
	 "'link': '', "
	 "'token': '0b5e55ed0b5e55ed0b5e55ed0b5e55ed0b5e55ed', 'when': 'now + 5s', "
	 "'metadata': {}, "
	 "'resultvalues': [], 'results': [ 'delay.twoway' ], "
	 "'parameters': { 'source.ip4': '198.51.100.21', 'destination.ip4': "
	 "'203.0.113.9' } } } "},
	{"listing",
	 "{ 'probe7.lab.example.net': [ { 'capability': 'measure', 'label': "
	 "'pinger_lab', 'link': '', "
	 "'token': '0b5e55ed0b5e55ed0b5e55ed0b5e55ed0b5e55ed', 'when': 'now ... future "
	 "/ 1s', "
	 "'registry': 'http://ict-mplane.eu/registry/core', 'metadata': {}, "
	 "'resultvalues': [], "
	 "'results': [ 'delay.twoway' ], "
	 "'parameters': { 'source.ip4': '198.51.100.21', 'destination.ip4': '0.0.0.0 "
	 "... 255.255.255.255' } } ] } "},
};
/* clang-format on */

#endif
