/*
 * link.h
 *		Links by which a provider fetches media that it is to deliver.
 */
#ifndef LARAS_MEDIA_LINK_H
#define LARAS_MEDIA_LINK_H

#include "media/media.h"

/* characters of what stands in a link */
#define LARAS_MEDIA_TICKET 80

/*
 * An absolute link to stored media that is good for ten minutes; palloc'd. NULL
 * where the operator has not said under which address the relay is reached.
 */
extern char *laras_media_link(const LarasMedia *media);

/*
 * Of which media a link's ticket speaks: false where it is none of ours, or too
 * old. Nothing is bound; whether the media is there is not asked.
 */
extern bool laras_media_ticket(LarasText ticket, int64 *workspace_id, int64 *media_id);

#endif /* LARAS_MEDIA_LINK_H */
