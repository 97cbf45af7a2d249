"""What GoogleSQL takes and BigQuery refuses, or writes otherwise than DuckDB: read off the analysed statement.

Sources: BigQuery's reference, "Data types" (which are groupable), "Subqueries" (correlated ones that read tables) and "Query
syntax" (joins), and the messages that BigQuery answers with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.message import Message
from zetasql.wasi._pb2.zetasql.resolved_ast import resolved_ast_enums_pb2 as enums
from zetasql.wasi._pb2.zetasql.resolved_ast import resolved_ast_pb2 as tree

from tests.referee.googlesql import Analysis, inner, nodes
from tests.referee.values import type_name

_INNER_JOIN = enums.ResolvedJoinScanEnums.INNER
_DISTINCT = (
    enums.ResolvedSetOperationScanEnums.UNION_DISTINCT,
    enums.ResolvedSetOperationScanEnums.INTERSECT_DISTINCT,
    enums.ResolvedSetOperationScanEnums.EXCEPT_DISTINCT,
)
_INSTANT_TO_TEXT = ("TIMESTAMP", "STRING")
_READS_TABLE = (tree.ResolvedTableScanProto, tree.ResolvedWithRefScanProto)


def refusals(analysis: Analysis) -> list[str]:
    """A sentence for each, in the statement's order; the same one once."""
    return list(dict.fromkeys(sentence for node in nodes(analysis.statement) for sentence in _of(node)))


def _of(node: Any) -> Iterator[str]:
    if isinstance(node, tree.ResolvedAggregateScanBaseProto):
        yield from _not_groupable("GROUP BY or DISTINCT", (group.column for group in node.group_by_list))
    elif isinstance(node, tree.ResolvedSetOperationScanProto) and node.op_type in _DISTINCT:
        yield from _not_groupable("a set operation with DISTINCT", node.parent.column_list)
    elif isinstance(node, tree.ResolvedWindowPartitioningProto):
        yield from _not_groupable("PARTITION BY", (reference.column for reference in node.partition_by_list))
    elif isinstance(node, tree.ResolvedJoinScanProto):
        yield from _of_join(node)
    elif isinstance(node, tree.ResolvedSubqueryExprProto):
        yield from _of_subquery(node)
    elif (
        isinstance(node, tree.ResolvedCastProto) and (_type(node.expr), type_name(node.parent.type)) == _INSTANT_TO_TEXT
    ):
        yield "CAST of a TIMESTAMP to STRING ends in +00, in DuckDB only of a timestamp with a zone: use instant_text"


def _not_groupable(where: str, columns: Iterable[Any]) -> Iterator[str]:
    for column in columns:
        if "JSON" in type_name(column.type):
            yield f"{where} of column {column.name} of type {type_name(column.type)}, which is not groupable"


def _of_join(join: Any) -> Iterator[str]:
    sides = [_columns(side) for side in (join.left_scan, join.right_scan)]
    is_constant = not any(_references(join.join_expr))  # as of `left join one_row on true`, which BigQuery takes
    if (
        join.join_type != _INNER_JOIN
        and not is_constant
        and not any(_joins(equality, *sides) for equality in _equalities(join.join_expr))
    ):
        kind = enums.ResolvedJoinScanEnums.JoinType.Name(join.join_type)
        yield f"{kind} OUTER JOIN cannot be used without a condition that is an equality of fields from both sides of the join"
    for node in nodes(join.join_expr):
        if isinstance(node, tree.ResolvedSubqueryExprProto) and _reads_table(node):
            yield "Unsupported subquery with table in join predicate"


def _of_subquery(subquery: Any) -> Iterator[str]:
    """A subquery that reads a table for every row around it must be one that BigQuery can turn into a join on equality."""
    correlated = [node for node in nodes(subquery.subquery) if _is_correlated(node)]
    if not correlated or not _reads_table(subquery):
        return
    equated = [
        side
        for scan in nodes(subquery.subquery)
        if isinstance(scan, tree.ResolvedFilterScanProto)
        for equality in _equalities(scan.filter_expr)
        for side in equality
        if _is_correlated(inner(side))
    ]
    if len(equated) < len(correlated):
        names = sorted({node.column.name for node in correlated})
        yield f"correlated subquery that compares {', '.join(names)} by more than equality cannot be de-correlated"
    if any(isinstance(node, tree.ResolvedLimitOffsetScanProto) for node in nodes(subquery.subquery)):
        yield "correlated subquery with LIMIT cannot be de-correlated"


def _is_correlated(node: Any) -> bool:
    return isinstance(node, tree.ResolvedColumnRefProto) and node.is_correlated


def _reads_table(subquery: Any) -> bool:
    return any(isinstance(node, _READS_TABLE) for node in nodes(subquery.subquery))


def _equalities(condition: Any) -> Iterator[tuple[Any, Any]]:
    """The two sides of each equality that has to hold for the condition to hold."""
    call = inner(condition)
    if not isinstance(call, tree.ResolvedFunctionCallProto):
        return
    base = call.parent
    if base.function.name == "ZetaSQL:$and":
        for part in base.argument_list:
            yield from _equalities(part)
    elif base.function.name == "ZetaSQL:$equal":
        yield tuple(base.argument_list)


def _joins(equality: tuple[Message, Message], left: set[int], right: set[int]) -> bool:
    first, second = ({node.column.column_id for node in _references(side)} for side in equality)
    ways = ((first, second), (second, first))
    return any(one and other and one <= left and other <= right for one, other in ways)


def _references(expression: Message) -> Iterator[Any]:
    return (node for node in nodes(expression) if isinstance(node, tree.ResolvedColumnRefProto))


def _columns(scan: Any) -> set[int]:
    node = inner(scan)
    while "column_list" not in node.DESCRIPTOR.fields_by_name:
        node = node.parent
    return {column.column_id for column in node.column_list}


def _type(expression: Any) -> str:
    node = inner(expression)
    while "type" not in node.DESCRIPTOR.fields_by_name:
        node = node.parent
    return type_name(node.type)
