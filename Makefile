# laras: PGXS build of the extension, plus the programs beside it.
# `make up` plays the whole story, `make test` runs every test; see README.md.

EXTENSION = laras
MODULE_big = laras
LARAS_VERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" laras.control)

# The rooms, layers pointing one way from top to bottom: a room's line lists its .c files by name.
# src/base/
BASE = lower kept phone arguments clock contain durable program errors logguard fault id spi json json_owner
# src/vault/
VAULT = numbers crypto derive sealedbytes slot files slab lease journal keyringfile keyringmake masterkey mirror \
	vaultsettings vaultshared access sealvalue sealedtype slotlease keyowner keycommand journalring destroy \
	revealguard slotcopy settlejournal settleslab mirrorjoin vaultopen vaultduties vaultorders vaultsweep vaultposition vaultwitness vaultmirrors vaultcopies vaultscrub vaultepochs vaultrotate standbyserve standbysource standbyanswer standbycopy standby \
	vaultworker vaultstatus vaultdoctor
# src/tenancy/
TENANCY = tenancy binding permission lookup token password workspace region member session key doctor checks roles guard install
# src/channel/
CHANNEL = driver record media sendmedia login meta meta_message meta_send meta_send_media meta_media meta_connect instagram instagram_mention messenger messenger_connect threads threads_send threads_media telegram telegram_send telegram_send_media telegram_media telegram_connect email email_header email_mime email_report email_text email_send email_connect generic generic_mapping generic_media whatsapp whatsapp_parse whatsapp_message whatsapp_send whatsapp_send_media whatsapp_media whatsapp_template whatsapp_connect presence visible
# src/evidence/
EVIDENCE = detail evidence highwater integrate keyfile leaf merkle note sign sink tree verify
# src/worker/
WORKER = hooks shared crash database extension failure loop keeper wanted launcher control rooms installation
# src/intake/
INTAKE = signature receive admit consume quarantine ring
# src/connect/
CONNECT = handling template template_task app connection attempt pair secret login refresh reach health post mention revoke disconnect
# src/courier/
COURIER = usage outbox steer egress address fence carry rule limit allowance conversation pause again defer lane claim templated enclosed prepare thread repeated record stop reconcile echo check resend settle promotion http call body talk mail task task_kinds presence handoff
# src/inbox/
INBOX = rows names processing addressee phone lookup identity comment merge conversation apply sentiment sentimentmodel sentimentweights part change person wish suppression consent account again status message window
# src/media/
MEDIA = store enclosure fetch duty read give link
# src/answer/
ANSWER = voice span calendar whenasked hours digest numerals ground scope outside manner others rule reviewrule written classify reply template followup followrule followvalues draft store wanted earlier duty decide drafterrole freshness lexicon root spelling question intent order shelf forms retrieve rank readrows choose compare asked lacks textlacks subject wording said clause left compose ellipsis preview llm llmprompt llmanswer llmtask llmconfigure import knowledgetext knowledgerow
# src/erasure/
ERASURE = plan accept list listwork request remove writers expire status replay resume keyring copies
# src/gateway/
GATEWAY = request strict limiter routes rows inbox messages drafts erasures signin settings handling media callback pages continue
#
OBJS = src/laras.o \
	$(BASE:%=src/base/%.o) \
	$(VAULT:%=src/vault/%.o) \
	$(TENANCY:%=src/tenancy/%.o) \
	$(CHANNEL:%=src/channel/%.o) \
	$(EVIDENCE:%=src/evidence/%.o) \
	$(WORKER:%=src/worker/%.o) \
	$(INTAKE:%=src/intake/%.o) \
	$(CONNECT:%=src/connect/%.o) \
	$(COURIER:%=src/courier/%.o) \
	$(INBOX:%=src/inbox/%.o) \
	$(MEDIA:%=src/media/%.o) \
	$(ANSWER:%=src/answer/%.o) \
	$(ERASURE:%=src/erasure/%.o) \
	$(GATEWAY:%=src/gateway/%.o)

# The install script's parts, in order. The order is the documentation.
SQL_PARTS = \
	00_prelude \
	05_base \
	08_sealed \
	10_tenancy \
	20_vault \
	25_evidence \
	30_channel \
	33_terms \
	35_connect \
	40_intake \
	50_inbox \
	52_media \
	55_templates \
	56_spelling \
	58_drafter \
	60_answer \
	61_llm \
	62_drafts \
	64_followups \
	65_courier \
	80_erasure \
	82_deletion_lists \
	90_gateway \
	95_worker \
	96_resume \
	97_doctor \
	99_closing

# Programs beside the extension: add the name here, and <name>_OBJS and
# <name>_LIBS below; each is linked from them and installed with the server's own.
PROGRAMS = laras-relay laras-sandbox laras-keytool laras-mailpipe laras-sink

# The HTTP server that the programs share.
HTTP_OBJS = $(addprefix src/relay/,http_request.o http_server.o http_connection.o http_answer.o http_listen.o)
laras-relay_OBJS = $(HTTP_OBJS) $(addprefix src/relay/,relay.o pipe.o work.o webhooks.o requests.o database.o arrays.o)
laras-relay_LIBS = $(libpq)
$(laras-relay_OBJS) src/vault/standbysource.o: override CPPFLAGS += -I$(libpq_srcdir)
laras-sandbox_OBJS = $(HTTP_OBJS) $(addprefix src/sandbox/,main.o server.o client.o control.o play.o objects.o account.o grant.o direct.o comment.o mention.o media.o multipart.o bot.o chat.o graph.o oauth.o assets.o \
	messages.o content.o smtp.o dialog.o mailbox.o tls.o refusal.o limits.o traffic.o deliver.o fault.o ledger.o world.o timer.o table.o buffer.o)
