/*
 * revealguard.c
 *		Refuses what would store revealed text: indexes, statistics, generated
 *		columns, exclusion constraints and materialized views whose expression
 *		reaches laras.reveal.
 *
 * reveal itself refuses to run in maintenance commands (LRK11), but an index
 * on an empty table escapes that. Reaching is followed through views and
 * SQL-standard function bodies by pg_depend; a function whose body is a string
 * cannot be seen through, and the view laras.reveal_dependents does not claim to.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/errors.h"
#include "vault/vault.h"

typedef struct Reach
{
	Oid reveal[2];
	List *seen_functions;
	List *seen_relations;
} Reach;

static bool function_reaches(Reach *reach, Oid function);
static bool relation_reaches(Reach *reach, Oid relation);

/* The oids of reveal and reveal_bytes; false where laras is not installed here. */
static bool
find_reveal(Reach *reach)
{
	Oid schema = get_namespace_oid("laras", true);
	CatCList *list;
	int found = 0;
	const char *names[2] = {"reveal", "reveal_bytes"};

	memset(reach, 0, sizeof(*reach));
	if (!OidIsValid(schema))
		return false;
	for (int n = 0; n < 2; n++)
	{
		list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(names[n]));
		for (int i = 0; i < list->n_members; i++)
		{
			Form_pg_proc proc = (Form_pg_proc) GETSTRUCT(&list->members[i]->tuple);

			if (proc->pronamespace == schema && found < 2)
				reach->reveal[found++] = proc->oid;
		}
		ReleaseSysCacheList(list);
	}
	return found > 0;
}

/* Does what object depends on reach reveal? */
static bool
dependencies_reach(Reach *reach, Oid class, Oid object)
{
	Relation catalog = table_open(DependRelationId, AccessShareLock);
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple tuple;
	bool result = false;

	ScanKeyInit(&key[0], Anum_pg_depend_classid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(class));
	ScanKeyInit(&key[1], Anum_pg_depend_objid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(object));
	scan = systable_beginscan(catalog, DependDependerIndexId, true, NULL, 2, key);
	while (!result && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend depend = (Form_pg_depend) GETSTRUCT(tuple);

		if (depend->refclassid == ProcedureRelationId)
			result = function_reaches(reach, depend->refobjid);
		else if (depend->refclassid == RelationRelationId)
			result = relation_reaches(reach, depend->refobjid);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return result;
}

static bool
function_reaches(Reach *reach, Oid function)
{
	if (function == reach->reveal[0] || function == reach->reveal[1])
		return true;
	if (function < FirstNormalObjectId || list_member_oid(reach->seen_functions, function))
		return false;
	check_stack_depth();
	reach->seen_functions = lappend_oid(reach->seen_functions, function);
	return dependencies_reach(reach, ProcedureRelationId, function);
}

/* Views and materialized views: by their rules. */
static bool
relation_reaches(Reach *reach, Oid relation)
{
	char kind;
	Relation catalog;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	bool result = false;

	if (relation < FirstNormalObjectId || list_member_oid(reach->seen_relations, relation))
		return false;
	kind = get_rel_relkind(relation);
	if (kind != RELKIND_VIEW && kind != RELKIND_MATVIEW)
		return false;
	check_stack_depth();
	reach->seen_relations = lappend_oid(reach->seen_relations, relation);
	catalog = table_open(RewriteRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_rewrite_ev_class, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relation));
	scan = systable_beginscan(catalog, RewriteRelRulenameIndexId, true, NULL, 1, &key);
	while (!result && HeapTupleIsValid(tuple = systable_getnext(scan)))
		result =
			dependencies_reach(reach, RewriteRelationId, ((Form_pg_rewrite) GETSTRUCT(tuple))->oid);
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return result;
}

/* ------------------------------------------------------------------------
 * Raw expressions (not analysed yet) and analysed queries
 * ------------------------------------------------------------------------
 */

static bool
raw_walker(Node *node, void *context)
{
	Reach *reach = context;

	if (node == NULL)
		return false;
	if (IsA(node, FuncCall))
	{
		/* any function that the name may mean here */
		FuncCandidateList candidate = FuncnameGetCandidates(((FuncCall *) node)->funcname, -1, NIL,
															false, false, false, true);

		for (; candidate != NULL; candidate = candidate->next)
		{
			if (function_reaches(reach, candidate->oid))
				return true;
		}
	}
	return raw_expression_tree_walker(node, raw_walker, context);
}

static bool
query_walker(Node *node, void *context)
{
	Reach *reach = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		ListCell *cell;

		foreach(cell, ((Query *) node)->rtable)
		{
			RangeTblEntry *entry = lfirst(cell);

			if (entry->rtekind == RTE_RELATION && relation_reaches(reach, entry->relid))
				return true;
		}
		return query_tree_walker((Query *) node, query_walker, context, 0);
	}
	if (IsA(node, FuncExpr) && function_reaches(reach, ((FuncExpr *) node)->funcid))
		return true;
	return expression_tree_walker(node, query_walker, context);
}

