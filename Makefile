# Verbs over meson. `make` builds build/ringfort; `make help` lists the rest.

PREFIX ?= /usr/local
SECS ?= 60
# WERROR=1 makes warnings errors, as .ci/run and `make lint` do.
WERROR ?=

RELEASE = --prefix $(PREFIX) -Dwerror=$(if $(WERROR),true,false)
SANITIZE = -Doptimization=1
# A sanitizer's report is a failure, whatever the code does afterwards.
export UBSAN_OPTIONS ?= print_stacktrace=1
export TSAN_OPTIONS ?= halt_on_error=1

.PHONY: all help deps run demo test bench bench-server bench-streams compat crash flip fuzz asan tsan cover lint format install uninstall clean

all: ## build the optimised build/ringfort
	@tools/deps --check build
	@tools/deps --check portal || echo 'ringfort: without node and npm the program is built without its portal' >&2
	@tools/build build "" $(RELEASE)

help: ## list the verbs
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile

deps: ## install the Debian packages that building and testing need
	@tools/deps build portal test

run: ## build, start the server, send it Contoso's telemetry as it happens, until Ctrl-C
	@tools/deps build portal
	@tools/build build "" $(RELEASE)
	@examples/contoso-shipping/live

demo: ## build, make an hour of Contoso's telemetry, detect the attack in it; no server
	@tools/deps build
	@tools/build build "" $(RELEASE)
	@examples/contoso-shipping/run

test: ## build and run every test
	@tools/deps build portal test
	@tools/build build "all tests" $(RELEASE)
	@tools/run-tests build

bench: ## measure against other engines, and how soon a device's report is an incident (see docs/bench.md)
	@tools/deps build
	@tools/build build "" $(RELEASE)
	@bench/run $(ARGS)
	@bench/main_job
	@bench/vault

bench-server: ## measure the server against its goals
	@tools/deps build
	@tools/build build "" $(RELEASE)
	@bench/server $(ARGS)

bench-streams: ## measure event hubs beside Kafka, RabbitMQ and the disk
	@tools/deps build
	@tools/build build "" $(RELEASE)
	@bench/streams $(ARGS)

compat: ## run real Azure SDK clients against a server; ARGS='SUITE[:FILE]...' [KEEP=1]
	@tools/deps build
	@tools/build build "" $(RELEASE)
	@tests/compat/run build $(ARGS)

crash: ## kill ingest, merge and the server's processes at random points, ROUNDS times
	@tools/deps build
	@tools/build build "" $(RELEASE)
	@tests/crash/run $(ROUNDS)
	@tests/crash_server/run $(ROUNDS)
	@tests/crash_rules/run $(ROUNDS)
	@tests/crash_hub/run $(ROUNDS)
	@tests/crash_vault/run $(ROUNDS)

flip: ## flip random bits in a store's files, FLIPS times, and ask it questions
	@tools/deps build
	@tools/build build "" $(RELEASE)
	@tests/flip/run $(FLIPS)

# New inputs stay in build-fuzz/corpus/T; KEEP=1 adds those to fuzz/T/ that reach code which its inputs do not.
fuzz: ## fuzz target T for SECS seconds, with the corpus in fuzz/T/ [KEEP=1]
	@tools/deps build fuzz
	@test -n "$(T)" || { echo "usage: make fuzz T=NAME [SECS=60]; targets:"; \
		tools/sources fuzz | sed 's|.*/\(.*\)_fuzz\.c|  \1|'; exit 2; }
	@CC=clang tools/build build-fuzz fuzz_$(T) $(SANITIZE) -Dfuzzing=true
	@mkdir -p fuzz/$(T) build-fuzz/found build-fuzz/corpus/$(T)
	build-fuzz/fuzz_$(T) -max_total_time=$(SECS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix=build-fuzz/found/$(T)- $(FUZZ_ARGS) build-fuzz/corpus/$(T) fuzz/$(T)
	@test -z "$(KEEP)" || build-fuzz/fuzz_$(T) -merge=1 fuzz/$(T) build-fuzz/corpus/$(T)

asan: ## run every test under the address and undefined behaviour sanitizers
	@tools/deps build test
	@tools/build build-asan "all tests" $(SANITIZE) -Db_sanitize=address,undefined
	@tools/run-tests build-asan

tsan: ## run every test under the thread sanitizer
	@tools/deps build test
	@tools/build build-tsan "all tests" $(SANITIZE) -Db_sanitize=thread
	@tools/run-tests build-tsan

cover: ## run every test and write build-cover/coverage.html
	@tools/deps build test cover
	@tools/build build-cover "all tests" -Doptimization=0 -Db_coverage=true
	@tools/run-tests build-cover
	@gcovr -r . --object-directory build-cover -e '.*_test\.c' -e 'src/test/' \
		--html-details build-cover/coverage.html --print-summary

lint: ## warnings as errors, format, include directions, clang-tidy, cppcheck
	@tools/deps build test fuzz lint
	@tools/lint

format: ## format every C file
	@tools/deps lint
	@tools/c-files | xargs clang-format -i

install: all ## install under PREFIX; DESTDIR goes before every path
	@DESTDIR="$(DESTDIR)" meson install -C build --no-rebuild --quiet
	@echo "installed under $(DESTDIR)$(PREFIX)"

uninstall: ## remove what `make install` put there
	@ninja -C build uninstall

clean: ## remove every build folder
	rm -rf build build-asan build-tsan build-fuzz build-cover build-lint build-lint-gcc
