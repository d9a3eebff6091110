/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/capture/window.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/util.h"

struct sn_windows {
	struct sn_window **windows; /* made as they are needed */
	unsigned base, count, made, free_count;
	struct sn_window *free; /* the one used last on top: it is still in the cache */
	void (*starved)(void *ctx);
	void *ctx;
	pthread_mutex_t lock;
};

struct sn_windows *sn_windows_create(unsigned count, void (*starved)(void *ctx), void *ctx)
{
	struct sn_windows *pool = sn_new(struct sn_windows);

	assert(count > 1); /* one is being filled */
	pool->windows = sn_new_n(struct sn_window *, count);
	pool->base = pool->count = count;
	pool->starved = starved;
	pool->ctx = ctx;
	pthread_mutex_init(&pool->lock, NULL);
	return pool;
}

void sn_windows_destroy(struct sn_windows *pool)
{
	if (pool == NULL)
		return;
	assert(pool->free_count == pool->made);
	for (unsigned i = 0; i < pool->made; i++) {
		free(pool->windows[i]->bytes);
		free(pool->windows[i]);
	}
	free(pool->windows);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

void sn_windows_reserve(struct sn_windows *pool, unsigned count)
{
	pool->count = SN_MAX(pool->count, pool->base + count);
	pool->windows = sn_xrealloc(pool->windows, pool->count, sizeof(*pool->windows));
}

static struct sn_window *make(struct sn_windows *pool)
{
	struct sn_window *window = sn_new(struct sn_window);

	pool->windows[pool->made++] = window;
	window->pool = pool;
	window->slot = pool->made;
	window->bytes = sn_xmalloc(SN_WINDOW_BYTES);
	return window;
}

/* NULL when none is free and no more may be made. */
static struct sn_window *pop(struct sn_windows *pool)
{
	struct sn_window *window = pool->free;

	if (window != NULL) {
		pool->free = window->next;
		pool->free_count--;
	} else if (pool->made < pool->count) {
		window = make(pool);
	}
	return window;
}

struct sn_window *sn_windows_take(struct sn_windows *pool)
{
	struct sn_window *window = NULL;

	while (window == NULL) {
		pthread_mutex_lock(&pool->lock);
		window = pop(pool);
		pthread_mutex_unlock(&pool->lock);
		if (window == NULL)
			pool->starved(pool->ctx);
	}
	atomic_store_explicit(&window->references, 1, memory_order_relaxed);
	return window;
}

struct sn_window *sn_windows_find(const struct sn_windows *pool, uint32_t slot)
{
	assert(slot > 0 && slot <= pool->made);
	return pool->windows[slot - 1];
}

void sn_window_hold(struct sn_window *window)
{
	atomic_fetch_add_explicit(&window->references, 1, memory_order_relaxed);
}

void sn_window_release(struct sn_window *window)
{
	struct sn_windows *pool = window->pool;

	if (atomic_fetch_sub_explicit(&window->references, 1, memory_order_acq_rel) != 1)
		return;
	pthread_mutex_lock(&pool->lock);
	window->next = pool->free;
	pool->free = window;
	pool->free_count++;
	pthread_mutex_unlock(&pool->lock);
}
