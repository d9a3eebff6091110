/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a capture file through a whole run of the meter, as the program makes
 * it: one worker or two, rows of all datasets, Tstat's logs, series, summary.
 *
 * The seeds are whole captures.  A few changed bytes in a long file are soon found
 * harmless, so each input gets several mutations at once.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "meter/app/names.h"
#include "meter/log/log.h"
#include "meter/output/rows.h"
#include "meter/output/summary.h"
#include "meter/series/rows.h"
#include "meter/series/series.h"
#include "meter/session.h"

#define NAMES_BYTES   (1 << 20)
#define CACHE         64
#define PACKETS_MAX   20000 /* a few compressed bytes may hold millions */
#define WORKERS_MAX   2
#define MUTATIONS_MAX 16

static const char datasets[] = "flow,tstat_tcp_complete,tstat_tcp_nocomplete,tstat_udp_complete,"
			       "tstat_http_complete,tstat_dns_complete,tstat_video_complete,"
			       "tstat_mm_complete,tstat_chat_complete,tstat_tcp_periodic,"
			       "tstat_udp_periodic,traffic";

struct outputs {
	struct sn_rows_out *rows;
	struct sn_tstat_logs *logs;
	struct sn_summary *summary;
	struct sn_traffic_board *board;
	struct sn_traffic *traffic[WORKERS_MAX];
};

/* Logs ------------------------------------------------------------------------- */

static char directory[] = "/tmp/sonde-fuzz-XXXXXX";

static void remove_directory(void)
{
	sn_fs_remove_tree(directory, NULL);
}

static int log_directory(void)
{
	static bool made;

	if (!made && mkdtemp(directory) == NULL)
		abort();
	if (!made)
		atexit(remove_directory);
	made = true;
	return open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static struct sn_tstat_logs *open_logs(void)
{
	struct sn_tstat_options options = {
		.directory = log_directory(),
		.name = directory,
		.step_ns = SN_TSTAT_STEP_NS_DEFAULT,
		.keep = 1,
		.choice = {.tcp_level = 15, .video_level = 15, .http_urls = 2, .mid_stream = true},
	};
	struct sn_tstat_logs *logs;

	memset(options.choice.on, true, sizeof(options.choice.on));
	if (sn_tstat_logs_create(&options, &logs, NULL) != 0)
		abort();
	return logs;
}

/* Outputs ------------------------------------------------------------------------ */

static void ignore_value(const struct sn_traffic_value *value, void *ctx)
{
	(void)value;
	(void)ctx;
}

static void open_outputs(struct outputs *out, int null)
{
	struct sn_rows_options rows = {.fd = null, .name = "null", .datasets = datasets};
	struct sn_traffic_options series = {.interface = "fuzz", .steps = 7, .value = ignore_value};

	if (sn_rows_out_create(&rows, &out->rows, NULL) != 0 ||
	    sn_traffic_board_create(&series, &out->board, NULL) != 0)
		abort();
	out->logs = open_logs();
	out->summary = sn_summary_create(3);
}

static int equip(unsigned number, struct sn_worker_options *worker, void *ctx, struct sn_err *err)
{
	struct outputs *out = ctx;
	struct sn_sink *sink = worker->sinks;

	(void)err;
	out->traffic[number] = worker->meter.series = sn_traffic_create(out->board);
	*sink++ = sn_tstat_sink_create(out->logs);
	*sink++ = sn_rows_sink_create(out->rows);
	*sink++ = sn_summary_sink_create(out->summary);
	*sink++ = sn_traffic_sink(out->traffic[number]);
	worker->sink_count = (size_t)(sink - worker->sinks);
	return 0;
}

static void close_outputs(struct outputs *out)
{
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		sn_traffic_destroy(out->traffic[i]);
	sn_traffic_board_destroy(out->board);
	sn_tstat_logs_destroy(out->logs);
	sn_rows_out_destroy(out->rows);
	sn_summary_destroy(out->summary);
}

/* A run --------------------------------------------------------------------------- */

static void take_trouble(const struct sn_err *err, bool refused, void *ctx)
{
	(void)refused;
	(void)ctx;
	if (strstr(err->text, "'fuzz'") == NULL)
		abort(); /* a message names the thing */
}

static void meter_file(struct sn_session *session, struct sn_capture_file *file,
		       const struct sn_summary *summary)
{
	struct sn_session_stats stats;
	struct sn_summary_facts facts = {.source = "fuzz", .worker = &stats.worker};
	struct sn_buf text = {0};
	struct sn_err err;

	if (sn_session_read_files(session, &file, 1, take_trouble, &err) != 0 ||
	    sn_session_finish(session, NULL) != 0)
		abort();
	sn_session_read_stats(session, &stats);
	facts.losses = stats.losses;
	facts.losses_count = stats.losses_count;
	sn_summary_write(summary, &facts, &text);
	sn_buf_finish(&text);
}

static void run(struct sn_capture_file *file, unsigned workers, struct outputs *out)
{
	struct sn_orders_values values = {.http = true, .dns = true, .http_urls = true};
	struct sn_name_pool *names = sn_name_pool_create(NAMES_BYTES);
	struct sn_orders orders;
	struct sn_session_options options = {
		.workers = workers,
		.worker = {.names = names, .orders = &orders, .community_id = true},
		.equip = equip,
		.ctx = out,
		.snaplen = SN_CAPTURE_PACKET_MAX,
		.packets_max = PACKETS_MAX,
	};
	struct sn_session *session;

	sn_orders_init(&orders, &values);
	sn_meter_options_default(&options.worker.meter);
	options.worker.meter.active_ns = SN_NS_PER_S;
	options.worker.meter.max_flows = 256;
	options.worker.meter.dns_cache = sn_dns_cache_create(names, CACHE);
	if (sn_session_create(&options, &session, NULL) != 0)
		abort();
	meter_file(session, file, out->summary);
	sn_session_destroy(session);
	sn_dns_cache_destroy(options.worker.meter.dns_cache);
	sn_orders_finish(&orders);
	sn_name_pool_destroy(names);
}

static int memory_file(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct outputs out = {0};
	struct sn_capture_file *file;

	if (sn_capture_file_open_fd(memory_file(data, size), "fuzz", &file, NULL) == 0) {
		open_outputs(&out, null);
		run(file, size % 4 == 0 ? 2 : 1, &out);
		close_outputs(&out);
	}
	close(null);
	return 0;
}

/* Only libFuzzer has it. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	for (unsigned i = 0; i <= seed % MUTATIONS_MAX && LLVMFuzzerMutate != NULL; i++)
		size = LLVMFuzzerMutate(data, size, max_size);
	return size;
}
