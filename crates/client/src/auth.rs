//! Who the client says it is.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A token that is being fetched; none for somebody who is not signed in.
pub(crate) type Fetching = Pin<Box<dyn Future<Output = Option<String>> + Send>>;

/// Where tokens come from. The argument asks for one that was not shown before.
pub(crate) type TokenProvider = Arc<dyn Fn(bool) -> Fetching + Send + Sync>;

/// Who the client is to be.
#[derive(Clone)]
pub(crate) enum Auth {
    Nobody,
    Admin(String),
    User(TokenProvider),
}

impl Auth {
    pub(crate) fn user<P, F>(provider: P) -> Auth
    where
        P: Fn(bool) -> F + Send + Sync + 'static,
        F: Future<Output = Option<String>> + Send + 'static,
    {
        Auth::User(Arc::new(move |force_refresh| Box::pin(provider(force_refresh))))
    }
}
