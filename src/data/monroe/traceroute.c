/* SPDX-License-Identifier: Apache-2.0 */
/* Paths: a row per hop and address that answered. */
#include "data/monroe/declare.h"

/* clang-format off */

#define WHEN_AND_WHERE(X) \
	X(I64, "nodeid", "NodeId", "1", "number of the node") \
	X(I64, "timestamp", "timestamp", "s", "start of the run, Unix time (UTC)") \
	X(I64, "endtime", "endTime", "s", "end of the run, Unix time (UTC)") \
	SN_MONROE_DATAID(X) SN_MONROE_VERSION(X) \
	X(I64, "containertimestamp", "containerTimestamp", "s", "start of the experiment, Unix time (UTC)") \
	X(I64, "hop", "hop", "1", "number of the hop, from 1") \
	X(TEXT, "targetdomainname", "targetdomainname", "", "name that was asked for") \
	X(TEXT, "interfacename", "InterfaceName", "", "interface that was used") \
	X(TEXT, "ipdst", "IpDst", "", "address of the target")

#define SIMPLE(X) \
	WHEN_AND_WHERE(X) \
	X(I64, "numberofhops", "numberOfHops", "1", "most hops that were tried") \
	X(I64, "sizeofprobes", "sizeOfProbes", "B", "size of a probe") \
	X(TEXT, "ip", "IP", "", "address that answered; Fail if none did") \
	X(TEXT, "hopname", "HopName", "", "its name") \
	X(TEXT, "rttsection", "RTTSection", "", "round-trip times of its answers, a list; ms in 2017, later us") \
	X(TEXT, "annotationsection", "annotationSection", "", "codes of its answers, a list: 0 none, 1 \"!\", 110N \"!N\"")

#define PARIS(X) \
	WHEN_AND_WHERE(X) \
	X(I64, "portdst", "PortDst", "1", "port of the target") \
	X(TEXT, "ipsrc", "IpSrc", "", "address of the node") \
	X(I64, "portsrc", "PortSrc", "1", "port of the node") \
	X(TEXT, "ip", "IP", "", "address that answered") \
	X(TEXT, "proto", "Proto", "", "protocol of the probes") \
	X(TEXT, "algorithm", "Algorithm", "", "way in which paths were searched") \
	X(I64, "duration", "duration", "", "duration of the run, in the unit that the program wrote") \
	X(I64, "minhoprtt", "MinHopRTT", "", "smallest round-trip time of the hop, in the unit that the program wrote") \
	X(I64, "medianhoprtt", "MedianHopRTT", "", "median round-trip time of the hop, in the unit that the program wrote") \
	X(I64, "maxhoprtt", "MaxHopRTT", "", "largest round-trip time of the hop, in the unit that the program wrote") \
	X(I64, "stdhoprtt", "StdHopRTT", "", "standard deviation of that") \
	X(I64, "annotation", "annotation", "1", "code of the answers, 0 none") \
	X(TEXT, "flowids", "flowIds", "", "flows that passed here, a list") \
	X(TEXT, "mpls", "MPLS", "", "labels that were told") \
	X(I64, "transmittedprobes", "TransmittedProbes", "packets", "probes that were sent") \
	X(I64, "successfulprobes", "SuccessfulProbes", "packets", "probes that were answered")

/* clang-format on */

#define KEY "nodeid,interfacename,targetdomainname,timestamp,ipdst,hop,ip"

SN_MONROE_TABLE(exp_simple_traceroute, SIMPLE, "monroe_exp_simple_traceroute",
		"Traceroute (MONROE)", "One hop of a path, and an address that answered there.",
		"targetdomainname", NULL, KEY, "timestamp", SN_MONROE_SECONDS,
		"rttsection,annotationsection");
SN_MONROE_TABLE(exp_exhaustive_paris, PARIS, "monroe_exp_exhaustive_paris",
		"Paris traceroute (MONROE)",
		"One hop of the paths that the search found, and an address that answered there.",
		"targetdomainname", "medianhoprtt", KEY, "timestamp", SN_MONROE_SECONDS, "flowids");
