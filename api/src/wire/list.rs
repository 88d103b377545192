//! Lists.

use florin_ledger::query::List;
use serde::Serialize;

/// Part of a list, newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = List)]
pub(crate) struct ListBody<'a, T> {
    /// Always `list`.
    object: &'static str,
    data: Vec<T>,
    /// There are more in the direction that was asked for.
    has_more: bool,
    /// The route that this is a list of.
    url: &'a str,
}

/// Makes a list of bodies from a list of objects.
pub(crate) fn list<'a, T, B>(
    url: &'a str,
    list: &'a List<T>,
    body: impl Fn(&'a T) -> B,
) -> ListBody<'a, B> {
    ListBody {
        object: "list",
        data: list.items.iter().map(body).collect(),
        has_more: list.has_more,
        url,
    }
}
