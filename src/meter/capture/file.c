/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/capture/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pcap/dlt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "meter/capture/file_internal.h"
#include "meter/capture/window.h"

#define LINKTYPE_RAW 101 /* DLT_RAW has another number on each system, files have this */

int sn_capture_damage(const struct sn_capture_file *file, uint64_t offset, int code,
		      const char *reason, struct sn_err *err)
{
	return sn_err_set(err, code,
			  "cannot read packet %" PRIu64 " of '%s' at offset %" PRIu64
			  ": %s (the packets before it are kept)",
			  file->packets + 1, file->name, offset, reason);
}

int sn_capture_unreadable(const struct sn_capture_file *file, struct sn_err *err)
{
	return sn_err_set(err, file->reader.error, "cannot read '%s': %s", file->name,
			  sn_reader_reason(&file->reader));
}

int sn_capture_link(uint32_t linktype)
{
	return linktype == LINKTYPE_RAW ? DLT_RAW : (int)linktype;
}

static int detect(struct sn_capture_file *file, struct sn_err *err)
{
	int result;

	sn_reader_detect(&file->reader);
	if (sn_reader_fill(&file->reader, 1) == 0) {
		if (file->reader.error != 0)
			return sn_capture_unreadable(file, err);
		return sn_err_set(err, -ENODATA, "cannot read '%s': the file is empty", file->name);
	}
	result = sn_classic_open(file, err);
	if (result == 0)
		result = sn_pcapng_open(file, err);
	return result == 0 ? sn_savefile_open(file, err) : result;
}

int sn_capture_file_open_fd(int fd, const char *name, struct sn_capture_file **file,
			    struct sn_err *err)
{
	struct sn_capture_file *opened = sn_new(struct sn_capture_file);
	struct stat st;
	int result;

	opened->fd = fd;
	opened->name = sn_xstrdup(name);
	sn_reader_init(&opened->reader, fd, SN_WINDOW_BYTES);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		opened->size = (uint64_t)st.st_size;

	result = detect(opened, err);
	if (result < 0) {
		sn_capture_file_close(opened);
		return result;
	}
	*file = opened;
	return 0;
}

int sn_capture_file_open(const char *path, struct sn_capture_file **file, struct sn_err *err)
{
	bool standard_input = strcmp(path, "-") == 0;
	int fd = standard_input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
				: open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return sn_err_sys(err, -errno, "cannot open '%s'", path);
	return sn_capture_file_open_fd(fd, standard_input ? "standard input" : path, file, err);
}

void sn_capture_file_close(struct sn_capture_file *file)
{
	if (file == NULL)
		return;
	sn_savefile_close(file);
	sn_pcapng_close(file);
	sn_reader_finish(&file->reader);
	close(file->fd);
	free(file->name);
	free(file);
}

int sn_capture_file_read(struct sn_capture_file *file, struct sn_packet *packets, int max,
			 struct sn_err *err)
{
	int count = file->read(file, packets, max, err);

	if (count > 0)
		file->packets += (uint64_t)count;
	return count;
}

bool sn_capture_file_share(struct sn_capture_file *file, struct sn_windows *windows)
{
	if (file->pcap != NULL)
		return false;
	sn_reader_share(&file->reader, windows);
	return true;
}

const char *sn_capture_file_name(const struct sn_capture_file *file)
{
	return file->name;
}

int sn_capture_file_link(const struct sn_capture_file *file)
{
	return file->link;
}

uint32_t sn_capture_file_snaplen(const struct sn_capture_file *file)
{
	return file->snaplen;
}

uint64_t sn_capture_file_packets(const struct sn_capture_file *file)
{
	return file->packets;
}

uint64_t sn_capture_file_offset(const struct sn_capture_file *file)
{
	return sn_reader_position(&file->reader);
}

uint64_t sn_capture_file_size(const struct sn_capture_file *file)
{
	return file->size;
}

size_t sn_capture_file_losses(const struct sn_capture_file *file, struct sn_capture_losses *list,
			      size_t max)
{
	return file->pcapng != NULL ? sn_pcapng_losses(file, list, max) : 0;
}
