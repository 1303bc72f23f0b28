/*
 * templated.h
 *		A message that is a template with values, at hand-off.
 */
#ifndef LARAS_TEMPLATED_H
#define LARAS_TEMPLATED_H

#include "channel/template.h"
#include "courier/prepare.h"

/* columns of read_rows that this file reads: status, author known, name, language, components, element, opt-in */
#define LARAS_TEMPLATED_COLUMNS                                                          \
	"t2.status, t2.author IS NOT NULL, t2.name, t2.language, t2.components, m.element, " \
	"p.opt_in_at "
#define LARAS_TEMPLATED_JOIN                                    \
	"LEFT JOIN laras.message_template t2 "                      \
	"ON t2.workspace_id OPERATOR(pg_catalog.=) o.workspace_id " \
	"AND t2.id OPERATOR(pg_catalog.=) o.template_id "           \
	"AND t2.connection_id OPERATOR(pg_catalog.=) o.connection_id "

typedef struct LarasTemplated
{
	const char *status; /* NULL: the template is gone */
	bool owned;
	LarasTemplate template;
	const json_t *values; /* NULL: they cannot be read */
} LarasTemplated;

/*
 * Read it from the row, whose first column of those above is `column`. NULL: it
 * may leave; else why it does not. last_inbound is 0 where the person never wrote.
 */
extern const char *laras_templated_read(uint64 row, int column, const LarasFlight *flight,
										TimestampTz last_inbound, LarasTemplated *out);

/* Do template and values still give exactly this text? */
extern bool laras_templated_gives(const LarasTemplated *t, const LarasChannelDriver *driver,
								  const LarasAllocator *allocator, LarasText text);

/* A refused send may say that the provider stopped the template. Inside SPI, as laras_worker. */
extern void laras_templated_refused(const LarasFlight *flight, int error_code);

#endif /* LARAS_TEMPLATED_H */
