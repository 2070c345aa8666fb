# The front door. `make` lists what there is.

PREFIX ?= /usr/local
CARGO ?= cargo

# What the build and the tests need beside Rust, and the Debian packages that bring it.
BUILD_PACKAGES := build-essential libssl-dev pkg-config
SERVER_PACKAGES := postgresql
TEST_PACKAGES := pgbouncer openssl valgrind
FAULT_PACKAGES := iproute2 nftables faketime

# What runs the measurements of `make counts`: of the very version that Cargo.toml names for the library.
GUNGRAUN := $(shell sed -n 's/^gungraun = "=\(.*\)"/\1/p' Cargo.toml)
GUNGRAUN_RUNNER := target/tools/gungraun-$(GUNGRAUN)/bin/gungraun-runner

# Where cargo builds, and where tests record what they could not run on this machine.
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
export CARGO_TARGET_DIR := $(TARGET)
NOT_RUN := $(TARGET)/tmp/not-run

# Another compiler has other lints and another idea of formatting. `make test` shows its findings but does not fail on them.
WRITTEN_WITH := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
STRICT := $(if $(findstring rustc $(WRITTEN_WITH).,$(shell rustc --version 2> /dev/null)),-D warnings)

.DEFAULT_GOAL := help
.PHONY: help demo test test-versions bench counts pictures scale faults soak quiet fuzz peers build install uninstall deps test-deps fault-deps

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The dev profile: it is there in a third of the time that the release profile takes from nothing, and a demo of four
# nodes does not notice the difference. ARGS=--fault kills, freezes and revives a standby now and then.
demo: deps ## open the dashboard on a throw-away PostgreSQL cluster (ARGS=--fault: with faults)
	@$(CARGO) run --quiet --bin pgwatch -- demo $(ARGS)

test: test-deps ## check formatting, lints and documentation, and run all tests; list what could not run here
	@mkdir -p $(dir $(NOT_RUN)) && rm -f $(NOT_RUN)
	@[ '$(STRICT)' ] || echo 'not run here: formatting and lints: only Rust $(WRITTEN_WITH) is held to them' | tee $(NOT_RUN)
	$(CARGO) fmt --check $(if $(STRICT),,|| true)
	$(CARGO) clippy --all-targets -- $(STRICT)
	RUSTDOCFLAGS='$(STRICT)' $(CARGO) doc --no-deps
	$(CARGO) test
	@$(MAKE) --no-print-directory counts
	@if [ -s $(NOT_RUN) ]; then \
	  echo; sort -u $(NOT_RUN); echo "All passed, but $$(sort -u $(NOT_RUN) | wc -l) could not run here."; \
	else echo; echo 'All passed, and everything ran.'; fi

test-versions: test-deps ## test every view on PostgreSQL 10 to 19; missing versions are fetched (VERSIONS='16 17')
	@CARGO=$(CARGO) sh tests/versions.sh

# libFuzzer needs instrumentation that only the nightly compiler has. TIME is for each target, in seconds.
TIME ?= 60
FUZZ_NIGHTLY ?= nightly

fuzz: deps ## look for input that breaks a parser (TIME=60: seconds for each parser)
	@cargo fuzz --version > /dev/null 2>&1 || { echo 'cargo-fuzz is missing: cargo install cargo-fuzz' >&2; exit 1; }
	@cargo +$(FUZZ_NIGHTLY) --version > /dev/null 2>&1 || \
	  { echo 'A nightly compiler is missing: rustup toolchain install nightly' >&2; exit 1; }
	@for target in $$(cargo +$(FUZZ_NIGHTLY) fuzz list); do \
	  mkdir -p fuzz/corpus/$$target; \
	  cargo +$(FUZZ_NIGHTLY) fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
	    -max_total_time=$(TIME) -timeout=10 -max_len=16384 $(ARGS) || exit 1; \
	done

bench: test-deps $(if $(filter N%,$(ARGS)),$(filter peers,$(ARGS)),peers) ## measure the figures in the README on this machine (ARGS='N2 N9', peers, screens or quick)
	$(if $(filter screens,$(ARGS)),,$(CARGO) bench --bench figures -- $(ARGS))
	$(if $(filter N% peers,$(ARGS)),,$(CARGO) bench --bench screens -- $(filter-out screens,$(ARGS)))

peers: deps ## install the tools that `make bench` compares pgwatch with, into target/peers
	@CARGO=$(CARGO) sh benches/figures/peers.sh

scale: test-deps ## measure one dashboard with 20, 100 and 500 nodes (ARGS='50 200': other numbers)
	$(CARGO) bench --bench scale -- $(ARGS)

