/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/ping_resolver.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SWEEP_NS      (30 * SN_NS_PER_S)
#define REFRESH_SWEEP 10 /* every so many sweeps the names that have an address, too */

struct sn_ping_resolver {
	struct sn_loop *loop;
	struct sn_ping_targets *targets; /* NULL once destroyed with a question under way */
	int family;
	struct sn_timer timer;
	uv_getaddrinfo_t request;
	bool asking;
	uint32_t next; /* target to look at in this sweep */
	unsigned sweep;
};

static bool usable(const struct addrinfo *answer)
{
	return (answer->ai_family == AF_INET || answer->ai_family == AF_INET6) &&
	       answer->ai_addrlen <= sizeof(struct sockaddr_in6);
}

bool sn_ping_choose_address(const struct addrinfo *answers, const struct sn_addr *current,
			    struct sn_addr *chosen)
{
	bool found = false;

	for (const struct addrinfo *answer = answers; answer != NULL; answer = answer->ai_next) {
		struct sn_addr addr = {.length = answer->ai_addrlen};

		if (!usable(answer))
			continue;
		memcpy(&addr.sa, answer->ai_addr, answer->ai_addrlen);
		if (current->length != 0 && sn_addr_equal_host(&addr, current)) {
			*chosen = *current;
			return true;
		}
		if (!found)
			*chosen = addr;
		found = true;
	}
	return found;
}

static void ask_next(struct sn_ping_resolver *resolver);

static void answered(uv_getaddrinfo_t *request, int status, struct addrinfo *answers)
{
	struct sn_ping_resolver *resolver =
		sn_container_of(request, struct sn_ping_resolver, request);
	struct sn_addr addr;

	resolver->asking = false;
	if (resolver->targets == NULL) {
		free(resolver);
	} else {
		uint32_t index = resolver->next++;

		/* A failing look-up leaves the address that was good before. */
		if (status == 0 &&
		    sn_ping_choose_address(answers, &resolver->targets->items[index].addr, &addr))
			sn_ping_target_set_addr(resolver->targets, index, &addr);
		ask_next(resolver);
	}
	uv_freeaddrinfo(answers);
}

static bool is_due(const struct sn_ping_resolver *resolver, const struct sn_ping_target *target)
{
	return target->is_name &&
	       (target->addr.length == 0 || resolver->sweep % REFRESH_SWEEP == 0);
}

static void ask_next(struct sn_ping_resolver *resolver)
{
	struct addrinfo hints = {.ai_family = resolver->family, .ai_socktype = SOCK_DGRAM};
	struct sn_ping_targets *targets = resolver->targets;

	for (; resolver->next < targets->count; resolver->next++) {
		if (!is_due(resolver, &targets->items[resolver->next]))
			continue;
		resolver->asking =
			uv_getaddrinfo(sn_loop_uv(resolver->loop), &resolver->request, answered,
				       targets->items[resolver->next].name, NULL, &hints) == 0;
		if (resolver->asking)
			return;
	}
}

static void sweep(struct sn_timer *timer)
{
	struct sn_ping_resolver *resolver = sn_container_of(timer, struct sn_ping_resolver, timer);

	sn_timer_in(timer, SWEEP_NS);
	if (resolver->asking)
		return;
	resolver->sweep++;
	resolver->next = 0;
	ask_next(resolver);
}

struct sn_ping_resolver *sn_ping_resolver_create(struct sn_loop *loop,
						 struct sn_ping_targets *targets, int family)
{
	struct sn_ping_resolver *resolver;
	bool names = false;

	for (uint32_t i = 0; i < targets->count; i++)
		names |= targets->items[i].is_name;
	if (!names)
		return NULL;
	resolver = sn_new(struct sn_ping_resolver);
	resolver->loop = loop;
	resolver->targets = targets;
	resolver->family = family;
	sn_timer_init(&resolver->timer, loop, sweep);
	sn_timer_in(&resolver->timer, SWEEP_NS);
	return resolver;
}

void sn_ping_resolver_destroy(struct sn_ping_resolver *resolver)
{
	if (resolver == NULL)
		return;
	sn_timer_stop(&resolver->timer);
	resolver->targets = NULL;
	/* A question under way frees the resolver when it ends, cancelled or not. */
	if (resolver->asking)
		uv_cancel((uv_req_t *)&resolver->request);
	else
		free(resolver);
}
