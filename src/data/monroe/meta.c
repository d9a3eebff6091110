/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata: what nodes tell about themselves and their modems; the list of nodes. */
#include "data/monroe/declare.h"

/* clang-format off */

#define META(X) \
	SN_MONROE_NODE(X) SN_MONROE_TIMESTAMP(X) SN_MONROE_DATAID(X) SN_MONROE_VERSION(X) \
	SN_MONROE_SEQUENCE(X)

#define MODEM(X) \
	META(X) \
	X(TEXT, "interfacename", "InterfaceName", "", "interface of the modem") \
	X(TEXT, "internalinterface", "InternalInterface", "", "that interface, as experiments see it") \
	X(I64, "cid", "Cid", "1", "radio cell") \
	X(I64, "devicemode", "DeviceMode", "1", "0 unknown, 1 disconnected, 2 no service, 3 2G, 4 3G, 5 LTE") \
	X(I64, "devicesubmode", "DeviceSubmode", "1", "kind of 3G: 1 UMTS, 2 WCDMA, 4 HSPA, 5 HSPA+, ...") \
	X(I64, "devicestate", "DeviceState", "1", "0 unknown, 1 registered, 2 unregistered, 3 connected, 4 disconnected") \
	X(I64, "ecio", "Ecio", "dB", "energy per chip over interference (3G)") \
	X(I64, "enodebid", "ENodebId", "1", "base station (LTE)") \
	SN_MONROE_ICCID(X) \
	X(TEXT, "imsi", "Imsi", "", "identity of the subscriber") \
	X(I64, "imsimccmnc", "ImsiMccMnc", "1", "country and network of the SIM card") \
	X(TEXT, "imei", "Imei", "", "identity of the modem") \
	X(TEXT, "ipaddress", "IpAddress", "", "address from the operator") \
	X(TEXT, "internalipaddress", "InternalIpAddress", "", "address inside the node") \
	X(I64, "mccmnc", "MccMnc", "1", "country and network") \
	SN_MONROE_OPERATOR(X) \
	X(I64, "lac", "Lac", "1", "location area") \
	X(I64, "rsrp", "Rsrp", "dBm", "received power of the reference signal (LTE)") \
	X(I64, "frequency", "Frequency", "MHz", "frequency band") \
	X(I64, "rsrq", "Rsrq", "dB", "quality of the reference signal (LTE)") \
	X(I64, "band", "Band", "1", "number of the band") \
	X(I64, "pci", "Pci", "1", "physical cell (LTE)") \
	X(I64, "nwmccmnc", "NwMccMnc", "1", "country and network that it is registered in") \
	X(I64, "rscp", "Rscp", "dBm", "received power of the code (3G)") \
	X(I64, "rssi", "Rssi", "dBm", "received power")

#define GPS(X) \
	META(X) \
	X(F64, "longitude", "Longitude", "deg", "longitude, WGS 84") \
	X(F64, "latitude", "Latitude", "deg", "latitude, WGS 84") \
	X(F64, "altitude", "Altitude", "m", "height above the sea") \
	X(F64, "speed", "Speed", "kn", "speed over ground") \
	X(I64, "satellitecount", "SatelliteCount", "1", "satellites that were used") \
	X(TEXT, "nmea", "Nmea", "", "sentence of the receiver, with CR LF")

/* All values are texts, as the sensors give them. */
#define SENSOR(X) \
	META(X) \
	X(TEXT, "running", "Running", "", "experiments that run") \
	X(TEXT, "cpu", "Cpu", "degC", "temperature of the processor") \
	X(TEXT, "modems", "Modems", "", "HTTP status of the service for modems") \
	X(TEXT, "dlb", "Dlb", "", "HTTP status of the load balancer") \
	X(TEXT, "usbmonitor", "UsbMonitor", "", "HTTP status of the monitor of USB") \
	X(TEXT, "id", "Id", "", "number of the boot") \
	X(TEXT, "start", "Start", "s", "start of the system, Unix time") \
	X(TEXT, "current", "Current", "s", "time since the start") \
	X(TEXT, "total", "Total", "s", "time that it ran in its life") \
	X(TEXT, "percent", "Percent", "%", "share of its life that it ran") \
	X(TEXT, "system", "System", "jiffies", "processor: in the kernel") \
	X(TEXT, "steal", "Steal", "jiffies", "processor: taken by others") \
	X(TEXT, "guest", "Guest", "jiffies", "processor: for guests") \
	X(TEXT, "iowait", "IoWait", "jiffies", "processor: waiting for devices") \
	X(TEXT, "irq", "Irq", "jiffies", "processor: in interrupts") \
	X(TEXT, "nice", "Nice", "jiffies", "processor: for nice programs") \
	X(TEXT, "idle", "Idle", "jiffies", "processor: idle") \
	X(TEXT, "user", "User", "jiffies", "processor: for programs") \
	X(TEXT, "softirq", "SoftIrq", "jiffies", "processor: in soft interrupts") \
	X(TEXT, "apps", "Apps", "B", "memory of programs") \
	X(TEXT, "free", "Free", "B", "memory that is free") \
	X(TEXT, "swap", "Swap", "B", "memory on disk") \
	X(TEXT, "usb0", "usb0", "%", "charge of the battery at usb0") \
	X(TEXT, "usb0charging", "usb0charging", "", "whether it is being charged") \
	X(TEXT, "usb1", "usb1", "%", "charge of the battery at usb1") \
	X(TEXT, "usb1charging", "usb1charging", "", "whether it is being charged") \
	X(TEXT, "usb2", "usb2", "%", "charge of the battery at usb2") \
	X(TEXT, "usb2charging", "usb2charging", "", "whether it is being charged")