faults: fault-deps ## inject every fault and measure the reaction (ARGS='freeze --trials 3')
	$(CARGO) bench --bench faults -- $(ARGS)

soak: test-deps ## run ten minutes of random changes and check for leaks (ARGS='--minutes 60')
	$(CARGO) bench --bench soak -- $(ARGS)

# The dev profile: what is measured is what is said, not how fast.
quiet: test-deps ## run a healthy fleet at work for five minutes and fail on any alert (ARGS='--minutes 60')
	$(CARGO) bench --profile dev --bench quiet -- $(ARGS)

# The build that the tests have made already: nothing is compiled twice.
counts: test-deps $(GUNGRAUN_RUNNER) ## compare instructions and allocations with the recorded ones (ARGS=--bless: record new ones)
	@PATH="$(abspath $(dir $(GUNGRAUN_RUNNER))):$$PATH" $(CARGO) bench --quiet --profile dev --bench instructions -- \
	  --output-format=json --parallel=auto > $(TARGET)/counts.json
	@$(CARGO) bench --quiet --profile dev --bench counts -- $(TARGET)/counts.json $(ARGS)

# The dev profile shows the same screens, and is there already where the tests are.
pictures: deps ## take the README's pictures anew, of the demo at work
	$(CARGO) bench --quiet --profile dev --bench pictures

$(GUNGRAUN_RUNNER):
	CARGO_PROFILE_DEV_DEBUG=0 $(CARGO) install --quiet --debug --locked --root $(abspath $(@D)/..) gungraun-runner@=$(GUNGRAUN)

build: deps ## build the release binary in target/release
	$(CARGO) build --release

install: build ## install the program, manual page and completions (PREFIX=/usr/local)
	install -D -m 755 $(TARGET)/release/pgwatch $(DESTDIR)$(PREFIX)/bin/pgwatch
	mkdir -p $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	  $(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	$(TARGET)/release/pgwatch man > $(DESTDIR)$(PREFIX)/share/man/man1/pgwatch.1
	$(TARGET)/release/pgwatch completions bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/pgwatch
	$(TARGET)/release/pgwatch completions zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_pgwatch
	$(TARGET)/release/pgwatch completions fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/pgwatch.fish

uninstall: ## remove what `make install` installed
	rm -f $(DESTDIR)$(PREFIX)/bin/pgwatch $(DESTDIR)$(PREFIX)/share/man/man1/pgwatch.1 \
	  $(DESTDIR)$(PREFIX)/share/bash-completion/completions/pgwatch \
	  $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_pgwatch \
	  $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/pgwatch.fish

# Quick and quiet when everything is there. Otherwise apt installs it, as root or by a sudo that asks nothing; where
# that is not to be had, says what to do.
deps:
	@command -v $(CARGO) > /dev/null || { echo 'Rust is missing; install it from https://rustup.rs' >&2; exit 1; }
	@packages=; \
	command -v cc > /dev/null && command -v pkg-config > /dev/null && pkg-config --exists openssl \
	  || packages=" $(BUILD_PACKAGES)"; \
	$(have_server) || packages="$$packages $(SERVER_PACKAGES)"; \
	$(install_packages)

test-deps: deps
	@packages=; \
	PATH="$$PATH:/usr/sbin"; command -v pgbouncer > /dev/null && command -v openssl > /dev/null \
	  && command -v valgrind > /dev/null || packages=" $(TEST_PACKAGES)"; \
	$(install_packages)

# Only root can use them: others see the faults by a proxy, or a dash.
fault-deps: test-deps
	@[ "$$(id -u)" = 0 ] || exit 0; packages=; \
	PATH="$$PATH:/usr/sbin"; command -v ip > /dev/null && command -v nft > /dev/null && command -v faketime > /dev/null \
	  || packages=" $(FAULT_PACKAGES)"; \
	$(install_packages)

# Debian and Fedora keep a server's programs beside the PATH.
have_server = { ls /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb 2> /dev/null | grep -q . || \
	  command -v initdb > /dev/null; }

define install_packages
[ -z "$$packages" ] && exit 0; \
	if [ "$$(id -u)" = 0 ]; then sudo=; elif sudo -n true 2> /dev/null; then sudo='sudo -n'; else sudo=none; fi; \
	if [ "$$sudo" = none ] || ! command -v apt-get > /dev/null; then \
	  echo "Missing packages:$$packages. Install them and try again. On Debian and Ubuntu:" >&2; \
	  echo "  sudo apt-get install$$packages" >&2; exit 1; \
	fi; \
	echo "Installing$$packages ..." >&2; \
	$$sudo apt-get update -q > /dev/null && \
	$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$packages > /dev/null
endef