laras-sandbox_LIBS = $(shell pkg-config --libs $(PKGS) libssl)

# The vault's files that know nothing of the server, and the program over them.
KEYRING = numbers crypto derive sealedbytes slot files slab lease journal keyringfile keyringmake masterkey mirror
laras-keytool_OBJS = $(KEYRING:%=src/vault/%.o) $(addprefix src/vault/,keytool.o keyscan.o vectors.o)
laras-keytool_LIBS = $(shell pkg-config --libs libcrypto)
laras-sink_OBJS = src/evidence/sinkprogram.o

# What a mail server calls for each mail; knows nothing of the server.
laras-mailpipe_OBJS = src/mailpipe/mailpipe.o
laras-mailpipe_LIBS = $(shell pkg-config --libs libcurl libcrypto)

# Tests, by name; lint compares the lists with what lies in test/.
REGRESS = \
	grounding \
	knowledge \
	hours \
	languages \
	voice \
	review_rules \
	install \
	sealed \
	tenancy \
	asking \
	drafter

ISOLATION = \
	approve \
	disconnect_reply \
	erase_twice \
	pair_twice \
	webhook_twice

DATA_built = sql/laras--$(LARAS_VERSION).sql
EXTRA_CLEAN = sql/laras--$(LARAS_VERSION).sql $(PROGRAMS) $(foreach p,$(PROGRAMS),$($(p)_OBJS)) $(DEPENDS)

PG_CONFIG ?= pg_config
PKGS = libcurl libcrypto jansson
# mails are read with it: the extension alone links it
MIME = gmime-3.0
PG_CPPFLAGS = -Isrc -DLARAS_VERSION='"$(LARAS_VERSION)"' $(shell pkg-config --cflags $(PKGS) $(MIME)) $(if $(LARAS_FAULTS),-DLARAS_FAULTS)
# -MMD writes what each object was made from, so that a changed header rebuilds it.
PG_CFLAGS = -MMD -MP
# src/base/phone.cc alone is C++; what COPT asks of the compiler it is asked of too.
PG_CXXFLAGS = -MMD -MP -std=c++17 $(filter-out -std=%,$(COPT))
SHLIB_LINK = $(shell pkg-config --libs $(PKGS) $(MIME)) $(libpq) -lphonenumber -lstdc++ -Wl,--version-script=src/laras.map

# What the scripts of test/bin do themselves: no PostgreSQL need be installed yet.
SCRIPTED = up down test test-long bench lint requirements reference tree packages list-tests
ifeq ($(filter-out $(SCRIPTED),$(or $(MAKECMDGOALS),all)),)

packages:
	test/bin/packages
tree: packages
	test/bin/build release faults
# PG=17 runs them inside an unpacked Debian that has that release (test/bin/machine).
test:
	@$(if $(PG),test/bin/machine $(PG)) test/bin/test $(TESTS)
test-long:
	@$(if $(PG),test/bin/machine $(PG)) env LARAS_SIZE=long test/bin/test $(TESTS)
lint:
	@test/bin/test lint
list-tests:
	@printf '%s\n' $(REGRESS:%=sql/%) $(ISOLATION:%=specs/%) $(sort $(patsubst test/%,%,$(wildcard test/t/*.pl)))
up down bench requirements reference:
	@test/bin/$@

else

# Bitcode is for inlining into compiled queries, which calls of this size do not gain from.
override with_llvm := no
# What is exported the version script says, on releases too whose PGXS hides everything first (from 16 on).
override CFLAGS_SL_MODULE :=
REGRESS_OPTS = --inputdir=test
ISOLATION_OPTS = --inputdir=test
PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq ($(PGXS),)
$(error no PostgreSQL found: run test/bin/packages, or name one by PG_CONFIG=)
endif
ifeq ($(filter-out 9.% 10.% 11.% 12.% 13.% 14.%,$(lastword $(wordlist 1,2,$(shell $(PG_CONFIG) --version)))),)
$(error laras needs PostgreSQL 15 or later)
endif
include $(PGXS)

sql/laras--$(LARAS_VERSION).sql: $(SQL_PARTS:%=sql/%.sql) Makefile laras.control
	cat $(SQL_PARTS:%=sql/%.sql) > $@

all: $(PROGRAMS)
.SECONDEXPANSION:
$(PROGRAMS): $$($$@_OBJS)
	$(CC) $(CFLAGS) $($@_OBJS) $(LDFLAGS) $($@_LIBS) -o $@
install: install-programs
install-programs: $(PROGRAMS) installdirs
	$(if $(PROGRAMS),$(INSTALL_PROGRAM) $(PROGRAMS) '$(DESTDIR)$(bindir)/')
.PHONY: install-programs

src/inbox/sentimentweights.o: src/inbox/sentiment.weights

DEPENDS = $(patsubst %.o,%.d,$(OBJS) $(foreach p,$(PROGRAMS),$($(p)_OBJS)))
-include $(DEPENDS)
endif

.PHONY: $(SCRIPTED)
