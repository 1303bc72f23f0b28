# laras: PGXS build of the extension, plus the programs beside it.
# `make up` plays the whole story, `make test` runs every test; see README.md.

EXTENSION = laras
MODULE_big = laras
LARAS_VERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" laras.control)

# One line a room; layers point one way, from top to bottom.
OBJS = src/laras.o

# The install script's parts, in order. The order is the documentation.
SQL_PARTS = 00_prelude

DATA_built = sql/laras--$(LARAS_VERSION).sql
EXTRA_CLEAN = sql/laras--$(LARAS_VERSION).sql

PG_CONFIG ?= pg_config
PG_CPPFLAGS = -Isrc $(shell pkg-config --cflags libcurl libcrypto jansson) $(if $(LARAS_FAULTS),-DLARAS_FAULTS)
SHLIB_LINK = $(shell pkg-config --libs libcurl libcrypto jansson) -Wl,--version-script=src/laras.map

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

sql/laras--$(LARAS_VERSION).sql: $(SQL_PARTS:%=sql/%.sql) Makefile laras.control
	cat $(SQL_PARTS:%=sql/%.sql) > $@
