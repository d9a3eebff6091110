/* SPDX-License-Identifier: Apache-2.0 */
#include "node/health/health.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/fs.h"
#include "net/addr.h"

/* In the order of catalog/health.c, behind the common columns. */
enum {
	COL_UPTIME = SN_COL_COMMON,
	COL_RESIDENT,
	COL_CPU,
	COL_LOAD,
	COL_SPOOL_BATCHES,
	COL_SPOOL_BYTES,
	COL_DROPPED,
	COL_TASKS,
	COL_RESTARTS,
	COL_DISK_FREE,
	COL_CLOCK_SYNCHRONISED,
	COL_CLOCK_ERROR,
	COL_MISSED,
	COL_COUNT
};

static void set_memory(struct sn_batch *rows)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long total, resident;

	if (file == NULL)
		return;
	if (fscanf(file, "%ld %ld", &total, &resident) == 2)
		sn_batch_set_i64(rows, COL_RESIDENT, (int64_t)resident * sysconf(_SC_PAGESIZE));
	fclose(file);
}

static double seconds(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static void set_load(struct sn_batch *rows)
{
	struct rusage usage;
	double load;

	if (getrusage(RUSAGE_SELF, &usage) == 0)
		sn_batch_set_f64(rows, COL_CPU,
				 seconds(&usage.ru_utime) + seconds(&usage.ru_stime));
	if (getloadavg(&load, 1) == 1)
		sn_batch_set_f64(rows, COL_LOAD, load);
}

/* adjtimex(2) with no mode set only reads, for which anybody has the right. */
static void set_clock(struct sn_batch *rows)
{
	struct timex timex = {.modes = 0};
	int state = adjtimex(&timex);
	bool synchronised = state != TIME_ERROR && (timex.status & STA_UNSYNC) == 0;

	if (state < 0)
		return;
	sn_batch_set_bool(rows, COL_CLOCK_SYNCHRONISED, synchronised);
	/* Undisciplined, the kernel's estimate is a number without a meaning. */
	if (synchronised)
		sn_batch_set_f64(rows, COL_CLOCK_ERROR, (double)timex.esterror / 1e6);
}

void sn_health_add_row(struct sn_batch *rows, const struct sn_health *health)
{
	int64_t free_bytes = sn_fs_free_bytes(health->state_dir);

	_Static_assert(COL_COUNT == SN_COL_COMMON + 13, "one position per column");
	sn_batch_add_row(rows);
	sn_batch_set_time(rows, SN_COL_TIME, health->time_unix_ns);
	sn_batch_set_f64(rows, COL_UPTIME, (double)health->uptime_ns / 1e9);
	set_memory(rows);
	set_load(rows);
	sn_batch_set_i64(rows, COL_SPOOL_BATCHES, (int64_t)health->spool->batches);
	sn_batch_set_i64(rows, COL_SPOOL_BYTES, (int64_t)health->spool->bytes);
	sn_batch_set_i64(rows, COL_DROPPED, (int64_t)health->spool->dropped_rows);
	sn_batch_set_i64(rows, COL_TASKS, health->tasks_running);
	sn_batch_set_i64(rows, COL_RESTARTS, (int64_t)health->task_restarts);
	if (free_bytes >= 0)
		sn_batch_set_i64(rows, COL_DISK_FREE, free_bytes);
	set_clock(rows);
	sn_batch_set_i64(rows, COL_MISSED, (int64_t)health->missed_iterations);
}

/* Interfaces ------------------------------------------------------------------------ */

static bool wanted(const struct ifaddrs *entry)
{
	return entry->ifa_name != NULL && (entry->ifa_flags & IFF_LOOPBACK) == 0;
}

static bool seen_before(const struct ifaddrs *list, const struct ifaddrs *entry)
{
	for (; list != entry; list = list->ifa_next) {
		if (wanted(list) && strcmp(list->ifa_name, entry->ifa_name) == 0)
			return true;
	}
	return false;
}

static void write_address(struct sn_jw *jw, const struct sockaddr *sa)
{
	struct sn_addr addr = {.length = sa->sa_family == AF_INET ? sizeof(addr.in)
								  : sizeof(addr.in6)};
	char text[SN_ADDR_TEXT_MAX];

	memcpy(&addr.sa, sa, addr.length);
	sn_jw_cstr(jw, sn_addr_format(&addr, text, sizeof(text)));
}

static void write_interface(struct sn_jw *jw, const struct ifaddrs *first)
{
	const char *name = first->ifa_name;
	unsigned count = 0;

	sn_jw_object(jw);
	sn_jw_kcstr(jw, "name", name);
	sn_jw_key(jw, "addresses");
	sn_jw_array(jw);
	for (const struct ifaddrs *entry = first; entry != NULL; entry = entry->ifa_next) {
		const struct sockaddr *sa = entry->ifa_addr;

		if (sa == NULL || strcmp(entry->ifa_name, name) != 0 ||
		    (sa->sa_family != AF_INET && sa->sa_family != AF_INET6) ||
		    count++ >= SN_HEALTH_ADDRESSES_MAX)
			continue;
		write_address(jw, sa);
	}
	sn_jw_array_end(jw);
	sn_jw_kbool(jw, "up",
		    (first->ifa_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING));
	sn_jw_object_end(jw);
}

void sn_health_write_interfaces(struct sn_jw *jw)
{
	struct ifaddrs *list = NULL;
	unsigned count = 0;

	sn_jw_array(jw);
	if (getifaddrs(&list) != 0)
		list = NULL;
	for (const struct ifaddrs *entry = list; entry != NULL; entry = entry->ifa_next) {
		if (!wanted(entry) || seen_before(list, entry))
			continue;
		if (count++ < SN_HEALTH_INTERFACES_MAX)
			write_interface(jw, entry);
	}
	freeifaddrs(list);
	sn_jw_array_end(jw);
}

void sn_health_boot_id(char out[SN_BOOT_ID_MAX])
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	out[0] = '\0';
	if (file == NULL)
		return;
	if (fgets(out, SN_BOOT_ID_MAX, file) == NULL)
		out[0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	fclose(file);
}
