# What is done here, and how: every target makes the environments it needs, from a package index and nothing else.
PYTHON ?= python3
VENVS := .venvs
PIP := -m pip --quiet --disable-pip-version-check --no-input
OTEL := opentelemetry-sdk==1.45.1 opentelemetry-exporter-otlp==1.45.1
CONTRIB := opentelemetry-instrumentation==0.66b1 opentelemetry-exporter-prometheus==0.66b1 \
	opentelemetry-distro==0.66b1
# The last of each line that keep sessions which their clients have ended: leaks that nobody made up.
LEAKING := mcp_1_29 mcp_2_1
# Other instrumentations of MCP. The first line has AWS's, too, which decides on the versions of OpenTelemetry there.
VENDORS := logfire==5.2.0 sentry-sdk==2.75.0 ddtrace==4.16.0 openlit==1.45.0 \
	opentelemetry-instrumentation-mcp==0.62.4 openinference-instrumentation-mcp==2.0.13
# Each line of the fastmcp package, with a real server that stands on it, published programs that are clients (mcp-proxy has
# no 2.x line yet), and what the tests of its seams need there.
FASTMCP := fastmcp_2 fastmcp_3 fastmcp_4
CLIENTS_1 := mcp-proxy==0.13.0 mcp-server-time==2026.10.10 trio==0.35.0
CLIENTS_2 := mcp-server-time==2026.10.19 trio==0.35.0
FASTMCP_TESTS := 'pytest>=8' 'pytest-timeout>=2.3'
REAL_SERVERS := mcp-server-git==2026.10.10 mcp-server-time==2026.10.10 arxiv-mcp-server==0.8.2
REAL_SERVERS_2 := mcp-server-git==2026.10.19 mcp-server-time==2026.10.19 duckduckgo-mcp-server==0.7.0
# Environments that tests run in or look into.
TESTED := mcp2 mcp1 $(LEAKING) releases servers servers_2 vendors_1 vendors_2 $(FASTMCP)

CACHE := $(or $(MCP_OTEL_CACHE),$(HOME)/.cache/mcp-otel)
COLLECTOR := $(CACHE)/otelcol-$(shell sha256sum collector/builder.yaml | cut -c1-16)
BUILDER := go.opentelemetry.io/collector/cmd/builder@v0.161.0
CONFORMANCE := $(CACHE)/conformance-$(shell sha256sum tests/conformance/package-lock.json | cut -c1-16)

# $(call venv,name,what to install): an environment, made anew whenever what it is made of changed
define venv
	@echo "making $(VENVS)/$(1)"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "Python 3.10 or later is needed")'
	@$(PYTHON) -m venv --clear $(VENVS)/$(1)
	@$(VENVS)/$(1)/bin/python $(PIP) install --upgrade 'pip>=25.1'
	@$(VENVS)/$(1)/bin/python $(PIP) install $(2)
	@touch $@
endef

.PHONY: help test lint wheel demo bench stack collector conformance boards pictures clean
.DELETE_ON_ERROR:

help: ## what can be made
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

test: $(TESTED:%=$(VENVS)/%/.made) ## every test, on both lines of the SDK, and those of FastMCP on each of its lines
	@failed=0; for line in mcp2 mcp1 $(FASTMCP); do \
	  echo "testing with $$($(VENVS)/$$line/bin/python $(PIP) freeze | grep -E '^(fast)?mcp==' | xargs)"; \
	  case $$line in fastmcp_*) tests=tests/seams/fastmcp;; *) tests=;; esac; \
	  $(VENVS)/$$line/bin/python -m pytest $$tests && continue; \
	  [ $$? = 1 ] && echo "what failed is judged again, alone" && \
	    $(VENVS)/$$line/bin/python -m pytest --last-failed --last-failed-no-failures=none $$tests || failed=1; \
	done; exit $$failed

lint: $(VENVS)/mcp2/.made ## style, format and types
	$(VENVS)/mcp2/bin/ruff check .
	$(VENVS)/mcp2/bin/ruff format --check .
	$(VENVS)/mcp2/bin/mypy

