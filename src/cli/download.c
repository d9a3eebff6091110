/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/download.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/progress.h"

#define DIGEST_SIZE 32

struct run {
	const struct sn_download *download;
	struct sn_bar bar;
	char *part; /* NULL: standard output */
	int fd;
	uint64_t bytes;
	gnutls_hash_hd_t hash; /* NULL: not wanted */
	struct sn_err *err;
	bool unwritable; /* the failure is ours */
};

static const char *target_of(const struct run *run)
{
	return run->part != NULL ? run->part : "standard output";
}

static int take_piece(struct sn_str piece, void *ctx)
{
	struct run *run = ctx;

	for (size_t done = 0; done < piece.n;) {
		ssize_t n = write(run->fd, piece.p + done, piece.n - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EPIPE && run->part == NULL)
			return -EPIPE; /* `| head` has seen enough */
		if (n < 0) {
			run->unwritable = true;
			sn_bar_clear(&run->bar);
			return sn_err_sys(run->err, -errno, "cannot write '%s'", target_of(run));
		}
		done += (size_t)n;
	}
	if (run->hash != NULL)
		gnutls_hash(run->hash, piece.p, piece.n);
	run->bytes += piece.n;
	sn_bar_update(&run->bar, run->bytes, run->download->total, NULL);
	return 0;
}

static int open_part(struct run *run)
{
	const char *file = run->download->file;
	struct stat st;

	if (strcmp(file, "-") == 0) {
		run->fd = STDOUT_FILENO;
		return 0;
	}
	if (stat(file, &st) == 0 && S_ISDIR(st.st_mode))
		return sn_err_set(run->err, -EISDIR,
				  "cannot write '%s': it is a directory (name a file in it)", file);
	run->part = sn_xasprintf("%s.part", file);
	run->fd = open(run->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return run->fd >= 0 ? 0 : sn_err_sys(run->err, -errno, "cannot write '%s'", run->part);
}

static int check_digest(struct run *run)
{
	uint8_t digest[DIGEST_SIZE];

	if (run->hash == NULL)
		return 0;
	gnutls_hash_output(run->hash, digest);
	if (memcmp(digest, run->download->digest, sizeof(digest)) == 0)
		return 0;
	return sn_err_set(run->err, -EBADMSG,
			  "what came is not what the hub's list says (SHA-256 differs; it may have "
			  "been made again meanwhile: try again)");
}

static int put_in_place(struct run *run)
{
	const char *file = run->download->file;
	int rc = check_digest(run);

	if (rc != 0 || run->part == NULL)
		return rc;
	if (fsync(run->fd) != 0 && errno != EINVAL)
		return sn_err_sys(run->err, -errno, "cannot write '%s'", run->part);
	if (rename(run->part, file) != 0)
		return sn_err_sys(run->err, -errno, "cannot rename '%s' to '%s'", run->part, file);
	return 0;
}

/* The exit code for an answer that is not whole. */
static int say_what_is_kept(const struct run *run, int rc)
{
	int code = run->bytes == 0 ? sn_cli_exit_code(rc) : SN_EXIT_PARTIAL;
	bool kept = run->part != NULL && run->bytes > 0 && !run->download->whole_or_not;

	if (run->part != NULL && !kept)
		unlink(run->part);
	if (kept)
		return sn_cli_fail(code, "%s (what came before, %llu bytes, is in '%s')",
				   run->err->text, (unsigned long long)run->bytes, run->part);
	return sn_cli_fail(code, "%s%s", run->err->text,
			   run->bytes > 0 && run->part != NULL
				   ? " (what came before is of no use and was removed)"
				   : "");
}

static void finish(struct run *run)
{
	if (run->part != NULL && run->fd >= 0)
		close(run->fd);
	if (run->hash != NULL)
		gnutls_hash_deinit(run->hash, NULL);
	free(run->part);
}

int sn_download_run(struct sn_client *client, const struct sn_download *download, uint64_t *bytes)
{
	struct sn_err err = {0};
	struct run run = {.download = download, .fd = -1, .err = &err};
	int rc = open_part(&run), code = SN_EXIT_OK;

	if (rc == 0 && download->digest != NULL &&
	    gnutls_hash_init(&run.hash, GNUTLS_DIG_SHA256) != 0)
		rc = sn_err_set(&err, -ENOMEM, "cannot compute a digest");
	if (rc == 0) {
		sn_bar_begin(&run.bar, stderr, download->label, SN_BAR_BYTES, 0);
		rc = sn_client_stream(client, download->path,
				      download->accept != NULL ? download->accept : "*/*",
				      take_piece, &run, &err);
		sn_bar_clear(&run.bar);
	}
	if (rc == 0)
		rc = put_in_place(&run);
	if (rc != 0 && rc != -EPIPE)
		code = say_what_is_kept(&run, rc);
	if (bytes != NULL)
		*bytes = run.bytes;
	finish(&run);
	return code;
}
