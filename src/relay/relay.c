/*
 * relay.c
 *		laras-relay: HTTP in, one SQL call, HTTP out. Options, limits of the
 *		process, and the order of starting and ending; the work is in pipe.c.
 *
 * Exit statuses, for a supervisor:
 *		0	ended by SIGTERM or SIGINT, every request answered
 *		1	ended by a signal, but requests were left unanswered
 *		2	wrong option or value: do not restart
 *		3	cannot start or go on (address in use, no descriptors, no memory)
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "relay/pipe.h"

#define EXIT_UNANSWERED 1
#define EXIT_USAGE 2
#define EXIT_START 3
#define MAX_LISTEN 16
#define SPARE_FDS 64

typedef struct Settings
{
	const char *listen[MAX_LISTEN];
	int nlisten;
	int max_body;
	int max_bytes;
	LarasHttpConfig http;
	LarasPipeConfig pipe;
} Settings;

static Settings settings;

typedef struct Option
{
	const char *name;
	int *value;
	int least;
	int most;
	const char *help;
} Option;

static const Option options[] = {
	{"connections", &settings.pipe.connections, 1, 64, "connections to the database"},
	{"batch-items", &settings.pipe.batch_items, 1, 512, "webhooks in one call"},
	{"batch-bytes", &settings.pipe.batch_bytes, 4096, 16 << 20, "bytes of bodies in one call"},
	{"max-queue", &settings.pipe.queue_items, 1, 1000000, "waiting requests; beyond it 503"},
	{"max-wait", &settings.pipe.wait_ms, 10, 600000,
	 "ms a request waits for a connection; then 503"},
	{"statement-timeout", &settings.pipe.statement_ms, 10, 600000,
	 "ms until a silent database connection is given up"},
	{"ticket-timeout", &settings.pipe.ticket_total_ms, 100, 600000,
	 "ms until a pending answer becomes 504"},
	{"max-connections", &settings.http.max_connections, 1, 1000000, "HTTP connections overall"},
	{"max-per-address", &settings.http.max_per_address, 1, 1000000,
	 "HTTP connections of one address"},
	{"max-body", &settings.max_body, 0, 16 << 20, "bytes of a request body; beyond it 413"},
	{"max-bytes", &settings.max_bytes, 65536, 1 << 30, "bytes of all HTTP buffers together"},
	{"head-timeout", &settings.http.head_ms, 10, 600000, "ms for the head of a request"},
	{"body-timeout", &settings.http.body_ms, 10, 600000, "ms for a body, longer by --min-rate"},
	{"min-rate", &settings.http.min_rate, 1, 1 << 30,
	 "bytes that earn a body or an answer one more second"},
	{"total-timeout", &settings.http.total_ms, 10, 600000,
	 "ms for head and body, whatever the rate"},
	{"write-timeout", &settings.http.write_ms, 10, 600000,
	 "ms for an answer, longer by --min-rate"},
	{"write-total-timeout", &settings.http.write_total_ms, 10, 3600000,
	 "ms for an answer, whatever the rate"},
	{"idle-timeout", &settings.http.idle_ms, 10, 3600000,
	 "ms a connection waits for its next request"},
	{"drain-timeout", &settings.http.drain_ms, 0, 600000,
	 "ms for requests under way after SIGTERM"},
	{"retry-after", &settings.http.retry_after_s, 0, 86400, "seconds told with a 503"},
	{NULL, NULL, 0, 0, NULL}};

static void
usage(void)
{
	printf("laras-relay passes HTTP requests to the laras functions of a PostgreSQL database.\n\n"
		   "Usage: laras-relay [--option=value ...]\n\n"
		   "  --listen=ADDRESS           host:port, [host]:port, unix:/path or systemd (sockets\n"
		   "                             passed by LISTEN_FDS); may be repeated [127.0.0.1:8080]\n"
		   "  --conninfo=STRING          libpq connection string or URI; what it does not say\n"
		   "                             comes from libpq's environment (PGHOST, PGUSER, ...)\n");
	for (const Option *option = options; option->name; option++)
		printf("  --%-24s %s [%d]\n", option->name, option->help, *option->value);
	printf("  --version, --help\n\n"
		   "Each option may be given as an environment variable: LARAS_RELAY_MAX_BODY for\n"
		   "--max-body, and so on (LARAS_RELAY_LISTEN: addresses parted by spaces). The\n"
		   "command line goes before the environment. No password belongs on the command\n"
		   "line: use peer authentication, PGPASSFILE or PGSERVICE.\n\n"
		   "Exit status: 0 ended and all answered, 1 requests were left unanswered,\n"
		   "2 wrong option, 3 cannot start or go on.\n");
}

static bool
set_option(const char *name, size_t length, const char *value)
{
	char *end;
	long number;

	if (length == 8 && strncmp(name, "conninfo", 8) == 0)
	{
		settings.pipe.conninfo = value;
		return true;
	}
	if (length == 6 && strncmp(name, "listen", 6) == 0)
	{
		if (settings.nlisten == MAX_LISTEN)
		{
			fprintf(stderr, "laras-relay: more than %d addresses\n", MAX_LISTEN);
			return false;
		}
		settings.listen[settings.nlisten++] = value;
		return true;
	}
	for (const Option *option = options; option->name; option++)
	{
		if (strlen(option->name) != length || strncmp(option->name, name, length) != 0)
			continue;
		errno = 0;
		number = strtol(value, &end, 10);
		if (errno || *value == '\0' || *end || number < option->least || number > option->most)
		{
			fprintf(stderr, "laras-relay: --%s takes a number from %d to %d\n", option->name,
					option->least, option->most);
			return false;
		}
		*option->value = (int) number;
		return true;
	}
	fprintf(stderr, "laras-relay: no such option; try --help\n");
	return false;
}

static bool
read_environment(void)
{
	char name[64];
	char *value;

	for (const Option *option = options; option->name; option++)
	{
		size_t n = (size_t) snprintf(name, sizeof(name), "LARAS_RELAY_%s", option->name);

		for (size_t i = 0; i < n; i++)
			name[i] = name[i] == '-' ? '_' : (char) toupper((unsigned char) name[i]);
		value = getenv(name);
		if (value && !set_option(option->name, strlen(option->name), value))
			return false;
	}
	value = getenv("LARAS_RELAY_CONNINFO");
	if (value)
		settings.pipe.conninfo = value;
	return true;
}

/* Addresses of the environment count only when the command line names none. */
static bool
read_listen_environment(void)
{
	char *value = getenv("LARAS_RELAY_LISTEN");

	if (settings.nlisten > 0 || value == NULL)
		return true;
	for (value += strspn(value, " "); *value; value += strspn(value, " "))
	{
		char *end = value + strcspn(value, " ");
		bool last = *end == '\0';

		*end = '\0';
		if (!set_option("listen", 6, value))
			return false;
		value = last ? end : end + 1;
	}
	return true;
}

