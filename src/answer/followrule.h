/*
 * followrule.h
 *		Rules for following up, while they are in use.
 */
#ifndef LARAS_FOLLOWRULE_H
#define LARAS_FOLLOWRULE_H

/*
 * Look at all of them: each rule's state is set to how its template stands, and
 * where it stopped, the owner has a notice. As laras_worker bound to all,
 * the vault open.
 */
extern void laras_follow_rules_look(void);

#endif /* LARAS_FOLLOWRULE_H */