static bool
index_elements_reach(Reach *reach, List *elements)
{
	ListCell *cell;

	foreach(cell, elements)
	{
		if (raw_walker(((IndexElem *) lfirst(cell))->expr, reach))
			return true;
	}
	return false;
}

static bool
constraint_reaches(Reach *reach, Constraint *constraint)
{
	ListCell *cell;

	if (constraint->contype == CONSTR_GENERATED)
		return raw_walker(constraint->raw_expr, reach);
	if (constraint->contype != CONSTR_EXCLUSION)
		return false;
	foreach(cell, constraint->exclusions)
	{
		if (raw_walker(((IndexElem *) linitial((List *) lfirst(cell)))->expr, reach))
			return true;
	}
	return raw_walker(constraint->where_clause, reach);
}

static bool
column_reaches(Reach *reach, ColumnDef *column)
{
	ListCell *cell;

	foreach(cell, column->constraints)
	{
		if (constraint_reaches(reach, lfirst_node(Constraint, cell)))
			return true;
	}
	return false;
}

static bool
elements_reach(Reach *reach, List *elements)
{
	ListCell *cell;

	foreach(cell, elements)
	{
		Node *element = lfirst(cell);

		if (IsA(element, ColumnDef) && column_reaches(reach, (ColumnDef *) element))
			return true;
		if (IsA(element, Constraint) && constraint_reaches(reach, (Constraint *) element))
			return true;
	}
	return false;
}

static bool
partition_reaches(Reach *reach, PartitionSpec *spec)
{
	ListCell *cell;

	if (spec == NULL)
		return false;
	foreach(cell, spec->partParams)
	{
		if (raw_walker(((PartitionElem *) lfirst(cell))->expr, reach))
			return true;
	}
	return false;
}

static bool
alter_reaches(Reach *reach, AlterTableStmt *statement)
{
	ListCell *cell;

	foreach(cell, statement->cmds)
	{
		AlterTableCmd *command = lfirst_node(AlterTableCmd, cell);

		if (command->def == NULL)
			continue;
		if (IsA(command->def, ColumnDef))
		{
			if (column_reaches(reach, (ColumnDef *) command->def) ||
				(command->subtype == AT_AlterColumnType &&
				 raw_walker(((ColumnDef *) command->def)->raw_default, reach)))
				return true;
		}
		else if (IsA(command->def, Constraint))
		{
			if (constraint_reaches(reach, (Constraint *) command->def))
				return true;
		}
		else if (command->subtype == AT_ColumnDefault)
			continue;
	}
	return false;
}

static bool
statistics_reach(Reach *reach, CreateStatsStmt *statement)
{
	ListCell *cell;

	foreach(cell, statement->exprs)
	{
		if (raw_walker(((StatsElem *) lfirst(cell))->expr, reach))
			return true;
	}
	return false;
}

/* What kind of object would store revealed text, or NULL. */
static const char *
refused_kind(Node *statement)
{
	Reach reach;

	switch (nodeTag(statement))
	{
		case T_IndexStmt:
			if (!find_reveal(&reach))
				return NULL;
			return index_elements_reach(&reach, ((IndexStmt *) statement)->indexParams) ||
						   raw_walker(((IndexStmt *) statement)->whereClause, &reach)
					   ? "an index"
					   : NULL;
		case T_CreateStatsStmt:
			if (!find_reveal(&reach))
				return NULL;
			return statistics_reach(&reach, (CreateStatsStmt *) statement) ? "statistics" : NULL;
		case T_CreateStmt:
			if (!find_reveal(&reach))
				return NULL;
			return elements_reach(&reach, ((CreateStmt *) statement)->tableElts)
					   ? "a generated column or constraint"
				   : partition_reaches(&reach, ((CreateStmt *) statement)->partspec)
					   ? "a partition key"
					   : NULL;
		case T_AlterTableStmt:
			if (!find_reveal(&reach))
				return NULL;
			return alter_reaches(&reach, (AlterTableStmt *) statement)
					   ? "a generated column or constraint"
					   : NULL;
		case T_CreateTableAsStmt:
			if (((CreateTableAsStmt *) statement)->objtype != OBJECT_MATVIEW ||
				!find_reveal(&reach))
				return NULL;
			return query_walker(((CreateTableAsStmt *) statement)->query, &reach)
					   ? "a materialized view"
					   : NULL;
		default:
			return NULL;
	}
}

void
laras_vault_before_utility(const LarasUtility *utility)
{
	const char *kind;

	switch (nodeTag(utility->statement))
	{
		case T_IndexStmt:
		case T_CreateStatsStmt:
		case T_CreateStmt:
		case T_AlterTableStmt:
		case T_CreateTableAsStmt:
			break;
		default:
			return;
	}
	if (!IsTransactionState() || !OidIsValid(MyDatabaseId))
		return;
	kind = refused_kind(utility->statement);
	if (kind != NULL)
		ereport(
			ERROR,
			(errcode(LARAS_ERRCODE_REVEAL_IN_MAINTENANCE),
			 errmsg("sealed content is not stored in clear"),
			 errdetail("The expression reaches laras.reveal, and %s would keep what it reveals.",
					   kind)));
}