static bool
is_option(const char *name)
{
	bool found = strcmp(name, "conninfo") == 0 || strcmp(name, "listen") == 0;

	for (const Option *option = options; option->name && !found; option++)
		found = strcmp(option->name, name) == 0;
	return found;
}

static bool
read_arguments(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
	{
		const char *argument = argv[i];
		const char *value;

		if (strncmp(argument, "--", 2) != 0 || argument[2] == '\0')
		{
			fprintf(stderr, "laras-relay: not an option; try --help\n");
			return false;
		}
		argument += 2;
		value = strchr(argument, '=');
		if (value)
		{
			if (!set_option(argument, (size_t) (value - argument), value + 1))
				return false;
		}
		else if (i + 1 < argc)
		{
			if (!set_option(argument, strlen(argument), argv[++i]))
				return false;
		}
		else
		{
			fprintf(stderr,
					is_option(argument) ? "laras-relay: --%.40s takes a value\n"
										: "laras-relay: there is no option --%.40s; try --help\n",
					argument);
			return false;
		}
	}
	return true;
}

static void
limit_process(void)
{
	struct rlimit none = {0, 0};
	struct rlimit files;

	/* request bodies must not come to lie in a core file */
	setrlimit(RLIMIT_CORE, &none);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
	{
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
		if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY &&
			files.rlim_cur < (rlim_t) settings.http.max_connections + SPARE_FDS)
		{
			settings.http.max_connections =
				files.rlim_cur > SPARE_FDS + 1 ? (int) files.rlim_cur - SPARE_FDS : 1;
			laras_http_log("the limit of descriptors allows %d connections",
						   settings.http.max_connections);
		}
	}
#ifdef __GLIBC__
	/* large bodies in mappings of their own, so that they go back when freed */
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	mallopt(M_TRIM_THRESHOLD, 1 << 20);
	mallopt(M_ARENA_MAX, 1);
#endif
}

int
main(int argc, char **argv)
{
	static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", NULL};
	LarasHttpServer *server;
	LarasPipe *pipe;
	bool answered;

	laras_http_defaults(&settings.http);
	laras_pipe_defaults(&settings.pipe);
	settings.http.limits.methods = methods;
	settings.max_body = (int) settings.http.limits.body_bytes;
	settings.max_bytes = (int) settings.http.max_bytes;
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
	{
		usage();
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
	{
		printf("laras-relay %s\n", LARAS_VERSION);
		return 0;
	}
	if (!read_environment() || !read_arguments(argc, argv) || !read_listen_environment())
		return EXIT_USAGE;
	if (settings.nlisten == 0)
		settings.listen[settings.nlisten++] = "127.0.0.1:8080";
	settings.http.limits.body_bytes = (uint32_t) settings.max_body;
	settings.http.max_bytes = (size_t) settings.max_bytes;
	limit_process();

	pipe = laras_pipe_create(&settings.pipe);
	if (pipe == NULL)
		return EXIT_START;
	laras_pipe_hook(pipe, &settings.http);
	server = laras_http_create(&settings.http);
	if (server == NULL || !laras_pipe_start(pipe, server))
		return EXIT_START;
	for (int i = 0; i < settings.nlisten; i++)
		if (!laras_http_listen(server, settings.listen[i]))
			return EXIT_START;

	answered = laras_http_run(server);
	if (!answered && !laras_http_is_draining(server))
		return EXIT_START;
	laras_pipe_stop(pipe);
	laras_http_destroy(server);
	laras_pipe_free(pipe);
	return answered ? 0 : EXIT_UNANSWERED;
}
