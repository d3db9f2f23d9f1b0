# SPDX-License-Identifier: LGPL-2.1-or-later
# poolmalloc: one Makefile, no recursion into folders, sources found by wildcard.
#
#   make [target] [VARIANT=release|debug|asan|ubsan|tsan] [CC=gcc|clang|...]
#
# Objects and outputs of a variant go to build/$(VARIANT)/; `make help` lists the targets.

VARIANT ?= release
BUILD   ?= build/$(VARIANT)
PREFIX  ?= /usr/local
VERSION := 0.1.0
SONAME  := libpoolmalloc.so.1

# ---- Tools ---------------------------------------------------------------------------------------
ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin CXX),default)
CXX := g++
endif
CROSS   := $(if $(findstring -linux-gnu-,$(CC)),$(CC:%gcc=%))
OBJCOPY ?= $(CROSS)objcopy
# A compiler for another machine or libc sees neither CUnit nor the liburcu headers of this one: the
# tests then use the stand-in tests/cunit.h; liburcu's, and the kernel's for musl, are linked to.
FOREIGN := $(CROSS)$(findstring musl,$(CC))

# ---- Flags ---------------------------------------------------------------------------------------
CFLAGS_release := -O2 -g -fno-plt
CFLAGS_debug   := -Og -g -DPOOLMALLOC_DEBUG
CFLAGS_asan    := -O1 -g -DPOOLMALLOC_DEBUG -fno-omit-frame-pointer -fsanitize=address
CFLAGS_ubsan   := -O1 -g -DPOOLMALLOC_DEBUG -fsanitize=undefined -fno-sanitize-recover=all \
                  $(if $(findstring clang,$(CC)),-fsanitize-ignorelist=tests/ubsan.ignore,-fno-sanitize=null)
CFLAGS_tsan    := -O1 -g -DPOOLMALLOC_DEBUG -fsanitize=thread -include tests/tsan_urcu.h $(if $(findstring clang,$(CC)),-D__SANITIZE_THREAD__)
CFLAGS         ?= $(or $(CFLAGS_$(VARIANT)),$(error unknown VARIANT $(VARIANT)))

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wundef -Werror
CWARN    := $(WARNINGS) -Wmissing-prototypes $(if $(findstring clang,$(CC)),-Wthread-safety)
CPPFLAGS += -D_GNU_SOURCE -D_LGPL_SOURCE -Iinclude -Isrc \
            $(if $(FOREIGN),-isystem $(BUILD)/headers -DTEST_WITHOUT_CUNIT)
# Without -fno-builtin a compiler may turn malloc + memset inside calloc into a call of calloc.
CODEGEN  := -fPIC -fvisibility=hidden -ftls-model=initial-exec -pthread -fno-builtin-malloc \
            -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free
# Commands are shown in short; V=1 shows them whole.
Q         = $(if $(V),,@$(if $(findstring s,$(firstword -$(MAKEFLAGS))),:,printf '  %-5s %s\n' $(1) '$(2)');)
COMPILE   = $(CC) -std=c17 $(CPPFLAGS) $(CODEGEN) $(CWARN) $(CFLAGS) $(FOR_SIZE) -MMD -MP
COMPILE++ = $(CXX) -std=c++17 $(CPPFLAGS) $(CODEGEN) $(WARNINGS) $(CFLAGS) -MMD -MP
LINK      = $(CC) -pthread $(CFLAGS) $(LDFLAGS)
# nodelete: threads keep pointers to our code (key destructors) that outlive a dlclose.
# Segments begin where the windows of 64 KiB do in which the kernel maps what lies around a touched
# page.
LINK_SO   = $(LINK) -shared -Wl,-soname,$(SONAME) -Wl,-z,defs,-z,relro,-z,now,-z,nodelete \
            -Wl,-z,max-page-size=65536 -Wl,-T,preload/constants.ld \
            -Wl,--version-script=preload/exports.map -Wl,--dynamic-list=preload/preemptible.list