wheel: $(VENVS)/mcp2/.made ## a wheel, tried in a clean environment
	@rm -rf dist $(VENVS)/wheel
	@$(VENVS)/mcp2/bin/python $(PIP) wheel --no-deps --wheel-dir dist .
	@$(PYTHON) -m venv $(VENVS)/wheel
	@$(VENVS)/wheel/bin/python $(PIP) install dist/*.whl
	$(VENVS)/wheel/bin/mcp-otel --version
	$(VENVS)/wheel/bin/python -m tests.contract.installed

demo: $(VENVS)/demo/.made ## see it at work
	$(VENVS)/demo/bin/mcp-otel demo

bench: $(VENVS)/mcp2/.made ## what a call costs
	$(VENVS)/mcp2/bin/python -m benchmarks

stack: collector conformance $(VENVS)/mcp2/.made ## what the tests of the stack need beside Debian's packages: see CONTRIBUTING.md
	$(VENVS)/mcp2/bin/python -m dashboards.preview.cache

collector: $(COLLECTOR)/build/otelcol/otelcol-mcp ## the OpenTelemetry Collector for the tests, from Go modules

conformance: $(CONFORMANCE)/.made ## the official conformance suites for the tests, from npm

boards: $(VENVS)/mcp2/.made ## render the dashboards
	$(VENVS)/mcp2/bin/python -m dashboards.build

pictures: stack ## draw the dashboards with data of a real run, into docs/pictures
	$(VENVS)/mcp2/bin/python -m tests.stack.pictures

clean: ## away with all that was made
	rm -rf $(VENVS) dist build .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENVS)/mcp2/.made: pyproject.toml Makefile
	$(call venv,mcp2,--editable . --group test --group stack --group lint mcp==2.3.0 $(OTEL) $(CONTRIB))

$(VENVS)/mcp1/.made: pyproject.toml Makefile
	$(call venv,mcp1,--editable . --group test mcp==1.30.0 $(OTEL) $(CONTRIB))

$(VENVS)/servers/.made: Makefile
	$(call venv,servers,--editable . 'mcp<2' $(REAL_SERVERS))

$(VENVS)/servers_2/.made: Makefile
	$(call venv,servers_2,--editable . mcp==2.3.0 $(REAL_SERVERS_2))
$(VENVS)/mcp_1_29/.made: pyproject.toml Makefile
	$(call venv,mcp_1_29,--editable . mcp==1.29.0 $(OTEL))

$(VENVS)/mcp_2_1/.made: pyproject.toml Makefile
	$(call venv,mcp_2_1,--editable . mcp==2.1.1 $(OTEL))

# Earlier releases of the SDK, on top of what mcp1 and mcp2 have: a test compares what they ask for with what is there.
$(VENVS)/releases/.made: tests/versions/releases.txt $(VENVS)/mcp2/.made
	@echo "getting earlier releases of the SDK"
	@rm -rf $(@D)
	@for release in $$(cat $<); do \
	  case $$release in 2.*) types=mcp-types==$$release ;; *) types= ;; esac; \
	  $(VENVS)/mcp2/bin/python $(PIP) install --no-deps --target $(@D)/$$release mcp==$$release $$types || exit 1; \
	done
	@touch $@
$(VENVS)/vendors_1/.made: pyproject.toml Makefile
	$(call venv,vendors_1,--editable . mcp==1.30.0 $(VENDORS) aws-opentelemetry-distro==0.21.0 \
	opentelemetry-sdk==1.44.0 opentelemetry-exporter-otlp==1.44.0 opentelemetry-instrumentation==0.65b0)

$(VENVS)/vendors_2/.made: pyproject.toml Makefile
	$(call venv,vendors_2,--editable . mcp==2.3.0 $(VENDORS) $(OTEL) $(CONTRIB))

$(VENVS)/fastmcp_2/.made: pyproject.toml Makefile
	$(call venv,fastmcp_2,--editable . mcp==1.30.0 fastmcp==2.14.7 mcp-nixos==2.3.1 $(FASTMCP_TESTS) $(OTEL))

$(VENVS)/fastmcp_3/.made: pyproject.toml Makefile
	$(call venv,fastmcp_3,--editable . mcp==1.30.0 fastmcp==3.4.10 mcp-nixos==2.4.3 $(FASTMCP_TESTS) $(OTEL) $(CLIENTS_1))

$(VENVS)/fastmcp_4/.made: pyproject.toml Makefile
	$(call venv,fastmcp_4,--editable . mcp==2.3.0 fastmcp==4.1.2 mcp-nixos==3.1.0 $(FASTMCP_TESTS) $(OTEL) $(CLIENTS_2))

$(VENVS)/demo/.made: pyproject.toml Makefile
	$(call venv,demo,. mcp-server-time)

$(COLLECTOR)/build/otelcol/otelcol-mcp: collector/builder.yaml
	@mkdir -p $(COLLECTOR)/build
	@cp collector/builder.yaml $(COLLECTOR)/
	GOBIN=$(COLLECTOR) go install $(BUILDER)
	cd $(COLLECTOR) && CGO_ENABLED=0 ./builder --config builder.yaml

$(CONFORMANCE)/.made: tests/conformance/package-lock.json
	@mkdir -p $(CONFORMANCE)
	@cp tests/conformance/package.json tests/conformance/package-lock.json $(CONFORMANCE)/
	cd $(CONFORMANCE) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
