/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <nettle/base64.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rand.h"
#include "base/util.h"
#include "meter/view/privacy_internal.h"

#define BASE64_MAX 256 /* characters of a key in base64 */

/* Files --------------------------------------------------------------------------------- */

static int write_key(int fd, const char *path, const uint8_t *key, struct sn_err *err)
{
	ssize_t written = write(fd, key, SN_PRIVACY_KEY_BYTES);

	if (written == SN_PRIVACY_KEY_BYTES && fsync(fd) == 0)
		return 0;
	return sn_err_sys(err, written >= 0 ? -EIO : -errno, "cannot write key file '%s'", path);
}

static int create_key(const char *path, uint8_t *key, struct sn_err *err)
{
	sn_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int error;

	if (fd < 0)
		return sn_err_sys(err, -errno, "cannot create key file '%s'", path);
	sn_random(key, SN_PRIVACY_KEY_BYTES);
	error = write_key(fd, path, key, err);
	if (error != 0)
		unlink(path);
	return error;
}

static int check_key_file(int fd, const char *path, struct sn_err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return sn_err_sys(err, -errno, "cannot read key file '%s'", path);
	if (!S_ISREG(st.st_mode))
		return sn_err_set(err, -EINVAL, "cannot use key file '%s': it is no file", path);
	if ((st.st_mode & 077) != 0)
		return sn_err_set(err, -EPERM,
				  "cannot use key file '%s': others may read it (chmod 600 it, or "
				  "remove it and a new key is drawn)",
				  path);
	if (st.st_size != SN_PRIVACY_KEY_BYTES)
		return sn_err_set(err, -EINVAL,
				  "cannot use key file '%s': it has %lld bytes instead of %d", path,
				  (long long)st.st_size, SN_PRIVACY_KEY_BYTES);
	return 0;
}

int sn_privacy_key_load(const char *path, uint8_t key[SN_PRIVACY_KEY_BYTES], struct sn_err *err)
{
	/* Not waiting for a writer if it is a pipe. */
	sn_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int error;

	if (fd < 0 && errno == ENOENT)
		return create_key(path, key, err);
	if (fd < 0)
		return sn_err_sys(err, -errno, "cannot read key file '%s'", path);
	error = check_key_file(fd, path, err);
	if (error != 0)
		return error;
	if (read(fd, key, SN_PRIVACY_KEY_BYTES) != SN_PRIVACY_KEY_BYTES)
		return sn_err_set(err, -EIO, "cannot read key file '%s': it became shorter", path);
	return 0;
}

/* Tstat's forms ------------------------------------------------------------------------- */

static int decode_base64(struct sn_str text, uint8_t *key, struct sn_err *err)
{
	uint8_t bytes[BASE64_DECODE_LENGTH(BASE64_MAX)];
	struct base64_decode_ctx ctx;
	size_t size = sizeof(bytes);

	base64_decode_init(&ctx);
	if (text.n > BASE64_MAX || base64_decode_update(&ctx, &size, bytes, text.n, text.p) != 1 ||
	    base64_decode_final(&ctx) != 1)
		return sn_err_set(err, -EINVAL, "cannot use the key: it is not base64");
	memcpy(key, bytes, SN_MIN(size, (size_t)SN_PRIVACY_KEY_BYTES));
	return 0;
}

int sn_privacy_key_text(struct sn_str text, bool base64, uint8_t key[SN_PRIVACY_KEY_BYTES],
			struct sn_err *err)
{
	struct sn_str line;

	memset(key, 0, SN_PRIVACY_KEY_BYTES);
	sn_str_split(&text, '\n', &line);
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0)
		return sn_err_set(err, -EINVAL, "cannot use the key: it is empty");
	if (base64)
		return decode_base64(line, key, err);
	memcpy(key, line.p, SN_MIN(line.n, (size_t)SN_PRIVACY_KEY_BYTES));
	return 0;
}

/* Rotation ------------------------------------------------------------------------------ */

int64_t sn_privacy_period(const struct sn_privacy *policy, int64_t time_ns)
{
	int64_t length = policy->keys != NULL ? policy->keys->period_ns : 0;

	return length == 0 ? 0 : time_ns / length - (time_ns % length < 0);
}

static const uint8_t *drawn_key(struct sn_privacy_keys *keys, int64_t period)
{
	unsigned at;

	for (unsigned i = 0; i < keys->count; i++) {
		if (keys->drawn[i].period == period)
			return keys->drawn[i].key;
	}
	at = keys->next++ % SN_PRIVACY_KEYS;
	keys->count = SN_MIN(keys->count + 1, (unsigned)SN_PRIVACY_KEYS);
	keys->drawn[at].period = period;
	sn_random(keys->drawn[at].key, SN_PRIVACY_KEY_BYTES);
	return keys->drawn[at].key;
}

void sn_privacy_key_of(const struct sn_privacy *policy, int64_t period,
		       uint8_t key[SN_PRIVACY_KEY_BYTES])
{
	struct sn_privacy_keys *keys = policy->keys;

	if (keys == NULL || keys->period_ns == 0) {
		memcpy(key, policy->key, SN_PRIVACY_KEY_BYTES);
		return;
	}
	pthread_mutex_lock(&keys->lock);
	memcpy(key, drawn_key(keys, period), SN_PRIVACY_KEY_BYTES);
	pthread_mutex_unlock(&keys->lock);
}