# ---- Files ---------------------------------------------------------------------------------------
objects_of = $(patsubst %,$(BUILD)/obj/%.o,$(basename $(1)))
core    := $(call objects_of,$(wildcard src/*.c))
preload := $(call objects_of,$(wildcard preload/*.c))
# The command is an ordinary program that reads other processes with the library's own collector.
reading := $(call objects_of,src/size_class.c src/text.c \
             $(filter-out src/stats_report.c,$(wildcard src/stats*.c)))
cli     := $(if $(FOREIGN),,$(call objects_of,$(wildcard src/cli/*.c)))
# Every process maps the library: what runs rarely is compiled for size.
rare    := $(call objects_of,$(wildcard src/stats*.c src/resource_*.c) $(addprefix src/, \
             cgroup.c config.c control.c decay.c huge.c huge_mapping.c leak.c os.c pool_age.c pool_registry.c purge.c text.c))
# Code that only pools, buffers and reports need is linked last: what every program runs then lies
# within 64 KiB.
apart   := $(call objects_of,$(filter-out src/stats_report.c,$(wildcard src/stats*.c src/buffer*.c \
             src/resource_*.c)) $(wildcard src/pool_*.c) $(addprefix src/,cgroup.c control.c group.c \
             panic.c report_file.c text.c tiers.c) preload/reports.c)
# Their tables of zeroes are large and little used: they lie behind the small variables of others.
tables  := $(call objects_of,src/tcache_threads.c src/page_map.c src/stats_report.c)
ordered  = $(filter-out $(tables) $(apart),$(core) $(preload)) $(tables) $(apart)
library := $(BUILD)/$(SONAME)
outputs := $(library) $(BUILD)/libpoolmalloc.so $(BUILD)/libpoolmalloc.a \
           $(if $(cli),$(BUILD)/poolmalloc)
sources := $(wildcard src/*.c src/cli/*.c preload/*.c tests/*.c tests/*/*.c)
headers := $(wildcard include/*.h include/*/*.h src/*.h src/cli/*.h preload/*.h tests/*.h tests/*/*.h)

# A tests/test_M.c that calls test_main is a program; another tests/test_M_part.c belongs to it.
unit_names    := $(patsubst tests/test_%.c,test_%,$(wildcard tests/test_*.c))
unit_mains    := $(patsubst tests/test_%.c,test_%,$(shell grep -ls test_main $(wildcard tests/test_*.c) /dev/null))
unit_parts    := $(filter-out $(unit_mains),$(unit_names))
unit_programs := $(unit_mains:%=$(BUILD)/tests/%)
programs_in    = $(patsubst %,$(BUILD)/%,$(basename $(wildcard $(1))))
abort_programs  := $(call programs_in,tests/abort/*.c)
core_programs   := $(call programs_in,tests/stress/*.c)
shared_programs := $(call programs_in,tests/api/*.c tests/api/*.cc tests/examples/*.c)
fuzz_programs   := $(call programs_in,tests/fuzz/*.c)
preload_tests   := $(sort $(wildcard tests/preload/*.sh))
slow_tests      := $(sort $(wildcard tests/preload/slow/*.sh)) tests/stress/million_frames.sh
# The sanitizers bring their own malloc: they see the pm_ names only.
portable_programs := $(unit_programs) $(core_programs) $(fuzz_programs)
test_programs := $(portable_programs) $(if $(filter %san,$(VARIANT)),, \
                   $(abort_programs) $(shared_programs))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help check test test-portable test-valgrind test-slow demo bench fuzz install uninstall \
        format reformat tidy cppcheck floors imports exports abi clean

# ---- Outputs -------------------------------------------------------------------------------------
all: $(outputs) ## build the library, shared and static, and the tool (VARIANT=, CC=)
	@:

$(BUILD)/obj/%.o: %.c Makefile | $(if $(FOREIGN),$(BUILD)/headers/urcu)
	@mkdir -p $(@D)
	$(call Q,CC,$<)$(COMPILE) -c $< -o $@

$(BUILD)/obj/%.o: %.cc Makefile
	@mkdir -p $(@D)
	$(call Q,C++,$<)$(COMPILE++) -c $< -o $@

# aliases.ld is an implicit linker script: it makes malloc and pm_malloc one address.
$(library): $(core) $(preload) $(wildcard preload/*.ld preload/*.map preload/*.list)
	$(call Q,LINK,$@)$(LINK_SO) $(ordered) preload/aliases.ld -o $@

# Operators that a program may replace are called as it replaced them, by clang too.
$(BUILD)/obj/preload/new_delete.o: CODEGEN += -fsemantic-interposition
$(rare): FOR_SIZE := $(if $(filter release-file,$(VARIANT)-$(origin CFLAGS)),-Os)

$(BUILD)/libpoolmalloc.so: $(library)
	@ln -sf $(SONAME) $@

# One relocatable object with the internal names made local: only public names can be linked to.
# Nothing to wrap in an archive: pthread_create stays libc's.
archived := $(filter-out %/preload/thread.o,$(preload))
$(BUILD)/libpoolmalloc.a: $(core) $(archived) preload/aliases.ld
	$(call Q,AR,$@)$(CC) -r -nostdlib $(core) $(archived) preload/aliases.ld -o $(BUILD)/poolmalloc.o
	@$(OBJCOPY) --localize-hidden $(BUILD)/poolmalloc.o
	@rm -f $@ && $(AR) rcs $@ $(BUILD)/poolmalloc.o

$(BUILD)/poolmalloc: $(cli) $(reading)
	$(call Q,LINK,$@)$(LINK) $^ $$(pkg-config --libs ncursesw) -o $@
$(cli): CPPFLAGS += $(shell pkg-config --cflags ncursesw 2>/dev/null)
# Pages of HTML are taken in by .incbin, which -MMD does not see.
$(call objects_of,src/cli/compare_page.c src/cli/map.c): $(wildcard src/cli/*.html)

host_headers := urcu* $(if $(findstring musl,$(CC)),linux asm asm-generic)
$(BUILD)/headers/urcu:
	@mkdir -p $(@D)
	@for header in $(foreach dir,/usr/include /usr/include/$(shell gcc -print-multiarch), \
	    $(wildcard $(host_headers:%=$(dir)/%))); do ln -sfn $$header $(@D)/; done; test -e $@

# ---- Tests ---------------------------------------------------------------------------------------
# Unit, abort, stress and fuzz programs link the core's objects and call the pm_ names.
$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(core)
	@mkdir -p $(@D)
	$(call Q,LINK,$@)$(LINK) $^ $(LDLIBS) -o $@

$(unit_programs): LDLIBS += $(if $(FOREIGN),,-lcunit)
$(unit_programs): CPPFLAGS += -iquote tests
$(foreach name,$(unit_mains),$(eval $(BUILD)/tests/$(name): \
    $(patsubst %,$(BUILD)/obj/tests/%.o,$(filter $(name)_%,$(unit_parts)))))
$(fuzz_programs): $(BUILD)/obj/tests/fuzz_replay.o

# API tests and examples link the library as its users do.
$(shared_programs): $(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(BUILD)/libpoolmalloc.so
	@mkdir -p $(@D)
	$(call Q,LINK,$@)$(if $(wildcard tests/$*.cc),$(CXX),$(CC)) -pthread $(CFLAGS) $(LDFLAGS) $< \
	    -L$(BUILD) -lpoolmalloc -Wl,-rpath,'$$ORIGIN/../..' -o $@

# The gates and tests are commands for scripts/run_checks.sh, which sums what they say.
gates := $(addprefix gate:,format tidy floors imports exports abi)
tests := $(unit_programs) $(core_programs) $(fuzz_programs) \
         $(if $(filter %san,$(VARIANT)),,$(abort_programs) $(shared_programs) $(preload_tests))
RUN   := POOLMALLOC_LIBRARY=$(abspath $(library)) EMULATOR="$(EMULATOR)" scripts/run_checks.sh

check: ## install what is missing, build, run every gate and test
	@scripts/install_packages.sh build check
	@$(MAKE) --no-print-directory -j$$(nproc) all $(test_programs)
	+@$(RUN) $(gates) $(tests)

test: $(if $(filter %san,$(VARIANT)),,all) $(test_programs) ## the tests alone, in this VARIANT
	@$(RUN) $(tests)

# An emulator shares its address space, threads and pages with the program: no forks, no limits and
# no comparison with the kernel's figures there.
foreign_to_emulators := %/stress/fork %/stress/fork_purge %/stress/limits %/stress/frame_server %/test_stats
test-portable: $(portable_programs) # what runs under another machine's emulator or libc
	@$(RUN) $(if $(EMULATOR),$(filter-out $(foreign_to_emulators),$(portable_programs)), \
	    $(portable_programs))

# The core under the names of its own, as valgrind replaces malloc's. (Its stacks and code would be in
# the kernel's figures that test_stats compares with.)
test-valgrind: $(unit_programs) ## the unit tests under valgrind
	@EMULATOR="valgrind -q --error-exitcode=9" scripts/run_checks.sh \
	    $(filter-out %/test_stats,$(unit_programs))

test-slow: all ## real programs that take minutes
	@$(RUN) $(slow_tests)

fuzz_targets := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/*.c))
build/fuzz/%: tests/fuzz/%.c $(wildcard src/*.c) $(headers)
	@mkdir -p $(@D)
	$(call Q,FUZZ,$@)clang -std=c17 $(CPPFLAGS) -pthread -O1 -g -DPOOLMALLOC_DEBUG -fsanitize=fuzzer,address \
	    $< $(wildcard src/*.c) -o $@

# The same targets for AFL++, which mutates and covers in its own way; its driver runs them in a loop.
afl_targets := $(fuzz_targets:build/fuzz/%=build/fuzz/afl/%)
build/fuzz/afl/%: tests/fuzz/%.c $(wildcard src/*.c) $(headers)
	@mkdir -p $(@D)
	$(call Q,FUZZ,$@)AFL_QUIET=1 afl-clang-fast -std=c17 $(CPPFLAGS) -pthread -O1 -g -DPOOLMALLOC_DEBUG \
	    -fsanitize=fuzzer $< $(wildcard src/*.c) -o $@

fuzz: $(fuzz_targets) $(afl_targets) ## fuzz each target for FUZZ_SECONDS (60), libFuzzer and AFL++
	@scripts/fuzz.sh $(or $(FUZZ_SECONDS),60) $(fuzz_targets) $(afl_targets)

# ---- Gates ---------------------------------------------------------------------------------------
format: ## fail if a C file is not formatted (reformat: format them)
	@scripts/format.sh --check
reformat:
	@scripts/format.sh

# Benchmarks leak and hold memory on purpose: they are formatted, not analysed.
tidy_stamps := $(patsubst %,build/tidy/%.ok,$(filter-out tests/bench/%,$(sources)))
build/tidy/%.ok: % $(headers) .clang-tidy
	@mkdir -p $(@D)
	@clang-tidy --quiet $< -- -std=c17 $(CPPFLAGS) -iquote tests -pthread 2>$@.log || \
	    { cat $@.log; exit 1; }
	@touch $@
tidy: $(tidy_stamps) ## clang-tidy, warnings are errors

# The word before a magazine's first slot is its sentinel: an index of -1 is meant.
cppcheck: ## cppcheck on the library's sources
	@cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr -j2 \
	    --suppress=negativeIndex:src/tcache.c \
	    --enable=warning,performance,portability -D__LP64__ $(CPPFLAGS) \
	    $(wildcard src/*.c src/cli/*.c preload/*.c)

floors: ## no file includes a header from its own floor or above
	@scripts/check_floors.sh
imports: $(library) ## the library calls nothing that may call malloc
	@scripts/check_imports.sh $(library)
exports: $(library) $(BUILD)/libpoolmalloc.a ## the exported names are those of tests/exports.txt
	@scripts/check_exports.sh $(library) $(BUILD)/libpoolmalloc.a
abi: $(library) ## compare the ABI with the last release's
	@scripts/check_abi.sh $(library)

# ---- What people run -----------------------------------------------------------------------------
demo: ## install what is missing, run a real program on the pool and beside glibc
	@scripts/install_packages.sh build
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@scripts/demo.sh $(abspath $(library))

bench: ## time and peak memory beside glibc, jemalloc, mimalloc and tcmalloc
	@scripts/install_packages.sh build bench
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@scripts/bench.sh
	@scripts/bench_pools.sh

man_pages := $(wildcard docs/*.[1-8])
install: all ## install under $(DESTDIR)$(PREFIX)
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,include/poolmalloc lib/pkgconfig)
	install -m 644 include/poolmalloc.h $(DESTDIR)$(PREFIX)/include/
	install -m 644 include/poolmalloc/*.h $(DESTDIR)$(PREFIX)/include/poolmalloc/
	install -m 755 $(library) $(DESTDIR)$(PREFIX)/lib/
	ln -sf $(SONAME) $(DESTDIR)$(PREFIX)/lib/libpoolmalloc.so
	install -m 644 $(BUILD)/libpoolmalloc.a $(DESTDIR)$(PREFIX)/lib/
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' scripts/poolmalloc.pc.in | \
	    install -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/lib/pkgconfig/poolmalloc.pc
	$(if $(cli),install -D -m 755 $(BUILD)/poolmalloc $(DESTDIR)$(PREFIX)/bin/poolmalloc)
	for page in $(man_pages); do install -D -m 644 $$page \
	    $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}; done

uninstall: ## remove what install put there
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/,$(wildcard include/*.h include/*/*.h) lib/$(SONAME) \
	    lib/libpoolmalloc.so lib/libpoolmalloc.a lib/pkgconfig/poolmalloc.pc bin/poolmalloc) \
	    $(foreach page,$(man_pages),$(DESTDIR)$(PREFIX)/share/man/man$(subst .,,$(suffix \
	    $(page)))/$(notdir $(page)))

clean: ## remove build/
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.* ## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