#define EVENT(X) \
	META(X) \
	X(TEXT, "eventtype", "EventType", "", "what happened: Watchdog.Failed, System.Halt, ...") \
	X(TEXT, "message", "Message", "", "in words") \
	X(TEXT, "user", "User", "", "who logged in or out") \
	X(I64, "id", "id", "1", "task that it is about")

#define WLAN(X) \
	SN_MONROE_DATAID(X) \
	X(TEXT, "interfacename", "InterfaceName", "", "interface of the radio") \
	SN_MONROE_SEQUENCE(X) SN_MONROE_VERSION(X) SN_MONROE_TIMESTAMP(X) SN_MONROE_NODE(X) \
	X(TEXT, "essid", "ESSID", "", "name of the network") \
	X(I64, "noise", "Noise", "dBm", "noise level") \
	X(I64, "rssi", "RSSI", "dBm", "received power") \
	X(I64, "quality", "Quality", "1", "quality that the driver tells") \
	X(TEXT, "ipaddress", "IPAddress", "", "address of the interface")

#define DEVICES(X) \
	X(TEXT, "country", "Country", "", "country that the node is in") \
	X(TEXT, "site", "Site", "", "site that it belongs to") \
	X(I64, "nodeid", "NodeId", "1", "number of the node") \
	X(TEXT, "address", "Address", "", "street address") \
	X(TEXT, "displayname", "DisplayName", "", "name for people") \
	X(TEXT, "hostname", "HostName", "", "name of the system") \
	X(TEXT, "interfaces", "Interfaces", "", "SIM cards of its modems, a list") \
	X(TEXT, "ifdetails", "IfDetails", "", "operator of each SIM card, a map") \
	X(F64, "latitude", "Latitude", "deg", "latitude, WGS 84") \
	X(F64, "longitude", "Longitude", "deg", "longitude, WGS 84") \
	X(TEXT, "make", "Make", "", "maker") \
	X(TEXT, "model", "Model", "", "model") \
	X(I64, "modemcount", "ModemCount", "1", "modems") \
	X(TEXT, "postcode", "PostCode", "", "post code") \
	X(TEXT, "sitenote", "SiteNote", "", "what else is to be known of the site") \
	X(TEXT, "status", "Status", "", "testing, deployed, storage, ...") \
	X(TIME, "statusstart", "StatusStart", "s", "since when it has that status") \
	X(I64, "usbwificount", "UsbWifiCount", "1", "radios for wireless networks") \
	X(TIME, "validfrom", "ValidFrom", "s", "since when this is so") \
	X(TIME, "validto", "ValidTo", "s", "until when this was so")

/* clang-format on */

#define KEY "nodeid,timestamp,sequencenumber"

SN_MONROE_TABLE(meta_device_modem, MODEM, "monroe_meta_device_modem", "Modems (MONROE)",
		"What a modem told: network, cell, signal.", "iccid", "rssi",
		"nodeid,iccid,timestamp,sequencenumber", "timestamp", SN_MONROE_SECONDS, "");
SN_MONROE_TABLE(meta_device_gps, GPS, "monroe_meta_device_gps", "Positions (MONROE)",
		"What the GPS receiver told.", NULL, "speed", KEY, "timestamp", SN_MONROE_SECONDS,
		"");
SN_MONROE_TABLE(meta_device_wlan, WLAN, "monroe_meta_device_wlan", "Wireless networks (MONROE)",
		"What the radio for wireless networks told.", "interfacename", "rssi", KEY,
		"timestamp", SN_MONROE_SECONDS, "");
SN_MONROE_TABLE(meta_node_sensor, SENSOR, "monroe_meta_node_sensor", "Sensors (MONROE)",
		"What a sensor of a node told: processor, memory, batteries, services.", NULL, NULL,
		KEY, "timestamp", SN_MONROE_SECONDS, "");
SN_MONROE_TABLE(meta_node_event, EVENT, "monroe_meta_node_event", "Events (MONROE)",
		"What happened on a node.", NULL, NULL, KEY, "timestamp", SN_MONROE_SECONDS, "");
SN_MONROE_TABLE(devices, DEVICES, "devices", "Nodes (MONROE)",
		"A node of the testbed and where it stands.", NULL, NULL, "country,site,nodeid",
		"validfrom", SN_MONROE_MILLIS, "interfaces,ifdetails");
