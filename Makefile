# SPDX-License-Identifier: Apache-2.0
# The front door; meson and ninja do the work.  Every target sets up what it needs and is quick
# when nothing changed.
BUILD ?= build
ARGS ?=

.PHONY: help run test build check bench fuzz install clean

help:
	@echo "make run      set up, build and start Sonde here (ARGS='...' for its options)"
	@echo "make test     set up, build and run all tests that this machine allows"
	@echo "make check    what lands a change: tests, both compilers, sanitizers, static analysis, format"
	@echo "make bench    benchmarks, each beside a floor or a peer in the same run"
	@echo "make fuzz     every fuzz target for FUZZ_SECONDS (default 60) seconds"
	@echo "make install  install what was built (PREFIX=/usr/local, DESTDIR=)"

run: build
	@exec scripts/run $(BUILD) $(ARGS)

build:
	@scripts/setup run
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) >/dev/null || { cat $(BUILD)/meson-logs/meson-log.txt; exit 1; }
	@ninja -C $(BUILD) --quiet

test:
	@scripts/setup test
	@$(MAKE) --no-print-directory build
	@python3 tests/run.py $(BUILD) $(ARGS)

check:
	@.ci/run

bench: build
	@meson test -C $(BUILD) --benchmark --verbose $(ARGS)

FUZZ_SECONDS ?= 60
fuzz:
	@scripts/setup check
	@scripts/fuzz $(FUZZ_SECONDS)

PREFIX ?= /usr/local
install: build
	@meson configure $(BUILD) --prefix=$(PREFIX) && meson install -C $(BUILD) --quiet

clean:
	@rm -rf $(BUILD) web/dist
