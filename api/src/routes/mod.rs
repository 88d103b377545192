//! The routes of the partner API, a file for each kind of object.

pub(crate) mod accounts;
pub(crate) mod batch;
pub(crate) mod payments;
pub(crate) mod refunds;
pub(crate) mod transfers;

use crate::route::{Route, Router};

/// All of them.
pub(crate) fn all() -> Router {
    let router = Router::new();
    let router = accounts::add(router);
    let router = transfers::add(router);
    let router = batch::add(router);
    let router = payments::add(router);
    refunds::add(router)
}

/// All of them, for the documents.
pub(crate) fn table() -> impl Iterator<Item = &'static Route> {
    [
        accounts::ROUTES,
        transfers::ROUTES,
        batch::ROUTES,
        payments::ROUTES,
        refunds::ROUTES,
    ]
    .into_iter()
    .flatten()
    .copied()
}
