/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list: intrusive doubly linked ring.  The head is a node too; an element
 * embeds a struct sn_list and is found again with sn_container_of().
 */
#ifndef SONDE_BASE_LIST_H
#define SONDE_BASE_LIST_H

#include <stdbool.h>

#include "base/util.h"

struct sn_list {
	struct sn_list *next, *prev;
};

static inline void sn_list_init(struct sn_list *head)
{
	head->next = head->prev = head;
}

static inline bool sn_list_empty(const struct sn_list *head)
{
	return head->next == head;
}

/* Insert `node` before `pos`; with the head as `pos` that is the tail. */
static inline void sn_list_add_before(struct sn_list *pos, struct sn_list *node)
{
	node->prev = pos->prev;
	node->next = pos;
	pos->prev->next = node;
	pos->prev = node;
}

static inline void sn_list_append(struct sn_list *head, struct sn_list *node)
{
	sn_list_add_before(head, node);
}

/* Leaves `node` alone in a ring of its own, so that removing twice is harmless. */
static inline void sn_list_remove(struct sn_list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	sn_list_init(node);
}

#define sn_list_entry(node, type, member) sn_container_of(node, type, member)
/* The next one is fetched first: the body may remove and free the current element. */
#define sn_list_for_each(node, head)                                                               \
	for (struct sn_list *node = (head)->next, *next_##node = node->next; node != (head);       \
	     node = next_##node, next_##node = node->next)

#endif
